#include "base/comm.h"

#include "base/mem.h"

void comm_cut(size_t *first, size_t *last, size_t n, size_t parts, size_t i)
{
    size_t base = n / parts, extra = n % parts;
    *first = i * base + (i < extra ? i : extra);
    *last = *first + base + (i < extra ? 1 : 0);
}

size_t comm_holder(size_t n, size_t parts, size_t item)
{
    size_t base = n / parts, extra = n % parts;
    size_t longer = extra * (base + 1); // items in pieces of one more
    return item < longer ? item / (base + 1) : extra + (item - longer) / base;
}

void comm_own(size_t *first, size_t *last, const struct comm *c, size_t n)
{
    comm_cut(first, last, n, comm_size(c), comm_rank(c));
}

enum status comm_share(struct comm *c, void *base, const size_t *offset,
                       size_t n, size_t group, size_t bytes, struct err *err)
{
    size_t items = (n + group - 1) / group, ranks = comm_size(c);
    size_t *begin;
    if (c == NULL || base == NULL)
        return OK;
    TRY(MEM_NEW(begin, ranks + 1, err));
    for (size_t r = 0; r <= ranks; r++) {
        size_t first = items, last;
        if (r < ranks)
            comm_cut(&first, &last, items, ranks, r);
        size_t row = first * group < n ? first * group : n;
        begin[r] = (offset != NULL ? offset[row] : row) * bytes;
    }
    enum status status = comm_gather(c, base, begin, err);
    mem_free(begin);
    return status;
}
