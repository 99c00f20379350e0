#include "knn/screen_body.h"

namespace entropix {
const ScreenKernels<float> screen_float_portable = kernels<float>();
const ScreenKernels<double> screen_double_portable = kernels<double>();
}  // namespace entropix
