#include "prefix_knn/prefix_panel_body.h"

namespace entropix {
const PrefixPanel<float> prefix_float_portable = prefix_panel<float>;
const PrefixPanel<double> prefix_double_portable = prefix_panel<double>;
}  // namespace entropix
