#include "common/simd_level.h"

#include <algorithm>
#include <atomic>
#include <stdexcept>

namespace entropix {
namespace {

const char* const kNames[] = {"portable", "avx2", "avx512"};

SimdLevel best_level() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
        return SimdLevel::avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return SimdLevel::avx2;
#endif
    return SimdLevel::portable;
}

std::atomic<SimdLevel>& current() {
    static std::atomic<SimdLevel> level{best_level()};
    return level;
}

}  // namespace

SimdLevel simd_level() { return current(); }

std::string simd_level_name() { return kNames[int(simd_level())]; }

std::vector<std::string> simd_level_names() { return {kNames, kNames + int(best_level()) + 1}; }

void set_simd_level(const std::string& name) {
    const auto names = simd_level_names();
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
        std::string all;
        for (const auto& n : names) all += (all.empty() ? "" : ", ") + n;
        throw std::invalid_argument("instruction set '" + name +
                                    "' is not available here; this processor runs " + all);
    }
    current() = SimdLevel(found - names.begin());
}

}  // namespace entropix
