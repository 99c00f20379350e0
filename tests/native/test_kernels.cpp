// Runs the CPU kernels without Python, for AddressSanitizer and UndefinedBehaviorSanitizer: every instruction
// set this processor has, sizes around panels and blocks, and results against plain loops.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "common/simd_level.h"
#include "count_within/count_within.h"
#include "knn/exact.h"
#include "knn/knn.h"
#include "knn/products.h"
#include "knn/screen.h"
#include "prefix_knn/prefix_knn.h"
#include "reconstruction/reconstruction.h"

using namespace entropix;

namespace {

std::mt19937 generator(0);

template <class T>
std::vector<T> normals(int64_t count) {
    std::normal_distribution<double> normal;
    std::vector<T> values(count);
    for (T& v : values) v = T(normal(generator));
    return values;
}

void expect(bool condition, const char* what, int64_t n, int64_t d) {
    if (condition) return;
    std::printf("%s: %s is wrong for n = %ld, d = %ld\n", simd_level_name().c_str(), what, long(n), long(d));
    std::exit(1);
}

// All distances from row i, ascending, with their indices.
template <class T>
std::vector<std::pair<double, int64_t>> neighbours(const std::vector<T>& x, int64_t n, int64_t d, int64_t i,
                                                   int64_t leading, Metric metric) {
    std::vector<std::pair<double, int64_t>> all;
    for (int64_t j = 0; j < n; ++j)
        if (j != i) all.push_back({exact_distance(&x[i * d], &x[j * d], leading, metric), j});
    std::sort(all.begin(), all.end());
    return all;
}

template <class T>
void check_neighbours(int64_t n, int64_t d, int64_t k, Metric metric, int64_t distinct = 1 << 20) {
    auto x = normals<T>(n * d);
    for (int64_t i = std::min(distinct, n) * d; i < n * d; ++i) x[i] = x[i - distinct * d];
    std::vector<T> distances(n * k);
    std::vector<int64_t> indices(n * k);
    knn_cpu<T>({x.data(), nullptr, 1, n, n, d, k, metric, distances.data(), indices.data()}, 2);
    std::vector<T> radii(n);
    for (int64_t i = 0; i < n; ++i) {
        const auto all = neighbours(x, n, d, i, d, metric);
        for (int64_t r = 0; r < k; ++r) expect(indices[i * k + r] == all[r].second, "knn", n, d);
        radii[i] = distances[i * k + k - 1];
    }
    std::vector<int64_t> counts(n);
    count_within_cpu<T>({x.data(), nullptr, radii.data(), n, n, d, metric, counts.data()}, 2);
    for (int64_t i = 0; i < n; ++i) {
        const int64_t nearer =
            std::lower_bound(&distances[i * k], &distances[i * k] + k, radii[i]) - &distances[i * k];
        expect(counts[i] == nearer, "count_within", n, d);
    }
}

// With its exact distance as the threshold a pair passes the screen by products, and with one that is smaller
// by a few times the slack it does not; the same where only the point's threshold lets the pair pass. Rows
// lie `ratio` times further from the centre than from each other. First thresholds bound the k-th distances,
// and lie below the next, or little above them.
template <class T>
void check_products(int64_t d, double ratio) {
    const int64_t n = kPanel;
    auto x = normals<T>(n * d);
    const auto centre = normals<T>(d);
    for (int64_t i = 0; i < n * d; ++i) x[i] += T((i / d % 2 ? ratio : -ratio) * double(centre[i % d]));
    const PointTree<T> points(x.data(), n, d, 1);
    const CentredPanels<T> panels(points, Metric::euclidean, 1);
    expect(!panels.empty(), "CentredPanels", n, d);
    ProductScreen<T> screen(panels, kQueryRows);
    std::vector<T> rows(n * d), columns(kPanel, T(-1));
    std::vector<double> squares(n);
    expect(panels.centre(points.rows.data(), n, rows.data(), squares.data()), "centre", n, d);
    const auto hits = [&](int64_t i, int64_t j, double of_row, const T* of_points) {
        const T threshold = T(of_row);
        screen.begin(&points.rows[i * d], 1, of_points);
        screen.set_thresholds(&threshold);
        Hit found[kQueryRows];
        const int64_t count = screen.screen(0, kQueryRows, found, of_points);
        for (int64_t h = 0; h < count; ++h)
            if (found[h].row == 0 && found[h].lanes >> j & 1) return true;
        return false;
    };
    for (int64_t i = 0; i < n; i += 7)
        for (const int64_t k : {1, 5, 24}) {
            const std::vector<T> ordered(points.rows.begin(), points.rows.begin() + n * d);
            const auto nearest = neighbours(ordered, n, d, i, d, Metric::euclidean);
            const double kth = nearest[k - 1].first, next = nearest[k].first;
            const double largest = *std::max_element(squares.begin(), squares.end());
            T bound = 0;
            screen.begin(&points.rows[i * d], 1);
            screen.seed(0, 1, i, k, &bound);
            const double slack = 16 * relative_slack<T>(d) * (largest + next);
            expect(bound >= T(kth) && bound <= std::max(next, (1 + 0x1p-9) * kth) + slack, "seeds", n, d);
        }
    for (int64_t i = 0; i < n; i += 7)
        for (int64_t j = 0; j < n; ++j) {
            const double distance =
                exact_distance(&points.rows[i * d], &points.rows[j * d], d, Metric::euclidean);
            const double below = distance - 8 * relative_slack<T>(d) * (squares[i] + squares[j] + distance);
            const double far = std::min(below, -1.0);
            const T wide = std::nextafter(T(distance), T(INFINITY));  // the cast may have rounded down
            expect(hits(i, j, wide, nullptr) && !hits(i, j, below, nullptr), "products", n, d);
            std::fill(columns.begin(), columns.end(), T(far));
            expect(hits(i, j, wide, columns.data()) && !hits(i, j, below, columns.data()), "pairs, row", n,
                   d);
            columns[j] = wide;
            expect(hits(i, j, far, columns.data()), "pairs, point", n, d);
            columns[j] = T(below);
            expect(!hits(i, j, far, columns.data()), "pairs, neither", n, d);
        }
}

template <class T>
void check_prefixes(int64_t n, int64_t d, int64_t k) {
    const auto x = normals<T>(n * d);
    std::vector<int64_t> prefixes;
    for (int64_t length = 1; length <= d; length += 1 + length / 8) prefixes.push_back(length);
    const int64_t count = int64_t(prefixes.size());
    std::vector<T> distances(count * n);
    std::vector<double> mean_log(count);
    prefix_knn_cpu<T>({x.data(), n, d, k, prefixes.data(), count, distances.data(), mean_log.data()}, 2);
    for (int64_t j = 0; j < count; ++j)
        for (int64_t i = 0; i < n; i += 7) {
            const double expected =
                std::sqrt(neighbours(x, n, d, i, prefixes[j], Metric::euclidean)[k - 1].first);
            expect(std::abs(distances[j * n + i] - expected) <= 1e-5 * expected, "prefix_knn", n, d);
        }
}

void check_reconstruction(int64_t n, int64_t p) {
    const auto x = normals<float>(n * p), x_hat = normals<float>(n * p), weight = normals<float>(p);
    const std::vector<uint8_t> mask(n * p, 1);
    std::vector<float> error(n), map(n * p);
    reconstruction_error_cpu({x.data(), x_hat.data(), weight.data(), mask.data(), n, p, 0, p, Scalar::float32,
                              error.data(), map.data()},
                             2);
    for (int64_t i = 0; i < n; ++i) {
        double sum = 0;
        for (int64_t c = 0; c < p; ++c) sum += map[i * p + c];
        expect(std::abs(error[i] - sum / double(p)) <= 1e-5 * (std::abs(sum) + 1), "reconstruction_error", n,
               p);
    }
}

}  // namespace

