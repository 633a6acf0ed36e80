#include "stat/levels.h"

#include "stat/summary.h"

size_t levels_unique(double *x, size_t n)
{
    size_t kept = 0;
    summary_sort(x, n);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || x[i] != x[kept - 1])
            x[kept++] = x[i];
    return kept;
}

size_t levels_find(const double *level, size_t n, double x)
{
    size_t low = 0;
    while (n - low > 1) {
        size_t middle = low + (n - low) / 2;
        if (level[middle] <= x)
            low = middle;
        else
            n = middle;
    }
    return low;
}
