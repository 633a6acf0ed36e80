/*
 * generate.h - sampling responses with a key/value cache.
 *
 * Jobs are cut into groups of a fixed size, each run by one worker: prompts
 * are prefilled as one pack, then every unfinished sequence gets one token per
 * round.  What a job draws depends on its own random stream, and the arithmetic
 * of a row only on its group, so results do not depend on the thread count.
 */
#ifndef PLUMB_MODEL_GENERATE_H
#define PLUMB_MODEL_GENERATE_H

#include "base/context.h"
#include "base/rng.h"
#include "model/transformer.h"

struct sampling {
    double temperature; // 0: greedy
    double top_p;       // 1: off
    size_t top_k;       // 0: off
    size_t max_new;     // tokens at most, EOS included
    size_t group;       // jobs per group; 0: 32, or half of fewer than 64
};

struct generate_job {
    const int32_t *prompt;
    size_t len_prompt; // >= 1
    struct rng rng;    // this job's own stream
    /* out */
    bool is_eos;    // ended by EOS or another stop token (else by length)
    int32_t *token; // [max_new], given by the caller
    float *logp;    // [max_new], given by the caller, or NULL
    size_t len;     // tokens drawn, EOS included
};

/*
 * Draw a response for every job.  logp is the log-probability under the full
 * (untruncated) distribution at the sampling temperature (1 when greedy)
 * without the banned tokens: what training recomputes.  A job whose prompt
 * and response would exceed T_max stops at T_max.
 */
enum status generate_run(struct generate_job *job, size_t n,
                         const struct model *m, const struct sampling *s,
                         const struct context *context,
                         struct err *err) MUST_CHECK;

#endif
