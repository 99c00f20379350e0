// Numbers of neighbours within radii: the contract, on the CPU and on CUDA.
//
// count[i] is the number of points whose distance to query i, rounded to T as knn() rounds it, is strictly
// less than radii[i]. Arrays are dense and row-major; T is float or double. `query` null means the points
// themselves, and then no point counts itself. A radius that is NaN or not positive counts nothing.
#pragma once
#include <cstdint>

#include "knn/knn.h"

namespace entropix {

template <class T>
struct CountProblem {
    const T* x;      // [n, d]
    const T* query;  // [m, d], or null
    const T* radii;  // [m]
    int64_t n, m, d;
    Metric metric;
    int64_t* counts;  // [m]
};

template <class T>
void count_within_cpu(const CountProblem<T>& problem, int threads);
template <class T>
void count_within_cuda(const CountProblem<T>& problem, void* stream);

}  // namespace entropix
