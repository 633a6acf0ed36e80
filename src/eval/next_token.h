/*
 * next_token.h - what two models expect at every state of given responses,
 * read from their whole next-token distributions.
 *
 * State t of a response is the one before its token t.  With p of the policy
 * and q of the reference, over the tokens that may be sampled and at
 * temperature 1:
 *
 *     nll      -log p(token t)                 entropy  -sum p log p
 *     p_eos    p(EOS)                          top      max p
 *     kl       sum p log(p / q)                 forward_kl  sum q log(q / p)
 *
 * All in nats and in double from the logits on.
 */
#ifndef PLUMB_EVAL_NEXT_TOKEN_H
#define PLUMB_EVAL_NEXT_TOKEN_H

#include "base/context.h"
#include "model/transformer.h"
#include "rlhf/batch.h"

enum {
    NEXT_TOKEN_POLICY,
    NEXT_TOKEN_REFERENCE,
    NEXT_TOKEN_MODELS
};

struct next_token {
    struct next_token_model {
        double nll, entropy, p_eos, top;
    } of[NEXT_TOKEN_MODELS];
    double kl, forward_kl;
};

/*
 * out[offset[s] + t] for token t of seq[s] (batch_offsets()).  The models have
 * one vocabulary and ban the same tokens; `reference` may be NULL: then its
 * numbers and the divergences are NaN.  A token that may not be sampled has an
 * nll of infinity.  ERR_NUMERIC: a logit that is not finite.  Work is cut into
 * fixed groups, so the result does not depend on the thread count.
 */
enum status next_token_read(struct next_token *out, const struct model *policy,
                            const struct model *reference,
                            const struct sequence *seq, size_t n,
                            const size_t *offset, const struct context *context,
                            struct err *err) MUST_CHECK;

#endif
