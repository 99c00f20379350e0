// The neighbours of points most of which are copies of others: the distinct rows are searched, and each then
// stands for its copies.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <vector>

#include "common/parallel.h"
#include "knn/exact.h"
#include "knn/knn.h"
#include "knn/neighbour.h"
#include "knn/point_tree.h"

namespace entropix {

template <class T>
class CopySearch {
  public:
    // Whether most points follow a copy in the order of the tree, where copies come together.
    static bool pays(const PointTree<T>& points) {
        int64_t copies = 0;
        for (int64_t i = 1; i < points.n; ++i)
            copies +=
                same(points.rows.data() + (i - 1) * points.d, points.rows.data() + i * points.d, points.d);
        return 2 * copies > points.n;
    }

    CopySearch(const KnnProblem<T>& problem, const T* x) : p_(problem), x_(x), copies_(problem.n) {
        std::vector<int64_t> distinct(p_.n), count;  // which distinct row a row is, and copies of each
        size_t slots = 1;
        while (slots < 2 * size_t(p_.n)) slots *= 2;
        std::vector<int64_t> first(slots, -1);  // of a distinct row, at its hash or in the next free slot
        for (int64_t i = 0; i < p_.n; ++i) {
            size_t slot = hash(x_ + i * p_.d) & (slots - 1);
            while (first[slot] >= 0 && !same(x_ + first[slot] * p_.d, x_ + i * p_.d, p_.d))
                slot = (slot + 1) & (slots - 1);
            if (first[slot] < 0) {
                first[slot] = i;
                distinct[i] = int64_t(count.size());
                count.push_back(0);
            }
            distinct[i] = distinct[first[slot]];
            ++count[distinct[i]];
        }
        starts_.assign(count.size() + 1, 0);
        std::partial_sum(count.begin(), count.end(), starts_.begin() + 1);
        std::vector<int64_t> next(starts_.begin(), starts_.end() - 1);
        for (int64_t i = 0; i < p_.n; ++i) copies_[next[distinct[i]]++] = i;
    }

    // `search` finds the neighbours of a problem.
    template <class Search>
    void run(const Search& search, int threads, T* distances, int64_t* indices) const {
        const int64_t distinct = int64_t(starts_.size()) - 1, k = std::min(p_.k, distinct - 1);
        std::vector<T> rows(distinct * p_.d), unused(distinct * k);
        std::vector<int64_t> nearest(distinct * k);
        for (int64_t i = 0; i < distinct; ++i) std::copy_n(row(i), p_.d, rows.data() + i * p_.d);
        if (k > 0)
            search({rows.data(), nullptr, 1, distinct, distinct, p_.d, k, p_.metric, unused.data(),
                    nearest.data()});
        parallel_for(distinct, 16, threads, [&](int64_t begin, int64_t end) {
            std::vector<Neighbour> all, others(p_.k);
            for (int64_t i = begin; i < end; ++i) {
                gather(i, nearest.data() + i * k, k, all);
                for (int64_t at = starts_[i]; at < starts_[i + 1]; ++at) {
                    const int64_t itself = copies_[at];
                    auto next = all.begin();
                    for (Neighbour& other : others) {
                        if (index_of(*next) == itself) ++next;
                        other = *next++;
                    }
                    write(others.data(), p_.k, p_.metric, distances + itself * p_.k, indices + itself * p_.k);
                }
            }
        });
    }

  private:
    static bool same(const T* a, const T* b, int64_t d) { return std::memcmp(a, b, d * sizeof(T)) == 0; }

    uint64_t hash(const T* row) const {
        uint64_t sum = 0;
        for (int64_t c = 0; c < p_.d; ++c) {
            uint64_t bits = 0;
            std::memcpy(&bits, row + c, sizeof(T));
            sum = (sum ^ bits) * 0x9e3779b97f4a7c15;
            sum ^= sum >> 32;
        }
        return sum;
    }

    const T* row(int64_t distinct) const { return x_ + copies_[starts_[distinct]] * p_.d; }

    // The least k + 1, or more, of a distinct row's copies and those of its nearest [k].
    void gather(int64_t distinct, const int64_t* nearest, int64_t k, std::vector<Neighbour>& all) const {
        all.clear();
        append(distinct, 0, all);
        bool tied = false;
        for (int64_t r = 0; r < k; ++r) {
            const double distance = exact_distance(row(distinct), row(nearest[r]), p_.d, p_.metric);
            const bool ties = distance == distance_of(all.back());
            if (!ties && int64_t(all.size()) > p_.k) break;
            tied |= ties;
            append(nearest[r], distance, all);
        }
        if (tied) std::sort(all.begin(), all.end());
    }

    void append(int64_t distinct, double distance, std::vector<Neighbour>& all) const {
        const int64_t end = std::min(starts_[distinct + 1], starts_[distinct] + p_.k + 1);
        for (int64_t at = starts_[distinct]; at < end; ++at) all.push_back(neighbour(distance, copies_[at]));
    }

    const KnnProblem<T>& p_;
    const T* x_;
    std::vector<int64_t> starts_;  // [distinct rows + 1]: where the copies of each begin
    std::vector<int64_t> copies_;  // [n]: indices, ascending within a row
};

}  // namespace entropix
