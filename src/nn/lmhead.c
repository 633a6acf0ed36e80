#include "nn/lmhead.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "nn/fastmath.h"
#include "nn/gemm16.h"

/*
 * The logit of a banned token.  Its exponential is exactly 0, as that of
 * -inf, but 0 times it is 0 and not NaN, so no loop needs a branch.
 */
#define BANNED_LOGIT (-1e30f)

/* Below this |log p_ref - log p| the KL summand is taken from its series. */
#define KL_SERIES_BELOW 0.25f

/* What the softmax of one row z is made of; t[v] = z[v] - max. */
struct row {
    float max;
    double sum;     // sum_v exp(t[v])
    double moment;  // sum_v exp(t[v]) t[v], where asked for
    double log_sum; // log(sum)
};

/* One head's chunk of work. */
struct side {
    const struct lmhead *head;
    const float *hidden;
    float *z; // [lmhead_chunk(V),V]
    float *e; // [V] exponentials of the current row
    float *w; // for the weight's products
};

size_t lmhead_chunk(size_t V)
{
    return V < 8192 ? LMHEAD_CHUNK : LMHEAD_CHUNK_LARGE;
}

size_t lmhead_scratch(size_t V, size_t C)
{
    return (lmhead_chunk(V) + 1) * V + weight_scratch(C);
}

static struct side side_of(const struct lmhead *head, const float *hidden,
                           float *scratch)
{
    assert(head->temperature > 0.0f);
    return (struct side){.head = head,
                         .hidden = hidden,
                         .z = scratch,
                         .e = scratch + lmhead_chunk(head->V) * head->V,
                         .w = scratch + (lmhead_chunk(head->V) + 1) * head->V};
}

/* Raw logits of rows first..first+n-1 of a side. */
static enum status side_logits(const struct side *s, size_t first, size_t n,
                               struct err *err)
{
    return weight_nt(s->z, s->hidden + first * s->head->C, s->head->weight, n,
                     s->head->V, s->head->C, false, s->w, err);
}

/* Apply temperature and mask in place; the greatest logit comes back.  A NaN
 * loses every comparison and shows up in the sum instead. */
NN_CLONES static float scale_row(float *restrict z,
                                 const uint8_t *restrict banned, float inverse,
                                 size_t V)
{
    if (banned != NULL) {
#pragma omp simd
        for (size_t v = 0; v < V; v++)
            z[v] = banned[v] ? BANNED_LOGIT : z[v] * inverse;
    } else {
#pragma omp simd
        for (size_t v = 0; v < V; v++)
            z[v] *= inverse;
    }
    float max = -FLT_MAX;
#pragma omp simd reduction(max : max)
    for (size_t v = 0; v < V; v++)
        max = z[v] > max ? z[v] : max;
    return max;
}

/* e = exp(z - max), in place if e is z; returns the sum. */
NN_CLONES static double exp_row(float *e, const float *z, float max, size_t V)
{
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (size_t v = 0; v < V; v++) {
        float x = fastmath_exp(z[v] - max);
        e[v] = x;
        sum += (double)x;
    }
    return sum;
}

/* sum_v e[v] (z[v] - max) */
NN_CLONES static double moment_row(const float *restrict e,
                                   const float *restrict z, float max, size_t V)
{
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (size_t v = 0; v < V; v++)
        sum += (double)(e[v] * (z[v] - max));
    return sum;
}

/* Turn row z of raw logits into scaled logits and e (which may be z) into
 * exponentials. */
static struct row softmax_row(float *e, float *z, const struct lmhead *head)
{
    struct row r = {0};
    r.max = scale_row(z, head->banned, 1.0f / head->temperature, head->V);
    r.sum = exp_row(e, z, r.max, head->V);
    r.log_sum = log(r.sum);
    return r;
}

/* -sum p log p with log p = t - log_sum; both parts are positive. */
static double entropy_of(const struct row *r)
{
    return r->log_sum - r->moment / r->sum;
}

static double logp_of(const struct row *r, const float *z, int32_t target)
{
    return (double)z[target] - (double)r->max - r->log_sum;
}

