// Stands in for csrc/common/cuda_check.h and runs CUDA kernels on the host, so that their logic is tested,
// under sanitizers too, where there is no GPU: blocks one after the other, every thread of a block as a
// fiber, barriers and warp functions as points where it gives way to the others. It says nothing about speed,
// nor about races, which compute-sanitizer finds on a GPU (benchmarks/gpu.sh).
#pragma once
#include <cuda_runtime.h>
#include <setjmp.h>
#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#define __launch_bounds__(...)
#define __grid_constant__

// A lane, as a fiber: it runs until a barrier that others have not reached yet, and then gives way.
struct HostLane {
    ucontext_t context;  // for the start; after that jumps, which need no system call
    jmp_buf place;
    bool started = false;
    std::unique_ptr<char[]> stack;
    uint3 thread;
    bool done = false;
};

struct HostBarrier {
    int missing = 0;
    unsigned round = 0;
};

struct HostWarp {
    HostBarrier barrier;
    uint64_t values[32];
};

inline uint3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;
inline std::vector<HostLane> host_lanes;
inline std::vector<HostWarp> host_warps;
inline HostBarrier host_block;
inline ucontext_t host_end;
inline jmp_buf host_scheduler;
inline unsigned host_running;
inline bool host_any;
inline HostWarp* host_warp;

inline void host_wait(HostBarrier& barrier, int members) {
    const unsigned round = barrier.round, self = host_running;
    if (++barrier.missing == members) {
        barrier.missing = 0;
        ++barrier.round;
        return;
    }
    while (barrier.round == round)
        if (!_setjmp(host_lanes[self].place)) _longjmp(host_scheduler, 1);
}

inline void __syncthreads() { host_wait(host_block, int(blockDim.x)); }
inline void __syncwarp() { host_wait(host_warp->barrier, 32); }
inline int __syncthreads_or(int predicate) {
    host_any |= predicate != 0;
    __syncthreads();
    const int any = host_any;
    __syncthreads();
    host_any = false;
    return any;
}

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
inline unsigned __reduce_min_sync(unsigned, unsigned value) {
    return host_exchange(value, [](const auto& of) {
        unsigned least = of(0);
        for (unsigned lane = 1; lane < 32; ++lane) least = of(lane) < least ? of(lane) : least;
        return least;
    });
}
inline unsigned __match_any_sync(unsigned, int value) {
    return host_exchange(value, [=](const auto& of) {
        unsigned bits = 0;
        for (unsigned lane = 0; lane < 32; ++lane) bits |= unsigned(of(lane) == value) << lane;
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
    *at += value;
}

inline int __popc(unsigned value) { return __builtin_popcount(value); }
inline int __float_as_int(float value) {
    int bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return bits;
}
inline long long __double_as_longlong(double value) {
    long long bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return bits;
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

constexpr size_t kHostStack = 128 * 1024;
inline const std::function<void()>* host_body;

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
    blockDim = dim3(unsigned(threads));
    gridDim = dim3(unsigned(blocks));
    for (int64_t block = 0; block < blocks; ++block) {
        blockIdx = {unsigned(block), 0, 0};
        host_block = {};
        host_warps = std::vector<HostWarp>(threads / 32);
        host_lanes = std::vector<HostLane>(threads);
        const std::function<void()> body = [&] {
            kernel(arguments...);
            host_lanes[host_running].done = true;
            _longjmp(host_scheduler, 1);
        };
        for (int i = 0; i < threads; ++i) {
            HostLane& lane = host_lanes[i];
            lane.thread = {unsigned(i), 0, 0};
            lane.stack = std::make_unique<char[]>(kHostStack);
            getcontext(&lane.context);
            lane.context.uc_stack = {lane.stack.get(), 0, kHostStack};
            lane.context.uc_link = &host_end;
            host_body = &body;
            makecontext(&lane.context, [] { (*host_body)(); }, 0);
        }
        for (volatile bool more = true; more;) {
            more = false;
            for (volatile int i = 0; i < threads; i = i + 1) {
                if (host_lanes[i].done) continue;
                more = true;
                host_running = unsigned(i);
                threadIdx = host_lanes[i].thread;
                host_warp = &host_warps[i / 32];
                if (_setjmp(host_scheduler)) continue;
                if (host_lanes[i].started) _longjmp(host_lanes[i].place, 1);
                host_lanes[i].started = true;
                setcontext(&host_lanes[i].context);
            }
        }
    }
}

}  // namespace entropix
