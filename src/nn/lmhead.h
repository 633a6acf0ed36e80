/*
 * lmhead.h - from hidden states to log-probabilities, entropy and exact KL,
 * without ever storing tokens x vocabulary.
 *
 *     z[v]  = (weight[v,:] . hidden[n,:]) / temperature,  -inf if banned[v]
 *     logp  = z[target] - logsumexp(z)
 *
 * Tokens that may not be sampled (banned) are masked here, so that the
 * sampler, the policy, the reference and every KL share one distribution.  A
 * banned target is a bug in the caller.
 *
 * Rows are worked off in chunks of lmhead_chunk(); scratch holds one chunk of
 * logits per model.  logsumexp, entropy and KL are summed in double.  The twin
 * is nn/lmhead_ref.h.
 */
#ifndef PLUMB_NN_LMHEAD_H
#define PLUMB_NN_LMHEAD_H

#include "base/err.h"
#include "nn/tensor.h"
#include "nn/weight.h"

#define LMHEAD_CHUNK 64        // rows, with small vocabularies
#define LMHEAD_CHUNK_LARGE 256 // with others

struct lmhead {
    struct weight weight;  // [V,C]
    const uint8_t *banned; // [V] 1 where never sampled, or NULL
    size_t V, C;
    float temperature; // > 0
};

/* Rows worked off together.  A chunk reads the whole weight, which for a real
 * model's does not stay in the cache: 256 rows at a time make the product with
 * 49152 x 576 a third faster than 64 do. */
size_t lmhead_chunk(size_t V);

/* Floats of scratch for one head; lmhead_compare wants twice that. */
size_t lmhead_scratch(size_t V, size_t C);

/*
 * What a policy says about each row.
 *   logp     out [N]  log-probability of target[n]
 *   entropy  out [N]  -sum_v p log p in nats, or NULL
 *   p_eos    out [N]  probability of token `eos`, or NULL
 */
enum status lmhead_forward(float *logp, float *entropy, float *p_eos,
                           const struct lmhead *head, const float *hidden,
                           const int32_t *target, size_t N, int32_t eos,
                           float *scratch, struct err *err) MUST_CHECK;

/*
 * The same for a policy and a reference on the same rows, and their exact
 * divergence at each visited state:
 *     kl[n] = sum_v p(v) (log p(v) - log p_ref(v))   nats, >= 0
 * Any output may be NULL.  Both heads must ban the same tokens.
 */
struct lmhead_pair {
    float *logp, *logp_ref;
    float *entropy;
    float *p_eos, *p_eos_ref;
    float *kl;
};
enum status lmhead_compare(const struct lmhead_pair *out,
                           const struct lmhead *head, const float *hidden,
                           const struct lmhead *head_ref,
                           const float *hidden_ref, const int32_t *target,
                           size_t N, int32_t eos, float *scratch,
                           struct err *err) MUST_CHECK;

/*
 * Backward of lmhead_forward's logp and entropy; logits are recomputed.
 *   dlogp     in [N]  dLoss/dlogp
 *   dentropy  in [N]  dLoss/dentropy, or NULL
 *   dhidden   [N,C] and dweight [V,C] are added into; either may be NULL
 * With p the masked softmax:
 *     dz[v] = dlogp (1[v == target] - p[v])
 *           - dentropy p[v] (log p[v] + entropy)
 */
enum status lmhead_backward(float *dhidden, float *dweight,
                            const struct lmhead *head, const float *hidden,
                            const int32_t *target, const float *dlogp,
                            const float *dentropy, size_t N, float *scratch,
                            struct err *err) MUST_CHECK;

/*
 * Forward and backward in one pass, for a loss whose derivative at a row
 * follows from that row's own log-prob and entropy.  The logits are computed
 * once, where lmhead_forward() and lmhead_backward() compute them twice; the
 * results are theirs to the bit.
 *
 * loss(ctx, first, n) is called for one chunk of rows after the other: logp
 * and entropy of rows first..first+n-1 are there, and it SETS dlogp and
 * dentropy of the same rows.
 */
typedef void (*lmhead_loss_fn)(void *ctx, size_t first, size_t n);
struct lmhead_training {
    float *logp, *entropy;   // [N] out; entropy may be NULL
    float *dlogp, *dentropy; // [N] of the loss; dentropy is NULL as entropy is
    lmhead_loss_fn loss;
    void *ctx;
};
enum status lmhead_train(float *dhidden, float *dweight,
                         const struct lmhead *head, const float *hidden,
                         const int32_t *target, size_t N,
                         const struct lmhead_training *t, float *scratch,
                         struct err *err) MUST_CHECK;

/*
 * One row's distribution for a sampler: turns logits z[V] in place into
 * probabilities over the allowed tokens at the head's temperature and returns
 * logsumexp of the scaled logits.  The arithmetic is the one of
 * lmhead_forward, so that a sampled token's log-prob equals the later one.
 */
double lmhead_softmax(float *z, const struct lmhead *head);

/* The next-token logits of N rows: logits[N,V] = hidden weight^T, unscaled.
 * `scratch` has weight_scratch(C) floats, or is NULL for a float weight. */
enum status lmhead_logits(float *logits, const struct lmhead *head,
                          const float *hidden, size_t N, float *scratch,
                          struct err *err) MUST_CHECK;

#endif
