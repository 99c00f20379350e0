// Exact k nearest neighbours on the CPU: one way for every dimension but the first, where they lie beside one
// another (line_search.h).
//
// Blocks of queries that lie close together walk the tree of points, nearest box first. A panel that no box
// bound excludes is screened in T for all queries of the block at once; the few pairs that pass are evaluated
// in double and inserted. In low dimension the boxes leave out nearly everything, in high dimension nearly
// nothing, and then the screen runs at the speed of its multiply-adds. Euclidean distances are screened by
// inner products from a few coordinates on (products.h), which halves these, and by differences below or
// where products cannot tell. Where points are their own queries and boxes leave out little, every pair is
// screened once for both (pair_search.h). Copies of one row are searched as one (copy_search.h).
#include <vector>

#include "common/parallel.h"
#include "knn/block_search.h"
#include "knn/copy_search.h"
#include "knn/knn.h"
#include "knn/line_search.h"
#include "knn/pair_search.h"

namespace entropix {
namespace {

template <class T>
void one_batch(const KnnProblem<T>& p, int64_t b, int threads) {
    T* distances = p.distances + b * p.m * p.k;
    int64_t* indices = p.indices + b * p.m * p.k;
    const T *x = p.x + b * p.n * p.d, *query = p.query ? p.query + b * p.m * p.d : nullptr;
    if (p.d == 1) return LineSearch<T>(p, x, query).run(threads, distances, indices);
    const PointTree<T> points(x, p.n, p.d, threads);
    if (!query && CopySearch<T>::pays(points))
        return CopySearch<T>(p, x).run(
            [&](const KnnProblem<T>& distinct) { one_batch(distinct, 0, threads); }, threads, distances,
            indices);
    const CentredPanels<T> centred(points, p.metric, threads);
    std::vector<PointTree<T>> other;
    if (query) other.emplace_back(query, p.m, p.d, threads);
    const PointTree<T>& queries = p.query ? other[0] : points;
    if (!p.query && PairSearch<T>::pays(p, points, centred))
        return PairSearch<T>(p, points, centred).run(threads, distances, indices);
    const int64_t blocks = (p.m + block_rows(p.d) - 1) / block_rows(p.d);
    parallel_for(blocks, 1, threads, [&](int64_t begin, int64_t end) {
        BlockSearch<T> search(p, points, centred, queries, !p.query);
        for (int64_t block = begin; block < end; ++block) search.run(block, distances, indices);
    });
}

}  // namespace

template <class T>
void knn_cpu(const KnnProblem<T>& p, int threads) {
    const int across = p.batch >= threads ? threads : 1;  // threads over the batch, or within each problem
    parallel_for(p.batch, 1, across, [&](int64_t begin, int64_t end) {
        for (int64_t b = begin; b < end; ++b) one_batch(p, b, threads / across);
    });
}

template void knn_cpu<float>(const KnnProblem<float>&, int);
template void knn_cpu<double>(const KnnProblem<double>&, int);

}  // namespace entropix
