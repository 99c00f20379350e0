// Exact k nearest neighbours on CUDA: the scheme of knn_cpu.cpp without the tree. Tiles are screened in T at
// the speed of the multiply-adds; the few pairs that pass a row's threshold are evaluated in double and
// inserted.
#include <algorithm>

#include "common/cuda_check.h"
#include "knn/knn.h"
#include "knn/tile.cuh"
#include "knn/topk.h"

namespace entropix {
namespace {

constexpr int64_t kSharedListLimit = 12;  // longer lists stay in global memory
constexpr int64_t kSplitPoints = 2048;    // least points per split: each split fills its own lists

// Lists of all splits in the workspace: entry `place` of row `row` of split `split` lies at
// (split * k + place) * rows + row, so that the rows of a warp lie side by side.
template <class T>
NearestList<int32_t> workspace_list(const KnnProblem<T>& p, void* workspace, int64_t splits) {
    const int64_t rows = p.batch * p.m;
    auto distances = static_cast<double*>(workspace);
    return {distances, reinterpret_cast<int32_t*>(distances + splits * p.k * rows), p.k, rows};
}

template <class T, Metric metric>
__global__ void __launch_bounds__(kThreads, kBlocks<T>)
    search(KnnProblem<T> p, int64_t splits, NearestList<int32_t> lists) {
    unsigned char* shared_bytes = dynamic_shared();
    T* shared = reinterpret_cast<T*>(shared_bytes);
    const int64_t tiles = (p.m + kBlockRows - 1) / kBlockRows;
    const int64_t tile = blockIdx.x % tiles, split = blockIdx.x / tiles % splits,
                  b = blockIdx.x / tiles / splits;
    const T* x = p.x + b * p.n * p.d;
    const T* queries = p.query ? p.query + b * p.m * p.d : x;
    const int64_t first_row = tile * kBlockRows;
    const int64_t span = (p.n + splits - 1) / splits;
    const int64_t begin = split * span, end = begin + span < p.n ? begin + span : p.n;

    const bool in_shared = p.k <= kSharedListLimit;
    auto shared_distances = reinterpret_cast<double*>(shared_bytes + kTileBytes<T>);
    auto shared_indices = reinterpret_cast<int32_t*>(shared_distances + p.k * kBlockRows);
    NearestList<int32_t> list[kRowsPerThread];
    T thresholds[kRowsPerThread];
#pragma unroll
    for (int r = 0; r < kRowsPerThread; ++r) {
        const int column = threadIdx.x + r * kThreads;
        const int64_t row = first_row + column;
        const int64_t at = split * p.k * lists.stride + b * p.m + row;
        if (in_shared)
            list[r] = {shared_distances + column, shared_indices + column, p.k, kBlockRows};
        else
            list[r] = {lists.distances + at, lists.indices + at, p.k, lists.stride};
        thresholds[r] = row < p.m ? T(INFINITY) : T(-1);
        if (row < p.m || in_shared)
            for (int64_t i = 0; i < p.k; ++i) {
                list[r].distances[i * list[r].stride] = INFINITY;
                list[r].indices[i * list[r].stride] = -1;
            }
    }

    T sums[kRowsPerThread][Tile<T>::points];
    for (int64_t first = begin; first < end; first += Tile<T>::points) {
        tile_sums<T, metric>(sums, shared, queries, first_row, p.m, x, first, end, p.d, first == begin);
        uint32_t
            found[kRowsPerThread];  // of all rows before any is looked at: then the sums' registers are free
#pragma unroll
        for (int r = 0; r < kRowsPerThread; ++r) found[r] = points_up_to<T>(sums[r], thresholds[r]);
#pragma unroll
        for (int r = 0; r < kRowsPerThread; ++r) {
            const int64_t row = first_row + threadIdx.x + r * kThreads;
            for (; found[r]; found[r] &= found[r] - 1) {
                const int64_t point = first + __ffs(int(found[r])) - 1;
                if (!p.query && point == row) continue;
                const double distance = exact_distance(queries + row * p.d, x + point * p.d, p.d, metric);
                if (list[r].offer(distance, int32_t(point))) thresholds[r] = widened<T>(list[r].last(), p.d);
            }
        }
    }

    if (!in_shared) return;
#pragma unroll
    for (int r = 0; r < kRowsPerThread; ++r) {
        const int64_t row = first_row + threadIdx.x + r * kThreads;
        if (row >= p.m) continue;
        const int64_t at = split * p.k * lists.stride + b * p.m + row;
        for (int64_t i = 0; i < p.k; ++i) {
            lists.distances[at + i * lists.stride] = list[r].distances[i * kBlockRows];
            lists.indices[at + i * lists.stride] = list[r].indices[i * kBlockRows];
        }
    }
}

// Merges the splits of every row into the first one's list and writes it.
template <class T>
__global__ void __launch_bounds__(kThreads)
    merge(KnnProblem<T> p, int64_t splits, NearestList<int32_t> lists) {
    const int64_t row = int64_t(blockIdx.x) * kThreads + threadIdx.x;
    if (row >= lists.stride) return;
    const NearestList<int32_t> first{lists.distances + row, lists.indices + row, p.k, lists.stride};
    for (int64_t split = 1; split < splits; ++split)
        for (int64_t i = 0; i < p.k; ++i) {
            const int64_t at = (split * p.k + i) * lists.stride + row;
            if (lists.indices[at] < 0 || !first.offer(lists.distances[at], lists.indices[at])) break;
        }
    for (int64_t i = 0; i < p.k; ++i) {
        const double distance = first.distances[i * first.stride];
        p.distances[row * p.k + i] = T(p.metric == Metric::euclidean ? sqrt(distance) : distance);
        p.indices[row * p.k + i] = first.indices[i * first.stride];
    }
}

}  // namespace

template <class T>
KnnPlan knn_cuda_plan(const KnnProblem<T>& p) {
    const int64_t blocks = std::max<int64_t>(1, p.batch * ((p.m + kBlockRows - 1) / kBlockRows));
    const int64_t wanted = 8 * int64_t(multiprocessors());  // blocks that fill the device evenly
    const int64_t splits = std::max<int64_t>(1, std::min(wanted / blocks, p.n / kSplitPoints));
    return {splits, splits * p.k * p.batch * p.m * int64_t(sizeof(double) + sizeof(int32_t))};
}

template <class T>
void knn_cuda(const KnnProblem<T>& p, int64_t splits, void* workspace, void* stream_handle) {
    if (p.n > 0x7fffffff) throw std::invalid_argument("knn: more than 2^31 - 1 points");
    const auto stream = static_cast<cudaStream_t>(stream_handle);
    const auto lists = workspace_list(p, workspace, splits);
    const size_t list_bytes = p.k <= kSharedListLimit ? p.k * kBlockRows * 12 : 0;
    const int64_t blocks = (p.m + kBlockRows - 1) / kBlockRows * splits * p.batch;
    const auto kernel =
        p.metric == Metric::euclidean ? search<T, Metric::euclidean> : search<T, Metric::chebyshev>;
    launch("knn search", kernel, blocks, kThreads, kTileBytes<T> + list_bytes, stream, p, splits, lists);
    launch("knn merge", merge<T>, (p.batch * p.m + kThreads - 1) / kThreads, kThreads, 0, stream, p, splits,
           lists);
}

template KnnPlan knn_cuda_plan(const KnnProblem<float>&);
template KnnPlan knn_cuda_plan(const KnnProblem<double>&);
template void knn_cuda(const KnnProblem<float>&, int64_t, void*, void*);
template void knn_cuda(const KnnProblem<double>&, int64_t, void*, void*);

}  // namespace entropix
