#include "knn/screen.h"

#include <algorithm>
#include <cmath>

#include "common/simd_level.h"

namespace entropix {

template <>
const ScreenKernels<float>& screen_kernels<float>() {
#if defined(__x86_64__)
    if (simd_level() == SimdLevel::avx512) return screen_float_avx512;
    if (simd_level() == SimdLevel::avx2) return screen_float_avx2;
#endif
    return screen_float_portable;
}

template <>
const ScreenKernels<double>& screen_kernels<double>() {
#if defined(__x86_64__)
    if (simd_level() == SimdLevel::avx512) return screen_double_avx512;
    if (simd_level() == SimdLevel::avx2) return screen_double_avx2;
#endif
    return screen_double_portable;
}

template <class T>
double exact_distance(const ScreenKernels<T>& kernels, const T* a, const T* b, int64_t d, Metric metric) {
    if (d >= 8) return kernels.exact[int(metric)](a, b, d);
    double sum = 0;
    for (int64_t c = 0; c < d; ++c) {
        const double t = double(a[c]) - double(b[c]);
        sum = metric == Metric::euclidean ? sum + t * t : std::max(sum, std::abs(t));
    }
    return sum;
}

template double exact_distance(const ScreenKernels<float>&, const float*, const float*, int64_t, Metric);
template double exact_distance(const ScreenKernels<double>&, const double*, const double*, int64_t, Metric);

}  // namespace entropix
