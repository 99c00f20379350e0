// Exact k nearest neighbours on CUDA: the scheme of knn_cpu.cpp without the tree. Tiles are screened in T at
// the speed of the multiply-adds. The few pairs that pass a row's threshold wait in a queue until a warp of
// the block has 32 of them; then each lane evaluates one in double, and the warp inserts them.
#include <algorithm>

#include "common/cuda_check.h"
#include "knn/exact.h"
#include "knn/knn.h"
#include "knn/tile.cuh"
#include "knn/warp_list.cuh"

namespace entropix {
namespace {

constexpr int64_t kSharedListLimit = kLanes;           // longer lists stay in global memory
constexpr int64_t kWorkspaceLimit = int64_t(1) << 30;  // bytes, where more splits would need more

// Of a warp: one fewer than a tile could have, as the queue needs registers too.
template <class T>
constexpr int kRows = sizeof(T) == 4 ? Tile<T>::rows - 1 : Tile<T>::rows;

struct Hit {
    int32_t row, point;  // of the warp, of the batch
};
constexpr int kQueue = 4 * kLanes;

// Shared memory of a warp for its queue and its thresholds; a multiple of 16.
template <class T>
constexpr size_t kOwnBytes = kQueue * sizeof(Hit) + Tile<T>::rows * sizeof(T);

template <class T>
__device__ __forceinline__ void write_row(const KnnProblem<T>& p, int64_t row, const Neighbour* entries) {
    for (int64_t i = lane_index(); i < p.k; i += kLanes) {
        const double distance = entries[i].distance;
        p.distances[row * p.k + i] = T(p.metric == Metric::euclidean ? sqrt(distance) : distance);
        p.indices[row * p.k + i] = entries[i].index < p.n ? entries[i].index : -1;
    }
}

// Lowers thresholds from the first tile of points: the k-th smallest of the lanes' least sums bounds the k-th
// distance, and leaves few pairs to evaluate. For k up to 32.
template <class T, int rows>
__device__ __forceinline__ void lower(T* thresholds, const T (&sums)[rows][Tile<T>::points], int64_t k,
                                      int64_t d) {
#pragma unroll
    for (int r = 0; r < rows; ++r) {
        T least = sums[r][0];
#pragma unroll
        for (int p = 1; p < Tile<T>::points; ++p) least = least_of(least, sums[r][p]);
        const T bound = widened<T>(double(kth_of_warp(least, k)), d);
        if (lane_index() == 0 && bound < thresholds[r]) thresholds[r] = bound;
    }
    __syncwarp();
}

// Lists of row `row` of split `split` in the workspace: [splits, batch * m, k].
template <class T, Metric metric>
__global__ void __launch_bounds__(kMostThreads, kBlocks)
    search(KnnProblem<T> p, int64_t splits, Neighbour* workspace) {
    constexpr int rows = kRows<T>, points = Tile<T>::points;
    const int warps = int(blockDim.x) / kLanes;
    const int64_t block_rows = rows * warps, tiles = (p.m + block_rows - 1) / block_rows;
    const int64_t tile = blockIdx.x % tiles, split = blockIdx.x / tiles % splits,
                  b = blockIdx.x / tiles / splits;
    const T* x = p.x + b * p.n * p.d;
    const T* queries = p.query ? p.query + b * p.m * p.d : x;
    const int64_t first_row = tile * block_rows + warp_index() * rows;
    const int begin = int(split * p.n / splits), end = int((split + 1) * p.n / splits);

    unsigned char* shared = dynamic_shared();  // the feed's tiles, queues, thresholds, lists
    Neighbour* lists = workspace + ((split * p.batch + b) * p.m + first_row) * p.k;
    if (p.k <= kSharedListLimit)
        lists = reinterpret_cast<Neighbour*>(shared + tile_bytes<T, rows>(warps) + warps * kOwnBytes<T>) +
                warp_index() * rows * p.k;
    const int own = int(p.m - first_row < rows ? p.m - first_row : rows);  // rows that there are
    for (int64_t i = lane_index(); i < own * p.k; i += kLanes) lists[i] = {INFINITY, int32_t(p.n)};
    WarpQueue<Hit> queue(reinterpret_cast<Hit*>(shared + tile_bytes<T, rows>(warps)) + warp_index() * kQueue);
    T* thresholds =
        reinterpret_cast<T*>(reinterpret_cast<Hit*>(shared + tile_bytes<T, rows>(warps)) + warps * kQueue) +
        warp_index() * rows;
    if (lane_index() < rows) thresholds[lane_index()] = lane_index() < own ? T(INFINITY) : T(-1);
    __syncwarp();
    const T* own_queries = queries + first_row * p.d;
    // Decides in double the last 32 hits of the queue, or as many as there are.
    const auto rank = [&] {
        const int taken = queue.count < kLanes ? queue.count : kLanes;
        queue.count -= taken;
        const bool present = lane_index() < taken;
        int row = 0;
        Neighbour candidate{INFINITY, 0};
        if (present) {
            const Hit hit = queue.hits[queue.count + lane_index()];
            row = hit.row;
            candidate = {exact_distance(own_queries + row * p.d, x + int64_t(hit.point) * p.d, p.d, metric),
                         hit.point};
        }
        for (uint32_t some = __reduce_or_sync(kAllLanes, present ? 1u << row : 0); some; some &= some - 1) {
            const int one = __ffs(int(some)) - 1;
            WarpList list(lists + one * p.k, p.k);
            if (!list.offer(candidate, present && row == one)) continue;
            list.keep();
            const T widest = widened<T>(list.last.distance, p.d);
            if (lane_index() == 0 && widest < thresholds[one]) thresholds[one] = widest;
        }
        __syncwarp();
    };

    Feed<T, rows> feed(x, begin, end, queries, tile * block_rows, p.m, p.d, p.d);
    for (int first = begin; first < end; first += kTilePoints<T>) {
        T sums[rows][points];
        start<T, rows>(sums, p.query ? -rows : int(first_row) - first, end - first);
        const bool full = tile_sums<T, metric, rows>(sums, feed, queue.count >= kLanes);
        if (first == begin && p.k <= kLanes) lower<T, rows>(thresholds, sums, p.k, p.d);
        const uint32_t near = rows_within<T, rows>(sums, thresholds);
        uint32_t pairs = near ? pairs_within<T, rows>(sums, near, thresholds, nullptr) : 0;
        // Keep back what may wait: nothing at the end, or with the others of the block.
        const int keep = full || first + kTilePoints<T> >= end ? 0 : kQueue - kLanes;
        for (;;) {
            while (queue.count <= kQueue - kLanes && __any_sync(kAllLanes, int(pairs))) {
                queue.push({row_of<T>(pairs), first + point_of<T>(pairs)}, pairs != 0);
                pairs &= pairs - 1;
            }
            if (queue.count <= keep) break;
            rank();
        }
    }

    for (int r = 0; r < own; ++r) {
        const Neighbour* entries = lists + r * p.k;
        const int64_t row = b * p.m + first_row + r;
        if (splits == 1) {
            write_row(p, row, entries);
        } else if (p.k <= kSharedListLimit) {
            Neighbour* to = workspace + (split * p.batch * p.m + row) * p.k;
            for (int64_t i = lane_index(); i < p.k; i += kLanes) to[i] = entries[i];
        }
    }
}

// One warp per row merges the splits' lists into the first one and writes it.
template <class T>
__global__ void __launch_bounds__(kMostThreads) merge(KnnProblem<T> p, int64_t splits, Neighbour* workspace) {
    const int64_t all = p.batch * p.m;
    const int64_t row = blockIdx.x * int64_t(blockDim.x / kLanes) + warp_index();
    if (row >= all) return;
    WarpList list(workspace + row * p.k, p.k);
    for (int64_t split = 1; split < splits; ++split)
        for (int64_t base = 0; base < p.k; base += kLanes) {
            const int64_t place = base + lane_index();
            Neighbour entry{INFINITY, int32_t(p.n)};
            if (place < p.k) entry = workspace[(split * all + row) * p.k + place];
            if (!list.offer(entry, entry.index < p.n)) break;
        }
    list.keep();
    write_row(p, row, workspace + row * p.k);
}

template <class T>
struct Launch {
    static constexpr int rows = kRows<T>;
    void (*kernel)(KnnProblem<T>, int64_t, Neighbour*);
    int warps;
    size_t shared;
    int64_t blocks;  // of one split

