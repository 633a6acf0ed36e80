/*
 * model_ref.h - the whole model in plain double loops, for tests: what a
 * reader checks first, and what finite differences are taken of.
 *
 * Nothing here is shared with src/: formulas are written out from the headers
 * of nn/ and model/.
 */
#ifndef PLUMB_TESTS_MODEL_REF_H
#define PLUMB_TESTS_MODEL_REF_H

#include "model/transformer.h"

/*
 * A loss over one pack:
 *     sum_n dlogp[n] * log p(target[n] | row n) + dentropy[n] * entropy(n)
 *   + sum_i dscore[i] * score(row[i])
 * Parts whose arrays are NULL are left out.
 */
struct loss {
    const int32_t *target; // [N]
    const float *dlogp;    // [N]
    const float *dentropy; // [N]
    float temperature;
    const uint8_t *banned; // [V] or NULL
    const size_t *row;     // [n_row]
    const float *dscore;   // [n_row]
    size_t n_row;
};

/* hidden [N,C] from double parameters in the layout of params.h. */
void model_ref_hidden(double *hidden, const struct model_config *c,
                      const double *params, const struct pack *pack);

double model_ref_loss(const struct model_config *c, const double *params,
                      const struct pack *pack, const struct loss *loss);

#endif
