// When a distance screened in T settles that a point is strictly within a radius; on the host and the device.
#pragma once
#include "knn/exact.h"

namespace entropix {

// As knn() rounds: once, to T.
template <class T>
ENTROPIX_HOST_DEVICE bool strictly_nearer(double distance, T radius, Metric metric) {
    return T(metric == Metric::euclidean ? sqrt(distance) : distance) < radius;
}

// Screened distances up to this belong to points strictly within the radius; it may be negative, then none
// do.
template <class T>
ENTROPIX_HOST_DEVICE T certainly_within(T radius, int64_t d, Metric metric) {
    const double limit = metric == Metric::euclidean ? double(radius) * double(radius) : double(radius);
    const double narrow = limit * (1 - 2 * relative_slack<T>(d)) - underflow_slack<T>(d);
    const double largest = sizeof(T) == 4 ? 0x1.fffffep127 : 0x1.fffffffffffffp1023;
    const T rounded = T(narrow < largest ? narrow : largest);
    return rounded * (1 - (sizeof(T) == 4 ? T(0x1p-23) : T(0x1p-52)));  // the cast may have rounded up
}

// Screened distances above this belong to points that are not strictly within the radius.
template <class T>
ENTROPIX_HOST_DEVICE T possibly_within(T radius, int64_t d, Metric metric) {
    return widened<T>(metric == Metric::euclidean ? double(radius) * double(radius) : double(radius), d);
}

}  // namespace entropix
