// The k nearest of a stream of candidates, on the host and on the device.
#pragma once
#include <cstdint>

#if defined(__CUDACC__)
#define ENTROPIX_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define ENTROPIX_HOST_DEVICE inline
#endif

namespace entropix {

template <class D, class I>
struct Candidate {
    D distance;
    I index;
};

// Nearer first; of equally near ones the lower index.
template <class D, class I>
ENTROPIX_HOST_DEVICE bool nearer(D distance, I index, const Candidate<D, I>& other) {
    return distance < other.distance || (distance == other.distance && index < other.index);
}

// Inserts into an ascending list of length k, dropping its last entry, which the candidate must be nearer than.
template <class D, class I>
ENTROPIX_HOST_DEVICE void insert_sorted(Candidate<D, I>* list, int64_t k, D distance, I index) {
    int64_t place = k - 1;
    for (; place > 0 && nearer(distance, index, list[place - 1]); --place) list[place] = list[place - 1];
    list[place] = {distance, index};
}

}  // namespace entropix
