#include "diagnose/partial.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "base/mem.h"
#include "diagnose/course.h"
#include "stat/trend.h"

#define ROLLOUTS "ppo/rollouts"
#define SAMPLES "eval/samples.jsonl"

/* What a reward is known to be hacked by, as far as texts show it. */
static const struct {
    enum features feature;
    const char *pattern, *style; // ids
    const char *words;
} patterns[] = {
    {FEATURE_LIST, "pattern_list", "style_list", "list items"},
    {FEATURE_BOLD, "pattern_bold", "style_bold", "bold type"},
    {FEATURE_HEADER, "pattern_header", "style_header", "headers"},
    {FEATURE_HEDGE, "pattern_hedge", "style_hedge", "phrases of caution"},
    {FEATURE_APOLOGY, "pattern_apology", "style_apology", "apologies"},
    {FEATURE_THANKS, "pattern_thanks", "style_thanks", "thanks and flattery"},
    {FEATURE_REPEAT, "pattern_repeat", "style_repeat", "repeated sentences"},
    {FEATURE_FOURGRAM, "pattern_fourgram", "style_fourgram",
     "repeated runs of four words"},
    {FEATURE_COPY, "pattern_copy", "style_copy", "runs copied from the prompt"},
};

enum {
    PATTERNS = sizeof patterns / sizeof *patterns,
    COLUMNS = PATTERNS + 1 // length behind them
};

/* ---- correlations with the score ---------------------------------------- */

/* Sums over a prompt's responses of x x, y y and x y, x being a column and y
 * the score, both less the mean of what they are compared with. */
struct sums {
    double *cell; // [prompts, COLUMNS, 3]
    size_t prompts;
};

static double feature_of(const struct evidence_rollout *r, size_t column)
{
    return column == PATTERNS ? (double)r->tokens
                              : (double)r->feature[patterns[column].feature];
}

static double score_of(const struct evidence_rollout *r)
{
    return (double)(isnan(r->score) ? r->score_raw : r->score);
}

/* Means of one iteration: of all, or prompt by prompt. */
struct centring {
    bool is_by_prompt;
    double *sum_x, *sum_y; // [prompts], of which one is used unless by prompt
    size_t *count;
};

static size_t slot_of(const struct centring *c,
                      const struct evidence_rollout *r)
{
    return c->is_by_prompt ? r->prompt : 0;
}

/* Rows first..last-1 are of one iteration. */
static void add_step(struct sums *s, struct centring *c,
                     const struct evidence *e, size_t first, size_t last,
                     size_t column)
{
    for (size_t i = first; i < last; i++) {
        size_t k = slot_of(c, &e->rollout[i]);
        c->sum_x[k] = c->sum_y[k] = 0;
        c->count[k] = 0;
    }
    for (size_t pass = 0; pass < 2; pass++)
        for (size_t i = first; i < last; i++) {
            const struct evidence_rollout *r = &e->rollout[i];
            double x = feature_of(r, column), y = score_of(r);
            size_t k = slot_of(c, r);
            if (!isfinite(x) || !isfinite(y))
                continue;
            if (pass == 0) {
                c->sum_x[k] += x;
                c->sum_y[k] += y;
                c->count[k]++;
                continue;
            }
            double *cell = s->cell + (r->prompt * COLUMNS + column) * 3;
            x -= c->sum_x[k] / (double)c->count[k];
            y -= c->sum_y[k] / (double)c->count[k];
            cell[0] += x * x;
            cell[1] += y * y;
            cell[2] += x * y;
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

static void correlations(void *ctx, double *value, size_t r,
                         const size_t *index, size_t n)
{
    const struct sums *s = ctx;
    double sum[COLUMNS * 3] = {0};
    (void)r;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < COLUMNS * 3; c++)
            sum[c] += s->cell[index[i] * COLUMNS * 3 + c];
    for (size_t k = 0; k < COLUMNS; k++)
        value[k] = sum[3 * k + 2] / sqrt(sum[3 * k] * sum[3 * k + 1]);
}

static enum status correlate(struct estimate out[COLUMNS], bool *is_by_prompt,
                             const struct evidence *e, struct err *err)
{
    enum status status = OK;
    struct sums s = {.prompts = e->rollout_prompt.n};
    struct centring c = {.count = NULL};
    size_t cells;
    TRY_DONE(mem_multiply(&cells, s.prompts, (size_t)COLUMNS * 3, err));
    TRY_DONE(MEM_NEW(s.cell, cells, err));
    TRY_DONE(MEM_NEW(c.sum_x, s.prompts, err));
    TRY_DONE(MEM_NEW(c.sum_y, s.prompts, err));
    TRY_DONE(MEM_NEW(c.count, s.prompts, err));
    c.is_by_prompt = *is_by_prompt = are_groups(c.count, e);
    add_all(&s, &c, e);
    TRY_DONE(summary_bootstrap_many(out, NULL, correlations, &s, COLUMNS,
                                    s.prompts, &e->plan, err));
done:
    mem_free(s.cell);
    mem_free(c.sum_x);
    mem_free(c.sum_y);
    mem_free(c.count);
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
                       "this grew, and the score goes with it",
                       "correlation with the score", ROLLOUTS, err));
    judge_pattern(f, r, &trend.slope, c.m);
    finding_add_number(f, "first", course_start(&c), c.m);
    finding_add_number(f, "last", course_end(&c), c.m);
    finding_say(f,
                "%s: from %.3g to %.3g a response over the iterations; they "
                "and the score correlate by %s",
                patterns[k].words, course_start(&c), course_end(&c),
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

static enum status add_style(struct leads *leads, size_t k, double *policy,
                             double *reference, const struct evidence *e,
                             struct err *err)
{
    size_t member = offsetof(struct evidence_reply, feature) +
                    (size_t)patterns[k].feature * sizeof(double);
    struct estimate more;
    struct finding *f;
    char text[64];
    TRY(evidence_prompt_means(policy, e, true, member, err));
    TRY(evidence_prompt_means(reference, e, false, member, err));
    TRY(summary_estimate_difference(&more, policy, reference, e->n_prompts,
                                    &e->plan, err));
    if (!(fabs(more.estimate) > 0))
        return OK;
    TRY(leads_add(&f, leads, patterns[k].style,
                  "the policy's replies have more of this",
                  "a reply, policy minus reference", SAMPLES, err));
    finding_judge_side(f, &more, FINDING_ABOVE, 0, "prompts", "replies");
    f->null = 0;
    finding_say(f,
                "%s: %s more in a reply of the policy than in one of the "
                "reference",
                patterns[k].words, finding_number(text, &more, 3));
    return OK;
}

static enum status add_styles(struct leads *leads, const struct evidence *e,
                              struct err *err)
{
    enum status status = OK;
    double *policy = NULL, *reference = NULL;
    TRY_DONE(MEM_NEW(policy, e->n_prompts, err));
    TRY_DONE(MEM_NEW(reference, e->n_prompts, err));
    for (size_t k = 0; k < PATTERNS && e->n_reply > 0; k++)
        TRY_DONE(add_style(leads, k, policy, reference, e, err));
done:
    mem_free(policy);
    mem_free(reference);
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
    return add_styles(leads, e, err);
}
