// Counts on CUDA: tiles as in knn_cuda.cu. Pairs certainly within the radius are counted from the screened
// sums; a row of a tile with an unclear pair decides that pair in double.
#include "common/cuda_check.h"
#include "count_within/count_within.h"
#include "count_within/thresholds.h"
#include "knn/tile.cuh"

namespace entropix {
namespace {

template <class T, Metric metric>
__global__ void __launch_bounds__(kThreads, kBlocks<T>) count(CountProblem<T> p) {
    unsigned char* shared_bytes = dynamic_shared();
    T* shared = reinterpret_cast<T*>(shared_bytes);
    const T* queries = p.query ? p.query : p.x;
    const int64_t first_row = int64_t(blockIdx.x) * kBlockRows;
    T narrow[kRowsPerThread], wide[kRowsPerThread];
    int64_t counts[kRowsPerThread] = {};
#pragma unroll
    for (int r = 0; r < kRowsPerThread; ++r) {
        const int64_t row = first_row + threadIdx.x + r * kThreads;
        const T radius = row < p.m ? p.radii[row] : T(0);
        narrow[r] = radius > 0 ? certainly_within(radius, p.d, metric) : T(-1);
        wide[r] = radius > 0 ? possibly_within(radius, p.d, metric) : T(-1);
    }
    T sums[kRowsPerThread][Tile<T>::points];
    for (int64_t first = 0; first < p.n; first += Tile<T>::points) {
        tile_sums<T, metric>(sums, shared, queries, first_row, p.m, p.x, first, p.n, p.d, first == 0);
        uint32_t unclear[kRowsPerThread];
#pragma unroll
        for (int r = 0; r < kRowsPerThread; ++r) {
            const uint32_t near = points_up_to<T>(sums[r], wide[r]);
            const uint32_t inside = near ? points_up_to<T>(sums[r], narrow[r]) : 0;
            counts[r] += __popc(inside);
            unclear[r] = near & ~inside;
        }
#pragma unroll
        for (int r = 0; r < kRowsPerThread; ++r)
            for (; unclear[r]; unclear[r] &= unclear[r] - 1) {
                const int64_t row = first_row + threadIdx.x + r * kThreads;
                const int64_t point = first + __ffs(int(unclear[r])) - 1;
                const double distance = exact_distance(queries + row * p.d, p.x + point * p.d, p.d, metric);
                counts[r] += strictly_nearer(distance, p.radii[row], metric);
            }
    }
#pragma unroll
    for (int r = 0; r < kRowsPerThread; ++r) {
        const int64_t row = first_row + threadIdx.x + r * kThreads;
        const bool counted_itself = !p.query && wide[r] >= 0;
        if (row < p.m) p.counts[row] = counts[r] - (counted_itself && counts[r] > 0);
    }
}

}  // namespace

template <class T>
void count_within_cuda(const CountProblem<T>& p, void* stream) {
    const auto kernel =
        p.metric == Metric::euclidean ? count<T, Metric::euclidean> : count<T, Metric::chebyshev>;
    launch("count_within", kernel, (p.m + kBlockRows - 1) / kBlockRows, kThreads, kTileBytes<T>,
           static_cast<cudaStream_t>(stream), p);
}

template void count_within_cuda(const CountProblem<float>&, void*);
template void count_within_cuda(const CountProblem<double>&, void*);

}  // namespace entropix
