#include "model/sampler.h"

#include <math.h>
#include <string.h>

#include "nn/fastmath.h"

/* How far below the greatest logit the first look for top_p goes, and by how
 * much each further one goes deeper: below the first, a token has less than
 * 1/400 of the greatest one's probability. */
#define DEPTH 6.0f

/* One row at work. */
struct view {
    const struct nexttoken *t;
    size_t row, V, blocks;
    float max;    // the greatest logit
    double total; // sum of exp(z - max)
};

static float logit_at(const struct view *w, size_t v)
{
    return w->t->z[v * w->t->lanes + w->row];
}

static float max_of(const struct view *w, size_t block)
{
    return w->t->max[block * w->t->lanes + w->row];
}

/* Mass of a block, in units of the greatest token's. */
static double mass_of(const struct view *w, size_t block)
{
    double below = (double)max_of(w, block) - (double)w->max;

    return (double)w->t->sum[block * w->t->lanes + w->row] * exp(below);
}

static size_t block_end(const struct view *w, size_t block)
{
    size_t end = (block + 1) * NEXTTOKEN_BLOCK;

    return end < w->V ? end : w->V;
}

/* Non-negative floats are ordered as their bits are. */
static float float_of(uint32_t bits)
{
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

/* How much of p lies at or above a threshold: its mass, or its count. */
static double weight_above(const float *p, size_t n, float threshold,
                           bool by_mass)
{
    double mass = 0;
    size_t count = 0;

#pragma omp simd reduction(+ : mass, count)
    for (size_t i = 0; i < n; i++) {
        mass += p[i] >= threshold ? (double)p[i] : 0;
        count += p[i] >= threshold ? 1 : 0;
    }
    return by_mass ? mass : (double)count;
}

/*
 * Keep the fewest most probable tokens that weigh at least `want`; the rest
 * becomes 0.  The largest threshold that leaves enough is found by bisecting
 * the bits of a float, 31 passes over p whatever its values: no sort, no
 * memory.  Tokens right at the threshold are kept in order of id.
 */
static void keep_top(float *p, size_t n, double want, bool by_mass)
{
    uint32_t low = 0;           // enough lies at or above this (or all does)
    uint32_t high = 0x7f800000; // nothing lies at or above infinity
    float threshold;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (weight_above(p, n, float_of(middle), by_mass) >= want)
            low = middle;
        else
            high = middle;
    }
    threshold = float_of(low);
    want -= weight_above(p, n, float_of(high), by_mass);
    for (size_t i = 0; i < n; i++) {
        if (p[i] > threshold)
            continue;
        if (p[i] < threshold || !(want > 0))
            p[i] = 0;
        else
            want -= by_mass ? (double)p[i] : 1;
    }
}

/* The tokens whose logit is at least `least`, in order of id: how many. */
static size_t choose(const struct view *w, float least)
{
    float *p = w->t->chosen;
    int32_t *id = w->t->id;
    size_t n = 0;

    for (size_t b = 0; b < w->blocks; b++) {
        if (!(max_of(w, b) >= least))
            continue;
        for (size_t v = b * NEXTTOKEN_BLOCK; v < block_end(w, b); v++) {
            float z = logit_at(w, v);

            if (!(z >= least))
                continue;
            p[n] = fastmath_exp(z - w->max);
            id[n++] = (int32_t)v;
        }
    }
    return n;
}

/* A logit that at least the top_k first tokens reach: of so many blocks the
 * greatest one does.  No bound where there are fewer blocks. */
static float bound_for(const struct view *w, size_t top_k)
{
    uint32_t low = 0, high = 0x7f800000;

    if (top_k > w->blocks)
        return NEXTTOKEN_NEVER;
    /* Distances below the greatest logit are not negative. */
    while (high > low) {
        uint32_t middle = low + (high - low) / 2;
        size_t within = 0;

        for (size_t b = 0; b < w->blocks; b++)
            within += w->max - max_of(w, b) <= float_of(middle);
        if (within >= top_k)
            high = middle;
        else
            low = middle + 1;
    }
    /* The distance was rounded. */
    return w->max - float_of(low) * (1 + 0x1p-20f) - 0x1p-20f;
}

