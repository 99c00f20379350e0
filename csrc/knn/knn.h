// Nearest neighbours: the contract of every kernel in this folder, on the CPU and on CUDA.
//
// Arrays are dense and row-major; T is float or double. Batches are independent. `query` null means the
// points themselves, and then no point is its own neighbour (by index: a duplicate at distance 0 is a
// neighbour). A distance is evaluated in double from the given coordinates (exact.h) and rounded once, to T.
// Neighbours ascend by that double; equal ones by index. No result depends on the number of threads, the
// instruction set or the tiling. Limits, checked by the callers: 1 <= k, k <= n (n - 1 without query), finite
// coordinates.
#pragma once
#include <cstdint>

namespace entropix {

enum class Metric : int { euclidean = 0, chebyshev = 1 };

template <class T>
struct KnnProblem {
    const T* x;      // [batch, n, d]
    const T* query;  // [batch, m, d], or null
    int64_t batch, n, m, d, k;
    Metric metric;
    T* distances;      // [batch, m, k], not squared
    int64_t* indices;  // [batch, m, k]
};

template <class T>
void knn_cpu(const KnnProblem<T>& problem, int threads);

// On CUDA the points are searched in `splits` parts, merged at the end. The caller allocates the workspace.
// Rows with NaN or inf get distance inf and index -1 where no neighbour is left.
struct KnnPlan {
    int64_t splits, workspace_bytes;
};
template <class T>
KnnPlan knn_cuda_plan(const KnnProblem<T>& problem);
template <class T>
void knn_cuda(const KnnProblem<T>& problem, int64_t splits, void* workspace, void* stream);

}  // namespace entropix
