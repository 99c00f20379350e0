#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "common/parallel.h"
#include "knn/knn.h"

namespace entropix {

template <class T>
void knn_cpu(const KnnProblem<T>& p, int threads) {
    parallel_for(p.batch * p.m, 16, threads, [&](int64_t begin, int64_t end) {
        std::vector<std::pair<double, int64_t>> all(p.n);
        for (int64_t row = begin; row < end; ++row) {
            const int64_t b = row / p.m, i = row % p.m;
            const T* points = p.x + b * p.n * p.d;
            const T* q = p.query ? p.query + row * p.d : points + i * p.d;
            for (int64_t j = 0; j < p.n; ++j) {
                double sum = 0;
                for (int64_t c = 0; c < p.d; ++c) {
                    const double t = std::abs(double(q[c]) - double(points[j * p.d + c]));
                    sum = p.metric == Metric::euclidean ? sum + t * t : std::max(sum, t);
                }
                all[j] = {sum, j};
            }
            if (!p.query) all[i].first = INFINITY;
            std::partial_sort(all.begin(), all.begin() + p.k, all.end());
            for (int64_t r = 0; r < p.k; ++r) {
                p.distances[row * p.k + r] = T(p.metric == Metric::euclidean ? std::sqrt(all[r].first) : all[r].first);
                p.indices[row * p.k + r] = all[r].second;
            }
        }
    });
}

template void knn_cpu<float>(const KnnProblem<float>&, int);
template void knn_cpu<double>(const KnnProblem<double>&, int);

}  // namespace entropix
