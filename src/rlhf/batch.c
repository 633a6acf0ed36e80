#include "rlhf/batch.h"

#include <stdbool.h>
#include <string.h>

#include "base/comm.h"

static bool same_prompt(const struct sequence *a, const struct sequence *b)
{
    if (a->len_prompt != b->len_prompt)
        return false;
    return a->prompt == b->prompt ||
           memcmp(a->prompt, b->prompt, a->len_prompt * sizeof *a->prompt) == 0;
}

/* leader[s] is the first sequence with the prompt of s; n_twin[s] counts those
 * that have it, for leaders.  A prompt shorter than `least`, or empty, is
 * shared with nobody. */
static void find_twins(size_t *leader, size_t *n_twin,
                       const struct sequence *seq, size_t n, size_t least)
{
    for (size_t s = 0; s < n; s++) {
        size_t P = seq[s].len_prompt;
        size_t t = P > 0 && P >= least ? 0 : s;
        while (t < s && (leader[t] != t || !same_prompt(&seq[t], &seq[s])))
            t++;
        leader[s] = t;
        n_twin[s] = 0;
        n_twin[t]++;
    }
}

void batch_gather_twins(size_t *index, size_t n, const struct sequence *seq)
{
    for (size_t i = 0, end; i < n; i = end) {
        const struct sequence *first = &seq[index[i]];
        end = i + 1;
        if (first->len_prompt < BATCH_SHARED_LEAST)
            continue;
        for (size_t k = end; k < n; k++) {
            size_t twin = index[k];
            if (!same_prompt(first, &seq[twin]))
                continue;
            memmove(index + end + 1, index + end, (k - end) * sizeof *index);
            index[end++] = twin;
        }
    }
}

/* A pack in the making. */
struct layout {
    int32_t *token, *position;
    size_t *start, *parent;
    size_t n_seq, N;
};

static enum status layout_place(struct layout *out, const struct sequence *seq,
                                size_t n, struct arena *arena, struct err *err)
{
    struct layout l = {.n_seq = 0};
    size_t most = 0;
    for (size_t s = 0; s < n; s++)
        most += seq[s].len_prompt + seq[s].len_response;
    TRY(ARENA_NEW(arena, l.token, most, err));
    TRY(ARENA_NEW(arena, l.position, most, err));
    /* A parent has two children at least. */
    TRY(ARENA_NEW(arena, l.start, n + n / 2 + 1, err));
    TRY(ARENA_NEW(arena, l.parent, n + n / 2 + 1, err));
    l.start[0] = 0;
    *out = l;
    return OK;
}

/* Add tokens to the sequence being laid out; the first row comes back. */
static size_t add_tokens(struct layout *l, const int32_t *token, size_t n,
                         size_t position)
{
    size_t row = l->N;
    if (n > 0)
        memcpy(l->token + row, token, n * sizeof *token);
    for (size_t t = 0; t < n; t++)
        l->position[row + t] = (int32_t)(position + t);
    l->N += n;
    return row;
}

static void end_sequence(struct layout *l, size_t parent)
{
    l->parent[l->n_seq++] = parent;
    l->start[l->n_seq] = l->N;
}

/* A prompt, and then every response to it as a sequence that goes on from it.
 * The first is that of sequence s. */
static void add_family(struct batch *b, struct layout *l, size_t s,
                       const size_t *leader)
{
    const struct sequence *seq = b->seq;
    size_t P = seq[s].len_prompt, parent = l->n_seq;
    size_t row = add_tokens(l, seq[s].prompt, P, 0);
    end_sequence(l, PACK_ROOT);
    for (size_t t = s; t < b->n; t++) {
        if (leader[t] != s)
            continue;
        b->prompt_row[t] = row;
        b->response_row[t] =
            add_tokens(l, seq[t].response, seq[t].len_response, P);
        end_sequence(l, parent);
    }
}

enum status batch_pack(struct batch *out, const struct sequence *seq, size_t n,
                       struct arena *arena, struct err *err)
{
    return batch_pack_least(out, seq, n, BATCH_SHARED_LEAST, arena, err);
}

enum status batch_pack_least(struct batch *out, const struct sequence *seq,
                             size_t n, size_t least, struct arena *arena,
                             struct err *err)
{
    struct batch b = {.seq = seq, .n = n};
    struct layout l;
    size_t *leader, *n_twin;
    TRY(layout_place(&l, seq, n, arena, err));
    TRY(ARENA_NEW(arena, b.prompt_row, n, err));
    TRY(ARENA_NEW(arena, b.response_row, n, err));
    TRY(ARENA_NEW(arena, leader, n, err));
    TRY(ARENA_NEW(arena, n_twin, n, err));
    find_twins(leader, n_twin, seq, n, least);
    for (size_t s = 0; s < n; s++) {
        size_t P = seq[s].len_prompt;
        if (n_twin[s] > 1)
            add_family(&b, &l, s, leader);
        if (n_twin[s] != 1)
            continue;
        b.prompt_row[s] = add_tokens(&l, seq[s].prompt, P, 0);
        b.response_row[s] =
            add_tokens(&l, seq[s].response, seq[s].len_response, P);
        end_sequence(&l, PACK_ROOT);
    }
    b.pack = (struct pack){.token = l.token,
                           .position = l.position,
                           .start = l.start,
                           .n_seq = l.n_seq,
                           .N = l.N,
                           .parent = l.n_seq > n ? l.parent : NULL};
    *out = b;
    return OK;
}

size_t batch_row(const struct batch *b, size_t s, size_t i)
{
    size_t P = b->seq[s].len_prompt;
    return i < P ? b->prompt_row[s] + i : b->response_row[s] + (i - P);
}

size_t batch_state_row(const struct batch *b, size_t s, size_t t)
{
    return batch_row(b, s, b->seq[s].len_prompt + t - 1);
}

size_t batch_last_row(const struct batch *b, size_t s)
{
    return batch_state_row(b, s, b->seq[s].len_response);
}

void batch_offsets(size_t *offset, const struct sequence *seq, size_t n)
{
    offset[0] = 0;
    for (size_t s = 0; s < n; s++)
        offset[s + 1] = offset[s] + seq[s].len_response;
}

void batch_shard(size_t *first, size_t *last, size_t n, size_t shards, size_t i)
{
    comm_cut(first, last, n, shards, i);
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
