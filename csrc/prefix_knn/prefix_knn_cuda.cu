// All prefixes in one pass on CUDA: tiles as in knn/tile.cuh, whose sums stop at every run of eight
// coordinates.
//
// Sums and thresholds only grow with the prefix, so a pair that is not below the threshold of the run's last
// prefix when the run begins cannot hit within it (see prefix_panel.h). The pairs below it repeat the run one
// by one, from sums that the thread has put into shared memory. In the first run, where all sums are 0, sums
// are compared at every coordinate instead. Lists live in the workspace, one region per block of a grid that
// just fills the device.
//
// Squares are summed one after the other up to kSequentialLimit coordinates; where there are more, in groups
// (tile.cuh), so that the relative error of a distance stays below 1e-5 up to d = 1,300.
#include <algorithm>

#include "common/cuda_check.h"
#include "knn/tile.cuh"
#include "prefix_knn/prefix_knn.h"

namespace entropix {
namespace {

constexpr int kRun = 8;
constexpr int64_t kSequentialLimit = 256;
constexpr int64_t kRegionBytes = int64_t(1)
                                 << 30;  // of all lists together, where a block's own do not need more

// The prefixes as bits, passed by value: bit c is set if the first c + 1 coordinates are a prefix.
struct PrefixSet {
    uint64_t bits[kPrefixLimit / 64];
    uint16_t rank[kPrefixLimit / 64];  // prefixes before each word

    __device__ __forceinline__ uint32_t run(int64_t c) const {
        return uint32_t(bits[c >> 6] >> (c & 63)) & 0xff;
    }
    __device__ __forceinline__ int64_t before(int64_t c) const {
        return rank[c >> 6] + __popcll(bits[c >> 6] & ((uint64_t(1) << (c & 63)) - 1));
    }
};

// Lists of one thread's row: entry `place` of prefix j lies at (j * k + place) * kBlockRows.
template <class T>
struct RowLists {
    T* entries;
    int64_t k;

    __device__ __forceinline__ T threshold(int64_t j) const { return entries[(j * k + k - 1) * kBlockRows]; }

