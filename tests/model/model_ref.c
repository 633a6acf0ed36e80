#include "model_ref.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

static double *array(size_t n)
{
    double *p = mem_calloc(n, sizeof *p);

    assert(p != NULL);
    return p;
}

static const double *weight(const struct model_config *c, const double *params,
                            enum param kind, size_t layer)
{
    return params + params_offset(c, kind, layer);
}

/* A tensor the architecture may lack: then NULL. */
static const double *maybe(const struct model_config *c, const double *params,
                           enum param kind, size_t layer)
{
    return params_has(c, kind) ? weight(c, params, kind, layer) : NULL;
}

/* out[n,m] = sum_k x[n,k] w[m,k] + bias[m] */
static void linear(double *out, const double *x, const double *w,
                   const double *bias, size_t N, size_t M, size_t K)
{
    for (size_t n = 0; n < N; n++)
        for (size_t m = 0; m < M; m++) {
            out[n * M + m] = bias == NULL ? 0 : bias[m];
            for (size_t k = 0; k < K; k++)
                out[n * M + m] += x[n * K + k] * w[m * K + k];
        }
}

/* RMSNorm, or with a bias LayerNorm. */
static void norm(double *out, const double *x, const double *w,
                 const double *bias, size_t N, size_t C, double eps)
{
    for (size_t n = 0; n < N; n++) {
        double square = 0;
        double mean = 0;

        for (size_t c = 0; c < C && bias != NULL; c++)
            mean += x[n * C + c] / (double)C;
        for (size_t c = 0; c < C; c++)
            square += (x[n * C + c] - mean) * (x[n * C + c] - mean);
        for (size_t c = 0; c < C; c++)
            out[n * C + c] =
                (x[n * C + c] - mean) / sqrt(square / (double)C + eps) * w[c] +
                (bias == NULL ? 0 : bias[c]);
    }
}

/* Radians a position of channel pair i, in the words of the papers. */
static double rate(const struct model_config *c, size_t i)
{
    const struct rope_stretch *s = &c->stretch;
    double plain = pow(c->rope_theta, -2 * (double)i / (double)c->D);
    double turns = s->original * plain / (2 * acos(-1));

    if (s->kind == ROPE_PLAIN || (s->kind == ROPE_LLAMA3 && turns > s->high))
        return plain;
    if (s->kind == ROPE_LINEAR || turns < s->low)
        return plain / s->factor;
    return plain / s->factor +
           (turns - s->low) / (s->high - s->low) * (plain - plain / s->factor);
}

/* Turn each head of x[N,heads,D] by its row's position. */
static void rotate(double *x, const int32_t *position, size_t N, size_t heads,
                   const struct model_config *c)
{
    if (arch_get(c->arch)->is_learned)
        return;
    for (size_t n = 0; n < N; n++)
        for (size_t h = 0; h < heads; h++)
            for (size_t i = 0; i < c->D / 2; i++) {
                double *p = x + (n * heads + h) * c->D + i;
                double angle = position[n] * rate(c, i);
                double a = p[0];
                double b = p[c->D / 2];

                p[0] = a * cos(angle) - b * sin(angle);
                p[c->D / 2] = b * cos(angle) + a * sin(angle);
            }
}

/* One query row against the rows begin..t of its sequence. */
static void attend(double *out, const double *q, const double *k,
                   const double *v, size_t begin, size_t t, size_t stride,
                   size_t D)
{
    double *p = array(t + 1);
    double max = -INFINITY;
    double sum = 0;

    for (size_t s = begin; s <= t; s++) {
        for (size_t d = 0; d < D; d++)
            p[s] += q[d] * k[s * stride + d];
        p[s] /= sqrt((double)D);
        max = fmax(max, p[s]);
    }
    for (size_t s = begin; s <= t; s++)
        sum += p[s] = exp(p[s] - max);
    for (size_t d = 0; d < D; d++) {
        out[d] = 0;
        for (size_t s = begin; s <= t; s++)
            out[d] += p[s] / sum * v[s * stride + d];
    }
    mem_free(p);
}

static void attention_half(double *x, const struct model_config *c,
                           const double *params, size_t layer,
                           const struct pack *pack)
{
    size_t N = pack->N;
    size_t H = c->H;
    size_t G = c->G;
    size_t D = c->D;
    double *in = array(N * c->C);
    double *q = array(N * H * D);
    double *k = array(N * G * D);
    double *v = array(N * G * D);
    double *heads = array(N * H * D);
    double *out = array(N * c->C);

    norm(in, x, weight(c, params, PARAM_NORM1, layer),
         maybe(c, params, PARAM_NORM1_BIAS, layer), N, c->C, c->norm_eps);
    linear(q, in, weight(c, params, PARAM_Q, layer),
           maybe(c, params, PARAM_Q_BIAS, layer), N, H * D, c->C);
    linear(k, in, weight(c, params, PARAM_K, layer),
           maybe(c, params, PARAM_K_BIAS, layer), N, G * D, c->C);
    linear(v, in, weight(c, params, PARAM_V, layer),
           maybe(c, params, PARAM_V_BIAS, layer), N, G * D, c->C);
    if (params_has(c, PARAM_Q_NORM)) {
        norm(q, q, weight(c, params, PARAM_Q_NORM, layer), NULL, N * H, D,
             c->norm_eps);
        norm(k, k, weight(c, params, PARAM_K_NORM, layer), NULL, N * G, D,
             c->norm_eps);
    }
    rotate(q, pack->position, N, H, c);
    rotate(k, pack->position, N, G, c);
    for (size_t s = 0; s < pack->n_seq; s++)
        for (size_t t = pack->start[s]; t < pack->start[s + 1]; t++)
            for (size_t h = 0; h < H; h++) {
                size_t g = h * G / H; // H is a multiple of G

                attend(heads + (t * H + h) * D, q + (t * H + h) * D, k + g * D,
                       v + g * D, pack->start[s], t, G * D, D);
            }
    linear(out, heads, weight(c, params, PARAM_O, layer),
           maybe(c, params, PARAM_O_BIAS, layer), N, c->C, H * D);
    for (size_t i = 0; i < N * c->C; i++)
        x[i] += out[i];
    mem_free(in);
    mem_free(q);
    mem_free(k);
    mem_free(v);
    mem_free(heads);
    mem_free(out);
}

