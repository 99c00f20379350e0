// The inner loop of the CPU prefix search, compiled once per instruction set.
//
// Coordinates are taken in runs. A pair's squared distance only grows with the prefix, and so do the
// thresholds; so a pair that at the start of a run is not below the threshold of the run's last prefix cannot
// hit within the run, and its coordinates are summed without a comparison. That holds for nearly all pairs of
// nearly all runs. The rows for which it fails repeat the run with a comparison at every prefix.
#pragma once
#include <cstdint>

namespace entropix {

constexpr int kPrefixRows = 4;  // query rows come in multiples of this

struct Run {
    int64_t begin, end;                // coordinates
    int64_t prefix_begin, prefix_end;  // the prefixes that end within the run; may be none
};

template <class T>
struct PrefixBlock {
    const T* queries;  // [rows, d]
    int64_t rows, d, k;
    const Run* runs;  // [run_count]
    int64_t run_count;
    const int64_t* prefixes;  // [count]
    int64_t count;
    T* thresholds;  // [rows, count]: upper bounds of the final distances; -1 in padding rows
    T* lists;       // [rows, count, k]: squared distances, ascending
};

template <class T>
struct PrefixKernels {
    // Lowers the thresholds to upper bounds of the final ones, from the panels [begin, end) without
    // [own_begin, own_end): bounds of the k-th smallest of the 32 lanes' minima, as these are the distances
    // of 32 different points. One instruction per comparison, where insertions into lists would cost a
    // hundred. Needs k <= kSeedLimit.
    void (*seed)(const PrefixBlock<T>& block, const T* panels, int64_t begin, int64_t end, int64_t own_begin,
                 int64_t own_end, T* minima);  // minima: scratch [kPrefixRows, count, kPanel]
    // Takes the points of one panel [d, kPanel] into the lists. Row r is itself the point of lane own + r, if
    // any.
    void (*panel)(const PrefixBlock<T>& block, const T* panel, int64_t own);
};

extern const PrefixKernels<float> prefix_float_portable, prefix_float_avx2, prefix_float_avx512;
extern const PrefixKernels<double> prefix_double_portable, prefix_double_avx2, prefix_double_avx512;

}  // namespace entropix
