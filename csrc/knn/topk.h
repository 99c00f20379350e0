// The k nearest of a stream of candidates, on the host and on the device.
#pragma once
#include <cstdint>

#include "knn/exact.h"

namespace entropix {

// An ascending list of k (distance, index) pairs; equal distances ascend by index. Entries lie `stride`
// apart.
template <class I>
struct NearestList {
    double* distances;
    I* indices;
    int64_t k, stride;

    ENTROPIX_HOST_DEVICE double last() const { return distances[(k - 1) * stride]; }

    ENTROPIX_HOST_DEVICE bool before(double distance, I index, int64_t place) const {
        const double other = distances[place * stride];
        return distance < other || (distance == other && index < indices[place * stride]);
    }

    // Whether the candidate is among the k nearest so far; if so, it is now in the list.
    ENTROPIX_HOST_DEVICE bool offer(double distance, I index) const {
        int64_t place = k - 1;
        if (!before(distance, index, place)) return false;
        for (; place > 0 && before(distance, index, place - 1); --place) {
            distances[place * stride] = distances[(place - 1) * stride];
            indices[place * stride] = indices[(place - 1) * stride];
        }
        distances[place * stride] = distance;
        indices[place * stride] = index;
        return true;
    }
};

}  // namespace entropix