static void feed_forward_half(double *x, const struct model_config *c,
                              const double *params, size_t layer, size_t N)
{
    const double *w_gate = maybe(c, params, PARAM_GATE, layer);
    double *in = array(N * c->C);
    double *gate = array(N * c->F);
    double *up = array(N * c->F);
    double *out = array(N * c->C);

    norm(in, x, weight(c, params, PARAM_NORM2, layer),
         maybe(c, params, PARAM_NORM2_BIAS, layer), N, c->C, c->norm_eps);
    linear(up, in, weight(c, params, PARAM_UP, layer),
           maybe(c, params, PARAM_UP_BIAS, layer), N, c->F, c->C);
    if (w_gate != NULL)
        linear(gate, in, w_gate, NULL, N, c->F, c->C);
    for (size_t i = 0; i < N * c->F; i++) {
        double u = up[i];

        up[i] = w_gate != NULL ? u * gate[i] / (1 + exp(-gate[i]))
                               : u / 2 *
                                     (1 + tanh(sqrt(2 / acos(-1)) *
                                               (u + 0.044715 * u * u * u)));
    }
    linear(out, up, weight(c, params, PARAM_DOWN, layer),
           maybe(c, params, PARAM_DOWN_BIAS, layer), N, c->C, c->F);
    for (size_t i = 0; i < N * c->C; i++)
        x[i] += out[i];
    mem_free(in);
    mem_free(gate);
    mem_free(up);
    mem_free(out);
}

void model_ref_hidden(double *hidden, const struct model_config *c,
                      const double *params, const struct pack *pack)
{
    size_t N = pack->N;
    double *x = array(N * c->C);
    const double *embed = weight(c, params, PARAM_EMBED, 0);
    const double *position = maybe(c, params, PARAM_POSITION, 0);

    for (size_t n = 0; n < N; n++)
        for (size_t i = 0; i < c->C; i++) {
            x[n * c->C + i] = embed[(size_t)pack->token[n] * c->C + i];
            if (position != NULL)
                x[n * c->C + i] +=
                    position[(size_t)pack->position[n] * c->C + i];
        }
    for (size_t l = 0; l < c->L; l++) {
        attention_half(x, c, params, l, pack);
        feed_forward_half(x, c, params, l, N);
    }
    norm(hidden, x, weight(c, params, PARAM_NORM, 0),
         maybe(c, params, PARAM_NORM_BIAS, 0), N, c->C, c->norm_eps);
    mem_free(x);
}

static double row_loss(const double *hidden, const struct model_config *c,
                       const double *params, const struct loss *loss, size_t n)
{
    const double *head =
        weight(c, params, c->tied ? PARAM_EMBED : PARAM_HEAD, 0);
    double *z = array(c->V);
    double sum = 0;
    double entropy = 0;
    double logp;

    linear(z, hidden, head, NULL, 1, c->V, c->C);
    for (size_t v = 0; v < c->V; v++) {
        z[v] /= (double)loss->temperature;
        if (loss->banned == NULL || !loss->banned[v])
            sum += exp(z[v]);
    }
    for (size_t v = 0; v < c->V; v++) {
        double p = exp(z[v]) / sum;

        if (loss->banned == NULL || !loss->banned[v])
            entropy -= p * log(p);
    }
    logp = z[loss->target[n]] - log(sum);
    mem_free(z);
    return loss->dlogp[n] * logp +
           (loss->dentropy != NULL ? loss->dentropy[n] * entropy : 0);
}

double model_ref_loss(const struct model_config *c, const double *params,
                      const struct pack *pack, const struct loss *loss)
{
    double *hidden = array(pack->N * c->C);
    double sum = 0;

    model_ref_hidden(hidden, c, params, pack);
    if (loss->dlogp != NULL)
        for (size_t n = 0; n < pack->N; n++)
            sum += row_loss(hidden + n * c->C, c, params, loss, n);
    for (size_t i = 0; i < loss->n_row; i++) {
        const double *score = weight(c, params, PARAM_SCORE, 0);
        const double *h = hidden + loss->row[i] * c->C;

        for (size_t k = 0; k < c->C; k++)
            sum += loss->dscore[i] * score[k] * h[k];
    }
    mem_free(hidden);
    return sum;
}
