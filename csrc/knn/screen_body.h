// The bodies behind screen.h, included by screen_<instruction set>.cpp. Internal linkage only, see simd.h.
#pragma once
#include "common/simd.h"
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

template <class T, Metric metric>
int64_t screen(const T* queries, int64_t rows, const T* panel, int64_t d, const T* thresholds, Hit* hits) {
    using V = Vec<T>;
    constexpr int step = kVectors * V::lanes;
    Hit* end = hits;
    for (int64_t r = 0; r < rows; r += kRows) {
        const T* q = queries + r * d;
        uint32_t found[kRows] = {};
        uint32_t any = 0;
        for (int column = 0; column < kPanel; column += step) {
            typename V::R sum[kRows][kVectors];
            for (int i = 0; i < kRows; ++i)
                for (int v = 0; v < kVectors; ++v) sum[i][v] = V::set(0);
            for (int64_t c = 0; c < d; ++c) {
                typename V::R p[kVectors];
                for (int v = 0; v < kVectors; ++v) p[v] = V::load(panel + c * kPanel + column + v * V::lanes);
                for (int i = 0; i < kRows; ++i) {
                    const auto qi = V::set(q[i * d + c]);
                    for (int v = 0; v < kVectors; ++v) {
                        const auto t = V::sub(p[v], qi);
                        if (metric == Metric::euclidean)
                            sum[i][v] = V::fma(t, t, sum[i][v]);
                        else
                            sum[i][v] = V::max(sum[i][v], V::abs(t));
                    }
                }
            }
            for (int i = 0; i < kRows; ++i) {
                const auto threshold = V::set(thresholds[r + i]);
                for (int v = 0; v < kVectors; ++v)
                    found[i] |= V::le(sum[i][v], threshold) << (column + v * V::lanes);
                any |= found[i];
            }
        }
        if (any)
            for (int i = 0; i < kRows; ++i)
                if (found[i]) *end++ = {uint32_t(r + i), found[i]};
    }
    return end - hits;
}

template <class T, Metric metric>
void seed(const T* queries, int64_t rows, const T* panels, int64_t count, int64_t d, int64_t own, int64_t k,
          T* bounds) {
    using V = Vec<T>;
    constexpr int parts = kPanel / V::lanes;
    // A load that starts kPanel - lane into this array has inf in that lane, and 0 in the others.
    T mark[3 * kPanel] = {};
    mark[kPanel] = T(__builtin_inf());
    for (int64_t r = 0; r < rows; ++r) {
        const T* q = queries + r * d;
        typename V::R least[parts];
        for (int v = 0; v < parts; ++v) least[v] = V::set(T(__builtin_inf()));
        for (int64_t panel = 0; panel < count; ++panel) {
            const T* p = panels + panel * d * kPanel;
            const int64_t lane = own + r - panel * kPanel;
            const T* itself = lane >= 0 && lane < kPanel ? mark + kPanel - lane : mark + 2 * kPanel;
            typename V::R sum[parts];
            for (int v = 0; v < parts; ++v) sum[v] = V::load(itself + v * V::lanes);
            for (int64_t c = 0; c < d; ++c) {
                const auto qc = V::set(q[c]);
                for (int v = 0; v < parts; ++v) {
                    const auto t = V::sub(V::load(p + c * kPanel + v * V::lanes), qc);
                    if (metric == Metric::euclidean)
                        sum[v] = V::fma(t, t, sum[v]);
                    else
                        sum[v] = V::max(sum[v], V::abs(t));
                }
            }
            for (int v = 0; v < parts; ++v) least[v] = V::min(sum[v], least[v]);
        }
        T bound = 0;
        for (int64_t i = 0; i < k; ++i) {  // equal minima are dropped at once, and the bound stays one
            auto smallest = least[0];
            for (int v = 1; v < parts; ++v) smallest = V::min(smallest, least[v]);
            bound = least_lane<T>(smallest);
            for (int v = 0; v < parts; ++v) least[v] = V::drop(least[v], V::set(bound));
        }
        bounds[r] = bound;
    }
}

template <class T>
constexpr ScreenKernels<T> kernels() {
    return {{screen<T, Metric::euclidean>, screen<T, Metric::chebyshev>},
            {seed<T, Metric::euclidean>, seed<T, Metric::chebyshev>}};
}

}  // namespace
}  // namespace entropix
