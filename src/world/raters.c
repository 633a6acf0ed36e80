#include "world/raters.h"

#include <assert.h>
#include <math.h>

struct rater_config rater_default(void)
{
    return (struct rater_config){
        .hurried = 0.7,
        .tau = 0.4,
        .gold_share = 0.25,
        .length_taste = 0.06,
        .polite_taste = 0.15,
        .tie_margin = 0,
    };
}

enum status rater_check(const struct rater_config *c, struct err *err)
{
    if (!(c->hurried >= 0 && c->hurried <= 1))
        return err_set(err, ERR_ARG, "hurried is %g, wanted 0..1", c->hurried);
    if (!(c->tau > 0) || !isfinite(c->tau))
        return err_set(err, ERR_ARG, "tau is %g, wanted more than 0", c->tau);
    if (!(c->tie_margin >= 0) || !isfinite(c->tie_margin))
        return err_set(err, ERR_ARG, "tie_margin is %g, wanted 0 or more",
                       c->tie_margin);
    if (!isfinite(c->gold_share) || !isfinite(c->length_taste) ||
        !isfinite(c->polite_taste))
        return err_set(err, ERR_ARG,
                       "the hurried rater's weights are %g, %g, "
                       "%g, wanted finite numbers",
                       c->gold_share, c->length_taste, c->polite_taste);
    return OK;
}

double rater_utility(const struct rater_config *c, const struct judgement *j,
                     bool is_hurried)
{
    if (!is_hurried)
        return j->gold;
    return c->gold_share * j->gold + c->length_taste * (double)j->tokens +
           c->polite_taste * (double)j->polite;
}

/* Sort indices by perturbed utility, best first; insertion keeps the order of
 * equals and K is small. */
static void sort_best_first(size_t *order, const double *noisy, size_t K)
{
    for (size_t i = 0; i < K; i++) {
        size_t j = i;
        while (j > 0 && noisy[order[j - 1]] < noisy[i]) {
            order[j] = order[j - 1];
            j--;
        }
        order[j] = i;
    }
}

const char *rater_rank_from(int32_t *ranking, const struct judgement *judged,
                            size_t K, const struct rater_config *c,
                            struct rng *r)
{
    double noisy[RATER_REPLIES_MAX];
    size_t order[RATER_REPLIES_MAX];
    assert(K >= 1 && K <= RATER_REPLIES_MAX);
    bool is_hurried = rng_uniform(r) < c->hurried;
    for (size_t k = 0; k < K; k++)
        noisy[k] =
            rater_utility(c, &judged[k], is_hurried) / c->tau + rng_gumbel(r);
    sort_best_first(order, noisy, K);
    size_t best = 0; // of the current group of ties
    for (size_t i = 0; i < K; i++) {
        bool is_tie = noisy[order[best]] - noisy[order[i]] < c->tie_margin;
        if (i > 0 && !is_tie)
            best = i;
        ranking[order[i]] = (int32_t)best + 1;
    }
    return is_hurried ? "hurried" : "careful";
}

const char *rater_rank(int32_t *ranking, const struct judgement *judged,
                       size_t K, const struct rater_config *c, uint64_t seed,
                       uint32_t prompt)
{
    struct rng r;
    rng_init(&r, seed, RNG_RATER, 0, prompt);
    return rater_rank_from(ranking, judged, K, c, &r);
}
