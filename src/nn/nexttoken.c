#include "nn/nexttoken.h"

#include <assert.h>

#include "nn/fastmath.h"

/* Of a banned token; its exponential beside any other is exactly 0. */
#define BANNED_LOGIT (-1e30f)

size_t nexttoken_floats(size_t V, size_t C, size_t M)
{
    size_t lanes = M > 16 ? ROWWISE_LANES : 16;

    return (V + 2 * nexttoken_blocks(V) + C) * lanes + 2 * V;
}

void nexttoken_place(struct nexttoken *t, const struct lmhead *head, size_t M,
                     float *room)
{
    size_t lanes = M > 16 ? ROWWISE_LANES : 16;
    size_t blocks = nexttoken_blocks(head->V);

    assert(head->temperature > 0.0f);
    t->head = head;
    t->lanes = lanes;
    t->z = room;
    t->turned = t->z + head->V * lanes;
    t->max = t->turned + head->C * lanes;
    t->sum = t->max + blocks * lanes;
    t->chosen = t->sum + blocks * lanes;
    t->id = (int32_t *)(void *)(t->chosen + head->V);
}

/* Scale n rows of z, mask the banned ones; the greatest of each lane. */
NN_INLINE void scale(float *restrict z, float *restrict max,
                     const uint8_t *banned, size_t n, size_t lanes,
                     float inverse)
{
    for (size_t i = 0; i < lanes; i++)
        max[i] = BANNED_LOGIT;
    for (size_t v = 0; v < n; v++) {
        bool is_banned = banned != NULL && banned[v] != 0;

#pragma omp simd
        for (size_t i = 0; i < lanes; i++) {
            float x = is_banned ? BANNED_LOGIT : z[v * lanes + i] * inverse;

            z[v * lanes + i] = x;
            max[i] = x > max[i] ? x : max[i];
        }
    }
}

NN_INLINE void exponentials(float *restrict sum, const float *restrict z,
                            const float *restrict max, size_t n, size_t lanes)
{
    for (size_t i = 0; i < lanes; i++)
        sum[i] = 0.0f;
    for (size_t v = 0; v < n; v++)
#pragma omp simd
        for (size_t i = 0; i < lanes; i++)
            sum[i] += fastmath_exp(z[v * lanes + i] - max[i]);
}

NN_INLINE void weigh(float *restrict z, float *restrict out_max,
                     float *restrict out_sum, const uint8_t *banned, size_t n,
                     size_t lanes, float inverse)
{
    float max[ROWWISE_LANES], sum[ROWWISE_LANES];

    scale(z, max, banned, n, lanes, inverse);
    exponentials(sum, z, max, n, lanes);
    for (size_t i = 0; i < lanes; i++) {
        out_max[i] = max[i];
        out_sum[i] = sum[i];
    }
}

NN_CLONES static void weigh_block(struct nexttoken *t, size_t first, size_t n)
{
    size_t lanes = t->lanes;
    size_t at = first / NEXTTOKEN_BLOCK * lanes;
    const uint8_t *banned = t->head->banned;
    float inverse = 1.0f / t->head->temperature;

    banned = banned == NULL ? NULL : banned + first;
    if (lanes == 16)
        weigh(t->z + first * 16, t->max + at, t->sum + at, banned, n, 16,
              inverse);
    else
        weigh(t->z + first * ROWWISE_LANES, t->max + at, t->sum + at, banned, n,
              ROWWISE_LANES, inverse);
}

static size_t block_rows(size_t V, size_t first)
{
    return V - first < NEXTTOKEN_BLOCK ? V - first : NEXTTOKEN_BLOCK;
}

void nexttoken_forward(struct nexttoken *t, const float *hidden, size_t M,
                       enum rowwise_level level)
{
    const struct lmhead *head = t->head;
    size_t V = head->V, C = head->C;

    t->lanes = rowwise_lanes(level, M);
    assert(M <= t->lanes);
    rowwise_turn_for(t->turned, hidden, C, M, C, t->lanes, head->weight, level);
    for (size_t v = 0; v < V; v += NEXTTOKEN_BLOCK) {
        size_t n = block_rows(V, v);

        rowwise_block(t->z + v * t->lanes, t->turned, head->weight, v, n, C,
                      t->lanes, v + n < V, level);
        weigh_block(t, v, n);
    }
}

void nexttoken_weigh(struct nexttoken *t)
{
    for (size_t v = 0; v < t->head->V; v += NEXTTOKEN_BLOCK)
        weigh_block(t, v, block_rows(t->head->V, v));
}
