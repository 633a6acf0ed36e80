/* standing_words.c - how it stands, in words. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "diagnose/finding.h"
#include "serve/standing_internal.h"
#include "stat/distribution.h"

#define SENTENCE_MAX 1000
#define TASTES 4     // judges whose preference a sentence names
#define APART_MIN 10 // prompts of a judge, below which no rate is compared

/* ---- sentences ---------------------------------------------------------- */

static enum status say(struct standing *s, struct err *err, const char *fmt,
                       ...) ERR_PRINTF(3, 4);
static enum status say(struct standing *s, struct err *err, const char *fmt,
                       ...)
{
    char text[SENTENCE_MAX], *copy;
    va_list args;
    if (s->n_says == STANDING_SAYS)
        return OK;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    size_t len = strlen(text) + 1;
    TRY(ARENA_NEW(&s->arena, copy, len, err));
    memcpy(copy, text, len);
    s->says[s->n_says++] = copy;
    return OK;
}

static const char *percent(char out[64], const struct standing_value *v)
{
    return finding_percent(out, &v->e);
}

/* A judge's name, without what is behind 60 bytes of whole characters. */
static const char *cut(char out[64], const struct standing_judge *j)
{
    const char *name = j->judge.name;
    size_t len = strlen(name), n = 0, k;
    while (n < len && (k = utf8_length(name + n, len - n, NULL)) > 0 &&
           n + k <= 60)
        n += k;
    memcpy(out, name, n);
    out[n] = '\0';
    return out;
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

/* What standing_agree() measures in this order: raw, alpha and kappa of
 * choices, and of a spot-check alpha of those on policy pairs. */
enum {
    OF_RAW = 0,
    OF_ALPHA = 1,
    OF_POLICY = 3
};

static const struct standing_value *alpha_of(const struct standing *s)
{
    return &s->agreement[s->pool.task == POOL_SPOTCHECK ? OF_POLICY : OF_ALPHA]
                .value;
}

static bool is_by_chance(const struct standing *s)
{
    const struct standing_value *a = alpha_of(s);
    return a->reason == NULL && a->e.low <= 0 && a->e.high < STANDING_ALPHA;
}

/* What a measurable excess says. */
static enum status say_excess(struct standing *s, const struct standing_mark *m,
                              struct err *err)
{
    const struct estimate *e = &m->share.excess;
    char text[64];
    (void)finding_percent(text, e);
    if (e->low > 0)
        return say(s, err,
                   "The policy's replies are called %s more often than the "
                   "reference's own are: by %s.",
                   m->text, text);
    if (e->high < 0)
        return say(s, err,
                   "The policy's replies are called %s less often than the "
                   "reference's own are: by %s.",
                   m->text, text);
    return say(s, err,
               "No excess of '%s' over placebo shows: %s; one of %.0f %% would "
               "probably have shown.",
               m->text, text, 100 * STANDING_EFFECT);
}

static enum status say_mark(struct standing *s, const struct standing_mark *m,
                            struct err *err)
{
    if (m->is_measurable)
        return say_excess(s, m, err);
    return say(s, err,
               "'%s' is not measurable, %zu more pair%s: %zu pair%s and %zu "
               "placebo%s are too few to tell it from chance.",
               m->text, m->more_pairs, plural(m->more_pairs), m->pairs,
               plural(m->pairs), m->placebos, plural(m->placebos));
}

/* ", 12 prompts wait for votes", of those that are not in the test yet. */
static const char *waiting(char out[64], const struct standing *s)
{
    out[0] = '\0';
    if (s->waiting > 0)
        (void)snprintf(out, 64, ", %lld wait%s for votes",
                       (long long)s->waiting, s->waiting == 1 ? "s" : "");
    return out;
}

/* A decision, and what the votes behind it say. */
static enum status say_decided(struct standing *s, const char *wait,
                               struct err *err)
{
    const struct sequential *q = &s->sequential;
    const char *who = is_by_chance(s) ? "these judges together" : "people";
    const char *side = q->is_for_wins ? "policy" : "reference";
    size_t front = q->is_for_wins ? q->wins : q->losses;
    size_t behind = q->is_for_wins ? q->losses : q->wins;
    if (sequential_holds(q))
        return say(s, err,
                   "Decided: %s prefer the %s (%zu prompts to %zu, %zu "
                   "tied%s); the test may be read after every vote.",
                   who, side, front, behind, q->ties, wait);
    return say(s, err,
               "The test decided for the %s after %zu prompts, but the votes "
               "since do not bear it out: %zu to %zu now, %zu tied%s.  Votes "
               "that change with time are no one preference.",
               side, q->decided_at, front, behind, q->ties, wait);
}

static enum status say_sequential(struct standing *s, struct err *err)
{
    const struct sequential *q = &s->sequential;
    char wait[64], votes[96] = "";
    (void)waiting(wait, s);
    if (q->decided_at > 0)
        return say_decided(s, wait, err);
    if (!isfinite(s->more))
        return say(s, err,
                   "Whom people prefer is not decided (%zu prompts to %zu, %zu "
                   "tied%s), and no number of votes is in sight that would.",
                   q->wins, q->losses, q->ties, wait);
    if (s->more_votes > s->more)
        (void)snprintf(votes, sizeof votes,
                       ", %.0f votes with placebos, other judges and controls",
                       s->more_votes);
    return say(s, err,
               "Whom people prefer is not decided (%zu prompts to %zu, %zu "
               "tied%s): about %.0f more policy pairs%s, if they go on as they "
               "did.",
               q->wins, q->losses, q->ties, wait, s->more, votes);
}

static enum status say_win(struct standing *s, struct err *err)
{
    char win[64], even[64];
    if (s->win.reason != NULL)
        return OK;
    if (s->win_length_controlled.reason != NULL)
        return say(s, err, "The policy wins %s of its pairs.",
                   percent(win, &s->win));
    return say(s, err,
               "The policy wins %s of its pairs; %s if lengths were equal.",
               percent(win, &s->win), percent(even, &s->win_length_controlled));
}

/* ---- judges ------------------------------------------------------------- */

/* Half of a judge's votes or more, and ten of them, are no haste by chance. */
static bool is_hasty(const struct standing_judge *j)
{
    return j->too_fast >= 10 && 2 * j->too_fast >= j->votes;
}

static bool is_above(const struct standing_value *v, double x)
{
    return v->reason == NULL && v->e.low > x;
}

static bool is_below(const struct standing_value *v, double x)
{
    return v->reason == NULL && v->e.high < x;
}

static enum status say_judge(struct standing *s, const struct standing_judge *j,
                             struct err *err)
{
    char text[64], name[64];
    (void)cut(name, j);
    if (is_hasty(j))
        TRY(say(s, err, "%s cast %lld of %lld votes faster than one reads.",
                name, (long long)j->too_fast, (long long)j->votes));
    if (is_above(&j->left, 0.5) || is_below(&j->left, 0.5))
        TRY(say(s, err, "%s favours a side: the left won %s.", name,
                percent(text, &j->left)));
    if (is_below(&j->gold, 0.8))
        TRY(say(s, err, "%s misses known answers: %s right.", name,
                percent(text, &j->gold)));
    if (is_below(&j->identical, 0.8))
        TRY(say(s, err, "%s calls identical replies different: %s equal.", name,
                percent(text, &j->identical)));
    if (j->unblinded != 0)
        TRY(say(s, err,
                "%s looked how it stands while judging: not blind since.",
                name));
    return OK;
}

/* ---- judges among each other -------------------------------------------- */

/* "ada prefers the reference (policy wins 31 % [20, 45] of 47 prompts)",
 * behind what is there already. */
static void add_taste(struct buf *out, const struct standing_judge *j,
                      size_t before)
{
    char text[64], name[64];
    buf_printf(out, "%s%s ", before > 0 ? ", " : ": ", cut(name, j));
    buf_puts(out, is_above(&j->win, 0.5)   ? "prefers the policy"
                  : is_below(&j->win, 0.5) ? "prefers the reference"
                                           : "prefers neither");
    buf_printf(out, before > 0 ? " (%s of %zu)" : " (policy wins %s of %zu)",
               percent(text, &j->win), j->win.e.n);
}

/* Nothing that such judges say together is what people say. */
static enum status say_chance(struct standing *s, struct err *err)
{
    char number[64];
    struct buf tastes;
    size_t n = 0;
    if (!is_by_chance(s))
        return OK;
    buf_init(&tastes, SENTENCE_MAX);
    for (size_t j = 0; j < s->n_judges && s->pool.task == POOL_SPOTCHECK; j++)
        if (s->judge[j].win.reason == NULL && n < TASTES)
            add_taste(&tastes, &s->judge[j], n++);
    enum status status = buf_status(&tastes, err);
    if (status == OK)
        status = say(
            s, err,
            "The judges disagree %s by chance (alpha %s)%s; what follows is "
            "no common view.",
            alpha_of(s)->e.high < 0 ? "more than" : "as if",
            finding_number(number, &alpha_of(s)->e, 2), buf_text(&tastes));
    buf_free(&tastes);
    return status;
}

static double variance_of(const struct standing_judge *j)
{
    double se = (j->win.e.high - j->win.e.low) /
                (2 * distribution_normal_quantile(0.975));
    return se * se;
}

/* Judges without a common item whose own win rates exclude each other.  The two
 * furthest apart are taken of all, so their difference must exceed what the
 * largest of k (k - 1) / 2 differences does by chance in one case of 20. */
static enum status say_apart(struct standing *s, struct err *err)
{
    const struct standing_judge *low = NULL, *high = NULL;
    char text[2][64], name[2][64];
    size_t k = 0;
    for (size_t i = 0; i < s->n_judges; i++) {
        const struct standing_judge *j = &s->judge[i];
        if (j->win.reason != NULL || j->win.e.n < APART_MIN)
            continue;
        k++;
        if (low == NULL || j->win.e.estimate < low->win.e.estimate)
            low = j;
        if (high == NULL || j->win.e.estimate > high->win.e.estimate)
            high = j;
    }
    if (k < 2)
        return OK;
    double difference = high->win.e.estimate - low->win.e.estimate;
    double se = sqrt(variance_of(low) + variance_of(high));
    double tail = 0.05 / (double)(k * (k - 1));
    if (!(difference > distribution_normal_quantile(1 - tail) * se))
        return OK;
    return say(s, err,
               "For %s the policy wins %s, for %s %s: more apart than chance "
               "puts judges of one mind, though they judged other prompts.  "
               "What they say together is no common view; an overlap of 2 "
               "would measure it.",
               cut(name[0], low), percent(text[0], &low->win),
               cut(name[1], high), percent(text[1], &high->win));
}

static enum status say_agreement(struct standing *s, struct err *err)
{
    const struct standing_agreement *raw = &s->agreement[OF_RAW];
    const struct standing_value *alpha = &s->agreement[OF_ALPHA].value;
    char text[64], number[64];
    if (raw->value.reason != NULL) {
        TRY(say(s, err, "Agreement between judges is undefined: %s.",
                raw->value.reason));
        return s->pool.task == POOL_SPOTCHECK ? say_apart(s, err) : OK;
    }
    if (alpha->reason != NULL)
        return say(s, err, "Judges agree on %s; alpha is undefined: %s.",
                   percent(text, &raw->value), alpha->reason);
    return say(s, err,
               "Judges agree on %s (alpha %s); 60 to 77 %% is usual for "
               "preferences.",
               percent(text, &raw->value),
               finding_number(number, &alpha->e, 2));
}

enum status standing_say(struct standing *s, struct err *err)
{
    char text[64];
    if (s->progress.votes == 0)
        return say(s, err, "Nobody has voted yet.");
    TRY(say_chance(s, err));
    if (s->pool.task == POOL_SPOTCHECK) {
        TRY(say_mark(s, &s->mark[0], err));
        TRY(say_sequential(s, err));
        TRY(say_win(s, err));
        for (size_t i = 1; i < STANDING_MARKS; i++)
            if (s->mark[i].is_measurable)
                TRY(say_mark(s, &s->mark[i], err));
    }
    TRY(say_agreement(s, err));
    if (s->longer.reason == NULL)
        TRY(say(s, err, "The longer reply wins %s.",
                percent(text, &s->longer)));
    for (size_t j = 0; j < s->n_judges; j++)
        TRY(say_judge(s, &s->judge[j], err));
    return OK;
}

/* ---- for a terminal ----------------------------------------------------- */

static void put_line(struct buf *out, const char *name,
                     const struct standing_value *v)
{
    char text[64];
    if (v->reason != NULL)
        buf_printf(out, "  %-24s undefined: %s\n", name, v->reason);
    else
        buf_printf(out, "  %-24s %s of %zu\n", name, percent(text, v), v->e.n);
}

static void put_judges(struct buf *out, const struct standing *s)
{
    char left[64], longer[64], same[64], win[64];
    bool is_spot = s->pool.task == POOL_SPOTCHECK;
    if (s->n_judges > 0)
        buf_printf(out, "\n  %-16s %6s %5s %6s %7s  %-17s %-17s %-17s %s%s\n",
                   "judge", "votes", "skips", "hasty", "seconds", "left wins",
                   "longer wins", "as before",
                   is_spot ? "policy wins              " : "", "weight");
    for (size_t i = 0; i < s->n_judges; i++) {
        const struct standing_judge *j = &s->judge[i];
        buf_printf(out, "  %-16.60s %6lld %5lld %6lld ", j->judge.name,
                   (long long)j->votes, (long long)j->skips,
                   (long long)j->too_fast);
        if (isnan(j->median_ms))
            buf_puts(out, "      -");
        else
            buf_printf(out, "%7.1f", j->median_ms / 1000);
        buf_printf(out, "  %-17s %-17s %-17s ",
                   j->left.reason != NULL ? "-" : percent(left, &j->left),
                   j->longer.reason != NULL ? "-" : percent(longer, &j->longer),
                   j->consistency.reason != NULL
                       ? "-"
                       : percent(same, &j->consistency));
        if (is_spot && j->win.reason != NULL)
            buf_printf(out, "%-24s ", "-");
        else if (is_spot)
            buf_printf(out, "%-17s of %3zu ", percent(win, &j->win),
                       j->win.e.n);
        if (isnan(j->weight))
            buf_puts(out, "-\n");
        else
            buf_printf(out, "%.2f\n", j->weight);
    }
}

static void put_marks(struct buf *out, const struct standing *s)
{
    char policy[64], placebo[64], excess[64];
    buf_printf(out, "\n  %-14s %-17s %-17s %-17s %s\n", "marked", "policy",
               "placebo", "excess", "");
    for (size_t i = 0; i < STANDING_MARKS; i++) {
        const struct standing_mark *m = &s->mark[i];
        buf_printf(out, "  %-14s %-17s %-17s %-17s ", m->text,
                   finding_percent(policy, &m->share.policy),
                   finding_percent(placebo, &m->share.placebo),
                   finding_percent(excess, &m->share.excess));
        if (m->is_measurable)
            buf_printf(out, "measurable\n");
        else
            buf_printf(out, "not measurable, %zu more\n", m->more_pairs);
    }
}

void standing_text(struct buf *out, const struct standing *s)
{
    const struct progress *p = &s->progress;
    char text[64];
    buf_printf(out,
               "%s (%s): %lld of %lld items complete, %lld votes, %lld "
               "wanted, %lld skipped, %lld flagged\n",
               s->pool.name, choice_word(&choice_task, (int)s->pool.task),
               (long long)p->complete, (long long)p->items, (long long)p->votes,
               (long long)p->wanted, (long long)p->skipped,
               (long long)p->flags);
    for (size_t i = 0; i < s->n_says; i++)
        buf_printf(out, "- %s\n", s->says[i]);
    if (s->pool.task == POOL_SPOTCHECK) {
        put_marks(out, s);
        buf_printf(out, "\n");
        put_line(out, "policy wins", &s->win);
        put_line(out, "at equal lengths", &s->win_length_controlled);
    }
    put_judges(out, s);
    buf_printf(out, "\n");
    for (size_t i = 0; i < s->n_agreement; i++) {
        const struct standing_agreement *a = &s->agreement[i];
        buf_printf(out, "  %-14s of %-9s ", a->name, a->of);
        if (a->value.reason != NULL)
            buf_printf(out, "undefined: %s\n", a->value.reason);
        else
            buf_printf(out, "%s\n", finding_number(text, &a->value.e, 2));
    }
}
