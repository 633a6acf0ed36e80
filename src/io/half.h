/*
 * half.h - the bits of 16-bit floating point numbers, as straight-line code
 * that vectorises.
 *
 * IEEE half (F16): 1 sign, 5 exponent (bias 15), 10 fraction bits.
 * bfloat16 (BF16): the upper half of a float.  Both widen exactly.
 */
#ifndef PLUMB_IO_HALF_H
#define PLUMB_IO_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t half_float_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float half_bits_float(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Every half is a float: nothing rounds, NaN keeps its payload. */
static inline float half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t low = (uint32_t)(half & 0x7fff) << 13;
    uint32_t exponent = low & 0x0f800000;
    /* The exponent's bias goes from 15 to 127; infinity and NaN, with all bits
     * of the exponent set, keep them set. */
    uint32_t normal = low + ((uint32_t)112 << 23);
    uint32_t special = low + ((uint32_t)224 << 23);
    /* Zero and subnormals are fraction * 2^-24: 2^-14 (1 + f/1024) - 2^-14. */
    uint32_t tiny =
        half_float_bits(half_bits_float(low + ((uint32_t)113 << 23)) -
                        half_bits_float((uint32_t)113 << 23));
    uint32_t bits = exponent == 0 ? tiny : normal;
    bits = exponent == 0x0f800000 ? special : bits;
    return half_bits_float(bits | sign);
}

/* Rounded to nearest, ties to even; from 65520 on infinity. */
static inline uint16_t half_of_float(float x)
{
    uint32_t bits = half_float_bits(x);
    uint32_t sign = bits >> 16 & 0x8000;
    uint32_t low = bits & 0x7fffffff;
    /* Below 2^-14 the last place is 2^-24, that of 0.5 as a float: adding 0.5
     * rounds there. */
    uint32_t tiny = half_float_bits(half_bits_float(low) + 0.5f) - 0x3f000000;
    uint32_t normal =
        (low + 0xfff + (low >> 13 & 1) - ((uint32_t)112 << 23)) >> 13;
    uint32_t half = low < 0x38800000 ? tiny : normal;
    half = low >= 0x47800000 ? 0x7c00 : half;
    half = low > 0x7f800000 ? 0x7e00 : half;
    return (uint16_t)(half | sign);
}

static inline float half_bf16_to_float(uint16_t bf16)
{
    return half_bits_float((uint32_t)bf16 << 16);
}

/* Rounded to nearest, ties to even; NaN stays NaN. */
static inline uint16_t half_bf16_of_float(float x)
{
    uint32_t bits = half_float_bits(x);
    uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1);
    rounded = (bits & 0x7fffffff) > 0x7f800000 ? bits | 0x400000 : rounded;
    return (uint16_t)(rounded >> 16);
}

#endif
