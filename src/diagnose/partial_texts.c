#include "diagnose/partial.h"

#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "diagnose/course.h"
#include "diagnose/rate.h"
#include "stat/trend.h"

#define ROLLOUTS "ppo/rollouts"
#define SAMPLES "eval/samples.jsonl"

/* What a reward is known to be hacked by, as far as texts show it. */
static const struct {
    const char *pattern, *style; // ids
    const char *words;
    enum features feature;
    bool is_count; // told in a hundred words: longer texts have more of all
} patterns[] = {
    {"pattern_list", "style_list", "list items", FEATURE_LIST, true},
    {"pattern_bold", "style_bold", "bold type", FEATURE_BOLD, true},
    {"pattern_header", "style_header", "headers", FEATURE_HEADER, true},
    {"pattern_hedge", "style_hedge", "phrases of caution", FEATURE_HEDGE, true},
    {"pattern_apology", "style_apology", "apologies", FEATURE_APOLOGY, true},
    {"pattern_thanks", "style_thanks", "thanks and flattery", FEATURE_THANKS,
     true},
    {"pattern_repeat", "style_repeat", "repeated sentences", FEATURE_REPEAT,
     false},
    {"pattern_fourgram", "style_fourgram", "repeated runs of four words",
     FEATURE_FOURGRAM, false},
    {"pattern_copy", "style_copy", "runs copied from the prompt", FEATURE_COPY,
     false},
};

enum {
    PATTERNS = sizeof patterns / sizeof *patterns,
    COLUMNS = PATTERNS + 1 // length behind them
};

/* ---- correlations with the score ---------------------------------------- */

/* Products of a column x, the score y and the length l, all less the means of
 * what they are compared with, summed over a prompt's responses. */
enum product {
    XX,
    YY,
    LL,
    XY,
    XL,
    YL,
    PRODUCTS
};

struct sums {
    double *cell; // [prompts, COLUMNS, PRODUCTS]
    size_t prompts;
};

/* A feature as it is told: a count in a hundred words, or a share. */
static double rate_of(size_t pattern, double feature, double words)
{
    if (!patterns[pattern].is_count)
        return feature;
    return words > 0 ? 100 * feature / words : (double)NAN;
}

static double feature_of(const struct evidence_rollout *r, size_t column)
{
    return column == PATTERNS
               ? (double)r->tokens
               : rate_of(column, (double)r->feature[patterns[column].feature],
                         (double)r->feature[FEATURE_WORDS]);
}

static double score_of(const struct evidence_rollout *r)
{
    return (double)(isnan(r->score) ? r->score_raw : r->score);
}

/* Means of one iteration: of all, or prompt by prompt. */
struct centring {
    bool is_by_prompt;
    struct mean {
        double x, y, l, n; // sums
    } * mean;              // [prompts], of which one is used unless by prompt
};

static size_t slot_of(const struct centring *c,
                      const struct evidence_rollout *r)
{
    return c->is_by_prompt ? r->prompt : 0;
}

static void add_products(double *cell, double x, double y, double l)
{
    cell[XX] += x * x;
    cell[YY] += y * y;
    cell[LL] += l * l;
    cell[XY] += x * y;
    cell[XL] += x * l;
    cell[YL] += y * l;
}

/* Rows first..last-1 are of one iteration. */
static void add_step(struct sums *s, struct centring *c,
                     const struct evidence *e, size_t first, size_t last,
                     size_t column)
{
    for (size_t i = first; i < last; i++)
        c->mean[slot_of(c, &e->rollout[i])] = (struct mean){.n = 0};
    for (size_t pass = 0; pass < 2; pass++)
        for (size_t i = first; i < last; i++) {
            const struct evidence_rollout *r = &e->rollout[i];
            struct mean *m = &c->mean[slot_of(c, r)];
            double x = feature_of(r, column), y = score_of(r);
            double l = (double)r->tokens;
            if (!isfinite(x) || !isfinite(y) || !isfinite(l))
                continue;
            if (pass == 0)
                *m = (struct mean){m->x + x, m->y + y, m->l + l, m->n + 1};
            else
                add_products(s->cell + (r->prompt * COLUMNS + column) *
                                           (size_t)PRODUCTS,
                             x - m->x / m->n, y - m->y / m->n, l - m->l / m->n);
        }
}

static void add_all(struct sums *s, struct centring *c,
                    const struct evidence *e)
{
    for (size_t first = 0; first < e->n_rollout;) {
        size_t last = first;
        while (last < e->n_rollout &&
               e->rollout[last].step == e->rollout[first].step)
            last++;
        for (size_t k = 0; k < COLUMNS; k++)
            add_step(s, c, e, first, last, k);
        first = last;
    }
}