    explicit Launch(const KnnProblem<T>& p) {
        kernel = p.metric == Metric::euclidean ? search<T, Metric::euclidean> : search<T, Metric::chebyshev>;
        warps = int(std::min<int64_t>(kMostWarps, (p.m + rows - 1) / rows));
        const size_t lists = p.k <= kSharedListLimit ? size_t(rows) * warps * p.k * sizeof(Neighbour) : 0;
        shared = tile_bytes<T, rows>(warps) + warps * kOwnBytes<T> + lists;
        blocks = p.batch * ((p.m + rows * warps - 1) / (rows * warps));
    }
};

}  // namespace

template <class T>
KnnPlan knn_cuda_plan(const KnnProblem<T>& p) {
    if (p.batch * p.m == 0) return {1, 0};
    const Launch<T> plan(p);
    const int64_t split_bytes = p.batch * p.m * p.k * int64_t(sizeof(Neighbour));
    const int64_t resident = resident_blocks("knn search", plan.kernel, plan.warps * kLanes, plan.shared);
    const int64_t splits = best_splits(plan.blocks, resident, p.n, kWorkspaceLimit / split_bytes);
    return {splits, splits > 1 || p.k > kSharedListLimit ? splits * split_bytes : 0};
}

template <class T>
void knn_cuda(const KnnProblem<T>& p, int64_t splits, void* workspace, void* stream_handle) {
    if (p.n >= 0x7fffffff) throw std::invalid_argument("knn: more than 2^31 - 2 points");
    if (p.batch * p.m == 0) return;
    const auto stream = static_cast<cudaStream_t>(stream_handle);
    const auto lists = static_cast<Neighbour*>(workspace);
    const Launch<T> plan(p);
    launch("knn search", plan.kernel, plan.blocks * splits, plan.warps * kLanes, plan.shared, stream, p,
           splits, lists);
    if (splits > 1)
        launch("knn merge", merge<T>, (p.batch * p.m + kMostWarps - 1) / kMostWarps, kMostThreads, 0, stream,
               p, splits, lists);
}

template KnnPlan knn_cuda_plan(const KnnProblem<float>&);
template KnnPlan knn_cuda_plan(const KnnProblem<double>&);
template void knn_cuda(const KnnProblem<float>&, int64_t, void*, void*);
template void knn_cuda(const KnnProblem<double>&, int64_t, void*, void*);

}  // namespace entropix
