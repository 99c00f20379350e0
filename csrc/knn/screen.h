// The inner loops of the CPU neighbour search, compiled once per instruction set.
//
// Points are stored in panels of 32, coordinate by coordinate, so that one vector holds one coordinate of
// several points. `screen` evaluates all distances between some query rows and one panel in T, by differences
// and fused multiply-adds, and reports those not above each row's threshold. With thresholds that are
// `widened` (exact.h) it lets no true neighbour slip; `exact` then decides in double. `products` does the
// same at half the cost, by inner products of rows about a common centre (products.h).
#pragma once
#include <cstdint>

#include "knn/knn.h"

namespace entropix {

constexpr int kPanel = 32;          // points per panel
constexpr int kQueryRows = 8;       // query rows come in multiples of this
constexpr int64_t kSeedLimit = 24;  // largest k whose thresholds are seeded from minima of kPanel lanes
constexpr int64_t kMostGroups = 8;  // of panels, with minima of their own, where k is larger

struct Hit {
    uint32_t row;
    uint32_t lanes;  // bit l: point l of the panel is near enough
};

// What is screened: query rows with a panel, and what a pair is compared with.
template <class T>
struct Screened {
    const T* queries;  // [rows, d]
    int64_t rows;
    const T* panel;  // [d, kPanel]
    int64_t d;
    const T* thresholds;         // [rows]
    const T* columns = nullptr;  // [kPanel]: thresholds of the points, where a pair counts for both sides
    const T* starts = nullptr;   // [rows], for products with columns
};

// What bounds the k-th smallest distances of query rows: some panels, and k <= kSeedLimit * min(count,
// kMostGroups). Row r is itself the point at position own + r of them. Rows are read up to the next multiple
// of kQueryRows.
template <class T>
struct Seeds {
    const T* queries;  // [rows, d]
    int64_t rows;
    const T* panels;  // [count, d, kPanel], for products [count, 1 + d, kPanel]
    int64_t count, d, own, k;
    // For products, enlarged by what rounding takes: squares [rows] of the queries, and a factor of the
    // points' first summands.
    const T* squares = nullptr;
    T widen = 1;
};

template <class T>
struct ScreenKernels {  // indexed by Metric
    // Squared distances for euclidean; hits are those not above the row's threshold, or not above the
    // column's. Returns the number of hits written, at most `rows`. NaN never hits.
    int64_t (*screen[2])(const Screened<T>& screened, Hit* hits);
    // Euclidean only: panel [1 + d, kPanel] holds a first summand for every point, to which the inner product
    // is added, and with columns the row's start; hits are sums not below the row's threshold, or not below
    // the column's.
    int64_t (*products)(const Screened<T>& screened, Hit* hits);
    // Upper bounds [rows] of the k-th smallest screened distance, inf where there is none: of the k-th
    // smallest of the minima that every lane has over a group of panels, which are distances of different
    // points. Good thresholds at the start save most insertions.
    void (*seed[2])(const Seeds<T>& seeds, T* bounds);
    void (*seed_products)(const Seeds<T>& seeds, T* bounds);  // euclidean only
    // exact_distance; the same bits whatever the instruction set.
    double (*exact[2])(const T* a, const T* b, int64_t d);
};

// Chosen by simd_level().
template <class T>
const ScreenKernels<T>& screen_kernels();

extern const ScreenKernels<float> screen_float_portable, screen_float_avx2, screen_float_avx512;
extern const ScreenKernels<double> screen_double_portable, screen_double_avx2, screen_double_avx512;

}  // namespace entropix
