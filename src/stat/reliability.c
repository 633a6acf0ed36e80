#include "stat/reliability.h"

#include <math.h>

#include "base/mem.h"
#include "stat/logit.h"

#define BEFORE 8.0       // votes that every judge had before
#define BEFORE_RIGHT 6.0 // of them right
#define P_LOW 0.55
#define P_HIGH 0.95

enum {
    ROUNDS_MAX = 5000
};

struct fit {
    const struct reliability_vote *vote;
    size_t n, n_judges, n_units;
    size_t *votes; // [n_units]
    double *odds;  // [n_units] log odds that the first is better
    double *right; // [n_judges] expected
    double *p;     // [n_judges]
    size_t *cast;  // [n_judges] on units with others'
};

static double sign_of(const struct reliability_vote *v)
{
    return v->said != 0 ? 1 : -1;
}

/* The odds of every unit, when vote k speaks with the weight of its judge;
 * `p` NULL: all alike, which is the majority. */
static void find_odds(struct fit *f, const double *p)
{
    for (size_t u = 0; u < f->n_units; u++)
        f->odds[u] = 0;
    for (size_t k = 0; k < f->n; k++) {
        const struct reliability_vote *v = &f->vote[k];
        double w = p != NULL ? log(p[v->judge] / (1 - p[v->judge])) : 1;
        f->odds[v->unit] += w * sign_of(v);
    }
}

/* p from the odds; the largest change of any. */
static double find_p(struct fit *f)
{
    double moved = 0;
    for (size_t j = 0; j < f->n_judges; j++)
        f->right[j] = BEFORE_RIGHT;
    for (size_t k = 0; k < f->n; k++) {
        const struct reliability_vote *v = &f->vote[k];
        if (f->votes[v->unit] > 1)
            f->right[v->judge] += logit_sigma(sign_of(v) * f->odds[v->unit]);
    }
    for (size_t j = 0; j < f->n_judges; j++) {
        double p = f->right[j] / (BEFORE + (double)f->cast[j]);
        moved = fmax(moved, fabs(p - f->p[j]));
        f->p[j] = p;
    }
    return moved;
}

static double weight_of(double p)
{
    double c = fmin(fmax(p, P_LOW), P_HIGH);
    return log(c / (1 - c));
}

static void report(struct reliability *out, const struct fit *f)
{
    double sum = 0, judges = 0;
    for (size_t j = 0; j < f->n_judges; j++) {
        out[j] = (struct reliability){f->cast[j], (double)NAN, (double)NAN};
        if (f->cast[j] == 0)
            continue;
        out[j].p = f->p[j];
        out[j].weight = weight_of(f->p[j]);
        sum += out[j].weight;
        judges++;
    }
    for (size_t j = 0; j < f->n_judges; j++)
        out[j].weight /= sum / judges; // equal judges: 1 to the bit
}

enum status reliability_fit(struct reliability *out,
                            const struct reliability_vote *vote, size_t n,
                            size_t n_judges, size_t n_units, struct err *err)
{
    enum status status = OK;
    struct fit f = {
        .vote = vote, .n = n, .n_judges = n_judges, .n_units = n_units};
    TRY_DONE(MEM_NEW(f.votes, n_units, err));
    TRY_DONE(MEM_NEW(f.odds, n_units, err));
    TRY_DONE(MEM_NEW(f.right, n_judges, err));
    TRY_DONE(MEM_NEW(f.p, n_judges, err));
    TRY_DONE(MEM_NEW(f.cast, n_judges, err));
    for (size_t k = 0; k < n; k++)
        f.votes[vote[k].unit]++;
    for (size_t k = 0; k < n; k++)
        f.cast[vote[k].judge] += f.votes[vote[k].unit] > 1;
    find_odds(&f, NULL);
    (void)find_p(&f);
    double moved = 1;
    for (int round = 0; round < ROUNDS_MAX && moved > 1e-12; round++) {
        find_odds(&f, f.p);
        moved = find_p(&f);
    }
    report(out, &f);
done:
    mem_free(f.cast);
    mem_free(f.p);
    mem_free(f.right);
    mem_free(f.odds);
    mem_free(f.votes);
    return status;
}
