#include "model/linear.h"

#include <assert.h>

#include "nn/gemm16.h"
#include "nn/ops.h"

/* The modules of each product; LORA_MODULES ends the list. */
static const enum lora_module *modules_of(enum param first)
{
    static const enum lora_module qkv[] = {LORA_Q, LORA_K, LORA_V,
                                           LORA_MODULES};
    static const enum lora_module o[] = {LORA_O, LORA_MODULES};
    static const enum lora_module gate_up[] = {LORA_GATE, LORA_UP,
                                               LORA_MODULES};
    static const enum lora_module down[] = {LORA_DOWN, LORA_MODULES};

    if (first == PARAM_Q)
        return qkv;
    if (first == PARAM_O)
        return o;
    if (first == PARAM_DOWN)
        return down;
    assert(first == PARAM_GATE);
    return gate_up;
}

/* The bias of a product, or PARAM_KINDS where none has such a name. */
static enum param bias_of(enum param first)
{
    if (first == PARAM_Q)
        return PARAM_Q_BIAS;
    if (first == PARAM_O)
        return PARAM_O_BIAS;
    if (first == PARAM_UP)
        return PARAM_UP_BIAS;
    return first == PARAM_DOWN ? PARAM_DOWN_BIAS : PARAM_KINDS;
}

/* The product's own tensors. */
static struct linear own_part(const struct model *m, enum param first,
                              size_t layer)
{
    const struct model_config *c = &m->config;
    struct linear l = {.is_trained = m->lora == NULL};
    enum param bias;

    if (first == PARAM_GATE && !params_has(c, PARAM_GATE))
        first = PARAM_UP;
    bias = bias_of(first);
    l.at = params_offset(c, first, layer);
    l.weight = model_weight(m, first, layer);
    if (bias != PARAM_KINDS && params_has(c, bias)) {
        l.bias_at = params_offset(c, bias, layer);
        l.bias = model_vector(m, bias, layer);
    }
    return l;
}

struct linear linear_of(const struct model *m, enum param first, size_t layer)
{
    const struct model_config *c = &m->config;
    const struct lora *lora = m->lora;
    struct linear l = own_part(m, first, layer);

    if (lora != NULL) {
        l.rank = (size_t)lora->config.rank;
        l.scale = (float)lora_scale(&lora->config);
    }
    for (const enum lora_module *i = modules_of(first); *i != LORA_MODULES;
         i++) {
        if (!lora_has_module(c, *i))
            continue;
        struct lora_shape s = lora_shape(c, *i);

        if (lora != NULL && (lora->config.targets >> *i & 1) != 0) {
            struct linear_part *p = &l.part[l.n_part++];

            p->at = lora_offset(&lora->config, c, *i, layer);
            p->A = lora->params + p->at;
            p->B = p->A + l.rank * s.K;
            p->first = l.M;
            p->M = s.M;
        }
        l.M += s.M;
        l.K = s.K;
    }
    return l;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Floats that hold a bfloat16 for each of n numbers. */
static size_t halves(size_t n)
{
    return (n + 1) / 2;
}

size_t linear_scratch(const struct model *m, size_t N)
{
    const enum param first[] = {PARAM_Q, PARAM_O, PARAM_GATE, PARAM_DOWN};
    size_t most = m->lora == NULL ? 0 : 2 * N * (size_t)m->lora->config.rank;

    /* A product's weight and its adapters do not need theirs at once. */
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        struct linear l = linear_of(m, first[i], 0);
        if (l.weight.bf16 != NULL || l.weight.rounded != NULL)
            most = larger(most, weight_scratch(l.K));
        if (l.weight.rounded != NULL)
            most = larger(most, halves(N * l.M) + halves(N * l.K));
    }
    return most;
}

enum status linear_forward(float *y, const float *x, const struct linear *l,
                           size_t N, bool accumulate, float *scratch,
                           struct err *err)
{
    TRY(weight_nt(y, x, l->weight, N, l->M, l->K, accumulate, scratch, err));
    if (l->bias != NULL)
        bias_forward(y, l->bias, N, l->M);
    for (size_t i = 0; i < l->n_part; i++) {
        const struct linear_part *p = &l->part[i];

        TRY(gemm_nt(scratch, x, p->A, N, l->rank, l->K, false, err));
        TRY(gemm_part(&(struct gemm_part){.form = GEMM_NT,
                                          .C = y + p->first,
                                          .ldc = l->M,
                                          .A = scratch,
                                          .lda = l->rank,
                                          .B = p->B,
                                          .ldb = l->rank,
                                          .M = N,
                                          .N = p->M,
                                          .K = l->rank,
                                          .alpha = l->scale,
                                          .accumulate = true},
                      err));
    }
    return OK;
}

size_t linear_rows_scratch(const struct model *m, size_t N)
{
    const struct model_config *c = &m->config;
    size_t rank = m->lora == NULL ? 0 : (size_t)m->lora->config.rank;
    const size_t K[] = {c->C, c->H * c->D, c->F, rank};
    size_t most = 0;

    for (size_t i = 0; i < sizeof K / sizeof *K; i++)
        if (rowwise_scratch(N, K[i]) > most)
            most = rowwise_scratch(N, K[i]);
    return most + N * rank;
}

