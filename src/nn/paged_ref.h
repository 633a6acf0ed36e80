/*
 * paged_ref.h - plain twin of nn/paged.h, over rows that lie together.
 */
#ifndef PLUMB_NN_PAGED_REF_H
#define PLUMB_NN_PAGED_REF_H

#include <stddef.h>

/* out [H,D] of query [H,D] and key, value [len,G*D]. */
void paged_attend_ref(double *out, const double *query, const double *key,
                      const double *value, size_t len, size_t H, size_t G,
                      size_t D);

#endif
