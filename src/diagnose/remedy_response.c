#include "diagnose/remedy_response.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/mem.h"
#include "stat/distribution.h"

#define HALF_PI 1.57079632679489661923

/* Sums by prompt, of which every statistic here is made. */
enum column {
    C_RR, // reference, within prompts
    C_RT,
    C_TT,
    C_WW, // placebo votes: w^2, w dr, w dt, dr^2, dt^2
    C_WR,
    C_WT,
    C_VR,
    C_VT,
    C_XY, // votes of two visits: product, squares
    C_XX,
    C_YY,
    C_SCORE_POLICY, // means
    C_SCORE_REFERENCE,
    C_TOKENS_POLICY,
    C_TOKENS_REFERENCE,
    C_KL,
    C_WIN,   // policy votes: sum of win - 1/2
    C_VOTES, // and their number
    COLUMNS
};

static double *column(const struct remedy_response *r, enum column c)
{
    return r->number + (size_t)c * r->e->n_prompts;
}

/* ---- sums --------------------------------------------------------------- */

static void add_replies(struct remedy_response *r)
{
    const struct evidence *e = r->e;
    const double *score = column(r, C_SCORE_REFERENCE);
    const double *tokens = column(r, C_TOKENS_REFERENCE);
    for (size_t i = 0; i < e->n_reply; i++) {
        const struct evidence_reply *x = &e->reply[i];
        double dr = x->score - score[x->prompt];
        double dt = x->tokens - tokens[x->prompt];
        if (x->is_policy || isnan(dr) || isnan(dt))
            continue;
        column(r, C_RR)[x->prompt] += dr * dr;
        column(r, C_RT)[x->prompt] += dr * dt;
        column(r, C_TT)[x->prompt] += dt * dt;
    }
}

static void add_votes(struct remedy_response *r)
{
    const struct evidence *e = r->e;
    for (size_t i = 0; i < e->n_vote; i++) {
        const struct evidence_vote *v = &e->vote[i];
        double w = 2 * v->win - 1;
        if (v->visit != 1 || isnan(w))
            continue;
        if (!v->is_placebo) {
            column(r, C_WIN)[v->prompt] += w / 2;
            column(r, C_VOTES)[v->prompt]++;
            continue;
        }
        if (v->reply == SIZE_MAX || v->reply_other == SIZE_MAX)
            continue;
        const struct evidence_reply *x = &e->reply[v->reply];
        const struct evidence_reply *y = &e->reply[v->reply_other];
        double dr = x->score - y->score, dt = x->tokens - y->tokens;
        if (isnan(dr) || isnan(dt))
            continue;
        column(r, C_WW)[v->prompt] += w * w;
        column(r, C_WR)[v->prompt] += w * dr;
        column(r, C_WT)[v->prompt] += w * dt;
        column(r, C_VR)[v->prompt] += dr * dr;
        column(r, C_VT)[v->prompt] += dt * dt;
    }
}

/* Second visits beside first ones of the same pair. */
static enum status add_visits(struct remedy_response *r, struct err *err)
{
    const struct evidence *e = r->e;
    double *first;
    TRY(MEM_NEW(first, e->pair.n, err));
    for (size_t i = 0; i < e->pair.n; i++)
        first[i] = (double)NAN;
    for (size_t i = 0; i < e->n_vote; i++)
        if (e->vote[i].visit == 1)
            first[e->vote[i].pair] = 2 * e->vote[i].win - 1;
    for (size_t i = 0; i < e->n_vote; i++) {
        const struct evidence_vote *v = &e->vote[i];
        double y = 2 * v->win - 1, x = first[v->pair];
        if (v->visit != 2 || isnan(x) || isnan(y))
            continue;
        column(r, C_XY)[v->prompt] += x * y;
        column(r, C_XX)[v->prompt] += x * x;
        column(r, C_YY)[v->prompt] += y * y;
    }
    mem_free(first);
    return OK;
}

static enum status fill_means(struct remedy_response *r, struct err *err)
{
    static const struct {
        enum column column;
        bool is_policy;
        size_t member;
    } means[] = {
        {C_SCORE_POLICY, true, offsetof(struct evidence_reply, score)},
        {C_SCORE_REFERENCE, false, offsetof(struct evidence_reply, score)},
        {C_TOKENS_POLICY, true, offsetof(struct evidence_reply, tokens)},
        {C_TOKENS_REFERENCE, false, offsetof(struct evidence_reply, tokens)},
        {C_KL, true, offsetof(struct evidence_reply, kl)},
    };
    for (size_t i = 0; i < sizeof means / sizeof *means; i++)
        TRY(evidence_prompt_means(column(r, means[i].column), r->e,
                                  means[i].is_policy, means[i].member, err));
    return OK;
}

