#include "nn/lmhead_ref.h"

#include <math.h>
#include <stdbool.h>

static bool is_banned(const struct lmhead_ref *head, size_t v)
{
    return head->banned != NULL && head->banned[v];
}

/* z[v], -inf where banned */
static double logit(const struct lmhead_ref *head, const double *hidden,
                    size_t v)
{
    double sum = 0.0;
    for (size_t c = 0; c < head->C; c++)
        sum += head->weight[v * head->C + c] * hidden[c];
    return is_banned(head, v) ? -INFINITY : sum / head->temperature;
}

static double logsumexp(const struct lmhead_ref *head, const double *hidden)
{
    double max = -INFINITY, sum = 0.0;
    for (size_t v = 0; v < head->V; v++)
        max = fmax(max, logit(head, hidden, v));
    for (size_t v = 0; v < head->V; v++)
        sum += exp(logit(head, hidden, v) - max);
    return max + log(sum);
}

static double entropy_of(const struct lmhead_ref *head, const double *hidden,
                         double lse)
{
    double sum = 0.0;
    for (size_t v = 0; v < head->V; v++) {
        double logp = logit(head, hidden, v) - lse;
        if (!is_banned(head, v))
            sum -= exp(logp) * logp;
    }
    return sum;
}

void lmhead_forward_ref(double *logp, double *entropy, double *p_eos,
                        const struct lmhead_ref *head, const double *hidden,
                        const int32_t *target, size_t N, int32_t eos)
{
    for (size_t n = 0; n < N; n++) {
        const double *hidden_n = hidden + n * head->C;
        double lse = logsumexp(head, hidden_n);
        if (logp)
            logp[n] = logit(head, hidden_n, (size_t)target[n]) - lse;
        if (entropy)
            entropy[n] = entropy_of(head, hidden_n, lse);
        if (p_eos)
            p_eos[n] = exp(logit(head, hidden_n, (size_t)eos) - lse);
    }
}

void lmhead_kl_ref(double *kl, const struct lmhead_ref *head,
                   const double *hidden, const struct lmhead_ref *head_ref,
                   const double *hidden_ref, size_t N)
{
    for (size_t n = 0; n < N; n++) {
        const double *a = hidden + n * head->C;
        const double *b = hidden_ref + n * head_ref->C;
        double lse = logsumexp(head, a), lse_ref = logsumexp(head_ref, b);
        kl[n] = 0.0;
        for (size_t v = 0; v < head->V; v++) {
            double logp = logit(head, a, v) - lse;
            double logp_ref = logit(head_ref, b, v) - lse_ref;
            if (!is_banned(head, v))
                kl[n] += exp(logp) * (logp - logp_ref);
        }
    }
}

void lmhead_backward_ref(double *dhidden, double *dweight,
                         const struct lmhead_ref *head, const double *hidden,
                         const int32_t *target, const double *dlogp,
                         const double *dentropy, size_t N)
{
    size_t C = head->C;
    for (size_t n = 0; n < N; n++) {
        const double *hidden_n = hidden + n * C;
        double lse = logsumexp(head, hidden_n);
        double entropy = entropy_of(head, hidden_n, lse);
        for (size_t v = 0; v < head->V; v++) {
            if (is_banned(head, v))
                continue;
            double logp = logit(head, hidden_n, v) - lse, p = exp(logp);
            /* logp = z[target] - log sum_v exp(z[v]) */
            double dz = dlogp[n] * ((v == (size_t)target[n]) - p);
            /* entropy = -sum_v p[v] log p[v] */
            if (dentropy)
                dz -= dentropy[n] * p * (logp + entropy);
            for (size_t c = 0; c < C; c++) {
                double scaled = dz / head->temperature;
                if (dhidden)
                    dhidden[n * C + c] += scaled * head->weight[v * C + c];
                if (dweight)
                    dweight[v * C + c] += scaled * hidden_n[c];
            }
        }
    }
}

double lmhead_softmax_ref(double *z, const struct lmhead_ref *head)
{
    double max = -INFINITY, sum = 0.0;
    for (size_t v = 0; v < head->V; v++) {
        z[v] = is_banned(head, v) ? -INFINITY : z[v] / head->temperature;
        max = fmax(max, z[v]);
    }
    for (size_t v = 0; v < head->V; v++)
        sum += exp(z[v] - max);
    double lse = max + log(sum);
    for (size_t v = 0; v < head->V; v++)
        z[v] = exp(z[v] - lse);
    return lse;
}
