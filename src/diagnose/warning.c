#include "diagnose/warning.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

struct warning_plan warning_plan_default(void)
{
    return (struct warning_plan){.nats = 15,
                                 .least = 0.25,
                                 .prior = 200,
                                 .window = 3,
                                 .votes_each = SIZE_MAX};
}

static const char *const names[WARNING_SIGNALS] = {
    [WARNING_SPENT] = "kl_spent",
    [WARNING_EARNED] = "kl_earned",
    [WARNING_ACCURACY] = "accuracy",
    [WARNING_ACCURACY_LONGER] = "accuracy_longer",
    [WARNING_ACCURACY_SHORTER] = "accuracy_shorter",
    [WARNING_ACCURACY_VOTES] = "accuracy_votes",
    [WARNING_WIN_RATE] = "win_rate",
    [WARNING_LENGTH_RATIO] = "length_ratio",
    [WARNING_SCORE_GAIN] = "score_gain",
    [WARNING_EOS_RATIO] = "eos_ratio",
    [WARNING_SCORE_LENGTH] = "score_length_correlation",
    [WARNING_PADDING_PAID] = "padding_paid",
};

const char *warning_signal_name(enum warning_signal signal)
{
    return names[signal];
}

/* A mean that grows; NaN is no value. */
struct mean {
    double sum;
    size_t n;
};

static void mean_add(struct mean *m, double x)
{
    if (isnan(x))
        return;
    m->sum += x;
    m->n++;
}

static double mean_of(const struct mean *m)
{
    return m->n > 0 ? m->sum / (double)m->n : (double)NAN;
}

/* ---- before the run ----------------------------------------------------- */

static double held_out_accuracy(const struct evidence *e, const char *key)
{
    return json_number(json_get(json_get(e->reward_heldout, key), "estimate"),
                       (double)NAN);
}

/* What the reference's own replies are worth when padded. */
static double padding_paid(const struct evidence *e)
{
    const struct table *t = &e->probe[PROBE_EDITS];
    const char *const *which = table_texts(t, "which");
    const char *const *edit = table_texts(t, "edit");
    const double *before = table_numbers(t, "before");
    const double *after = table_numbers(t, "after");
    struct mean m = {.n = 0};
    if (which == NULL || edit == NULL || before == NULL || after == NULL)
        return (double)NAN;
    for (size_t i = 0; i < t->n; i++)
        if (which[i] != NULL && strcmp(which[i], "reference") == 0 &&
            edit[i] != NULL && strcmp(edit[i], "pad") == 0)
            mean_add(&m, after[i] - before[i]);
    return mean_of(&m);
}

/* What was known, whatever the iteration. */
struct before {
    double longer, shorter, padding;
    double tokens, score; // of the reference's replies, means
};

static struct before find_before(const struct evidence *e)
{
    struct mean tokens = {.n = 0}, score = {.n = 0};
    for (size_t i = 0; i < e->n_reply; i++)
        if (!e->reply[i].is_policy) {
            mean_add(&tokens, e->reply[i].tokens);
            mean_add(&score, e->reply[i].score);
        }
    return (struct before){
        .longer = held_out_accuracy(e, "accuracy_chosen_longer"),
        .shorter = held_out_accuracy(e, "accuracy_chosen_shorter"),
        .padding = padding_paid(e),
        .tokens = mean_of(&tokens),
        .score = mean_of(&score)};
}

/* ---- up to iteration k -------------------------------------------------- */

/* Sums over the responses of the last iterations. */
struct batch {
    struct mean kl, k1, tokens, score;
    double p_eos, p_eos_ref;
    double xx, yy, xy; // of tokens and score, about the first of each
    double x0, y0;
};

static void add_response(struct batch *b, const struct evidence_rollout *r)
{
    double x = (double)r->tokens, y = (double)r->score;
    if (b->tokens.n == 0) {
        b->x0 = x;
        b->y0 = y;
    }
    mean_add(&b->kl, (double)r->kl);
    mean_add(&b->k1, (double)r->k1);
    mean_add(&b->tokens, x);
    mean_add(&b->score, y);
    b->p_eos += (double)r->p_eos;
    b->p_eos_ref += (double)r->p_eos_ref;
    b->xx += (x - b->x0) * (x - b->x0);
    b->yy += (y - b->y0) * (y - b->y0);
    b->xy += (x - b->x0) * (y - b->y0);
}

static double correlation(const struct batch *b)
{
    double n = (double)b->tokens.n;
    double x = mean_of(&b->tokens) - b->x0, y = mean_of(&b->score) - b->y0;
    double vx = b->xx / n - x * x, vy = b->yy / n - y * y;
    return vx > 0 && vy > 0 ? (b->xy / n - x * y) / sqrt(vx * vy) : (double)NAN;
}

static int64_t step_of(const struct evidence *e, size_t rollout)
{
    return e->step[e->rollout[rollout].step].step;
}

