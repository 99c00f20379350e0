// CUDA errors become exceptions that name the call; nothing here synchronises.
#pragma once
#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

namespace entropix {

inline void cuda_check(cudaError_t error, const char* call) {
    if (error == cudaSuccess) return;
    cudaGetLastError();  // or the next call would report this error again
    throw std::runtime_error(std::string(call) + " failed: " + cudaGetErrorName(error) + ", " +
                             cudaGetErrorString(error));
}

inline int multiprocessors() {
    int device = 0, count = 0;
    cuda_check(cudaGetDevice(&device), "cudaGetDevice");
    cuda_check(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device),
               "cudaDeviceGetAttribute");
    return count;
}

extern __shared__ __align__(16) unsigned char dynamic_shared_bytes[];

// The block's dynamic shared memory, 16-byte aligned.
__device__ __forceinline__ unsigned char* dynamic_shared() { return dynamic_shared_bytes; }

// Launches on a stream with dynamic shared memory, raising the kernel's limit where it needs more than the
// default.
template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), int64_t blocks, int threads, size_t shared,
            cudaStream_t stream, Arguments... arguments) {
    if (blocks == 0) return;
    if (blocks > 0x7fffffff)
        throw std::invalid_argument(std::string(name) + ": too many rows for one launch");
    if (shared > 48 * 1024)
        cuda_check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared)),
                   name);
    kernel<<<unsigned(blocks), threads, shared, stream>>>(arguments...);
    cuda_check(cudaGetLastError(), name);
}

}  // namespace entropix
