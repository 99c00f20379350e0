// What the CUDA neighbour kernels share: a block of 128 threads holds 256 query rows, two per thread, against
// a tile of points; each thread keeps the sums of its two rows with every point of the tile in registers.
// Coordinates come through shared memory in chunks, so any dimension works. Per 16 bytes read from shared
// memory, which all lanes read at one address, a thread does 16 instructions of arithmetic, so the kernels
// run at the arithmetic's speed.
#pragma once
#include <cstdint>

#include "knn/knn.h"

namespace entropix {
namespace {

constexpr int kThreads = 128;
constexpr int kRowsPerThread = 2;
constexpr int kBlockRows = kThreads * kRowsPerThread;

template <class T>
struct Tile;

template <>
struct Tile<float> {
    using Group = float4;
    static constexpr int points = 32, chunk = 32, group = 4;
};

template <>
struct Tile<double> {
    using Group = double2;
    static constexpr int points = 16, chunk = 16, group = 2;
};

// Least blocks per multiprocessor: as many as the registers allow without spills. For sm_80 the compiler
// loads a whole tile ahead of its use and needs more of them.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
template <class T>
constexpr int kBlocks = 2;
#else
template <class T>
constexpr int kBlocks = sizeof(T) == 4 ? 3 : 2;
#endif

// Rows of a chunk in shared memory lie a group further apart than needed: then the lanes of a quarter warp,
// which read groups of eight different rows, hit different banks.
template <class T>
constexpr int kStride = Tile<T>::chunk + Tile<T>::group;

template <class T>
constexpr size_t kTileBytes = sizeof(T) * kStride<T> * (kBlockRows + Tile<T>::points);

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

// Copies coordinates [begin, begin + chunk) of rows [first, first + count) into shared memory [count,
// kStride]. Coordinates beyond d become 0; rows beyond `rows` become `missing`.
template <class T>
__device__ __forceinline__ void stage(T* to, const T* x, int64_t first, int count, int64_t rows, int64_t d,
                                      int64_t begin, T missing) {
    using Group = typename Tile<T>::Group;
    constexpr int group = Tile<T>::group, groups = Tile<T>::chunk / group;
    const bool aligned = d % group == 0 && reinterpret_cast<uintptr_t>(x) % sizeof(Group) == 0;
    for (int i = threadIdx.x; i < count * groups; i += kThreads) {
        const int row = i / groups, part = i % groups;
        const int64_t c = begin + part * group;
        const T* from = x + (first + row) * d + c;
        T* target = to + row * kStride<T> + part * group;
        if (first + row >= rows) {
            for (int j = 0; j < group; ++j) target[j] = missing;
        } else if (aligned && c < d) {
            *reinterpret_cast<Group*>(target) = *reinterpret_cast<const Group*>(from);
        } else {
            for (int j = 0; j < group; ++j) target[j] = c + j < d ? from[j] : T(0);
        }
    }
}

// Adds groups [begin, end) of the staged chunk to the sums; with `grouped`, the squares of each group first
// among themselves, which leaves a quarter of the roundings for an eighth more instructions.
template <class T, Metric metric, bool grouped = false>
__device__ __forceinline__ void accumulate(T (&sums)[kRowsPerThread][Tile<T>::points], const T* queries,
                                           const T* points, int begin, int end) {
    using Group = typename Tile<T>::Group;
    constexpr int group = Tile<T>::group;
#pragma unroll 1
    for (int g = begin; g < end; ++g) {
        Group q[kRowsPerThread];
#pragma unroll
        for (int r = 0; r < kRowsPerThread; ++r)
            q[r] = *reinterpret_cast<const Group*>(queries + (threadIdx.x + r * kThreads) * kStride<T> +
                                                   g * group);
#pragma unroll
        for (int p = 0; p < Tile<T>::points; ++p) {
            const Group v = *reinterpret_cast<const Group*>(points + p * kStride<T> + g * group);
#pragma unroll
            for (int r = 0; r < kRowsPerThread; ++r) {
                T sum = grouped ? T(0) : sums[r][p];
#pragma unroll
                for (int i = 0; i < group; ++i) {
                    const T t = value_at(v, i) - value_at(q[r], i);
                    if (metric == Metric::euclidean)
                        sum = fused(t, t, sum);
                    else
                        sum = max_or_nan(fabs(t), sum);  // NaN, of a row or of a missing point, stays
                }
                sums[r][p] = grouped ? sums[r][p] + sum : sum;
            }
        }
    }
}

template <class T>
__device__ __forceinline__ void clear(T (&sums)[kRowsPerThread][Tile<T>::points]) {
#pragma unroll
    for (int r = 0; r < kRowsPerThread; ++r)
#pragma unroll
        for (int p = 0; p < Tile<T>::points; ++p) sums[r][p] = T(0);
}

// Sums of the block's rows, from `queries` [rows, d] at `first_row`, with the tile of points at
// `first_point`. With one chunk the queries stay staged from the first tile on.
template <class T, Metric metric>
__device__ __forceinline__ void tile_sums(T (&sums)[kRowsPerThread][Tile<T>::points], T* shared,
                                          const T* queries, int64_t first_row, int64_t rows, const T* x,
                                          int64_t first_point, int64_t n, int64_t d, bool first_tile) {
    constexpr int chunk = Tile<T>::chunk, group = Tile<T>::group;
    T* staged_points = shared + kBlockRows * kStride<T>;
    clear<T>(sums);
    for (int64_t c = 0; c < d; c += chunk) {
        __syncthreads();
        stage<T>(staged_points, x, first_point, Tile<T>::points, n, d, c, not_a_number(T()));
        if (first_tile || d > chunk) stage<T>(shared, queries, first_row, kBlockRows, rows, d, c, T(0));
        __syncthreads();
        const int64_t left = d - c < chunk ? d - c : chunk;
        accumulate<T, metric>(sums, shared, staged_points, 0, int((left + group - 1) / group));
    }
}

// One bit per point whose sum does not exceed the threshold; NaN never does. One instruction per point where
// none is.
template <class T>
__device__ __forceinline__ uint32_t points_up_to(const T (&sums)[Tile<T>::points], T threshold) {
    T least = sums[0];
#pragma unroll
    for (int p = 1; p < Tile<T>::points; ++p) least = least_of(least, sums[p]);
    uint32_t found = 0;
    if (least <= threshold) {
#pragma unroll
        for (int p = 0; p < Tile<T>::points; ++p) found |= uint32_t(sums[p] <= threshold) << p;
    }
    return found;
}

}  // namespace
}  // namespace entropix
