#include "diagnose/alarm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define WINDOW_LEAST 3
#define WINDOW_MOST 50
#define PASS 1024 // prompts whose votes are added up at once

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

/* Scores of responses: of the first and of the last iterations. */
static struct change scores_of(const struct evidence *e, int64_t window)
{
    struct change c = {.is_known = false};
    double sum[2] = {0, 0}, square[2] = {0, 0}, n[2] = {0, 0};
    if (e->n_step < 2)
        return c;
    int64_t first = e->step[0].step, last = e->step[e->n_step - 1].step;
    for (size_t i = 0; i < e->n_rollout; i++) {
        int64_t step = e->step[e->rollout[i].step].step;
        double x = (double)e->rollout[i].score;
        bool is_first = step<first + window, is_last = step> last - window;
        if (!isfinite(x) || is_first == is_last)
            continue;
        sum[is_last] += x;
        square[is_last] += x * x;
        n[is_last]++;
    }
    if (n[0] < 2 || n[1] < 2)
        return c;
    double m0 = sum[0] / n[0], m1 = sum[1] / n[1];
    double v0 = (square[0] - sum[0] * m0) / (n[0] - 1);
    double v1 = (square[1] - sum[1] * m1) / (n[1] - 1);
    c.first.mean = m0;
    c.last.mean = m1;
    c.d = m1 - m0;
    c.se = sqrt(fmax(0, v0 / n[0] + v1 / n[1]));
    c.is_known = true;
    return c;
}

/* First votes on the finished run's pairs, a vote a prompt: the mean of all
 * that is said of it.  A prompt's votes may stand anywhere, so they are added
 * up in passes of some prompts each, which needs no memory. */
static void add_final(struct sequential *said, const struct evidence *e)
{
    for (size_t from = 0; from < e->n_prompts; from += PASS) {
        double sum[PASS] = {0};
        size_t n[PASS] = {0};
        for (size_t i = 0; i < e->n_vote; i++) {
            const struct evidence_vote *v = &e->vote[i];
            if (v->is_placebo || v->visit != 1 || isnan(v->win) ||
                v->prompt < from || v->prompt - from >= PASS)
                continue;
            sum[v->prompt - from] += v->win;
            n[v->prompt - from]++;
        }
        for (size_t p = 0; p < PASS; p++)
            if (n[p] > 0)
                sequential_vote(said, sum[p] / (double)n[p]);
    }
}

/* Those on a checkpoint's; `next` is behind them. */
static size_t add_checkpoint(struct sequential *said, const struct evidence *e,
                             size_t from)
{
    size_t i = from;
    for (; i < e->n_spot && e->spot[i].step == e->spot[from].step; i++)
        sequential_vote(said, e->spot[i].win);
    return i;
}

size_t alarm_people(struct alarm_point *out, size_t room,
                    const struct evidence *e)
{
    size_t n = 0;
    for (size_t i = 0; i < e->n_spot && n < room; n++) {
        struct sequential said = {.wins = 0};
        out[n].iteration = e->spot[i].step;
        i = add_checkpoint(&said, e, i);
        out[n].win = sequential_rate(&said, 0);
    }
    struct sequential last = {.wins = 0};
    add_final(&last, e);
    if (last.wins + last.losses + last.ties > 0 && n < room && e->n_step > 0)
        out[n++] = (struct alarm_point){e->step[e->n_step - 1].step,
                                        sequential_rate(&last, 0)};
    return n;
}

/* Better, worse: 1, -1; 0 when people have not decided.  What was asked about
 * this very policy counts alone: the same votes may be among the project's. */
static int people_say(struct estimate *rate, const struct evidence *e,
                      const struct alarm_votes *votes)
{
    struct sequential said = votes->said;
    size_t newest = e->n_spot;
    while (newest > 0 &&
           e->spot[newest - 1].step == e->spot[e->n_spot - 1].step)
        newest--;
    bool is_asked = said.wins + said.losses + said.ties > 0;
    if (!is_asked && e->n_vote > 0)
        add_final(&said, e);
    else if (!is_asked && e->n_spot > 0)
        (void)add_checkpoint(&said, e, newest);
    *rate = sequential_rate(&said, 0);
    return rate->low > 0.5 ? 1 : rate->high < 0.5 ? -1 : 0;
}

/* The words of a raised alarm. */
static void tell(struct alarm *a, const struct warning *at,
                 const struct change *score, const struct estimate *rate,
                 int gold)
{
    char people[96] = "nobody has compared the replies";
    if (rate->n > 0)
        (void)snprintf(people, sizeof people,
                       "people prefer the policy in %.0f %% of %zu pairs "
                       "[%.0f, %.0f]",
                       100 * rate->estimate, rate->n, 100 * rate->low,
                       100 * rate->high);
    (void)snprintf(a->text, sizeof a->text,
                   "the reward rose by %.2f [%.2f, %.2f], %.2f nats were spent "
                   "where %.2f were earned, %s%s",
                   score->d, score->d - 1.96 * score->se,
                   score->d + 1.96 * score->se, at->signal[WARNING_SPENT],
                   at->signal[WARNING_EARNED],
                   gold < 0   ? "gold falls, "
                   : gold > 0 ? "gold rises, "
                              : "",
                   people);
}

static void judge_log(struct alarm *a, const struct warning_log *log,
                      const struct evidence *e, const struct alarm_series *s,
                      const struct alarm_votes *votes, int64_t window)
{
    struct estimate rate;
    struct change score = scores_of(e, window);
    int people = people_say(&rate, e, votes);
    int gold = s->gold != NULL ? alarm_direction(s->gold, s->n) : 0;
    bool is_up = score.is_known && score.d - 1.96 * score.se > 0;
    if (log->needs != NULL && log->alarm == SIZE_MAX) {
        set(a, ALARM_UNKNOWN, -1, "needs %s", log->needs);
        return;
    }
    const struct warning *now = &log->at[log->n - 1];
    if (!(now->level >= 1) || !is_up || (people == 0 && gold > 0)) {
        set(a, ALARM_QUIET, -1, "%.2f nats spent, %.2f earned; the reward %s%s",
            now->signal[WARNING_SPENT], now->signal[WARNING_EARNED],
            is_up ? "rises" : "does not rise",
            gold > 0 ? ", and so does gold" : "");
        return;
    }
    enum alarm_state state = people < 0        ? ALARM_CONFIRMED
                             : people > 0      ? ALARM_CLEARED
                             : votes->is_asked ? ALARM_ASKED
                                               : ALARM_RAISED;
    set(a, state, log->at[log->alarm].iteration, "%s", "");
    tell(a, now, &score, &rate, gold);
}

enum status alarm_judge_paradox(struct alarm *out, const struct evidence *e,
                                const struct alarm_series *s,
                                const struct alarm_votes *votes,
                                struct err *err)
{
    struct warning_plan plan = warning_plan_default();
    struct warning_log log;
    TRY(warning_watch(&log, e, &plan, err));
    judge_log(out, &log, e, s, votes, plan.window);
    warning_log_free(&log);
    return OK;
}
