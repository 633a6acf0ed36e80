#include "base/comm.h"

void comm_cut(size_t *first, size_t *last, size_t n, size_t parts, size_t i)
{
    size_t base = n / parts, extra = n % parts;
    *first = i * base + (i < extra ? i : extra);
    *last = *first + base + (i < extra ? 1 : 0);
}

void comm_own(size_t *first, size_t *last, const struct comm *c, size_t n)
{
    comm_cut(first, last, n, comm_size(c), comm_rank(c));
}
