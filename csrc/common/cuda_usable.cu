#include <cuda_runtime.h>

#include "common/cuda_usable.h"

namespace entropix {
namespace {

// Compiled for the same GPUs as every other kernel.
__global__ void nothing() {}

std::string version(int number) {
    return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

}  // namespace

std::string cuda_unusable_reason() {
    int driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    if (driver / 1000 < runtime / 1000)
        return "the GPU's driver " + (driver ? "is for CUDA " + version(driver) : std::string("is missing")) +
               ", and the kernels were built with CUDA " + version(runtime) + ": install a driver for CUDA " +
               std::to_string(runtime / 1000) + ".0 or newer, or build with an older nvcc";
    cudaFuncAttributes attributes;
    const cudaError_t error = cudaFuncGetAttributes(&attributes, nothing);
    if (error == cudaSuccess) return "";
    cudaGetLastError();  // or the next call would report this error again
    return std::string("the GPU can't load the kernels: ") + cudaGetErrorString(error);
}

}  // namespace entropix
