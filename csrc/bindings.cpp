// The only file that knows Python: addresses become typed pointers, the GIL is released, launchers are
// called. Python owns all memory, has checked shapes, types and devices, and keeps the arrays alive during
// the call.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "common/cuda_usable.h"
#include "common/finite.h"
#include "common/simd_level.h"
#include "count_within/count_within.h"
#include "knn/knn.h"
#include "prefix_knn/prefix_knn.h"
#include "reconstruction/reconstruction.h"

namespace py = pybind11;
using namespace entropix;

namespace {

using Address = uint64_t;

template <class T>
T* pointer(Address address) {
    return reinterpret_cast<T*>(address);
}

// Arguments as Python passes them; `as<T>()` is what the kernels take.
struct KnnArguments {
    Address x, query;
    int64_t batch, n, m, d, k;
    int metric;
    bool is_double;
    Address distances, indices;

    template <class T>
    KnnProblem<T> as() const {
        return {pointer<const T>(x),   pointer<const T>(query),  batch, n, m, d, k, Metric(metric),
                pointer<T>(distances), pointer<int64_t>(indices)};
    }
};

struct CountArguments {
    Address x, query, radii;
    int64_t n, m, d;
    int metric;
    bool is_double;
    Address counts;

    template <class T>
    CountProblem<T> as() const {
        return {pointer<const T>(x), pointer<const T>(query), pointer<const T>(radii), n, m, d,
                Metric(metric),      pointer<int64_t>(counts)};
    }
};

struct PrefixArguments {
    Address x;
    int64_t n, d, k;
    std::vector<int64_t> prefixes;
    bool is_double;
    Address distances, mean_log;

    template <class T>
    PrefixProblem<T> as() const {
        return {pointer<const T>(x),
                n,
                d,
                k,
                prefixes.data(),
                int64_t(prefixes.size()),
                pointer<T>(distances),
                pointer<double>(mean_log)};
    }
};

// Calls f with the problem in the type of its data.
template <class Arguments, class Function>
auto typed(const Arguments& a, const Function& f) {
    return a.is_double ? f(a.template as<double>()) : f(a.template as<float>());
}

ReconstructionProblem reconstruction(Address x, Address x_hat, Address weight, Address mask, int64_t n,
                                     int64_t p, int64_t weight_stride, int64_t mask_stride, int type,
                                     Address error, Address map) {
    return {pointer<const void>(x),
            pointer<const void>(x_hat),
            pointer<const void>(weight),
            pointer<const uint8_t>(mask),
            n,
            p,
            weight_stride,
            mask_stride,
            Scalar(type),
            pointer<void>(error),
            pointer<void>(map)};
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

void define_arguments(py::module_& module) {
    py::class_<KnnArguments>(module, "KnnArguments")
        .def(py::init<Address, Address, int64_t, int64_t, int64_t, int64_t, int64_t, int, bool, Address,
                      Address>());
    py::class_<CountArguments>(module, "CountArguments")
        .def(py::init<Address, Address, Address, int64_t, int64_t, int64_t, int, bool, Address>());
    py::class_<PrefixArguments>(module, "PrefixArguments")
        .def(py::init<Address, int64_t, int64_t, int64_t, std::vector<int64_t>, bool, Address, Address>());
    py::class_<ReconstructionProblem>(module, "ReconstructionArguments").def(py::init(&reconstruction));
}

}  // namespace

PYBIND11_MODULE(_C, module) {
    using release = py::call_guard<py::gil_scoped_release>;
    module.def("build_info", &build_info);
    module.def("simd_level", &simd_level_name);
    module.def("simd_levels", &simd_level_names);
    module.def("set_simd_level", &set_simd_level);
    define_arguments(module);

    const auto knn_on_cpu = [](const KnnArguments& a, int threads) {
        typed(a, [=](const auto& problem) { knn_cpu(problem, threads); });
    };
    const auto count_on_cpu = [](const CountArguments& a, int threads) {
        typed(a, [=](const auto& problem) { count_within_cpu(problem, threads); });
    };
    const auto prefix_on_cpu = [](const PrefixArguments& a, int threads) {
        typed(a, [=](const auto& problem) { prefix_knn_cpu(problem, threads); });
    };
    const auto not_finite = [](Address x, int64_t rows, int64_t d, bool is_double) {
        return is_double ? rows_not_finite(pointer<const double>(x), rows, d)
                         : rows_not_finite(pointer<const float>(x), rows, d);
    };
    module.def("rows_not_finite", not_finite, release());
    module.def("knn_cpu", knn_on_cpu, release());
    module.def("count_within_cpu", count_on_cpu, release());
    module.def("prefix_knn_cpu", prefix_on_cpu, release());
    module.def("reconstruction_error_cpu", &reconstruction_error_cpu, release());

#if defined(ENTROPIX_CUDA)
    module.def("cuda_unusable_reason", &cuda_unusable_reason, release());
    // Plans give the size of the workspace that Python allocates; launches return at once.
    const auto knn_plan = [](const KnnArguments& a) {
        const KnnPlan plan = typed(a, [](const auto& problem) { return knn_cuda_plan(problem); });
        return std::make_pair(plan.splits, plan.workspace_bytes);
    };
    const auto knn_on_cuda = [](const KnnArguments& a, int64_t splits, Address workspace, Address stream) {
        typed(a, [=](const auto& problem) {
            knn_cuda(problem, splits, pointer<void>(workspace), pointer<void>(stream));
        });
    };
    const auto count_on_cuda = [](const CountArguments& a, Address stream) {
        typed(a, [=](const auto& problem) { count_within_cuda(problem, pointer<void>(stream)); });
    };
    const auto prefix_plan = [](const PrefixArguments& a) {
        return typed(a, [](const auto& problem) { return prefix_knn_cuda_workspace(problem); });
    };
    const auto prefix_on_cuda = [](const PrefixArguments& a, Address workspace, Address stream) {
        typed(a, [=](const auto& problem) {
            prefix_knn_cuda(problem, pointer<void>(workspace), pointer<void>(stream));
        });
    };
    const auto error_on_cuda = [](const ReconstructionProblem& problem, int64_t pieces, Address workspace,
                                  Address stream) {
        reconstruction_error_cuda(problem, pieces, pointer<void>(workspace), pointer<void>(stream));
    };
    module.def("knn_cuda_plan", knn_plan);
    module.def("knn_cuda", knn_on_cuda, release());
    module.def("count_within_cuda", count_on_cuda, release());
    module.def("prefix_knn_cuda_workspace", prefix_plan);
    module.def("prefix_knn_cuda", prefix_on_cuda, release());
    module.def("reconstruction_error_cuda_pieces", &reconstruction_error_cuda_pieces);
    module.def("reconstruction_error_cuda", error_on_cuda, release());
#endif
}
