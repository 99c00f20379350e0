#include <algorithm>
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
    // Scaling by 2^112 moves the exponent's bias and normalises subnormal numbers; inf and NaN are set by
    // hand.
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

constexpr int kLanes = 16;  // partial sums, so that the compiler can use vectors without reordering anything
constexpr int64_t kRun = 16;  // steps of kLanes whose sums are taken in Out before they go to double

template <class In, class Out, bool weighted, bool masked, bool mapped>
Out one_image(const In* x, const In* x_hat, const Out* weight, const uint8_t* mask, Out* map, int64_t p) {
    double sum = 0;
    int64_t kept = masked ? 0 : p;
    const auto energy = [&](int64_t c) {
        const Out t = Out(x[c]) - Out(x_hat[c]);
        Out e = t * t;
        if (weighted) e *= weight[c];
        if (masked) e = mask[c] ? e : Out(0);
        if (mapped) map[c] = e;
        return e;
    };
    int64_t c = 0;
    while (c + kLanes <= p) {
        const int64_t end = std::min(p / kLanes * kLanes, c + kRun * kLanes);
        Out part[kLanes] = {};
        int32_t part_kept = 0;
        for (; c < end; c += kLanes)
            for (int lane = 0; lane < kLanes; ++lane) {
                part[lane] += energy(c + lane);
                if (masked) part_kept += mask[c + lane];
            }
        for (int lane = 0; lane < kLanes; ++lane) sum += double(part[lane]);
        kept += part_kept;
    }
    for (; c < p; ++c) {
        sum += double(energy(c));
        if (masked) kept += mask[c];
    }
    return kept ? Out(sum / double(kept)) : std::numeric_limits<Out>::quiet_NaN();
}

template <class In, class Out>
void all_images(const ReconstructionProblem& r, int threads) {
    const auto weight = static_cast<const Out*>(r.weight);
    const auto map = static_cast<Out*>(r.map);
    using Function = Out (*)(const In*, const In*, const Out*, const uint8_t*, Out*, int64_t);
    static constexpr Function variants[2][2][2] = {
        {{one_image<In, Out, 0, 0, 0>, one_image<In, Out, 0, 0, 1>},
         {one_image<In, Out, 0, 1, 0>, one_image<In, Out, 0, 1, 1>}},
        {{one_image<In, Out, 1, 0, 0>, one_image<In, Out, 1, 0, 1>},
         {one_image<In, Out, 1, 1, 0>, one_image<In, Out, 1, 1, 1>}}};
    const Function function = variants[weight != nullptr][r.mask != nullptr][map != nullptr];
    const int64_t grain = std::max<int64_t>(1, 65536 / std::max<int64_t>(r.p, 1));
    parallel_for(r.n, grain, threads, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
            static_cast<Out*>(r.error)[i] =
                function(static_cast<const In*>(r.x) + i * r.p, static_cast<const In*>(r.x_hat) + i * r.p,
                         weight ? weight + i * r.weight_stride : nullptr,
                         r.mask ? r.mask + i * r.mask_stride : nullptr, map ? map + i * r.p : nullptr, r.p);
    });
}

}  // namespace

void reconstruction_error_cpu(const ReconstructionProblem& r, int threads) {
    switch (r.type) {
        case Scalar::float32:
            return all_images<float, float>(r, threads);
        case Scalar::float64:
            return all_images<double, double>(r, threads);
        case Scalar::float16:
            return all_images<Float16, float>(r, threads);
        case Scalar::bfloat16:
            return all_images<BFloat16, float>(r, threads);
    }
    throw std::invalid_argument("reconstruction_error: unknown scalar type");
}

}  // namespace entropix
