#include "stat/sequential.h"

#include <assert.h>
#include <math.h>

void sequential_vote(struct sequential *s, double win)
{
    if (isnan(win))
        return;
    if (win == 0.5) {
        s->ties++;
        return;
    }
    size_t *count = win > 0.5 ? &s->wins : &s->losses;
    /* B(W+2, L+1) = B(W+1, L+1) (W + 1) / (W + L + 2) */
    double share = (double)(*count + 1) / (double)(s->wins + s->losses + 2);
    (*count)++;
    s->log_beta += log(share);
    s->log_e = (double)(s->wins + s->losses) * log(2.0) + s->log_beta;
    s->log_e_max = fmax(s->log_e_max, s->log_e);
    if (s->decided_at == 0 && s->log_e >= log(SEQUENTIAL_DECIDED)) {
        s->decided_at = s->wins + s->losses + s->ties;
        s->is_for_wins = s->wins > s->losses;
    }
}

bool sequential_holds(const struct sequential *s)
{
    return s->decided_at > 0 && s->log_e >= log(SEQUENTIAL_DECIDED) &&
           (s->wins > s->losses) == s->is_for_wins;
}

/* x ln p, 0 when x is 0. */
static double weighted_log(size_t x, double p)
{
    return x > 0 ? (double)x * log(p) : 0;
}

/* Is p ruled out by a bet with capital e^limit? */
static bool is_out(const struct sequential *s, double p, double limit)
{
    double log_e =
        s->log_beta - weighted_log(s->wins, p) - weighted_log(s->losses, 1 - p);
    return log_e >= limit;
}

/* Where between `in`, which is not ruled out, and `edge` that changes. */
static double boundary(const struct sequential *s, double in, double edge,
                       double limit)
{
    if (!is_out(s, edge, limit))
        return edge;
    /* Each step halves the distance; 60 of them leave 2^-60. */
    for (int i = 0; i < 60; i++) {
        double middle = (in + edge) / 2;
        if (is_out(s, middle, limit))
            edge = middle;
        else
            in = middle;
    }
    return in;
}

struct estimate sequential_rate(const struct sequential *s, double level)
{
    size_t n = s->wins + s->losses;
    if (!(level > 0))
        level = 0.95;
    assert(level < 1);
    if (n == 0)
        return (struct estimate){(double)NAN, 0, 1, 0};
    double rate = (double)s->wins / (double)n;
    double limit = -log(1 - level);
    /* The bet against the observed rate never wins: its capital is the mean
     * over p of a likelihood that is highest there. */
    return (struct estimate){rate, boundary(s, rate, 0, limit),
                             boundary(s, rate, 1, limit), n};
}

double sequential_more(const struct sequential *s)
{
    size_t n = s->wins + s->losses;
    if (s->decided_at > 0)
        return 0;
    if (s->wins == s->losses)
        return (double)INFINITY;
    /* The side in front never runs ahead of its share. */
    bool is_winning = s->wins > s->losses;
    double share = (double)(is_winning ? s->wins : s->losses) / (double)n;
    struct sequential ahead = *s;
    size_t more = 0;
    while (ahead.decided_at == 0 && more < SEQUENTIAL_MORE_MAX) {
        more++;
        size_t front = is_winning ? ahead.wins : ahead.losses;
        bool is_front = (double)(front + 1) <= share * (double)(n + more);
        sequential_vote(&ahead, is_front == is_winning ? 1 : 0);
    }
    if (ahead.decided_at == 0)
        return (double)INFINITY;
    return ceil((double)more * (double)(n + s->ties) / (double)n);
}
