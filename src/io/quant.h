/*
 * quant.h - the blocks that quantised tensors are made of.
 *
 * A block holds 32 or 256 values in few bits each, with scales as F16 (d, m)
 * that they share.  Bytes in the order of the file; q[i] is value i:
 *
 *   Q8_0   34 bytes / 32   d, 32 x i8 q                  x = d q
 *   Q4_0   18 bytes / 32   d, 16 bytes of q              x = d (q - 8)
 *   Q4_1   20 bytes / 32   d, m, 16 bytes of q           x = d q + m
 *   Q5_0   22 bytes / 32   d, h, 16 bytes of q           x = d (q - 16)
 *   Q5_1   24 bytes / 32   d, m, h, 16 bytes of q        x = d q + m
 *
 * Byte j of q has the lower four bits of value j below those of value j + 16;
 * bit i of the u32 h is the fifth bit of value i.
 *
 *   Q4_K  144 bytes / 256  d, m, scales, 128 bytes of q
 *   Q5_K  176 bytes / 256  d, m, scales, 32 bytes of h, 128 bytes of q
 *                          x = (d s) q - (m t)
 *
 * Sub-blocks of 32 values have scales s and t of six bits: of the 12 bytes of
 * scales, byte k < 4 has s[k] and byte 4 + k t[k] in the lower six bits; byte
 * 8 + k has the lower four bits of s[4+k] and of t[4+k], whose upper two are
 * the upper two of bytes k and 4 + k.  Bytes 32c..32c+31 of q have sub-block
 * 2c in their lower and 2c + 1 in their upper halves; bit s of h[l] is the
 * fifth bit of value l of sub-block s.
 *
 *   Q6_K  210 bytes / 256  128 bytes of q, 64 of h, 16 x i8 s, d
 *                          x = (d s) (q - 32)
 *
 * Scale s[i] is that of values 16i..16i+15.  A half of the block takes 64 of q
 * and 32 of h: its values in four groups of 32, of which group g has the lower
 * bits in the lower (g < 2) or upper halves of q[32 (g % 2) + l] and the upper
 * two in bits 2g and 2g + 1 of h[l].
 *
 * Arithmetic is in float, in the order of the formulas, so that values are
 * the reference's bit for bit.
 */
#ifndef PLUMB_IO_QUANT_H
#define PLUMB_IO_QUANT_H

#include <stdbool.h>
#include <stddef.h>

#include "io/tensors.h"

/* The values of n_block blocks of a quantised type (Q8_0 and on). */
void quant_floats(float *restrict out, enum tensor_type type,
                  const unsigned char *restrict block, size_t n_block);

/*
 * 32 n_block floats as Q8_0: d = max |x| / 127 and q = x (1/d), rounded, halves
 * away from zero.  False when d is not finite in F16 (a value is not, or is
 * above 8e6).
 */
bool quant_q8_0(unsigned char *restrict block, const float *restrict x,
                size_t n_block);

#endif