/* Do most responses have another to the same prompt in the same iteration? */
static bool are_groups(size_t *seen, const struct evidence *e)
{
    size_t grouped = 0, first = 0;
    for (size_t p = 0; p < e->rollout_prompt.n; p++)
        seen[p] = 0;
    for (size_t i = 0; i <= e->n_rollout; i++) {
        bool is_end =
            i == e->n_rollout || e->rollout[i].step != e->rollout[first].step;
        for (size_t k = first; is_end && k < i; k++)
            grouped += seen[e->rollout[k].prompt] > 1;
        for (size_t k = first; is_end && k < i; k++)
            seen[e->rollout[k].prompt] = 0;
        first = is_end ? i : first;
        if (i < e->n_rollout)
            seen[e->rollout[i].prompt]++;
    }
    return 2 * grouped >= e->n_rollout && e->n_rollout > 0;
}

/* Of x and y; of a feature what is left of it when length is taken off both. */
static double correlation(const double *p, bool is_partial)
{
    double xy = p[XY] / sqrt(p[XX] * p[YY]);
    double xl = p[XL] / sqrt(p[XX] * p[LL]);
    double yl = p[YL] / sqrt(p[YY] * p[LL]);
    if (!is_partial || !(p[LL] > 0))
        return xy;
    return (xy - xl * yl) / sqrt((1 - xl * xl) * (1 - yl * yl));
}

static void correlations(void *ctx, double *value, size_t r,
                         const size_t *index, size_t n)
{
    const struct sums *s = ctx;
    double sum[COLUMNS * PRODUCTS] = {0};
    (void)r;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < COLUMNS * PRODUCTS; c++)
            sum[c] += s->cell[index[i] * COLUMNS * PRODUCTS + c];
    for (size_t k = 0; k < COLUMNS; k++)
        value[k] = correlation(sum + k * PRODUCTS, k != PATTERNS);
}

static enum status correlate(struct estimate out[COLUMNS], bool *is_by_prompt,
                             const struct evidence *e, struct err *err)
{
    enum status status = OK;
    struct sums s = {.prompts = e->rollout_prompt.n};
    struct centring c = {.mean = NULL};
    size_t cells, *seen = NULL;
    TRY_DONE(mem_multiply(&cells, s.prompts, (size_t)COLUMNS * PRODUCTS, err));
    TRY_DONE(MEM_NEW(s.cell, cells, err));
    TRY_DONE(MEM_NEW(c.mean, s.prompts, err));
    TRY_DONE(MEM_NEW(seen, s.prompts, err));
    c.is_by_prompt = *is_by_prompt = are_groups(seen, e);
    add_all(&s, &c, e);
    TRY_DONE(summary_bootstrap_many(out, NULL, correlations, &s, COLUMNS,
                                    s.prompts, &e->plan, err));
done:
    mem_free(s.cell);
    mem_free(c.mean);
    mem_free(seen);
    return status;
}

/* ---- rows --------------------------------------------------------------- */

static enum status add_score_length(struct leads *leads,
                                    const struct estimate *r, bool is_by_prompt,
                                    const struct evidence *e, struct err *err)
{
    struct finding *f;
    char text[64];
    TRY(leads_add(&f, leads, "score_length", "the score goes with length",
                  is_by_prompt ? "correlation within prompts"
                               : "correlation within iterations",
                  ROLLOUTS, err));
    finding_judge_side(f, r, FINDING_ABOVE, 0, "prompts",
                       "responses with scores that differ");
    f->null = 0;
    finding_say(f, "score and %s correlate by %s %s",
                evidence_units(e->rollout_unit), finding_number(text, r, 2),
                is_by_prompt
                    ? "among the responses to a prompt"
                    : "among the prompts of an iteration, of which some may "
                      "rightly ask for more");
    return OK;
}

static const char *unit_of(size_t pattern)
{
    return patterns[pattern].is_count ? "in a hundred words" : "as a share";
}

/* A feature that grew, and what the score says of it. */
static void judge_pattern(struct finding *f, const struct estimate *r,
                          const struct estimate *slope, size_t points)
{
    f->e = *r;
    f->null = f->effect = 0;
    finding_add(f, "slope", slope);
    if (slope->high <= 0 || r->high <= 0)
        f->verdict = VERDICT_NOT_SUPPORTED;
    else if (slope->low > 0 && r->low > 0)
        f->verdict = VERDICT_SUPPORTED;
    else if (points < TREND_MIN)
        finding_lack(f, "%zu iterations with texts, at least %d to see it grow",
                     points, TREND_MIN);
    else if (!finding_has_interval(r))
        finding_lack(f, "responses with scores that differ");
    else
        finding_lack(f, "whether it grew and whether the score goes with it is "
                        "not told from 0 both times; more iterations and "
                        "prompts");
}

