#include <math.h>

#include "base/mem.h"
#include "diagnose/remedy_path.h"
#include "stat/distribution.h"

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

/* Checkpoints behind the start: d, gold less the start's, its variances. */
struct gold {
    double d[POINTS_MAX], y[POINTS_MAX], weight[POINTS_MAX];
    double variance[POINTS_MAX]; // of the checkpoint's own gold
    double start;                // variance of the start's
    size_t n;
};

static double variance_of(const struct estimate *e)
{
    double sd = (e->high - e->low) / (2 * 1.96);
    return sd * sd;
}

/* False when the start is not known. */
static bool read_gold(struct gold *g, const struct evidence *e, const char *key)
{
    struct point start, now;
    g->n = 0;
    if (!point_at(&start, e, 0, key) || start.iteration != 0)
        return false;
    g->start = variance_of(&start.gold);
    for (size_t i = 1; i < point_count(e) && g->n < POINTS_MAX; i++) {
        if (!point_at(&now, e, i, key) || now.kl == 0)
            continue;
        g->d[g->n] = sqrt(now.kl);
        g->y[g->n] = now.gold.estimate - start.gold.estimate;
        g->variance[g->n] = variance_of(&now.gold);
        g->weight[g->n] = 1 / fmax(g->variance[g->n] + g->start, 1e-12);
        g->n++;
    }
    return true;
}

/* Half width of the interval of the fit's change: by what the checkpoints'
 * intervals say of a line through them, and by their scatter about it; the
 * larger. */
static double half_change(const struct gold *g, const struct remedy_fit *f,
                          double from, double to, double level)
{
    double own = 0, shared = 0, squares = 0, together = 0;
    double degrees = (double)g->n - 2;
    for (size_t i = 0; i < g->n; i++) {
        double w = remedy_curve_fit_weight(f, g->d[i], g->weight[i], from, to);
        double off = g->y[i] - g->d[i] * (f->a - f->b * g->d[i]);
        own += w * w * g->variance[i];
        together += w * w / g->weight[i];
        shared += w;
        squares += g->weight[i] * off * off;
    }
    double tail = (1 + level) / 2;
    double known = sqrt(own + shared * shared * g->start);
    double scatter = sqrt(together * squares / degrees);
    return fmax(distribution_normal_quantile(tail) * known,
                distribution_t_quantile(tail, degrees) * scatter);
}

/* Change of gold from the end to d, with the half width of its interval; false
 * when too little is there. */
static bool gold_change(double *change, double *half,
                        const struct remedy_path *p, const char *key, double to,
                        double level)
{
    struct gold g;
    if (!read_gold(&g, p->e, key) || g.n < 3)
        return false;
    struct remedy_fit f = remedy_curve_fit(g.d, g.y, g.weight, g.n);
    double end = p->all.end;
    *change = f.a * (to - end) - f.b * (to * to - end * end);
    *half = half_change(&g, &f, end, to, level);
    return isfinite(*change) && isfinite(*half);
}

/* e times by, which is known to +- half. */
static struct estimate scaled(const struct estimate *e, double by, double half)
{
    double x = e->estimate * by;
    double both = hypot((e->high - e->low) / 2 * by, half * e->estimate);
    return (struct estimate){x, x - both, x + both, e->n};
}

enum status remedy_human_on_path(struct estimate *out, bool *by_gold,
                                 const struct remedy_path *p,
                                 enum remedy_stop how, double x,
                                 const struct bootstrap *plan, struct err *err)
{
    enum status status = OK;
    const struct evidence *e = p->e;
    const char *key = gold_key(e);
    double *a = NULL, *b = NULL, change, half;
    double level = summary_plan(plan).level;
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
        gold_change(&change, &half, p, key, to, level)) {
        TRY_DONE(summary_estimate_ratio(&worth, a, b, e->n_prompts, plan, err));
        *out = scaled(&worth, change, half);
        *by_gold = true;
        goto done;
    }
    fill_wins(a, b, e);
    TRY_DONE(summary_estimate_ratio(&worth, a, b, e->n_prompts, plan, err));
    *out = scaled(&worth, to / p->all.end - 1, 0);
done:
    mem_free(a);
    mem_free(b);
    return status;
}
