/*
 * gemm_internal.h - what gemm.c and gemm16.c ask before a product and say after
 * it.
 */
#ifndef PLUMB_NN_GEMM_INTERNAL_H
#define PLUMB_NN_GEMM_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include <oneapi/dnnl/dnnl.h>

#include "base/err.h"

/* Is there nothing to multiply?  C [M,N], in rows of length ldc, is cleared
 * where K is 0 and it does not accumulate.  Asserts that a worker asks. */
bool gemm_is_done(float *C, size_t ldc, size_t M, size_t N, size_t K,
                  bool accumulate);

/* ERR_MEMORY where the library has none; every other failure of its is wrong
 * arguments, a bug here. */
enum status gemm_told(dnnl_status_t s, size_t M, size_t N, size_t K,
                      struct err *err) MUST_CHECK;

#endif
