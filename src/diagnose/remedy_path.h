/*
 * remedy_path.h - what another price of KL would do, read off the way that the
 * run itself went.
 *
 * A price acts like stopping earlier on the same way: it moves along the curve
 * of score against KL, hardly off it (Gao, Schulman and Hilton 2022, 3.6).  So
 * with d = sqrt(KL), at every checkpoint of probes/push.json on the same
 * prompts,
 *
 *     score gained          R(d) = alpha d - gamma d^2
 *     log of the length     lambda(d) = a d - b d^2
 *
 * by least squares (R is the law of best of n, stat/overopt.h, whose slope at
 * 0 is finite in d), and a nat's worth of score at d is
 *
 *     p(d) = dR/dKL = alpha / (2 d) - gamma
 *
 * Where the change stops on this way, from the end d_e (mean KL of the held-out
 * replies, else of the last checkpoint):
 *
 *     price X    p(d) = X; not beyond d_e when X is no lower than now
 *     target X   KL = X, not beyond d_e
 *     part x     d = x d_e, parameters x of the way from the reference
 *     bounded    p(d) 4 s (1 - s) = beta with s = sigma(R(d)): a sigmoid's
 *                slope over that at the reference (ppo.score_shape, and beta
 *                times 1/4)
 *
 * Effects: rm = R(d) - R(d_e), length = exp(lambda(d) - lambda(d_e)), kl =
 * d^2 - d_e^2; rm of a part is in remedy_predict.h.  cost: tokens of each
 * iteration of the rollouts, of those whose own d_i is beyond d times
 * exp(lambda(d) - lambda(d_i)); none after a stop.
 *
 * People.  With gold (else weak gold) over checkpoints (eval/curve.json) the
 * same form is fitted to its change from the start, and a unit of gold is worth
 * c = sum (win - 1/2) g / sum g^2 of a vote, g the difference of gold between
 * the two replies, over all blind pairs.  Without it the win rate is taken to
 * leave 1/2 in step with d, as everything does to first order.
 *
 * The change of gold is linear in the checkpoints' gold, sum of w_i (g_i -
 * g_0), so its variance is sum of w_i^2 var g_i + (sum of w_i)^2 var g_0: the
 * start's error is in all of the differences.  Where checkpoints lie further
 * off the curve than their intervals say, what their scatter says counts, with
 * Student's t.  How far another seed's run would be off is not in it; that is
 * among the deviations of remedy_predict.c.
 */
#ifndef PLUMB_DIAGNOSE_REMEDY_PATH_H
#define PLUMB_DIAGNOSE_REMEDY_PATH_H

#include "diagnose/push.h"
#include "diagnose/remedies.h"

enum remedy_stop {
    REMEDY_STOP_PRICE,
    REMEDY_STOP_TARGET,
    REMEDY_STOP_END, // target, and nothing is drawn after it
    REMEDY_STOP_PART,
    REMEDY_STOP_BOUNDED,
};

struct remedy_curve {
    double alpha, gamma; // score
    double a, b;         // log length
    double end;          // d_e
};

double remedy_curve_score(const struct remedy_curve *c, double d);
double remedy_curve_length(const struct remedy_curve *c, double d); // log
/* alpha / (2 d) - gamma; INFINITY at 0. */
double remedy_curve_price(const struct remedy_curve *c, double d);
/* d where the change stops; `beta` is the price now. */
double remedy_curve_stop(const struct remedy_curve *c, enum remedy_stop how,
                         double x, double beta);

/* y = a d - b d^2 by least squares over points with d > 0 and finite d, y and
 * weight (NULL: 1); a and b are NaN below two points of different d. */
struct remedy_fit {
    double a, b;
    double d2, d3, d4; // weighted sums of powers of d
};
struct remedy_fit remedy_curve_fit(const double *d, const double *y,
                                   const double *weight, size_t n);
/* What a point at d counts in y(to) - y(from) of the fit: the sum of these
 * times the points' y is that difference. */
double remedy_curve_fit_weight(const struct remedy_fit *f, double d,
                               double weight, double from, double to);

struct remedy_path {
    const struct evidence *e;
    struct push push;
    double *kl, *score, *tokens; // grids [m * n_prompts]
    double *end_kl;              // [n_prompts] of the held-out replies
    bool is_there;               // three checkpoints off the start
    struct remedy_curve all;     // of all prompts
    double fit;                  // share of R's variance that the form has
    const char *reason;          // why it is not there
};

/* ERR_MEMORY is the only failure; close also after one. */
enum status remedy_path_open(struct remedy_path *out, const struct evidence *e,
                             struct err *err) MUST_CHECK;
void remedy_path_close(struct remedy_path *p);

/* rm, length, kl and cost with intervals over prompts; nothing when the path
 * is not there. */
enum status remedy_path_effects(struct estimate out[REMEDY_MEASURES],
                                const struct remedy_path *p,
                                enum remedy_stop how, double x,
                                const struct bootstrap *plan,
                                struct err *err) MUST_CHECK;

/* People's win rate at the stop less that at the end; nothing without votes.
 * `by_gold`: gold was there. */
enum status remedy_human_on_path(struct estimate *out, bool *by_gold,
                                 const struct remedy_path *p,
                                 enum remedy_stop how, double x,
                                 const struct bootstrap *plan,
                                 struct err *err) MUST_CHECK;

/*
 * How far to go.  Gold (else weak gold) at each checkpoint against its best:
 * half way, in KL, between the best and the first one behind it whose
 * difference excludes 0 (the two intervals added as if independent): the best
 * alone is a matter of luck among points that cannot be told apart.  Without
 * gold, or when none is told from the best, half of the KL at the end.
 */
struct remedy_wanted {
    double kl;          // nats a reply; NaN: not even the end is known
    double best, worse; // iterations of the best and of the first told worse,
                        // NaN: none is
    const char *key;    // "gold", "weak_gold" or NULL
};
struct remedy_wanted remedy_human_wanted(const struct remedy_path *p);

#endif
