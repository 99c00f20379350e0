// Neighbour distances of every prefix of a nested code: the contract, on the CPU and on CUDA.
//
// For each prefix length in `prefixes` (strictly ascending, 1..d) and each point, the euclidean distance to its k-th
// nearest other point when only that many leading coordinates count. Arrays are dense and row-major; T is float or
// double. Squared distances are summed in T from differences, in runs of a few coordinates that are then added to a
// running total, so that the relative error of a distance stays below 1e-5 for d up to several thousand.
// Limits, checked by the callers: 1 <= k <= n - 1, finite coordinates.
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

}  // namespace entropix
