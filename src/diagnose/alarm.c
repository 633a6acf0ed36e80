#include "diagnose/alarm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "diagnose/alarm_people.h"
#include "stat/cluster.h"
#include "stat/shift.h"

#define WINDOW_LEAST 3
#define WINDOW_MOST 50

static const char *const kinds[ALARMS] = {
    [ALARM_OF_PARADOX] = "paradox", [ALARM_OF_NAN] = "nan",
    [ALARM_OF_KL] = "kl",           [ALARM_OF_ENTROPY] = "entropy",
    [ALARM_OF_LENGTH] = "length",   [ALARM_OF_VALUE] = "value",
};

static const char *const states[] = {
    [ALARM_QUIET] = "quiet",         [ALARM_UNKNOWN] = "unknown",
    [ALARM_RAISED] = "open",         [ALARM_ASKED] = "asked",
    [ALARM_CONFIRMED] = "confirmed", [ALARM_CLEARED] = "cleared",
};

const char *alarm_kind_name(enum alarm_kind kind)
{
    return kinds[kind];
}

const char *alarm_state_name(enum alarm_state state)
{
    return states[state];
}

bool alarm_is_raised(const struct alarm *a)
{
    return a->state >= ALARM_RAISED && a->state != ALARM_CLEARED;
}

/* ---- a series against its own beginning --------------------------------- */

struct window {
    double mean, variance;
    size_t k;
};

/* Of the k values that are there from one end on. */
static struct window window_of(const double *x, size_t n, size_t k, bool is_end)
{
    struct window w = {0, 0, 0};
    double sum = 0, square = 0;
    for (size_t i = 0; i < n && w.k < k; i++) {
        double v = is_end ? x[n - 1 - i] : x[i];
        if (!isfinite(v))
            continue;
        sum += v;
        square += v * v;
        w.k++;
    }
    w.mean = w.k > 0 ? sum / (double)w.k : (double)NAN;
    if (w.k > 1)
        w.variance = (square - sum * w.mean) / (double)(w.k - 1);
    if (!(w.variance > 0))
        w.variance = 0;
    return w;
}

struct change {
    struct window first, last;
    double d, se;
    bool is_known;
};

static struct change change_of(const double *x, size_t n)
{
    struct change c = {.is_known = false};
    size_t there = 0;
    for (size_t i = 0; x != NULL && i < n; i++)
        there += isfinite(x[i]) ? 1 : 0;
    size_t k = there / 5;
    k = k < WINDOW_LEAST ? WINDOW_LEAST : k > WINDOW_MOST ? WINDOW_MOST : k;
    if (there < 2 * k)
        return c;
    c.first = window_of(x, n, k, false);
    c.last = window_of(x, n, k, true);
    c.d = c.last.mean - c.first.mean;
    c.se = sqrt((c.last.variance + c.first.variance) / (double)k);
    c.is_known = true;
    return c;
}

static int direction(const struct change *c)
{
    if (!c->is_known)
        return 0;
    return c->d > 3 * c->se ? 1 : c->d < -3 * c->se ? -1 : 0;
}

int alarm_direction(const double *x, size_t n)
{
    struct change c = change_of(x, n);
    return direction(&c);
}

/* ---- one by one --------------------------------------------------------- */

static void set(struct alarm *a, enum alarm_state state, int64_t since,
                const char *fmt, ...) ERR_PRINTF(4, 5);

static void set(struct alarm *a, enum alarm_state state, int64_t since,
                const char *fmt, ...)
{
    va_list args;
    *a = (struct alarm){.state = state, .since = since};
    va_start(args, fmt);
    (void)vsnprintf(a->text, sizeof a->text, fmt, args);
    va_end(args);
}

/* The first iteration of those at the end that are all above (or below). */
static int64_t since_beyond(const struct alarm_series *s, const double *x,
                            double bound, bool is_above)
{
    int64_t since = s->step[s->n - 1];
    for (size_t i = s->n; i-- > 0;) {
        if (isfinite(x[i]) && (is_above ? x[i] < bound : x[i] > bound))
            break;
        since = s->step[i];
    }
    return since;
}

