/*
 * fastmath.h - an exponential that vectorises.
 *
 * libm's expf is a call per element; this one is straight-line code, so that
 * `#pragma omp simd` turns a loop over it into vector instructions.
 */
#ifndef PLUMB_NN_FASTMATH_H
#define PLUMB_NN_FASTMATH_H

#include <stdint.h>

#include "nn/tensor.h"

/*
 * exp(x) to 1 ulp for -87.3 <= x <= 88.3.  From -87.7 down (-inf too) exactly
 * 0, where the truth is under 8.5e-39; from 88.4 up +inf, where the truth is
 * over 2.4e38; NaN gives NaN.
 *
 * With n = round(x / ln 2) and r = x - n ln 2, |r| <= ln(2)/2, it is 2^n e^r.
 * ln 2 is split into 355/512, whose product with n is exact, and the rest.
 * e^r - 1 - r is r^2 times a quartic fitted for least greatest relative error
 * (3.1e-9, a twentieth of an ulp).  The bounds make n reach -127 and 128, for
 * which the exponent bits of 2^n happen to spell 0 and infinity.
 */
NN_INLINE float fastmath_exp(float x)
{
    union {
        float f;
        uint32_t u;
    } shifted, scale;
    x = x < -88.0f ? -88.0f : x;
    x = x > 89.0f ? 89.0f : x;
    /* Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits. */
    shifted.f = x * 0x1.715476p+0f + 0x1.8p+23f;
    float n = shifted.f - 0x1.8p+23f;
    float r = x - n * 0x1.63p-1f;
    r = r - n * -0x1.bd0106p-13f;
    float q = 0x1.6a23dp-10f;
    q = q * r + 0x1.123a2p-7f;
    q = q * r + 0x1.5558f2p-5f;
    q = q * r + 0x1.555492p-3f;
    q = q * r + 0x1.fffffcp-2f;
    scale.u = (shifted.u << 23) + 0x3f800000u;
    return ((q * r) * r + r + 1.0f) * scale.f;
}

#endif
