/*
 * remedy_response.h - what another reward would do, from how replies of the
 * reference differ within a prompt, and what the best of several of them is.
 *
 * To first order, optimising a reward r moves the mean of any feature f of
 * replies by tau Cov(f, r) / sd(r), covariances among the reference's replies
 * to one prompt and tau the pressure: how long and at what price (Price 1970;
 * for policy gradient the research notes' B4).  PPO normalises scores, so
 * another reward r' is optimised with the same pressure, and with correlations
 * c within prompts
 *
 *     uplift by the recorded r      D' = D c(r, r')
 *     log of the length ratio       log rho' = log rho c(tokens, r') /
 *                                              c(tokens, r)
 *
 * where D and rho are what the run itself came to.  Of r':
 *
 *     length off   r' = r - b tokens, b its slope: c(tokens, r') = 0 and
 *                  c(r, r') = sqrt(1 - c(tokens, r)^2)
 *     judges       what those who spot-check prefer.  On placebo pairs (two of
 *                  the reference's replies) with vote w in {-1, 0, 1}
 *                      c(f, r') = sum w df / sqrt(sum w^2 sum df^2)
 *                                 sqrt(pi / 2) / sqrt(q)
 *                  for a normal preference with noise: sqrt(pi / 2) is what the
 *                  sign alone loses, q = sin(pi / 2 agreement) the correlation
 *                  of two visits' preferences, agreement that of their votes
 *                  (1 without second visits).  Within [-1, 1].
 *
 * A change that goes `part` of the way from r to r' mixes the two predictions
 * so.  kl: the same pressure means the same KL a reply (tau^2 / 2 for normal
 * scores, whatever they are scores of), so none is predicted to change.  cost:
 * the tokens of the rollouts with every iteration's log length changed alike.
 *
 * Best of n.  Of a prompt's m replies in order of score the i-th is the best of
 * k <= m drawn ones with probability C(i - 1, k - 1) / C(m, k); prompts are not
 * pooled, since those whose scores are wide would make up the tail.  With fewer
 * replies than n the best of m stands e_n / e_m times as far from the mean, e_n
 * the mean of the largest of n standard normals.  Its tokens follow.  A unit of
 * score is worth the slope of win - 1/2 on it over placebo pairs.  KL at most
 * ln n - (n - 1) / n (Beirami et al. 2024), at least 0; no tokens are drawn to
 * train.
 */
#ifndef PLUMB_DIAGNOSE_REMEDY_RESPONSE_H
#define PLUMB_DIAGNOSE_REMEDY_RESPONSE_H

#include "diagnose/remedies.h"

enum remedy_reward {
    REMEDY_LENGTH_OFF,
    REMEDY_JUDGES,
};

struct remedy_response {
    const struct evidence *e;
    double *number; // [columns * n_prompts] sums by prompt
    /* of all prompts: correlations with r of tokens, of judges with both */
    double tokens_r, judges_r, judges_tokens;
    double token_slope; // of r on tokens within prompts
    /* of judges with what is left of r when length is taken off it: partial
     * correlation given tokens; near 0 the remedy leaves nothing */
    double judges_rest;
    const char *reason_off, *reason_judges; // why not, or NULL
};

/* ERR_MEMORY is the only failure; close also after one. */
enum status remedy_response_open(struct remedy_response *out,
                                 const struct evidence *e,
                                 struct err *err) MUST_CHECK;
void remedy_response_close(struct remedy_response *r);

/* rm, length, kl and cost of optimising another reward, `part` of the way. */
enum status remedy_response_effects(struct estimate out[REMEDY_MEASURES],
                                    const struct remedy_response *r,
                                    enum remedy_reward reward, double part,
                                    const struct bootstrap *plan,
                                    struct err *err) MUST_CHECK;

/* e_n: the mean of the largest of n >= 1 standard normals. */
double remedy_response_order(size_t n);

/* All five of the best of n replies of the reference, n >= 1. */
enum status remedy_response_best(struct estimate out[REMEDY_MEASURES],
                                 const struct remedy_response *r, size_t n,
                                 const struct bootstrap *plan,
                                 struct err *err) MUST_CHECK;

#endif
