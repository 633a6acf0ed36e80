/*
 * choose_pool.h - the adaptive arm of a pool of rankings, put in the order in
 * which a reward model learns most from it (eval/choose.h).
 *
 * Looked at are the pool's normal items.  One that a judge has or voted on
 * counts as judged: items begun are asked first anyway (store/assign.h).  Of
 * the others those of the adaptive arm get new priorities, by their order;
 * those of the random arm stay as they are, nothing is learnt of them but
 * that they are there.  So the votes of the random arm remain a random sample,
 * by which the adaptive arm can be held to account.
 *
 * Scores and features are those that the reward models have of the texts as
 * training reads them; the features are the first model's.
 */
#ifndef PLUMB_EVAL_CHOOSE_POOL_H
#define PLUMB_EVAL_CHOOSE_POOL_H

#include "base/context.h"
#include "rlhf/ensemble.h"
#include "store/project.h"

struct choose_pool_config {
    const char *pool;
    const char *const *reward_model; // [n_models] model folders or runs
    size_t n_models;                 // 1 to ENSEMBLE_MAX
    int precision;                   // enum model_precision
    size_t steps;                    // 0: CHOOSE_STEPS
};

struct choose_pool_counts {
    size_t chosen;   // items of the adaptive arm that have a new priority
    size_t greedy;   // of them, by uncertainty times diversity; the rest by
                     // uncertainty alone
    size_t judged;   // items that count as judged
    size_t looked;   // of them, as many as distances were taken to
    size_t random;   // items of the random arm not judged yet
    size_t adaptive; // items of the adaptive arm, judged or not
    double u_first, u_last; // the uncertainty of the first and the last chosen,
                            // NaN without one
};

/*
 * Score all, then change the priorities in one transaction.  Doing it twice
 * is doing it once.  ERR_MISMATCH: the pool is one of spot-checks, whose pairs
 * must be a random sample, or is closed; ERR_MISSING: no such pool;
 * ERR_STOPPED: nothing was changed.  With nothing to choose from, `chosen` is
 * 0 and no model reads anything.
 */
enum status choose_pool(struct choose_pool_counts *out, struct db *db,
                        const struct choose_pool_config *c,
                        const struct context *context,
                        struct err *err) MUST_CHECK;

#endif
