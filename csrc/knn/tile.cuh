// What the CUDA neighbour kernels share. A warp holds some query rows against a tile of points, of which each
// lane has some; each lane keeps the sums of all its pairs in registers. So a row's threshold and list belong
// to a warp, which looks at its hits together (warp_list.cuh). Coordinates come through shared memory in
// chunks, copied while the chunk before is summed, so any dimension works. All lanes read a row's coordinates
// at one address; of 40 words of 128 bits that pass to a warp, it makes 512 instructions of arithmetic.
#pragma once
#include <algorithm>
#include <cstdint>

#include "common/cuda_check.h"
#include "knn/knn.h"

namespace entropix {
namespace {

constexpr int kLanes = 32;
constexpr uint32_t kAllLanes = 0xffffffffu;
constexpr int kMostThreads = kMostWarps * kLanes;

// Least blocks per multiprocessor that leave enough registers: elsewhere than on sm_90 the compiler loads
// further ahead.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ != 900
constexpr int kBlocks = 1;
#else
constexpr int kBlocks = 2;
#endif

template <class T>
struct Tile;

// rows: of a warp; points: of a lane; chunk: coordinates at a time; group: coordinates of 16 bytes.
template <>
struct Tile<float> {
    using Group = float4;
    static constexpr int rows = 8, points = 4, chunk = 32, group = 4;
};

template <>
struct Tile<double> {
    using Group = double2;
    static constexpr int rows = 4, points = 4, chunk = 16, group = 2;
};

template <class T>
constexpr int kTilePoints = kLanes * Tile<T>::points;

// Rows of a chunk in shared memory lie a group further apart than needed: then groups of eight rows, or
// single coordinates of a warp's with `scalar`, lie in different banks.
template <class T, bool scalar>
constexpr int kStride = Tile<T>::chunk + (scalar ? 1 : Tile<T>::group);

// Bytes of a feed's two buffers.
template <class T, int rows, bool scalar = false>
__host__ __device__ __forceinline__ size_t tile_bytes(int warps) {
    return 2 * sizeof(T) * kStride<T, scalar> * (kTilePoints<T> + rows * warps);
}

__device__ __forceinline__ int lane_index() { return int(threadIdx.x) % kLanes; }
__device__ __forceinline__ int warp_index() { return int(threadIdx.x) / kLanes; }

__device__ __forceinline__ float value_at(const float4& g, int i) {
    return i == 0 ? g.x : i == 1 ? g.y : i == 2 ? g.z : g.w;
}
__device__ __forceinline__ double value_at(const double2& g, int i) { return i == 0 ? g.x : g.y; }

__device__ __forceinline__ float fused(float a, float b, float c) { return fmaf(a, b, c); }
__device__ __forceinline__ double fused(double a, double b, double c) { return fma(a, b, c); }
__device__ __forceinline__ float least_of(float a, float b) { return fminf(a, b); }
__device__ __forceinline__ double least_of(double a, double b) { return fmin(a, b); }
__device__ __forceinline__ float not_a_number(float) { return __int_as_float(0x7fffffff); }
__device__ __forceinline__ double not_a_number(double) { return __longlong_as_double(0x7fffffffffffffffll); }

// Brings the points of [begin, end) and the block's query rows into shared memory, chunk after chunk of tile
// after tile, one chunk ahead.
template <class T, int rows, bool scalar = false>
struct Feed {
    static constexpr int chunk = Tile<T>::chunk, group = Tile<T>::group, stride = kStride<T, scalar>;

    const T *points, *queries;  // [.., width], from this tile's first point and from the block's first row
    int points_left, rows_left, width, d, c;  // d: coordinates that count; c: the next one
    int buffer, fresh;  // fresh: buffers that have no queries yet, where one chunk holds them all

    __device__ __forceinline__ Feed(const T* x, int64_t begin, int64_t end, const T* queries_,
                                    int64_t first_row, int64_t m, int64_t width_, int64_t d_)
        : points(x + begin * width_),
          queries(queries_ + first_row * width_),
          points_left(int(end - begin)),
          rows_left(int(m - first_row < (1 << 20) ? m - first_row : 1 << 20)),
          width(int(width_)),
          d(int(d_)),
          c(0),
          buffer(0),
          fresh(2) {
        __syncthreads();  // all are done with the feed before
        bring();
    }

