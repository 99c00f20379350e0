// All prefixes in one pass on CUDA: tiles as in knn/tile.cuh, whose sums are compared with the thresholds at
// every coordinate that ends a prefix. That is half as much work again as the sums; a comparison at some
// prefixes only would let through pairs by the thousand that are no neighbours. Hits wait in a queue, from
// which the lanes insert 32 at a time, each into another list. Lists live in the workspace, one region per
// warp of a grid that just fills the device; thresholds in shared memory, where they fit.
//
// Squares are summed one after the other up to kSequentialLimit coordinates. Where there are more, the sum of
// each chunk is added to a total, so that the relative error of a distance stays below 1e-5 for all d up to
// kPrefixLimit; a warp then has half as many rows, for the sake of registers.
#include <algorithm>

#include "common/cuda_check.h"
#include "knn/tile.cuh"
#include "knn/warp_list.cuh"
#include "prefix_knn/prefix_knn.h"

namespace entropix {
namespace {

constexpr int64_t kSequentialLimit = 256;
constexpr size_t kSharedLimit = 99 * 1024;          // of a block, on the smallest of the GPUs
constexpr int64_t kRegionBytes = int64_t(1) << 30;  // of all regions, where one block does not need more

// The prefixes as bits, passed by value: bit c is set if the first c + 1 coordinates are a prefix.
struct PrefixSet {
    uint64_t bits[kPrefixLimit / 64];

    __device__ __forceinline__ bool ends(int c) const { return bits[c >> 6] >> (c & 63) & 1; }
};

// What a warp keeps of its rows in the workspace.
template <class T, int rows>
struct Region {
    T* thresholds;  // [count, rows]: squares of the k-th distances so far
    T* lists;       // [count, rows, k]: squares of the k smallest

