#include "rlhf/reward_length.h"

#include <math.h>

/* The responses of one prompt. */
struct group {
    const double *score;
    const struct sequence *seq;
    size_t n;
    double mean_score, mean_tokens;
};

static struct group group_of(const double *score, const struct corpus *corpus,
                             size_t record)
{
    size_t from = corpus->first[record];
    struct group g = {.score = score + from,
                      .seq = corpus->seq + from,
                      .n = corpus->first[record + 1] - from};
    for (size_t k = 0; k < g.n; k++) {
        g.mean_score += g.score[k] / (double)g.n;
        g.mean_tokens += (double)g.seq[k].len_response / (double)g.n;
    }
    return g;
}

/* Sum over a prompt of the deviations of length times those of length, and
 * times what a slope leaves of the scores. */
static double sum_products(double *rest, const struct group *g, double slope)
{
    double square = 0;
    *rest = 0;
    for (size_t k = 0; k < g->n; k++) {
        double tokens = (double)g->seq[k].len_response - g->mean_tokens;
        square += tokens * tokens;
        *rest += tokens * (g->score[k] - g->mean_score - slope * tokens);
    }
    return square;
}

struct reward_length_slope reward_length_measure(const double *score,
                                                 const struct corpus *corpus,
                                                 size_t first, size_t last)
{
    struct reward_length_slope out = {.slope = NAN, .se = NAN};
    double square = 0, product = 0, meat = 0, rest;
    for (size_t i = first; i < last; i++) {
        struct group g = group_of(score, corpus, i);
        double own = sum_products(&rest, &g, 0);
        square += own;
        product += rest;
        out.prompts += own > 0;
    }
    if (!(square > 0))
        return out;
    out.slope = product / square;
    for (size_t i = first; i < last; i++) {
        struct group g = group_of(score, corpus, i);
        (void)sum_products(&rest, &g, out.slope);
        meat += rest * rest;
    }
    double G = (double)out.prompts;
    if (out.prompts > 1)
        out.se = sqrt(G / (G - 1) * meat) / square;
    return out;
}
