/*
 * model.h - a model: its shape, its parameters, perhaps an adapter.
 *
 * Parameters are one flat array (model/params.h).  A model may borrow the
 * array of another one, so that a policy, its frozen reference and its value
 * model are one copy of the base in memory and an adapter each:
 *
 *     model_read -> base
 *     model_share(&policy, &base, HEAD_LM);       the reference is `base`
 *     model_adapt(&policy, &lora, seed, err);     the policy is base + adapter
 *
 * A base that is not trained may be frozen in bfloat16, half the memory: its
 * products read weights rounded once, in float arithmetic (nn/weight.h).
 *
 * What training changes is model_trainable(): all parameters of a model
 * without an adapter, else the adapter.  Gradients, moments and checkpoints of
 * the trainer have its layout.
 */
#ifndef PLUMB_MODEL_MODEL_H
#define PLUMB_MODEL_MODEL_H

#include "model/lora.h"
#include "nn/lmhead.h"
#include "nn/rope.h"

struct model {
    struct model_config config;
    float *params;     // [params_count], NULL when frozen in bf16; then:
    uint16_t *narrow;  // [params_count] the matrices of products
    float *rest;       // [params_rest_count] all else
    uint16_t *rounded; // [params_count] what products in bf16 read, or NULL
    struct rope rope;  // its arrays; none with learned positions
    bool borrows; // params and rope belong to a model that outlives this one
    struct lora *lora; // NULL: no adapter
    uint8_t *banned;   // [V] tokens never sampled (suppress_tokens), or NULL
};

/* How the parameters of a model are kept, and how its products are computed:
 * two bits. */
enum model_precision {
    MODEL_F32 = 0,
    MODEL_BF16 = 1,         // frozen: nothing but an adapter is trained
    MODEL_F32_BY_BF16 = 2,  // in float, with a rounded copy for products
    MODEL_BF16_BY_BF16 = 3, // frozen, and read by products as they are
    MODEL_IS_BF16 = 1,      // the bits
    MODEL_BY_BF16 = 2
};

/* A model with uninitialised (zero) parameters; model_free() ends it. */
enum status model_create(struct model *out, const struct model_config *c,
                         struct err *err) MUST_CHECK;
enum status model_create_as(struct model *out, const struct model_config *c,
                            enum model_precision precision,
                            struct err *err) MUST_CHECK;
void model_free(struct model *m);

/* A deep copy, with its own parameters.  What `m` borrows is borrowed again;
 * its adapter is copied. */
enum status model_clone(struct model *out, const struct model *m,
                        struct err *err) MUST_CHECK;

/*
 * The same trunk under a score head whose weights are all zero (a value model
 * from a reward model, a reward model from a language model: then the caller
 * sets the score weights).  m has no adapter.
 */
enum status model_clone_as_score(struct model *out, const struct model *m,
                                 struct err *err) MUST_CHECK;

/*
 * A model that borrows the parameters of `base`, under the head wanted.  With
 * HEAD_SCORE on a language model the score head is the adapter's: call
 * model_adapt() before anything reads it.  `base` has no adapter, outlives the
 * result and is not trained meanwhile.
 */
enum status model_share(struct model *out, const struct model *base,
                        enum model_head head, struct err *err) MUST_CHECK;

/*
 * From now on m's products are in bfloat16 (nn/gemm16.h): they read a rounded
 * copy of the parameters, that is made here, or made again when it is there.
 * Whoever changes parameters of such a model calls this, or for some of them
 * model_round_part(), before the next product; models in float are left alone.
 * One that borrows is given what the owner has by model_share().
 */
enum status model_round(struct model *m, struct err *err) MUST_CHECK;
void model_round_part(struct model *m, size_t offset, size_t n);
void model_round_again(struct model *m);

/* Its precision, as it was read with. */
enum model_precision model_precision_of(const struct model *m);

/* Exchange the roles of a model and the one it borrows from: m owns the
 * parameters from now on, and `base` borrows them. */
void model_take(struct model *m, struct model *base);

/* Put a new adapter on a model; its parameters are frozen from now on.  With
 * no target at all only a score head is trained. */
enum status model_adapt(struct model *m, const struct lora_config *l,
                        uint64_t seed, struct err *err) MUST_CHECK;

/* Turn a language model, which owns its parameters and has no adapter, into a
 * score model of the same trunk; its score head is zero. */
enum status model_into_score(struct model *m, struct err *err) MUST_CHECK;

/* Freeze a model in bfloat16, which owns its parameters and has no adapter. */
enum status model_freeze(struct model *m, struct err *err) MUST_CHECK;

/* Fold the adapter into the parameters (W += scale B A), which the model must
 * own and which are in float afterwards; it then has none.  Runs one worker. */
enum status model_merge(struct model *m, struct err *err) MUST_CHECK;

/*
 * Every parameter of m becomes (1 - alpha) reference + alpha m, computed in
 * double: at 0 the reference, at 1 m as it was.  Both own their parameters in
 * float and have no adapter.  ERR_MISMATCH when their shapes differ.
 */
enum status model_interpolate(struct model *m, const struct model *reference,
                              double alpha, struct err *err) MUST_CHECK;

/* A matrix that products read, and any other tensor. */
struct weight model_weight(const struct model *m, enum param kind,
                           size_t layer);
const float *model_vector(const struct model *m, enum param kind, size_t layer);

/* What training changes: a flat array, and its tensors in layout order. */
float *model_trainable(const struct model *m);
size_t model_trainable_count(const struct model *m);
size_t model_trainable_tensors(const struct model *m);
struct param_view model_trainable_view(const struct model *m, size_t i);

/* Where the gradient of a parameter lies in an array of that layout; NULL when
 * it is frozen. */
float *model_grad(const struct model *m, float *grad, enum param kind,
                  size_t layer);

/* The score head [C] and its gradient; asserts HEAD_SCORE. */
float *model_score(const struct model *m);
float *model_score_grad(const struct model *m, float *grad);

/* The language-model head of m; asserts HEAD_LM. */
struct lmhead model_lmhead(const struct model *m, float temperature);

/* The gradient of that head's weight; NULL when it is frozen. */
float *model_lmhead_grad(const struct model *m, float *grad);

#endif
