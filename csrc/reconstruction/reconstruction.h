// Reconstruction error: the contract, on the CPU and on CUDA.
//
//   map[i, p] = weight[i, p] * mask[i, p] * (x[i, p] - x_hat[i, p])^2
//   error[i]  = sum_p map[i, p] / sum_p mask[i, p]
//
// Arrays are dense and row-major. weight and mask hold one row for all images (stride 0) or one per image
// (stride p); a null one counts as 1. Sums are taken in float (double for double input) over short runs, then
// in double; an image without an unmasked pixel has error NaN.
#pragma once
#include <cstdint>

namespace entropix {

enum class Scalar : int { float32 = 0, float64 = 1, float16 = 2, bfloat16 = 3 };

struct ReconstructionProblem {
    const void* x;        // [n, p] of `type`
    const void* x_hat;    // [n, p] of `type`
    const void* weight;   // [1 or n, p] float, or null; double when type is float64
    const uint8_t* mask;  // [1 or n, p], 0 or 1, or null
    int64_t n, p, weight_stride, mask_stride;
    Scalar type;
    void* error;  // [n] float; double when type is float64
    void* map;    // [n, p] like error, or null
};

void reconstruction_error_cpu(const ReconstructionProblem& problem, int threads);

// On CUDA every image is cut into `pieces`; with more than one, the workspace holds n * pieces * 2 doubles.
int64_t reconstruction_error_cuda_pieces(int64_t n, int64_t p);
void reconstruction_error_cuda(const ReconstructionProblem& problem, int64_t pieces, void* workspace,
                               void* stream);

}  // namespace entropix
