/*
 * cholesky.h - small symmetric positive definite systems.
 *
 *     A = L L',   L lower triangular
 *
 * (Golub and Van Loan 2013, algorithm 4.2.1.)  Matrices are [k,k] row-major;
 * only the lower triangle is read or written, the rest is left alone.  Nothing
 * here allocates or can fail by itself: the smallest pivot tells how far A is
 * from singular, and it is the caller who knows the scale.
 */
#ifndef PLUMB_STAT_CHOLESKY_H
#define PLUMB_STAT_CHOLESKY_H

#include <stddef.h>

/*
 * A becomes L in place.  Returns the smallest square of L's diagonal, which is
 * what the worst column has left when the ones before it are taken out.  When
 * it is not above `floor` the matrix counts as singular, the work ends at that
 * column and L may not be used.
 */
double cholesky_factor(double *a, size_t k, double floor);

/* b [k] becomes the solution x of L L' x = b. */
void cholesky_solve(const double *l, double *b, size_t k);

/* inverse [k,k] of L L', both triangles. */
void cholesky_invert(double *inverse, const double *l, size_t k);

#endif
