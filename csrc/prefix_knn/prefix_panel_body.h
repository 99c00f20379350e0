// The body behind prefix_panel.h, included by prefix_<instruction set>.cpp. Internal linkage only, see
// simd.h.
#pragma once
#include "common/simd.h"
#include "common/smallest.h"
#include "knn/screen.h"
#include "prefix_knn/prefix_panel.h"

namespace entropix {
namespace {

constexpr int kVectors = 2;

template <class T>
void insert(T* list, int64_t k, T value) {
    int64_t place = k - 1;
    for (; place > 0 && value < list[place - 1]; --place) list[place] = list[place - 1];
    list[place] = value;
}

// One row and one run with a comparison at every prefix. `lane` is the row's own lane relative to `column`.
template <class T>
__attribute__((noinline)) void compare_run(const PrefixBlock<T>& b, int64_t row, const Run& run,
                                           const T* panel, int64_t lane, typename Vec<T>::R total0,
                                           typename Vec<T>::R total1) {
    using V = Vec<T>;
    const T* q = b.queries + row * b.d;
    const uint32_t others = lane >= 0 && lane < kVectors * V::lanes ? ~(uint32_t(1) << lane) : ~uint32_t(0);
    auto part0 = V::set(0), part1 = V::set(0);
    int64_t c = run.begin;
    for (int64_t j = run.prefix_begin; j < run.prefix_end; ++j) {
        for (; c < b.prefixes[j]; ++c) {
            const auto qc = V::set(q[c]);
            const auto t0 = V::sub(V::load(panel + c * kPanel), qc);
            const auto t1 = V::sub(V::load(panel + c * kPanel + V::lanes), qc);
            part0 = V::fma(t0, t0, part0);
            part1 = V::fma(t1, t1, part1);
        }
        T& threshold = b.thresholds[row * b.count + j];
        const auto sum0 = V::add(total0, part0), sum1 = V::add(total1, part1), limit = V::set(threshold);
        uint32_t near = (V::lt(sum0, limit) | V::lt(sum1, limit) << V::lanes) & others;
        if (!near) continue;
        T sums[kVectors * V::lanes];
        V::store(sums, sum0);
        V::store(sums + V::lanes, sum1);
        T* list = b.lists + (row * b.count + j) * b.k;
        for (; near; near &= near - 1) {
            const T value = sums[__builtin_ctz(near)];
            if (value < list[b.k - 1]) insert(list, b.k, value);
        }
        if (list[b.k - 1] < threshold) threshold = list[b.k - 1];
    }
}

// minima: scratch [kPrefixRows, count, kPanel].
template <class T>
void prefix_seed(const PrefixBlock<T>& b, const T* panels, int64_t begin, int64_t end, int64_t own_begin,
                 int64_t own_end, T* minima) {
    using V = Vec<T>;
    const T slack = 1 + T(b.d + 4) * (sizeof(T) == 4 ? T(0x1p-23) : T(0x1p-52));
    for (int64_t r = 0; r < b.rows; r += kPrefixRows) {
        for (int64_t i = 0; i < kPrefixRows * b.count * kPanel; ++i) minima[i] = T(__builtin_inf());
        for (int64_t panel = begin; panel < end; ++panel) {
            if (panel >= own_begin && panel < own_end) continue;
            for (int column = 0; column < kPanel; column += kVectors * V::lanes) {
                const T* p = panels + panel * b.d * kPanel + column;
                typename V::R sum[kPrefixRows][kVectors];
                for (int i = 0; i < kPrefixRows; ++i)
                    for (int v = 0; v < kVectors; ++v) sum[i][v] = V::set(0);
                int64_t c = 0;
                for (int64_t j = 0; j < b.count; ++j) {
                    for (; c < b.prefixes[j]; ++c)
                        for (int i = 0; i < kPrefixRows; ++i) {
                            const auto qi = V::set(b.queries[(r + i) * b.d + c]);
                            for (int v = 0; v < kVectors; ++v) {
                                const auto t = V::sub(V::load(p + c * kPanel + v * V::lanes), qi);
                                sum[i][v] = V::fma(t, t, sum[i][v]);
                            }
                        }
                    for (int i = 0; i < kPrefixRows; ++i)
                        for (int v = 0; v < kVectors; ++v) {
                            T* least = minima + (i * b.count + j) * kPanel + column + v * V::lanes;
                            V::store(least, V::min(sum[i][v], V::load(least)));
                        }
                }
            }
        }
        for (int64_t i = 0; i < kPrefixRows; ++i)
            for (int64_t j = 0; j < b.count; ++j) {
                const T* least = minima + (i * b.count + j) * kPanel;
                T& threshold = b.thresholds[(r + i) * b.count + j];
                const T bound = bound_of_smallest(least, kPanel, b.k) * slack +
                                (sizeof(T) == 4 ? T(0x1p-126) : T(0x1p-1022));
                if (bound < threshold) threshold = bound;
            }
    }
}

template <class T>
void prefix_panel(const PrefixBlock<T>& b, const T* panel, int64_t own) {
    using V = Vec<T>;
    for (int64_t r = 0; r < b.rows; r += kPrefixRows) {
        const T* q = b.queries + r * b.d;
        for (int column = 0; column < kPanel; column += kVectors * V::lanes) {
            typename V::R total[kPrefixRows][kVectors];
            for (int i = 0; i < kPrefixRows; ++i)
                for (int v = 0; v < kVectors; ++v) total[i][v] = V::set(0);
            for (const Run* run = b.runs; run < b.runs + b.run_count; ++run) {
                if (run->prefix_begin < run->prefix_end) {
                    for (int i = 0; i < kPrefixRows; ++i) {
                        const auto limit = V::set(b.thresholds[(r + i) * b.count + run->prefix_end - 1]);
                        if (V::lt(total[i][0], limit) | V::lt(total[i][1], limit))
                            compare_run(b, r + i, *run, panel + column, own + r + i - column, total[i][0],
                                        total[i][1]);
                    }
                }
                typename V::R part[kPrefixRows][kVectors];
                for (int i = 0; i < kPrefixRows; ++i)
                    for (int v = 0; v < kVectors; ++v) part[i][v] = V::set(0);
                for (int64_t c = run->begin; c < run->end; ++c) {
                    const T* p = panel + c * kPanel + column;
                    const auto p0 = V::load(p), p1 = V::load(p + V::lanes);
                    for (int i = 0; i < kPrefixRows; ++i) {
                        const auto qi = V::set(q[i * b.d + c]);
                        const auto t0 = V::sub(p0, qi), t1 = V::sub(p1, qi);
                        part[i][0] = V::fma(t0, t0, part[i][0]);
                        part[i][1] = V::fma(t1, t1, part[i][1]);
                    }
                }
                for (int i = 0; i < kPrefixRows; ++i)
                    for (int v = 0; v < kVectors; ++v) total[i][v] = V::add(total[i][v], part[i][v]);
            }
        }
    }
}

}  // namespace
}  // namespace entropix
