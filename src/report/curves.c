#include "report/curves.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "report/chart.h"
#include "report/measure.h"
#include "report/sections.h"

/* One drawing: a measure of curve.json and the training metric behind it. */
struct curve_figure {
    const char *title, *y_label, *caption;
    const char *key;    // in curve.json
    const char *metric; // in metrics.jsonl
    int color;
};

static const struct curve_figure figures[] = {
    {"Reward model score", "deviations of reference scores",
     "What PPO was paid for.", "score", "objective/scores", 0},
    {"Gold judgement", "points of the rubric",
     "What the replies are worth to the rubric nobody optimised.", "gold",
     "world/gold", 2},
    {"Weak gold", "deviations of reference scores",
     "What the replies are worth to weak gold, a second reward model. It is no "
     "measure of what people want.",
     "weak_gold", "", 2},
    {"Length of replies", "tokens", "Of a reply, its end mark included.", "len",
     "response/length", 3},
    {"Drift from the reference", "exact KL, nats per reply",
     "The penalty is charged for this, at a fixed price unless the "
     "controller is on.",
     "kl_sequence", "kl/sequence", 1},
};

/* Columns of numbers out of curve.json, and of one metric. */
struct columns {
    double *x, *y, *low, *high;
    size_t n;
};

static enum status columns_read(struct columns *c, const struct json *list,
                                const char *key, struct err *err)
{
    size_t n = json_size(list);
    double *all;
    TRY(MEM_NEW(all, 4 * n, err));
    *c = (struct columns){all, all + n, all + 2 * n, all + 3 * n, n};
    for (size_t i = 0; i < n; i++) {
        const struct json *row = json_at(list, i);
        struct estimate e = measure_get(row, key);
        c->x[i] = json_number(json_get(row, "iteration"), (double)NAN);
        c->y[i] = e.estimate;
        c->low[i] = e.low;
        c->high[i] = e.high;
    }
    return OK;
}

/* The metric's column as a series; n is 0 when it was not logged. */
static enum status metric_read(struct columns *c, const struct run_table *t,
                               const char *name, struct err *err)
{
    *c = (struct columns){.n = 0};
    size_t column = t->n > 0 ? run_table_find(t, name) : SIZE_MAX;
    if (column == SIZE_MAX)
        return OK;
    double *all;
    TRY(MEM_NEW(all, 2 * t->n, err));
    *c = (struct columns){.x = all, .y = all + t->n, .n = t->n};
    for (size_t i = 0; i < t->n; i++) {
        c->x[i] = (double)t->step[i];
        c->y[i] = t->value[i * t->columns + column];
    }
    return OK;
}

static bool any_finite(const struct columns *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (isfinite(c->y[i]))
            return true;
    return false;
}

/* One figure; nothing when the measure was never made. */
static enum status draw(struct html *h, const struct inputs *in,
                        const struct curve_figure *f, struct err *err)
{
    enum status status = OK;
    struct columns held = {.n = 0};
    struct columns training = {.n = 0};
    const struct json *list = json_get(in->curve, "checkpoints");
    TRY_DONE(columns_read(&held, list, f->key, err));
    TRY_DONE(metric_read(&training, &in->metrics, f->metric, err));
    const struct chart_series series[] = {
        {.name = "training batches",
         .mark = CHART_THIN,
         .color = f->color,
         .x = training.x,
         .y = training.y,
         .n = training.n},
        {.name = "held-out",
         .mark = CHART_LINE,
         .color = f->color,
         .x = held.x,
         .y = held.y,
         .low = held.low,
         .high = held.high,
         .n = held.n},
    };
    bool has_training = any_finite(&training);
    bool has_heldout = any_finite(&held);
    if (!has_training && !has_heldout)
        goto done;
    const struct chart chart = {
        .title = f->title,
        .x_label = "PPO iteration",
        .y_label = f->y_label,
        .series = has_training ? series : series + 1,
        .n = (size_t)has_training + (size_t)has_heldout,
    };
    html_open(h, "figure", NULL);
    html_element(h, "h3", NULL, f->title);
    chart_plot(h, &chart);
    html_element(h, "figcaption", NULL, f->caption);
    html_close(h, "figure");
done:
    mem_free(held.x);
    mem_free(training.x);
    return status;
}

/* Iteration numbers to stand beside points of x: the last one, and from the
 * front those that keep an eighth of the width from the one before and from
 * the last. */
static enum status point_labels(char (**text)[16], const char ***label,
                                const struct columns *c, const double *x,
                                struct err *err)
{
    TRY(MEM_NEW(*text, c->n, err));
    TRY(MEM_NEW(*label, c->n, err));
    if (c->n == 0)
        return OK;
    double end = x[c->n - 1];
    double room = fabs(end - x[0]) / 8;
    double before = -(double)INFINITY;
    for (size_t i = 0; i < c->n; i++) {
        bool is_last = i + 1 == c->n;
        bool crowds = x[i] - before < room || end - x[i] < room;
        if (!isfinite(c->x[i]) || (crowds && !is_last))
            continue;
        (void)snprintf((*text)[i], sizeof **text, "%.0f", c->x[i]);
        (*label)[i] = (*text)[i];
        before = x[i];
    }
    return OK;
}

