/*
 * sampler.h - one token from one row of a next-token distribution.
 *
 * Ties and rounding are settled the same way everywhere: of equal
 * probabilities the lower id comes first.
 */
#ifndef PLUMB_MODEL_SAMPLER_H
#define PLUMB_MODEL_SAMPLER_H

#include "model/generate.h"
#include "nn/nexttoken.h"

/*
 * Draw from row `row` of t, cut to top_k and then to top_p of what top_k left,
 * as transformers does:
 *
 *     top_k   the k most probable tokens
 *     top_p   the fewest most probable tokens that hold at least top_p of the
 *             mass
 *
 * by inverting the cumulative distribution in order of id at one uniform
 * number.  At temperature 0 the largest logit wins and no number is drawn.
 * Nothing is sorted: a cut looks at the tokens that may survive it, those of
 * blocks whose greatest logit reaches a bound.
 *
 *   logp  log-probability before the cuts, at the head's temperature
 *
 * Banned tokens are never drawn.  ERR_NUMERIC without a text when the row gives
 * no distribution (NaN, or nothing allowed); the caller knows whose row it is.
 */
enum status sampler_draw(int32_t *token, double *logp,
                         const struct nexttoken *t, size_t row,
                         const struct sampling *s, struct rng *rng) MUST_CHECK;

#endif
