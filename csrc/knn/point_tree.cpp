#include "knn/point_tree.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "common/parallel.h"

namespace entropix {
namespace {

constexpr int64_t kSplitCandidates = 16;  // coordinates considered for splitting: those of largest range

constexpr int64_t kThreadedBuild =
    1 << 18;  // coordinates; below, waiting for threads costs more than they save

template <class T>
std::vector<int64_t> widest_coordinates(const T* x, int64_t n, int64_t d) {
    std::vector<int64_t> coordinates(d);
    std::iota(coordinates.begin(), coordinates.end(), 0);
    if (d <= kSplitCandidates) return coordinates;
    std::vector<double> sum(d), square(d);
    const int64_t stride = std::max<int64_t>(1, n / 1024);  // a sample is enough to rank them
    for (int64_t i = 0; i < n; i += stride)
        for (int64_t c = 0; c < d; ++c) {
            const double t = double(x[i * d + c]) - double(x[c]);
            sum[c] += t;
            square[c] += t * t;
        }
    const double samples = double((n + stride - 1) / stride);
    for (int64_t c = 0; c < d; ++c) square[c] -= sum[c] * sum[c] / samples;
    std::partial_sort(coordinates.begin(), coordinates.begin() + kSplitCandidates, coordinates.end(),
                      [&](int64_t a, int64_t b) { return square[a] > square[b]; });
    coordinates.resize(kSplitCandidates);
    return coordinates;
}

template <class T>
struct Key {
    T value;
    int32_t row;
};

template <class T>
struct Splitter {
    const T* x;
    int64_t n, d;
    std::vector<int64_t> coordinates;
    int64_t* order;

