// All prefixes in one pass on CUDA: tiles as in knn/tile.cuh, whose sums are compared with the thresholds at
// every coordinate that ends a prefix. That is half as much work again as the sums; a comparison at some
// prefixes only would let through pairs by the thousand that are no neighbours. Lists and thresholds live in
// the workspace, one region per warp of a grid that just fills the device.
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

    __device__ __forceinline__ Region(T* start, int64_t count)
        : thresholds(start), lists(start + count * rows) {}
    static int64_t entries(int64_t count, int64_t k) { return count * rows * (k + 1); }
};

// Takes the values of row `row` into its list of prefix j, smallest first: none that is inserted must leave.
template <class T, int rows>
__device__ __forceinline__ void take(const Region<T, rows>& region, int64_t j, int row, int64_t k,
                                     T (&values)[Tile<T>::points]) {
    constexpr int points = Tile<T>::points;
    WarpList<T> list(region.lists + (j * rows + row) * k, k);
    T least = values[0];
#pragma unroll
    for (int p = 1; p < points; ++p) least = least_of(least, values[p]);
    for (;;) {
        const T smallest = least_of_warp(least);
        if (!(smallest < list.last)) break;
        list.insert(smallest);
        if (__ffs(int(__ballot_sync(kAllLanes, least == smallest))) - 1 == lane_index()) {
            bool found = false;  // the value that was inserted is not offered again, but an equal one is
            least = not_a_number(T());
#pragma unroll
            for (int p = 0; p < points; ++p) {
                if (!found && values[p] == smallest) {
                    values[p] = not_a_number(T());
                    found = true;
                }
                least = least_of(least, values[p]);
            }
        }
    }
    list.keep();
    if (lane_index() == 0) region.thresholds[j * rows + row] = list.last;
    __syncwarp();
}

template <class T, bool in_chunks>
__global__ void __launch_bounds__(kMostThreads, 2)
    prefix_search(PrefixProblem<T> p, int last_prefix, const __grid_constant__ PrefixSet set, T* workspace,
                  double* log_sums) {
    constexpr int points = Tile<T>::points, chunk = Tile<T>::chunk;
    constexpr int rows = in_chunks ? Tile<T>::rows / 2 : Tile<T>::rows;
    using Source = Feed<T, rows, true>;
    const int warps = int(blockDim.x) / kLanes;
    const Region<T, rows> region(
        workspace + (int64_t(blockIdx.x) * warps + warp_index()) * p.count * rows * (p.k + 1), p.count);
    const int64_t block_rows = rows * warps, tiles = (p.n + block_rows - 1) / block_rows;
    for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        const int64_t first_row = tile * block_rows + warp_index() * rows;
        const int own = int(p.n - first_row < rows ? p.n - first_row : rows);  // rows that there are
        for (int64_t i = lane_index(); i < p.count * rows; i += kLanes)
            region.thresholds[i] = i % rows < own ? T(INFINITY) : T(-1);
        for (int64_t i = lane_index(); i < p.count * rows * p.k; i += kLanes) region.lists[i] = T(INFINITY);
        __syncwarp();
        Source feed(p.x, 0, p.n, p.x, tile * block_rows, p.n, p.d, last_prefix);
        for (int64_t first = 0; first < p.n; first += kTilePoints<T>) {
            T sums[rows][points], totals[rows][points];
            start<T, rows>(sums, first_row - first, p.n - first);
            if (in_chunks) start<T, rows>(totals, kTilePoints<T>, kTilePoints<T>);
            const T* thresholds = region.thresholds;
            for (int begin = 0; begin < last_prefix; begin += chunk) {
                const T* ready = feed.next();
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
                    uint32_t near = 0;
#pragma unroll
                    for (int r = 0; r < rows; ++r) {
                        T least = value(r, 0);
#pragma unroll
                        for (int i = 1; i < points; ++i) least = least_of(least, value(r, i));
                        if (least < thresholds[r]) near |= 1u << r;
                    }
                    if (__any_sync(kAllLanes, int(near))) {
                        const int64_t j = (thresholds - region.thresholds) / rows;
                        for (near = __reduce_or_sync(kAllLanes, near); near; near &= near - 1) {
                            const int one = __ffs(int(near)) - 1;
                            T values[points];
#pragma unroll
                            for (int r = 0; r < rows; ++r)
                                if (r == one) {
#pragma unroll
                                    for (int i = 0; i < points; ++i) values[i] = value(r, i);
                                }
                            take<T, rows>(region, j, one, p.k, values);
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
        for (int64_t i = lane_index(); p.distances && i < p.count * rows; i += kLanes)
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
    void (*kernel)(PrefixProblem<T>, int, PrefixSet, T*, double*);
    int warps;
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
        shared = tile_bytes<T, rows, true>(warps);
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
           int(p.prefixes[p.count - 1]), set, lists, log_sums);
    if (p.mean_log)
        launch("prefix_knn mean", mean_log, p.count, kLanes, 0, stream, static_cast<const double*>(log_sums),
               layout.all_warps, p.count, p.n, p.mean_log);
}

template int64_t prefix_knn_cuda_workspace(const PrefixProblem<float>&);
template int64_t prefix_knn_cuda_workspace(const PrefixProblem<double>&);
template void prefix_knn_cuda(const PrefixProblem<float>&, void*, void*);
template void prefix_knn_cuda(const PrefixProblem<double>&, void*, void*);

}  // namespace entropix
