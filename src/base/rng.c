#include "base/rng.h"

#include <assert.h>
#include <math.h>

/* Constants of Philox 4x32 (Salmon et al. 2011, table 2): two multipliers,
 * and Weyl increments from the golden ratio and sqrt(3) - 1. */
#define MULTIPLY_0 0xD2511F53u
#define MULTIPLY_1 0xCD9E8D57u
#define WEYL_0 0x9E3779B9u
#define WEYL_1 0xBB67AE85u
#define ROUNDS 10

static const double TWO_PI = 6.283185307179586476925;

void rng_philox(uint32_t out[4], const uint32_t counter[4],
                const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1];
    uint32_t c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t p0 = (uint64_t)MULTIPLY_0 * c0;
        uint64_t p1 = (uint64_t)MULTIPLY_1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += WEYL_0;
        k1 += WEYL_1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void rng_init(struct rng *r, uint64_t seed, enum rng_purpose purpose,
              uint32_t a, uint32_t b)
{
    *r = (struct rng){
        .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
        .counter = {0, (uint32_t)purpose, a, b},
        .used = 4,
    };
}

uint32_t rng_u32(struct rng *r)
{
    if (r->used == 4) {
        rng_philox(r->block, r->counter, r->key);
        r->counter[0]++;
        r->used = 0;
    }
    return r->block[r->used++];
}

double rng_uniform(struct rng *r)
{
    uint64_t high = rng_u32(r) >> 5; // 27 bits
    uint64_t low = rng_u32(r) >> 6;  // 26 bits
    return (double)(high << 26 | low) * 0x1p-53;
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
    assert(n > 0);
    /* Lemire 2019: the high word of r*n, refusing the few low words that
     * would make some values come up once more often than others. */
    uint32_t surplus = (uint32_t)-n % n;
    for (;;) {
        uint64_t product = (uint64_t)rng_u32(r) * n;
        if ((uint32_t)product >= surplus)
            return (uint32_t)(product >> 32);
    }
}

enum {
    WIDE = 8 // blocks that are made together
};

/* word[i] are the WIDE blocks from the stream's counter on, word after word of
 * each; lanes are apart until the end so that a compiler sees vectors. */
static void next_blocks(struct rng *r, uint32_t word[4 * WIDE])
{
    uint32_t c[4][WIDE];
    uint32_t key[2] = {r->key[0], r->key[1]};
    for (uint32_t i = 0; i < WIDE; i++) {
        c[0][i] = r->counter[0] + i;
        for (int k = 1; k < 4; k++)
            c[k][i] = r->counter[k];
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < WIDE; i++) {
            uint64_t p0 = (uint64_t)MULTIPLY_0 * c[0][i];
            uint64_t p1 = (uint64_t)MULTIPLY_1 * c[2][i];
            c[0][i] = (uint32_t)(p1 >> 32) ^ c[1][i] ^ key[0];
            c[2][i] = (uint32_t)(p0 >> 32) ^ c[3][i] ^ key[1];
            c[1][i] = (uint32_t)p1;
            c[3][i] = (uint32_t)p0;
        }
        key[0] += WEYL_0;
        key[1] += WEYL_1;
    }
    for (int i = 0; i < WIDE; i++)
        for (int k = 0; k < 4; k++)
            word[4 * i + k] = c[k][i];
    r->counter[0] += WIDE;
}

void rng_fill_below(struct rng *r, size_t *out, size_t count, uint32_t n)
{
    assert(n > 0);
    size_t done = 0;
    uint32_t surplus = (uint32_t)-n % n;
    while (done < count && r->used < 4)
        out[done++] = rng_below(r, n);
    while (count - done >= 4 * WIDE) {
        uint32_t word[4 * WIDE];
        next_blocks(r, word);
        for (int i = 0; i < 4 * WIDE; i++) {
            uint64_t product = (uint64_t)word[i] * n;
            out[done] = (size_t)(product >> 32);
            done += (uint32_t)product >= surplus;
        }
    }
    while (done < count)
        out[done++] = rng_below(r, n);
}

double rng_normal(struct rng *r)
{
    double u = 1.0 - rng_uniform(r); // in (0, 1]: its logarithm is finite
    double v = rng_uniform(r);
    return sqrt(-2.0 * log(u)) * cos(TWO_PI * v);
}

double rng_gumbel(struct rng *r)
{
    double u;
    do
        u = rng_uniform(r);
    while (u <= 0.0);
    return -log(-log(u));
}

void rng_shuffle(struct rng *r, size_t *index, size_t n)
{
    assert(n <= UINT32_MAX);
    for (size_t i = n; i > 1; i--) {
        size_t j = rng_below(r, (uint32_t)i);
        size_t swap = index[i - 1];
        index[i - 1] = index[j];
        index[j] = swap;
    }
}