    // The next chunk, [points and rows, stride]. Sets `all` where `one` holds for any thread of the block:
    // what takes a warp long, all do at the same time, or they would wait for each other again and again.
    __device__ __forceinline__ const T* next(bool one, bool& all) {
        wait_for_copies();
        all = __syncthreads_or(one);
        const T* ready = at(buffer);
        buffer ^= 1;
        bring();
        return ready;
    }

    static __device__ __forceinline__ const T* lane_points(const T* ready) {
        return ready + lane_index() * stride;
    }
    static __device__ __forceinline__ const T* warp_rows(const T* ready) {
        return ready + (kTilePoints<T> + warp_index() * rows) * stride;
    }

  private:
    static __device__ __forceinline__ int block_rows() { return int(blockDim.x) / kLanes * rows; }

    static __device__ __forceinline__ T* at(int i) {
        return reinterpret_cast<T*>(dynamic_shared()) + i * stride * (kTilePoints<T> + block_rows());
    }

    __device__ __forceinline__ void bring() {
        if (points_left <= 0) return;
        T* to = at(buffer);
        copy(to, points, kTilePoints<T>, points_left);
        if (d > chunk || fresh > 0) copy(to + kTilePoints<T> * stride, queries, block_rows(), rows_left);
        --fresh;
        c += chunk;
        if (c >= d) {
            c = 0;
            points += int64_t(kTilePoints<T>) * width;
            points_left -= kTilePoints<T>;
        }
    }

