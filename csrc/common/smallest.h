// Selection among few numbers. Internal linkage only, see simd.h.
#pragma once
#include "common/simd.h"

namespace entropix {
namespace {

template <class T>
struct BitsOf;
template <>
struct BitsOf<float> {
    using Type = int32_t;
    static constexpr Type thousandth = Type(1) << 13;  // of a number between 1 and 2
};
template <>
struct BitsOf<double> {
    using Type = int64_t;
    static constexpr Type thousandth = Type(1) << 42;
};

// A bound of the k-th smallest of n values, a multiple of the lanes, none of them NaN: below the next value,
// or at most a thousandth above the k-th (of normal numbers); 0 where that is negative. Bisects the bits of
// numbers, which ascend as numbers of one sign do.
template <class T>
T bound_of_smallest(const T* values, int64_t n, int64_t k) {
    using V = Vec<T>;
    using Bits = typename BitsOf<T>::Type;
    const auto count = [&](T bound) {
        int64_t found = 0;
        for (int64_t i = 0; i < n; i += V::lanes)
            found += __builtin_popcount(V::le(V::load(values + i), V::set(bound)));
        return found;
    };
    auto least = V::load(values), most = least;
    for (int64_t i = V::lanes; i < n; i += V::lanes) {
        least = V::min(least, V::load(values + i));
        most = V::max(most, V::load(values + i));
    }
    const T smallest = least_lane<T>(least), low = smallest > 0 ? smallest : 0;
    const T high = -least_lane<T>(V::sub(V::set(0), most));
    if (!(low < high) || count(low) >= k) return low;
    Bits below, above;
    std::memcpy(&below, &low, sizeof low);
    std::memcpy(&above, &high, sizeof high);
    T bound = high;
    while (above - below > BitsOf<T>::thousandth) {
        const Bits middle = below + (above - below) / 2;
        T at;
        std::memcpy(&at, &middle, sizeof at);
        const int64_t found = count(at);
        if (found >= k) bound = at;
        if (found == k) break;
        (found < k ? below : above) = middle;
    }
    return bound;
}

}  // namespace
}  // namespace entropix