/* The last iterations' responses, which are among first..end-1. */
static void find_batch(struct warning *out, const struct evidence *e, int64_t k,
                       const struct warning_plan *plan, size_t first,
                       size_t end, const struct before *before)
{
    struct batch b = {.kl = {.n = 0}};
    for (size_t i = first; i < end; i++) {
        int64_t step = step_of(e, i);
        if (step <= k && step > k - plan->window)
            add_response(&b, &e->rollout[i]);
    }
    double kl = mean_of(&b.kl);
    out->signal[WARNING_ACCURACY_LONGER] = before->longer;
    out->signal[WARNING_ACCURACY_SHORTER] = before->shorter;
    out->signal[WARNING_PADDING_PAID] = before->padding;
    out->signal[WARNING_SPENT] = isnan(kl) ? mean_of(&b.k1) : kl;
    out->signal[WARNING_LENGTH_RATIO] = mean_of(&b.tokens) / before->tokens;
    out->signal[WARNING_SCORE_GAIN] = mean_of(&b.score) - before->score;
    out->signal[WARNING_EOS_RATIO] =
        b.p_eos_ref > 0 ? b.p_eos / b.p_eos_ref : (double)NAN;
    out->signal[WARNING_SCORE_LENGTH] = correlation(&b);
}

/* Votes are counted in their order, from `next` on. */
struct votes {
    size_t read;
    size_t chose, won; // for the policy
    size_t told, right;
    size_t next, of_checkpoint;
};

static void add_vote(struct votes *v, const struct evidence_spot *s)
{
    v->read++;
    if (!(s->win > 0.5 || s->win < 0.5))
        return;
    v->chose++;
    v->won += s->win > 0.5;
    /* A reward model that sees no difference has not chosen. */
    if (!(s->d_score > 0 || s->d_score < 0))
        return;
    v->told++;
    v->right += (s->d_score > 0) == (s->win > 0.5);
}

static void count_votes(struct votes *v, const struct evidence *e, int64_t k,
                        const struct warning_plan *plan)
{
    for (; v->next < e->n_spot && e->spot[v->next].step <= k; v->next++) {
        const struct evidence_spot *s = &e->spot[v->next];
        bool is_first = v->next == 0 || s[-1].step != s->step;
        v->of_checkpoint = is_first ? 1 : v->of_checkpoint + 1;
        if (v->of_checkpoint <= plan->votes_each)
            add_vote(v, s);
    }
}

/* The level, from what the signals and the votes say. */
static void judge(struct warning *out, const struct votes *v,
                  const struct warning_plan *plan)
{
    double *s = out->signal;
    double w0 = s[WARNING_ACCURACY_LONGER];
    /* Not fmin(), which passes over a NaN. */
    if (!(s[WARNING_ACCURACY_SHORTER] >= w0))
        w0 = s[WARNING_ACCURACY_SHORTER];
    out->votes = v->read;
    s[WARNING_ACCURACY_VOTES] =
        v->told > 0 ? (double)v->right / (double)v->told : (double)NAN;
    s[WARNING_WIN_RATE] =
        v->chose > 0 ? (double)v->won / (double)v->chose : (double)NAN;
    double w =
        (plan->prior * w0 + (double)v->right) / (plan->prior + (double)v->told);
    s[WARNING_ACCURACY] = w;
    double earned = plan->nats * (w - 0.5);
    s[WARNING_EARNED] = earned < plan->least ? plan->least : earned;
    out->level = s[WARNING_SPENT] / s[WARNING_EARNED];
    out->is_alarm = out->level >= 1;
}

void warning_at(struct warning *out, const struct evidence *e, int64_t k,
                const struct warning_plan *plan)
{
    struct before before = find_before(e);
    struct votes votes = {.next = 0};
    *out = (struct warning){.iteration = k};
    find_batch(out, e, k, plan, 0, e->n_rollout, &before);
    count_votes(&votes, e, k, plan);
    judge(out, &votes, plan);
}

/* ---- a whole run -------------------------------------------------------- */

static bool is_in_order(const struct evidence *e)
{
    for (size_t i = 1; i < e->n_step; i++)
        if (e->step[i].step <= e->step[i - 1].step)
            return false;
    for (size_t i = 1; i < e->n_rollout; i++)
        if (e->rollout[i].step < e->rollout[i - 1].step)
            return false;
    return true;
}

/* As warning_at() for every iteration, in their order: the window moves on and
 * votes are counted on, so that each response is looked at a few times only. */
static void watch_in_order(struct warning_log *log, const struct evidence *e,
                           const struct warning_plan *plan)
{
    struct before before = find_before(e);
    struct votes votes = {.next = 0};
    size_t first = 0, end = 0;
    for (size_t i = 0; i < log->n; i++) {
        int64_t k = e->step[i].step;
        while (end < e->n_rollout && step_of(e, end) <= k)
            end++;
        while (first < end && step_of(e, first) <= k - plan->window)
            first++;
        log->at[i] = (struct warning){.iteration = k};
        find_batch(&log->at[i], e, k, plan, first, end, &before);
        count_votes(&votes, e, k, plan);
        judge(&log->at[i], &votes, plan);
    }
}

