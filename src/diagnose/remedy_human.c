#include <math.h>

#include "base/mem.h"
#include "diagnose/remedy_path.h"

/* ---- gold over checkpoints ---------------------------------------------- */

static const char *gold_key(const struct evidence *e)
{
    static const char *const keys[] = {"gold", "weak_gold"};
    const struct json *first = json_at(json_get(e->curve, "checkpoints"), 0);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct estimate g = measures_read_estimate(json_get(first, keys[i]));
        if (finding_has_interval(&g))
            return keys[i];
    }
    return NULL;
}

/* A checkpoint of eval/curve.json. */
struct point {
    double iteration, kl;
    struct estimate gold;
};

static bool point_at(struct point *out, const struct evidence *e, size_t i,
                     const char *key)
{
    const struct json *p = json_at(json_get(e->curve, "checkpoints"), i);
    out->iteration = json_number(json_get(p, "iteration"), (double)NAN);
    out->kl = measures_read_estimate(json_get(p, "kl_sequence")).estimate;
    out->gold = measures_read_estimate(json_get(p, key));
    return isfinite(out->iteration) && isfinite(out->kl) && out->kl >= 0 &&
           finding_has_interval(&out->gold);
}

static size_t point_count(const struct evidence *e)
{
    return json_size(json_get(e->curve, "checkpoints"));
}

/* Is b told from a, which is better? */
static bool is_worse(const struct point *b, const struct point *a)
{
    double half =
        hypot(a->gold.high - a->gold.low, b->gold.high - b->gold.low) / 2;
    return a->gold.estimate - b->gold.estimate > half;
}

static bool find_best(struct point *best, size_t *at, const struct evidence *e,
                      const char *key)
{
    struct point p;
    bool is_there = false;
    for (size_t i = 0; i < point_count(e); i++) {
        if (!point_at(&p, e, i, key) ||
            (is_there && p.gold.estimate <= best->gold.estimate))
            continue;
        *best = p;
        *at = i;
        is_there = true;
    }
    return is_there;
}

struct remedy_wanted remedy_human_wanted(const struct remedy_path *p)
{
    double end = p->all.end * p->all.end;
    struct remedy_wanted w = {end / 2, (double)NAN, (double)NAN,
                              gold_key(p->e)};
    struct point best, now;
    size_t at = 0;
    if (w.key == NULL || !find_best(&best, &at, p->e, w.key))
        return w;
    w.best = best.iteration;
    for (size_t i = at + 1; i < point_count(p->e); i++) {
        if (!point_at(&now, p->e, i, w.key) || !is_worse(&now, &best))
            continue;
        w.worse = now.iteration;
        w.kl = (best.kl + now.kl) / 2;
        break;
    }
    return w;
}

/* ---- what people would say ---------------------------------------------- */

/* Numerator and denominator of a unit of gold's worth, by prompt. */
static size_t fill_worth(double *a, double *b, const struct evidence *e,
                         bool is_weak)
{
    size_t pairs = 0;
    for (size_t i = 0; i < e->n_prompts; i++)
        a[i] = b[i] = (double)NAN;
    for (size_t i = 0; i < e->n_vote; i++) {
        const struct evidence_vote *v = &e->vote[i];
        if (v->visit != 1 || v->reply == SIZE_MAX || v->reply_other == SIZE_MAX)
            continue;
        const struct evidence_reply *x = &e->reply[v->reply];
        const struct evidence_reply *y = &e->reply[v->reply_other];
        double g = is_weak ? x->weak_gold - y->weak_gold : x->gold - y->gold;
        if (isnan(g) || isnan(v->win))
            continue;
        if (isnan(a[v->prompt]))
            a[v->prompt] = b[v->prompt] = 0;
        a[v->prompt] += g * (v->win - 0.5);
        b[v->prompt] += g * g;
        pairs++;
    }
    return pairs;
}

static void fill_wins(double *a, double *b, const struct evidence *e)
{
    for (size_t i = 0; i < e->n_prompts; i++)
        a[i] = b[i] = (double)NAN;
    for (size_t i = 0; i < e->n_vote; i++) {
        const struct evidence_vote *v = &e->vote[i];
        if (v->visit != 1 || v->is_placebo || isnan(v->win))
            continue;
        if (isnan(a[v->prompt]))
            a[v->prompt] = b[v->prompt] = 0;
        a[v->prompt] += v->win - 0.5;
        b[v->prompt]++;
    }
}

enum {
    POINTS_MAX = 1024
};

/* Change of gold from the end to d, with the deviation that the points'
 * intervals imply for a line through them; false when too little is there. */
static bool gold_change(double *change, double *sd, const struct remedy_path *p,
                        const char *key, double to)
{
    double d[POINTS_MAX], y[POINTS_MAX], weight[POINTS_MAX];
    struct point start, now;
    size_t n = 0;
    if (!point_at(&start, p->e, 0, key) || start.iteration != 0)
        return false;
    for (size_t i = 1; i < point_count(p->e) && n < POINTS_MAX; i++) {
        if (!point_at(&now, p->e, i, key))
            continue;
        double half = hypot(now.gold.high - now.gold.low,
                            start.gold.high - start.gold.low) /
                      (2 * 1.96);
        d[n] = sqrt(now.kl);
        y[n] = now.gold.estimate - start.gold.estimate;
        weight[n++] = 1 / fmax(half * half, 1e-12);
    }
    struct remedy_fit f = remedy_curve_fit(d, y, weight, n);
    double end = p->all.end;
    *change = f.a * (to - end) - f.b * (to * to - end * end);
    *sd = remedy_curve_fit_sd(&f, end, to);
    return n >= 3 && isfinite(*change) && isfinite(*sd);
}

static struct estimate scaled(const struct estimate *e, double by, double sd)
{
    double x = e->estimate * by;
    double half = hypot((e->high - e->low) / 2 * by, 1.645 * sd * e->estimate);
    return (struct estimate){x, x - half, x + half, e->n};
}

enum status remedy_human_on_path(struct estimate *out, bool *by_gold,
                                 const struct remedy_path *p,
                                 enum remedy_stop how, double x,
                                 const struct bootstrap *plan, struct err *err)
{
    enum status status = OK;
    const struct evidence *e = p->e;
    const char *key = gold_key(e);
    double *a = NULL, *b = NULL, change, sd;
    double to = remedy_curve_stop(&p->all, how, x, evidence_beta(e));
    struct estimate worth;
    *out = summary_nothing();
    *by_gold = false;
    TRY_DONE(MEM_NEW(a, e->n_prompts, err));
    TRY_DONE(MEM_NEW(b, e->n_prompts, err));
    if (!p->is_there || e->n_vote == 0)
        goto done;
    bool is_weak = key != NULL && key[0] == 'w';
    if (key != NULL && fill_worth(a, b, e, is_weak) > 0 &&
        gold_change(&change, &sd, p, key, to)) {
        TRY_DONE(summary_estimate_ratio(&worth, a, b, e->n_prompts, plan, err));
        *out = scaled(&worth, change, sd);
        *by_gold = true;
        goto done;
    }
    double share = remedy_curve_length(&p->all, to) /
                   remedy_curve_length(&p->all, p->all.end);
    fill_wins(a, b, e);
    TRY_DONE(summary_estimate_ratio(&worth, a, b, e->n_prompts, plan, err));
    *out = scaled(&worth, share - 1, 0);
done:
    mem_free(a);
    mem_free(b);
    return status;
}
