// Runs the CUDA kernels on the host (cuda_host/common/cuda_check.h) and compares them with the CPU kernels.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "count_within/count_within.h"
#include "knn/knn.h"
#include "prefix_knn/prefix_knn.h"
#include "reconstruction/reconstruction.h"

using namespace entropix;

namespace {

std::mt19937 generator(0);

template <class T>
std::vector<T> values(int64_t count, bool integers) {
    std::normal_distribution<double> normal;
    std::vector<T> out(count);
    for (T& v : out) v = integers ? T(std::round(2 * normal(generator))) : T(normal(generator));
    return out;
}

void expect(bool condition, const char* what, int64_t n, int64_t d) {
    if (condition) return;
    std::printf("%s is wrong for n = %ld, d = %ld\n", what, long(n), long(d));
    std::exit(1);
}

template <class T>
void check_neighbours(int64_t batch, int64_t n, int64_t m, int64_t d, int64_t k, Metric metric,
                      bool integers) {
    const auto x = values<T>(batch * n * d, integers), query = values<T>(batch * m * d, integers);
    const int64_t rows = m ? m : n;
    std::vector<T> distances[2];
    std::vector<int64_t> indices[2], counts[2];
    for (int side = 0; side < 2; ++side) {
        distances[side].resize(batch * rows * k);
        indices[side].resize(batch * rows * k);
        counts[side].resize(rows);
        const KnnProblem<T> p{x.data(),
                              m ? query.data() : nullptr,
                              batch,
                              n,
                              rows,
                              d,
                              k,
                              metric,
                              distances[side].data(),
                              indices[side].data()};
        if (side == 0) {
            knn_cpu(p, 1);
        } else {
            const KnnPlan plan = knn_cuda_plan(p);
            std::vector<double> workspace(plan.workspace_bytes / 8 + 1);
            knn_cuda(p, plan.splits, workspace.data(), nullptr);
        }
    }
    expect(distances[0] == distances[1], "knn distance", n, d);
    expect(indices[0] == indices[1], "knn index", n, d);
    if (batch > 1) return;
    std::vector<T> radii(rows);
    for (int64_t i = 0; i < rows; ++i) radii[i] = i % 5 == 4 ? T(-1) : distances[0][i * k + k - 1];
    for (int side = 0; side < 2; ++side) {
        const CountProblem<T> p{x.data(), m ? query.data() : nullptr, radii.data(), n, rows, d,
                                metric,   counts[side].data()};
        side == 0 ? count_within_cpu(p, 1) : count_within_cuda(p, nullptr);
    }
    expect(counts[0] == counts[1], "count_within", n, d);
}

template <class T>
void check_prefixes(int64_t n, int64_t d, int64_t k, int64_t step, bool steady = false) {
    auto x = values<T>(n * d, false);
    if (steady)  // equal squares, which round alike
        for (int64_t i = 0; i < n * d; ++i) x[i] = T(i / d) * T(1.4761905);
    std::vector<int64_t> prefixes;
    for (int64_t length = step; length <= d; length += step) prefixes.push_back(length);
    const int64_t count = int64_t(prefixes.size());
    std::vector<T> distances[2];
    std::vector<double> means[2];
    for (int side = 0; side < 2; ++side)
        for (const bool mean : {false, true}) {
            distances[side].resize(count * n);
            means[side].resize(count);
            const PrefixProblem<T> p{x.data(),
                                     n,
                                     d,
                                     k,
                                     prefixes.data(),
                                     count,
                                     mean ? nullptr : distances[side].data(),
                                     mean ? means[side].data() : nullptr};
            if (side == 0) {
                prefix_knn_cpu(p, 1);
            } else {
                std::vector<double> workspace(prefix_knn_cuda_workspace(p) / 8 + 1);
                prefix_knn_cuda(p, workspace.data(), nullptr);
            }
        }
    for (int64_t i = 0; i < count * n; ++i)
        expect(std::abs(distances[0][i] - distances[1][i]) <= 1e-5 * distances[0][i], "prefix_knn", n, d);
    for (int64_t j = 0; j < count; ++j) expect(std::abs(means[0][j] - means[1][j]) <= 1e-5, "mean_log", n, d);
}

void check_reconstruction(int64_t n, int64_t p, bool plain) {
    const auto x = values<float>(n * p, false), x_hat = values<float>(n * p, false),
               weight = values<float>(p, false);
    std::vector<uint8_t> mask(n * p);
    for (auto& m : mask) m = generator() % 3 > 0;
    std::vector<float> error[2], map[2];
    for (int side = 0; side < 2; ++side) {
        error[side].resize(n);
        map[side].resize(n * p);
        const ReconstructionProblem r{x.data(),
                                      x_hat.data(),
                                      plain ? nullptr : weight.data(),
                                      plain ? nullptr : mask.data(),
                                      n,
                                      p,
                                      0,
                                      p,
                                      Scalar::float32,
                                      error[side].data(),
                                      plain ? nullptr : map[side].data()};
        const int64_t pieces = reconstruction_error_cuda_pieces(n, p);
        std::vector<double> workspace(2 * n * pieces);
        side == 0 ? reconstruction_error_cpu(r, 1)
                  : reconstruction_error_cuda(r, pieces, workspace.data(), nullptr);
    }
    expect(map[0] == map[1], "reconstruction map", n, p);
    for (int64_t i = 0; i < n; ++i)
        expect(std::abs(error[0][i] - error[1][i]) <= 2e-5 * (std::abs(error[0][i]) + 0.01), "reconstruction",
               n, p);
}

template <class T>
void check_type() {
    for (const Metric metric : {Metric::euclidean, Metric::chebyshev}) {
        check_neighbours<T>(1, 300, 0, 3, 5, metric, true);
        check_neighbours<T>(1, 2, 0, 5, 1, metric, false);
        check_neighbours<T>(1, 34, 0, 1, 32, metric, false);
        check_neighbours<T>(1, 70, 290, 33, 13, metric, false);
        check_neighbours<T>(2, 40, 0, 70, 39, metric, true);
        check_neighbours<T>(1, 3100, 9, 2, 4, metric, true);
    }
    check_prefixes<T>(290, 20, 5, 1);
    check_prefixes<T>(270, 75, 9, 7);
    check_prefixes<T>(33, 5, 32, 5);
    check_prefixes<T>(40, 300, 3, 9);
    check_prefixes<T>(12, 2000, 1, 500, true);
}

}  // namespace

int main() {
    check_type<float>();
    check_type<double>();
    for (const int64_t p : {7, 64, 20000}) {
        check_reconstruction(3, p, true);
        check_reconstruction(3, p, false);
    }
    std::printf("ok\n");
    return 0;
}
