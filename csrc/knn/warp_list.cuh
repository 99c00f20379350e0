// Ascending lists of the k least entries, each kept by a whole warp. Up to 32 entries are in the lanes'
// registers while the warp works on the list; longer lists stay in memory. And the queue in which a warp
// collects hits, so that its lanes look at 32 of them at a time.
#pragma once
#include "knn/tile.cuh"

namespace entropix {
namespace {

struct Neighbour {
    double distance;  // squared for euclidean
    int32_t index;
};

__device__ __forceinline__ bool before(const Neighbour& a, const Neighbour& b) {
    return a.distance < b.distance || (a.distance == b.distance && a.index < b.index);
}

__device__ __forceinline__ Neighbour from_lane(const Neighbour& value, int lane) {
    return {__shfl_sync(kAllLanes, value.distance, lane), __shfl_sync(kAllLanes, value.index, lane)};
}

struct WarpList {
    Neighbour* entries;  // [k]
    int k;
    Neighbour held, last;

    __device__ __forceinline__ WarpList(Neighbour* entries_, int64_t k_) : entries(entries_), k(int(k_)) {
        if (k <= kLanes) held = entries[lane_index() < k ? lane_index() : k - 1];
        last = entries[k - 1];
    }

    // All lanes with the same entry, which comes before the last.
    __device__ __forceinline__ void insert(const Neighbour& entry) {
        const int lane = lane_index();
        if (k <= kLanes) {
            const Neighbour previous = from_lane(held, lane > 0 ? lane - 1 : 0);
            if (before(entry, held)) held = lane > 0 && before(entry, previous) ? previous : entry;
            last = from_lane(held, int(k) - 1);
            return;
        }
        for (int64_t base = (k - 1) / kLanes * kLanes; base >= 0; base -= kLanes) {
            const int64_t place = base + lane;
            Neighbour own = last, previous = last;
            if (place < k) own = entries[place];
            if (place > 0 && place < k) previous = entries[place - 1];
            __syncwarp();  // all have read before one writes
            if (place < k && before(entry, own))
                entries[place] = place > 0 && before(entry, previous) ? previous : entry;
            __syncwarp();
        }
        last = entries[k - 1];
    }

    // Each lane with an entry of its own, or none. Returns whether any was among the k least so far.
    __device__ __forceinline__ bool offer(const Neighbour& entry, bool present) {
        bool changed = false;
        for (;;) {
            const uint32_t waiting = __ballot_sync(kAllLanes, present && before(entry, last));
            if (!waiting) return changed;
            const int lane = __ffs(int(waiting)) - 1;
            insert(from_lane(entry, lane));
            present = present && lane != lane_index();
            changed = true;
        }
    }

    __device__ __forceinline__ void keep() const {
        __syncwarp();  // all have read the last before one writes it
        if (k <= kLanes && lane_index() < k) entries[lane_index()] = held;
        __syncwarp();
    }
};

// Squares of distances, which are not negative and order like whole numbers; NaN is the largest.
__device__ __forceinline__ float least_of_warp(float value) {
    return __int_as_float(int(__reduce_min_sync(kAllLanes, unsigned(__float_as_int(value)))));
}
__device__ __forceinline__ double least_of_warp(double value) {
    for (int away = kLanes / 2; away > 0; away /= 2)
        value = least_of(value, __shfl_xor_sync(kAllLanes, value, away));
    return value;
}

// The k-th smallest of the lanes' values, k <= 32; NaN where fewer are numbers.
template <class T>
__device__ __forceinline__ T kth_of_warp(T value, int64_t k) {
    T least = value;
#pragma unroll 1
    for (int64_t i = 0; i < k; ++i) {
        least = least_of_warp(value);
        const uint32_t holders = __ballot_sync(kAllLanes, value == least);
        if (lane_index() == __ffs(int(holders)) - 1) value = not_a_number(T());
    }
    return least;
}

// Hits of a warp's rows, in shared memory.
template <class Hit>
struct WarpQueue {
    Hit* hits;
    int count = 0;

    __device__ __forceinline__ explicit WarpQueue(Hit* start) : hits(start) {}

    // Each lane with a hit of its own, or none.
    __device__ __forceinline__ void push(const Hit& hit, bool present) {
        const uint32_t all = __ballot_sync(kAllLanes, present);
        if (present) hits[count + __popc(all & ((1u << lane_index()) - 1))] = hit;
        count += __popc(all);
        __syncwarp();
    }
};

}  // namespace
}  // namespace entropix
