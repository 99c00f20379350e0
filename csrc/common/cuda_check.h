// CUDA errors become exceptions that name the call; nothing here synchronises. Also what the kernels need
// beyond C++ and CUDA's own functions, so that tests/native can stand in for it on a host.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace entropix {

// Of a block of the neighbour kernels.
constexpr int kMostWarps = 8;

inline void cuda_check(cudaError_t error, const char* call) {
    if (error == cudaSuccess) return;
    cudaGetLastError();  // or the next call would report this error again
    throw std::runtime_error(std::string(call) + " failed: " + cudaGetErrorName(error) + ", " +
                             cudaGetErrorString(error));
}

inline int device_attribute(cudaDeviceAttr attribute) {
    int device = 0, value = 0;
    cuda_check(cudaGetDevice(&device), "cudaGetDevice");
    cuda_check(cudaDeviceGetAttribute(&value, attribute, device), "cudaDeviceGetAttribute");
    return value;
}

inline int multiprocessors() { return device_attribute(cudaDevAttrMultiProcessorCount); }

// Lets a kernel have as much dynamic shared memory as the device gives. Always the same value: another
// thread's launch of the same kernel with another size is not hindered.
template <class... Parameters>
void allow_shared(const char* name, void (*kernel)(Parameters...), size_t shared) {
    if (shared <= 48 * 1024) return;
    const int most = device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin);
    cuda_check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most), name);
}

// Blocks that the device holds at a time.
template <class... Parameters>
int64_t resident_blocks(const char* name, void (*kernel)(Parameters...), int threads, size_t shared) {
    int each = 0;
    allow_shared(name, kernel, shared);
    cuda_check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&each, kernel, threads, shared), name);
    return int64_t(each > 0 ? each : 1) * multiprocessors();
}

extern __shared__ __align__(16) unsigned char dynamic_shared_bytes[];

// The block's dynamic shared memory, 16-byte aligned.
__device__ __forceinline__ unsigned char* dynamic_shared() { return dynamic_shared_bytes; }

// Launches on a stream with dynamic shared memory.
template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), int64_t blocks, int threads, size_t shared,
            cudaStream_t stream, Arguments... arguments) {
    if (blocks == 0) return;
    if (blocks > 0x7fffffff)
        throw std::invalid_argument(std::string(name) + ": too many rows for one launch");
    allow_shared(name, kernel, shared);
    kernel<<<unsigned(blocks), threads, shared, stream>>>(arguments...);
    cuda_check(cudaGetLastError(), name);
}

inline void set_zero(void* at, size_t bytes, cudaStream_t stream) {
    cuda_check(cudaMemsetAsync(at, 0, bytes, stream), "cudaMemsetAsync");
}

// Copies `bytes` from global to shared memory, without waiting.
template <int bytes>
__device__ __forceinline__ void copy_async(void* to, const void* from) {
    const unsigned address = unsigned(__cvta_generic_to_shared(to));
    if (bytes == 16)  // past L1
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address), "l"(from) : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(address), "l"(from), "n"(bytes)
                     : "memory");
}
__device__ __forceinline__ void wait_for_copies() { asm volatile("cp.async.wait_all;" ::: "memory"); }

// The larger one, NaN where either is.
__device__ __forceinline__ float max_or_nan(float a, float b) {
    float larger;
    asm("max.NaN.f32 %0, %1, %2;" : "=f"(larger) : "f"(a), "f"(b));
    return larger;
}
__device__ __forceinline__ double max_or_nan(double a, double b) { return b > a || b != b ? b : a; }

}  // namespace entropix
