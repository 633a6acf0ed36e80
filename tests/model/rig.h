/*
 * rig.h - what the tests of src/model share: a pack from a list of sequences,
 * and forward and backward passes run inside a worker.
 *
 * All of these assert success; what they hand out is freed with mem_free().
 */
#ifndef PLUMB_TESTS_RIG_H
#define PLUMB_TESTS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/context.h"
#include "base/mem.h"
#include "model/sampler.h"
#include "model_ref.h"

#define RIG_TOKENS_MAX 256

/*
 * What float arithmetic may put a hidden state or a logit of these small
 * models off by, relative to its size: a hundred roundings of 2^-24, some
 * fifty a layer.  Two floats that should agree may differ by twice that.
 */
#define RIG_ROUNDING (100 * 0x1p-24)

/*
 * And a whole tensor's gradient: the roundings of both passes, and a decimal
 * digit lost where nearly equal terms are subtracted (p and the target, dp and
 * its mean).
 */
#define RIG_ROUNDING_GRADIENT (10 * 2 * RIG_ROUNDING)
#define RIG_SEQUENCES_MAX 32

/* A pack that owns its arrays. */
struct rig_pack {
    int32_t token[RIG_TOKENS_MAX];
    int32_t position[RIG_TOKENS_MAX];
    size_t start[RIG_SEQUENCES_MAX + 1];
    struct pack pack;
};

void rig_pack_init(struct rig_pack *p);
void rig_pack_add(struct rig_pack *p, const int32_t *token, size_t len);

/* A small shape: V=11 C=8 L=2 H=2 G=1 D=4 F=12, 32 positions. */
struct model_config rig_config(void);

/* The same of another architecture. */
struct model_config rig_config_of(const char *model_type);

/* A model with random weights, norms too, wide enough that every part of it
 * matters. */
void rig_model(struct model *out, const struct model_config *c, uint64_t seed);

/* Run fn(ctx, arena, err) as the only item of a team of one; its status. */
typedef enum status (*rig_fn)(void *ctx, struct arena *arena, struct err *err);
enum status rig_run(rig_fn fn, void *ctx, struct err *err);

/* hidden [N,C]; with or without what a backward pass needs. */
void rig_hidden(float *hidden, const struct model *m, const struct pack *pack,
                bool keep);

/* Logits [N,V]. */
void rig_logits(float *logits, const struct model *m, const struct pack *pack);

/* SETS grad [params_count] to the gradient of a loss. */
void rig_gradient(float *grad, const struct model *m, const struct pack *pack,
                  const struct loss *loss);

/* sampler_draw() from one row of raw logits z [head->V]. */
enum status rig_draw(int32_t *token, double *logp, const float *z,
                     const struct lmhead *head, const struct sampling *s,
                     struct rng *rng);

/* The largest |a[i]-b[i]|; NaN when any of them is. */
double rig_distance(const float *a, const float *b, size_t n);

/* Euclidean |a - b| / |b|; 0 when both vanish. */
double rig_relative(const float *a, const float *b, size_t n);

#endif
