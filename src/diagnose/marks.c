#include "diagnose/marks.h"

#include <math.h>

#include "base/mem.h"
#include "diagnose/rate.h"

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

static size_t add_up(struct rate *r, const size_t *place,
                     const struct evidence *e, enum mark m, bool is_placebo)
{
    size_t n = 0;
    for (size_t i = 0; i < e->n_vote; i++) {
        const struct evidence_vote *v = &e->vote[i];
        double x = marks_answer(v, m);
        if (v->is_placebo != is_placebo || v->visit != 1 || isnan(x))
            continue;
        rate_add(r, place[v->prompt], x, 1);
        n++;
    }
    return n;
}

enum status marks_measure(struct marks_share *out, const struct evidence *e,
                          enum mark m, struct err *err)
{
    enum status status = OK;
    struct rate policy = {.n = 0}, placebo = {.n = 0};
    struct marks_share s = {.pairs = 0};
    size_t *place = NULL;
    TRY_DONE(MEM_NEW(place, e->n_prompts, err));
    size_t n = number_judged(place, e);
    TRY_DONE(rate_open(&policy, n, err));
    TRY_DONE(rate_open(&placebo, n, err));
    s.pairs = add_up(&policy, place, e, m, false);
    s.placebos = add_up(&placebo, place, e, m, true);
    TRY_DONE(rate_estimate(&s.policy, &policy, &e->plan, err));
    TRY_DONE(rate_estimate(&s.placebo, &placebo, &e->plan, err));
    TRY_DONE(rate_excess(&s.excess, &policy, &placebo, &e->plan, err));
    *out = s;
done:
    rate_close(&policy);
    rate_close(&placebo);
    mem_free(place);
    return status;
}
