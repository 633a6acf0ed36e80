/*
 * compare.h - what the tests of nn/ share: guarded arrays, comparison with
 * the double twins, finite differences.
 *
 * A kernel is checked in two links: finite differences of the twin's forward
 * pass against the twin's backward pass (fd_check), then the kernel against
 * its twin (compare).  A wrong sign, factor or term cannot hide in either.
 */
#ifndef PLUMB_TESTS_NN_COMPARE_H
#define PLUMB_TESTS_NN_COMPARE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/parallel.h"
#include "base/rng.h"

#define FLOAT_EPS 0x1p-24

/* Sentinels on either side of an array; any write there is a bug. */
#define GUARD 64
#define SENTINEL 0x1.5a5a5ap+77f

/*
 * The same numbers twice: f for the kernel, with guards around it, and d for
 * its twin.
 */
struct array {
    size_t n;
    float *f;
    double *d;
    float *block;
};

static inline struct array array_new(size_t n)
{
    struct array a = {.n = n};
    a.block = mem_calloc(n + 2 * GUARD, sizeof *a.block);
    a.d = mem_calloc(n, sizeof *a.d);
    assert_non_null(a.block);
    assert_non_null(a.d);
    a.f = a.block + GUARD;
    for (size_t i = 0; i < GUARD; i++)
        a.block[i] = a.f[n + i] = SENTINEL;
    return a;
}

/* Frees it, after a look at the guards. */
static inline void array_free(struct array *a)
{
    for (size_t i = 0; i < GUARD; i++) {
        if (a->block[i] != SENTINEL || a->f[a->n + i] != SENTINEL)
            fail_msg("write outside an array of %zu, %zu from its edge", a->n,
                     i);
    }
    mem_free(a->block);
    mem_free(a->d);
}

/* Both halves become x rounded to float. */
static inline void array_set(struct array *a, size_t i, double x)
{
    a->f[i] = (float)x;
    a->d[i] = (double)a->f[i];
}

/* n normal numbers of deviation sd. */
static inline struct array array_normal(size_t n, struct rng *r, double sd)
{
    struct array a = array_new(n);
    for (size_t i = 0; i < n; i++)
        array_set(&a, i, sd * rng_normal(r));
    return a;
}

/* For an output that is set: whatever it held may not survive. */
static inline struct array array_nan(size_t n)
{
    struct array a = array_new(n);
    for (size_t i = 0; i < n; i++)
        a.f[i] = NAN;
    return a;
}

static inline double rms(const double *x, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return n == 0 ? 0.0 : sqrt(sum / (double)n);
}

/*
 * Relative rounding error to expect of a sum of K floats: each of K roundings
 * is off by at most half a unit, FLOAT_EPS of the partial sum, and they add
 * like a random walk.  Twice that, and 16 units for the operations around it.
 */
static inline double sum_tolerance(size_t K)
{
    return FLOAT_EPS * (16.0 + 2.0 * sqrt((double)K));
}

/*
 * Every element within tolerance of its own size plus the array's typical
 * size (an element may be a difference of such), and the whole within 1e-10
 * of the mean square.  NaN passes neither.
 */
static inline void compare(const char *what, const float *got,
                           const double *want, size_t n, double tolerance)
{
    double typical = rms(want, n), error = 0.0;
    for (size_t i = 0; i < n; i++) {
        double off = fabs((double)got[i] - want[i]);
        if (!(off <= tolerance * (typical + fabs(want[i]))))
            fail_msg("%s[%zu of %zu]: got %.9g, want %.9g, off by %.2g of "
                     "%.2g allowed",
                     what, i, n, (double)got[i], want[i], off,
                     tolerance * (typical + fabs(want[i])));
        error += off * off;
    }
    if (!(error <= 1e-10 * typical * typical * (double)n))
        fail_msg("%s: normalised mean square error %.3g", what,
                 error / (typical * typical * (double)n));
}

static inline void compare_array(const char *what, const struct array *a,
                                 double tolerance)
{
    compare(what, a->f, a->d, a->n, tolerance);
}

/*
 * Four-point differences of loss(ctx) against dx, for every x[i].  With step
 * 1e-3 the truncation is of order 1e-12 and the rounding of order 1e-13 of the
 * loss, so 1e-7 of the gradient's size is a generous limit.
 */
static inline void fd_check(const char *what, double *x, const double *dx,
                            size_t n, double (*loss)(void *ctx), void *ctx)
{
    double typical = rms(dx, n), h = 1e-3;
    assert_true(typical > 0.0);
    for (size_t i = 0; i < n; i++) {
        double keep = x[i], f[4];
        const double step[4] = {-2.0, -1.0, 1.0, 2.0};
        for (size_t k = 0; k < 4; k++) {
            x[i] = keep + step[k] * h;
            f[k] = loss(ctx);
        }
        x[i] = keep;
        double slope = (8.0 * (f[2] - f[1]) - (f[3] - f[0])) / (12.0 * h);
        if (!(fabs(slope - dx[i]) <= 1e-7 * (typical + fabs(dx[i]))))
            fail_msg("d%s[%zu]: differences say %.12g, backward %.12g", what, i,
                     slope, dx[i]);
    }
}

static inline double weighted_total(const double *weight, const double *x,
                                    size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += weight[i] * x[i];
    return sum;
}

/* Run n items on a team of `size`; products may only be called there. */
static inline void on_team(size_t size, size_t n, team_fn fn, void *ctx)
{
    struct team *team = NULL;
    struct err err = {0};
    assert_int_equal(team_create(&team, size, &err), OK);
    enum status status = team_run(team, n, fn, ctx, &err);
    team_destroy(team);
    if (status != OK)
        fail_msg("%s", err.text);
}

#endif
