/*
 * adamw_ref.h - nn/adamw.h in plain double loops, to be read first and tested
 * against.  Same names with _ref, same argument order.
 */
#ifndef PLUMB_NN_ADAMW_REF_H
#define PLUMB_NN_ADAMW_REF_H

#include "nn/adamw.h"

void adamw_update_ref(double *w, double *m, double *v, const double *g,
                      size_t n, bool decay, const struct adamw *a);

#endif
