// Lists of neighbours that a search on the CPU fills.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "knn/exact.h"
#include "knn/neighbour.h"

namespace entropix {

// The nearest of some rows so far, and above which distances the screens may leave pairs out.
template <class T>
struct NearestRows {
    int64_t k, d;
    std::vector<Neighbour> found;  // [rows, k], ascending
    std::vector<int64_t> counts;   // [rows]: how many of them are known
    std::vector<T> thresholds;     // [rows]

    NearestRows(int64_t rows, int64_t k_, int64_t d_)
        : k(k_), d(d_), found(rows * k), counts(rows), thresholds(rows) {}

    // Forgets what is known of `count` rows; a row without a neighbour has the index n.
    void clear(int64_t first, int64_t count, int64_t n) {
        std::fill_n(found.begin() + first * k, count * k,
                    neighbour(std::numeric_limits<double>::infinity(), n));
        std::fill_n(counts.begin() + first, count, 0);
        std::fill_n(thresholds.begin() + first, count, std::numeric_limits<T>::infinity());
    }

    // Whether the point is among the row's nearest so far; if so, it is now in its list.
    bool offer(int64_t row, double distance, int64_t index) {
        Neighbour* list = found.data() + row * k;
        const Neighbour candidate = neighbour(distance, index);
        if (candidate >= list[k - 1]) return false;
        int64_t place = counts[row] < k ? counts[row]++ : k - 1;
        for (; place > 0 && candidate < list[place - 1]; --place) list[place] = list[place - 1];
        list[place] = candidate;
        if (counts[row] == k)
            thresholds[row] = std::min(thresholds[row], widened<T>(distance_of(list[k - 1]), d));
        return true;
    }

    const Neighbour* list(int64_t row) const { return found.data() + row * k; }

    // Takes over all rows of `from`, as rows from `first` on.
    void copy(const NearestRows& from, int64_t first) {
        std::copy(from.found.begin(), from.found.end(), found.begin() + first * k);
        std::copy(from.counts.begin(), from.counts.end(), counts.begin() + first);
        std::copy(from.thresholds.begin(), from.thresholds.end(), thresholds.begin() + first);
    }
};

}  // namespace entropix
