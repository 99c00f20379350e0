// Whether this machine can run the CUDA kernels.
#pragma once
#include <string>

namespace entropix {

// Why the current device can't run the kernels, else "".
std::string cuda_unusable_reason();

}  // namespace entropix
