#include "stat/sorted.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

struct item {
    double x;
    size_t row;
};

/* Equal values in the order of their rows, so that sorting is stable. */
static int ascending(const void *a, const void *b)
{
    const struct item *v = a;
    const struct item *w = b;
    if (v->x != w->x)
        return v->x < w->x ? -1 : 1;
    return (v->row > w->row) - (v->row < w->row);
}

enum status sorted_build(struct sorted *out, const double *x,
                         const size_t *prompt, size_t n, size_t n_prompts,
                         struct err *err)
{
    enum status status = OK;
    struct item *item = NULL;
    assert(n == 0 || prompt != NULL || n_prompts == n);
    *out = (struct sorted){.n_prompts = n_prompts};
    TRY_DONE(MEM_NEW(item, n, err));
    TRY_DONE(MEM_NEW(out->x, n, err));
    TRY_DONE(MEM_NEW(out->row, n, err));
    TRY_DONE(MEM_NEW(out->prompt, n, err));
    TRY_DONE(MEM_NEW(out->drawn, n_prompts, err));
    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i]))
            item[out->n++] = (struct item){x[i], i};
    if (out->n > 1)
        qsort(item, out->n, sizeof *item, ascending);
    for (size_t i = 0; i < out->n; i++) {
        out->x[i] = item[i].x;
        out->row[i] = item[i].row;
        out->prompt[i] = prompt != NULL ? prompt[item[i].row] : item[i].row;
        assert(out->prompt[i] < n_prompts);
    }
done:
    mem_free(item);
    return status;
}

void sorted_free(struct sorted *s)
{
    mem_free(s->drawn);
    mem_free(s->prompt);
    mem_free(s->row);
    mem_free(s->x);
    *s = (struct sorted){0};
}

double sorted_weight(const struct sorted *s, size_t i)
{
    return s->drawn[s->prompt[i]];
}

double sorted_draw(struct sorted *s, const size_t *index, size_t n)
{
    double total = 0;
    for (size_t p = 0; p < s->n_prompts; p++)
        s->drawn[p] = 0;
    for (size_t i = 0; i < n; i++)
        s->drawn[index[i]] += 1;
    for (size_t i = 0; i < s->n; i++)
        total += sorted_weight(s, i);
    return total;
}

size_t sorted_prompts(struct sorted *s)
{
    size_t count = 0;
    for (size_t p = 0; p < s->n_prompts; p++)
        s->drawn[p] = 0;
    for (size_t i = 0; i < s->n; i++) {
        count += s->drawn[s->prompt[i]] == 0;
        s->drawn[s->prompt[i]] = 1;
    }
    return count;
}
