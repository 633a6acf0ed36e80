#include "diagnose/remedy_path.h"

#include <math.h>
#include <stddef.h>

#include "base/mem.h"

/* ---- the curve ---------------------------------------------------------- */

double remedy_curve_score(const struct remedy_curve *c, double d)
{
    return d * (c->alpha - c->gamma * d);
}

double remedy_curve_length(const struct remedy_curve *c, double d)
{
    return d * (c->a - c->b * d);
}

double remedy_curve_price(const struct remedy_curve *c, double d)
{
    return d > 0 ? c->alpha / (2 * d) - c->gamma : (double)INFINITY;
}

static double determinant(const struct remedy_fit *f)
{
    return f->d2 * f->d4 - f->d3 * f->d3;
}

struct remedy_fit remedy_curve_fit(const double *d, const double *y,
                                   const double *weight, size_t n)
{
    struct remedy_fit f = {(double)NAN, (double)NAN, 0, 0, 0};
    double dy = 0, ddy = 0;
    for (size_t i = 0; i < n; i++) {
        double w = weight != NULL ? weight[i] : 1;
        if (!isfinite(d[i]) || !isfinite(y[i]) || !isfinite(w) || d[i] <= 0)
            continue;
        f.d2 += w * d[i] * d[i];
        f.d3 += w * d[i] * d[i] * d[i];
        f.d4 += w * d[i] * d[i] * d[i] * d[i];
        dy += w * d[i] * y[i];
        ddy += w * d[i] * d[i] * y[i];
    }
    /* Points at one d leave nothing but rounding. */
    if (!(determinant(&f) > 1e-12 * f.d2 * f.d4))
        return f;
    f.a = (dy * f.d4 - ddy * f.d3) / determinant(&f);
    f.b = (dy * f.d3 - ddy * f.d2) / determinant(&f);
    return f;
}

double remedy_curve_fit_weight(const struct remedy_fit *f, double d,
                               double weight, double from, double to)
{
    double u = to - from, v = to * to - from * from;
    double a = d * f->d4 - d * d * f->d3, b = d * f->d3 - d * d * f->d2;
    return weight * (a * u - b * v) / determinant(f);
}

/* Halving: the worth of a nat under a bound score falls along the way. */
static double stop_bounded(const struct remedy_curve *c, double beta)
{
    double low = 0, high = c->end;
    for (int i = 0; i < 60; i++) {
        double d = (low + high) / 2;
        double s = 1 / (1 + exp(-remedy_curve_score(c, d)));
        if (remedy_curve_price(c, d) * 4 * s * (1 - s) > beta)
            low = d;
        else
            high = d;
    }
    return high;
}

double remedy_curve_stop(const struct remedy_curve *c, enum remedy_stop how,
                         double x, double beta)
{
    double d = (double)NAN;
    switch (how) {
    case REMEDY_STOP_PRICE:
        d = x + c->gamma > 0 ? c->alpha / (2 * (x + c->gamma))
                             : (double)INFINITY;
        /* Where no score was gained a price leads back to the start. */
        if (d < 0)
            d = 0;
        /* A run that did not come as far as its price allows comes no further
         * by a dearer one. */
        return x >= beta || !isfinite(d) ? fmin(d, c->end) : d;
    case REMEDY_STOP_TARGET:
    case REMEDY_STOP_END:
        return fmin(sqrt(x), c->end);
    case REMEDY_STOP_PART:
        return x * c->end;
    case REMEDY_STOP_BOUNDED:
        return stop_bounded(c, beta);
    }
    return d;
}

/* ---- from the probe ----------------------------------------------------- */

enum {
    POINTS_MAX = 256
};

static size_t points_of(const struct remedy_path *p)
{
    return p->push.m < POINTS_MAX ? p->push.m : POINTS_MAX;
}

/* Where point i of these begins in a grid; of very many checkpoints some are
 * passed over, never the last. */
static size_t row_of(const struct remedy_path *p, size_t i)
{
    size_t points = points_of(p);
    size_t c = points > 1 ? i * (p->push.m - 1) / (points - 1) : 0;
    return c * p->push.n_prompts;
}

/* d of a mean KL, which noise may put below 0; NaN where there is none. */
static double distance(double kl)
{
    return isnan(kl) ? kl : sqrt(fmax(0, kl));
}

static struct remedy_curve curve_of(const struct remedy_path *p,
                                    const size_t *index, size_t n)
{
    double d[POINTS_MAX] = {0}, score[POINTS_MAX] = {0};
    double length[POINTS_MAX] = {0};
    size_t m = points_of(p);
    for (size_t i = 0; i < m; i++) {
        size_t at = row_of(p, i);
        d[i] = distance(summary_mean_of(p->kl + at, index, n));
        score[i] =
            summary_mean_of(p->score + at, index, n) - (i > 0 ? score[0] : 0);
        length[i] = log(summary_mean_of(p->tokens + at, index, n)) -
                    (i > 0 ? length[0] : 0);
    }
    struct remedy_fit r = remedy_curve_fit(d + 1, score + 1, NULL, m - 1);
    struct remedy_fit l = remedy_curve_fit(d + 1, length + 1, NULL, m - 1);
    double end = summary_mean_of(p->end_kl, index, n);
    return (struct remedy_curve){.alpha = r.a,
                                 .gamma = r.b,
                                 .a = l.a,
                                 .b = l.b,
                                 .end = isnan(end) ? d[m - 1] : distance(end)};
}