static double chosen_mass(const struct view *w, size_t n)
{
    const float *p = w->t->chosen;
    double mass = 0;

#pragma omp simd reduction(+ : mass)
    for (size_t i = 0; i < n; i++)
        mass += (double)p[i];
    return mass;
}

/* The tokens that the cuts leave: how many entries of t->chosen they lie in,
 * where the others are 0. */
static size_t cut(const struct view *w, const struct sampling *s)
{
    bool has_k = s->top_k > 0 && s->top_k < w->V;
    float least = has_k ? bound_for(w, s->top_k) : w->max - DEPTH;
    size_t n = choose(w, least);

    if (has_k) {
        keep_top(w->t->chosen, n, (double)s->top_k, false);
        if (s->top_p < 1)
            keep_top(w->t->chosen, n, s->top_p * chosen_mass(w, n), true);
        return n;
    }
    while (chosen_mass(w, n) < s->top_p * w->total && least > NEXTTOKEN_NEVER) {
        /* An exponential is 0 this far below. */
        least = w->max - least > 90 ? NEXTTOKEN_NEVER : least - DEPTH;
        n = choose(w, least);
    }
    keep_top(w->t->chosen, n, s->top_p * w->total, true);
    return n;
}

/* The first chosen token whose cumulative probability exceeds u times the
 * mass; the last possible one when rounding leaves none. */
static size_t invert_chosen(const struct view *w, size_t n, double u)
{
    double goal = u * chosen_mass(w, n);
    double sum = 0;
    size_t last = 0;

    for (size_t i = 0; i < n; i++) {
        if (w->t->chosen[i] <= 0)
            continue;
        last = i;
        sum += (double)w->t->chosen[i];
        if (sum > goal)
            break;
    }
    return (size_t)w->t->id[last];
}

/* The same over all tokens: the block first, then the token in it. */
static size_t invert(const struct view *w, double u)
{
    double goal = u * w->total;
    double sum = 0;
    size_t block = 0, last;

    for (size_t b = 0; b < w->blocks; b++) {
        double mass = mass_of(w, b);

        if (mass <= 0)
            continue;
        block = b;
        if (sum + mass > goal)
            break;
        sum += mass;
    }
    last = block * NEXTTOKEN_BLOCK;
    for (size_t v = last; v < block_end(w, block); v++) {
        float p = fastmath_exp(logit_at(w, v) - w->max);

        if (p <= 0)
            continue;
        last = v;
        sum += (double)p;
        if (sum > goal)
            break;
    }
    return last;
}

/* The lowest id with the greatest logit. */
static size_t greatest(const struct view *w)
{
    size_t block = 0, v;

    while (block + 1 < w->blocks && max_of(w, block) < w->max)
        block++;
    v = block * NEXTTOKEN_BLOCK;
    while (v + 1 < block_end(w, block) && logit_at(w, v) < w->max)
        v++;
    return v;
}

/* False: no distribution. */
static bool view_open(struct view *w, const struct nexttoken *t, size_t row)
{
    *w = (struct view){.t = t, .row = row, .V = t->head->V};
    w->blocks = nexttoken_blocks(w->V);
    w->max = max_of(w, 0);
    for (size_t b = 1; b < w->blocks; b++)
        w->max = max_of(w, b) > w->max ? max_of(w, b) : w->max;
    for (size_t b = 0; b < w->blocks; b++)
        w->total += mass_of(w, b);
    return w->max > NEXTTOKEN_NEVER && isfinite(w->total);
}

enum status sampler_draw(int32_t *token, double *logp,
                         const struct nexttoken *t, size_t row,
                         const struct sampling *s, struct rng *rng)
{
    struct view w;
    size_t drawn;

    if (!view_open(&w, t, row))
        return ERR_NUMERIC;
    if (s->temperature <= 0)
        drawn = greatest(&w);
    else if (s->top_p < 1 || (s->top_k > 0 && s->top_k < w.V))
        drawn = invert_chosen(&w, cut(&w, s), rng_uniform(rng));
    else
        drawn = invert(&w, rng_uniform(rng));
    *token = (int32_t)drawn;
    *logp = (double)logit_at(&w, drawn) - (double)w.max - log(w.total);
    return OK;
}
