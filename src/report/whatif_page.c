#include "report/whatif_page.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "report/chart.h"
#include "report/measure.h"
#include "report/style.h"

#define PAGE_MAX ((size_t)16 << 20)

/* How the page tells a measure. */
static const struct column {
    const char *key, *title;
    enum measure_kind kind;
} columns[] = {
    {"rm", "Reward (sd)", MEASURE_SIGNED},
    {"gold", "Gold", MEASURE_SIGNED},
    {"weak_gold", "Weak gold (sd)", MEASURE_SIGNED},
    {"human_win_rate", "Preferred", MEASURE_POINTS},
    {"length", "Length", MEASURE_TIMES},
    {"kl", "KL (nats)", MEASURE_SIGNED},
};
static const size_t n_columns = sizeof columns / sizeof *columns;

static const struct json *pooled(const struct json *change, const char *key)
{
    return json_get(json_get(change, "over_seeds"), key);
}

static double number(const struct json *node, const char *key)
{
    return json_number(json_get(node, key), (double)NAN);
}

static bool is_measured(const struct json *changes, const char *key)
{
    for (size_t i = 0; i < json_size(changes); i++)
        if (isfinite(number(pooled(json_at(changes, i), key), "mean")))
            return true;
    return false;
}

/* ---- the table ----------------------------------------------------------- */

static void put_effect(struct html *h, const struct json *change,
                       const struct column *c)
{
    const struct json *p = pooled(change, c->key);
    const struct estimate e = {.estimate = number(p, "mean"),
                               .low = number(p, "low"),
                               .high = number(p, "high")};
    html_open(h, "td", NULL);
    html_element(h, "b", NULL, measure_format(e.estimate, c->kind).text);
    if (isfinite(e.low) && isfinite(e.high))
        html_printf(h, " [%s]", measure_interval(&e, c->kind).text);
    const char *claim = json_text(json_get(p, "claim"), NULL);
    if (claim != NULL)
        html_printf(h, " %s", claim);
    html_close(h, "td");
}

static void put_table(struct html *h, const struct json *changes)
{
    html_open(h, "div", "class", "wide", NULL);
    html_open(h, "table", NULL);
    html_open(h, "tr", NULL);
    html_element(h, "th", NULL, "Change");
    html_element(h, "th", NULL, "Seeds");
    for (size_t k = 0; k < n_columns; k++)
        if (is_measured(changes, columns[k].key))
            html_element(h, "th", NULL, columns[k].title);
    html_close(h, "tr");
    for (size_t i = 0; i < json_size(changes); i++) {
        const struct json *change = json_at(changes, i);
        html_open(h, "tr", NULL);
        html_open(h, "th", NULL);
        html_text(h, json_text(json_get(change, "name"), "?"));
        html_close(h, "th");
        html_open(h, "td", NULL);
        html_printf(h, "%lld",
                    (long long)json_int(
                        json_get(pooled(change, "length"), "seeds"), 0));
        html_close(h, "td");
        for (size_t k = 0; k < n_columns; k++)
            if (is_measured(changes, columns[k].key))
                put_effect(h, change, &columns[k]);
        html_close(h, "tr");
    }
    html_close(h, "table");
    html_close(h, "div");
}

/* ---- the plots ----------------------------------------------------------- */

/* The points of the base arms, or of all others. */
struct points {
    double *x, *y;
    const char **label;
    size_t n;
};

static enum status make_room(struct points *p, size_t n, struct err *err)
{
    TRY(MEM_NEW(p->x, n, err));
    TRY(MEM_NEW(p->y, n, err));
    return MEM_NEW(p->label, n, err);
}

static void free_points(struct points *p)
{
    mem_free(p->x);
    mem_free(p->y);
    mem_free(p->label);
}

static void add_point(struct points *p, const struct json *point, const char *x,
                      const char *y)
{
    p->x[p->n] = number(json_get(point, x), "estimate");
    p->y[p->n] = number(json_get(point, y), "estimate");
    p->label[p->n++] = json_text(json_get(point, "name"), "?");
}

static enum status plot(struct html *h, const struct json *points,
                        const struct chart *titles, const char *x,
                        const char *y, struct err *err)
{
    enum status status = OK;
    struct chart chart = *titles;
    struct points base = {NULL, NULL, NULL, 0};
    struct points changed = {NULL, NULL, NULL, 0};
    size_t n = json_size(points);
    TRY_DONE(make_room(&base, n, err));
    TRY_DONE(make_room(&changed, n, err));
    for (size_t i = 0; i < n; i++) {
        const struct json *point = json_at(points, i);
        const char *name = json_text(json_get(point, "name"), "");
        add_point(strcmp(name, "base") == 0 ? &base : &changed, point, x, y);
    }
    const struct chart_series series[] = {
        {.name = "unchanged",
         .mark = CHART_DOTS,
         .color = 0,
         .x = base.x,
         .y = base.y,
         .n = base.n},
        {.name = "changed",
         .mark = CHART_DOTS,
         .color = 1,
         .x = changed.x,
         .y = changed.y,
         .label = changed.label,
         .n = changed.n},
    };
    chart.series = series;
    chart.n = 2;
    chart_plot(h, &chart);
done:
    free_points(&base);
    free_points(&changed);
    return status;
}

