#if defined(__x86_64__)
#include "prefix_knn/prefix_panel_body.h"

namespace entropix {
const PrefixKernels<float> prefix_float_avx2 = {prefix_seed<float>, prefix_panel<float>};
const PrefixKernels<double> prefix_double_avx2 = {prefix_seed<double>, prefix_panel<double>};
}  // namespace entropix
#endif
