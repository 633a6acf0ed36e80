#include "diagnose/push.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The distinct iterations, and which of them each row is of. */
static enum status find_points(struct push *p, const double *step,
                               struct err *err)
{
    TRY(MEM_NEW(p->t, p->n, err));
    TRY(MEM_NEW(p->point, p->n, err));
    memcpy(p->t, step, p->n * sizeof *step);
    qsort(p->t, p->n, sizeof *p->t, ascending);
    for (size_t i = 0; i < p->n; i++)
        if (p->m == 0 || p->t[i] > p->t[p->m - 1])
            p->t[p->m++] = p->t[i];
    for (size_t i = 0; i < p->n; i++) {
        const double *at =
            bsearch(&step[i], p->t, p->m, sizeof *p->t, ascending);
        p->point[i] = at != NULL ? (size_t)(at - p->t) : 0;
    }
    return OK;
}

enum status push_read(struct push *out, const struct evidence *e,
                      struct err *err)
{
    enum status status = OK;
    const struct table *t = &e->probe[PROBE_PUSH];
    const double *step = table_numbers(t, "step");
    const char *const *id = table_texts(t, "prompt_id");
    struct push p = {
        .n = t->n,
        .n_prompts = e->n_prompts,
        .score = table_numbers(t, "score"),
        .tokens = table_numbers(t, "tokens"),
        .k1 = table_numbers(t, "k1"),
        .kl = table_numbers(t, "kl"),
        .kl_first = table_numbers(t, "kl_first"),
    };
    *out = (struct push){.n = 0};
    if (step == NULL || id == NULL || p.score == NULL || p.tokens == NULL ||
        p.k1 == NULL || p.kl == NULL || !summary_all_finite(step, p.n))
        return OK;
    TRY_DONE(find_points(&p, step, err));
    TRY_DONE(MEM_NEW(p.prompt, p.n, err));
    for (size_t i = 0; i < p.n; i++) {
        p.prompt[i] = id[i] != NULL ? evidence_prompt(e, id[i]) : SIZE_MAX;
        if (p.prompt[i] == SIZE_MAX) // a row of nobody's counts for nothing
            goto done;
    }
    *out = p;
    return OK;
done:
    push_free(&p);
    return status;
}

void push_free(struct push *p)
{
    mem_free(p->t);
    mem_free(p->point);
    mem_free(p->prompt);
    *p = (struct push){.n = 0};
}

enum status push_grid(double *y, const struct push *p, const double *x,
                      struct err *err)
{
    size_t cells = p->m * p->n_prompts;
    size_t *count = NULL;
    TRY(MEM_NEW(count, cells, err));
    for (size_t i = 0; i < cells; i++)
        y[i] = 0;
    for (size_t i = 0; i < p->n; i++) {
        size_t cell = p->point[i] * p->n_prompts + p->prompt[i];
        if (isnan(x[i]))
            continue;
        y[cell] += x[i];
        count[cell]++;
    }
    for (size_t i = 0; i < cells; i++)
        y[i] = count[i] > 0 ? y[i] / (double)count[i] : (double)NAN;
    mem_free(count);
    return OK;
}

void push_means(double *mean, const struct push *p, const double *grid)
{
    for (size_t c = 0; c < p->m; c++) {
        double sum = 0;
        size_t n = 0;
        for (size_t i = 0; i < p->n_prompts; i++) {
            double y = grid[c * p->n_prompts + i];
            if (isnan(y))
                continue;
            sum += y;
            n++;
        }
        mean[c] = n > 0 ? sum / (double)n : (double)NAN;
    }
}

/* Sums of one cell: a prompt at a checkpoint. */
struct cell {
    double n, x, y, xy;
};

enum status push_covariance(double *a, double *b, const struct push *p,
                            const double *x, const double *y, size_t first,
                            size_t last, struct err *err)
{
    struct cell *cell = NULL;
    TRY(MEM_NEW(cell, p->m * p->n_prompts, err));
    /* Means first, then products of deviations: no cancellation. */
    for (size_t i = 0; i < p->n; i++) {
        struct cell *c = &cell[p->point[i] * p->n_prompts + p->prompt[i]];
        if (isnan(x[i] + y[i]))
            continue;
        c->n++;
        c->x += x[i];
        c->y += y[i];
    }
    for (size_t i = 0; i < p->n; i++) {
        struct cell *c = &cell[p->point[i] * p->n_prompts + p->prompt[i]];
        if (isnan(x[i] + y[i]))
            continue;
        c->xy += (x[i] - c->x / c->n) * (y[i] - c->y / c->n);
    }
    for (size_t i = 0; i < p->n_prompts; i++) {
        a[i] = b[i] = 0;
        for (size_t k = first; k < last; k++) {
            const struct cell *c = &cell[k * p->n_prompts + i];
            a[i] += c->xy;
            b[i] += c->n > 1 ? c->n - 1 : 0;
        }
        if (b[i] == 0)
            a[i] = b[i] = (double)NAN;
    }
    mem_free(cell);
    return OK;
}

size_t push_rise_end(const double *y, size_t m)
{
    double most = 0;
    for (size_t c = 1; c < m; c++)
        most = fmax(most, fabs(y[c] - y[0]));
    for (size_t c = 1; c < m; c++)
        if (fabs(y[c] - y[0]) >= 0.9 * most)
            return c;
    return m > 1 ? m - 1 : m;
}
