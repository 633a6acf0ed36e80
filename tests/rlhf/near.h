/*
 * near.h - comparing numbers in the tests of rlhf.
 *
 * Tolerances are stated where they are used.  FLOAT_ULP is the relative error
 * of one rounding to float; outputs of this layer are computed in double and
 * rounded once, inputs given in decimal are rounded once before.
 */
#ifndef PLUMB_TESTS_RLHF_NEAR_H
#define PLUMB_TESTS_RLHF_NEAR_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(x) (sizeof(x) / sizeof *(x))
#define FLOAT_ULP 6e-8

/* Fails on NaN too. */
static inline void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

static inline void assert_all_near(const float *got, const double *want,
                                   size_t n, double tolerance)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= tolerance))
            fail_msg("[%zu]: got %.9g, want %.9g +- %.3g", i, (double)got[i],
                     want[i], tolerance);
}

#endif
