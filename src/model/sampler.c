#include "model/sampler.h"

#include <math.h>
#include <string.h>

/* Non-negative floats are ordered as their bits are. */
static float float_of(uint32_t bits)
{
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

/* How much of p lies at or above a threshold: its mass, or its count. */
static double weight_above(const float *p, size_t V, float threshold,
                           bool by_mass)
{
    double mass = 0;
    size_t count = 0;

#pragma omp simd reduction(+ : mass, count)
    for (size_t v = 0; v < V; v++) {
        mass += p[v] >= threshold ? (double)p[v] : 0;
        count += p[v] >= threshold ? 1 : 0;
    }
    return by_mass ? mass : (double)count;
}

/*
 * Keep the fewest most probable tokens that weigh at least `want`; the rest
 * becomes 0.  The largest threshold that leaves enough is found by bisecting
 * the bits of a float, 31 passes over p whatever its values: no sort, no
 * memory.  Tokens right at the threshold are kept in order of id.
 */
static void keep_top(float *p, size_t V, double want, bool by_mass)
{
    uint32_t low = 0;           // enough lies at or above this (or all does)
    uint32_t high = 0x7f800000; // nothing lies at or above infinity
    float threshold;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (weight_above(p, V, float_of(middle), by_mass) >= want)
            low = middle;
        else
            high = middle;
    }
    threshold = float_of(low);
    want -= weight_above(p, V, float_of(high), by_mass);
    for (size_t v = 0; v < V; v++) {
        if (p[v] > threshold)
            continue;
        if (p[v] < threshold || !(want > 0))
            p[v] = 0;
        else
            want -= by_mass ? (double)p[v] : 1;
    }
}

static double mass_of(const float *p, size_t V)
{
    double mass = 0;

#pragma omp simd reduction(+ : mass)
    for (size_t v = 0; v < V; v++)
        mass += (double)p[v];
    return mass;
}

/* The first token whose cumulative probability exceeds u times the mass; the
 * last possible one when rounding leaves none. */
static size_t invert(const float *p, size_t V, double u)
{
    double goal = u * mass_of(p, V);
    double sum = 0;
    size_t last = 0;

    for (size_t v = 0; v < V; v++) {
        if (p[v] <= 0)
            continue;
        last = v;
        sum += (double)p[v];
        if (sum > goal)
            break;
    }
    return last;
}

/* The largest allowed logit, the lowest id among equals; V when there is
 * none. */
static size_t argmax(const float *z, const struct lmhead *head)
{
    size_t best = head->V;

    for (size_t v = 0; v < head->V; v++) {
        if (head->banned != NULL && head->banned[v])
            continue;
        if (best == head->V || z[v] > z[best])
            best = v;
    }
    return best;
}

enum status sampler_draw(int32_t *token, double *logp, float *z,
                         const struct lmhead *head, const struct sampling *s,
                         struct rng *rng)
{
    bool greedy = s->temperature <= 0;
    size_t V = head->V;
    size_t drawn = greedy ? argmax(z, head) : 0;

    if (drawn == V || !isfinite(lmhead_softmax(z, head)))
        return ERR_NUMERIC;
    /* From here z holds probabilities; the cuts clear some and leave the
     * others as they are, so that logp is the one before them. */
    if (!greedy) {
        if (s->top_k > 0 && s->top_k < V)
            keep_top(z, V, (double)s->top_k, false);
        if (s->top_p < 1)
            keep_top(z, V, s->top_p * mass_of(z, V), true);
        drawn = invert(z, V, rng_uniform(rng));
    }
    /* With nothing allowed the softmax is one over banned tokens. */
    if (head->banned != NULL && head->banned[drawn])
        return ERR_NUMERIC;
    *token = (int32_t)drawn;
    *logp = log((double)z[drawn]);
    return OK;
}