/* Whose judgement the plots show: the first that was asked. */
static const struct column *find_judge(const struct json *changes)
{
    static const struct column judges[] = {
        {"gold", "gold", MEASURE_PLAIN},
        {"weak_gold", "weak gold (sd)", MEASURE_PLAIN},
        {"human_win_rate", "share preferred to the reference", MEASURE_PERCENT},
    };
    for (size_t i = 0; i < sizeof judges / sizeof *judges; i++)
        if (is_measured(changes, judges[i].key))
            return &judges[i];
    return NULL;
}

static enum status put_plots(struct html *h, const struct json *result,
                             struct err *err)
{
    const struct json *points = json_get(result, "points");
    const struct column *judge = find_judge(json_get(result, "changes"));
    if (judge == NULL) {
        html_element(h, "p", NULL,
                     "Nobody judged these replies, so there is nothing to "
                     "plot the reward against.");
        return OK;
    }
    const struct chart kl = {.title = "KL bought, worth received",
                             .describe = "one dot an arm: KL to the reference "
                                         "against the judgement",
                             .x_label =
                                 "exact KL to the reference, nats per reply",
                             .y_label = judge->title};
    const struct chart rm = {.title = "Reward against worth",
                             .describe =
                                 "one dot an arm: the base reward model's "
                                 "score against the judgement",
                             .x_label = "base reward model's score (sd)",
                             .y_label = judge->title};
    TRY(plot(h, points, &kl, "kl", judge->key, err));
    return plot(h, points, &rm, "rm", judge->key, err);
}

/* ---- the page ------------------------------------------------------------ */

static void head(struct html *h)
{
    html_raw(h, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>"
                "<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" "
                "content=\"width=device-width,initial-scale=1\">\n"
                "<title>Plumb what-if</title>\n<style>\n");
    style_write(h);
    html_raw(h, "</style></head>\n<body><main>\n");
}

static void lede(struct html *h, const struct json *result)
{
    const struct json *e = json_get(result, "evaluation");
    html_element(h, "h1", NULL, "What each change did");
    html_open(h, "p", "class", "lede", NULL);
    html_printf(h,
                "%lld held-out prompts, %lld replies each, paired by prompt "
                "and sample with the unchanged run. Effects are changed minus "
                "unchanged, length is changed over unchanged. \u201cCaused "
                "by\u201d takes three seeds and an interval over them that "
                "excludes no change; with fewer an effect is only consistent "
                "with the change.",
                (long long)json_int(json_get(e, "prompts"), 0),
                (long long)json_int(json_get(e, "samples"), 0));
    html_close(h, "p");
    const char *weak = json_text(json_get(result, "weak_gold"), NULL);
    if (weak != NULL)
        html_element(h, "p", NULL, weak);
}

enum status whatif_page(struct buf *out, const struct json *result,
                        struct err *err)
{
    struct html h;
    const char *schema = json_text(json_get(result, "schema"), "");
    if (strcmp(schema, "plumb.whatif/1") != 0)
        return err_set(err, ERR_FORMAT, "schema is '%.40s', not plumb.whatif/1",
                       schema);
    html_init(&h, out);
    head(&h);
    lede(&h, result);
    put_table(&h, json_get(result, "changes"));
    TRY(put_plots(&h, result, err));
    html_open(&h, "footer", NULL);
    html_printf(&h, "Written by plumb %s from whatif/result.json.",
                json_text(json_get(result, "plumb_version"), "?"));
    html_close(&h, "footer");
    html_raw(&h, "</main></body></html>\n");
    assert(h.depth == 0);
    return buf_status(out, err);
}

enum status whatif_page_write(const char *project_dir, struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX];
    struct json *result = NULL;
    struct buf out;
    buf_init(&out, PAGE_MAX);
    TRY_DONE(file_join(path, project_dir, "whatif/result.json", err));
    TRY_DONE(file_need(path, err));
    TRY_DONE(json_read(&result, path, PAGE_MAX, err));
    TRY_DONE(whatif_page(&out, result, err));
    TRY_DONE(file_join(path, project_dir, "whatif/report.html", err));
    status = file_write(path, out.data, out.len, err);
done:
    json_free(result);
    buf_free(&out);
    return status;
}
