#include "stat/cholesky.h"

#include <math.h>

double cholesky_factor(double *a, size_t k, double floor)
{
    double smallest = (double)INFINITY;
    for (size_t j = 0; j < k; j++) {
        double pivot = a[j * k + j];
        for (size_t l = 0; l < j; l++)
            pivot -= a[j * k + l] * a[j * k + l];
        if (!(pivot >= smallest))
            smallest = pivot;
        if (!(pivot > floor))
            return pivot;
        double root = sqrt(pivot);
        a[j * k + j] = root;
        for (size_t i = j + 1; i < k; i++) {
            double sum = a[i * k + j];
            for (size_t l = 0; l < j; l++)
                sum -= a[i * k + l] * a[j * k + l];
            a[i * k + j] = sum / root;
        }
    }
    return smallest;
}

void cholesky_solve(const double *l, double *b, size_t k)
{
    for (size_t i = 0; i < k; i++) {
        for (size_t j = 0; j < i; j++)
            b[i] -= l[i * k + j] * b[j];
        b[i] /= l[i * k + i];
    }
    for (size_t i = k; i-- > 0;) {
        for (size_t j = i + 1; j < k; j++)
            b[i] -= l[j * k + i] * b[j];
        b[i] /= l[i * k + i];
    }
}

void cholesky_invert(double *inverse, const double *l, size_t k)
{
    /* Row i solves for the i-th unit vector; the inverse is symmetric. */
    for (size_t i = 0; i < k; i++) {
        double *row = inverse + i * k;
        for (size_t j = 0; j < k; j++)
            row[j] = i == j;
        cholesky_solve(l, row, k);
    }
}
