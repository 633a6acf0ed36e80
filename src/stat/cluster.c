#include "stat/cluster.h"

#include <assert.h>

#include "base/mem.h"

enum status cluster_build(struct cluster *out, const size_t *prompt,
                          size_t rows, size_t n, struct err *err)
{
    assert(prompt != NULL || rows == n);
    *out = (struct cluster){.n = n, .rows = rows};
    TRY(MEM_NEW(out->start, n + 1, err));
    TRY(MEM_NEW(out->row, rows, err));
    for (size_t k = 0; k < rows; k++) {
        size_t p = prompt != NULL ? prompt[k] : k;
        assert(p < n);
        out->start[p + 1]++;
    }
    for (size_t p = 0; p < n; p++)
        out->start[p + 1] += out->start[p];
    /* start[p] walks to the end of its prompt, which is the beginning of the
     * next one; then all step back by one. */
    for (size_t k = 0; k < rows; k++)
        out->row[out->start[prompt != NULL ? prompt[k] : k]++] = k;
    for (size_t p = n; p > 0; p--)
        out->start[p] = out->start[p - 1];
    out->start[0] = 0;
    return OK;
}

void cluster_free(struct cluster *c)
{
    mem_free(c->row);
    mem_free(c->start);
    *c = (struct cluster){0};
}
