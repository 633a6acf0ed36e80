#include "diagnose/remedy_verified.h"

#include <math.h>
#include <string.h>

/* Members of result.json, in the order of enum remedy_measure. */
static const char *const measures[REMEDY_MEASURES] = {
    [REMEDY_RM] = "rm",
    [REMEDY_HUMAN] = "human_win_rate",
    [REMEDY_LENGTH] = "length",
    [REMEDY_KL] = "kl",
};

static const struct json *find_change(const struct json *result,
                                      const char *name)
{
    const struct json *changes = json_get(result, "changes");
    for (size_t i = 0; *name != '\0' && i < json_size(changes); i++) {
        const struct json *c = json_at(changes, i);
        if (strcmp(json_text(json_get(c, "name"), ""), name) == 0)
            return c;
    }
    return NULL;
}

static double number(const struct json *node, const char *key)
{
    return json_number(json_get(node, key), (double)NAN);
}

/* The first seed that has this measure. */
static struct estimate of_one_seed(const struct json *seeds,
                                   const char *measure)
{
    struct estimate e = summary_nothing();
    for (size_t i = 0; i < json_size(seeds) && isnan(e.estimate); i++) {
        const struct json *m =
            json_get(json_get(json_at(seeds, i), "measures"), measure);
        e = measures_read_estimate(json_get(m, "effect"));
    }
    return e;
}

static struct estimate read_effect(const struct json *change,
                                   const char *measure, size_t *n)
{
    const struct json *pooled =
        json_get(json_get(change, "over_seeds"), measure);
    int64_t seeds = json_int(json_get(pooled, "seeds"), 0);
    *n = seeds > 0 ? (size_t)seeds : 0;
    if (seeds == 1)
        return of_one_seed(json_get(change, "seeds"), measure);
    return (struct estimate){number(pooled, "mean"), number(pooled, "low"),
                             number(pooled, "high"), *n};
}

static struct estimate read_cost(const struct json *change)
{
    const struct json *seeds = json_get(change, "seeds");
    double sum = 0, low = (double)INFINITY, high = -(double)INFINITY;
    size_t n = 0;
    for (size_t i = 0; i < json_size(seeds); i++) {
        const struct json *seed = json_at(seeds, i);
        const struct json *cost = json_get(seed, "cost");
        double x = number(cost, "tokens_drawn") /
                   number(json_get(seed, "base_cost"), "tokens_drawn");
        if (json_int(json_get(cost, "samples_per_reply"), 1) > 1)
            x = 0;
        if (!isfinite(x))
            continue;
        sum += x;
        low = fmin(low, x);
        high = fmax(high, x);
        n++;
    }
    if (n == 0)
        return summary_nothing();
    return (struct estimate){sum / (double)n, low, high, n};
}

/* The document's word as ours, which outlives it. */
static const char *known_claim(const char *text)
{
    static const char *const claims[] = {"caused by", "consistent with",
                                         "not shown"};
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++)
        if (strcmp(text, claims[i]) == 0)
            return claims[i];
    return NULL;
}

static bool lies_in(double x, const struct estimate *e)
{
    return isfinite(x) && x >= e->low && x <= e->high;
}

void remedy_verified_read(struct remedy *r, const struct remedy_row *row,
                          const struct json *result)
{
    const struct json *change = find_change(result, r->name);
    if (change == NULL)
        return;
    size_t n;
    for (int m = 0; m < REMEDY_MEASURES; m++) {
        struct remedy_effect *e = &r->effect[m];
        if (m == REMEDY_COST)
            e->observed = read_cost(change);
        else
            e->observed = read_effect(change, measures[m], &n);
        if (m != REMEDY_COST && n > r->seeds)
            r->seeds = n;
        e->is_inside = lies_in(e->observed.estimate, &e->predicted);
    }
    const struct json *pooled =
        json_get(json_get(change, "over_seeds"),
                 row->target == REMEDY_COST ? "rm" : measures[row->target]);
    r->claim = known_claim(json_text(json_get(pooled, "claim"), ""));
}
