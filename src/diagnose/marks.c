#include "diagnose/marks.h"

#include <assert.h>
#include <math.h>

#include "base/mem.h"

static double is_less(double tested, double other)
{
    return isnan(tested - other) ? (double)NAN : tested < other ? 1 : 0;
}

double marks_answer(const struct evidence_vote *v, enum mark m)
{
    switch (m) {
    case MARK_LESS_DIRECT:
        return is_less(v->direct, v->direct_other);
    case MARK_LESS_HELPFUL:
        return is_less(v->helpful, v->helpful_other);
    case MARK_LESS_CORRECT:
        return is_less(v->correct, v->correct_other);
    case MARK_TOO_LONG:
        return v->too_long;
    case MARK_INCORRECT:
        return isnan(v->correct) ? v->correct : v->correct == 0 ? 1 : 0;
    case MARK_CORRECT:
        return v->correct;
    case MARK_CORRECT_OTHER:
        return v->correct_other;
    case MARK_TOO_LONG_OTHER:
        return v->too_long_other;
    case MARK_WIN:
        return v->win;
    }
    return (double)NAN;
}

/* Numbers from 0 for the prompts of first visits, in their order; SIZE_MAX for
 * others.  Returns how many. */
static size_t number_judged(size_t *place, const struct evidence *e)
{
    size_t n = 0;
    for (size_t p = 0; p < e->n_prompts; p++)
        place[p] = SIZE_MAX;
    for (size_t i = 0; i < e->n_vote; i++)
        if (e->vote[i].visit == 1)
            place[e->vote[i].prompt] = 0;
    for (size_t p = 0; p < e->n_prompts; p++)
        if (place[p] == 0)
            place[p] = n++;
    return n;
}

enum {
    CELLS = 4 // of a mark: yes and answers of policy pairs, of placebo pairs
};

/* Answers by prompt: the cells of all marks stand together, so that a resample
 * touches each of its prompts once. */
struct measuring {
    double *cell; // [prompts, n, CELLS]
    size_t n, prompts;
};

static void add_up(struct measuring *a, const size_t *place,
                   const struct evidence *e, const enum mark *m)
{
    for (size_t i = 0; i < e->n_vote; i++) {
        const struct evidence_vote *v = &e->vote[i];
        for (size_t k = 0; v->visit == 1 && k < a->n; k++) {
            double x = marks_answer(v, m[k]);
            double *cell = a->cell + (place[v->prompt] * a->n + k) * CELLS +
                           (v->is_placebo ? 2 : 0);
            if (isnan(x))
                continue;
            cell[0] += x;
            cell[1] += 1;
        }
    }
}

static double share_of(const double *cell)
{
    return cell[1] > 0 ? cell[0] / cell[1] : (double)NAN;
}

/* Three numbers a mark. */
static void statistics(void *ctx, double *value, size_t r, const size_t *index,
                       size_t n)
{
    const struct measuring *a = ctx;
    double sum[CELLS * MARKS_MANY] = {0};
    size_t width = CELLS * a->n;
    (void)r;
    for (size_t i = 0; i < n; i++) {
        const double *cell = a->cell + index[i] * width;
        for (size_t c = 0; c < width; c++)
            sum[c] += cell[c];
    }
    for (size_t k = 0; k < a->n; k++) {
        value[3 * k] = share_of(sum + CELLS * k);
        value[3 * k + 1] = share_of(sum + CELLS * k + 2);
        value[3 * k + 2] = value[3 * k] - value[3 * k + 1];
    }
}

/* One prompt has no interval, none has no number. */
static struct estimate finished(struct estimate e, size_t prompts)
{
    if (prompts == 0)
        return summary_nothing();
    e.n = prompts;
    if (prompts < 2)
        e.low = e.high = (double)NAN;
    return e;
}

static void finish(struct marks_share *out, const struct measuring *a, size_t k,
                   const struct estimate e[3])
{
    size_t policy = 0, placebo = 0, either = 0;
    double votes[2] = {0, 0};
    for (size_t p = 0; p < a->prompts; p++) {
        const double *cell = a->cell + (p * a->n + k) * CELLS;
        policy += cell[1] > 0;
        placebo += cell[3] > 0;
        either += cell[1] + cell[3] > 0;
        votes[0] += cell[1];
        votes[1] += cell[3];
    }
    *out = (struct marks_share){.policy = finished(e[0], policy),
                                .placebo = finished(e[1], placebo),
                                .excess = finished(e[2], either),
                                .pairs = (size_t)votes[0],
                                .placebos = (size_t)votes[1]};
}

enum status marks_measure_many(struct marks_share *out,
                               const struct evidence *e, const enum mark *m,
                               size_t n, struct err *err)
{
    enum status status = OK;
    struct measuring a = {.n = n};
    struct estimate estimate[3 * MARKS_MANY];
    size_t *place = NULL, cells;
    assert(n <= MARKS_MANY);
    TRY_DONE(MEM_NEW(place, e->n_prompts, err));
    a.prompts = number_judged(place, e);
    TRY_DONE(mem_multiply(&cells, a.prompts, CELLS * n, err));
    TRY_DONE(MEM_NEW(a.cell, cells, err));
    add_up(&a, place, e, m);
    TRY_DONE(summary_bootstrap_many(estimate, NULL, statistics, &a, 3 * n,
                                    a.prompts, &e->plan, err));
    for (size_t k = 0; k < n; k++)
        finish(&out[k], &a, k, estimate + 3 * k);
done:
    mem_free(a.cell);
    mem_free(place);
    return status;
}

enum status marks_measure(struct marks_share *out, const struct evidence *e,
                          enum mark m, struct err *err)
{
    return marks_measure_many(out, e, &m, 1, err);
}
