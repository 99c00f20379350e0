// Neighbours as numbers that ascend by distance, and by index where distances are equal.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "knn/knn.h"

namespace entropix {

// The bits of the distance, which is not negative, above those of the index.
__extension__ typedef unsigned __int128 Neighbour;

inline Neighbour neighbour(double distance, int64_t index) {
    uint64_t bits;
    std::memcpy(&bits, &distance, sizeof bits);
    return Neighbour(bits) << 64 | uint64_t(index);
}
inline double distance_of(Neighbour one) {
    const uint64_t bits = uint64_t(one >> 64);
    double distance;
    std::memcpy(&distance, &bits, sizeof distance);
    return distance;
}
inline int64_t index_of(Neighbour one) { return int64_t(one); }

// Writes a list [k] as distances and indices.
template <class T>
void write(const Neighbour* list, int64_t k, Metric metric, T* distances, int64_t* indices) {
    for (int64_t r = 0; r < k; ++r) {
        const double distance = distance_of(list[r]);
        distances[r] = T(metric == Metric::euclidean ? std::sqrt(distance) : distance);
        indices[r] = index_of(list[r]);
    }
}

}  // namespace entropix
