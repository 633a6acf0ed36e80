#include <math.h>
#include <string.h>

#include "exam/warn.h"

/* Levels at which the ROC is told. */
static const double levels[] = {0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 5};

enum {
    LEVELS = sizeof levels / sizeof *levels
};

static bool is_in(const struct warn_run *r, const char *set)
{
    return strcmp(r->run->set, set) == 0;
}

/* Sick runs that a level catches in time, and healthy ones that it alarms. */
static void count_level(struct exam_share *caught, struct exam_share *wrong,
                        const struct warn *all, const char *set, double level)
{
    *caught = *wrong = (struct exam_share){.n = 0};
    for (size_t i = 0; i < all->n; i++) {
        const struct warn_run *r = &all->run[i];
        if (!is_in(r, set) || (!r->truth.is_sick && !r->is_healthy))
            continue;
        struct exam_share *s = r->truth.is_sick ? caught : wrong;
        s->n++;
        s->k += r->level[WARN_MAIN] >= level;
    }
}

/* A signal's name; the level stands behind them. */
static const char *name_of(size_t signal)
{
    return signal < WARNING_SIGNALS ? warning_signal_name(signal) : "level";
}

/* ---- early_warning.json ------------------------------------------------- */

static void put_share(struct json_writer *w, const char *key,
                      const struct exam_share *s)
{
    struct estimate e = exam_wilson(s->k, s->n);
    json_put_key(w, key);
    json_open(w, '{');
    json_field_int(w, "k", (int64_t)s->k);
    json_field_int(w, "n", (int64_t)s->n);
    json_field_number(w, "estimate", e.estimate);
    json_field_number(w, "low", e.low);
    json_field_number(w, "high", e.high);
    json_close(w, '}');
}

static void put_counts(struct json_writer *w, const struct warn_counts *c)
{
    put_share(w, "in_time", &c->in_time);
    put_share(w, "late", &c->late);
    put_share(w, "false_alarms", &c->false_alarm);
    put_share(w, "alarms_where_gold_has_not_fallen", &c->planted);
    json_field_number(w, "lead", c->lead);
    json_field_number(w, "auc", c->auc);
    json_field_number(w, "highest_healthy_level", c->highest_healthy);
    json_field_number(w, "lowest_sick_level", c->lowest_sick);
    json_field_number(w, "votes", c->votes);
}

static enum status put_budgets(struct json_writer *w, const struct warn *all,
                               const char *set, struct err *err)
{
    json_put_key(w, "budget");
    json_open(w, '[');
    for (size_t b = 0; b < WARN_BUDGETS; b++) {
        struct warn_counts c;
        TRY(warn_count(&c, all, set, b, err));
        json_open(w, '{');
        json_field_int(w, "votes_each", (int64_t)warn_budget[b]);
        put_counts(w, &c);
        json_close(w, '}');
    }
    json_close(w, ']');
    return OK;
}

