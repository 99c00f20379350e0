// Stands in for csrc/common/cuda_check.h and runs CUDA kernels on the host, so that their logic is tested,
// under sanitizers too, where there is no GPU: blocks one after the other, every thread of a block as a
// thread, barriers and warp functions as barriers. It says nothing about speed or about the memory model of a
// GPU.
#pragma once
#include <cuda_runtime.h>

#include <atomic>
#include <barrier>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#define __launch_bounds__(...)
#define __grid_constant__

struct HostWarp {
    std::barrier<> barrier{32};
    uint64_t values[32];
};

inline thread_local uint3 threadIdx, blockIdx;
inline thread_local dim3 blockDim, gridDim;
inline thread_local std::barrier<>* host_block = nullptr;
inline thread_local HostWarp* host_warp = nullptr;

inline void __syncthreads() { host_block->arrive_and_wait(); }
inline void __syncwarp() { host_warp->barrier.arrive_and_wait(); }

// Every lane gives a value; all see all of them in `use`.
template <class T, class Use>
auto host_exchange(T value, const Use& use) {
    static_assert(sizeof(T) <= 8);
    __builtin_memcpy(&host_warp->values[threadIdx.x % 32], &value, sizeof value);
    __syncwarp();
    const auto result = use([](unsigned lane) {
        T other;
        __builtin_memcpy(&other, &host_warp->values[lane], sizeof other);
        return other;
    });
    __syncwarp();
    return result;
}

template <class T>
T __shfl_sync(unsigned, T value, int lane) {
    return host_exchange(value, [=](const auto& of) { return of(unsigned(lane) % 32); });
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
    return host_exchange(value, [=](const auto& of) { return of(threadIdx.x % 32 ^ unsigned(mask)); });
}
template <class T>
T __shfl_down_sync(unsigned, T value, int delta) {
    const unsigned lane = threadIdx.x % 32;
    return host_exchange(value, [=](const auto& of) { return of(lane + delta < 32 ? lane + delta : lane); });
}
inline unsigned __ballot_sync(unsigned, int predicate) {
    return host_exchange(predicate, [](const auto& of) {
        unsigned bits = 0;
        for (unsigned lane = 0; lane < 32; ++lane) bits |= unsigned(of(lane) != 0) << lane;
        return bits;
    });
}
inline int __any_sync(unsigned all, int predicate) { return __ballot_sync(all, predicate) != 0; }
inline unsigned __reduce_or_sync(unsigned, unsigned value) {
    return host_exchange(value, [](const auto& of) {
        unsigned bits = 0;
        for (unsigned lane = 0; lane < 32; ++lane) bits |= of(lane);
        return bits;
    });
}
inline int __reduce_add_sync(unsigned, int value) {
    return host_exchange(value, [](const auto& of) {
        int sum = 0;
        for (unsigned lane = 0; lane < 32; ++lane) sum += of(lane);
        return sum;
    });
}
inline void atomicAdd(unsigned long long* at, unsigned long long value) {
    std::atomic_ref<unsigned long long>(*at) += value;
}

inline int __ffs(int value) { return __builtin_ffs(value); }
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

inline int multiprocessors() { return 2; }
constexpr int kMostWarps = 2;  // fewer than on a GPU, as each lane is a thread

template <class Kernel>
int64_t resident_blocks(const char*, Kernel, int, size_t) {
    return 2 * multiprocessors();
}
inline void set_zero(void* at, size_t bytes, cudaStream_t) { std::memset(at, 0, bytes); }
template <int bytes>
void copy_async(void* to, const void* from) {
    std::memcpy(to, from, bytes);
}
inline void wait_for_copies() {}
template <class T>
T max_or_nan(T a, T b) {
    return b > a || b != b ? b : a;
}

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
                blockDim = dim3(unsigned(threads));
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
