#include "rlhf/reward_loss.h"

#include <assert.h>
#include <math.h>

/* log(1 / (1 + exp(-x))), without overflow on either side. */
static double log_sigmoid(double x)
{
    return x >= 0.0 ? -log1p(exp(-x)) : x - log1p(exp(x));
}

static double sigmoid(double x)
{
    double e = exp(-fabs(x));
    return x >= 0.0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
}

/* Cross entropy of "the first wins" at score difference x, when that is said
 * to happen with probability p; derivative by x in *d. */
static double pair_loss(double *d, double x, double p)
{
    *d = sigmoid(x) - p;
    return -p * log_sigmoid(x) - (1.0 - p) * log_sigmoid(-x);
}

static double pairs_loss(double *dscore, const double *score,
                         const int32_t *rank, const double *weight, size_t K,
                         double scale, const struct reward_loss_config *c)
{
    double even = 2.0 / ((double)K * (double)(K - 1));
    double loss = 0.0;
    for (size_t i = 0; i < K; i++) {
        for (size_t j = 0; j < K; j++) {
            /* Each pair once: from its better side, tied ones from the
             * earlier. */
            if (i == j || rank[i] > rank[j] || (rank[i] == rank[j] && i > j))
                continue;
            double share = weight != NULL ? even * weight[i * K + j] : even;
            double x = score[i] - score[j];
            double d;
            if (rank[i] == rank[j])
                loss += share * pair_loss(&d, x, 0.5);
            else
                loss +=
                    share * pair_loss(&d, x - c->margin, 1.0 - c->smoothing);
            dscore[i] += scale * share * d;
            dscore[j] -= scale * share * d;
        }
    }
    return loss;
}

/* log sum exp of the scores of those ranked `from` or worse; INT32_MIN takes
 * them all. */
static double log_sum_exp(const double *score, const int32_t *rank, size_t K,
                          int32_t from)
{
    double top = -HUGE_VAL;
    for (size_t i = 0; i < K; i++)
        if (rank[i] >= from && score[i] > top)
            top = score[i];
    double sum = 0.0;
    for (size_t i = 0; i < K; i++)
        if (rank[i] >= from)
            sum += exp(score[i] - top);
    return top + log(sum);
}

/* -log of the probability that response i is drawn from those ranked like it
 * or worse, and its derivative times `factor`. */
static double draw_loss(double *dscore, const double *score,
                        const int32_t *rank, size_t K, size_t i, int32_t from,
                        double factor)
{
    double total = log_sum_exp(score, rank, K, from);
    for (size_t j = 0; j < K; j++)
        if (rank[j] >= from)
            dscore[j] += factor * exp(score[j] - total);
    dscore[i] -= factor;
    return total - score[i];
}

static double plackett_luce_loss(double *dscore, const double *score,
                                 const int32_t *rank, size_t K, double scale)
{
    double share = 1.0 / (double)(K - 1);
    double loss = 0.0;
    for (size_t i = 0; i < K; i++)
        loss += share *
                draw_loss(dscore, score, rank, K, i, rank[i], scale * share);
    return loss;
}

static double best_loss(double *dscore, const double *score,
                        const int32_t *rank, size_t K, double scale)
{
    int32_t first = rank[0];
    double count = 0.0;
    for (size_t i = 0; i < K; i++)
        if (rank[i] < first)
            first = rank[i];
    for (size_t i = 0; i < K; i++)
        if (rank[i] == first)
            count += 1.0;
    double loss = 0.0;
    for (size_t i = 0; i < K; i++)
        if (rank[i] == first)
            loss += draw_loss(dscore, score, rank, K, i, first, scale / count) /
                    count;
    return loss;
}

static double centring_loss(double *dscore, const double *score, size_t K,
                            double scale, double coefficient)
{
    if (K == 0)
        return 0.0;
    double mean = 0.0;
    for (size_t i = 0; i < K; i++)
        mean += score[i] / (double)K;
    for (size_t i = 0; i < K; i++)
        dscore[i] += scale * coefficient * 2.0 * mean / (double)K;
    return coefficient * mean * mean;
}

double reward_loss(double *dscore, const double *score, const int32_t *rank,
                   size_t K, double scale, const struct reward_loss_config *c)
{
    return reward_loss_weighted(dscore, score, rank, NULL, K, scale, c);
}

double reward_loss_weighted(double *dscore, const double *score,
                            const int32_t *rank, const double *weight, size_t K,
                            double scale, const struct reward_loss_config *c)
{
    assert(weight == NULL || c->kind == RANKING_PAIRS);
    double loss = centring_loss(dscore, score, K, scale, c->centring);
    if (K < 2)
        return loss;
    switch ((enum ranking_loss)c->kind) {
    case RANKING_PAIRS:
        loss += pairs_loss(dscore, score, rank, weight, K, scale, c);
        break;
    case RANKING_PLACKETT_LUCE:
        loss += plackett_luce_loss(dscore, score, rank, K, scale);
        break;
    case RANKING_BEST:
        loss += best_loss(dscore, score, rank, K, scale);
        break;
    }
    return loss;
}

void reward_count_pairs(struct pair_count *sum, const double *score,
                        const int32_t *rank, size_t K)
{
    for (size_t i = 0; i < K; i++) {
        for (size_t j = 0; j < K; j++) {
            if (rank[i] >= rank[j])
                continue;
            sum->pairs += 1.0;
            if (score[i] > score[j])
                sum->right += 1.0;
            else if (score[i] == score[j])
                sum->right += 0.5;
        }
    }
}
