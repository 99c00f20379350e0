// The bodies behind screen.h, included by screen_<instruction set>.cpp. Internal linkage only, see simd.h.
#pragma once
#include "common/simd.h"
#include "common/smallest.h"
#include "knn/exact.h"
#include "knn/knn.h"
#include "knn/screen.h"

namespace entropix {
namespace {

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kRows = kQueryRows, kProductRows = kQueryRows;
#elif defined(__AVX2__)
constexpr int kRows = 4, kProductRows = 6;
#else
constexpr int kRows = 4, kProductRows = 4;
#endif
constexpr int kVectors = 2;

enum class Sum { squares, largest, products };  // the first two are those of Metric

template <class T, int tile>
using Sums = typename Vec<T>::R[tile][kVectors];  // of `tile` rows with kVectors vectors of points

// Adds the rows at q [tile, d] with the points of a panel from `column` on to `sum`, or takes the largest.
template <class T, Sum kind, int tile>
inline __attribute__((always_inline)) void add_up(Sums<T, tile>& sum, const T* q, const T* panel, int64_t d,
                                                  int column) {
    using V = Vec<T>;
    const T* p = panel + column;
    for (int64_t c = 0; c < d; ++c, p += kPanel) {
        typename V::R point[kVectors];
        for (int v = 0; v < kVectors; ++v) point[v] = V::load(p + v * V::lanes);
        for (int i = 0; i < tile; ++i) {
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

// Rows [first, first + tile) with a panel; writes their hits and returns the place behind them.
template <class T, Sum kind, bool pairs, int tile>
inline __attribute__((always_inline)) Hit* screen_tile(const Screened<T>& s, int64_t first, Hit* hits) {
    using V = Vec<T>;
    const T* panel = kind == Sum::products ? s.panel + kPanel : s.panel;
    uint32_t found[tile] = {};
    uint32_t any = 0;
    for (int column = 0; column < kPanel; column += kVectors * V::lanes) {
        Sums<T, tile> sum;
        for (int i = 0; i < tile; ++i)
            for (int v = 0; v < kVectors; ++v) {
                sum[i][v] = kind == Sum::products ? V::load(s.panel + column + v * V::lanes) : V::set(0);
                if (kind == Sum::products && pairs)
                    sum[i][v] = V::add(sum[i][v], V::set(s.starts[first + i]));
            }
        add_up<T, kind, tile>(sum, s.queries + first * s.d, panel, s.d, column);
        for (int i = 0; i < tile; ++i) {
            for (int v = 0; v < kVectors; ++v) {
                const int at = column + v * V::lanes;
                auto limit = V::set(s.thresholds[first + i]);
                if (pairs && kind == Sum::products) limit = V::min(limit, V::load(s.columns + at));
                if (pairs && kind != Sum::products) limit = V::max(limit, V::load(s.columns + at));
                found[i] |= (kind == Sum::products ? V::le(limit, sum[i][v]) : V::le(sum[i][v], limit)) << at;
            }
            any |= found[i];
        }
    }
    if (any)
        for (int i = 0; i < tile; ++i)
            if (found[i]) *hits++ = {uint32_t(first + i), found[i]};
    return hits;
}

template <class T, Sum kind, bool pairs>
int64_t screen_rows(const Screened<T>& s, Hit* hits) {
    constexpr int tile = kind == Sum::products ? kProductRows : kRows;
    Hit* end = hits;
    int64_t r = 0;
    for (; (s.rows - r) % tile; r += kRows) end = screen_tile<T, kind, pairs, kRows>(s, r, end);
    for (; r < s.rows; r += tile) end = screen_tile<T, kind, pairs, tile>(s, r, end);
    return end - hits;
}

template <class T, Sum kind>
int64_t screen(const Screened<T>& s, Hit* hits) {
    return s.columns ? screen_rows<T, kind, true>(s, hits) : screen_rows<T, kind, false>(s, hits);
}

template <class T, Sum kind>
void seed(const Seeds<T>& s, T* bounds) {
    using V = Vec<T>;
    constexpr bool products = kind == Sum::products;
    // A load that starts kPanel - lane into this array has inf in that lane, and 0 in the others.
    T mark[3 * kPanel] = {};
    mark[kPanel] = T(__builtin_inf());
    const int64_t groups = (s.k + kSeedLimit - 1) / kSeedLimit, step = (s.d + products) * kPanel;
    for (int64_t r = 0; r < s.rows; r += kRows) {
        T least[kRows][kMostGroups * kPanel];
        for (int i = 0; i < kRows; ++i)
            for (int64_t lane = 0; lane < groups * kPanel; ++lane) least[i][lane] = T(__builtin_inf());
        for (int64_t at = 0; at < s.count; ++at) {
            const T* panel = s.panels + at * step;
            for (int column = 0; column < kPanel; column += kVectors * V::lanes) {
                Sums<T, kRows> sum;
                for (auto& row : sum)
                    for (int v = 0; v < kVectors; ++v)
                        row[v] = products ? V::fma(V::load(panel + column + v * V::lanes), V::set(s.widen),
                                                   V::set(0))
                                          : V::set(0);
                add_up<T, kind, kRows>(sum, s.queries + r * s.d, products ? panel + kPanel : panel, s.d,
                                       column);
                for (int i = 0; i < kRows; ++i) {
                    const int64_t lane = s.own + r + i - at * kPanel;
                    const T* itself = lane >= 0 && lane < kPanel ? mark + kPanel - lane : mark + 2 * kPanel;
                    T* group = least[i] + at % groups * kPanel;
                    for (int v = 0; v < kVectors; ++v) {
                        const int lanes = column + v * V::lanes;
                        const auto distance =
                            products ? V::fma(sum[i][v], V::set(-2), V::set(s.squares[r + i])) : sum[i][v];
                        const auto others = V::add(distance, V::load(itself + lanes));
                        V::store(group + lanes, V::min(others, V::load(group + lanes)));
                    }
                }
            }
        }
        for (int i = 0; i < kRows && r + i < s.rows; ++i)
            bounds[r + i] = bound_of_smallest(least[i], groups * kPanel, s.k);
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
            seed<T, Sum::products>,
            {exact<T, Metric::euclidean>, exact<T, Metric::chebyshev>}};
}

}  // namespace
}  // namespace entropix