/* What there was no alarm for want of; NULL: nothing, or there was one. */
static const char *needs_of(const struct warning_log *log)
{
    if (log->n == 0)
        return "ppo/rollouts";
    if (log->alarm != SIZE_MAX)
        return NULL;
    if (isnan(log->at[log->n - 1].signal[WARNING_ACCURACY]))
        return "reward/eval/heldout.json";
    if (isnan(log->at[log->n - 1].level))
        return "log-probabilities in ppo/rollouts";
    return NULL;
}

enum status warning_watch(struct warning_log *out, const struct evidence *e,
                          const struct warning_plan *plan, struct err *err)
{
    struct warning_log log = {.n = e->n_step, .alarm = SIZE_MAX};
    TRY(MEM_NEW(log.at, log.n, err));
    if (is_in_order(e))
        watch_in_order(&log, e, plan);
    else
        for (size_t i = 0; i < log.n; i++)
            warning_at(&log.at[i], e, e->step[i].step, plan);
    for (size_t i = log.n; i-- > 0;)
        if (log.at[i].is_alarm)
            log.alarm = i;
    log.needs = needs_of(&log);
    *out = log;
    return OK;
}

void warning_log_free(struct warning_log *log)
{
    mem_free(log->at);
    *log = (struct warning_log){.alarm = SIZE_MAX};
}

/* The iteration that is told of: the alarm's, else the last; without any one
 * of which nothing is known. */
static const struct warning *told(const struct warning_log *log)
{
    static const struct warning nothing = {.level = (double)NAN};
    if (log->n == 0)
        return &nothing;
    return &log->at[log->alarm != SIZE_MAX ? log->alarm : log->n - 1];
}

static void put_signals(struct json_writer *w, const struct warning *at,
                        bool is_there)
{
    json_put_key(w, "signals");
    json_open(w, '[');
    for (size_t i = 0; is_there && i < WARNING_SIGNALS; i++) {
        json_open(w, '{');
        json_field_text(w, "name", names[i]);
        json_field_number(w, "value", at->signal[i]);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void put_series(struct json_writer *w, const char *key,
                       const struct warning_log *log,
                       double (*value)(const struct warning *))
{
    json_put_key(w, key);
    json_open(w, '[');
    for (size_t i = 0; i < log->n; i++)
        json_put_number(w, value(&log->at[i]));
    json_close(w, ']');
}

static double iteration_of(const struct warning *at)
{
    return (double)at->iteration;
}

static double level_of(const struct warning *at)
{
    return at->level;
}

static double spent_of(const struct warning *at)
{
    return at->signal[WARNING_SPENT];
}

static double earned_of(const struct warning *at)
{
    return at->signal[WARNING_EARNED];
}

void warning_write(struct json_writer *w, const struct warning_log *log)
{
    const struct warning *at = told(log);
    json_put_key(w, "warning");
    json_open(w, '{');
    json_put_key(w, "alarm_at");
    if (log->alarm != SIZE_MAX)
        json_put_int(w, log->at[log->alarm].iteration);
    else
        json_put_null(w);
    json_field_int(w, "iterations", (int64_t)log->n);
    json_field_int(w, "budget", (int64_t)at->votes);
    json_field_text(w, "needs", log->needs);
    put_signals(w, at, log->n > 0);
    json_put_key(w, "columns");
    json_open(w, '{');
    put_series(w, "iteration", log, iteration_of);
    put_series(w, "level", log, level_of);
    put_series(w, "kl_spent", log, spent_of);
    put_series(w, "kl_earned", log, earned_of);
    json_close(w, '}');
    json_close(w, '}');
}

/* The largest level; 0 of nothing. */
static double highest(const struct warning_log *log)
{
    double most = 0;
    for (size_t i = 0; i < log->n; i++)
        most = log->at[i].level > most ? log->at[i].level : most;
    return most;
}

void warning_say(struct buf *out, const struct warning_log *log)
{
    const struct warning *at = told(log);
    if (log->needs != NULL) {
        buf_printf(out, "no alarm can be told of without %s\n", log->needs);
        return;
    }
    if (log->alarm != SIZE_MAX)
        buf_printf(out,
                   "an alarm would have been raised at iteration %lld of %lld: "
                   "%.2f nats spent, %.2f earned\n",
                   (long long)at->iteration,
                   (long long)log->at[log->n - 1].iteration,
                   at->signal[WARNING_SPENT], at->signal[WARNING_EARNED]);
    else
        buf_printf(out,
                   "no alarm would have been raised in %zu iterations: at "
                   "most %.0f %% of what was earned was spent\n",
                   log->n, 100 * highest(log));
    buf_printf(out,
               "  the reward model is right on %.0f %% of the pairs it is "
               "worse at, ",
               100 * at->signal[WARNING_ACCURACY]);
    if (at->votes > 0)
        buf_printf(out, "%zu votes counted in\n", at->votes);
    else
        buf_puts(out, "without votes\n");
}
