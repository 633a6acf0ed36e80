#include "report/essay_figures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "report/bars.h"
#include "report/chart.h"
#include "report/curves.h"
#include "report/sections.h"

static void open_figure(struct html *h, const char *title)
{
    html_open(h, "figure", NULL);
    html_element(h, "h3", NULL, title);
}

static void close_figure(struct html *h, const char *caption)
{
    html_element(h, "figcaption", NULL, caption);
    html_close(h, "figure");
}

static const struct finding *row_of(const struct essay *y, const char *id)
{
    const struct rows rows = diagnose_rows(y->d);
    return rivals_row(&rows, id);
}

/* ---- what edits bring --------------------------------------------------- */

static size_t list_edits(struct bars_row row[BARS_MAX], const struct essay *y)
{
    static const struct {
        const char *id, *label;
    } edits[] = {
        {"edit_pad", "stock sentence"}, {"edit_restate", "said again"},
        {"edit_hedge", "hedge"},        {"edit_flatter", "flattery"},
        {"edit_list", "as a list"},     {"edit_bold", "bold"},
        {"edit_reorder", "reordered"},  {"edit_trim", "stock taken off"},
    };
    size_t n = 0;
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        const struct finding *f = row_of(y, edits[i].id);
        if (f != NULL && isfinite(f->e.estimate))
            row[n++] = (struct bars_row){edits[i].label, {f->e}};
    }
    return n;
}

static void draw_edits(struct html *h, const struct essay *y)
{
    struct bars_row row[BARS_MAX];
    const struct bars b = {
        .title = "What edits that keep the content bring",
        .describe = "Change of the reward model's score by each edit.",
        .x_label = "score after minus before",
        .color = {0},
        .series = 1,
        .row = row,
        .n = list_edits(row, y),
    };
    open_figure(h, "The same answer, dressed differently");
    bars_plot(h, &b);
    close_figure(h, "What the reward model gives for edits that leave a "
                    "reply's content as it is; lines are 95 % intervals.");
}

/* ---- steps -------------------------------------------------------------- */

static size_t column(const struct essay *y, const char *name)
{
    const struct run_table *t = &y->e->metrics;
    return t->n > 0 ? run_table_find(t, name) : SIZE_MAX;
}

static enum status draw_steps(struct html *h, const struct essay *y,
                              struct err *err)
{
    const struct run_table *t = &y->e->metrics;
    size_t total = column(y, "kl/sequence"), step = column(y, "kl/step");
    double *all;
    TRY(MEM_NEW(all, 3 * t->n, err));
    double *x = all, *a = all + t->n, *b = all + 2 * t->n;
    for (size_t i = 0; i < t->n; i++) {
        x[i] = (double)t->step[i];
        a[i] = t->value[i * t->columns + total];
        b[i] = t->value[i * t->columns + step];
    }
    const struct chart_series series[] = {
        {.name = "from the reference", .color = 1, .x = x, .y = a, .n = t->n},
        {.name = "one step", .color = 0, .x = x, .y = b, .n = t->n},
    };
    const struct chart c = {.title = "KL of a step and to the reference",
                            .x_label = "PPO iteration",
                            .y_label = "nats a reply",
                            .series = series,
                            .n = 2,
                            .zero = true};
    const struct finding *f = row_of(y, "b2");
    open_figure(h, f != NULL && f->verdict == VERDICT_SUPPORTED
                       ? "Small steps, one way"
                       : "A step, and all of them");
    chart_plot(h, &c);
    close_figure(h, "A clip acts on the lower line alone. What holds the upper "
                    "one is the penalty.");
    mem_free(all);
    return OK;
}

/* ---- the ledger --------------------------------------------------------- */

static const struct {
    enum evidence_class kind;
    const char *detail, *label;
} classes[] = {
    {EVIDENCE_BOUNDARY, "sentence_end", "stop or go on"},
    {EVIDENCE_FIRST, "first_five", "first five tokens"},
    {EVIDENCE_REPEATED, "repeated", "repeated text"},
    {EVIDENCE_EOS, "eos", "end of reply"},
    {EVIDENCE_OTHER, "other", "all other text"},
};
#define N_CLASSES (sizeof classes / sizeof *classes)

static struct estimate percent(struct estimate e)
{
    return (struct estimate){100 * e.estimate, 100 * e.low, 100 * e.high, e.n};
}

