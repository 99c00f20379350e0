// Blocks of queries walk the tree of points, as in knn_cpu.cpp. A box that lies wholly within all radii of
// the block is counted at once, one beyond all is left out, and the panels between are screened twice: pairs
// below the narrow threshold are certainly inside, and those between the narrow and the wide one are decided
// in double.
#include <algorithm>
#include <cmath>
#include <vector>

#include "common/parallel.h"
#include "count_within/count_within.h"
#include "count_within/thresholds.h"
#include "knn/point_tree.h"
#include "knn/screen.h"

namespace entropix {
namespace {

constexpr int64_t kBlock = 32;

template <class T>
class BlockCount {
  public:
    BlockCount(const CountProblem<T>& problem, const PointTree<T>& points, const PointTree<T>& queries)
        : p_(problem),
          points_(points),
          queries_(queries),
          kernels_(screen_kernels<T>()),
          box_(2 * problem.d) {}

    void run(int64_t block) {
        first_ = block * kBlock;
        rows_ = std::min(kBlock, p_.m - first_);
        set_thresholds();
        queries_.bound_rows(first_, rows_, box_.data());
        visit(0, 0, points_.panels);
        for (int64_t row = 0; row < rows_; ++row) {
            const int64_t to = queries_.order[first_ + row];
            const bool counted_itself = !p_.query && p_.radii[to] > 0;
            p_.counts[to] = counts_[row] - counted_itself;
        }
    }

  private:
    void set_thresholds() {
        std::fill(narrow_, narrow_ + kBlock, T(-1));
        std::fill(wide_, wide_ + kBlock, T(-1));
        std::fill(counts_, counts_ + kBlock, 0);
        for (int64_t row = 0; row < rows_; ++row) {
            const T radius = p_.radii[queries_.order[first_ + row]];
            if (!(radius > 0)) continue;
            narrow_[row] = certainly_within(radius, p_.d, p_.metric);
            wide_[row] = possibly_within(radius, p_.d, p_.metric);
        }
        narrowest_ = *std::min_element(narrow_, narrow_ + rows_);
        widest_ = *std::max_element(wide_, wide_ + rows_);
    }

    void visit(int64_t node, int64_t begin, int64_t end) {
        if (!(box_distance(points_.box(node), box_.data(), p_.d, p_.metric) <= widest_)) return;
        if (farthest_distance(points_.box(node), box_.data(), p_.d, p_.metric) <= narrowest_) {
            const int64_t inside = std::min(p_.n, end * kPanel) - begin * kPanel;
            for (int64_t row = 0; row < rows_; ++row) counts_[row] += inside;
        } else if (end - begin == 1) {
            screen(begin);
        } else {
            const int64_t middle = PointTree<T>::middle(begin, end);
            visit(PointTree<T>::left(node), begin, middle);
            visit(PointTree<T>::right(node, begin, end), middle, end);
        }
    }

    void screen(int64_t panel) {
        const int64_t padded = (rows_ + kQueryRows - 1) / kQueryRows * kQueryRows;
        const T* queries = queries_.rows.data() + first_ * p_.d;
        const T* points = points_.packed.data() + panel * p_.d * kPanel;
        const auto function = kernels_.screen[int(p_.metric)];
        const Hit* inside_end = inside_ + function({queries, padded, points, p_.d, narrow_}, inside_);
        const Hit* near_end = near_ + function({queries, padded, points, p_.d, wide_}, near_);
        const Hit* inside = inside_;
        for (const Hit* near = near_; near < near_end; ++near) {
            uint32_t unclear = near->lanes;
            if (inside < inside_end && inside->row == near->row) {
                counts_[near->row] += __builtin_popcount(inside->lanes);
                unclear &= ~inside++->lanes;
            }
            for (; unclear; unclear &= unclear - 1)
                counts_[near->row] += strictly_within(near->row, panel * kPanel + __builtin_ctz(unclear));
        }
    }

    bool strictly_within(int64_t row, int64_t position) const {
        const double distance = exact_distance(queries_.rows.data() + (first_ + row) * p_.d,
                                               points_.rows.data() + position * p_.d, p_.d, p_.metric);
        return strictly_nearer(distance, p_.radii[queries_.order[first_ + row]], p_.metric);
    }

    const CountProblem<T>& p_;
    const PointTree<T>&points_, &queries_;
    const ScreenKernels<T>& kernels_;
    std::vector<T> box_;  // [2, d]
    T narrow_[kBlock], wide_[kBlock], narrowest_ = 0, widest_ = 0;
    int64_t counts_[kBlock], first_ = 0, rows_ = 0;
    Hit inside_[kBlock], near_[kBlock];
};

}  // namespace

template <class T>
void count_within_cpu(const CountProblem<T>& p, int threads) {
    const PointTree<T> points(p.x, p.n, p.d, threads);
    std::vector<PointTree<T>> other;
    if (p.query) other.emplace_back(p.query, p.m, p.d, threads);
    const PointTree<T>& queries = p.query ? other[0] : points;
    parallel_for((p.m + kBlock - 1) / kBlock, 1, threads, [&](int64_t begin, int64_t end) {
        BlockCount<T> count(p, points, queries);
        for (int64_t block = begin; block < end; ++block) count.run(block);
    });
}

template void count_within_cpu<float>(const CountProblem<float>&, int);
template void count_within_cpu<double>(const CountProblem<double>&, int);

}  // namespace entropix
