#if defined(__x86_64__)
#include "knn/screen_body.h"

namespace entropix {
const ScreenKernels<float> screen_float_avx2 = kernels<float>();
const ScreenKernels<double> screen_double_avx2 = kernels<double>();
}  // namespace entropix
#endif
