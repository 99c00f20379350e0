// The neighbours of a block of queries that lie close together: see knn_cpu.cpp.
#pragma once
#include <algorithm>
#include <vector>

#include "knn/knn.h"
#include "knn/nearest_rows.h"
#include "knn/point_tree.h"
#include "knn/products.h"
#include "knn/screen.h"

namespace entropix {

// Queries per block: few where boxes exclude well, many where panels should be read rarely.
inline int64_t block_rows(int64_t d) { return d <= 6 ? 32 : 128; }

// Panels on either side of a block's own that are looked at for first thresholds. From S points, k ln(n / S)
// others have to be looked at closely, so that S grows with k.
inline int64_t seeds_beside(int64_t k) { return 1 + k / 2; }

template <class T>
class BlockSearch {
  public:
    BlockSearch(const KnnProblem<T>& problem, const PointTree<T>& points, const CentredPanels<T>& centred,
                const PointTree<T>& queries, bool self)
        : p_(problem),
          points_(points),
          queries_(queries),
          self_(self),
          kernels_(screen_kernels<T>()),
          rows_(block_rows(problem.d)),
          nearest_(rows_, problem.k, problem.d),
          hits_(rows_),
          box_(2 * problem.d),
          products_(centred, rows_) {}

    // Finds and writes the neighbours of block `block` of the queries.
    void run(int64_t block, T* distances, int64_t* indices) {
        begin(block);
        visit(0, 0, points_.panels, 0);
        for (int64_t row = 0; row < count_; ++row) {
            const int64_t to = queries_.order[first_ + row] * p_.k;
            write(nearest_.list(row), p_.k, p_.metric, distances + to, indices + to);
        }
    }

    // Finds the nearest of a block's rows among its own points, where these are the queries.
    const NearestRows<T>& begin(int64_t block) {
        first_ = block * rows_;
        count_ = std::min(rows_, queries_.n - first_);
        nearest_.clear(0, rows_, p_.n);
        std::fill(nearest_.thresholds.begin() + count_, nearest_.thresholds.end(),
                  T(-1));  // padding never hits
        queries_.bound_rows(first_, count_, box_.data());
        own_begin_ = own_end_ = 0;
        products_.begin(queries_.rows.data() + first_ * p_.d, count_);
        if (self_) {
            own_begin_ = first_ / kPanel;
            own_end_ = (first_ + count_ + kPanel - 1) / kPanel;
            seed();
        }
        products_.set_thresholds(nearest_.thresholds.data());
        find_widest();
        for (int64_t panel = own_begin_; panel < own_end_; ++panel) screen(panel);  // the nearest ones first
        return nearest_;
    }

    // After `begin`: panels that no box leaves out so far.
    int64_t within_reach() const { return within_reach(0, 0, points_.panels); }

  private:
    // First thresholds, from the block's own panels and those beside them in the order of the tree.
    void seed() {
        const int64_t begin = std::max<int64_t>(0, own_begin_ - seeds_beside(p_.k));
        const int64_t end = std::min(points_.panels, own_end_ + seeds_beside(p_.k));
        if (p_.k > kSeedLimit * std::min(kMostGroups, end - begin)) return;
        const int64_t own = first_ - begin * kPanel;
        if (products_.pay())
            products_.seed(begin, end, own, p_.k, nearest_.thresholds.data());
        else
            kernels_.seed[int(p_.metric)](
                {queries_.rows.data() + first_ * p_.d, count_, points_.packed.data() + begin * p_.d * kPanel,
                 end - begin, p_.d, own, p_.k},
                nearest_.thresholds.data());
        for (int64_t row = 0; row < count_; ++row)
            nearest_.thresholds[row] = widened<T>(nearest_.thresholds[row], p_.d);
    }

    void find_widest() {
        widest_ = *std::max_element(nearest_.thresholds.begin(), nearest_.thresholds.begin() + count_);
    }

    int64_t within_reach(int64_t node, int64_t begin, int64_t end) const {
        if (box_distance(points_.box(node), box_.data(), p_.d, p_.metric) > widest_) return 0;
        if (end - begin == 1) return 1;
        const int64_t middle = PointTree<T>::middle(begin, end);
        return within_reach(PointTree<T>::left(node), begin, middle) +
               within_reach(PointTree<T>::right(node, begin, end), middle, end);
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

    // Decides all pairs of the block with a panel.
    void screen(int64_t panel) {
        const int64_t padded = (count_ + kQueryRows - 1) / kQueryRows * kQueryRows;
        bool was_widest = false;
        for (uint32_t next = 0; next < count_;) {  // the first row that is not decided yet
            const bool by_products = products_.pay();
            const Hit* hit = hits_.data();
            const Hit* end = hit + (by_products ? products_.screen(panel, padded, hits_.data())
                                                : differences(panel, padded));
            for (; hit < end && by_products == products_.pay(); ++hit) {
                if (hit->row < next) continue;
                was_widest |= consider(*hit, panel);
                next = hit->row + 1;
            }
            if (by_products == products_.pay()) break;
        }
        if (was_widest) find_widest();
    }

    int64_t differences(int64_t panel, int64_t padded) {
        return kernels_.screen[int(p_.metric)](
            {queries_.rows.data() + first_ * p_.d, padded, points_.packed.data() + panel * p_.d * kPanel,
             p_.d, nearest_.thresholds.data()},
            hits_.data());
    }

    // Decides in double which points of the hit are among the nearest of its row. Returns whether that
    // lowered the widest threshold.
    bool consider(const Hit& hit, int64_t panel) {
        const int64_t row = hit.row;
        const T* query = queries_.rows.data() + (first_ + row) * p_.d;
        const T before = nearest_.thresholds[row];
        bool changed = false;
        for (uint32_t lanes = hit.lanes; lanes; lanes &= lanes - 1) {
            const int64_t position = panel * kPanel + __builtin_ctz(lanes);
            if (self_ && position == first_ + row) continue;
            const double distance =
                kernels_.exact[int(p_.metric)](query, points_.rows.data() + position * p_.d, p_.d);
            if (distance > before) products_.charge();  // differences would have left it out
            changed |= nearest_.offer(row, distance, points_.order[position]);
        }
        if (!changed) return false;
        products_.set_threshold(row, nearest_.thresholds[row]);
        return before == widest_;
    }

    const KnnProblem<T>& p_;
    const PointTree<T>&points_, &queries_;
    const bool self_;
    const ScreenKernels<T>& kernels_;
    const int64_t rows_;
    NearestRows<T> nearest_;  // [rows]
    std::vector<Hit> hits_;   // [rows]
    std::vector<T> box_;      // [2, d]
    ProductScreen<T> products_;
    T widest_ = 0;  // largest of the thresholds
    int64_t first_ = 0, count_ = 0, own_begin_ = 0, own_end_ = 0;
};

}  // namespace entropix