static void judge_kl(struct alarm *a, const struct alarm_series *s)
{
    struct change c = change_of(s->kl, s->n);
    bool has_target = isfinite(s->kl_target) && s->kl_target > 0;
    double bound = has_target ? s->kl_target : ALARM_KL;
    if (!c.is_known)
        set(a, ALARM_UNKNOWN, -1, "too few iterations with a KL");
    else if (direction(&c) > 0 && c.last.mean > bound)
        set(a, ALARM_RAISED, since_beyond(s, s->kl, bound, true),
            "KL of a response rose from %.2f to %.2f nats, above %s %.3g",
            c.first.mean, c.last.mean, has_target ? "its target" : "the usual",
            bound);
    else
        set(a, ALARM_QUIET, -1, "KL of a response is at %.2f nats",
            c.last.mean);
}

static void judge_entropy(struct alarm *a, const struct alarm_series *s)
{
    struct change c = change_of(s->entropy, s->n);
    double bound = ALARM_ENTROPY * c.first.mean;
    if (!c.is_known)
        set(a, ALARM_UNKNOWN, -1, "too few iterations with an entropy");
    else if (direction(&c) < 0 && c.last.mean < bound)
        set(a, ALARM_RAISED, since_beyond(s, s->entropy, bound, false),
            "entropy fell from %.3g to %.3g nats a token: replies become all "
            "alike",
            c.first.mean, c.last.mean);
    else
        set(a, ALARM_QUIET, -1, "entropy is %.3g nats a token", c.last.mean);
}

static void judge_length(struct alarm *a, const struct alarm_series *s)
{
    struct change c = change_of(s->length, s->n);
    double bound = ALARM_LENGTH * c.first.mean;
    if (!c.is_known)
        set(a, ALARM_UNKNOWN, -1, "too few iterations with a length");
    else if (direction(&c) > 0 && c.last.mean >= bound)
        set(a, ALARM_RAISED, since_beyond(s, s->length, bound, true),
            "replies grew from %.0f to %.0f tokens", c.first.mean, c.last.mean);
    else
        set(a, ALARM_QUIET, -1, "replies have %.0f tokens", c.last.mean);
}

static void judge_value(struct alarm *a, const struct alarm_series *s)
{
    struct change c = change_of(s->explained, s->n);
    if (!c.is_known || s->n < ALARM_VALUE_FROM)
        set(a, ALARM_UNKNOWN, -1,
            "too few iterations with an explained "
            "variance");
    else if (c.last.mean < 0)
        set(a, ALARM_RAISED, since_beyond(s, s->explained, 0, false),
            "the value model explains %.0f %% of the returns' variance: a "
            "constant would do better",
            100 * c.last.mean);
    else
        set(a, ALARM_QUIET, -1,
            "the value model explains %.0f %% of the returns' variance",
            100 * c.last.mean);
}

void alarm_judge_series(struct alarm alarm[ALARMS],
                        const struct alarm_series *s)
{
    if (s->n == 0) {
        for (int k = 0; k < ALARMS; k++)
            if (k != ALARM_OF_PARADOX)
                set(&alarm[k], ALARM_UNKNOWN, -1, "no iteration yet");
        return;
    }
    judge_kl(&alarm[ALARM_OF_KL], s);
    judge_entropy(&alarm[ALARM_OF_ENTROPY], s);
    judge_length(&alarm[ALARM_OF_LENGTH], s);
    judge_value(&alarm[ALARM_OF_VALUE], s);
    if (s->not_finite != NULL)
        set(&alarm[ALARM_OF_NAN], ALARM_RAISED, s->step[s->n - 1],
            "%s is not a finite number", s->not_finite);
    else
        set(&alarm[ALARM_OF_NAN], ALARM_QUIET, -1, "all numbers are finite");
}

/* ---- the paradox -------------------------------------------------------- */

