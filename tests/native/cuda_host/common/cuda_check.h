// Stands in for csrc/common/cuda_check.h and runs CUDA kernels on the host, so that their logic is tested,
// under sanitizers too, where there is no GPU: blocks one after the other, every thread of a block as a
// thread, barriers and warp functions as barriers. It says nothing about speed or about the memory model of a
// GPU.
#pragma once
#include <cuda_runtime.h>

#include <barrier>
#include <cmath>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#define __launch_bounds__(...)
#define __grid_constant__

struct HostWarp {
    std::barrier<> barrier{32};
    double values[32];
};

inline thread_local uint3 threadIdx, blockIdx;
inline thread_local dim3 gridDim;
inline thread_local std::barrier<>* host_block = nullptr;
inline thread_local HostWarp* host_warp = nullptr;

inline void __syncthreads() { host_block->arrive_and_wait(); }

inline double __shfl_down_sync(unsigned, double value, int delta) {
    const unsigned lane = threadIdx.x % 32;
    host_warp->values[lane] = value;
    host_warp->barrier.arrive_and_wait();
    const double result = host_warp->values[lane + delta < 32 ? lane + delta : lane];
    host_warp->barrier.arrive_and_wait();
    return result;
}

inline int __any_sync(unsigned, int predicate) {
    double any = predicate ? 1.0 : 0.0;
    host_warp->values[threadIdx.x % 32] = any;
    host_warp->barrier.arrive_and_wait();
    for (const double value : host_warp->values) any = value > any ? value : any;
    host_warp->barrier.arrive_and_wait();
    return any > 0;
}

inline int __ffs(int value) { return __builtin_ffs(value); }
inline int __popc(unsigned value) { return __builtin_popcount(value); }
inline int __popcll(unsigned long long value) { return __builtin_popcountll(value); }
inline float __int_as_float(int bits) {
    float value;
    static_assert(sizeof value == sizeof bits);
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}
inline double __longlong_as_double(long long bits) {
    double value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

namespace entropix {

alignas(16) inline unsigned char host_shared[256 * 1024];
inline unsigned char* dynamic_shared() { return host_shared; }

template <class T>
T max_or_nan(T a, T b) {
    return b > a || b != b ? b : a;
}

inline int multiprocessors() { return 2; }

template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), int64_t blocks, int threads, size_t shared,
            cudaStream_t, Arguments... arguments) {
    if (shared > sizeof host_shared) throw std::runtime_error(std::string(name) + ": too much shared memory");
    for (int64_t block = 0; block < blocks; ++block) {
        std::barrier<> barrier(threads);
        std::vector<std::unique_ptr<HostWarp>> warps;
        for (int i = 0; i < threads; i += 32) warps.push_back(std::make_unique<HostWarp>());
        std::vector<std::thread> all;
        for (int i = 0; i < threads; ++i)
            all.emplace_back([&, i] {
                threadIdx = {unsigned(i), 0, 0};
                blockIdx = {unsigned(block), 0, 0};
                gridDim = dim3(unsigned(blocks));
                host_block = &barrier;
                host_warp = warps[i / 32].get();
                kernel(arguments...);
                barrier.arrive_and_drop();  // a thread that returned early is waited for no more
            });
        for (auto& thread : all) thread.join();
    }
}

}  // namespace entropix
