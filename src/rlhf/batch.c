#include "rlhf/batch.h"

#include <string.h>

enum status batch_pack(struct pack *out, const struct sequence *seq, size_t n,
                       struct arena *arena, struct err *err)
{
    size_t N = 0;
    for (size_t s = 0; s < n; s++)
        N += seq[s].len_prompt + seq[s].len_response;
    int32_t *token, *position;
    size_t *start;
    TRY(ARENA_NEW(arena, token, N, err));
    TRY(ARENA_NEW(arena, position, N, err));
    TRY(ARENA_NEW(arena, start, n + 1, err));
    start[0] = 0;
    for (size_t s = 0; s < n; s++) {
        size_t P = seq[s].len_prompt, R = seq[s].len_response;
        if (P > 0)
            memcpy(token + start[s], seq[s].prompt, P * sizeof *token);
        if (R > 0)
            memcpy(token + start[s] + P, seq[s].response, R * sizeof *token);
        for (size_t t = 0; t < P + R; t++)
            position[start[s] + t] = (int32_t)t;
        start[s + 1] = start[s] + P + R;
    }
    *out = (struct pack){.token = token,
                         .position = position,
                         .start = start,
                         .n_seq = n,
                         .N = N};
    return OK;
}

size_t batch_state_row(const struct pack *pack, size_t s, size_t len_prompt,
                       size_t t)
{
    return pack->start[s] + len_prompt - 1 + t;
}

void batch_offsets(size_t *offset, const struct sequence *seq, size_t n)
{
    offset[0] = 0;
    for (size_t s = 0; s < n; s++)
        offset[s + 1] = offset[s] + seq[s].len_response;
}

void batch_shard(size_t *first, size_t *last, size_t n, size_t shards, size_t i)
{
    /* The first n % shards pieces get one item more. */
    size_t base = n / shards, extra = n % shards;
    *first = i * base + (i < extra ? i : extra);
    *last = *first + base + (i < extra ? 1 : 0);
}

void batch_gather(float *out, const float *x, const size_t *row, size_t n,
                  size_t C)
{
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * C, x + row[i] * C, C * sizeof *out);
}

void batch_scatter_add(float *x, const float *in, const size_t *row, size_t n,
                       size_t C)
{
    for (size_t i = 0; i < n; i++) {
        float *to = x + row[i] * C;
        const float *from = in + i * C;
#pragma omp simd
        for (size_t c = 0; c < C; c++)
            to[c] += from[c];
    }
}