static void from_first(struct columns *c)
{
    double first = c->n > 0 ? c->y[0] : 0;
    for (size_t i = 0; i < c->n; i++)
        c->y[i] -= first;
}

/* What stands beside the reward in the drawing of the drift. */
enum drift {
    DRIFT_RUBRIC,
    DRIFT_WEAK_GOLD,
    DRIFT_ALONE,
};

static const struct {
    const char *key, *name, *title, *caption;
} drifts[] = {
    [DRIFT_RUBRIC] = {"gold", "gold",
                      "Reward and gold against the square root of KL",
                      "Reward in deviations of reference scores, gold in "
                      "points of the rubric; small numbers are iterations. "
                      "Where the two part, reward is being earned without "
                      "being deserved."},
    [DRIFT_WEAK_GOLD] = {"weak_gold", "weak gold",
                         "Reward and weak gold against the square root of KL",
                         "Both in deviations of reference scores; small "
                         "numbers are iterations. Weak gold is a second "
                         "reward model: where the two part, reward is being "
                         "earned that the other model does not confirm."},
    [DRIFT_ALONE] = {"", "", "Reward against the square root of KL",
                     "Reward in deviations of reference scores; small numbers "
                     "are iterations. Nothing judged the replies apart from "
                     "the reward model."},
};

/* The first of the rubric and the weak gold that has numbers. */
static enum status read_gold(enum drift *kind, struct columns *gold,
                             const struct json *list, struct err *err)
{
    for (*kind = DRIFT_RUBRIC; *kind < DRIFT_ALONE; ++*kind) {
        TRY(columns_read(gold, list, drifts[*kind].key, err));
        if (any_finite(gold))
            return OK;
        mem_free(gold->x);
        *gold = (struct columns){.n = 0};
    }
    return OK;
}

static void plot_drift(struct html *h, enum drift kind,
                       const struct columns *score, const struct columns *gold,
                       const struct columns *kl, const char *const *label)
{
    const struct chart_series series[] = {
        {.name = "reward model",
         .color = 0,
         .x = kl->y,
         .y = score->y,
         .label = label,
         .n = kl->n},
        {.name = drifts[kind].name,
         .color = 2,
         .x = kl->y,
         .y = gold->y,
         .n = gold->n},
    };
    const struct chart chart = {
        .title = drifts[kind].title,
        .x_label = "square root of KL per reply (nats)",
        .y_label = "change since the first checkpoint",
        .series = series,
        .n = kind == DRIFT_ALONE ? 1 : 2,
        .zero = true,
    };
    html_open(h, "figure", NULL);
    html_element(h, "h3", NULL, "What the drift bought");
    chart_plot(h, &chart);
    html_element(h, "figcaption", NULL, drifts[kind].caption);
    html_close(h, "figure");
}

/* Gao, Schulman and Hilton's axes: what was optimised and what was meant,
 * against the square root of the distance travelled. */
enum status curves_drift(struct html *h, const struct inputs *in,
                         struct err *err)
{
    enum status status = OK;
    struct columns score = {.n = 0};
    struct columns gold = {.n = 0};
    struct columns kl = {.n = 0};
    enum drift kind;
    char(*text)[16] = NULL;
    const char **label = NULL;
    const struct json *list = json_get(in->curve, "checkpoints");
    TRY_DONE(columns_read(&score, list, "score", err));
    TRY_DONE(columns_read(&kl, list, "kl_sequence", err));
    if (!any_finite(&score) || !any_finite(&kl))
        goto done;
    TRY_DONE(read_gold(&kind, &gold, list, err));
    from_first(&score);
    from_first(&gold);
    for (size_t i = 0; i < kl.n; i++)
        kl.y[i] = sqrt(fmax(kl.y[i], 0));
    TRY_DONE(point_labels(&text, &label, &kl, kl.y, err));
    plot_drift(h, kind, &score, &gold, &kl, label);
done:
    mem_free(score.x);
    mem_free(gold.x);
    mem_free(kl.x);
    mem_free(text);
    mem_free(label);
    return status;
}

enum status curves_write(struct html *h, const struct inputs *in,
                         bool has_drift, struct err *err)
{
    html_open(h, "section", NULL);
    html_element(h, "h2", NULL, "How it came about");
    if (in->curve == NULL)
        html_element(h, "p", "note",
                     "The checkpoints were not evaluated: there is no "
                     "eval/curve.json. Thin lines, where there are any: every "
                     "training batch.");
    else
        html_element(h, "p", "note",
                     "Thick lines: held-out prompts at each checkpoint, with "
                     "95 % bands. Thin lines: every training batch.");
    html_open(h, "div", "class", "figures", NULL);
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        TRY(draw(h, in, &figures[i], err));
    if (!has_drift) {
        TRY(curves_drift(h, in, err));
        TRY(sections_lengths(h, in, err));
    }
    html_close(h, "div");
    html_close(h, "section");
    return OK;
}