/* Responses by iteration, and room for what two windows have of a prompt. */
struct scores {
    const struct evidence *e;
    int64_t window;
    struct cluster by_step;
    size_t *place;   // [prompts] 1 + its place below, 0: not met
    size_t *met;     // [n] prompts of the two windows
    double *mean[2]; // [n] of the first and of the last window
    size_t *count;   // [2 n] responses behind them
    size_t n;
};

static void scores_close(struct scores *s)
{
    cluster_free(&s->by_step);
    mem_free(s->place);
    mem_free(s->met);
    mem_free(s->mean[0]);
    mem_free(s->mean[1]);
    mem_free(s->count);
}

static enum status scores_open(struct scores *s, const struct evidence *e,
                               int64_t window, struct err *err)
{
    enum status status = OK;
    size_t *step = NULL, prompts = 0;
    *s = (struct scores){.e = e, .window = window};
    TRY_DONE(MEM_NEW(step, e->n_rollout, err));
    for (size_t i = 0; i < e->n_rollout; i++) {
        size_t prompt = e->rollout[i].prompt;
        step[i] = e->rollout[i].step;
        prompts = prompt < prompts ? prompts : prompt + 1;
    }
    TRY_DONE(cluster_build(&s->by_step, step, e->n_rollout, e->n_step, err));
    TRY_DONE(MEM_NEW(s->place, prompts, err));
    TRY_DONE(MEM_NEW(s->met, prompts, err));
    TRY_DONE(MEM_NEW(s->mean[0], prompts, err));
    TRY_DONE(MEM_NEW(s->mean[1], prompts, err));
    TRY_DONE(MEM_NEW(s->count, 2 * prompts, err));
done:
    mem_free(step);
    return status;
}

/* The scores of an iteration, into window w. */
static void add_scores(struct scores *s, size_t step, size_t w)
{
    const struct cluster *c = &s->by_step;
    for (size_t k = c->start[step]; k < c->start[step + 1]; k++) {
        const struct evidence_rollout *r = &s->e->rollout[c->row[k]];
        if (!isfinite(r->score))
            continue;
        if (s->place[r->prompt] == 0) {
            size_t new = s->n++;
            s->place[r->prompt] = s->n;
            s->met[new] = r->prompt;
            s->mean[0][new] = s->mean[1][new] = 0;
            s->count[2 * new] = s->count[2 * new + 1] = 0;
        }
        size_t p = s->place[r->prompt] - 1;
        s->mean[w][p] += (double)r->score;
        s->count[2 * p + w]++;
    }
}

/* Up to the iteration with index k: the last window's against the first's; an
 * iteration in both windows is in neither. */
static struct estimate scores_at(struct scores *s, size_t k, double level)
{
    const struct evidence *e = s->e;
    int64_t first = e->step[0].step, last = e->step[k].step;
    s->n = 0;
    for (size_t i = 0; i < e->n_step; i++) {
        int64_t step = e->step[i].step;
        bool is_first = step < first + s->window;
        bool is_last = step > last - s->window;
        if (step <= last && is_first != is_last)
            add_scores(s, i, is_last);
    }
    for (size_t p = 0; p < s->n; p++) {
        for (size_t w = 0; w < 2; w++) {
            size_t n = s->count[2 * p + w];
            s->mean[w][p] = n > 0 ? s->mean[w][p] / (double)n : (double)NAN;
        }
        s->place[s->met[p]] = 0;
    }
    return shift_estimate(s->mean[0], s->mean[1], s->n, level);
}

/* When the alarm was raised first, and seen last; SIZE_MAX: it never was. */
struct raising {
    size_t first, last;
};

/* The j-th look, at the iteration with index k: has the reward risen? */
static bool look(struct scores *s, size_t k, size_t j)
{
    double level = 1 - 0.05 / ((double)j * ((double)j + 1));
    return scores_at(s, k, level).low > 0;
}