static void put_roc(struct json_writer *w, const struct warn *all,
                    const char *set)
{
    json_put_key(w, "roc");
    json_open(w, '[');
    for (size_t i = 0; i < LEVELS; i++) {
        struct exam_share caught, wrong;
        count_level(&caught, &wrong, all, set, levels[i]);
        json_open(w, '{');
        json_field_number(w, "level", levels[i]);
        put_share(w, "in_time", &caught);
        put_share(w, "false_alarms", &wrong);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void put_run(struct json_writer *w, const struct warn_run *r)
{
    const struct warn_truth *t = &r->truth;
    json_open(w, '{');
    json_field_text(w, "run", r->run->id);
    json_field_bool(w, "sick", t->is_sick);
    json_field_bool(w, "healthy", r->is_healthy && !t->is_sick);
    json_field_number(w, "best", t->best);
    json_field_int(w, "best_at", t->best_at);
    json_field_number(w, "final", t->last);
    json_field_number(w, "margin", t->margin);
    json_field_number(w, "half_at", t->half_at);
    json_field_number(w, "alarm_at", r->alarm_at[WARN_MAIN]);
    json_field_number(w, "lead", t->half_at - r->alarm_at[WARN_MAIN]);
    json_field_number(w, "level", r->level[WARN_MAIN]);
    json_close(w, '}');
}

static enum status put_set(struct json_writer *w, const struct warn *all,
                           const char *set, struct err *err)
{
    struct warn_counts c;
    TRY(warn_count(&c, all, set, WARN_MAIN, err));
    json_field_int(w, "votes_each", (int64_t)warn_budget[WARN_MAIN]);
    put_counts(w, &c);
    put_roc(w, all, set);
    TRY(put_budgets(w, all, set, err));
    json_put_key(w, "signals");
    json_open(w, '[');
    for (size_t s = 0; s <= WARNING_SIGNALS; s++) {
        struct warn_alone a;
        TRY(warn_alone(&a, all, set, s, err));
        json_open(w, '{');
        json_field_text(w, "name", name_of(s));
        json_field_number(w, "auc", a.auc);
        put_share(w, "in_time", &a.in_time);
        json_field_number(w, "lead", a.lead);
        json_close(w, '}');
    }
    json_close(w, ']');
    json_put_key(w, "runs");
    json_open(w, '[');
    for (size_t i = 0; i < all->n; i++)
        if (is_in(&all->run[i], set))
            put_run(w, &all->run[i]);
    json_close(w, ']');
    return OK;
}

static bool has_set(const struct warn *all, const char *set)
{
    for (size_t i = 0; i < all->n; i++)
        if (is_in(&all->run[i], set))
            return true;
    return false;
}

enum status warn_write(struct json_writer *w, const struct warn *all,
                       struct err *err)
{
    const struct warning_plan plan = warning_plan_default();
    json_open(w, '{');
    json_field_text(w, "schema", "plumb.early_warning/1");
    json_put_key(w, "plan");
    json_open(w, '{');
    json_field_number(w, "nats", plan.nats);
    json_field_number(w, "least", plan.least);
    json_field_number(w, "prior", plan.prior);
    json_field_int(w, "window", plan.window);
    json_close(w, '}');
    if (has_set(all, "graded"))
        TRY(put_set(w, all, "graded", err));
    json_put_key(w, "sets");
    json_open(w, '{');
    for (size_t i = 0; i < EXAM_SETS; i++) {
        if (!has_set(all, exam_sets[i]) || strcmp(exam_sets[i], "graded") == 0)
            continue;
        json_put_key(w, exam_sets[i]);
        json_open(w, '{');
        TRY(put_set(w, all, exam_sets[i], err));
        json_close(w, '}');
    }
    json_close(w, '}');
    json_close(w, '}');
    return OK;
}

/* ---- the page ----------------------------------------------------------- */

static void say_share(struct buf *out, const char *what,
                      const struct exam_share *s)
{
    struct estimate e = exam_wilson(s->k, s->n);
    buf_printf(out, "  %-44s %3zu of %-3zu", what, s->k, s->n);
    if (s->n > 0)
        buf_printf(out, "  %3.0f %% [%.0f, %.0f]", 100 * e.estimate,
                   100 * e.low, 100 * e.high);
    buf_putc(out, '\n');
}

static void say_runs(struct buf *out, const struct warn *all, const char *set)
{
    buf_printf(out, "  %-14s %-7s %5s %5s %5s %6s %6s %6s %6s\n", "run", "is",
               "best", "final", "at", "half", "alarm", "lead", "level");
    for (size_t i = 0; i < all->n; i++) {
        const struct warn_run *r = &all->run[i];
        const struct warn_truth *t = &r->truth;
        double at = r->alarm_at[WARN_MAIN];
        if (!is_in(r, set))
            continue;
        buf_printf(out, "  %-14s %-7s %5.2f %5.2f %5lld", r->run->id,
                   t->is_sick      ? "sick"
                   : r->is_healthy ? "healthy"
                                   : "planted",
                   t->best, t->last, (long long)t->best_at);
        if (t->is_sick)
            buf_printf(out, " %6.1f", t->half_at);
        else
            buf_printf(out, " %6s", "");
        if (isfinite(at))
            buf_printf(out, " %6.0f", at);
        else
            buf_printf(out, " %6s", "-");
        if (isfinite(at) && t->is_sick)
            buf_printf(out, " %6.1f", t->half_at - at);
        else
            buf_printf(out, " %6s", "");
        buf_printf(out, " %6.2f\n", r->level[WARN_MAIN]);
    }
}

static void say_roc(struct buf *out, const struct warn *all, const char *set,
                    double auc)
{
    buf_printf(out,
               "  alarm from level   caught in time   false alarms   "
               "(AUC %.3f)\n",
               auc);
    for (size_t i = 0; i < LEVELS; i++) {
        struct exam_share caught, wrong;
        count_level(&caught, &wrong, all, set, levels[i]);
        buf_printf(out, "  %16.2f   %7zu of %-3zu   %6zu of %zu\n", levels[i],
                   caught.k, caught.n, wrong.k, wrong.n);
    }
}

static enum status say_budgets(struct buf *out, const struct warn *all,
                               const char *set, struct err *err)
{
    buf_puts(out, "  votes a checkpoint  a run  in time   lead  false alarms  "
                  "healthy to  sick from    AUC\n");
    for (size_t b = 0; b < WARN_BUDGETS; b++) {
        struct warn_counts c;
        TRY(warn_count(&c, all, set, b, err));
        buf_printf(out,
                   "  %18zu %6.0f  %2zu of %-2zu %6.1f  %5zu of %-3zu  "
                   "%10.2f  %9.2f  %5.3f\n",
                   warn_budget[b], c.votes, c.in_time.k, c.in_time.n, c.lead,
                   c.false_alarm.k, c.false_alarm.n, c.highest_healthy,
                   c.lowest_sick, c.auc);
    }
    return OK;
}

static enum status say_alone(struct buf *out, const struct warn *all,
                             const char *set, struct err *err)
{
    buf_puts(out, "  one signal alone, from where no healthy run is\n"
                  "                              caught in time   median lead "
                  "  AUC\n");
    for (size_t s = 0; s <= WARNING_SIGNALS; s++) {
        struct warn_alone a;
        TRY(warn_alone(&a, all, set, s, err));
        buf_printf(out, "    %-26s %7zu of %-3zu   %11.1f   %.3f\n", name_of(s),
                   a.in_time.k, a.in_time.n, a.lead, a.auc);
    }
    return OK;
}

static enum status say_set(struct buf *out, const struct warn *all,
                           const char *set, struct err *err)
{
    struct warn_counts c;
    TRY(warn_count(&c, all, set, WARN_MAIN, err));
    buf_printf(out, "early warning, %s runs, %zu votes a checkpoint\n", set,
               warn_budget[WARN_MAIN]);
    say_runs(out, all, set);
    say_share(out, "sick: alarm before half of the loss", &c.in_time);
    say_share(out, "sick: alarm after it", &c.late);
    say_share(out, "healthy: false alarm", &c.false_alarm);
    say_share(out, "planted, gold not fallen: alarm", &c.planted);
    say_roc(out, all, set, c.auc);
    TRY(say_budgets(out, all, set, err));
    return say_alone(out, all, set, err);
}

enum status warn_print(struct buf *out, const struct warn *all, struct err *err)
{
    for (size_t i = 0; i < EXAM_SETS; i++)
        if (has_set(all, exam_sets[i]))
            TRY(say_set(out, all, exam_sets[i], err));
    return OK;
}
