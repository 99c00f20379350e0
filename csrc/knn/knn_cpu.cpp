// Exact k nearest neighbours on the CPU: one way for every dimension.
//
// Blocks of queries that lie close together walk the tree of points, nearest box first. A panel that no box
// bound excludes is screened in T for all queries of the block at once; the few pairs that pass are evaluated
// in double and inserted. In low dimension the boxes leave out nearly everything, in high dimension nearly
// nothing, and then the screen runs at the speed of its multiply-adds: no crossover to another method has to
// be chosen.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "common/parallel.h"
#include "knn/knn.h"
#include "knn/point_tree.h"
#include "knn/screen.h"
#include "knn/topk.h"

namespace entropix {
namespace {

// Queries per block: few where boxes exclude well, many where panels should be read rarely.
int64_t block_rows(int64_t d) { return d <= 6 ? 32 : 128; }

constexpr int64_t kSeedPanels = 2;  // on either side of a block's own

template <class T>
class BlockSearch {
  public:
    BlockSearch(const KnnProblem<T>& problem, const PointTree<T>& points, const PointTree<T>& queries,
                bool self)
        : p_(problem),
          points_(points),
          queries_(queries),
          self_(self),
          kernels_(screen_kernels<T>()),
          rows_(block_rows(problem.d)),
          distances_(rows_ * problem.k),
          indices_(rows_ * problem.k),
          thresholds_(rows_),
          hits_(rows_),
          box_(2 * problem.d) {}

    // Finds and writes the neighbours of block `block` of the queries.
    void run(int64_t block, T* distances, int64_t* indices) {
        first_ = block * rows_;
        count_ = std::min(rows_, queries_.n - first_);
        std::fill(distances_.begin(), distances_.end(), std::numeric_limits<double>::infinity());
        std::fill(indices_.begin(), indices_.end(), p_.n);
        std::fill(thresholds_.begin(), thresholds_.begin() + count_, std::numeric_limits<T>::infinity());
        std::fill(thresholds_.begin() + count_, thresholds_.end(), T(-1));  // padding never hits
        queries_.bound_rows(first_, count_, box_.data());
        own_begin_ = own_end_ = 0;
        if (self_) {
            own_begin_ = first_ / kPanel;
            own_end_ = (first_ + count_ + kPanel - 1) / kPanel;
            if (p_.k <= kSeedLimit) seed();
        }
        widest_ = *std::max_element(thresholds_.begin(), thresholds_.begin() + count_);
        for (int64_t panel = own_begin_; panel < own_end_; ++panel) screen(panel);  // the nearest ones first
        visit(0, 0, points_.panels, 0);
        write(distances, indices);
    }

  private:
    // First thresholds, from the block's own panels and those beside them in the order of the tree.
    void seed() {
        const int64_t begin = std::max<int64_t>(0, own_begin_ - kSeedPanels);
        const int64_t end = std::min(points_.panels, own_end_ + kSeedPanels);
        kernels_.seed[int(p_.metric)](queries_.rows.data() + first_ * p_.d, count_,
                                      points_.packed.data() + begin * p_.d * kPanel, end - begin, p_.d,
                                      first_ - begin * kPanel, p_.k, thresholds_.data());
        for (int64_t row = 0; row < count_; ++row) thresholds_[row] = widened<T>(thresholds_[row], p_.d);
    }

    void visit(int64_t node, int64_t begin, int64_t end, T distance) {
        if (distance > widest_) return;
        if (end - begin == 1) {
            if (begin < own_begin_ || begin >= own_end_) screen(begin);
            return;
        }
        const int64_t middle = PointTree<T>::middle(begin, end);
        const int64_t left = PointTree<T>::left(node), right = PointTree<T>::right(node, begin, end);
        const T to_left = box_distance(points_.box(left), box_.data(), p_.d, p_.metric);
        const T to_right = box_distance(points_.box(right), box_.data(), p_.d, p_.metric);
        if (to_left <= to_right) {
            visit(left, begin, middle, to_left);
            visit(right, middle, end, to_right);
        } else {
            visit(right, middle, end, to_right);
            visit(left, begin, middle, to_left);
        }
    }

