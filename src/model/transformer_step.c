#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "model/linear.h"
#include "model/transformer_internal.h"
#include "model/variant.h"

static size_t qkv_width(const struct model_config *c)
{
    return (c->H + 2 * c->G) * c->D;
}

/* Keys and values are kept as products are computed. */
static bool keeps_bf16(const struct model *m)
{
    return m->rounded != NULL;
}

/* Floats of one page of one layer. */
static size_t layer_floats(const struct model *m)
{
    const struct model_config *c = &m->config;

    return keeps_bf16(m) ? paged16_floats(c->G, c->D)
                         : paged_floats(c->G, c->D);
}

size_t transformer_page_floats(const struct model *m)
{
    return m->config.L * layer_floats(m);
}

enum status transformer_step_place(struct step *s, const struct model *m,
                                   size_t N, size_t n_last, size_t T,
                                   struct arena *arena, struct err *err)
{
    const struct model_config *c = &m->config;
    struct step out = {.N = N, .level = rowwise_level()};

    TRY(ARENA_NEW(arena, out.x, N * c->C, err));
    TRY(ARENA_NEW(arena, out.norm, N * c->C, err));
    TRY(ARENA_NEW(arena, out.qkv, N * qkv_width(c), err));
    TRY(ARENA_NEW(arena, out.attn, N * c->H * c->D, err));
    TRY(ARENA_NEW(arena, out.up, N * variant_up_width(c), err));
    TRY(ARENA_NEW(arena, out.act, N * c->F, err));
    TRY(ARENA_NEW(arena, out.hidden, n_last * c->C, err));
    TRY(ARENA_NEW(arena, out.scores, paged16_scratch(T), err));
    TRY(ARENA_NEW(arena, out.scratch, linear_rows_scratch(m, N), err));
    *s = out;
    return OK;
}

static void project(const struct step *s, float *y, const float *x,
                    const struct model *m, enum param first, size_t layer,
                    size_t N, bool accumulate)
{
    struct linear l = linear_of(m, first, layer);

    linear_rows(y, x, &l, N, accumulate, s->scratch, s->level);
}

static void store(const struct step *s, const struct step_rows *rows,
                  const struct model *m, size_t offset)
{
    const struct model_config *c = &m->config;

    for (size_t n = 0; n < rows->N; n++) {
        size_t t = (size_t)rows->position[n];
        const float *key = s->qkv + n * qkv_width(c) + c->H * c->D;
        const float *value = key + c->G * c->D;
        float *page = rows->table[n][t / PAGED_ROWS] + offset;

        if (keeps_bf16(m))
            paged16_store(page, t % PAGED_ROWS, key, value, c->G, c->D);
        else
            paged_store(page, t % PAGED_ROWS, key, value, c->G, c->D);
    }
}

/* Row `n` of the buffers belongs to row at(n) of the step: all rows, or in the
 * last layer those that are wanted. */
static size_t row_at(const struct step_rows *rows, bool is_end, size_t n)
{
    return is_end ? rows->last[n] : n;
}

/* Keep the wanted rows of what comes after the last layer's keys and values;
 * they only move towards the front. */
static void narrow(const struct step *s, const struct step_rows *rows,
                   const struct model_config *c)
{
    for (size_t i = 0; i < rows->n_last; i++) {
        size_t n = rows->last[i];

        memmove(s->x + i * c->C, s->x + n * c->C, c->C * sizeof *s->x);
        memmove(s->qkv + i * qkv_width(c), s->qkv + n * qkv_width(c),
                qkv_width(c) * sizeof *s->qkv);
    }
}

/* Row `n` of the buffers over the positions up to that of row `row`. */
static void attend(const struct step *s, const struct step_rows *rows,
                   const struct model *m, size_t offset, size_t n, size_t row)
{
    const struct model_config *c = &m->config;
    size_t len = (size_t)rows->position[row] + 1;
    float *out = s->attn + n * c->H * c->D;
    const float *query = s->qkv + n * qkv_width(c);

    if (keeps_bf16(m))
        paged16_attend(out, query, rows->table[row], offset, len, c->H, c->G,
                       c->D, s->scores, s->level);
    else
        paged_attend(out, query, rows->table[row], offset, len, c->H, c->G,
                     c->D, s->scores);
}

static void layer(const struct step *s, const struct model *m,
                  const struct step_rows *rows, size_t l)
{
    const struct model_config *c = &m->config;
    size_t offset = l * layer_floats(m);
    bool is_end = l + 1 == c->L;
    size_t N = is_end ? rows->n_last : rows->N;

    variant_norm_forward(s->norm, NULL, s->x, m, PARAM_NORM1, l, rows->N);
    project(s, s->qkv, s->norm, m, PARAM_Q, l, rows->N, false);
    variant_qk_forward(s->qkv, NULL, m, l, rows->position, rows->N);
    store(s, rows, m, offset);
    if (is_end)
        narrow(s, rows, c);
    for (size_t n = 0; n < N; n++)
        attend(s, rows, m, offset, n, row_at(rows, is_end, n));
    project(s, s->x, s->attn, m, PARAM_O, l, N, true);

    variant_norm_forward(s->norm, NULL, s->x, m, PARAM_NORM2, l, N);
    project(s, s->up, s->norm, m, PARAM_GATE, l, N, false);
    variant_act_forward(s->act, s->up, c, N);
    project(s, s->x, s->act, m, PARAM_DOWN, l, N, true);
}

enum status transformer_step(struct step *s, const struct model *m,
                             const struct step_rows *rows, struct err *err)
{
    const struct model_config *c = &m->config;

    assert(rows->N <= s->N);
    TRY(transformer_check(rows->token, rows->position, rows->N, c, err));
    variant_embed_forward(s->x, m, rows->token, rows->position, rows->N);
    for (size_t l = 0; l < c->L; l++)
        layer(s, m, rows, l);
    variant_norm_forward(s->hidden, NULL, s->x, m, PARAM_NORM, 0, rows->n_last);
    return OK;
}
