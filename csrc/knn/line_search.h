// The neighbours of points with one coordinate: in ascending order they lie beside one another.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "common/parallel.h"
#include "knn/exact.h"
#include "knn/knn.h"
#include "knn/neighbour.h"

namespace entropix {

template <class T>
class LineSearch {
  public:
    // Points x [n] of a problem, and queries [m] unless these are the points.
    LineSearch(const KnnProblem<T>& problem, const T* x, const T* queries) : p_(problem), queries_(queries) {
        struct Point {
            T value;
            int64_t row;
        };
        std::vector<Point> points(p_.n);
        for (int64_t i = 0; i < p_.n; ++i) points[i] = {x[i], i};
        std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) {
            return a.value < b.value || (a.value == b.value && a.row < b.row);
        });
        for (const Point& point : points) {
            if (values_.empty() || values_.back() < point.value) {
                values_.push_back(point.value);
                starts_.push_back(int64_t(rows_.size()));
            }
            rows_.push_back(point.row);
        }
        starts_.push_back(p_.n);
    }

    void run(int threads, T* distances, int64_t* indices) const {
        const auto write_to = [&](int64_t row, const std::vector<Neighbour>& found) {
            write(found.data(), p_.k, p_.metric, distances + row * p_.k, indices + row * p_.k);
        };
        parallel_for(queries_ ? p_.m : values(), 64, threads, [&](int64_t begin, int64_t end) {
            std::vector<Neighbour> found;
            for (int64_t i = begin; i < end; ++i) {
                if (queries_) {
                    const auto at = std::lower_bound(values_.begin(), values_.end(), queries_[i]);
                    find(queries_[i], at - values_.begin(), -1, found);
                    write_to(i, found);
                    continue;
                }
                for (int64_t row = starts_[i]; row < starts_[i + 1]; ++row) {
                    if (values() < p_.n || !merge(i, found)) find(values_[i], i, rows_[row], found);
                    write_to(rows_[row], found);
                }
            }
        });
    }

  private:
    int64_t values() const { return int64_t(values_.size()); }

    // The k nearest to point `at`, where all values differ. False if distances are equal, which go by index,
    // or an end is reached; without these there is no branch that the processor could foresee wrongly.
    bool merge(int64_t at, std::vector<Neighbour>& found) const {
        found.resize(p_.k);
        int64_t left = at - 1, right = at + 1;
        double before = -1;
        for (int64_t r = 0; r < p_.k; ++r) {
            if (left < 0 || right == values()) return false;
            const double to_left = distance(values_[at], left), to_right = distance(values_[at], right);
            const double nearest = std::min(to_left, to_right);
            if (to_left == to_right || nearest == before) return false;
            const int64_t go_left = to_left < to_right;
            found[r] = neighbour(before = nearest, rows_[right - go_left * (right - left)]);
            left -= go_left;
            right += 1 - go_left;
        }
        return true;
    }

    // The k nearest to a query that lies above value `at` - 1 and not above value `at`, without row `itself`.
    void find(T query, int64_t at, int64_t itself, std::vector<Neighbour>& found) const {
        int64_t left = at - 1, right = at;
        found.clear();
        while (int64_t(found.size()) < p_.k) {
            const size_t before = found.size();
            const bool from_left =
                right == values() || (left >= 0 && distance(query, left) <= distance(query, right));
            const double nearest = distance(query, from_left ? left : right);
            int runs = 0;  // of rows with one value
            for (; left >= 0 && distance(query, left) == nearest; --left, ++runs)
                append(left, nearest, itself, found);
            for (; right < values() && distance(query, right) == nearest; ++right, ++runs)
                append(right, nearest, itself, found);
            if (runs > 1) std::sort(found.begin() + before, found.end());
        }
    }

    // Appends the rows that have a value; of more than k, those of least index are enough.
    void append(int64_t value, double distance, int64_t itself, std::vector<Neighbour>& found) const {
        const int64_t end = std::min(starts_[value + 1], starts_[value] + p_.k + 1);
        for (int64_t i = starts_[value]; i < end; ++i)
            if (rows_[i] != itself) found.push_back(neighbour(distance, rows_[i]));
    }

    double distance(T query, int64_t value) const {
        return exact_distance(&query, &values_[value], 1, p_.metric);
    }

    const KnnProblem<T>& p_;
    const T* queries_;
    std::vector<T> values_;        // distinct, ascending
    std::vector<int64_t> starts_;  // [values + 1]: where the rows of each begin
    std::vector<int64_t> rows_;    // [n]: by value, then by index
};

}  // namespace entropix