/* ---- the best of several ------------------------------------------------ */

double remedy_response_order(size_t n)
{
    /* Simpson's rule; beyond 8 deviations there is nothing to a double. */
    enum {
        STEPS = 1600
    };
    double sum = 0, h = 16.0 / STEPS, k = (double)n;
    for (int i = 0; i <= STEPS; i++) {
        double z = -8 + h * i;
        double below = 1 - distribution_normal_tail(z);
        double density = exp(-z * z / 2) / sqrt(4 * HALF_PI);
        double weight = i == 0 || i == STEPS ? 1 : i % 2 == 1 ? 4 : 2;
        sum += weight * k * z * density * pow(below, k - 1);
    }
    return sum * h / 3;
}

struct placed {
    double score, tokens; // less their prompt's means
    size_t prompt, i;
};

static int by_prompt(const void *a, const void *b)
{
    const struct placed *x = a;
    const struct placed *y = b;
    if (x->prompt != y->prompt)
        return x->prompt < y->prompt ? -1 : 1;
    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return (x->i > y->i) - (x->i < y->i);
}

static size_t place_replies(struct placed *list,
                            const struct remedy_response *r)
{
    const struct evidence *e = r->e;
    size_t n = 0;
    for (size_t i = 0; i < e->n_reply; i++) {
        const struct evidence_reply *x = &e->reply[i];
        double score = x->score - column(r, C_SCORE_REFERENCE)[x->prompt];
        double tokens = x->tokens - column(r, C_TOKENS_REFERENCE)[x->prompt];
        if (!x->is_policy && !isnan(score) && !isnan(tokens))
            list[n++] = (struct placed){score, tokens, x->prompt, i};
    }
    if (n > 0)
        qsort(list, n, sizeof *list, by_prompt);
    return n;
}

/* The mean of the best of k of m sorted replies over all ways of choosing k:
 * the i-th, counted from 1, is it in C(i - 1, k - 1) of C(m, k). */
static void best_of_prompt(double *score, double *tokens,
                           const struct placed *list, size_t m, size_t k)
{
    double weight = (double)k / (double)m; // of the last
    *score = *tokens = 0;
    for (size_t i = m; i >= k; i--) {
        *score += weight * list[i - 1].score;
        *tokens += weight * list[i - 1].tokens;
        if (i > 1)
            weight *= (double)(i - k) / (double)(i - 1);
    }
}

/* By prompt, what the best of n has more than the mean: score[], tokens[]; NaN
 * for a prompt of one reply. */
static enum status find_best(double *score, double *tokens,
                             const struct remedy_response *r, size_t n,
                             struct err *err)
{
    struct placed *list;
    const struct evidence *e = r->e;
    TRY(MEM_NEW(list, e->n_reply, err));
    size_t all = place_replies(list, r), next, known = 0;
    double by = 1; // e_n / e_k for `known`, which most prompts share
    for (size_t p = 0; p < e->n_prompts; p++)
        score[p] = tokens[p] = (double)NAN;
    for (size_t i = 0; i < all; i = next) {
        size_t p = list[i].prompt, k;
        for (next = i; next < all && list[next].prompt == p; next++)
            ;
        if (next - i < 2)
            continue;
        k = n < next - i ? n : next - i;
        best_of_prompt(&score[p], &tokens[p], list + i, next - i, k);
        if (k == n)
            continue;
        if (k != known)
            by = remedy_response_order(n) / remedy_response_order(k);
        known = k;
        score[p] *= by;
        tokens[p] *= by;
    }
    mem_free(list);
    return OK;
}

/* ---- statistics --------------------------------------------------------- */

static double sum_of(const struct remedy_response *r, enum column c,
                     const size_t *index, size_t n)
{
    const double *x = column(r, c);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double v = x[index != NULL ? index[i] : i];
        sum += isnan(v) ? 0 : v;
    }
    return sum;
}

static double mean_of(const struct remedy_response *r, enum column c,
                      const size_t *index, size_t n)
{
    return summary_mean_of(column(r, c), index, n);
}

