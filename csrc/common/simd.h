// Vectors of float and double for the widest instruction set that this translation unit is compiled for.
// Everything here has internal linkage: the same header is compiled once per instruction set, and a function
// shared between those translation units could bring AVX-512 code to a processor without it. For the same
// reason the files that include this one use no templates of the standard library.
#pragma once
#include <cstdint>
#include <cstring>
#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace {

// Vec<T>: a register R of `lanes` numbers. le() and lt() give one bit per lane; comparisons with NaN are
// false. max(a, b) and min(a, b) are b where either is NaN.
template <class T>
struct Vec;

#if defined(__AVX512F__)

template <>
struct Vec<float> {
    using R = __m512;
    static constexpr int lanes = 16;
    static R load(const float* p) { return _mm512_loadu_ps(p); }
    static void store(float* p, R a) { _mm512_storeu_ps(p, a); }
    static R set(float a) { return _mm512_set1_ps(a); }
    static R add(R a, R b) { return _mm512_add_ps(a, b); }
    static R sub(R a, R b) { return _mm512_sub_ps(a, b); }
    static R fma(R a, R b, R c) { return _mm512_fmadd_ps(a, b, c); }
    static R abs(R a) { return _mm512_abs_ps(a); }
    static R max(R a, R b) { return _mm512_max_ps(a, b); }
    static R min(R a, R b) { return _mm512_min_ps(a, b); }
    static uint32_t le(R a, R b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
    static uint32_t lt(R a, R b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
};

template <>
struct Vec<double> {
    using R = __m512d;
    static constexpr int lanes = 8;
    static R load(const double* p) { return _mm512_loadu_pd(p); }
    static void store(double* p, R a) { _mm512_storeu_pd(p, a); }
    static R set(double a) { return _mm512_set1_pd(a); }
    static R add(R a, R b) { return _mm512_add_pd(a, b); }
    static R sub(R a, R b) { return _mm512_sub_pd(a, b); }
    static R fma(R a, R b, R c) { return _mm512_fmadd_pd(a, b, c); }
    static R abs(R a) { return _mm512_abs_pd(a); }
    static R max(R a, R b) { return _mm512_max_pd(a, b); }
    static R min(R a, R b) { return _mm512_min_pd(a, b); }
    static uint32_t le(R a, R b) { return _mm512_cmp_pd_mask(a, b, _CMP_LE_OQ); }
    static uint32_t lt(R a, R b) { return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ); }
};

#elif defined(__AVX2__)

template <>
struct Vec<float> {
    using R = __m256;
    static constexpr int lanes = 8;
    static R load(const float* p) { return _mm256_loadu_ps(p); }
    static void store(float* p, R a) { _mm256_storeu_ps(p, a); }
    static R set(float a) { return _mm256_set1_ps(a); }
    static R add(R a, R b) { return _mm256_add_ps(a, b); }
    static R sub(R a, R b) { return _mm256_sub_ps(a, b); }
    static R fma(R a, R b, R c) { return _mm256_fmadd_ps(a, b, c); }
    static R abs(R a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
    static R max(R a, R b) { return _mm256_max_ps(a, b); }
    static R min(R a, R b) { return _mm256_min_ps(a, b); }
    static uint32_t le(R a, R b) { return uint32_t(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LE_OQ))); }
    static uint32_t lt(R a, R b) { return uint32_t(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LT_OQ))); }
};

template <>
struct Vec<double> {
    using R = __m256d;
    static constexpr int lanes = 4;
    static R load(const double* p) { return _mm256_loadu_pd(p); }
    static void store(double* p, R a) { _mm256_storeu_pd(p, a); }
    static R set(double a) { return _mm256_set1_pd(a); }
    static R add(R a, R b) { return _mm256_add_pd(a, b); }
    static R sub(R a, R b) { return _mm256_sub_pd(a, b); }
    static R fma(R a, R b, R c) { return _mm256_fmadd_pd(a, b, c); }
    static R abs(R a) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), a); }
    static R max(R a, R b) { return _mm256_max_pd(a, b); }
    static R min(R a, R b) { return _mm256_min_pd(a, b); }
    static uint32_t le(R a, R b) { return uint32_t(_mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_LE_OQ))); }
    static uint32_t lt(R a, R b) { return uint32_t(_mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_LT_OQ))); }
};

#else

// 16 bytes through the compilers' vector extension: SSE2, NEON or whatever the processor has.
template <class T, class Int, int n>
struct Generic {
    typedef T R __attribute__((vector_size(16)));
    typedef Int Mask __attribute__((vector_size(16)));
    static constexpr int lanes = n;
    static R load(const T* p) {
        R a;
        std::memcpy(&a, p, sizeof a);
        return a;
    }
    static void store(T* p, R a) { std::memcpy(p, &a, sizeof a); }
    static R set(T a) { return a - R{}; }
    static R add(R a, R b) { return a + b; }
    static R sub(R a, R b) { return a - b; }
    static R abs(R a) { return a < R{} ? -a : a; }
    static R max(R a, R b) { return a > b ? a : b; }
    static R min(R a, R b) { return a < b ? a : b; }
    static uint32_t le(R a, R b) { return bits(a <= b); }
    static uint32_t lt(R a, R b) { return bits(a < b); }

  private:
    static uint32_t bits(Mask mask) {
        uint64_t halves[2];
        std::memcpy(halves, &mask, sizeof mask);
        uint32_t found = 0;
        if (halves[0] | halves[1])
            for (int i = 0; i < n; ++i) found |= uint32_t(mask[i] & 1) << i;
        return found;
    }
};

template <>
struct Vec<float> : Generic<float, int32_t, 4> {
#if defined(__ARM_NEON)
    static R fma(R a, R b, R c) { return (R)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
#else
    static R fma(R a, R b, R c) { return a * b + c; }
#endif
};

template <>
struct Vec<double> : Generic<double, int64_t, 2> {
#if defined(__aarch64__)
    static R fma(R a, R b, R c) { return (R)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b); }
#else
    static R fma(R a, R b, R c) { return a * b + c; }
#endif
};

#endif

template <class T>
T least_lane(typename Vec<T>::R a) {
    T lanes[Vec<T>::lanes];
    Vec<T>::store(lanes, a);
    for (int half = Vec<T>::lanes / 2; half > 0; half /= 2)
        for (int i = 0; i < half; ++i) lanes[i] = lanes[i + half] < lanes[i] ? lanes[i + half] : lanes[i];
    return lanes[0];
}

}  // namespace
