#include "eval/choose.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- uncertainty -------------------------------------------------------- */

/* Of candidates i and j, counted through all records. */
static double pair_uncertainty(const struct choose_scores *s, size_t i,
                               size_t j)
{
    size_t all = s->first[s->n];
    double p = 0, mean = 0, squares = 0;
    for (size_t r = 0; r < s->R; r++) {
        double d = s->score[r * all + i] - s->score[r * all + j];
        p += 1 / (1 + exp(-d));
        mean += d;
    }
    p /= (double)s->R;
    mean /= (double)s->R;
    if (s->R == 1)
        return p * (1 - p);
    for (size_t r = 0; r < s->R; r++) {
        double d = s->score[r * all + i] - s->score[r * all + j];
        squares += (d - mean) * (d - mean);
    }
    return p * (1 - p) * squares / (double)(s->R - 1);
}

void choose_uncertainty(double *u, const struct choose_scores *s)
{
    for (size_t x = 0; x < s->n; x++) {
        double sum = 0;
        size_t pairs = 0;
        for (size_t i = s->first[x]; i < s->first[x + 1]; i++)
            for (size_t j = i + 1; j < s->first[x + 1]; j++, pairs++)
                if (s->text == NULL || s->text[i] != s->text[j])
                    sum += pair_uncertainty(s, i, j);
        u[x] = pairs > 0 ? sum / (double)pairs : 0;
    }
}

/* ---- features ----------------------------------------------------------- */

static double length_of(const float *x, size_t d)
{
    double sum = 0;
    for (size_t c = 0; c < d; c++)
        sum += (double)x[c] * (double)x[c];
    return sqrt(sum);
}

void choose_feature(float *out, const float *state, size_t K, size_t d)
{
    for (size_t c = 0; c < d; c++)
        out[c] = 0;
    for (size_t k = 0; k < K; k++) {
        double len = length_of(state + k * d, d);
        for (size_t c = 0; len > 0 && c < d; c++)
            out[c] += (float)((double)state[k * d + c] / len);
    }
    double len = length_of(out, d);
    for (size_t c = 0; len > 0 && c < d; c++)
        out[c] = (float)((double)out[c] / len);
}

static double distance(const float *a, const float *b, size_t d)
{
    double sum = 0;
    for (size_t c = 0; c < d; c++) {
        double x = (double)a[c] - (double)b[c];
        sum += x * x;
    }
    return sqrt(sum);
}

/* ---- order -------------------------------------------------------------- */

struct walk {
    const struct choose_records *r;
    double *u;    // [n] all 1 when none is above 0
    double *near; // [n] distance to the nearest so far
    bool *is_out; // [n] judged, or in the order already
    bool has_centre;
};

/* From now on record s is one to keep away from. */
static void add_centre(struct walk *w, size_t s)
{
    const struct choose_records *r = w->r;
    for (size_t i = 0; i < r->n; i++) {
        double x;
        if (w->is_out[i])
            continue;
        x = distance(r->feature + i * r->d, r->feature + s * r->d, r->d);
        if (!w->has_centre || x < w->near[i])
            w->near[i] = x;
    }
    w->has_centre = true;
}

/* So many of the judged, evenly spread over them. */
static size_t add_judged(struct walk *w, size_t judged, size_t max)
{
    const struct choose_records *r = w->r;
    size_t wanted = judged < max ? judged : max, seen = 0, used = 0;
    for (size_t i = 0; i < r->n && used < wanted; i++) {
        if (!r->is_judged[i])
            continue;
        /* The k-th of them that counts is number k * judged / wanted. */
        if (seen++ * wanted < used * judged)
            continue;
        add_centre(w, i);
        used++;
    }
    return used;
}

/* The best of those left, or n. */
static size_t find_next(const struct walk *w)
{
    size_t best = w->r->n;
    double most = 0;
    for (size_t i = 0; i < w->r->n; i++) {
        double x = w->u[i] * w->near[i];
        if (w->is_out[i])
            continue;
        if (best < w->r->n &&
            !(x > most || (x == most && w->u[i] > w->u[best])))
            continue;
        best = i;
        most = x;
    }
    return best;
}

/* A record left over, by its uncertainty. */
struct rest {
    double u;
    size_t record;
};

static int compare_rest(const void *a, const void *b)
{
    const struct rest *x = a, *y = b;
    if (x->u != y->u)
        return x->u > y->u ? -1 : 1;
    return (x->record > y->record) - (x->record < y->record);
}

static enum status add_rest(struct choose_order *o, const struct walk *w,
                            struct err *err)
{
    struct rest *rest;
    size_t n = 0;
    TRY(MEM_NEW(rest, w->r->n, err));
    for (size_t i = 0; i < w->r->n; i++)
        if (!w->is_out[i])
            rest[n++] = (struct rest){w->u[i], i};
    qsort(rest, n, sizeof *rest, compare_rest);
    for (size_t k = 0; k < n; k++)
        o->record[o->n++] = rest[k].record;
    mem_free(rest);
    return OK;
}

static enum status walk_make(struct walk *w, struct err *err)
{
    const struct choose_records *r = w->r;
    double most = 0;
    TRY(MEM_NEW(w->u, r->n, err));
    TRY(MEM_NEW(w->near, r->n, err));
    TRY(MEM_NEW(w->is_out, r->n, err));
    for (size_t i = 0; i < r->n; i++)
        most = r->u[i] > most ? r->u[i] : most;
    for (size_t i = 0; i < r->n; i++) {
        w->u[i] = most > 0 ? r->u[i] : 1;
        w->near[i] = 1;
        w->is_out[i] = r->is_judged[i];
    }
    return OK;
}

enum status choose_order(struct choose_order *out,
                         const struct choose_records *r, struct err *err)
{
    enum status status = OK;
    struct walk w = {.r = r};
    struct choose_order o = {0};
    size_t steps = r->steps > 0 ? r->steps : CHOOSE_STEPS, judged = 0;
    TRY_DONE(MEM_NEW(o.record, r->n, err));
    TRY_DONE(walk_make(&w, err));
    for (size_t i = 0; i < r->n; i++)
        judged += r->is_judged[i];
    o.n_judged = add_judged(&w, judged, r->n <= steps ? steps : steps / 2);
    for (size_t k = o.n_judged; k < steps; k++) {
        size_t next = find_next(&w);
        if (next == r->n)
            break;
        o.record[o.n++] = next;
        w.is_out[next] = true;
        add_centre(&w, next);
    }
    o.n_greedy = o.n;
    TRY_DONE(add_rest(&o, &w, err));
    *out = o;
    o.record = NULL;
done:
    mem_free(w.u);
    mem_free(w.near);
    mem_free(w.is_out);
    choose_order_free(&o);
    return status;
}

void choose_order_free(struct choose_order *o)
{
    mem_free(o->record);
    *o = (struct choose_order){0};
}

double choose_priority(size_t k, size_t n)
{
    return (double)(n - k) / (double)n;
}