    static int64_t entries(int64_t count, int64_t k) { return count * rows * (k + 1); }
};

template <class T>
struct Hit {
    T square;
    int32_t place;  // of its list in the region: prefix * rows + row
};
constexpr int kQueue = 8 * kLanes;

__device__ __forceinline__ float next_above(float v) { return __int_as_float(__float_as_int(v) + 1); }
__device__ __forceinline__ double next_above(double v) {
    return __longlong_as_double(__double_as_longlong(v) + 1);
}

// Eight entries at a time are read before any is written, so that an insertion waits for memory once.
template <class T>
__device__ __forceinline__ void insert(T* list, int64_t k, T value) {
    T previous = T(-1);  // the entry before, as it was
    for (int64_t start = 0; start < k; start += 8) {
        T old[8];
#pragma unroll
        for (int i = 0; i < 8; ++i) old[i] = start + i < k ? list[start + i] : T(0);
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            const T smaller = old[i] < value ? old[i] : value;
            if (start + i < k) list[start + i] = previous > smaller ? previous : smaller;
            previous = old[i];
        }
    }
}

// Each lane inserts one hit; those of one list go one after the other.
template <class T, int rows>
__device__ __forceinline__ void empty(WarpQueue<Hit<T>>& queue, const Region<T, rows>& region, int64_t k) {
    for (int base = 0; base < queue.count; base += kLanes) {
        const bool present = base + lane_index() < queue.count;
        const Hit<T> hit = present ? queue.hits[base + lane_index()] : Hit<T>{T(0), -1 - lane_index()};
        const uint32_t same = __match_any_sync(kAllLanes, hit.place);
        uint32_t waiting = __ballot_sync(kAllLanes, present);
        while (waiting) {
            const bool turn =
                present && waiting >> lane_index() & 1 && __ffs(int(same & waiting)) - 1 == lane_index();
            if (turn && hit.square < region.thresholds[hit.place]) {
                T* list = region.lists + hit.place * k;
                insert(list, k, hit.square);
                if (list[k - 1] < region.thresholds[hit.place]) region.thresholds[hit.place] = list[k - 1];
            }
            waiting &= ~__ballot_sync(kAllLanes, turn);
            __syncwarp();
        }
    }
    queue.count = 0;
    __syncwarp();
}

template <class T, bool in_chunks>
__global__ void __launch_bounds__(kMostThreads, kBlocks)
    prefix_search(PrefixProblem<T> p, int last_prefix, bool thresholds_in_shared,
                  const __grid_constant__ PrefixSet set, T* workspace, double* log_sums) {
    constexpr int points = Tile<T>::points, chunk = Tile<T>::chunk;
    constexpr int rows = in_chunks ? Tile<T>::rows / 2 : Tile<T>::rows;
    using Source = Feed<T, rows, true>;
    const int warps = int(blockDim.x) / kLanes;
    const int64_t warp = int64_t(blockIdx.x) * warps + warp_index(), entries = p.count * rows;
    auto queues = reinterpret_cast<Hit<T>*>(dynamic_shared() + tile_bytes<T, rows, true>(warps));
    Region<T, rows> region{workspace + warp * entries * (p.k + 1) + entries * p.k,
                           workspace + warp * entries * (p.k + 1)};
    if (thresholds_in_shared)
        region.thresholds = reinterpret_cast<T*>(queues + warps * kQueue) + warp_index() * entries;
    const int64_t block_rows = rows * warps, tiles = (p.n + block_rows - 1) / block_rows;
    for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        const int64_t first_row = tile * block_rows + warp_index() * rows;
        const int own = int(p.n - first_row < rows ? p.n - first_row : rows);  // rows that there are
        for (int64_t i = lane_index(); i < entries; i += kLanes)
            region.thresholds[i] = i % rows < own ? T(INFINITY) : T(-1);
        for (int64_t i = lane_index(); i < entries * p.k; i += kLanes) region.lists[i] = T(INFINITY);
        __syncwarp();
        WarpQueue<Hit<T>> queue(queues + warp_index() * kQueue);
        Source feed(p.x, 0, p.n, p.x, tile * block_rows, p.n, p.d, last_prefix);
        for (int first = 0; first < p.n; first += kTilePoints<T>) {
            T sums[rows][points], totals[rows][points];
            start<T, rows>(sums, int(first_row) - first, int(p.n) - first);
            if (in_chunks) start<T, rows>(totals, kTilePoints<T>, kTilePoints<T>);
            const T* thresholds = region.thresholds;
            for (int begin = 0; begin < last_prefix; begin += chunk) {
                bool full;
                const T* ready = feed.next(queue.count > kQueue / 4, full);
                if (full) empty<T, rows>(queue, region, p.k);
                const T *point = Source::lane_points(ready), *row = Source::warp_rows(ready);
                const int end = last_prefix < begin + chunk ? last_prefix : begin + chunk;
#pragma unroll 1
                for (int c = begin; c < end; ++c, ++point, ++row) {
                    T v[points];
#pragma unroll
                    for (int i = 0; i < points; ++i) v[i] = point[i * kLanes * Source::stride];
#pragma unroll
                    for (int r = 0; r < rows; ++r) {
                        const T q = row[r * Source::stride];
#pragma unroll
                        for (int i = 0; i < points; ++i) {
                            const T t = v[i] - q;
                            sums[r][i] = fused(t, t, sums[r][i]);
                        }
                    }
                    if (!set.ends(c)) continue;
                    const auto value = [&](int r, int i) {
                        return in_chunks ? totals[r][i] + sums[r][i] : sums[r][i];
                    };
                    const int64_t place = thresholds - region.thresholds;
                    uint32_t near = 0;
                    T least[rows];
#pragma unroll
                    for (int r = 0; r < rows; ++r) {
                        least[r] = value(r, 0);
#pragma unroll
                        for (int i = 1; i < points; ++i) least[r] = least_of(least[r], value(r, i));
                    }
                    if (first == 0 && p.k <= kLanes) {
                        // The k-th smallest of the lanes' least squares bounds the k-th of all.
#pragma unroll
                        for (int r = 0; r < rows; ++r) {
                            const T bound = kth_of_warp(least[r], p.k);
                            if (lane_index() == 0 && bound < thresholds[r])
                                region.thresholds[place + r] = next_above(bound);
                        }
                        __syncwarp();
                    }
#pragma unroll
                    for (int r = 0; r < rows; ++r)
                        if (least[r] < thresholds[r]) near |= 1u << r;
                    if (__any_sync(kAllLanes, int(near))) {
#pragma unroll 1
                        for (near = __reduce_or_sync(kAllLanes, near); near; near &= near - 1) {
                            const int one = __ffs(int(near)) - 1;
                            T squares[points];
#pragma unroll
                            for (int r = 0; r < rows; ++r)
                                if (r == one) {
#pragma unroll
                                    for (int i = 0; i < points; ++i) squares[i] = value(r, i);
                                }
                            const T threshold = thresholds[one];
#pragma unroll
                            for (int i = 0; i < points; ++i)
                                queue.push({squares[i], int32_t(place) + one}, squares[i] < threshold);
                            if (queue.count > kQueue - points * kLanes) empty<T, rows>(queue, region, p.k);
                        }
                    }
                    thresholds += rows;
                }
                if (in_chunks) {
#pragma unroll
                    for (int r = 0; r < rows; ++r)
#pragma unroll
                        for (int i = 0; i < points; ++i) {
                            totals[r][i] += sums[r][i];
                            sums[r][i] = T(0);
                        }
                }
            }
        }
        empty<T, rows>(queue, region, p.k);
        for (int64_t i = lane_index(); p.distances && i < entries; i += kLanes)
            if (i % rows < own)
                p.distances[i / rows * p.n + first_row + i % rows] = sqrt(region.thresholds[i]);
        for (int64_t j = lane_index(); log_sums && j < p.count; j += kLanes) {
            double sum = 0;
            for (int r = 0; r < own; ++r) sum += 0.5 * log(double(region.thresholds[j * rows + r]));
            log_sums[(tile * warps + warp_index()) * p.count + j] = sum;
        }
        __syncwarp();
    }
}