static double correlation(const struct remedy_response *r, enum column xy,
                          enum column xx, enum column yy, const size_t *index,
                          size_t n)
{
    double square = sum_of(r, xx, index, n) * sum_of(r, yy, index, n);
    return square > 0 ? sum_of(r, xy, index, n) / sqrt(square) : (double)NAN;
}

/* What a vote's sign and noise lose, at most tenfold. */
static double attenuation(const struct remedy_response *r, const size_t *index,
                          size_t n)
{
    double agreement = correlation(r, C_XY, C_XX, C_YY, index, n);
    double q = isnan(agreement) ? 1 : sin(HALF_PI * agreement);
    return sqrt(HALF_PI) / sqrt(fmax(q, 0.01));
}

static double within_one(double x)
{
    return x > 1 ? 1 : x < -1 ? -1 : x;
}

/* Correlations with r' of r and of tokens. */
static void find_reward(double *with_r, double *with_tokens,
                        const struct remedy_response *r,
                        enum remedy_reward reward, double tokens_r,
                        const size_t *index, size_t n)
{
    if (reward == REMEDY_LENGTH_OFF) {
        *with_r = sqrt(fmax(0, 1 - tokens_r * tokens_r));
        *with_tokens = 0;
        return;
    }
    double by = attenuation(r, index, n);
    *with_r = within_one(by * correlation(r, C_WR, C_WW, C_VR, index, n));
    *with_tokens = within_one(by * correlation(r, C_WT, C_WW, C_VT, index, n));
}

/* Tokens of the rollouts when every iteration's log length over the start's is
 * multiplied by x.  The start is where the last quarter would have been but for
 * what the run did: held-out replies say by how much, `longer`. */
static double cost_of(const struct evidence *e, double x, double longer)
{
    double drawn = 0, all = 0, tokens = 0, replies = 0;
    size_t last = e->n_step - (e->n_step + 3) / 4;
    for (size_t i = last; i < e->n_step; i++) {
        tokens += (double)e->step[i].tokens;
        replies += (double)e->step[i].responses;
    }
    double start = tokens / replies * exp(-longer);
    for (size_t i = 0; i < e->n_step; i++) {
        double n = (double)e->step[i].responses;
        double mean = (double)e->step[i].tokens / n;
        drawn += n * start * pow(mean / start, x);
        all += n * mean;
    }
    return all > 0 ? drawn / all : (double)NAN;
}

struct asking {
    const struct remedy_response *r;
    enum remedy_reward reward;
    double part;
};

static void effects_of(void *ctx, double *value, size_t draw,
                       const size_t *index, size_t n)
{
    const struct asking *q = ctx;
    const struct remedy_response *r = q->r;
    double tokens_r = correlation(r, C_RT, C_RR, C_TT, index, n);
    double with_r, with_tokens;
    (void)draw;
    find_reward(&with_r, &with_tokens, r, q->reward, tokens_r, index, n);
    double gain = mean_of(r, C_SCORE_POLICY, index, n) -
                  mean_of(r, C_SCORE_REFERENCE, index, n);
    double longer = log(mean_of(r, C_TOKENS_POLICY, index, n) /
                        mean_of(r, C_TOKENS_REFERENCE, index, n));
    double kept = 1 + q->part * (with_tokens / tokens_r - 1);
    double ratio = exp(longer * (kept - 1));
    value[REMEDY_RM] = gain * q->part * (with_r - 1);
    value[REMEDY_LENGTH] = ratio;
    value[REMEDY_KL] = isnan(mean_of(r, C_KL, index, n)) ? (double)NAN : 0;
    value[REMEDY_HUMAN] = (double)NAN;
    value[REMEDY_COST] = cost_of(r->e, kept, longer);
}

struct choosing {
    const struct remedy_response *r;
    double n;
    double *score, *tokens; // [n_prompts] of the best, less the means
};

static void best_effects(void *ctx, double *value, size_t draw,
                         const size_t *index, size_t n)
{
    const struct choosing *c = ctx;
    const struct remedy_response *r = c->r;
    double score = summary_mean_of(c->score, index, n);
    double tokens = summary_mean_of(c->tokens, index, n);
    (void)draw;
    double reference = mean_of(r, C_TOKENS_REFERENCE, index, n);
    double worth = sum_of(r, C_WR, index, n) / (2 * sum_of(r, C_VR, index, n));
    double win = sum_of(r, C_WIN, index, n) / sum_of(r, C_VOTES, index, n);
    value[REMEDY_RM] = score + mean_of(r, C_SCORE_REFERENCE, index, n) -
                       mean_of(r, C_SCORE_POLICY, index, n);
    value[REMEDY_HUMAN] = worth * score - win;
    value[REMEDY_LENGTH] =
        (reference + tokens) / mean_of(r, C_TOKENS_POLICY, index, n);
    value[REMEDY_KL] =
        log(c->n) - (c->n - 1) / c->n - mean_of(r, C_KL, index, n);
    value[REMEDY_COST] = 0;
}

