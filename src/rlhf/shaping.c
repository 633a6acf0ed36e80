#include "rlhf/shaping.h"

#include <math.h>

static double sigmoid(double x)
{
    /* Each side through the exponential that cannot overflow. */
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

static double log_sigmoid(double x)
{
    return x >= 0 ? -log1p(exp(-x)) : x - log1p(exp(x));
}

double shaping_score(const struct shaping *s, double raw, double centre,
                     size_t tokens, bool is_eos)
{
    double score = (raw - s->scale.mean) / s->scale.sd;
    if (s->shape == SHAPE_SIGMOID)
        score = sigmoid(score - centre) - 0.5;
    else if (s->shape == SHAPE_LOG_SIGMOID)
        score = log_sigmoid(score - centre) + log(2.0);
    if (!is_eos)
        score -= s->missing_eos;
    return score - s->length_penalty * ((double)tokens - s->reference_tokens);
}

void shaping_observe(struct score_moments *m, const double *score, size_t n)
{
    double mean = 0, square = 0;
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        mean += score[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        square += (score[i] - mean) * (score[i] - mean);
    double all = m->n + (double)n;
    double step = mean - m->mean;
    m->square += square + step * step * m->n * (double)n / all;
    m->mean += step * (double)n / all;
    m->n = all;
}

struct score_scale shaping_scale(const struct score_moments *m)
{
    struct score_scale s = {.mean = m->mean, .sd = 1};
    if (m->n > 1 && m->square > 0)
        s.sd = sqrt(m->square / (m->n - 1));
    return s;
}