// One warp per prefix adds the warps' sums in a fixed order.
__global__ void __launch_bounds__(kLanes)
    mean_log(const double* log_sums, int64_t warps, int64_t count, int64_t n, double* out) {
    double sum = 0;
    for (int64_t warp = threadIdx.x; warp < warps; warp += kLanes) sum += log_sums[warp * count + blockIdx.x];
    for (int away = kLanes / 2; away > 0; away /= 2) sum += __shfl_xor_sync(kAllLanes, sum, away);
    if (threadIdx.x == 0) out[blockIdx.x] = sum / double(n);
}

// Blocks of as many warps as still give each multiprocessor two of them: few where there are few points.
template <class T>
struct Layout {
    void (*kernel)(PrefixProblem<T>, int, bool, PrefixSet, T*, double*);
    int warps;
    bool thresholds_in_shared;
    size_t shared;
    int64_t blocks, list_entries, all_warps;

    explicit Layout(const PrefixProblem<T>& p) {
        p.prefixes[p.count - 1] > kSequentialLimit && sizeof(T) == 4 ? set<true>(p) : set<false>(p);
    }

  private:
    template <bool in_chunks>
    void set(const PrefixProblem<T>& p) {
        constexpr int rows = in_chunks ? Tile<T>::rows / 2 : Tile<T>::rows;
        kernel = prefix_search<T, in_chunks>;
        const int64_t groups = (p.n + rows - 1) / rows;
        for (warps = kMostWarps; warps > 1 && groups / warps < 2 * multiprocessors();) warps /= 2;
        shared = tile_bytes<T, rows, true>(warps) + warps * kQueue * sizeof(Hit<T>);
        const size_t thresholds = size_t(warps) * p.count * rows * sizeof(T);
        thresholds_in_shared = shared + thresholds <= kSharedLimit;
        if (thresholds_in_shared) shared += thresholds;
        const int64_t tiles = (groups + warps - 1) / warps;
        const int64_t region = warps * Region<T, rows>::entries(p.count, p.k);
        const int64_t affordable = std::max<int64_t>(1, kRegionBytes / (region * int64_t(sizeof(T))));
        blocks = std::min({tiles, resident_blocks("prefix_knn", kernel, warps * kLanes, shared), affordable});
        list_entries = (blocks * region + 1) / 2 * 2;  // so that the doubles behind them are aligned
        all_warps = tiles * warps;
    }
};

}  // namespace

template <class T>
int64_t prefix_knn_cuda_workspace(const PrefixProblem<T>& p) {
    const Layout<T> layout(p);
    return layout.list_entries * int64_t(sizeof(T)) +
           (p.mean_log ? layout.all_warps * p.count * int64_t(sizeof(double)) : 0);
}

template <class T>
void prefix_knn_cuda(const PrefixProblem<T>& p, void* workspace, void* stream_handle) {
    if (p.d > kPrefixLimit)
        throw std::invalid_argument("prefix_knn: more than " + std::to_string(kPrefixLimit) +
                                    " coordinates on CUDA");
    if (p.n >= 0x7fffffff) throw std::invalid_argument("prefix_knn: more than 2^31 - 2 points");
    PrefixSet set = {};
    for (int64_t j = 0; j < p.count; ++j)
        set.bits[(p.prefixes[j] - 1) / 64] |= uint64_t(1) << (p.prefixes[j] - 1) % 64;
    const auto stream = static_cast<cudaStream_t>(stream_handle);
    const Layout<T> layout(p);
    auto lists = static_cast<T*>(workspace);
    auto log_sums = p.mean_log ? reinterpret_cast<double*>(lists + layout.list_entries) : nullptr;
    launch("prefix_knn", layout.kernel, layout.blocks, layout.warps * kLanes, layout.shared, stream, p,
           int(p.prefixes[p.count - 1]), layout.thresholds_in_shared, set, lists, log_sums);
    if (p.mean_log)
        launch("prefix_knn mean", mean_log, p.count, kLanes, 0, stream, static_cast<const double*>(log_sums),
               layout.all_warps, p.count, p.n, p.mean_log);
}

template int64_t prefix_knn_cuda_workspace(const PrefixProblem<float>&);
template int64_t prefix_knn_cuda_workspace(const PrefixProblem<double>&);
template void prefix_knn_cuda(const PrefixProblem<float>&, void*, void*);
template void prefix_knn_cuda(const PrefixProblem<double>&, void*, void*);

}  // namespace entropix
