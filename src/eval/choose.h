/*
 * choose.h - which prompts people should rank next, so that a reward model
 * learns most from it: uncertainty times diversity.
 *
 * Functions of numbers alone; eval/choose_pool.h gets the numbers.
 *
 * UNCERTAINTY of a record is the mean over the pairs (i, j) of its candidates
 * of, with d the difference of a model's scores and p = 1 / (1 + exp(-d)) the
 * Bradley-Terry probability that i is preferred,
 *
 *     one model        p (1 - p)
 *     several models   pm (1 - pm) * v,   pm the mean of p over the models,
 *                                         v the variance (R - 1) of d
 *
 * p (1 - p) is the variance of the answer, largest at a toss-up (uncertainty
 * sampling: Lewis and Gale 1994).  One model cannot tell a pair that it knows
 * nothing about from one that it knows to be even, of which an answer teaches
 * nothing.  Several can: when d is normal over the models with variance v, the
 * mutual information of answer and model (BALD, Houlsby et al. 2011, made for
 * preferences too) is p (1 - p) v / 2 to second order in v, which is the
 * second line but for the half; where v is the same everywhere it is the
 * first.  Variance over an ensemble is what Christiano et al. (2017) chose
 * queries by, and in some of their tasks it did worse than chance; of reward
 * models that were all tuned from one language model, Gleave and Irving (2022)
 * found the disagreement to say little about their errors.  So a random arm is
 * kept beside this one (store/items.h), and docs/label.md says what it did
 * here.
 *
 * DIVERSITY.  Uncertain records are often the same record over and over.  So
 * they are put in order greedily: the next one has the largest
 *
 *     u_i * min over s of |f_i - f_s|
 *
 * where s runs over the records judged already and those chosen before, f is a
 * feature of unit length, and the minimum over nobody is 1.  With equal u this
 * is the farthest-first walk, whose first k come within twice the best radius
 * of k centres (Gonzalez 1985; core-sets: Sener and Savarese 2018).  The
 * product of the two is a heuristic and carries no bound.  Of equal products
 * the larger u is first, then the first record; if no u is above 0, all count
 * as equal.
 */
#ifndef PLUMB_EVAL_CHOOSE_H
#define PLUMB_EVAL_CHOOSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Candidates of record i are first[i] .. first[i+1]-1, two at least.  Those of
 * one text are a toss-up of which nothing is learnt: such pairs count as 0. */
struct choose_scores {
    size_t n;            // records
    const size_t *first; // [n + 1]
    const size_t *text;  // [first[n]] equal within a record where the texts
                         // are; NULL: none are
    size_t R;            // reward models, 1 at least
    const double *score; // [R, first[n]], finite, in units of log-odds
};

/* u [n], each in [0, 1/4] of one model. */
void choose_uncertainty(double *u, const struct choose_scores *s);

/*
 * The feature of a record from the hidden states of its K candidates at which
 * their scores are read: the mean of the states, each of length 1, made of
 * length 1 again.  out [d], state [K, d]; a state of zeros counts as such.
 */
void choose_feature(float *out, const float *state, size_t K, size_t d);

/* Distances are kept to that many records at most: the time is O(steps n d). */
#define CHOOSE_STEPS 2048

struct choose_records {
    size_t n, d;
    const double *u;       // [n], not negative
    const float *feature;  // [n, d]
    const bool *is_judged; // [n]
    size_t steps;          // 0: CHOOSE_STEPS
};

struct choose_order {
    size_t *record;  // [n] those not judged, the first to ask first
    size_t n;        // how many
    size_t n_greedy; // so many of them as said above, the rest by u alone
    size_t n_judged; // so many of the judged, evenly spread, were looked at
};

/* When `steps` is less than there are records, at most half of it goes to
 * those judged.  Free with choose_order_free(). */
enum status choose_order(struct choose_order *out,
                         const struct choose_records *r,
                         struct err *err) MUST_CHECK;
void choose_order_free(struct choose_order *o);

/* The priority (store/items.h) of the k-th of n records to ask, from 0: falls
 * evenly from 1, and stays above 0. */
double choose_priority(size_t k, size_t n);

#endif
