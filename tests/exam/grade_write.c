#include <math.h>
#include <stdio.h>
#include <string.h>

#include "exam/grade_internal.h"
#include "stat/measures.h"

enum {
    SIGNS = 5 // of a case
};

static struct estimate share_of(const struct exam_share *s)
{
    return exam_wilson(s->k, s->n);
}

/* ---- exam.json ---------------------------------------------------------- */

/* {"k","n","estimate","low","high"}, or null of nothing. */
static void put_share(struct json_writer *w, const char *key,
                      const struct exam_share *s)
{
    struct estimate e = share_of(s);
    json_put_key(w, key);
    if (s->n == 0) {
        json_put_null(w);
        return;
    }
    json_open(w, '{');
    json_field_int(w, "k", (int64_t)s->k);
    json_field_int(w, "n", (int64_t)s->n);
    json_field_number(w, "estimate", e.estimate);
    json_field_number(w, "low", e.low);
    json_field_number(w, "high", e.high);
    json_close(w, '}');
}

static void put_matrix(struct json_writer *w, const struct exam *e,
                       const char *set)
{
    size_t count[EXAM_ANSWERS];
    json_put_key(w, "matrix");
    json_open(w, '{');
    json_put_key(w, "answers");
    json_open(w, '[');
    for (size_t k = 0; k < EXAM_ANSWERS; k++)
        json_put_text(w, exam_answer(k));
    json_close(w, ']');
    json_put_key(w, "planted");
    json_open(w, '{');
    for (size_t c = 0; c < e->n_cases; c++) {
        if (exam_matrix_row(count, e, set, c) == 0)
            continue;
        json_put_key(w, e->item[c].id);
        json_open(w, '[');
        for (size_t k = 0; k < EXAM_ANSWERS; k++)
            json_put_int(w, (int64_t)count[k]);
        json_close(w, ']');
    }
    json_close(w, '}');
    json_close(w, '}');
}

static void put_unmeasured(struct json_writer *w, const char *key,
                           const char *why)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s_missing", key);
    json_put_key(w, key);
    json_put_null(w);
    json_field_text(w, name, why);
}

static enum status put_coverage(struct json_writer *w, const struct exam *e,
                                const char *set, struct err *err)
{
    static const char key[] = "whatif_coverage";
    if (!cover_has(&e->cover, set)) {
        put_unmeasured(w, key, "no what-if of these runs has been tried");
        return OK;
    }
    json_put_key(w, key);
    return cover_write(w, &e->cover, set, err);
}

static enum status put_counts(struct json_writer *w, const struct exam *e,
                              const char *set, struct err *err)
{
    struct exam_counts c = exam_count(e, set);
    json_field_int(w, "wanted", (int64_t)c.n);
    json_field_int(w, "diagnosed", (int64_t)c.diagnosed);
    put_matrix(w, e, set);
    put_share(w, "top1", &c.top1);
    put_share(w, "first_ranked", &c.first);
    put_share(w, "false_alarm_rate", &c.alarms);
    put_share(w, "guard", &c.guard);
    put_share(w, "length_blamed_where_shorter", &c.blamed);
    put_share(w, "idle_alarm_rate", &c.idle);
    put_share(w, "placebo_rate", &c.placebo);
    put_share(w, "placebo_verdict_rate", &c.placebo_verdict);
    return put_coverage(w, e, set, err);
}

static void put_seeds(struct json_writer *w, const struct exam *e,
                      const char *set)
{
    json_put_key(w, set);
    json_open(w, '[');
    for (int chain = 0; chain < 1000; chain++)
        for (size_t i = 0; i < e->n_runs; i++)
            if (e->run[i].chain == chain && strcmp(e->run[i].set, set) == 0) {
                json_put_int(w, chain);
                break;
            }
    json_close(w, ']');
}

static enum status put_signs(struct json_writer *w, const struct exam *e,
                             const char *set, struct err *err)
{
    struct exam_sign sign[SIGNS];
    size_t n;
    json_put_key(w, "separability");
    json_open(w, '{');
    for (size_t c = 0; c < e->n_cases; c++) {
        TRY(exam_signs(sign, SIGNS, &n, e, set, c, err));
        if (n == 0 || strcmp(e->item[c].counts, "healthy") == 0)
            continue;
        json_put_key(w, e->item[c].id);
        json_open(w, '[');
        for (size_t i = 0; i < n; i++) {
            json_open(w, '{');
            json_field_text(w, "row", sign[i].row);
            json_field_number(w, "auc", sign[i].auc);
            json_field_number(w, "median_planted", sign[i].planted);
            json_field_number(w, "median_healthy", sign[i].healthy);
            json_field_int(w, "n_planted", (int64_t)sign[i].n_planted);
            json_field_int(w, "n_healthy", (int64_t)sign[i].n_healthy);
            json_close(w, '}');
        }
        json_close(w, ']');
    }
    json_close(w, '}');
    return OK;
}

static void put_runs(struct json_writer *w, const struct exam *e)
{
    json_put_key(w, "runs");
    json_open(w, '[');
    for (size_t i = 0; i < e->n_runs; i++) {
        const struct exam_run *r = &e->run[i];
        json_open(w, '{');
        json_field_text(w, "id", r->id);
        json_field_text(w, "set", r->set);
        json_field_text(w, "planted", e->item[r->at].id);
        json_field_text(w, "blind", r->blind);
        json_field_text(w, "verdict", r->verdict);
        json_field_text(w, "top_rival", r->top);
        json_field_text(w, "tied_with", r->tied);
        json_field_bool(w, "right", exam_is_right(e, r));
        json_close(w, '}');
    }
    json_close(w, ']');
}

