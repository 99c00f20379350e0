// Neighbour distances of every prefix of a nested code: the contract, on the CPU and on CUDA.
//
// For each prefix length in `prefixes` (strictly ascending, 1..d) and each point, the euclidean distance to
// its k-th nearest other point when only that many leading coordinates count. Arrays are dense and row-major;
// T is float or double. Squared distances are summed in T from differences, in runs of a few coordinates that
// are then added to a running total, so that the relative error of a distance stays below 1e-5 for d up to
// several thousand. Limits, checked by the callers: 1 <= k <= n - 1, finite coordinates.
#pragma once
#include <cstdint>

namespace entropix {

template <class T>
struct PrefixProblem {
    const T* x;  // [n, d]
    int64_t n, d, k;
    const int64_t* prefixes;  // [count]
    int64_t count;
    T* distances;      // [count, n], or null
    double* mean_log;  // [count], mean over the points of ln distance, or null
};

template <class T>
void prefix_knn_cpu(const PrefixProblem<T>& problem, int threads);

// On CUDA the 1e-5 hold for all d up to kPrefixLimit. The caller
// allocates the workspace, whose size does not grow with n beyond what fills the device. `prefixes` is a host
// array.
constexpr int64_t kPrefixLimit = 8192;
template <class T>
int64_t prefix_knn_cuda_workspace(const PrefixProblem<T>& problem);
template <class T>
void prefix_knn_cuda(const PrefixProblem<T>& problem, void* workspace, void* stream);

}  // namespace entropix
