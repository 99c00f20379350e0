// Screening euclidean distances by inner products, one multiply-add per coordinate where differences take a
// subtraction too: with x and y about a common centre, x.y - |y|^2 / 2 = (|x|^2 - |x - y|^2) / 2.
//
// The sum cancels, so it only ever excludes. Rounding in T (unit roundoff u) moves it by at most
// 1.4 (d + 1) u (|y|^2 / 2 + |x| |y|) in any order of summation, and centring, which rounds every coordinate
// once, moves |x - y|^2 by at most 4.1 u (|x|^2 + |y|^2). relative_slack (exact.h) of |x|^2 and |y|^2 covers
// both, and the two functions below give each point and each query its share: no pair whose exact distance is
// at most the query's threshold has a sum below the query's floor.
//
// Where a pair counts for both sides, the query's start is added too. The sum is then -|x - y|^2 / 2 but for
// the same slack, of |x|^2 and |y|^2 alike (rounding moves it by at most 1.4 (d + 1) u (|x|^2 + |y|^2)), and
// is compared with floors of the square 0, of the query and of the point.
#pragma once
#include <cstdint>
#include <vector>

#include "knn/exact.h"
#include "knn/point_tree.h"
#include "knn/screen.h"

namespace entropix {

// Where the sums of a point begin; `square` is its |y|^2.
template <class T>
T product_start(double square, int64_t d) {
    return T(-0.5 * square * (1 - 2 * relative_slack<T>(d)));
}

template <class T>
T product_floor(double square, double threshold, int64_t d) {
    const double slack = relative_slack<T>(d);
    return T(0.5 * (square * (1 - slack) - threshold * (1 + slack)) - 2 * underflow_slack<T>(d));
}

// The same where sums are to bound a distance from above: a row's square, and a factor of points' starts.
template <class T>
T seed_square(double square, int64_t d) {
    return T(square * (1 + 2 * relative_slack<T>(d)) + 4 * underflow_slack<T>(d));
}
template <class T>
T seed_widening(int64_t d) {
    return T(1 + 5 * relative_slack<T>(d));  // (1 - 2 s) (1 + 5 s) >= 1 + s up to s = 1 / 8
}

// The points of a tree about a centre near their mean.
template <class T>
class CentredPanels {
  public:
    // Empty where products cannot be used or do not pay.
    CentredPanels(const PointTree<T>& points, Metric metric, int threads);

    bool empty() const { return packed_.empty(); }
    int64_t d() const { return d_; }
    const T* panel(int64_t i) const { return packed_.data() + i * (1 + d_) * kPanel; }  // [1 + d, kPanel]

    // Writes `count` rows [count, d] about the centre, and their squares. False if those are so large that
    // sums may overflow.
    bool centre(const T* rows, int64_t count, T* centred, double* squares) const;

  private:
    int64_t d_;
    std::vector<T> centre_;    // [d]
    AlignedVector<T> packed_;  // [panels, 1 + d, kPanel]: starts, then coordinates; missing points are NaN
};

// Screens the queries of one block by products for as long as that pays: evaluating pairs that differences
// would have left out must not cost more than products save.
template <class T>
class ProductScreen {
  public:
    ProductScreen(const CentredPanels<T>& panels, int64_t rows);

    // Turns to another block: rows [count, d]. `pairs`: its panels are screened for both sides.
    void begin(const T* rows, int64_t count, bool pairs = false);
    // First thresholds [count] of the block, from panels [begin, end).
    void seed(int64_t begin, int64_t end, int64_t own, int64_t k, T* thresholds) const;
    void set_thresholds(const T* thresholds) {
        for (int64_t row = 0; row < count_; ++row) set_threshold(row, thresholds[row]);
    }
    void set_threshold(int64_t row, T threshold) {
        if (pay()) floors_[row] = product_floor<T>(pairs_ ? 0 : squares_[row], threshold, panels_.d());
    }

    bool pay() const { return credit_ >= 0; }
    void charge() { --credit_; }  // for a pair that differences would have left out

    // The first `padded` rows with a panel; writes hits and returns their number. `columns` [kPanel] are the
    // thresholds of its points, for pairs.
    int64_t screen(int64_t panel, int64_t padded, Hit* hits, const T* columns = nullptr);

  private:
    const CentredPanels<T>& panels_;
    std::vector<T> rows_;          // [rows, d], about the centre
    std::vector<double> squares_;  // [rows]
    std::vector<T> floors_;        // [rows]
    std::vector<T> starts_;        // [rows], for pairs
    int64_t count_ = 0;
    bool pairs_ = false;
    int64_t credit_ = -1;  // evaluations whose time has been saved
};

}  // namespace entropix
