#include <cstring>
#include <limits>
#include <stdexcept>

#include "common/parallel.h"
#include "reconstruction/reconstruction.h"

namespace entropix {
namespace {

struct BFloat16 {
    uint16_t bits;
    operator float() const {
        const uint32_t wide = uint32_t(bits) << 16;
        float value;
        std::memcpy(&value, &wide, sizeof value);
        return value;
    }
};

struct Float16 {
    uint16_t bits;
    // Scaling by 2^112 moves the exponent's bias and normalises subnormal numbers; inf and NaN are set by hand.
    operator float() const {
        const uint32_t sign = uint32_t(bits & 0x8000u) << 16, magnitude = uint32_t(bits & 0x7fffu) << 13;
        uint32_t wide = magnitude;
        float value;
        std::memcpy(&value, &wide, sizeof value);
        value *= 0x1p112f;
        std::memcpy(&wide, &value, sizeof value);
        if (magnitude >= 0x0f800000u) wide |= 0x7f800000u;
        wide |= sign;
        std::memcpy(&value, &wide, sizeof value);
        return value;
    }
};

template <class In, class Out>
void images(const ReconstructionProblem& r, int threads) {
    const auto x = static_cast<const In*>(r.x), x_hat = static_cast<const In*>(r.x_hat);
    const auto weight = reinterpret_cast<const Out*>(r.weight);
    const auto map = static_cast<Out*>(r.map);
    parallel_for(r.n, 1, threads, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            double sum = 0;
            int64_t kept = 0;
            constexpr int64_t run = 256;
            for (int64_t start = 0; start < r.p; start += run) {
                Out part = 0;
                for (int64_t c = start; c < std::min(r.p, start + run); ++c) {
                    const Out t = Out(x[i * r.p + c]) - Out(x_hat[i * r.p + c]);
                    const bool keep = !r.mask || r.mask[i * r.mask_stride + c];
                    const Out e = keep ? t * t * (weight ? weight[i * r.weight_stride + c] : Out(1)) : Out(0);
                    if (map) map[i * r.p + c] = e;
                    part += e;
                    kept += keep;
                }
                sum += double(part);
            }
            static_cast<Out*>(r.error)[i] = kept ? Out(sum / double(kept)) : std::numeric_limits<Out>::quiet_NaN();
        }
    });
}

}  // namespace

void reconstruction_error_cpu(const ReconstructionProblem& r, int threads) {
    switch (r.type) {
        case Scalar::float32: return images<float, float>(r, threads);
        case Scalar::float64: return images<double, double>(r, threads);
        case Scalar::float16: return images<Float16, float>(r, threads);
        case Scalar::bfloat16: return images<BFloat16, float>(r, threads);
    }
    throw std::invalid_argument("reconstruction_error: unknown scalar type");
}

}  // namespace entropix
