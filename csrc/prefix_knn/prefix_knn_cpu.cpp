#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "common/parallel.h"
#include "common/simd_level.h"
#include "knn/point_tree.h"
#include "prefix_knn/prefix_knn.h"
#include "prefix_knn/prefix_panel.h"

namespace entropix {
namespace {

constexpr int64_t kBlock = 64;       // queries that share one reading of the panels
constexpr int64_t kSeedPanels = 16;  // on either side of a block's own
constexpr int64_t kTasks = 256;  // shares of the points; each has its own sums of logarithms, added in order

template <class T>
const PrefixKernels<T>& choose(const PrefixKernels<T>& portable, const PrefixKernels<T>& avx2,
                               const PrefixKernels<T>& avx512) {
    const SimdLevel level = simd_level();
    return level == SimdLevel::avx512 ? avx512 : level == SimdLevel::avx2 ? avx2 : portable;
}

#if defined(__x86_64__)
const PrefixKernels<float>& kernels(float) {
    return choose(prefix_float_portable, prefix_float_avx2, prefix_float_avx512);
}
const PrefixKernels<double>& kernels(double) {
    return choose(prefix_double_portable, prefix_double_avx2, prefix_double_avx512);
}
#else
const PrefixKernels<float>& kernels(float) { return prefix_float_portable; }
const PrefixKernels<double>& kernels(double) { return prefix_double_portable; }
#endif

// Short runs first: early on, many pairs are within reach of the thresholds, and few later.
std::vector<Run> make_runs(const int64_t* prefixes, int64_t count) {
    std::vector<Run> runs;
    int64_t prefix = 0;
    for (int64_t begin = 0; begin < prefixes[count - 1];) {
        const int64_t length = begin < 4 ? 1 : begin < 48 ? 4 : 8;
        const int64_t end = std::min(begin + length, prefixes[count - 1]);
        const int64_t first = prefix;
        while (prefix < count && prefixes[prefix] <= end) ++prefix;
        runs.push_back({begin, end, first, prefix});
        begin = end;
    }
    return runs;
}

template <class T>
class BlockSearch {
  public:
    BlockSearch(const PrefixProblem<T>& problem, const PointTree<T>& points, const std::vector<Run>& runs)
        : p_(problem),
          points_(points),
          thresholds_(kBlock * problem.count),
          lists_(kBlock * problem.count * problem.k),
          minima_(kPrefixRows * problem.count * kPanel),
          kernels_(kernels(T())) {
        block_ = {nullptr,      0,           p_.d,
                  p_.k,         runs.data(), int64_t(runs.size()),
                  p_.prefixes,  p_.count,    thresholds_.data(),
                  lists_.data()};
    }

    void run(int64_t block, double* log_sums) {
        const int64_t first = block * kBlock, rows = std::min(kBlock, p_.n - first);
        block_.queries = points_.rows.data() + first * p_.d;
        block_.rows = (rows + kPrefixRows - 1) / kPrefixRows * kPrefixRows;
        std::fill(lists_.begin(), lists_.end(), std::numeric_limits<T>::infinity());
        std::fill(thresholds_.begin(), thresholds_.begin() + rows * p_.count,
                  std::numeric_limits<T>::infinity());
        std::fill(thresholds_.begin() + rows * p_.count, thresholds_.end(), T(-1));
        const int64_t own_begin = first / kPanel, own_end = (first + rows + kPanel - 1) / kPanel;
        if (p_.k <= kSeedLimit)
            kernels_.seed(block_, points_.packed.data(), std::max<int64_t>(0, own_begin - kSeedPanels),
                          std::min(points_.panels, own_end + kSeedPanels), own_begin, own_end,
                          minima_.data());
        // From the block's own panels outwards, as these are the nearest in the order of the tree.
        for (int64_t away = 0, own = own_begin; away < points_.panels; ++away) {
            if (own - away >= 0) take(own - away, first);
            if (away > 0 && own + away < points_.panels) take(own + away, first);
        }
        for (int64_t j = 0; j < p_.count; ++j)
            for (int64_t r = 0; r < rows; ++r) {
                const T square = thresholds_[r * p_.count + j];
                if (p_.distances) p_.distances[j * p_.n + points_.order[first + r]] = std::sqrt(square);
                if (log_sums) log_sums[j] += 0.5 * std::log(double(square));
            }
    }

  private:
    void take(int64_t panel, int64_t first) const {
        kernels_.panel(block_, points_.packed.data() + panel * p_.d * kPanel, first - panel * kPanel);
    }

    const PrefixProblem<T>& p_;
    const PointTree<T>& points_;
    std::vector<T> thresholds_;  // [kBlock, count]
    std::vector<T> lists_;       // [kBlock, count, k]
    std::vector<T> minima_;      // scratch of the seed
    const PrefixKernels<T>& kernels_;
    PrefixBlock<T> block_;
};

}  // namespace

template <class T>
void prefix_knn_cpu(const PrefixProblem<T>& p, int threads) {
    const PointTree<T> points(p.x, p.n, p.d, threads);
    const std::vector<Run> runs = make_runs(p.prefixes, p.count);
    const int64_t blocks = (p.n + kBlock - 1) / kBlock, tasks = std::min(blocks, kTasks);
    std::vector<double> log_sums(p.mean_log ? tasks * p.count : 0);
    parallel_for(tasks, 1, threads, [&](int64_t begin, int64_t end) {
        BlockSearch<T> search(p, points, runs);
        for (int64_t task = begin; task < end; ++task)
            for (int64_t block = task * blocks / tasks; block < (task + 1) * blocks / tasks; ++block)
                search.run(block, p.mean_log ? log_sums.data() + task * p.count : nullptr);
    });
    if (!p.mean_log) return;
    for (int64_t j = 0; j < p.count; ++j) {
        double sum = 0;
        for (int64_t task = 0; task < tasks; ++task) sum += log_sums[task * p.count + j];
        p.mean_log[j] = sum / double(p.n);
    }
}

template void prefix_knn_cpu<float>(const PrefixProblem<float>&, int);
template void prefix_knn_cpu<double>(const PrefixProblem<double>&, int);

}  // namespace entropix