    // Eight entries at a time are read before any is written, so that an insertion waits for memory once.
    __device__ __forceinline__ void insert(int64_t j, T value) const {
        T* list = entries + j * k * kBlockRows;
        T before = T(-1);  // the entry before, as it was
        for (int64_t start = 0; start < k; start += 8) {
            T old[8];
#pragma unroll
            for (int i = 0; i < 8; ++i) old[i] = start + i < k ? list[(start + i) * kBlockRows] : T(0);
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                const T smaller = old[i] < value ? old[i] : value;
                if (start + i < k) list[(start + i) * kBlockRows] = before > smaller ? before : smaller;
                before = old[i];
            }
        }
    }
};

template <class T>
__device__ __forceinline__ T coordinate_square(const T* query, const T* point, int c, T sum) {
    const T t = point[c] - query[c];
    return fused(t, t, sum);
}

template <class T, bool grouped>
__global__ void __launch_bounds__(kThreads, kBlocks<T>)
    prefix_search(PrefixProblem<T> p, int64_t last_prefix, const __grid_constant__ PrefixSet set,
                  T* workspace, double* log_sums) {
    constexpr int points = Tile<T>::points, chunk = Tile<T>::chunk, group = Tile<T>::group;
    unsigned char* shared_bytes = dynamic_shared();
    T* staged_queries = reinterpret_cast<T*>(shared_bytes);
    T* staged_points = staged_queries + kBlockRows * kStride<T>;
    T* run_sums = staged_points + points * kStride<T>;  // [points, kThreads]

    RowLists<T> lists[kRowsPerThread];
#pragma unroll
    for (int r = 0; r < kRowsPerThread; ++r)
        lists[r] = {workspace + blockIdx.x * p.count * p.k * kBlockRows + threadIdx.x + r * kThreads, p.k};

    const int64_t tiles = (p.n + kBlockRows - 1) / kBlockRows;
    for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        const int64_t first_row = tile * kBlockRows;
#pragma unroll
        for (int r = 0; r < kRowsPerThread; ++r) {
            const bool missing = first_row + threadIdx.x + r * kThreads >= p.n;  // then nothing hits
            for (int64_t i = 0; i < p.count * p.k; ++i)
                lists[r].entries[i * kBlockRows] = missing ? T(-1) : T(INFINITY);
        }
        T sums[kRowsPerThread][points];
        for (int64_t first = 0; first < p.n; first += points) {
            clear<T>(sums);
            for (int64_t begin = 0; begin < last_prefix; begin += chunk) {
                __syncthreads();
                stage<T>(staged_points, p.x, first, points, p.n, p.d, begin, not_a_number(T()));
                if (last_prefix > chunk || first == 0)
                    stage<T>(staged_queries, p.x, first_row, kBlockRows, p.n, p.d, begin, T(0));
                __syncthreads();
                for (int c = 0; c < chunk && begin + c < last_prefix; c += kRun) {
                    const uint32_t ends = set.run(begin + c);
                    const int64_t j = set.before(begin + c);
                    if (begin + c == 0) {
                        // First run: one coordinate at a time.
#pragma unroll 1
                        for (int i = 0; i < kRun && i < last_prefix; ++i) {
                            T q[kRowsPerThread];
#pragma unroll
                            for (int r = 0; r < kRowsPerThread; ++r)
                                q[r] = staged_queries[(threadIdx.x + r * kThreads) * kStride<T> + i];
#pragma unroll
                            for (int s = 0; s < points; ++s) {
                                const T v = staged_points[s * kStride<T> + i];
#pragma unroll
                                for (int r = 0; r < kRowsPerThread; ++r) {
                                    const T t = v - q[r];
                                    sums[r][s] = fused(t, t, sums[r][s]);
                                }
                            }
                            if (!(ends >> i & 1)) continue;
                            const int64_t at = __popc(ends & ((1u << i) - 1));
#pragma unroll
                            for (int r = 0; r < kRowsPerThread; ++r) {
                                const T* query = staged_queries + (threadIdx.x + r * kThreads) * kStride<T>;
                                const int64_t own = first_row + threadIdx.x + r * kThreads - first;
                                uint32_t found = points_up_to<T>(sums[r], lists[r].threshold(at));
                                for (; found; found &= found - 1) {
                                    const int s = __ffs(int(found)) - 1;
                                    if (s == own) continue;
                                    T sum = 0;
                                    for (int e = 0; e <= i; ++e)
                                        sum =
                                            coordinate_square(query, staged_points + s * kStride<T>, e, sum);
                                    if (sum < lists[r].threshold(at)) lists[r].insert(at, sum);
                                }
                            }
                        }
                        continue;
                    }
                    if (ends) {
                        const int64_t last = j + __popc(ends) - 1;
#pragma unroll
                        for (int r = 0; r < kRowsPerThread; ++r) {
                            uint32_t found = points_up_to<T>(sums[r], lists[r].threshold(last));
                            if (!__any_sync(0xffffffffu, found != 0)) continue;
#pragma unroll
                            for (int s = 0; s < points; ++s)
                                run_sums[s * kThreads + threadIdx.x] = sums[r][s];
                            const T* query = staged_queries + (threadIdx.x + r * kThreads) * kStride<T> + c;
                            const int64_t own = first_row + threadIdx.x + r * kThreads - first;
                            for (; found; found &= found - 1) {
                                const int s = __ffs(int(found)) - 1;
                                if (s == own) continue;
                                const T* point = staged_points + s * kStride<T> + c;
                                T base = run_sums[s * kThreads + threadIdx.x], sum = base;
                                T part = 0;  // of a group
                                int64_t at = j;
                                for (int i = 0; i < kRun; ++i) {
                                    if (grouped) {  // the same sums as accumulate()
                                        if (i % group == 0) base = sum, part = 0;
                                        part = coordinate_square(query, point, i, part);
                                        sum = base + part;
                                    } else {
                                        sum = coordinate_square(query, point, i, sum);
                                    }
                                    if (!(ends >> i & 1)) continue;
                                    if (sum < lists[r].threshold(at)) lists[r].insert(at, sum);
                                    ++at;
                                }
                            }
                        }
                    }
                    accumulate<T, Metric::euclidean, grouped>(sums, staged_queries, staged_points, c / group,
                                                              (c + kRun) / group);
                }
            }
        }
        // Every thread reads only its own lists, so no barrier is needed before they are written out.
#pragma unroll
        for (int r = 0; r < kRowsPerThread; ++r) {
            const int64_t row = first_row + threadIdx.x + r * kThreads;
            for (int64_t j = 0; j < p.count; ++j) {
                const T square = lists[r].threshold(j);
                if (p.distances && row < p.n) p.distances[j * p.n + row] = sqrt(square);
                if (!log_sums) continue;
                double sum = row < p.n ? 0.5 * log(double(square)) : 0.0;
                for (int lane = 16; lane > 0; lane /= 2) sum += __shfl_down_sync(0xffffffffu, sum, lane);
                const int64_t warp = (tile * kThreads + threadIdx.x) / 32 * kRowsPerThread + r;
                if (threadIdx.x % 32 == 0) log_sums[warp * p.count + j] = sum;
            }
        }
    }
}

