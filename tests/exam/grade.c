#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "exam/grade_internal.h"

const char *const exam_sets[EXAM_SETS] = {"calibration", "graded", "second",
                                          "quick"};

const char *exam_answer(size_t answer)
{
    static const char *const names[EXAM_ANSWERS] = {
        "R0", "R1",  "R2",  "R3",  "R4",  "R5",  "R6",  "R7",   "R8",
        "R9", "R10", "R11", "R12", "R13", "R14", "R15", "none", "missing"};
    return names[answer];
}

/* Is a word in a list with blanks between? */
static bool has_word(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = strstr(list, word); at != NULL;
         at = strstr(at + 1, word))
        if ((at == list || at[-1] == ' ') &&
            (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

bool exam_is_first(const struct exam *e, const struct exam_run *r)
{
    const struct exam_case *c = &e->item[r->at];
    return r->is_diagnosed &&
           (has_word(c->accepted, r->top) ||
            (r->answer == EXAM_NONE && has_word(c->accepted, "none")));
}

bool exam_is_right(const struct exam *e, const struct exam_run *r)
{
    return exam_is_first(e, r) && has_word(e->item[r->at].verdicts, r->verdict);
}

bool exam_is_alarm(const struct exam_run *r)
{
    return r->is_diagnosed && strcmp(r->verdict, "healthy") != 0 &&
           strcmp(r->verdict, "inconclusive") != 0;
}

bool exam_blames_length(const struct exam_run *r)
{
    return r->answer == 1 || r->answer == 2 || r->answer == 10;
}

struct estimate exam_wilson(size_t k, size_t n)
{
    const double z = 1.959963984540054;
    struct estimate e = summary_nothing();
    if (n == 0)
        return e;
    double m = (double)n, p = (double)k / m, zz = z * z / m;
    double middle = (p + zz / 2) / (1 + zz);
    double half = z * sqrt(p * (1 - p) / m + zz / (4 * m)) / (1 + zz);
    return (struct estimate){p, fmax(0, middle - half), fmin(1, middle + half),
                             n};
}

double exam_auc(const double *a, size_t n_a, const double *b, size_t n_b)
{
    double wins = 0, pairs = 0;
    for (size_t i = 0; i < n_a; i++)
        for (size_t k = 0; k < n_b; k++)
            if (isfinite(a[i]) && isfinite(b[k])) {
                pairs++;
                wins += a[i] > b[k] ? 1 : a[i] == b[k] ? 0.5 : 0;
            }
    return pairs > 0 ? wins / pairs : (double)NAN;
}

/* ---- counts ------------------------------------------------------------- */

static void tally(struct exam_share *s, bool is_hit)
{
    s->k += is_hit;
    s->n++;
}

static void count_placebo(struct exam_counts *c, const struct json *root)
{
    size_t n = (size_t)json_int(json_get(root, "permutations"), 0);
    c->placebo.n += n;
    c->placebo.k += (size_t)json_int(json_get(root, "false_findings"), 0);
    c->placebo_verdict.n += n;
    c->placebo_verdict.k +=
        (size_t)json_int(json_get(root, "false_verdicts"), 0);
}

struct exam_counts exam_count(const struct exam *e, const char *set)
{
    struct exam_counts c = {.n = 0};
    for (size_t i = 0; i < e->n_runs; i++) {
        const struct exam_run *r = &e->run[i];
        const char *counts = e->item[r->at].counts;
        if (strcmp(r->set, set) != 0)
            continue;
        c.n++;
        c.diagnosed += r->is_diagnosed;
        tally(&c.right_verdict, exam_is_right(e, r));
        if (strcmp(counts, "top1") == 0) {
            tally(&c.top1, exam_is_right(e, r));
            tally(&c.first, exam_is_first(e, r));
        } else if (strcmp(counts, "guard") == 0) {
            tally(&c.guard, exam_is_right(e, r));
            tally(&c.blamed, exam_blames_length(r));
        } else if (r->is_diagnosed) {
            bool is_idle = strcmp(counts, "placebo") == 0;
            tally(is_idle ? &c.idle : &c.alarms, exam_is_alarm(r));
        }
    }
    for (size_t i = 0; i < e->n_placebo; i++)
        if (strcmp(e->placebo_set[i], set) == 0)
            count_placebo(&c, e->placebo[i]);
    return c;
}

size_t exam_matrix_row(size_t count[EXAM_ANSWERS], const struct exam *e,
                       const char *set, size_t at)
{
    size_t n = 0;
    for (size_t k = 0; k < EXAM_ANSWERS; k++)
        count[k] = 0;
    for (size_t i = 0; i < e->n_runs; i++)
        if (e->run[i].at == at && strcmp(e->run[i].set, set) == 0) {
            count[e->run[i].answer]++;
            n++;
        }
    return n;
}

/* ---- which rows tell ---------------------------------------------------- */

static bool is_healthy(const struct exam *e, size_t at)
{
    return strcmp(e->item[at].counts, "healthy") == 0;
}

/* Estimates of a row in the runs of a case of a set, finite ones. */
static size_t gather(double *out, const struct exam *e, const char *set,
                     size_t at, bool wants_healthy, size_t row)
{
    size_t n = 0;
    for (size_t i = 0; i < e->n_runs; i++) {
        const struct exam_run *r = &e->run[i];
        bool is_wanted = wants_healthy ? is_healthy(e, r->at) : r->at == at;
        if (strcmp(r->set, set) == 0 && is_wanted && row < r->n_estimate &&
            isfinite(r->estimate[row]))
            out[n++] = r->estimate[row];
    }
    return n;
}

static int by_distance(const void *a, const void *b)
{
    const struct exam_sign *x = a;
    const struct exam_sign *y = b;
    double d = fabs(y->auc - 0.5) - fabs(x->auc - 0.5);
    return d > 0 ? 1 : d < 0 ? -1 : strcmp(x->row, y->row);
}

enum status exam_signs(struct exam_sign *out, size_t room, size_t *n,
                       const struct exam *e, const char *set, size_t at,
                       struct err *err)
{
    enum status status = OK;
    double *a = NULL, *b = NULL;
    struct exam_sign *all = NULL;
    size_t found = 0;
    TRY_DONE(MEM_NEW(a, e->n_runs, err));
    TRY_DONE(MEM_NEW(b, e->n_runs, err));
    TRY_DONE(MEM_NEW(all, e->row.n, err));
    for (size_t row = 0; row < e->row.n; row++) {
        struct exam_sign s = {.row = e->row.text[row]};
        s.n_planted = gather(a, e, set, at, false, row);
        s.n_healthy = gather(b, e, set, at, true, row);
        s.auc = exam_auc(a, s.n_planted, b, s.n_healthy);
        s.planted = summary_median(a, s.n_planted);
        s.healthy = summary_median(b, s.n_healthy);
        if (isfinite(s.auc))
            all[found++] = s;
    }
    if (found > 0)
        qsort(all, found, sizeof *all, by_distance);
    *n = found < room ? found : room;
    if (*n > 0)
        memcpy(out, all, *n * sizeof *all);
done:
    mem_free(a);
    mem_free(b);
    mem_free(all);
    return status;
}