enum status exam_write(struct json_writer *w, const struct exam *e,
                       struct err *err)
{
    json_open(w, '{');
    json_field_text(w, "schema", "plumb.exam/1");
    json_field_text(w, "plumb_version", PLUMB_VERSION);
    json_put_key(w, "seeds");
    json_open(w, '{');
    for (size_t i = 0; i < EXAM_SETS; i++)
        put_seeds(w, e, exam_sets[i]);
    json_close(w, '}');
    /* What is said of the exam is said of the graded seeds. */
    TRY(put_counts(w, e, "graded", err));
    if (e->early_warning != NULL) {
        json_put_key(w, "early_warning");
        json_put_node(w, e->early_warning);
    } else {
        put_unmeasured(w, "early_warning", "exam_grade warn has not run");
    }
    json_put_key(w, "sets");
    json_open(w, '{');
    for (size_t i = 0; i < EXAM_SETS; i++) {
        if (exam_count(e, exam_sets[i]).n == 0)
            continue;
        json_put_key(w, exam_sets[i]);
        json_open(w, '{');
        TRY(put_counts(w, e, exam_sets[i], err));
        TRY(put_signs(w, e, exam_sets[i], err));
        json_close(w, '}');
    }
    json_close(w, '}');
    put_runs(w, e);
    json_close(w, '}');
    return OK;
}

/* ---- for people --------------------------------------------------------- */

static void print_share(struct buf *out, const char *what,
                        const struct exam_share *s)
{
    struct estimate e = share_of(s);
    if (s->n > 0)
        buf_printf(out, "  %-44s %3zu of %3zu  %5.1f %% [%.1f, %.1f]\n", what,
                   s->k, s->n, 100 * e.estimate, 100 * e.low, 100 * e.high);
}

static void print_matrix(struct buf *out, const struct exam *e, const char *set)
{
    size_t count[EXAM_ANSWERS];
    buf_puts(out, "  planted ");
    for (size_t k = 0; k < EXAM_NONE; k++)
        buf_printf(out, "%4s", exam_answer(k));
    buf_puts(out, " none missing\n");
    for (size_t c = 0; c < e->n_cases; c++) {
        if (exam_matrix_row(count, e, set, c) == 0)
            continue;
        buf_printf(out, "  %-8s", e->item[c].id);
        for (size_t k = 0; k < EXAM_ANSWERS; k++) {
            int width = k < EXAM_NONE ? 4 : k == EXAM_NONE ? 5 : 8;
            if (count[k] > 0)
                buf_printf(out, "%*zu", width, count[k]);
            else
                buf_printf(out, "%*s", width, ".");
        }
        buf_putc(out, '\n');
    }
}

static void print_runs(struct buf *out, const struct exam *e, const char *set)
{
    for (size_t i = 0; i < e->n_runs; i++) {
        const struct exam_run *r = &e->run[i];
        if (strcmp(r->set, set) != 0)
            continue;
        if (!r->is_diagnosed) {
            buf_printf(out, "  ? %-13s not diagnosed\n", r->id);
            continue;
        }
        buf_printf(out, "  %c %-13s %-16s %-4s%s%-4s  accepted: %s\n",
                   exam_is_right(e, r) ? '+' : '-', r->id, r->verdict, r->top,
                   r->tied != NULL ? " tied with " : "",
                   r->tied != NULL ? r->tied : "", e->item[r->at].accepted);
    }
}

static enum status print_signs(struct buf *out, const struct exam *e,
                               const char *set, struct err *err)
{
    struct exam_sign sign[SIGNS];
    size_t n;
    buf_puts(out, "  rows that tell a case from the healthy runs best "
                  "(AUC; medians planted, healthy)\n");
    for (size_t c = 0; c < e->n_cases; c++) {
        TRY(exam_signs(sign, SIGNS, &n, e, set, c, err));
        if (n == 0 || strcmp(e->item[c].counts, "healthy") == 0)
            continue;
        buf_printf(out, "  %-8s", e->item[c].id);
        for (size_t i = 0; i < n; i++)
            buf_printf(out, "%s %s %.2f (%.3g, %.3g)", i > 0 ? ";" : "",
                       sign[i].row, sign[i].auc, sign[i].planted,
                       sign[i].healthy);
        buf_putc(out, '\n');
    }
    return OK;
}

enum status exam_print(struct buf *out, const struct exam *e, struct err *err)
{
    for (size_t i = 0; i < EXAM_SETS; i++) {
        struct exam_counts c = exam_count(e, exam_sets[i]);
        if (c.n == 0)
            continue;
        buf_printf(out, "%s: %zu runs, %zu of them diagnosed\n", exam_sets[i],
                   c.n, c.diagnosed);
        print_runs(out, e, exam_sets[i]);
        print_matrix(out, e, exam_sets[i]);
        print_share(out, "first answer accepted, verdict fits", &c.top1);
        print_share(out, "first-ranked explanation accepted", &c.first);
        print_share(out, "false alarms in healthy runs", &c.alarms);
        print_share(out, "alarms in runs that learned nothing", &c.idle);
        print_share(out, "guards right", &c.guard);
        print_share(out, "length blamed where answers got shorter", &c.blamed);
        print_share(out, "placebo: permutations with a false finding",
                    &c.placebo);
        print_share(out, "placebo: permutations with a false verdict",
                    &c.placebo_verdict);
        TRY(cover_print(out, &e->cover, exam_sets[i], err));
        TRY(print_signs(out, e, exam_sets[i], err));
    }
    return OK;
}
