#if defined(__x86_64__)
#include "knn/screen_body.h"

namespace entropix {
const ScreenKernels<float> screen_float_avx512 = kernels<float>();
const ScreenKernels<double> screen_double_avx512 = kernels<double>();
}  // namespace entropix
#endif