/* The softmax of row i of a side's chunk, and what of it is asked for. */
static struct row side_row(const struct side *s, size_t i, float *logp,
                           float *entropy, float *p_eos, const int32_t *target,
                           int32_t eos)
{
    size_t V = s->head->V;
    float *z = s->z + i * V;
    struct row r = softmax_row(s->e, z, s->head);
    if (entropy != NULL) {
        r.moment = moment_row(s->e, z, r.max, V);
        *entropy = (float)entropy_of(&r);
    }
    if (logp != NULL) {
        assert(*target >= 0 && (size_t)*target < V);
        assert(s->head->banned == NULL || !s->head->banned[*target]);
        *logp = (float)logp_of(&r, z, *target);
    }
    if (p_eos != NULL) {
        assert(eos >= 0 && (size_t)eos < V);
        *p_eos = (float)((double)s->e[eos] / r.sum);
    }
    return r;
}

/*
 * sum_v p log(p / q) from the two rows' exponentials.  Since p and q both sum
 * to one, it equals the sum of
 *     q - p - p d = p (exp(d) - 1 - d),  d = log q - log p,
 * none of which is negative.  For small d the right-hand side is taken from
 * the series of exp, so that a policy close to its reference loses no digits
 * to cancellation.
 */
NN_CLONES static double kl_row(const float *restrict z, const float *restrict e,
                               const struct row *r, const float *restrict z_ref,
                               const float *restrict e_ref,
                               const struct row *r_ref, size_t V)
{
    float max = r->max, max_ref = r_ref->max;
    float inverse = (float)(1.0 / r->sum);
    float inverse_ref = (float)(1.0 / r_ref->sum);
    float shift = (float)(r->log_sum - r_ref->log_sum);
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (size_t v = 0; v < V; v++) {
        float p = e[v] * inverse, q = e_ref[v] * inverse_ref;
        float d = ((z_ref[v] - max_ref) - (z[v] - max)) + shift;
        float series = 1.0f / 720.0f + d * (1.0f / 5040.0f);
        series = 1.0f / 120.0f + d * series;
        series = 1.0f / 24.0f + d * series;
        series = 1.0f / 6.0f + d * series;
        series = 0.5f + d * series;
        float near = p * (d * d * series);
        float far = (q - p) - p * d;
        sum += (double)(fabsf(d) < KL_SERIES_BELOW ? near : far);
    }
    return sum;
}

/* The i-th element of an array that may be absent. */
static float *at(float *x, size_t i)
{
    return x == NULL ? NULL : x + i;
}

enum status lmhead_forward(float *logp, float *entropy, float *p_eos,
                           const struct lmhead *head, const float *hidden,
                           const int32_t *target, size_t N, int32_t eos,
                           float *scratch, struct err *err)
{
    struct side s = side_of(head, hidden, scratch);
    size_t chunk = lmhead_chunk(head->V);
    for (size_t first = 0; first < N; first += chunk) {
        size_t n = N - first < chunk ? N - first : chunk;
        TRY(side_logits(&s, first, n, err));
        for (size_t i = 0; i < n; i++)
            side_row(&s, i, logp + first + i, at(entropy, first + i),
                     at(p_eos, first + i), target + first + i, eos);
    }
    return OK;
}

enum status lmhead_compare(const struct lmhead_pair *out,
                           const struct lmhead *head, const float *hidden,
                           const struct lmhead *head_ref,
                           const float *hidden_ref, const int32_t *target,
                           size_t N, int32_t eos, float *scratch,
                           struct err *err)
{
    assert(head->V == head_ref->V);
    struct side s = side_of(head, hidden, scratch);
    struct side s_ref = side_of(head_ref, hidden_ref,
                                scratch + lmhead_scratch(head->V, head->C));
    bool want = out->logp || out->entropy || out->p_eos || out->kl;
    bool want_ref = out->logp_ref || out->p_eos_ref || out->kl;
    size_t chunk = lmhead_chunk(head->V);
    for (size_t first = 0; first < N; first += chunk) {
        size_t n = N - first < chunk ? N - first : chunk;
        if (want)
            TRY(side_logits(&s, first, n, err));
        if (want_ref)
            TRY(side_logits(&s_ref, first, n, err));
        for (size_t i = 0; i < n; i++) {
            size_t k = first + i;
            struct row r = {0}, r_ref = {0};
            if (want)
                r = side_row(&s, i, at(out->logp, k), at(out->entropy, k),
                             at(out->p_eos, k), target + k, eos);
            if (want_ref)
                r_ref = side_row(&s_ref, i, at(out->logp_ref, k), NULL,
                                 at(out->p_eos_ref, k), target + k, eos);
            if (out->kl != NULL)
                out->kl[k] = (float)kl_row(s.z + i * head->V, s.e, &r,
                                           s_ref.z + i * head->V, s_ref.e,
                                           &r_ref, head->V);
        }
    }
    return OK;
}