int main() {
    for (const auto& level : simd_level_names()) {
        set_simd_level(level);
        for (const int64_t n : {2, 9, 32, 33, 129, 300})
            for (const int64_t d : {1, 2, 7, 8, 9, 40}) {
                const int64_t k = std::min<int64_t>(n - 1, 6);
                for (const Metric metric : {Metric::euclidean, Metric::chebyshev}) {
                    check_neighbours<float>(n, d, k, metric);
                    check_neighbours<double>(n, d, k, metric);
                    check_neighbours<double>(n, d, k, metric, 1 + n / 20);  // copies
                }
                check_prefixes<float>(n, d, k);
                check_prefixes<double>(n, d, k);
            }
        for (const int64_t d : {8, 31, 200, 1024})
            for (const double ratio : {0.0, 1.0, 30.0, 1e4}) {
                check_products<float>(d, ratio);
                check_products<double>(d, ratio);
            }
        check_prefixes<float>(2500, 20, 3);
        for (const Metric metric : {Metric::euclidean, Metric::chebyshev}) {
            check_neighbours<float>(700, 40, 6, metric);  // blocks meet in pairs, on two threads
            check_neighbours<double>(700, 9, 30, metric);
        }
        std::printf("%s: ok\n", level.c_str());
    }
    for (const int64_t p : {1, 15, 16, 17, 1000}) check_reconstruction(5, p);
    return 0;
}