    // Orders panels [begin, end): the halves of every node are separated along its widest coordinate.
    void split(int64_t begin, int64_t end, int threads) const {
        if (end - begin < 2) return;
        const int64_t first = begin * kPanel, last = std::min(n, end * kPanel);
        const int64_t middle = PointTree<T>::middle(begin, end);
        std::vector<T> low(coordinates.size(), std::numeric_limits<T>::infinity()), high(coordinates.size());
        std::transform(low.begin(), low.end(), high.begin(), [](T v) { return -v; });
        for (int64_t i = first; i < last; ++i)
            for (size_t c = 0; c < coordinates.size(); ++c) {
                const T v = x[order[i] * d + coordinates[c]];
                low[c] = std::min(low[c], v);
                high[c] = std::max(high[c], v);
            }
        size_t widest = 0;
        for (size_t c = 1; c < coordinates.size(); ++c)
            if (high[c] - low[c] > high[widest] - low[widest]) widest = c;
        std::vector<Key<T>> keys(last - first);
        for (int64_t i = first; i < last; ++i)
            keys[i - first] = {x[order[i] * d + coordinates[widest]], int32_t(order[i])};
        std::nth_element(keys.begin(), keys.begin() + (middle * kPanel - first), keys.end(),
                         [](const Key<T>& a, const Key<T>& b) { return a.value < b.value; });
        for (int64_t i = first; i < last; ++i) order[i] = keys[i - first].row;
        if (threads > 1) {
            parallel_pair([&] { split(begin, middle, threads / 2); },
                          [&] { split(middle, end, threads - threads / 2); });
        } else {
            split(begin, middle, 1);
            split(middle, end, 1);
        }
    }
};

}  // namespace

template <class T>
PointTree<T>::PointTree(const T* x, int64_t n_, int64_t d_, int threads)
    : n(n_), d(d_), panels((n_ + kPanel - 1) / kPanel), order(n_) {
    if (n > INT32_MAX) throw std::invalid_argument("more than 2^31 - 1 points");
    if (n * d < kThreadedBuild) threads = 1;
    std::iota(order.begin(), order.end(), 0);
    Splitter<T>{x, n, d, widest_coordinates(x, n, d), order.data()}.split(0, panels, threads);
    rows.resize((n + kQueryRows - 1) / kQueryRows * kQueryRows * d);
    packed.resize(panels * d * kPanel);
    boxes.resize((2 * panels - 1) * 2 * d);
    std::vector<int64_t> leaf(panels);  // node of every panel
    const auto number = [&](auto&& self, int64_t node, int64_t begin, int64_t end) -> void {
        if (end - begin == 1) {
            leaf[begin] = node;
            return;
        }
        self(self, left(node), begin, middle(begin, end));
        self(self, right(node, begin, end), middle(begin, end), end);
    };
    number(number, 0, 0, panels);
    parallel_for(panels, 16, threads, [&](int64_t begin, int64_t end) {
        for (int64_t panel = begin; panel < end; ++panel) {
            const int64_t first = panel * kPanel, last = std::min(n, first + kPanel);
            for (int64_t i = first; i < last; ++i) {
                const T* row = x + order[i] * d;
                std::copy(row, row + d, rows.data() + i * d);
                for (int64_t c = 0; c < d; ++c) packed[(panel * d + c) * kPanel + i % kPanel] = row[c];
            }
            bound_rows(first, last - first, boxes.data() + leaf[panel] * 2 * d);
            for (int64_t i = n; i < (panel + 1) * kPanel; ++i)
                for (int64_t c = 0; c < d; ++c)
                    packed[(panel * d + c) * kPanel + i % kPanel] = std::numeric_limits<T>::quiet_NaN();
        }
    });
    const auto merge = [&](auto&& self, int64_t node, int64_t begin, int64_t end) -> void {
        if (end - begin == 1) return;
        const int64_t a = left(node), b = right(node, begin, end);
        self(self, a, begin, middle(begin, end));
        self(self, b, middle(begin, end), end);
        T* out = boxes.data() + node * 2 * d;
        for (int64_t c = 0; c < d; ++c) {
            out[c] = std::min(box(a)[c], box(b)[c]);
            out[d + c] = std::max(box(a)[d + c], box(b)[d + c]);
        }
    };
    merge(merge, 0, 0, panels);
}

template <class T>
void PointTree<T>::bound_rows(int64_t first, int64_t count, T* box) const {
    std::copy_n(rows.data() + first * d, d, box);
    std::copy_n(box, d, box + d);
    for (int64_t i = first + 1; i < first + count; ++i)
        for (int64_t c = 0; c < d; ++c) {
            box[c] = std::min(box[c], rows[i * d + c]);
            box[d + c] = std::max(box[d + c], rows[i * d + c]);
        }
}

namespace {

// The sum of the squares of gap(c) over all coordinates, or the largest gap(c); eight at a time, for vectors.
template <class T, class Gap>
T norm(int64_t d, Metric metric, const Gap& gap) {
    const bool sum = metric == Metric::euclidean;
    T total = 0;
    int64_t c = 0;
    if (d >= 8) {
        T parts[8] = {};
        for (; c + 8 <= d; c += 8)
            for (int i = 0; i < 8; ++i) {
                const T t = gap(c + i);
                parts[i] = sum ? parts[i] + t * t : std::max(parts[i], t);
            }
        for (const T part : parts) total = sum ? total + part : std::max(total, part);
    }
    for (; c < d; ++c) {
        const T t = gap(c);
        total = sum ? total + t * t : std::max(total, t);
    }
    return total;
}

}  // namespace

template <class T>
T box_distance(const T* a, const T* b, int64_t d, Metric metric) {
    return norm<T>(d, metric,
                   [=](int64_t c) { return std::max(std::max(a[c] - b[d + c], b[c] - a[d + c]), T(0)); });
}

template <class T>
T farthest_distance(const T* a, const T* b, int64_t d, Metric metric) {
    return norm<T>(d, metric, [=](int64_t c) { return std::max(a[d + c] - b[c], b[d + c] - a[c]); });
}

template struct PointTree<float>;
template struct PointTree<double>;
template float box_distance(const float*, const float*, int64_t, Metric);
template double box_distance(const double*, const double*, int64_t, Metric);
template float farthest_distance(const float*, const float*, int64_t, Metric);
template double farthest_distance(const double*, const double*, int64_t, Metric);

}  // namespace entropix