/* y += scale (x A^T) B^T on the part's columns; t [N,rank]. */
static void part_rows(float *y, float *t, const float *x,
                      const struct linear *l, const struct linear_part *p,
                      size_t N, float *scratch, enum rowwise_level level)
{
    rowwise_nt(&(struct rowwise_product){.y = t,
                                         .ldy = l->rank,
                                         .x = x,
                                         .ldx = l->K,
                                         .w = {.f32 = p->A},
                                         .M = N,
                                         .N = l->rank,
                                         .K = l->K},
               scratch, level);
    for (size_t i = 0; i < N * l->rank; i++)
        t[i] *= l->scale;
    rowwise_nt(&(struct rowwise_product){.y = y + p->first,
                                         .ldy = l->M,
                                         .x = t,
                                         .ldx = l->rank,
                                         .w = {.f32 = p->B},
                                         .M = N,
                                         .N = p->M,
                                         .K = l->rank,
                                         .accumulate = true},
               scratch, level);
}

void linear_rows(float *y, const float *x, const struct linear *l, size_t N,
                 bool accumulate, float *scratch, enum rowwise_level level)
{
    rowwise_nt(&(struct rowwise_product){.y = y,
                                         .ldy = l->M,
                                         .x = x,
                                         .ldx = l->K,
                                         .w = l->weight,
                                         .M = N,
                                         .N = l->M,
                                         .K = l->K,
                                         .accumulate = accumulate},
               scratch + N * l->rank, level);
    if (l->bias != NULL)
        bias_forward(y, l->bias, N, l->M);
    for (size_t i = 0; i < l->n_part; i++)
        part_rows(y, scratch, x, l, &l->part[i], N, scratch + N * l->rank,
                  level);
}

/* With t = x A^T and y = scale t B^T on the part's columns:
 *     dt = scale dy B,  dB += scale dy^T t,  dA += dt^T x,  dx += dt A */
static enum status part_backward(float *dx, float *grad, const float *dy,
                                 const float *x, const struct linear *l,
                                 const struct linear_part *p, size_t N,
                                 float *scratch, struct err *err)
{
    float *t = scratch, *dt = scratch + N * l->rank;
    float *dA = grad + p->at, *dB = dA + l->rank * l->K;

    TRY(gemm_nt(t, x, p->A, N, l->rank, l->K, false, err));
    TRY(gemm_part(&(struct gemm_part){.form = GEMM_NN,
                                      .C = dt,
                                      .ldc = l->rank,
                                      .A = dy + p->first,
                                      .lda = l->M,
                                      .B = p->B,
                                      .ldb = l->rank,
                                      .M = N,
                                      .N = l->rank,
                                      .K = p->M,
                                      .alpha = l->scale},
                  err));
    TRY(gemm_part(&(struct gemm_part){.form = GEMM_TN,
                                      .C = dB,
                                      .ldc = l->rank,
                                      .A = dy + p->first,
                                      .lda = l->M,
                                      .B = t,
                                      .ldb = l->rank,
                                      .M = p->M,
                                      .N = l->rank,
                                      .K = N,
                                      .alpha = l->scale,
                                      .accumulate = true},
                  err));
    TRY(gemm_tn(dA, dt, x, l->rank, l->K, N, true, err));
    return dx == NULL ? OK : gemm_nn(dx, dt, p->A, N, l->K, l->rank, true, err);
}

/* The products of the weight itself, in float or in bfloat16. */
static enum status own_backward(float *dx, float *grad, const float *dy,
                                const float *x, const struct linear *l,
                                size_t N, float *scratch, struct err *err)
{
    if (!weight_rounds(l->weight, N)) {
        if (l->is_trained)
            TRY(gemm_tn(grad + l->at, dy, x, l->M, l->K, N, true, err));
        return dx == NULL ? OK
                          : weight_nn(dx, dy, l->weight, N, l->M, l->K, false,
                                      scratch, err);
    }
    uint16_t *dy16 = (uint16_t *)(void *)scratch;
    uint16_t *x16 = (uint16_t *)(void *)(scratch + halves(N * l->M));
    gemm16_round(dy16, dy, N * l->M);
    if (l->is_trained) {
        gemm16_round(x16, x, N * l->K);
        TRY(gemm16(&(struct gemm16){.form = GEMM_TN,
                                    .C = grad + l->at,
                                    .ldc = l->K,
                                    .A = dy16,
                                    .lda = l->M,
                                    .B = x16,
                                    .ldb = l->K,
                                    .M = l->M,
                                    .N = l->K,
                                    .K = N,
                                    .accumulate = true},
                   err));
    }
    return dx == NULL ? OK
                      : weight_nn16(dx, dy16, l->M, l->weight, N, l->M, l->K,
                                    false, err);
}

enum status linear_backward(float *dx, float *grad, const float *dy,
                            const float *x, const struct linear *l, size_t N,
                            float *scratch, struct err *err)
{
    TRY(own_backward(dx, grad, dy, x, l, N, scratch, err));
    if (l->is_trained && l->bias != NULL)
        bias_backward(grad + l->bias_at, dy, N, l->M);
    for (size_t i = 0; i < l->n_part; i++)
        TRY(part_backward(dx, grad, dy, x, l, &l->part[i], N, scratch, err));
    return OK;
}
