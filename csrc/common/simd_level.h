// Which instruction set the CPU kernels use: the best this processor runs, unless one is forced.
#pragma once
#include <string>
#include <vector>

namespace entropix {

enum class SimdLevel : int { portable = 0, avx2 = 1, avx512 = 2 };

SimdLevel simd_level();
std::string simd_level_name();

// The names of all levels that were compiled in and that this processor runs, slowest first.
std::vector<std::string> simd_level_names();

// Forces a level, for tests and benchmarks; std::invalid_argument if this processor does not run it.
void set_simd_level(const std::string& name);

}  // namespace entropix
