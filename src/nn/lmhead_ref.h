/*
 * lmhead_ref.h - nn/lmhead.h in plain double loops, to be read first and
 * tested against.  Same names with _ref, same argument order without scratch.
 */
#ifndef PLUMB_NN_LMHEAD_REF_H
#define PLUMB_NN_LMHEAD_REF_H

#include "nn/tensor.h"

struct lmhead_ref {
    const double *weight;  // [V,C]
    const uint8_t *banned; // [V] or NULL
    size_t V, C;
    double temperature;
};

/* Outputs that are NULL are left out. */
void lmhead_forward_ref(double *logp, double *entropy, double *p_eos,
                        const struct lmhead_ref *head, const double *hidden,
                        const int32_t *target, size_t N, int32_t eos);

/* kl [N] only; the rest of lmhead_compare() is lmhead_forward() twice. */
void lmhead_kl_ref(double *kl, const struct lmhead_ref *head,
                   const double *hidden, const struct lmhead_ref *head_ref,
                   const double *hidden_ref, size_t N);

void lmhead_backward_ref(double *dhidden, double *dweight,
                         const struct lmhead_ref *head, const double *hidden,
                         const int32_t *target, const double *dlogp,
                         const double *dentropy, size_t N);

/* Turns z [V] into probabilities and returns logsumexp. */
double lmhead_softmax_ref(double *z, const struct lmhead_ref *head);

#endif
