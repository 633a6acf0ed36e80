/*
 * lora.h - low-rank adapters beside frozen products (Hu et al. 2021).
 *
 *     y = x W^T + scale (x A^T) B^T      A [r,K], B [M,r], W [M,K] frozen
 *     scale = alpha / r, or alpha / sqrt(r) with `rslora` (Kalajdzievski 2023)
 *
 * B starts at zero, so a new adapter changes nothing; with the adapter off the
 * model is its base.  A reward or value model's score head belongs to its
 * adapter too and is trained with it.
 *
 * All of an adapter is one flat array: layer after layer, module after module,
 * A before B, then the score head [C].  Gradients and moments have its layout.
 */
#ifndef PLUMB_MODEL_LORA_H
#define PLUMB_MODEL_LORA_H

#include "model/params.h"

/* What an adapter may be put on, in the order of the layout. */
enum lora_module {
    LORA_Q,
    LORA_K,
    LORA_V,
    LORA_O,
    LORA_GATE,
    LORA_UP,
    LORA_DOWN,
    LORA_MODULES
};
#define LORA_ALL ((1u << LORA_MODULES) - 1)
#define LORA_RANK_MAX 1024

struct lora_config {
    int64_t rank; // 0: no adapter
    double alpha;
    bool rslora;
    unsigned targets; // bit 1 << enum lora_module
};

struct lora {
    struct lora_config config;
    float *params; // [lora_count], owned
    size_t n;
};

/*
 * Targets from text: "all-linear", or names separated by commas as PEFT has
 * them ("q_proj,v_proj").  ERR_ARG names the one the model lacks.
 */
enum status lora_parse_targets(unsigned *out, const char *text,
                               const struct model_config *c,
                               struct err *err) MUST_CHECK;

/* The name PEFT's target_modules has for a module: "q_proj". */
const char *lora_module_name(const struct model_config *c,
                             enum lora_module module);

/* Does a model of this shape have the module? */
bool lora_has_module(const struct model_config *c, enum lora_module module);

/* Rank, alpha and targets within bounds: ERR_ARG naming the value. */
enum status lora_check(const struct lora_config *l,
                       const struct model_config *c,
                       struct err *err) MUST_CHECK;

/* The factor before B A. */
double lora_scale(const struct lora_config *l);

/* Floats of an adapter for a model of this shape. */
size_t lora_count(const struct lora_config *l, const struct model_config *c);

/* Where a module's A begins (its B follows), and where the score head does.
 * The module must be a target. */
size_t lora_offset(const struct lora_config *l, const struct model_config *c,
                   enum lora_module module, size_t layer);
size_t lora_score_offset(const struct lora_config *l,
                         const struct model_config *c);

/*
 * The parameter whose rows a module adds to.  `kind` is its first parameter,
 * M and K its sides.
 */
struct lora_shape {
    enum param kind;
    size_t M, K;
};
struct lora_shape lora_shape(const struct model_config *c,
                             enum lora_module module);

/* Tensors of an adapter, and the i-th in layout order, under PEFT's names:
 * base_model.model.<module>.lora_A.weight, base_model.model.score.weight. */
size_t lora_tensors(const struct lora_config *l, const struct model_config *c);
struct param_view lora_view(const struct lora_config *l,
                            const struct model_config *c, size_t i);

/* A new adapter: A uniform in +-1/sqrt(K) as PEFT draws it, each from a random
 * stream of its own; B and the score head zero.  Free with lora_free(). */
enum status lora_create(struct lora **out, const struct lora_config *l,
                        const struct model_config *c, uint64_t seed,
                        struct err *err) MUST_CHECK;
enum status lora_clone(struct lora **out, const struct lora *l,
                       struct err *err) MUST_CHECK;
void lora_free(struct lora *l);

#endif