/* ---- the interface ------------------------------------------------------ */

static void find_reasons(struct remedy_response *r)
{
    size_t n = r->e->n_prompts;
    double by = attenuation(r, NULL, n);
    double square = sum_of(r, C_TT, NULL, n);
    r->token_slope =
        square > 0 ? sum_of(r, C_RT, NULL, n) / square : (double)NAN;
    r->tokens_r = correlation(r, C_RT, C_RR, C_TT, NULL, n);
    r->judges_r = within_one(by * correlation(r, C_WR, C_WW, C_VR, NULL, n));
    r->judges_tokens =
        within_one(by * correlation(r, C_WT, C_WW, C_VT, NULL, n));
    double c = r->tokens_r, t = r->judges_tokens;
    r->judges_rest =
        within_one((r->judges_r - t * c) / sqrt((1 - c * c) * (1 - t * t)));
    r->reason_off =
        isfinite(r->tokens_r)
            ? NULL
            : "eval/samples.jsonl has no two scored replies of the reference "
              "to one prompt (plumb eval)";
    r->reason_judges =
        r->reason_off != NULL ? r->reason_off
        : isfinite(r->judges_r + r->judges_tokens)
            ? NULL
            : "no blind votes on placebo pairs, two replies of the reference: "
              "what judges prefer is not known";
}

enum status remedy_response_open(struct remedy_response *out,
                                 const struct evidence *e, struct err *err)
{
    *out = (struct remedy_response){.e = e};
    TRY(MEM_NEW(out->number, COLUMNS * e->n_prompts, err));
    TRY(fill_means(out, err));
    add_replies(out);
    add_votes(out);
    TRY(add_visits(out, err));
    find_reasons(out);
    return OK;
}

void remedy_response_close(struct remedy_response *r)
{
    mem_free(r->number);
    *r = (struct remedy_response){.e = NULL};
}

/* Prompts with replies of the reference: what an interval rests on. */
static void count_prompts(struct estimate out[REMEDY_MEASURES],
                          const struct remedy_response *r)
{
    const double *x = column(r, C_SCORE_REFERENCE);
    size_t n = 0;
    for (size_t i = 0; i < r->e->n_prompts; i++)
        n += isnan(x[i]) ? 0 : 1;
    for (int m = 0; m < REMEDY_MEASURES; m++)
        out[m].n = n;
}

static void say_nothing(struct estimate out[REMEDY_MEASURES])
{
    for (int m = 0; m < REMEDY_MEASURES; m++)
        out[m] = summary_nothing();
}

enum status remedy_response_effects(struct estimate out[REMEDY_MEASURES],
                                    const struct remedy_response *r,
                                    enum remedy_reward reward, double part,
                                    const struct bootstrap *plan,
                                    struct err *err)
{
    struct asking q = {r, reward, part};
    const char *reason =
        reward == REMEDY_JUDGES ? r->reason_judges : r->reason_off;
    say_nothing(out);
    if (reason != NULL)
        return OK;
    TRY(summary_bootstrap_many(out, NULL, effects_of, &q, REMEDY_MEASURES,
                               r->e->n_prompts, plan, err));
    count_prompts(out, r);
    return OK;
}

enum status remedy_response_best(struct estimate out[REMEDY_MEASURES],
                                 const struct remedy_response *r, size_t n,
                                 const struct bootstrap *plan, struct err *err)
{
    struct choosing c = {.r = r, .n = (double)n};
    enum status status = OK;
    say_nothing(out);
    if (r->reason_off != NULL)
        return OK;
    TRY_DONE(MEM_NEW(c.score, r->e->n_prompts, err));
    TRY_DONE(MEM_NEW(c.tokens, r->e->n_prompts, err));
    TRY_DONE(find_best(c.score, c.tokens, r, n, err));
    TRY_DONE(summary_bootstrap_many(out, NULL, best_effects, &c,
                                    REMEDY_MEASURES, r->e->n_prompts, plan,
                                    err));
    count_prompts(out, r);
done:
    mem_free(c.score);
    mem_free(c.tokens);
    return status;
}
