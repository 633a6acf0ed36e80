/*
 * rowwise_ref.h - plain twin of nn/rowwise.h.
 */
#ifndef PLUMB_NN_ROWWISE_REF_H
#define PLUMB_NN_ROWWISE_REF_H

#include <stdbool.h>
#include <stddef.h>

/* y[M,N] = x[M,K] W[N,K]^T (+ y if accumulate), dense. */
void rowwise_nt_ref(double *y, const double *x, const double *w, size_t M,
                    size_t N, size_t K, bool accumulate);

#endif
