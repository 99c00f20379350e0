#include "knn/products.h"

#include <algorithm>
#include <atomic>
#include <limits>

#include "common/parallel.h"

namespace entropix {
namespace {

// From here on products pay (measured); up to there the slack is small against 1.
constexpr int64_t kLeastDim = 8, kMostDim = 1 << 20;
constexpr int64_t kSavings = 128;  // queries x coordinates whose products with a panel save one evaluation
constexpr int64_t kSample = 1024;  // rows whose mean is the centre; any other is as right, but less tight

template <class T>
bool safe(double square) {
    return square <= double(std::numeric_limits<T>::max()) / 8;  // false for NaN too
}

}  // namespace

template <class T>
CentredPanels<T>::CentredPanels(const PointTree<T>& points, Metric metric, int threads) : d_(points.d) {
    if (metric != Metric::euclidean || d_ < kLeastDim || d_ > kMostDim) return;
    const int64_t stride = std::max<int64_t>(1, points.n / kSample);
    std::vector<double> sum(d_);
    int64_t sampled = 0;
    for (int64_t i = 0; i < points.n; i += stride, ++sampled)
        for (int64_t c = 0; c < d_; ++c) sum[c] += double(points.rows[i * d_ + c]);
    centre_.resize(d_);
    for (int64_t c = 0; c < d_; ++c) centre_[c] = T(sum[c] / double(sampled));

    packed_.resize(points.panels * (1 + d_) * kPanel);
    std::atomic<bool> all_safe{true};
    parallel_for(points.panels, 16, threads, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const T* from = points.packed.data() + i * d_ * kPanel;
            T* starts = packed_.data() + i * (1 + d_) * kPanel;
            double squares[kPanel] = {};
            for (int64_t c = 0; c < d_; ++c)
                for (int lane = 0; lane < kPanel; ++lane) {
                    const T v = from[c * kPanel + lane] - centre_[c];
                    starts[(1 + c) * kPanel + lane] = v;
                    squares[lane] += double(v) * double(v);
                }
            const int64_t count = std::min<int64_t>(kPanel, points.n - i * kPanel);
            if (!std::all_of(squares, squares + count, safe<T>)) all_safe = false;
            for (int lane = 0; lane < kPanel; ++lane) starts[lane] = product_start<T>(squares[lane], d_);
        }
    });
    if (!all_safe) packed_ = {};
}

template <class T>
bool CentredPanels<T>::centre(const T* rows, int64_t count, T* centred, double* squares) const {
    for (int64_t i = 0; i < count; ++i) {
        T* const row = centred + i * d_;
        for (int64_t c = 0; c < d_; ++c) row[c] = rows[i * d_ + c] - centre_[c];
        double sum[8] = {};
        int64_t c = 0;
        for (; c + 8 <= d_; c += 8)
            for (int lane = 0; lane < 8; ++lane) sum[lane] += double(row[c + lane]) * double(row[c + lane]);
        for (; c < d_; ++c) sum[c % 8] += double(row[c]) * double(row[c]);
        squares[i] = ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
    }
    return std::all_of(squares, squares + count, safe<T>);
}

template <class T>
ProductScreen<T>::ProductScreen(const CentredPanels<T>& panels, int64_t rows)
    : panels_(panels),
      rows_(panels.empty() ? 0 : rows * panels.d()),
      squares_(rows),
      floors_(rows),
      starts_(rows) {}

template <class T>
void ProductScreen<T>::begin(const T* rows, int64_t count, bool pairs) {
    count_ = count;
    pairs_ = pairs;
    credit_ = !panels_.empty() && panels_.centre(rows, count, rows_.data(), squares_.data()) ? 0 : -1;
    std::fill(floors_.begin(), floors_.end(), std::numeric_limits<T>::infinity());  // padding never hits
    for (int64_t row = 0; row < count; ++row) starts_[row] = product_start<T>(squares_[row], panels_.d());
}

template <class T>
void ProductScreen<T>::seed(int64_t begin, int64_t end, int64_t own, int64_t k, T* thresholds) const {
    std::vector<T> squares(rows_.size() / panels_.d());
    for (int64_t row = 0; row < count_; ++row) squares[row] = seed_square<T>(squares_[row], panels_.d());
    screen_kernels<T>().seed_products({rows_.data(), count_, panels_.panel(begin), end - begin, panels_.d(),
                                       own, k, squares.data(), seed_widening<T>(panels_.d())},
                                      thresholds);
}

template <class T>
int64_t ProductScreen<T>::screen(int64_t panel, int64_t padded, Hit* hits, const T* columns) {
    credit_ += padded * panels_.d() / kSavings;
    T floors[kPanel];
    for (int i = 0; columns && i < kPanel; ++i) floors[i] = product_floor<T>(0, columns[i], panels_.d());
    return screen_kernels<T>().products({rows_.data(), padded, panels_.panel(panel), panels_.d(),
                                         floors_.data(), columns ? floors : nullptr, starts_.data()},
                                        hits);
}

template class CentredPanels<float>;
template class CentredPanels<double>;
template class ProductScreen<float>;
template class ProductScreen<double>;

}  // namespace entropix
