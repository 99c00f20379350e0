#include "knn/screen.h"

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

}  // namespace entropix