/* From both ends, since a look takes its time. */
static struct raising find_raising(struct scores *s,
                                   const struct warning_log *log)
{
    struct raising r = {SIZE_MAX, SIZE_MAX};
    size_t looks = 0;
    for (size_t k = 0; k < log->n; k++) {
        looks += log->at[k].is_alarm;
        if (r.first == SIZE_MAX && log->at[k].is_alarm && look(s, k, looks))
            r.first = k;
    }
    for (size_t k = log->n; r.first != SIZE_MAX && k-- > r.first;) {
        r.last = k;
        if (log->at[k].is_alarm && (k == r.first || look(s, k, looks)))
            break;
        looks -= log->at[k].is_alarm;
    }
    return r;
}

/* The words of a raised alarm, of when it was seen last. */
static void tell(struct alarm *a, const struct warning_log *log, size_t k,
                 const struct estimate *score, const struct alarm_say *say,
                 int gold, bool is_damaged)
{
    const struct warning *at = &log->at[k];
    char people[128], when[48] = "";
    alarm_tell_people(people, sizeof people, say, is_damaged);
    if (k + 1 < log->n)
        (void)snprintf(when, sizeof when, "at iteration %lld ",
                       (long long)at->iteration);
    (void)snprintf(
        a->text, sizeof a->text,
        "%sthe reward %s by %.2f [%.2f, %.2f], %.2f nats %s spent where %.2f "
        "were earned, %s%s",
        when, k + 1 < log->n ? "had risen" : "rose", score->estimate,
        score->low, score->high, at->signal[WARNING_SPENT],
        k + 1 < log->n ? "had been" : "were", at->signal[WARNING_EARNED],
        gold < 0   ? "gold falls, "
        : gold > 0 ? "gold rises, "
                   : "",
        people);
}

static void judge_log(struct alarm *a, const struct warning_log *log,
                      struct scores *s, int gold,
                      const struct alarm_say *people, bool is_damaged)
{
    struct estimate score;
    if (log->needs != NULL) {
        set(a, ALARM_UNKNOWN, -1, "needs %s", log->needs);
        return;
    }
    struct raising raised = find_raising(s, log);
    bool is_kept_quiet = people->say == 0 && gold > 0 && !people->is_asked;
    if (raised.first == SIZE_MAX || is_kept_quiet) {
        const struct warning *now = &log->at[log->n - 1];
        score = scores_at(s, log->n - 1, 0.95);
        set(a, ALARM_QUIET, -1, "%.2f nats spent, %.2f earned; the reward %s%s",
            now->signal[WARNING_SPENT], now->signal[WARNING_EARNED],
            score.low > 0 ? "rises" : "does not rise",
            gold > 0 ? ", and so does gold" : "");
        return;
    }
    enum alarm_state state = people->say < 0    ? ALARM_CONFIRMED
                             : people->say > 0  ? ALARM_CLEARED
                             : people->is_asked ? ALARM_ASKED
                                                : ALARM_RAISED;
    set(a, state, log->at[raised.first].iteration, "%s", "");
    score = scores_at(s, raised.last, 0.95);
    tell(a, log, raised.last, &score, people, gold, is_damaged);
}

enum status alarm_judge_paradox(struct alarm *out, struct alarm *blind,
                                const struct evidence *e,
                                const struct alarm_series *s,
                                const struct alarm_votes *votes,
                                struct err *err)
{
    struct warning_plan plan = warning_plan_default();
    struct warning_log log;
    struct scores scores;
    TRY(warning_watch(&log, e, &plan, err));
    enum status status = scores_open(&scores, e, plan.window, err);
    if (status == OK) {
        static const struct alarm_say judging = {.is_asked = true,
                                                 .is_blind = true};
        const struct alarm_say people = alarm_hear(e, votes);
        bool is_damaged = votes->is_damaged || e->votes_damage != NULL;
        int gold = s->gold != NULL ? alarm_direction(s->gold, s->n) : 0;
        judge_log(out, &log, &scores, gold, &people, is_damaged);
        if (blind != NULL)
            judge_log(blind, &log, &scores, gold, &judging, is_damaged);
    }
    scores_close(&scores);
    warning_log_free(&log);
    return status;
}
