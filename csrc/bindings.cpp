// The only file that knows Python: addresses become typed pointers, the GIL is released, launchers are called.
// Python owns all memory, has checked shapes, types and devices, and keeps the arrays alive during the call.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "common/simd_level.h"
#include "count_within/count_within.h"
#include "knn/knn.h"
#include "prefix_knn/prefix_knn.h"
#include "reconstruction/reconstruction.h"

namespace py = pybind11;
using namespace entropix;

namespace {

template <class T>
T* pointer(uint64_t address) {
    return reinterpret_cast<T*>(address);
}

template <class T>
KnnProblem<T> knn_problem(uint64_t x, uint64_t query, int64_t batch, int64_t n, int64_t m, int64_t d, int64_t k,
                          int metric, uint64_t distances, uint64_t indices) {
    return {pointer<const T>(x), pointer<const T>(query), batch, n, m, d, k, Metric(metric),
            pointer<T>(distances), pointer<int64_t>(indices)};
}

void knn_on_cpu(uint64_t x, uint64_t query, int64_t batch, int64_t n, int64_t m, int64_t d, int64_t k, int metric,
                bool is_double, uint64_t distances, uint64_t indices, int threads) {
    if (is_double)
        knn_cpu(knn_problem<double>(x, query, batch, n, m, d, k, metric, distances, indices), threads);
    else
        knn_cpu(knn_problem<float>(x, query, batch, n, m, d, k, metric, distances, indices), threads);
}

template <class T>
CountProblem<T> count_problem(uint64_t x, uint64_t query, uint64_t radii, int64_t n, int64_t m, int64_t d, int metric,
                              uint64_t counts) {
    return {pointer<const T>(x), pointer<const T>(query), pointer<const T>(radii), n, m, d, Metric(metric),
            pointer<int64_t>(counts)};
}

void count_within_on_cpu(uint64_t x, uint64_t query, uint64_t radii, int64_t n, int64_t m, int64_t d, int metric,
                         bool is_double, uint64_t counts, int threads) {
    if (is_double)
        count_within_cpu(count_problem<double>(x, query, radii, n, m, d, metric, counts), threads);
    else
        count_within_cpu(count_problem<float>(x, query, radii, n, m, d, metric, counts), threads);
}

template <class T>
PrefixProblem<T> prefix_problem(uint64_t x, int64_t n, int64_t d, int64_t k, const std::vector<int64_t>& prefixes,
                                uint64_t distances, uint64_t mean_log) {
    return {pointer<const T>(x), n, d, k, prefixes.data(), int64_t(prefixes.size()), pointer<T>(distances),
            pointer<double>(mean_log)};
}

void prefix_knn_on_cpu(uint64_t x, int64_t n, int64_t d, int64_t k, const std::vector<int64_t>& prefixes,
                       bool is_double, uint64_t distances, uint64_t mean_log, int threads) {
    if (is_double)
        prefix_knn_cpu(prefix_problem<double>(x, n, d, k, prefixes, distances, mean_log), threads);
    else
        prefix_knn_cpu(prefix_problem<float>(x, n, d, k, prefixes, distances, mean_log), threads);
}

ReconstructionProblem reconstruction_problem(uint64_t x, uint64_t x_hat, uint64_t weight, uint64_t mask, int64_t n,
                                             int64_t p, int64_t weight_stride, int64_t mask_stride, int type,
                                             uint64_t error, uint64_t map) {
    return {pointer<const void>(x), pointer<const void>(x_hat), pointer<const void>(weight),
            pointer<const uint8_t>(mask), n, p, weight_stride, mask_stride, Scalar(type), pointer<void>(error),
            pointer<void>(map)};
}

void reconstruction_on_cpu(uint64_t x, uint64_t x_hat, uint64_t weight, uint64_t mask, int64_t n, int64_t p,
                           int64_t weight_stride, int64_t mask_stride, int type, uint64_t error, uint64_t map,
                           int threads) {
    reconstruction_error_cpu(
        reconstruction_problem(x, x_hat, weight, mask, n, p, weight_stride, mask_stride, type, error, map), threads);
}

py::dict build_info() {
    py::dict info;
    info["compiler"] = __VERSION__;
    info["flags"] = ENTROPIX_FLAGS;
#if defined(ENTROPIX_CUDA)
    info["cuda"] = true;
    info["cuda_architectures"] = ENTROPIX_CUDA;
#else
    info["cuda"] = false;
    info["cuda_architectures"] = "";
#endif
    return info;
}

}  // namespace

PYBIND11_MODULE(_C, module) {
    module.def("build_info", &build_info);
    module.def("simd_level", &simd_level_name);
    module.def("simd_levels", &simd_level_names);
    module.def("set_simd_level", &set_simd_level);
    using release = py::call_guard<py::gil_scoped_release>;
    module.def("knn_cpu", &knn_on_cpu, release());
    module.def("count_within_cpu", &count_within_on_cpu, release());
    module.def("prefix_knn_cpu", &prefix_knn_on_cpu, release());
    module.def("reconstruction_error_cpu", &reconstruction_on_cpu, release());
}
