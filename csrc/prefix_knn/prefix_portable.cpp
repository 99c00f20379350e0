#include "prefix_knn/prefix_panel_body.h"

namespace entropix {
const PrefixKernels<float> prefix_float_portable = {prefix_seed<float>, prefix_panel<float>};
const PrefixKernels<double> prefix_double_portable = {prefix_seed<double>, prefix_panel<double>};
}  // namespace entropix
