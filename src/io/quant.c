#include "io/quant.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "io/half.h"

#define SMALL 32 // values of a block of Q8_0, Q4_x, Q5_x
#define LARGE 256

static float scale_at(const unsigned char *block)
{
    uint16_t half;
    memcpy(&half, block, sizeof half);
    return half_to_float(half);
}

/* ---- blocks of 32 ------------------------------------------------------- */

static void q8_0(float *restrict out, const unsigned char *restrict block)
{
    float d = scale_at(block);
    const unsigned char *q = block + 2;
    for (size_t j = 0; j < SMALL; j++)
        out[j] = (float)(int8_t)q[j] * d;
}

static void q4_0(float *restrict out, const unsigned char *restrict block)
{
    float d = scale_at(block);
    const unsigned char *q = block + 2;
    for (size_t j = 0; j < 16; j++)
        out[j] = d * (float)((q[j] & 15) - 8);
    for (size_t j = 0; j < 16; j++)
        out[16 + j] = d * (float)((q[j] >> 4) - 8);
}

static void q4_1(float *restrict out, const unsigned char *restrict block)
{
    float d = scale_at(block);
    float m = scale_at(block + 2);
    const unsigned char *q = block + 4;
    for (size_t j = 0; j < 16; j++)
        out[j] = d * (float)(q[j] & 15) + m;
    for (size_t j = 0; j < 16; j++)
        out[16 + j] = d * (float)(q[j] >> 4) + m;
}

/* The fifth bits, each as 16 or 0 in a byte of its own: eight copies of a byte,
 * of which copy i keeps bit i; adding 127 carries it into bit 7. */
static void fifth_bits(unsigned char *restrict out,
                       const unsigned char *restrict h)
{
    for (size_t k = 0; k < 4; k++) {
        uint64_t bits = h[k] * UINT64_C(0x0101010101010101);
        bits &= UINT64_C(0x8040201008040201);
        bits += UINT64_C(0x7f7f7f7f7f7f7f7f);
        bits = (bits & UINT64_C(0x8080808080808080)) >> 3;
        memcpy(out + 8 * k, &bits, sizeof bits);
    }
}

static void q5_0(float *restrict out, const unsigned char *restrict block)
{
    float d = scale_at(block);
    const unsigned char *q = block + 6;
    unsigned char h[SMALL];
    fifth_bits(h, block + 2);
    for (size_t j = 0; j < 16; j++)
        out[j] = d * (float)(((q[j] & 15) | h[j]) - 16);
    for (size_t j = 0; j < 16; j++)
        out[16 + j] = d * (float)(((q[j] >> 4) | h[16 + j]) - 16);
}

static void q5_1(float *restrict out, const unsigned char *restrict block)
{
    float d = scale_at(block);
    float m = scale_at(block + 2);
    const unsigned char *q = block + 8;
    unsigned char h[SMALL];
    fifth_bits(h, block + 4);
    for (size_t j = 0; j < 16; j++)
        out[j] = d * (float)((q[j] & 15) | h[j]) + m;
    for (size_t j = 0; j < 16; j++)
        out[16 + j] = d * (float)((q[j] >> 4) | h[16 + j]) + m;
}

/* ---- blocks of 256 ------------------------------------------------------ */

/* The scales of the eight sub-blocks, multiplied out. */
static void sub_scales(float *restrict d, float *restrict m,
                       const unsigned char *restrict block)
{
    float d_block = scale_at(block);
    float m_block = scale_at(block + 2);
    const unsigned char *s = block + 4;
    for (size_t k = 0; k < 4; k++) {
        int high = s[8 + k];
        d[k] = d_block * (float)(s[k] & 63);
        m[k] = m_block * (float)(s[4 + k] & 63);
        d[4 + k] = d_block * (float)((high & 15) | (s[k] >> 6) << 4);
        m[4 + k] = m_block * (float)(high >> 4 | (s[4 + k] >> 6) << 4);
    }
}

static void q4_k(float *restrict out, const unsigned char *restrict block)
{
    float d[8], m[8];
    const unsigned char *q = block + 16;
    sub_scales(d, m, block);
    for (size_t c = 0; c < 4; c++, q += 32, out += 64) {
        float d0 = d[2 * c], m0 = m[2 * c];
        float d1 = d[2 * c + 1], m1 = m[2 * c + 1];
        for (size_t l = 0; l < 32; l++)
            out[l] = d0 * (float)(q[l] & 15) - m0;
        for (size_t l = 0; l < 32; l++)
            out[32 + l] = d1 * (float)(q[l] >> 4) - m1;
    }
}

