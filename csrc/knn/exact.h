// The distance that decides, and how far a screen in T may stray from it; the same bits on the host and the
// device.
#pragma once
#include <cmath>
#include <cstdint>

#include "knn/knn.h"

#if defined(__CUDACC__)
#define ENTROPIX_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define ENTROPIX_HOST_DEVICE inline
#endif

namespace entropix {

// Distance of two rows in double, squared for euclidean. Eight interleaved partial sums, which vectors of any
// width take in the same order, and no fused products: both compilers are told not to contract. Static, as it
// is compiled per instruction set (simd.h).
template <class T>
static ENTROPIX_HOST_DEVICE double exact_distance(const T* a, const T* b, int64_t d, Metric metric) {
    double largest = 0, total = 0;
    if (metric == Metric::chebyshev) {
        for (int64_t c = 0; c < d; ++c) {
            const double t = fabs(double(a[c]) - double(b[c]));
            largest = t > largest ? t : largest;
        }
        return largest;
    }
    if (d < 8) {
        for (int64_t c = 0; c < d; ++c) {
            const double t = double(a[c]) - double(b[c]);
            total += t * t;
        }
        return total;
    }
    double sum[8] = {};
    int64_t c = 0;
    for (; c + 8 <= d; c += 8)
        for (int i = 0; i < 8; ++i) {
            const double t = double(a[c + i]) - double(b[c + i]);
            sum[i] += t * t;
        }
    for (int i = 0; i < 8 && c < d; ++i, ++c) {
        const double t = double(a[c]) - double(b[c]);
        sum[i] += t * t;
    }
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

// Bounds of a screen's rounding errors when it sums d squares in T, in any order: relative, and absolute
// where squares underflow. Both are generous.
template <class T>
ENTROPIX_HOST_DEVICE double relative_slack(int64_t d) {
    return double(d + 4) * (sizeof(T) == 4 ? 0x1p-23 : 0x1p-52);
}
template <class T>
ENTROPIX_HOST_DEVICE double underflow_slack(int64_t d) {
    return double(d + 1) * (sizeof(T) == 4 ? 0x1p-149 : 0x1p-1074);
}

// A screened distance of at most `distance` in double is never above this threshold.
template <class T>
ENTROPIX_HOST_DEVICE T widened(double distance, int64_t d) {
    const double wide = distance * (1 + 2 * relative_slack<T>(d)) + underflow_slack<T>(d);
    return T(wide) * (1 + (sizeof(T) == 4 ? T(0x1p-23) : T(0x1p-52)));  // the cast may have rounded down
}

}  // namespace entropix