    // Rows beyond the last are copies of it: start() keeps them out.
    __device__ __forceinline__ void copy(T* to, const T* from, int count, int there) const {
        const bool whole = !scalar && width % group == 0 && reinterpret_cast<uintptr_t>(from) % 16 == 0;
        const int parts = d <= group ? 1 : chunk / group;
        for (int i = int(threadIdx.x); i < count * parts; i += int(blockDim.x)) {
            const int row = parts == 1 ? i : i / (chunk / group);
            const int offset = parts == 1 ? 0 : i % (chunk / group) * group;
            if (c + offset >= d) continue;
            T* target = to + row * stride + offset;
            const T* values = from + int64_t(row < there ? row : there - 1) * width + (c + offset);
            if (whole) {
                copy_async<16>(target, values);
            } else {
                for (int j = 0; j < group && c + offset + j < d; ++j)
                    copy_async<sizeof(T)>(target + j, values + j);
            }
        }
    }
};

// Sums before the first coordinate: 0, and NaN, which stays, for points beyond the `left` ones and for a
// row's pair with itself: point r + own is row r of the warp.
template <class T, int rows>
__device__ __forceinline__ void start(T (&sums)[rows][Tile<T>::points], int own, int left) {
#pragma unroll
    for (int r = 0; r < rows; ++r)
#pragma unroll
        for (int p = 0; p < Tile<T>::points; ++p) sums[r][p] = T(0);
    if (left >= kTilePoints<T> && (own + rows <= 0 || own >= kTilePoints<T>)) return;
#pragma unroll
    for (int p = 0; p < Tile<T>::points; ++p) {
        const int point = p * kLanes + lane_index();
#pragma unroll
        for (int r = 0; r < rows; ++r)
            if (point >= left || point - r == own) sums[r][p] = not_a_number(T());
    }
}

// Adds `count` coordinates of a group to the sums.
template <class T, Metric metric, int count, int rows>
__device__ __forceinline__ void add_group(T (&sums)[rows][Tile<T>::points], const T* points, const T* row) {
    using Group = typename Tile<T>::Group;
    constexpr int stride = kStride<T, false>;
    Group v[Tile<T>::points];
#pragma unroll
    for (int p = 0; p < Tile<T>::points; ++p)
        v[p] = *reinterpret_cast<const Group*>(points + p * kLanes * stride);
#pragma unroll
    for (int r = 0; r < rows; ++r) {
        const Group q = *reinterpret_cast<const Group*>(row + r * stride);
#pragma unroll
        for (int p = 0; p < Tile<T>::points; ++p)
#pragma unroll
            for (int i = 0; i < count; ++i) {
                const T t = value_at(v[p], i) - value_at(q, i);
                sums[r][p] = metric == Metric::euclidean ? fused(t, t, sums[r][p])
                                                         : max_or_nan(sums[r][p], T(fabs(t)));
            }
    }
}

// Sums of the warp's rows with the feed's next tile of points. Returns whether `one` holds for any thread.
template <class T, Metric metric, int rows>
__device__ __forceinline__ bool tile_sums(T (&sums)[rows][Tile<T>::points], Feed<T, rows>& feed, bool one) {
    bool any = false;
    constexpr int chunk = Tile<T>::chunk, group = Tile<T>::group;
    for (int c = 0; c < feed.d; c += chunk) {
        bool all;
        const T* ready = feed.next(one, all);
        any |= all;
        const T* points = feed.lane_points(ready);
        const T* row = feed.warp_rows(ready);
        int left = feed.d - c < chunk ? feed.d - c : chunk;
#pragma unroll 1
        for (; left >= group; left -= group, points += group, row += group)
            add_group<T, metric, group>(sums, points, row);
        if (left == 1) add_group<T, metric, 1>(sums, points, row);
        if (group > 2 && left == 2) add_group<T, metric, 2>(sums, points, row);
        if (group > 2 && left == 3) add_group<T, metric, 3>(sums, points, row);
    }
    return any;
}

// One bit per row of which the warp has a sum that does not exceed the row's threshold, in shared memory; NaN
// never does.
template <class T, int rows>
__device__ __forceinline__ uint32_t rows_within(const T (&sums)[rows][Tile<T>::points], const T* thresholds) {
    uint32_t mine = 0;
#pragma unroll
    for (int r = 0; r < rows; ++r) {
        T least = sums[r][0];
#pragma unroll
        for (int p = 1; p < Tile<T>::points; ++p) least = least_of(least, sums[r][p]);
        if (least <= thresholds[r]) mine |= 1u << r;
    }
    if (!__any_sync(kAllLanes, int(mine))) return 0;
    return __reduce_or_sync(kAllLanes, mine);
}

// One bit per pair of the lane with start < sum <= end, of the rows in `near`: point p of row r is bit
// r * points + p. The hits are taken from these bits, and not from the sums, whose registers are then free.
template <class T, int rows>
__device__ __forceinline__ uint32_t pairs_within(const T (&sums)[rows][Tile<T>::points], uint32_t near,
                                                 const T* end, const T* start) {
    constexpr int points = Tile<T>::points;
    static_assert(rows * points <= 32);
    uint32_t found = 0;
#pragma unroll
    for (int r = 0; r < rows; ++r) {
        if (!(near >> r & 1)) continue;
#pragma unroll
        for (int p = 0; p < points; ++p)
            found |= uint32_t(sums[r][p] <= end[r] && !(start && sums[r][p] <= start[r])) << (r * points + p);
    }
    return found;
}

// Row and point of the pair of the lowest bit.
template <class T>
__device__ __forceinline__ int row_of(uint32_t pairs) {
    return (__ffs(int(pairs)) - 1) / Tile<T>::points;
}
template <class T>
__device__ __forceinline__ int point_of(uint32_t pairs) {
    return (__ffs(int(pairs)) - 1) % Tile<T>::points * kLanes + lane_index();
}

// How many parts of at least kSplitPoints points to search one beside the other, so that the last round of
// blocks leaves the device idle least. A part costs as much as kSplitCost points more.
constexpr int64_t kSplitPoints = 1024, kSplitCost = 512;

inline int64_t best_splits(int64_t blocks, int64_t resident, int64_t n, int64_t most) {
    int64_t best = 1, least = INT64_MAX;
    for (int64_t splits = 1; splits <= std::max<int64_t>(1, std::min(most, n / kSplitPoints)); ++splits) {
        const int64_t rounds = (blocks * splits + resident - 1) / resident;
        const int64_t cost = rounds * ((n + splits - 1) / splits + kSplitCost);
        if (cost < least) best = splits, least = cost;
        if (blocks * splits > 8 * resident) break;
    }
    return best;
}

}  // namespace
}  // namespace entropix
