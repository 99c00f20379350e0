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

template <class T>
constexpr ScreenKernels<T> kernels() {
    return {{screen<T, Metric::euclidean>, screen<T, Metric::chebyshev>}};
}

}  // namespace
}  // namespace entropix
