// The bodies behind screen.h, included by screen_<instruction set>.cpp. Internal linkage only, see simd.h.
#pragma once
#include "common/simd.h"
#include "knn/exact.h"
#include "knn/knn.h"
#include "knn/screen.h"

namespace entropix {
namespace {

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kRows = kQueryRows;
#else
constexpr int kRows = 4;  // accumulators for kRows x kVectors vectors must fit into 16 registers
#endif
constexpr int kVectors = 2;

enum class Sum { squares, largest, products };  // the first two are those of Metric

template <class T>
using Sums = typename Vec<T>::R[kRows][kVectors];  // of kRows rows with kVectors vectors of points

// Of the rows at q [kRows, d] with the points of a panel from `column` on.
template <class T, Sum kind>
inline __attribute__((always_inline)) void add_up(Sums<T>& sum, const T* q, const T* panel, int64_t d,
                                                  int column) {
    using V = Vec<T>;
    const T* p = panel + column;
    for (int i = 0; i < kRows; ++i)
        for (int v = 0; v < kVectors; ++v)
            sum[i][v] = kind == Sum::products ? V::load(p + v * V::lanes) : V::set(0);
    if (kind == Sum::products) p += kPanel;
    for (int64_t c = 0; c < d; ++c, p += kPanel) {
        typename V::R point[kVectors];
        for (int v = 0; v < kVectors; ++v) point[v] = V::load(p + v * V::lanes);
        for (int i = 0; i < kRows; ++i) {
            const auto qi = V::set(q[i * d + c]);
            for (int v = 0; v < kVectors; ++v) {
                if (kind == Sum::products) {
                    sum[i][v] = V::fma(point[v], qi, sum[i][v]);
                    continue;
                }
                const auto t = V::sub(point[v], qi);
                if (kind == Sum::squares)
                    sum[i][v] = V::fma(t, t, sum[i][v]);
                else
                    sum[i][v] = V::max(sum[i][v], V::abs(t));
            }
        }
    }
}

template <class T, Sum kind>
int64_t screen(const T* queries, int64_t rows, const T* panel, int64_t d, const T* thresholds, Hit* hits) {
    using V = Vec<T>;
    Hit* end = hits;
    for (int64_t r = 0; r < rows; r += kRows) {
        uint32_t found[kRows] = {};
        uint32_t any = 0;
        for (int column = 0; column < kPanel; column += kVectors * V::lanes) {
            Sums<T> sum;
            add_up<T, kind>(sum, queries + r * d, panel, d, column);
            for (int i = 0; i < kRows; ++i) {
                const auto limit = V::set(thresholds[r + i]);
                for (int v = 0; v < kVectors; ++v)
                    found[i] |= (kind == Sum::products ? V::le(limit, sum[i][v]) : V::le(sum[i][v], limit))
                                << (column + v * V::lanes);
                any |= found[i];
            }
        }
        if (any)
            for (int i = 0; i < kRows; ++i)
                if (found[i]) *end++ = {uint32_t(r + i), found[i]};
    }
    return end - hits;
}

// The k-th smallest of kPanel values; equal ones count once, which makes it larger.
template <class T>
T kth_smallest(const T* values, int64_t k) {
    using V = Vec<T>;
    constexpr int parts = kPanel / V::lanes;
    typename V::R least[parts];
    for (int v = 0; v < parts; ++v) least[v] = V::load(values + v * V::lanes);
    T bound = 0;
    for (int64_t i = 0; i < k; ++i) {
        auto smallest = least[0];
        for (int v = 1; v < parts; ++v) smallest = V::min(smallest, least[v]);
        bound = least_lane<T>(smallest);
        for (int v = 0; v < parts; ++v) least[v] = V::drop(least[v], V::set(bound));
    }
    return bound;
}

template <class T, Sum kind>
void seed(const T* queries, int64_t rows, const T* panels, int64_t count, int64_t d, int64_t own, int64_t k,
          T* bounds) {
    using V = Vec<T>;
    // A load that starts kPanel - lane into this array has inf in that lane, and 0 in the others.
    T mark[3 * kPanel] = {};
    mark[kPanel] = T(__builtin_inf());
    for (int64_t r = 0; r < rows; r += kRows) {
        T least[kRows][kPanel];
        for (int i = 0; i < kRows; ++i)
            for (int lane = 0; lane < kPanel; ++lane) least[i][lane] = T(__builtin_inf());
        for (int64_t panel = 0; panel < count; ++panel)
            for (int column = 0; column < kPanel; column += kVectors * V::lanes) {
                Sums<T> sum;
                add_up<T, kind>(sum, queries + r * d, panels + panel * d * kPanel, d, column);
                for (int i = 0; i < kRows; ++i) {
                    const int64_t lane = own + r + i - panel * kPanel;
                    const T* itself = lane >= 0 && lane < kPanel ? mark + kPanel - lane : mark + 2 * kPanel;
                    for (int v = 0; v < kVectors; ++v) {
                        const int at = column + v * V::lanes;
                        const auto others = V::add(sum[i][v], V::load(itself + at));
                        V::store(least[i] + at, V::min(others, V::load(least[i] + at)));
                    }
                }
            }
        for (int i = 0; i < kRows && r + i < rows; ++i) bounds[r + i] = kth_smallest(least[i], k);
    }
}

template <class T, Metric metric>
double exact(const T* a, const T* b, int64_t d) {
    return exact_distance(a, b, d, metric);
}

template <class T>
constexpr ScreenKernels<T> kernels() {
    return {{screen<T, Sum::squares>, screen<T, Sum::largest>},
            screen<T, Sum::products>,
            {seed<T, Sum::squares>, seed<T, Sum::largest>},
            {exact<T, Metric::euclidean>, exact<T, Metric::chebyshev>}};
}

}  // namespace
}  // namespace entropix
