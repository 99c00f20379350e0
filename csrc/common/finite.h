// Looks for NaN and inf. torch.isfinite would do, but wakes a pool of threads for a pass that takes
// microseconds.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace entropix {

template <class T>
bool all_finite(const T* x, int64_t count) {
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    constexpr Bits exponent = sizeof(T) == 4 ? Bits(0x7f800000) : Bits(0x7ff0000000000000);
    for (int64_t begin = 0; begin < count; begin += 4096) {
        Bits bad = 0;
        for (int64_t i = begin; i < (count < begin + 4096 ? count : begin + 4096); ++i) {
            Bits bits;
            std::memcpy(&bits, x + i, sizeof bits);
            bad |= Bits((bits & exponent) == exponent);
        }
        if (bad) return false;
    }
    return true;
}

// Rows [rows, d] that hold NaN or inf.
template <class T>
int64_t rows_not_finite(const T* x, int64_t rows, int64_t d) {
    if (all_finite(x, rows * d)) return 0;
    int64_t found = 0;
    for (int64_t i = 0; i < rows; ++i) found += !all_finite(x + i * d, d);
    return found;
}

}  // namespace entropix
