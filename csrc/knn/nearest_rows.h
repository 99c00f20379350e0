// Lists of neighbours that a search on the CPU fills.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "knn/exact.h"
#include "knn/topk.h"

namespace entropix {

// The nearest of some rows so far, and above which distances the screens may leave pairs out.
template <class T>
struct NearestRows {
    int64_t k, d;
    std::vector<double> distances;  // [rows, k], squared for euclidean
    std::vector<int64_t> indices;   // [rows, k]
    std::vector<T> thresholds;      // [rows]

    NearestRows(int64_t rows, int64_t k_, int64_t d_)
        : k(k_), d(d_), distances(rows * k), indices(rows * k), thresholds(rows) {}

    // Forgets what is known of `count` rows; a row without a neighbour has the index n.
    void clear(int64_t first, int64_t count, int64_t n) {
        std::fill_n(distances.begin() + first * k, count * k, std::numeric_limits<double>::infinity());
        std::fill_n(indices.begin() + first * k, count * k, n);
        std::fill_n(thresholds.begin() + first, count, std::numeric_limits<T>::infinity());
    }

    // Whether the point is among the row's nearest so far; if so, it is now in its list.
    bool offer(int64_t row, double distance, int64_t index) {
        const NearestList<int64_t> list{distances.data() + row * k, indices.data() + row * k, k, 1};
        if (!list.offer(distance, index)) return false;
        thresholds[row] = std::min(thresholds[row], widened<T>(list.last(), d));
        return true;
    }

    // Takes over all rows of `from`, as rows from `first` on.
    void copy(const NearestRows& from, int64_t first) {
        std::copy(from.distances.begin(), from.distances.end(), distances.begin() + first * k);
        std::copy(from.indices.begin(), from.indices.end(), indices.begin() + first * k);
        std::copy(from.thresholds.begin(), from.thresholds.end(), thresholds.begin() + first);
    }

    void write(int64_t row, Metric metric, T* to_distances, int64_t* to_indices) const {
        for (int64_t r = row * k; r < (row + 1) * k; ++r) {
            *to_distances++ = T(metric == Metric::euclidean ? std::sqrt(distances[r]) : distances[r]);
            *to_indices++ = indices[r];
        }
    }
};

}  // namespace entropix
