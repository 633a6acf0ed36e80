/*
 * draw.h - replies of one model to the held-out prompts, and everything that
 * is measured on each of them.
 */
#ifndef PLUMB_EVAL_DRAW_H
#define PLUMB_EVAL_DRAW_H

#include "eval/setup.h"
#include "rlhf/rollout.h"
#include "stat/features.h"

/* Second word of the random stream's name. */
enum draw_part {
    DRAW_REFERENCE,
    DRAW_POLICY,
    DRAW_REFERENCE_SERVING,
    DRAW_POLICY_SERVING,
    DRAW_CURVE,
};

/* Reply i is sample i % samples of prompt i / samples. */
struct draw {
    struct rollout r; // tokens, scores; kl, logp, logp_ref if compared
    size_t samples;
    bool is_compared;
    bool is_program;                        // the texts are what a program said
    char **text;                            // [n]
    double *weak_raw, *weak_gold;           // [n] NaN without a gold model
    double *base_raw;                       // [n] NaN without a base model
    double *gold, *help, *fillers;          // [n] NaN without a ticket
    struct features_repetition *repetition; // [n]
};

/*
 * Draw `samples` replies of `m` to every prompt, score and judge them.  With a
 * `reference`, also compare the two models on every token, at the sampling
 * temperature (at 1 when sampling is greedy, where there is none).  r.score is
 * raw until draw_scale().
 */
enum status draw_replies(struct draw *out, const struct setup *s,
                         const struct model *m, const struct model *reference,
                         size_t samples, const struct sampling *how,
                         enum draw_part part, const struct context *context,
                         struct err *err) MUST_CHECK;

/* The same of the reference's best: each reply is the one that the reward model
 * scores highest of `best_of` samples of the reference.  Nothing is compared:
 * such a policy has no log-probabilities.  Its KL to the reference is at most
 * draw_best_kl() nats, whatever the reward model. */
enum status draw_best(struct draw *out, const struct setup *s, size_t samples,
                      size_t best_of, const struct sampling *how,
                      enum draw_part part, const struct context *context,
                      struct err *err) MUST_CHECK;

/* The same of the program that stands for the policy (eval/program.h).  Nothing
 * is compared. */
enum status draw_program(struct draw *out, const struct setup *s,
                         size_t samples, const struct sampling *how,
                         enum draw_part part, const struct context *context,
                         struct err *err) MUST_CHECK;

/* log n - (n - 1) / n (Stiennon et al. 2020; a bound where replies can be drawn
 * twice: Beirami et al. 2024). */
double draw_best_kl(size_t best_of);

void draw_free(struct draw *d);

/* Scores and weak gold from raw to the setup's units: (raw - mean) / sd. */
void draw_scale(struct draw *d, const struct setup *s);

/* The rows of prompt p as lines of samples.jsonl (eval/heldout.h). */
enum status draw_write(struct buf *out, const struct draw *d,
                       const struct setup *s, size_t p, const char *which,
                       struct err *err) MUST_CHECK;

#endif