/* 1 - squares left / squares about 0, on all prompts. */
static double share_fitted(const struct remedy_path *p)
{
    double left = 0, all = 0, start = (double)NAN;
    for (size_t i = 0; i < points_of(p); i++) {
        size_t at = row_of(p, i);
        double d =
            distance(summary_mean_of(p->kl + at, NULL, p->push.n_prompts));
        double y = summary_mean_of(p->score + at, NULL, p->push.n_prompts);
        if (i == 0)
            start = y;
        double r = y - start - remedy_curve_score(&p->all, d);
        left += r * r;
        all += (y - start) * (y - start);
    }
    return 1 - left / all;
}

static enum status fill(struct remedy_path *p, struct err *err)
{
    size_t cells = p->push.m * p->push.n_prompts;
    TRY(MEM_NEW(p->kl, cells, err));
    TRY(MEM_NEW(p->score, cells, err));
    TRY(MEM_NEW(p->tokens, cells, err));
    TRY(push_grid(p->kl, &p->push, p->push.kl, err));
    TRY(push_grid(p->score, &p->push, p->push.score, err));
    return push_grid(p->tokens, &p->push, p->push.tokens, err);
}

enum status remedy_path_open(struct remedy_path *out, const struct evidence *e,
                             struct err *err)
{
    struct remedy_path *p = out;
    *p = (struct remedy_path){.e = e, .fit = (double)NAN};
    p->all = (struct remedy_curve){(double)NAN, (double)NAN, (double)NAN,
                                   (double)NAN, (double)NAN};
    TRY(push_read(&p->push, e, err));
    TRY(MEM_NEW(p->end_kl, e->n_prompts, err));
    TRY(evidence_prompt_means(p->end_kl, e, true,
                              offsetof(struct evidence_reply, kl), err));
    p->reason = "probes/push.json is not there (plumb probe): the way that the "
                "run went is not known";
    p->all.end = distance(summary_mean_of(p->end_kl, NULL, e->n_prompts));
    if (p->push.n == 0)
        return OK;
    TRY(fill(p, err));
    if (p->push.m < 4) {
        p->reason = "probes/push.json has fewer than three checkpoints behind "
                    "the start";
        return OK;
    }
    p->all = curve_of(p, NULL, e->n_prompts);
    p->fit = share_fitted(p);
    p->is_there = isfinite(p->all.alpha) && isfinite(p->all.a) &&
                  isfinite(p->all.end) && p->all.end > 0;
    p->reason = p->is_there ? NULL : "the checkpoints do not differ in KL";
    return OK;
}

void remedy_path_close(struct remedy_path *p)
{
    push_free(&p->push);
    mem_free(p->kl);
    mem_free(p->score);
    mem_free(p->tokens);
    mem_free(p->end_kl);
    *p = (struct remedy_path){.e = NULL};
}

/* ---- effects ------------------------------------------------------------ */

struct asking {
    const struct remedy_path *p;
    enum remedy_stop how;
    double x, beta;
};

/* Tokens drawn over those of the run, its iterations one after the other. */
static double cost_at(const struct asking *q, const struct remedy_curve *c,
                      double d)
{
    const struct evidence *e = q->p->e;
    double drawn = 0, all = 0;
    bool is_over = false;
    if (q->how == REMEDY_STOP_PART)
        return 1; // the policy that is there is mixed
    for (size_t i = 0; i < e->n_step; i++) {
        const struct evidence_step *s = &e->step[i];
        double kl = 0, tokens = (double)s->tokens;
        for (int k = 0; k < EVIDENCE_CLASSES; k++)
            kl += s->by_class[k].kl;
        if (isnan(kl)) // the rollouts do not say how far an iteration was
            return (double)NAN;
        double now = sqrt(fmax(0, kl / (double)s->responses));
        double ratio =
            exp(remedy_curve_length(c, d) - remedy_curve_length(c, now));
        all += tokens;
        drawn += is_over ? 0 : now > d ? ratio * tokens : tokens;
        is_over = is_over || (now > d && q->how == REMEDY_STOP_END);
    }
    return all > 0 ? drawn / all : (double)NAN;
}

static void effects_of(void *ctx, double *value, size_t r, const size_t *index,
                       size_t n)
{
    const struct asking *q = ctx;
    struct remedy_curve c = curve_of(q->p, index, n);
    double d = remedy_curve_stop(&c, q->how, q->x, q->beta);
    (void)r;
    value[REMEDY_RM] =
        remedy_curve_score(&c, d) - remedy_curve_score(&c, c.end);
    value[REMEDY_LENGTH] =
        exp(remedy_curve_length(&c, d) - remedy_curve_length(&c, c.end));
    value[REMEDY_KL] = d * d - c.end * c.end;
    value[REMEDY_HUMAN] = (double)NAN;
    value[REMEDY_COST] = cost_at(q, &c, d);
}

enum status remedy_path_effects(struct estimate out[REMEDY_MEASURES],
                                const struct remedy_path *p,
                                enum remedy_stop how, double x,
                                const struct bootstrap *plan, struct err *err)
{
    struct asking q = {p, how, x, evidence_beta(p->e)};
    for (int m = 0; m < REMEDY_MEASURES; m++)
        out[m] = summary_nothing();
    if (!p->is_there)
        return OK;
    TRY(summary_bootstrap_many(out, NULL, effects_of, &q, REMEDY_MEASURES,
                               p->e->n_prompts, plan, err));
    size_t prompts = 0;
    for (size_t i = 0; i < p->push.n_prompts; i++)
        prompts += isnan(p->kl[i]) ? 0 : 1;
    for (int m = 0; m < REMEDY_MEASURES; m++)
        out[m].n = prompts;
    return OK;
}