static void q5_k(float *restrict out, const unsigned char *restrict block)
{
    float d[8], m[8];
    const unsigned char *h = block + 16;
    const unsigned char *q = block + 48;
    sub_scales(d, m, block);
    for (size_t s = 0; s < 8; s++, out += 32) {
        float ds = d[s], ms = m[s];
        const unsigned char *qs = q + s / 2 * 32;
        size_t shift = s % 2 * 4;
        for (size_t l = 0; l < 32; l++)
            out[l] =
                ds * (float)((qs[l] >> shift & 15) | (h[l] >> s & 1) << 4) - ms;
    }
}

static void q6_k(float *restrict out, const unsigned char *restrict block)
{
    const unsigned char *s = block + 192;
    float d = scale_at(block + 208);
    for (size_t part = 0; part < 8; part++, out += 32, s += 2) {
        size_t g = part % 4;
        const unsigned char *q = block + part / 4 * 64 + g % 2 * 32;
        const unsigned char *h = block + 128 + part / 4 * 32;
        float d0 = d * (float)(int8_t)s[0];
        float d1 = d * (float)(int8_t)s[1];
        size_t shift = g / 2 * 4;
        for (size_t l = 0; l < 16; l++)
            out[l] =
                d0 *
                (float)(((q[l] >> shift & 15) | (h[l] >> 2 * g & 3) << 4) - 32);
        for (size_t l = 16; l < 32; l++)
            out[l] =
                d1 *
                (float)(((q[l] >> shift & 15) | (h[l] >> 2 * g & 3) << 4) - 32);
    }
}

void quant_floats(float *restrict out, enum tensor_type type,
                  const unsigned char *restrict block, size_t n_block)
{
    static void (*const kernel[])(float *restrict,
                                  const unsigned char *restrict) = {
        [TENSOR_Q8_0] = q8_0, [TENSOR_Q4_0] = q4_0, [TENSOR_Q4_1] = q4_1,
        [TENSOR_Q5_0] = q5_0, [TENSOR_Q5_1] = q5_1, [TENSOR_Q4_K] = q4_k,
        [TENSOR_Q5_K] = q5_k, [TENSOR_Q6_K] = q6_k,
    };
    assert(type >= TENSOR_Q8_0 && type < TENSOR_OTHER);
    size_t n = tensor_type_block(type);
    size_t bytes = tensor_type_bytes(type);
    for (size_t i = 0; i < n_block; i++)
        kernel[type](out + i * n, block + i * bytes);
}

/* ---- making blocks ------------------------------------------------------ */

static bool make_q8_0(unsigned char *restrict block, const float *restrict x)
{
    /* As integers the magnitudes sort alike, and NaN is above them all. */
    uint32_t most = 0;
    for (size_t j = 0; j < SMALL; j++) {
        uint32_t bits = half_float_bits(x[j]) & 0x7fffffff;
        most = bits > most ? bits : most;
    }
    float d = half_bits_float(most) / 127.0f;
    uint16_t half = half_of_float(d);
    if ((half & 0x7c00) == 0x7c00)
        return false;
    /* Below 2^-126 d would be 0 as F16 and 1/d may not be finite. */
    float inverse = d < 0x1p-126f ? 0.0f : 1.0f / d;
    memcpy(block, &half, sizeof half);
    for (size_t j = 0; j < SMALL; j++) {
        float y = x[j] * inverse;
        float size = y < 0.0f ? -y : y;
        int whole = (int)size;
        int q = whole + (size - (float)whole >= 0.5f);
        block[2 + j] = (unsigned char)(y < 0.0f ? -q : q);
    }
    return true;
}

bool quant_q8_0(unsigned char *restrict block, const float *restrict x,
                size_t n_block)
{
    size_t bytes = tensor_type_bytes(TENSOR_Q8_0);
    for (size_t i = 0; i < n_block; i++)
        if (!make_q8_0(block + i * bytes, x + i * SMALL))
            return false;
    return true;
}