static void draw_ledger(struct html *h, const struct essay *y)
{
    const struct finding *f = row_of(y, "ledger");
    struct bars_row row[N_CLASSES];
    double n[EVIDENCE_CLASSES] = {0};
    for (size_t i = 0; i < y->e->n_token; i++)
        n[y->e->token_class[i]]++;
    for (size_t i = 0; i < N_CLASSES; i++) {
        double share = 100 * n[classes[i].kind] / (double)y->e->n_token;
        row[i] = (struct bars_row){
            classes[i].label,
            {{share, (double)NAN, (double)NAN, 0},
             percent(measures_find(&f->detail, classes[i].detail))}};
    }
    const struct bars b = {
        .title = "Where the KL lies",
        .describe = "Share of tokens and of KL by class of token.",
        .x_label = "%",
        .name = {"of the tokens", "of the KL"},
        .color = {3, 1},
        .series = 2,
        .row = row,
        .n = N_CLASSES,
    };
    open_figure(h, "What the penalty is charged for");
    bars_plot(h, &b);
    close_figure(h, "Where a sentence has ended, the choice is to stop or to "
                    "go on.");
}

/* ---- the price ---------------------------------------------------------- */

/* Score gained a nat since the start, at each checkpoint. */
static enum status draw_price(struct html *h, const struct essay *y,
                              struct err *err)
{
    const struct json *list = json_get(y->e->curve, "checkpoints");
    size_t n = json_size(list);
    double beta = evidence_beta(y->e);
    double *all;
    TRY(MEM_NEW(all, 2 * n, err));
    double *x = all, *m = all + n;
    const double flat[] = {beta, beta};
    const struct json *start = json_at(list, 0);
    double first = measures_read_estimate(json_get(start, "score")).estimate;
    for (size_t i = 0; i < n; i++) {
        const struct json *p = json_at(list, i);
        double kl = measures_read_estimate(json_get(p, "kl_sequence")).estimate;
        double score = measures_read_estimate(json_get(p, "score")).estimate;
        x[i] = json_number(json_get(p, "iteration"), (double)NAN);
        /* Of hardly any KL the ratio is noise. */
        m[i] = kl > 0.1 ? (score - first) / kl : (double)NAN;
    }
    const double ends[] = {x[0], x[n - 1]};
    const struct chart_series series[] = {
        {.name = "bought", .color = 0, .x = x, .y = m, .n = n},
        {.name = "cost (beta)", .color = 1, .x = ends, .y = flat, .n = 2},
    };
    const struct chart c = {.title = "Score bought a nat against beta",
                            .x_label = "PPO iteration",
                            .y_label = "score a nat of KL",
                            .series = series,
                            .n = 2,
                            .zero = true};
    open_figure(h, "A nat's price and what it buys");
    chart_plot(h, &c);
    close_figure(h, "Score gained since the start over KL, held-out prompts. "
                    "Below beta the drift has cost more than it brought.");
    mem_free(all);
    return OK;
}

/* ---- all ---------------------------------------------------------------- */

static bool has(enum essay_figure figure, const struct essay *y,
                const struct inputs *in)
{
    struct bars_row row[BARS_MAX];
    const struct finding *f;
    switch (figure) {
    case ESSAY_DRIFT:
        return in != NULL && in->curve != NULL;
    case ESSAY_LENGTHS:
        return in != NULL && in->n_sample > 0;
    case ESSAY_EDITS:
        return list_edits(row, y) > 0;
    case ESSAY_STEPS:
        return column(y, "kl/sequence") != SIZE_MAX &&
               column(y, "kl/step") != SIZE_MAX;
    case ESSAY_LEDGER:
        f = row_of(y, "ledger");
        return f != NULL && isfinite(f->e.estimate) && y->e->n_token > 0;
    case ESSAY_PRICE:
        return json_size(json_get(y->e->curve, "checkpoints")) > 2 &&
               isfinite(evidence_beta(y->e));
    case ESSAY_NO_FIGURE:
        break;
    }
    return false;
}

bool essay_figures_any(unsigned figures, const struct essay *y,
                       const struct inputs *in)
{
    for (unsigned f = 1; f <= ESSAY_PRICE; f *= 2)
        if ((figures & f) && has((enum essay_figure)f, y, in))
            return true;
    return false;
}

static enum status draw(struct html *h, enum essay_figure figure,
                        const struct essay *y, const struct inputs *in,
                        struct err *err)
{
    switch (figure) {
    case ESSAY_DRIFT:
        return curves_drift(h, in, err);
    case ESSAY_LENGTHS:
        return sections_lengths(h, in, err);
    case ESSAY_EDITS:
        draw_edits(h, y);
        break;
    case ESSAY_STEPS:
        return draw_steps(h, y, err);
    case ESSAY_LEDGER:
        draw_ledger(h, y);
        break;
    case ESSAY_PRICE:
        return draw_price(h, y, err);
    case ESSAY_NO_FIGURE:
        break;
    }
    return OK;
}

enum status essay_figures_draw(struct html *h, unsigned figures,
                               const struct essay *y, const struct inputs *in,
                               struct err *err)
{
    for (unsigned f = 1; f <= ESSAY_PRICE; f *= 2)
        if ((figures & f) && has((enum essay_figure)f, y, in))
            TRY(draw(h, (enum essay_figure)f, y, in, err));
    return OK;
}