    void screen(int64_t panel) {
        const int64_t padded = (count_ + kQueryRows - 1) / kQueryRows * kQueryRows;
        const T* queries = queries_.rows.data() + first_ * p_.d;
        const int64_t found =
            kernels_.screen[int(p_.metric)](queries, padded, points_.packed.data() + panel * p_.d * kPanel,
                                            p_.d, thresholds_.data(), hits_.data());
        if (!found) return;
        bool changed = false;
        for (const Hit* hit = hits_.data(); hit < hits_.data() + found; ++hit)
            for (uint32_t lanes = hit->lanes; lanes; lanes &= lanes - 1)
                changed |= consider(hit->row, panel * kPanel + __builtin_ctz(lanes));
        if (changed) widest_ = *std::max_element(thresholds_.begin(), thresholds_.begin() + count_);
    }

    // Decides in double whether the point at `position` is among the nearest of query `row`.
    bool consider(int64_t row, int64_t position) {
        if (position >= p_.n || (self_ && position == first_ + row)) return false;
        const T* query = queries_.rows.data() + (first_ + row) * p_.d;
        const T* point = points_.rows.data() + position * p_.d;
        const NearestList<int64_t> list{distances_.data() + row * p_.k, indices_.data() + row * p_.k, p_.k,
                                        1};
        if (!list.offer(exact_distance(query, point, p_.d, p_.metric), points_.order[position])) return false;
        thresholds_[row] = std::min(thresholds_[row], widened<T>(list.last(), p_.d));
        return true;
    }

    void write(T* distances, int64_t* indices) const {
        for (int64_t row = 0; row < count_; ++row) {
            const int64_t to = queries_.order[first_ + row] * p_.k;
            for (int64_t r = 0; r < p_.k; ++r) {
                const double distance = distances_[row * p_.k + r];
                distances[to + r] = T(p_.metric == Metric::euclidean ? std::sqrt(distance) : distance);
                indices[to + r] = indices_[row * p_.k + r];
            }
        }
    }

    const KnnProblem<T>& p_;
    const PointTree<T>&points_, &queries_;
    const bool self_;
    const ScreenKernels<T>& kernels_;
    const int64_t rows_;
    std::vector<double> distances_;  // [rows, k], squared for euclidean
    std::vector<int64_t> indices_;   // [rows, k]
    std::vector<T> thresholds_;      // [rows]
    std::vector<Hit> hits_;          // [rows]
    std::vector<T> box_;             // [2, d]
    T widest_ = 0;                   // largest of the thresholds
    int64_t first_ = 0, count_ = 0, own_begin_ = 0, own_end_ = 0;
};

template <class T>
void one_batch(const KnnProblem<T>& p, int64_t b, int threads) {
    const PointTree<T> points(p.x + b * p.n * p.d, p.n, p.d, threads);
    std::vector<PointTree<T>> other;
    if (p.query) other.emplace_back(p.query + b * p.m * p.d, p.m, p.d, threads);
    const PointTree<T>& queries = p.query ? other[0] : points;
    const int64_t blocks = (p.m + block_rows(p.d) - 1) / block_rows(p.d);
    parallel_for(blocks, 1, threads, [&](int64_t begin, int64_t end) {
        BlockSearch<T> search(p, points, queries, !p.query);
        for (int64_t block = begin; block < end; ++block)
            search.run(block, p.distances + b * p.m * p.k, p.indices + b * p.m * p.k);
    });
}

}  // namespace

template <class T>
void knn_cpu(const KnnProblem<T>& p, int threads) {
    const int across = p.batch >= threads ? threads : 1;  // threads over the batch, or within each problem
    parallel_for(p.batch, 1, across, [&](int64_t begin, int64_t end) {
        for (int64_t b = begin; b < end; ++b) one_batch(p, b, threads / across);
    });
}

template void knn_cpu<float>(const KnnProblem<float>&, int);
template void knn_cpu<double>(const KnnProblem<double>&, int);

}  // namespace entropix
