/*
 * relaxation.h - does the KL penalty pull at all?
 *
 * Where the score is 0 for every response, nothing is left in the loss but the
 * penalty, and a policy trained on must come back towards its reference.  How
 * far it comes in a few iterations is compared with a twin whose penalty is
 * known to be right, k1 in the reward, from the same policy, with the same
 * settings, random streams and number of iterations.  With KL the exact
 * divergence from the reference on a fixed set of prompts, and
 *
 *     ratio = KL after / KL before
 *     share = log ratio of the run / log ratio of the twin
 *
 * a share of 1 comes back as the twin does, 0 not at all, and a negative one
 * is driven away.  Some implementations of the penalty log a KL and have no
 * gradient, or one of the wrong sign (rlhf/kl.h).  The twin must have come back
 * far enough to tell these apart; of a run whose penalty is the twin's own it
 * is enough that KL fell beyond doubt.
 *
 * What is done to both, so that the penalty alone is seen: no whitening, which
 * would blow the residual noise up to unit variance, no entropy bonus, values
 * that begin at 0, a coefficient that is fixed and at least RELAXATION_BETA,
 * since the question is whether the gradient pulls and not how hard.  And plain
 * gradient descent in place of Adam, which takes steps as long on nothing but
 * noise: there a penalty without a gradient walks away at random.  The step is
 * chosen for the twin, such that its first iteration moves the policy by
 * RELAXATION_STEP of the divergence there is; gradients are bounded by twice
 * the twin's norm there, since some penalties have tails that plain descent
 * does not survive.
 *
 * A policy that has hardly moved has no way back that could be measured: it is
 * first driven away, by the reward model's score alone with a coefficient of 0
 * and the run's own optimiser (`is_tilted`).
 */
#ifndef PLUMB_RLHF_RELAXATION_H
#define PLUMB_RLHF_RELAXATION_H

#include "rlhf/batch.h"
#include "rlhf/ppo_trial.h"
#include "stat/summary.h"

#define RELAXATION_BETA 0.2
#define RELAXATION_STEP 0.03
#define RELAXATION_LEAST_KL 0.3 // nats per response, or it is driven away
#define RELAXATION_TILTED_KL 1. // to so many at least
#define RELAXATION_TILTS 12     // iterations of it at most
#define RELAXATION_POINTS 16

/* Shares between the classes. */
#define RELAXATION_SHARE_ACTS 0.9
#define RELAXATION_SHARE_WEAK 0.25
#define RELAXATION_SHARE_INERT (-0.1)

enum relaxation_class {
    RELAXATION_ACTS, // a share above each of the three
    RELAXATION_WEAK,
    RELAXATION_INERT,
    RELAXATION_REPULSIVE, // below all of them
    RELAXATION_NO_PENALTY,
    RELAXATION_NOT_MEASURABLE,
};

/* "acts", "weak", "inert", "repulsive", "no penalty", "not measurable". */
const char *relaxation_name(enum relaxation_class c);

/* What a share of the twin's way back means. */
enum relaxation_class relaxation_classify(double share);

/* One way to go on: KL at `at` iterations. */
struct relaxation_arm {
    double kl[RELAXATION_POINTS]; // means over the prompts
    struct estimate ratio;        // of the last to the first
    size_t tokens;                // trained on
};

struct relaxation {
    enum relaxation_class class;
    char why[160]; // of RELAXATION_NOT_MEASURABLE, else ""
    bool is_tilted;
    int64_t tilts;     // iterations of it
    double beta_scale; // what the coefficient was multiplied by
    double lr, clip;   // of the descent: step, bound on the gradient norm
    bool is_diverged;  // the run's arm ended in numbers that are not finite
    bool twin_is_run;  // the run's penalty is the twin's: trained once
    int64_t at[RELAXATION_POINTS]; // iterations done at each point
    size_t points;
    struct relaxation_arm run, twin;
    struct estimate share;
};

struct relaxation_config {
    const struct ppo_config *ppo;   // for ppo_trial_open()
    const struct sequence *prompts; // KL is measured on, in the policy's tokens
    size_t n;
    int64_t iterations; // of each arm
    size_t points;      // measurements along the way, the first one counted:
                        // 2 to RELAXATION_POINTS
    uint64_t seed;      // of the intervals
};

/* Fails as training does.  ERR_STOPPED between two iterations. */
enum status relaxation_run(struct relaxation *out,
                           const struct relaxation_config *c,
                           const struct stage *stage,
                           struct err *err) MUST_CHECK;

#endif