// One warp per prefix adds the warps' sums in a fixed order.
__global__ void __launch_bounds__(32)
    mean_log(const double* log_sums, int64_t warps, int64_t count, int64_t n, double* out) {
    double sum = 0;
    for (int64_t warp = threadIdx.x; warp < warps; warp += 32) sum += log_sums[warp * count + blockIdx.x];
    for (int lane = 16; lane > 0; lane /= 2) sum += __shfl_down_sync(0xffffffffu, sum, lane);
    if (threadIdx.x == 0) out[blockIdx.x] = sum / double(n);
}

template <class T>
struct Layout {
    int64_t blocks, list_entries, warps;

    explicit Layout(const PrefixProblem<T>& p) {
        const int64_t tiles = (p.n + kBlockRows - 1) / kBlockRows;
        const int64_t region = p.count * p.k * kBlockRows;
        const int64_t resident = int64_t(multiprocessors()) * 3;
        const int64_t affordable = std::max<int64_t>(1, kRegionBytes / int64_t(region * sizeof(T)));
        blocks = std::min({tiles, resident, affordable});
        list_entries = (blocks * region + 1) / 2 * 2;  // so that the doubles behind them are aligned
        warps = tiles * kBlockRows / 32;
    }
};

}  // namespace

template <class T>
int64_t prefix_knn_cuda_workspace(const PrefixProblem<T>& p) {
    const Layout<T> layout(p);
    return layout.list_entries * int64_t(sizeof(T)) +
           (p.mean_log ? layout.warps * p.count * int64_t(sizeof(double)) : 0);
}

template <class T>
void prefix_knn_cuda(const PrefixProblem<T>& p, void* workspace, void* stream_handle) {
    if (p.d > kPrefixLimit)
        throw std::invalid_argument("prefix_knn: more than " + std::to_string(kPrefixLimit) +
                                    " coordinates on CUDA");
    PrefixSet set = {};
    for (int64_t j = 0; j < p.count; ++j)
        set.bits[(p.prefixes[j] - 1) / 64] |= uint64_t(1) << (p.prefixes[j] - 1) % 64;
    for (int64_t word = 1; word < kPrefixLimit / 64; ++word)
        set.rank[word] = uint16_t(set.rank[word - 1] + __builtin_popcountll(set.bits[word - 1]));
    const auto stream = static_cast<cudaStream_t>(stream_handle);
    const Layout<T> layout(p);
    auto lists = static_cast<T*>(workspace);
    auto log_sums = p.mean_log ? reinterpret_cast<double*>(lists + layout.list_entries) : nullptr;
    const size_t shared = kTileBytes<T> + sizeof(T) * Tile<T>::points * kThreads;
    const bool grouped = sizeof(T) == 4 && p.prefixes[p.count - 1] > kSequentialLimit;
    const auto search = grouped ? prefix_search<T, true> : prefix_search<T, false>;
    launch("prefix_knn", search, layout.blocks, kThreads, shared, stream, p, p.prefixes[p.count - 1], set,
           lists, log_sums);
    if (p.mean_log)
        launch("prefix_knn mean", mean_log, p.count, 32, 0, stream, static_cast<const double*>(log_sums),
               layout.warps, p.count, p.n, p.mean_log);
}

template int64_t prefix_knn_cuda_workspace(const PrefixProblem<float>&);
template int64_t prefix_knn_cuda_workspace(const PrefixProblem<double>&);
template void prefix_knn_cuda(const PrefixProblem<float>&, void*, void*);
template void prefix_knn_cuda(const PrefixProblem<double>&, void*, void*);

}  // namespace entropix