/*
 * z becomes dz / temperature:
 *     dz[v] = dlogp 1[v == target]
 *           - p[v] (dlogp + dentropy (log p[v] + entropy))
 */
NN_CLONES static void gradient_row(float *restrict z, const float *restrict e,
                                   const struct row *r, int32_t target,
                                   float dlogp, float dentropy, float inverse,
                                   size_t V)
{
    float max = r->max;
    float to_p = (float)(1.0 / r->sum) * inverse;
    /* log p + entropy = t - moment / sum */
    float mean = (float)(r->moment / r->sum);
#pragma omp simd
    for (size_t v = 0; v < V; v++)
        z[v] = -to_p * e[v] * (dlogp + dentropy * ((z[v] - max) - mean));
    z[target] += dlogp * inverse;
}

/* The same without entropy, of a row that is exponentials already. */
NN_CLONES static void slope_row(float *restrict z, const struct row *r,
                                int32_t target, float dlogp, float inverse,
                                size_t V)
{
    float to_p = (float)(1.0 / r->sum) * inverse;
#pragma omp simd
    for (size_t v = 0; v < V; v++)
        z[v] = -to_p * z[v] * dlogp;
    z[target] += dlogp * inverse;
}

/* Turn a chunk of logits into dz. */
static void side_gradient(const struct side *s, const int32_t *target,
                          const float *dlogp, const float *dentropy, size_t n)
{
    size_t V = s->head->V;
    for (size_t i = 0; i < n; i++) {
        float *z = s->z + i * V;
        float dent = dentropy == NULL ? 0.0f : dentropy[i];
        if (dlogp[i] == 0.0f && dent == 0.0f) {
            memset(z, 0, V * sizeof *z);
            continue;
        }
        assert(target[i] >= 0 && (size_t)target[i] < V);
        assert(s->head->banned == NULL || !s->head->banned[target[i]]);
        struct row r = softmax_row(s->e, z, s->head);
        if (dent != 0.0f)
            r.moment = moment_row(s->e, z, r.max, V);
        gradient_row(z, s->e, &r, target[i], dlogp[i], dent,
                     1.0f / s->head->temperature, V);
    }
}

static bool all_zero(const float *x, size_t n)
{
    for (size_t i = 0; x != NULL && i < n; i++) {
        if (!(x[i] == 0.0f))
            return false;
    }
    return true;
}

/* The same in bfloat16: dz is rounded where it lies. */
static enum status side_products16(float *dhidden, float *dweight,
                                   const struct side *s, size_t first, size_t n,
                                   struct err *err)
{
    size_t V = s->head->V, C = s->head->C, step = 2 * weight_scratch(C) / C;
    const uint16_t *dz = gemm16_round_rows(s->z, n, V);
    uint16_t *some = (uint16_t *)(void *)s->w;
    if (dhidden != NULL)
        TRY(weight_nn16(dhidden + first * C, dz, 2 * V, s->head->weight, n, V,
                        C, true, err));
    for (size_t i = 0, rows; i < n && dweight != NULL; i += rows) {
        rows = n - i < step ? n - i : step;
        gemm16_round(some, s->hidden + (first + i) * C, rows * C);
        TRY(gemm16(&(struct gemm16){.form = GEMM_TN,
                                    .C = dweight,
                                    .ldc = C,
                                    .A = dz + i * 2 * V,
                                    .lda = 2 * V,
                                    .B = some,
                                    .ldb = C,
                                    .M = V,
                                    .N = C,
                                    .K = rows,
                                    .accumulate = true},
                   err));
    }
    return OK;
}

/* The products of a chunk's dz with what they are gradients of. */
static enum status side_products(float *dhidden, float *dweight,
                                 const struct side *s, size_t first, size_t n,
                                 struct err *err)
{
    size_t V = s->head->V, C = s->head->C;
    if (weight_rounds(s->head->weight, n))
        return side_products16(dhidden, dweight, s, first, n, err);
    if (dhidden != NULL)
        TRY(weight_nn(dhidden + first * C, s->z, s->head->weight, n, V, C, true,
                      s->w, err));
    if (dweight == NULL)
        return OK;
    return gemm_tn(dweight, s->z, s->hidden + first * C, V, C, n, true, err);
}