static enum status add_pattern(struct leads *leads, size_t k,
                               const struct estimate *r,
                               const struct evidence *e, struct err *err)
{
    struct course c;
    struct trend trend = {.slope = summary_nothing()};
    struct finding *f;
    char text[64];
    enum status status = OK;
    TRY(course_of_rollouts(&c, e, patterns[k].words, feature_of, k, err));
    bool is_there = false;
    for (size_t i = 0; i < c.m; i++)
        is_there = is_there || c.y[i] > 0;
    if (!is_there)
        goto done;
    if (c.m >= 2)
        TRY_DONE(trend_fit(&trend, c.t, c.y, c.m, 1, &e->plan, err));
    TRY_DONE(leads_add(&f, leads, patterns[k].pattern,
                       "this grew beyond length, and the score goes with it",
                       "correlation with the score at equal length", ROLLOUTS,
                       err));
    judge_pattern(f, r, &trend.slope, c.m);
    finding_add_number(f, "first", course_start(&c), c.m);
    finding_add_number(f, "last", course_end(&c), c.m);
    finding_say(f,
                "%s: from %.3g to %.3g %s over the iterations; they and the "
                "score correlate by %s at equal length",
                patterns[k].words, course_start(&c), course_end(&c), unit_of(k),
                finding_number(text, r, 2));
done:
    course_free(&c);
    return status;
}

static double fourgrams_of(const struct evidence_rollout *r, size_t which)
{
    (void)which;
    return (double)r->feature[FEATURE_FOURGRAM];
}

static enum status add_repeats(struct leads *leads, const struct evidence *e,
                               struct err *err)
{
    struct course c;
    struct trend trend = {.slope = summary_nothing()};
    struct finding *f;
    enum status status = OK;
    TRY(course_of_rollouts(&c, e, "fourgrams", fourgrams_of, 0, err));
    if (c.m >= 2)
        TRY_DONE(trend_fit(&trend, c.t, c.y, c.m, 1, &e->plan, err));
    TRY_DONE(
        leads_add(&f, leads, "trend_repeat", "responses repeat themselves more",
                  "share of runs of four words, an iteration", ROLLOUTS, err));
    finding_judge_side(f, &trend.slope, FINDING_ABOVE, 0, "iterations",
                       "the texts of at least two iterations");
    f->null = 0;
    if (c.m > 0)
        finding_say(f,
                    "the share of runs of four words that were there before "
                    "goes from %.3f to %.3f over %zu iterations",
                    course_start(&c), course_end(&c), c.m);
done:
    course_free(&c);
    return status;
}

/* ---- two sets of replies ------------------------------------------------ */

/* Means over a prompt's replies. */
static enum status mean_rates(struct rate *r, size_t k, bool is_policy,
                              const struct evidence *e, struct err *err)
{
    TRY(rate_open(r, e->n_prompts, err));
    for (size_t i = 0; i < e->n_reply; i++) {
        const struct evidence_reply *x = &e->reply[i];
        if (x->is_policy == is_policy)
            rate_add(r, x->prompt,
                     rate_of(k, x->feature[patterns[k].feature],
                             x->feature[FEATURE_WORDS]),
                     1);
    }
    for (size_t p = 0; p < e->n_prompts; p++)
        r->yes[p] /= r->asked[p];
    return OK;
}

static enum status add_style(struct leads *leads, size_t k,
                             const struct evidence *e, struct err *err)
{
    enum status status = OK;
    struct rate policy = {.n = 0}, reference = {.n = 0};
    struct estimate more;
    struct finding *f;
    char text[64];
    TRY_DONE(mean_rates(&policy, k, true, e, err));
    TRY_DONE(mean_rates(&reference, k, false, e, err));
    TRY_DONE(summary_estimate_difference(&more, policy.yes, reference.yes,
                                         e->n_prompts, &e->plan, err));
    if (!(fabs(more.estimate) > 0))
        goto done;
    TRY_DONE(leads_add(&f, leads, patterns[k].style,
                       "the policy's replies have more of this, beyond length",
                       patterns[k].is_count
                           ? "in a hundred words, policy minus reference"
                           : "share, policy minus reference",
                       SAMPLES, err));
    finding_judge_side(f, &more, FINDING_ABOVE, 0, "prompts", "replies");
    f->null = 0;
    finding_say(f,
                "%s: %s more %s in replies of the policy than in those of "
                "the reference",
                patterns[k].words, finding_number(text, &more, 3), unit_of(k));
done:
    rate_close(&policy);
    rate_close(&reference);
    return status;
}

enum status partial_texts(struct leads *leads, const struct evidence *e,
                          struct err *err)
{
    struct estimate r[COLUMNS];
    bool is_by_prompt;
    if (e->n_rollout > 0) {
        TRY(correlate(r, &is_by_prompt, e, err));
        TRY(add_score_length(leads, &r[PATTERNS], is_by_prompt, e, err));
        TRY(add_repeats(leads, e, err));
        for (size_t k = 0; k < PATTERNS; k++)
            TRY(add_pattern(leads, k, &r[k], e, err));
    }
    for (size_t k = 0; k < PATTERNS && e->n_reply > 0; k++)
        TRY(add_style(leads, k, e, err));
    return OK;
}
