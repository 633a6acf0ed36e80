/*
 * generate.h - sampling responses with a key/value cache.
 *
 * Each worker draws as many responses at a time as it has slots, one token of
 * each a round, and gives a slot that is finished to the next waiting job.
 * What a row computes depends on its own sequence alone (nn/rowwise.h), so a
 * response depends on its prompt and its random stream and on nothing else:
 * not on the other jobs or their order, not on the slots, not on the threads.
 *
 * Prompts that begin alike, as samples of one prompt and prompts under one
 * chat template do, are computed once as far as they agree; the bits are those
 * of computing each alone.
 *
 * Time is linear in the tokens drawn and in the prompts' tokens, but for
 * attention, whose part of a token grows with the sequence.
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
    size_t group;       // slots of a worker; 0: GENERATE_SLOTS
};

#define GENERATE_SLOTS ((size_t)32)

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
 * without the banned tokens: what training recomputes, to 1e-4 in float and
 * with weights in bfloat16, which both widen to the same floats.  Where
 * products are in bfloat16 both round the same numbers, but their sums run in
 * other orders: a token's probability is then off by a ratio of 1 +- 0.5 at
 * most, which PPO checks (seen: 0.04 of a model of 2 layers, 0.17 of 30).
 *
 * A job whose prompt and response would exceed T_max stops at T_max.
 *
 * ERR_NUMERIC names the first job whose logits are not finite.
 */
enum status generate_run(struct generate_job *job, size_t n,
                         const struct model *m, const struct sampling *s,
                         const struct context *context,
                         struct err *err) MUST_CHECK;

/*
 * Bytes that a call takes beside the model, all workers together: n jobs whose
 * prompts and responses have T tokens, on `workers`; rank is the adapter's, or
 * 0.  Jobs that end early or share a beginning take less, and so do keys and
 * values in bfloat16.
 */
double generate_bytes(const struct model_config *c, size_t rank, size_t n,
                      size_t T, size_t workers);

#endif
