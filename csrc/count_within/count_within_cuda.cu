// Counts on CUDA: tiles as in knn_cuda.cu. Pairs certainly within the radius are counted from the screened
// sums; unclear ones are decided in double. Blocks share the points among them and add up whole numbers, so
// their order changes nothing.
#include "common/cuda_check.h"
#include "count_within/count_within.h"
#include "count_within/thresholds.h"
#include "knn/tile.cuh"

namespace entropix {
namespace {

template <class T, Metric metric>
__global__ void __launch_bounds__(kMostThreads, kBlocks) count(CountProblem<T> p, int64_t splits) {
    constexpr int rows = Tile<T>::rows, points = Tile<T>::points;
    const int64_t block_rows = rows * (int(blockDim.x) / kLanes), tiles = (p.m + block_rows - 1) / block_rows;
    const int64_t tile = blockIdx.x % tiles, split = blockIdx.x / tiles;
    const T* queries = p.query ? p.query : p.x;
    const int64_t first_row = tile * block_rows + warp_index() * rows;
    const int begin = int(split * p.n / splits), end = int((split + 1) * p.n / splits);
    // Shared memory: the feed's tiles, then of every warp the lower and upper bounds of its rows.
    T* narrow = reinterpret_cast<T*>(dynamic_shared() + tile_bytes<T, rows>(int(blockDim.x) / kLanes)) +
                2 * rows * warp_index();
    T* wide = narrow + rows;
    if (lane_index() < rows) {
        const int64_t row = first_row + lane_index();
        const T radius = row < p.m ? p.radii[row] : T(0);
        narrow[lane_index()] = radius > 0 ? certainly_within(radius, p.d, metric) : T(-1);
        wide[lane_index()] = radius > 0 ? possibly_within(radius, p.d, metric) : T(-1);
    }
    __syncwarp();
    int counts[rows] = {};
    Feed<T, rows> feed(p.x, begin, end, queries, tile * block_rows, p.m, p.d, p.d);
    for (int first = begin; first < end; first += kTilePoints<T>) {
        T sums[rows][points];
        start<T, rows>(sums, p.query ? -rows : int(first_row) - first, end - first);
        tile_sums<T, metric, rows>(sums, feed, false);
        uint32_t unclear = 0;  // rows
#pragma unroll
        for (int r = 0; r < rows; ++r) {
            int inside = 0, near = 0;
#pragma unroll
            for (int i = 0; i < points; ++i) {
                inside += sums[r][i] <= narrow[r];
                near += sums[r][i] <= wide[r];
            }
            counts[r] += inside;
            if (near != inside) unclear |= 1u << r;
        }
        uint32_t pairs = unclear ? pairs_within<T, rows>(sums, unclear, wide, narrow) : 0;
        for (; pairs; pairs &= pairs - 1) {
            const int row = row_of<T>(pairs);
            const int64_t point = first + point_of<T>(pairs);
            const double distance =
                exact_distance(queries + (first_row + row) * p.d, p.x + point * p.d, p.d, metric);
            const int nearer = strictly_nearer(distance, p.radii[first_row + row], metric);
#pragma unroll
            for (int r = 0; r < rows; ++r) counts[r] += r == row ? nearer : 0;
        }
    }
#pragma unroll
    for (int r = 0; r < rows; ++r) {
        const int total = __reduce_add_sync(kAllLanes, counts[r]);
        if (lane_index() == 0 && first_row + r < p.m)
            atomicAdd(reinterpret_cast<unsigned long long*>(p.counts + first_row + r),
                      static_cast<unsigned long long>(total));
    }
}

}  // namespace

template <class T>
void count_within_cuda(const CountProblem<T>& p, void* stream_handle) {
    constexpr int rows = Tile<T>::rows;
    if (p.n >= 0x7fffffff) throw std::invalid_argument("count_within: more than 2^31 - 2 points");
    if (p.m == 0) return;
    const auto stream = static_cast<cudaStream_t>(stream_handle);
    const auto kernel =
        p.metric == Metric::euclidean ? count<T, Metric::euclidean> : count<T, Metric::chebyshev>;
    const int warps = int(std::min<int64_t>(kMostWarps, (p.m + rows - 1) / rows));
    const size_t shared = tile_bytes<T, rows>(warps) + 2 * rows * warps * sizeof(T);
    const int64_t blocks = (p.m + rows * warps - 1) / (rows * warps);
    const int64_t resident = resident_blocks("count_within", kernel, warps * kLanes, shared);
    const int64_t splits = best_splits(blocks, resident, p.n, INT64_MAX);
    set_zero(p.counts, size_t(p.m) * sizeof(int64_t), stream);
    launch("count_within", kernel, blocks * splits, warps * kLanes, shared, stream, p, splits);
}

template void count_within_cuda(const CountProblem<float>&, void*);
template void count_within_cuda(const CountProblem<double>&, void*);

}  // namespace entropix
