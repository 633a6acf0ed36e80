/*
 * reward_loss.h - losses on the scores of one prompt's K responses.
 */
#ifndef PLUMB_RLHF_REWARD_LOSS_H
#define PLUMB_RLHF_REWARD_LOSS_H

#include <stddef.h>
#include <stdint.h>

enum ranking_loss {
    RANKING_PAIRS,         // Bradley-Terry over all pairs
    RANKING_PLACKETT_LUCE, // likelihood of the whole order
    RANKING_BEST,          // softmax: the best of K (Ziegler et al. 2019)
};

struct reward_loss_config {
    int kind;         // enum ranking_loss
    double margin;    // pairs: subtracted from score difference
    double smoothing; // label smoothing: weight of the opposite outcome
    double centring;  // coefficient of (mean score of the prompt)^2
};

/*
 * Loss of one prompt and its derivative.  rank[i] is the rank of response i, 1
 * the best, equal ranks are ties.
 *
 *   pairs: mean over pairs i better than j of
 *              -(1-s) log sigma(r_i - r_j - margin) - s log sigma(r_j - r_i +
 *              margin);
 *          a tied pair counts as half a win each way (margin 0)
 *   PL:    -sum over places of log( exp(r_place) / sum of those not yet placed
 *          ), divided by K-1; a tied group is placed in the average of its
 *          orders to first order: each of its members against the group and
 *          all below (Breslow)
 *   best:  -log softmax(r)[best], the average over ties for best
 *
 * plus centring * (mean_i r_i)^2.  ADDS dLoss/dr_i * scale to dscore[i] and
 * returns the loss (unscaled).  K of 0 or 1: only centring.
 */
double reward_loss(double *dscore, const double *score, const int32_t *rank,
                   size_t K, double scale, const struct reward_loss_config *c);

/* The same with a factor for every pair: weight[i * K + j] on that of i, not
 * the worse one, and j; NULL: 1.  RANKING_PAIRS only. */
double reward_loss_weighted(double *dscore, const double *score,
                            const int32_t *rank, const double *weight, size_t K,
                            double scale, const struct reward_loss_config *c);

/* Pairs that the scores order as the ranks do; ties in rank are left out,
 * equal scores count one half, a NaN is not right.  ADDS to sum. */
struct pair_count {
    double right, pairs;
};
void reward_count_pairs(struct pair_count *sum, const double *score,
                        const int32_t *rank, size_t K);

#endif
