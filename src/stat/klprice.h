/*
 * klprice.h - what a KL coefficient buys, and what length costs.
 *
 * The policy that maximises E[r] - beta KL(policy || reference) is
 * ref exp(r / beta) / Z, and along beta dE[r]/dKL = beta: the coefficient is a
 * price, not a bound.  Before training, replies of the reference alone say how
 * far that price lets a policy go.  All KL is per reply, in nats; beta and
 * scores are in the same unit of reward.
 */
#ifndef PLUMB_STAT_KLPRICE_H
#define PLUMB_STAT_KLPRICE_H

#include <stdbool.h>

#include "stat/summary.h"

/* ---- normal scores ---- */

/*
 * Where scores of a prompt's replies are normal with deviation sd:
 *     KL* = sd^2 / (2 beta^2),  gain = sd^2 / beta = sd sqrt(2 KL*)
 * A KL* of hundreds is no forecast, it says that the price does not bind.
 */
double klprice_optimum(double sd, double beta);
double klprice_gain(double sd, double beta);

/* The beta whose KL* is `kl`: sd / sqrt(2 kl). */
double klprice_coefficient(double sd, double kl);

/* ---- any scores, from samples ---- */

/* Of log weights: (sum w)^2 / sum w^2, between 1 and n; NaN of none. */
double klprice_effective(const double *log_weight, size_t n);

/* Where a sampled KL* stands too close to its ceiling to be believed: there it
 * is .88 of the truth for 256 normal scores, .8 for 64, .65 for 16. */
#define KLPRICE_CEILING (1.0 / 3)

/*
 * With n replies of the reference to a prompt, w = exp(r / beta) and wbar = w
 * over their sum:
 *     kl    sum wbar ln(n wbar)      at most ln n, whatever the truth
 *     gain  sum wbar r - mean r
 *     effective  (sum w)^2 / sum w^2 / n
 * averaged over prompts.  Above KLPRICE_CEILING ln n the truth is "at least
 * kl", and the normal formula is the companion: n = 256 gives 3.3 for a true
 * 5.6, and 4.2 for 12.5.
 */
struct klprice_sampled {
    struct estimate kl, gain, effective;
    double ceiling;          // mean of ln n over prompts
    bool is_bound;           // kl > KLPRICE_CEILING ceiling: a lower bound only
    struct estimate sd;      // within prompts: sqrt(sum SS / sum (n - 1))
    struct estimate optimum; // klprice_optimum(sd, beta)
};

/*
 * score[n] of prompts prompt[n] < n_prompts; NaN is left out, and so are
 * prompts with one reply.  beta > 0.  ERR_MEMORY is the only failure.
 */
enum status klprice_sample(struct klprice_sampled *out, const double *score,
                           const size_t *prompt, size_t n, size_t n_prompts,
                           double beta, const struct bootstrap *plan,
                           struct err *err) MUST_CHECK;

/* ---- length ---- */

/*
 * Replies of geometric length, mean m tokens, made rho times as long by
 * stopping less often and nothing else:
 *     KL = ln(h'/h) + (m' - 1) ln((1 - h')/(1 - h)),  h = 1/m, m' = rho m
 *        ~ rho - 1 - ln rho
 * 1.27 costs .03 nats, 2 .31, 4 1.6.  m, m' >= 1; the second form is the limit
 * of long replies.
 */
double klprice_length_exact(double m, double m_new);
double klprice_length(double rho);

/*
 * A reward of b a token makes such replies rho = 1 / (1 - b m / beta) times as
 * long, without end (INFINITY) when Lambda = b m / beta >= 1.
 */
double klprice_lambda(double b, double m, double beta);
double klprice_length_optimum(double lambda);

/*
 * The least KL at which a policy can have mean length `target`, for lengths of
 * any distribution: sup over s of s target - ln mean e^(s length), the cost of
 * the exponential tilt of the lengths given.  INFINITY outside of their range,
 * ln(n / count) at its ends, NaN of none.
 */
double klprice_tilt(const double *length, size_t n, double target);

struct klprice_lengths {
    struct estimate kl; // klprice_tilt() averaged over prompts
    /* Prompts whose target is outside of what the reference's few replies
     * reach.  They count with ln n, which is too little. */
    size_t beyond;
    bool is_bound; // there are such prompts: a lower bound only
};

/*
 * length[n] of the reference's replies, target[n_prompts] the policy's mean
 * length on a prompt.  Per prompt, since a mixture of prompts makes lengths
 * look wide and length cheap.  Prompts with a NaN target or one reply are left
 * out.  ERR_MEMORY.
 */
enum status klprice_lengths(struct klprice_lengths *out, const double *length,
                            const size_t *prompt, size_t n,
                            const double *target, size_t n_prompts,
                            const struct bootstrap *plan,
                            struct err *err) MUST_CHECK;

#endif
