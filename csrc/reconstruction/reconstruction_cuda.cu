// Reconstruction error on CUDA: bound by memory, so every thread has several 16-byte loads of both inputs in
// flight. A block takes one piece of one image; images are cut only where there are too few of them to fill
// the device. Small images have a warp each, and a block of one warp needs no barrier.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>

#include "common/cuda_check.h"
#include "reconstruction/reconstruction.h"

namespace entropix {
namespace {

constexpr int kThreads = 256;
constexpr int kInFlight = 4;              // loads of each input before the first is used
constexpr int64_t kSmall = 2 * kThreads;  // loads of an image up to which a warp takes all of it

template <class Out, class In>
__device__ __forceinline__ Out widen(In v) {
    return Out(v);
}
template <>
__device__ __forceinline__ float widen<float, __half>(__half v) {
    return __half2float(v);
}
template <>
__device__ __forceinline__ float widen<float, __nv_bfloat16>(__nv_bfloat16 v) {
    return __bfloat162float(v);
}

// `count` neighbours in memory, read or written at once.
template <class T, int count>
struct __align__(sizeof(T) * count) Pack {
    T value[count];
};

template <int threads>
__device__ __forceinline__ double block_sum(double v, double* shared) {
    for (int lane = 16; lane > 0; lane /= 2) v += __shfl_down_sync(0xffffffffu, v, lane);
    if (threads == 32) return v;
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = v;
    __syncthreads();
    v = threadIdx.x < threads / 32 ? shared[threadIdx.x] : 0.0;
    if (threadIdx.x < 32)
        for (int lane = threads / 64; lane > 0; lane /= 2) v += __shfl_down_sync(0xffffffffu, v, lane);
    __syncthreads();
    return v;  // in thread 0
}

template <class Out>
__device__ __forceinline__ void finish(const ReconstructionProblem& r, int64_t image, double sum,
                                       double kept) {
    static_cast<Out*>(r.error)[image] = Out(sum / kept);  // 0 / 0 is NaN, as the contract says
}

// `plain`: neither weight, mask nor map. Else they are looked up at run time: the branches are the same for
// all threads.
template <class In, class Out, int width, bool plain, int threads>
__global__ void __launch_bounds__(threads, 1)
    energy(ReconstructionProblem r, int64_t pieces, double* partial) {
    using Input = Pack<In, width>;
    static __shared__ double shared[threads / 32];
    const int64_t image = blockIdx.x / pieces, piece = blockIdx.x % pieces;
    const auto x = reinterpret_cast<const Input*>(static_cast<const In*>(r.x) + image * r.p);
    const auto x_hat = reinterpret_cast<const Input*>(static_cast<const In*>(r.x_hat) + image * r.p);
    const auto weight = reinterpret_cast<const Pack<Out, width>*>(static_cast<const Out*>(r.weight) +
                                                                  image * r.weight_stride);
    const auto mask = reinterpret_cast<const Pack<uint8_t, width>*>(r.mask + image * r.mask_stride);
    const auto map = reinterpret_cast<Pack<Out, width>*>(static_cast<Out*>(r.map) + image * r.p);
    const bool weighted = !plain && r.weight, masked = !plain && r.mask, mapped = !plain && r.map;
    const int64_t packs = r.p / width;  // width divides p
    const int64_t begin = piece * packs / pieces, end = (piece + 1) * packs / pieces;
    double sum = 0;
    int64_t kept = 0;
    for (int64_t first = begin + threadIdx.x; first < end; first += threads * kInFlight) {
        Input a[kInFlight], b[kInFlight];
#pragma unroll
        for (int i = 0; i < kInFlight; ++i)
            if (first + i * threads < end) {
                a[i] = x[first + i * threads];
                b[i] = x_hat[first + i * threads];
            }
        Out part = 0;
#pragma unroll
        for (int i = 0; i < kInFlight; ++i) {
            const int64_t at = first + i * threads;
            if (at >= end) break;
            Pack<Out, width> e, w;
            Pack<uint8_t, width> keep;
            if (weighted) w = weight[at];
            if (masked) keep = mask[at];
#pragma unroll
            for (int j = 0; j < width; ++j) {
                const Out t = widen<Out>(a[i].value[j]) - widen<Out>(b[i].value[j]);
                Out v = t * t;
                if (weighted) v *= w.value[j];
                if (masked) {
                    v = keep.value[j] ? v : Out(0);
                    kept += keep.value[j];
                }
                e.value[j] = v;
                part += v;
            }
            if (mapped) map[at] = e;
        }
        sum += double(part);
    }
    sum = block_sum<threads>(sum, shared);
    const double count = masked ? block_sum<threads>(double(kept), shared) : double((end - begin) * width);
    if (threadIdx.x != 0) return;
    if (pieces == 1) {
        finish<Out>(r, image, sum, count);
    } else {
        partial[2 * blockIdx.x] = sum;
        partial[2 * blockIdx.x + 1] = count;
    }
}

template <class Out>
__global__ void __launch_bounds__(kThreads)
    add_pieces(ReconstructionProblem r, int64_t pieces, const double* partial) {
    const int64_t image = int64_t(blockIdx.x) * kThreads + threadIdx.x;
    if (image >= r.n) return;
    double sum = 0, kept = 0;
    for (int64_t piece = 0; piece < pieces; ++piece) {
        sum += partial[2 * (image * pieces + piece)];
        kept += partial[2 * (image * pieces + piece) + 1];
    }
    finish<Out>(r, image, sum, kept);
}

template <class In, class Out, int width>
void launch_energy(const ReconstructionProblem& r, int64_t pieces, double* partial, cudaStream_t stream) {
    const bool plain = !r.weight && !r.mask && !r.map;
    const bool small = r.p / width <= kSmall;
    const auto function = small ? plain ? energy<In, Out, width, true, 32> : energy<In, Out, width, false, 32>
                          : plain ? energy<In, Out, width, true, kThreads>
                                  : energy<In, Out, width, false, kThreads>;
    launch("reconstruction_error", function, r.n * pieces, small ? 32 : kThreads, 0, stream, r, pieces,
           partial);
    if (pieces > 1)
        launch("reconstruction_error sum", add_pieces<Out>, (r.n + kThreads - 1) / kThreads, kThreads, 0,
               stream, r, pieces, static_cast<const double*>(partial));
}

template <class In, class Out>
void with_width(const ReconstructionProblem& r, int64_t pieces, double* partial, cudaStream_t stream) {
    constexpr int width = 16 / sizeof(In);
    const auto aligned = [](const void* address, size_t bytes) {
        return reinterpret_cast<uintptr_t>(address) % bytes == 0;
    };
    if (r.p % width == 0 && aligned(r.x, 16) && aligned(r.x_hat, 16) &&
        aligned(r.weight, width * sizeof(Out)) && aligned(r.mask, width) &&
        aligned(r.map, width * sizeof(Out)))
        launch_energy<In, Out, width>(r, pieces, partial, stream);
    else
        launch_energy<In, Out, 1>(r, pieces, partial, stream);
}

}  // namespace

int64_t reconstruction_error_cuda_pieces(int64_t n, int64_t p) {
    const int64_t wanted = 16 * int64_t(multiprocessors()), least = 4096;  // blocks, and pixels per piece
    return std::max<int64_t>(1, std::min(wanted / std::max<int64_t>(n, 1), p / least));
}

void reconstruction_error_cuda(const ReconstructionProblem& r, int64_t pieces, void* workspace,
                               void* stream_handle) {
    const auto stream = static_cast<cudaStream_t>(stream_handle);
    const auto partial = static_cast<double*>(workspace);
    switch (r.type) {
        case Scalar::float32:
            return with_width<float, float>(r, pieces, partial, stream);
        case Scalar::float64:
            return with_width<double, double>(r, pieces, partial, stream);
        case Scalar::float16:
            return with_width<__half, float>(r, pieces, partial, stream);
        case Scalar::bfloat16:
            return with_width<__nv_bfloat16, float>(r, pieces, partial, stream);
    }
    throw std::invalid_argument("reconstruction_error: unknown scalar type");
}

}  // namespace entropix