enum status lmhead_backward(float *dhidden, float *dweight,
                            const struct lmhead *head, const float *hidden,
                            const int32_t *target, const float *dlogp,
                            const float *dentropy, size_t N, float *scratch,
                            struct err *err)
{
    struct side s = side_of(head, hidden, scratch);
    size_t chunk = lmhead_chunk(head->V);
    for (size_t first = 0; first < N; first += chunk) {
        size_t n = N - first < chunk ? N - first : chunk;
        const float *dent = dentropy == NULL ? NULL : dentropy + first;
        if (all_zero(dlogp + first, n) && all_zero(dent, n))
            continue;
        TRY(side_logits(&s, first, n, err));
        side_gradient(&s, target + first, dlogp + first, dent, n);
        TRY(side_products(dhidden, dweight, &s, first, n, err));
    }
    return OK;
}

/* The rows of a chunk between its two passes. */
struct kept {
    struct row row[LMHEAD_CHUNK_LARGE];
};

/* A chunk's logits become exponentials where the entropy is not asked for,
 * whose derivative needs the logits themselves. */
static void train_rows(struct kept *kept, const struct side *s, size_t first,
                       size_t n, const int32_t *target,
                       const struct lmhead_training *t)
{
    size_t V = s->head->V;
    for (size_t i = 0; i < n; i++) {
        float *z = s->z + i * V;
        struct row *r = &kept->row[i];
        int32_t aim = target[first + i];
        assert(aim >= 0 && (size_t)aim < V);
        assert(s->head->banned == NULL || !s->head->banned[aim]);
        r->max = scale_row(z, s->head->banned, 1.0f / s->head->temperature, V);
        double z_aim = (double)z[aim];
        float *e = t->entropy == NULL ? z : s->e;
        r->sum = exp_row(e, z, r->max, V);
        r->log_sum = log(r->sum);
        r->moment = 0.0;
        if (t->entropy != NULL) {
            r->moment = moment_row(e, z, r->max, V);
            t->entropy[first + i] = (float)entropy_of(r);
        }
        t->logp[first + i] = (float)(z_aim - (double)r->max - r->log_sum);
    }
}

/* And then dz. */
static void train_gradient(const struct kept *kept, const struct side *s,
                           size_t first, size_t n, const int32_t *target,
                           const struct lmhead_training *t)
{
    size_t V = s->head->V;
    float inverse = 1.0f / s->head->temperature;
    for (size_t i = 0; i < n; i++) {
        float *z = s->z + i * V;
        float dlogp = t->dlogp[first + i];
        float dent = t->dentropy == NULL ? 0.0f : t->dentropy[first + i];
        const struct row *r = &kept->row[i];
        if (dlogp == 0.0f && dent == 0.0f) {
            memset(z, 0, V * sizeof *z);
        } else if (t->entropy == NULL) {
            slope_row(z, r, target[first + i], dlogp, inverse, V);
        } else {
            (void)exp_row(s->e, z, r->max, V);
            struct row used = *r;
            used.moment = dent != 0.0f ? r->moment : 0.0;
            gradient_row(z, s->e, &used, target[first + i], dlogp, dent,
                         inverse, V);
        }
    }
}

enum status lmhead_train(float *dhidden, float *dweight,
                         const struct lmhead *head, const float *hidden,
                         const int32_t *target, size_t N,
                         const struct lmhead_training *t, float *scratch,
                         struct err *err)
{
    struct side s = side_of(head, hidden, scratch);
    size_t chunk = lmhead_chunk(head->V);
    struct kept kept;
    assert((t->entropy == NULL) == (t->dentropy == NULL));
    for (size_t first = 0; first < N; first += chunk) {
        size_t n = N - first < chunk ? N - first : chunk;
        TRY(side_logits(&s, first, n, err));
        train_rows(&kept, &s, first, n, target, t);
        t->loss(t->ctx, first, n);
        if (all_zero(t->dlogp + first, n) &&
            all_zero(at(t->dentropy, first), n))
            continue;
        train_gradient(&kept, &s, first, n, target, t);
        TRY(side_products(dhidden, dweight, &s, first, n, err));
    }
    return OK;
}

NN_CLONES static void multiply_row(float *z, float factor, size_t V)
{
#pragma omp simd
    for (size_t v = 0; v < V; v++)
        z[v] *= factor;
}

double lmhead_softmax(float *z, const struct lmhead *head)
{
    assert(head->temperature > 0.0f);
    struct row r = softmax_row(z, z, head);
    multiply_row(z, (float)(1.0 / r.sum), head->V);
    return (double)r.max + r.log_sum;
}

enum status lmhead_logits(float *logits, const struct lmhead *head,
                          const float *hidden, size_t N, float *scratch,
                          struct err *err)
{
    return weight_nt(logits, hidden, head->weight, N, head->V, head->C, false,
                     scratch, err);
}
