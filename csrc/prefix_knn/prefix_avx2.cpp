#if defined(__x86_64__)
#include "prefix_knn/prefix_panel_body.h"

namespace entropix {
const PrefixPanel<float> prefix_float_avx2 = prefix_panel<float>;
const PrefixPanel<double> prefix_double_avx2 = prefix_panel<double>;
}  // namespace entropix
#endif
