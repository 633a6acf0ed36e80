#include "report/tables.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/measure.h"

/* Keys from the root to the node, "panel.win_rate". */
struct name {
    char text[160];
};

static struct name child(const struct name *parent, const char *key)
{
    struct name n;
    (void)snprintf(n.text, sizeof n.text, "%.80s%s%.72s", parent->text,
                   parent->text[0] != '\0' ? "." : "", key);
    return n;
}

static void cell(struct html *h, double x)
{
    html_element(h, "td", "n", measure_digits(x).text);
}

static void measure_row(struct html *h, const char *name,
                        const struct json *node)
{
    static const char *const part[] = {"estimate", "low", "high"};
    html_open(h, "tr", NULL);
    html_open(h, "td", NULL);
    html_element(h, "code", NULL, name);
    html_close(h, "td");
    for (size_t i = 0; i < 3; i++)
        cell(h, json_number(json_get(node, part[i]), (double)NAN));
    html_open(h, "td", "class", "n", NULL);
    html_printf(h, "%lld", (long long)json_int(json_get(node, "n"), 0));
    html_close(h, "td");
    html_close(h, "tr");
}

static void number_row(struct html *h, const char *name,
                       const struct json *node)
{
    html_open(h, "tr", NULL);
    html_open(h, "td", NULL);
    html_element(h, "code", NULL, name);
    html_close(h, "td");
    /* Seeds and counts are whole and shown whole. */
    double x = json_number(node, 0);
    if (x == (double)json_int(node, INT64_MIN)) {
        html_open(h, "td", "class", "n", NULL);
        html_printf(h, "%lld", (long long)json_int(node, 0));
        html_close(h, "td");
    } else {
        cell(h, x);
    }
    html_raw(h, "<td></td><td></td><td></td>");
    html_close(h, "tr");
}

static bool is_measure(const struct json *node)
{
    return json_is_object(node) && json_get(node, "estimate") != NULL;
}

/* Items of a list are named by their iteration, else by their place. */
static struct name item_name(const struct name *parent, const struct json *item,
                             size_t i)
{
    char key[40];
    const struct json *iteration = json_get(item, "iteration");
    if (iteration != NULL)
        (void)snprintf(key, sizeof key, "at iteration %lld",
                       (long long)json_int(iteration, 0));
    else
        (void)snprintf(key, sizeof key, "%zu", i);
    return child(parent, key);
}

/*
 * Depth-first over the document.  The parser bounds a document's depth, but
 * by far more than a report has, so this walk stops at a depth of its own.
 */
static void walk(struct html *h, const struct json *node,
                 const struct name *name, int depth)
{
    enum {
        DEPTH_MAX = 8
    };
    if (is_measure(node)) {
        if (json_is_number(json_get(node, "estimate")))
            measure_row(h, name->text, node);
    } else if (json_is_number(node)) {
        number_row(h, name->text, node);
    } else if (json_is_object(node) && depth < DEPTH_MAX) {
        for (const void *it = json_first(node); it != NULL;
             it = json_next(node, it)) {
            struct name n = child(name, json_key(it));
            walk(h, json_value(it), &n, depth + 1);
        }
    } else if (json_is_array(node) && depth < DEPTH_MAX) {
        for (size_t i = 0; i < json_size(node); i++) {
            struct name n = item_name(name, json_at(node, i), i);
            walk(h, json_at(node, i), &n, depth + 1);
        }
    }
}

void tables_numbers(struct html *h, const struct inputs *in)
{
    struct name root = {""};
    html_open(h, "section", NULL);
    html_element(h, "h2", NULL, "Every number");
    html_element(h, "p", "note",
                 "eval/heldout.json in four significant digits; n counts "
                 "prompts (checkpoints for a trend). What nothing measured is "
                 "left out.");
    if (inputs_weak_gold(in) != NULL) {
        html_open(h, "p", "class", "note", NULL);
        html_printf(h, "weak_gold is %s.", inputs_weak_gold(in));
        html_close(h, "p");
    }
    html_open(h, "div", "class", "wide", NULL);
    html_open(h, "table", NULL);
    html_raw(h, "<thead><tr><th>Name</th><th class=\"n\">Estimate</th>"
                "<th class=\"n\">Low</th><th class=\"n\">High</th>"
                "<th class=\"n\">n</th></tr></thead>\n<tbody>");
    walk(h, in->heldout, &root, 0);
    html_raw(h, "</tbody>");
    html_close(h, "table");
    html_close(h, "div");
    html_close(h, "section");
}

/* A model's place, or the program in its place. */
static const char *source_of(const struct inputs *in, const char *const key[3])
{
    const char *program = json_text(json_get(in->heldout, key[2]), NULL);
    return program != NULL ? program
                           : json_text(json_get(in->heldout, key[0]), "?");
}

/* The models' places. */
static void put_models(struct html *h, const struct inputs *in)
{
    static const char *const model[][3] = {
        {"policy", "policy", "policy_command"},
        {"reference", ", reference", ""},
        {"reward_model", ", reward model", "reward_command"}};
    html_open(h, "p", NULL);
    for (size_t i = 0; i < sizeof model / sizeof *model; i++) {
        html_printf(h, "%s ", model[i][1]);
        html_element(h, "code", NULL, source_of(in, model[i]));
    }
    if (inputs_weak_gold(in) != NULL) {
        const struct json *weak = json_get(in->heldout, "weak_gold");
        html_printf(h, ", %s ", inputs_weak_gold(in));
        html_element(h, "code", NULL, json_text(json_get(weak, "model"), "?"));
    }
    html_text(h, ".");
    html_close(h, "p");
}

void tables_sources(struct html *h, const struct inputs *in)
{
    const struct json *panel = json_get(in->heldout, "panel");
    const struct json *reward = json_get(in->heldout, "reward_heldout");
    const struct {
        const char *what, *file, *how;
        bool is_there;
    } rows[] = {
        {"The three observations, every interval", "eval/heldout.json",
         "made by plumb eval from the files below", true},
        {"Replies, scores, lengths, shading", "eval/samples.jsonl",
         "drawn from policy and reference on held-out prompts",
         in->n_sample > 0},
        {"The reward model on held-out pairs", "eval/heldout.json",
         "copied from the reward run's own eval/heldout.json",
         json_is_object(reward)},
        {"Spot-checks", "human/spotcheck.jsonl",
         "blind pairs, judged apart from this program's scores",
         json_is_object(panel)},
        {"Thick curves", "eval/curve.json",
         "the same prompts, one reply each, at every checkpoint",
         in->curve != NULL},
        {"Thin curves", "ppo/metrics.jsonl", "written during training",
         in->metrics.n > 0},
        {"Configuration", "sft, reward, ppo: config.yaml",
         "the options each stage ran with", true},
    };
    html_open(h, "section", NULL);
    html_element(h, "h2", NULL, "Where every number comes from");
    put_models(h, in);
    html_open(h, "div", "class", "wide", NULL);
    html_open(h, "table", NULL);
    html_raw(h, "<tbody>");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!rows[i].is_there)
            continue;
        html_open(h, "tr", NULL);
        html_element(h, "td", NULL, rows[i].what);
        html_open(h, "td", NULL);
        html_element(h, "code", NULL, rows[i].file);
        html_close(h, "td");
        html_element(h, "td", NULL, rows[i].how);
        html_close(h, "tr");
    }
    html_raw(h, "</tbody>");
    html_close(h, "table");
    html_close(h, "div");
    html_close(h, "section");
}

bool tables_parse_line(struct tables_line *out, struct tables_path *path,
                       const char *line, size_t len)
{
    size_t indent = 0;
    while (indent < len && line[indent] == ' ')
        indent++;
    const char *key = line + indent;
    const char *colon = memchr(key, ':', len - indent);
    if (indent == len || key[0] == '#' || colon == NULL)
        return false;
    while (path->depth > 0 && indent <= path->indent[path->depth - 1]) {
        path->depth--;
        path->text[path->end[path->depth]] = '\0';
    }
    const char *value = colon + 1;
    while (value < line + len && *value == ' ')
        value++;
    struct buf name;
    buf_init(&name, sizeof out->path - 1);
    buf_puts(&name, path->text);
    if (path->text[0] != '\0')
        buf_putc(&name, '.');
    buf_append(&name, key, (size_t)(colon - key));
    bool fits = name.code == OK;
    memcpy(out->path, buf_text(&name), name.len + 1);
    buf_free(&name);
    if (!fits)
        return false;
    out->value = value;
    out->len = (size_t)(line + len - value);
    if (out->len > 0)
        return true;
    if (path->depth < sizeof path->end / sizeof *path->end) {
        path->end[path->depth] = strlen(path->text);
        path->indent[path->depth++] = indent;
        memcpy(path->text, out->path, strlen(out->path) + 1);
    }
    return false;
}

static void config_table(struct html *h, const struct buf *text)
{
    struct tables_path path = {.depth = 0};
    struct tables_line line;
    const char *at = buf_text(text);
    const char *end = at + text->len;
    html_open(h, "div", "class", "wide", NULL);
    html_open(h, "table", NULL);
    html_raw(h, "<tbody>");
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop != NULL ? stop : end) - at);
        if (tables_parse_line(&line, &path, at, len)) {
            html_open(h, "tr", NULL);
            html_open(h, "td", NULL);
            html_element(h, "code", NULL, line.path);
            html_close(h, "td");
            html_open(h, "td", "class", "value", NULL);
            html_text_len(h, line.value, line.len);
            html_close(h, "td");
            html_close(h, "tr");
        }
        at += len + 1;
    }
    html_raw(h, "</tbody>");
    html_close(h, "table");
    html_close(h, "div");
}

void tables_config(struct html *h, const struct inputs *in)
{
    static const char *const title[] = {"Demonstrations (sft)",
                                        "Reward model (reward)",
                                        "Policy optimisation (ppo)"};
    html_open(h, "section", "id", "row-set", NULL);
    html_element(h, "h2", NULL, "Configuration");
    html_open(h, "div", "class", "configs", NULL);
    for (size_t i = 3; i-- > 0;) {
        html_open(h, "div", NULL);
        html_element(h, "h3", NULL, title[i]);
        if (in->config[i].len > 0)
            config_table(h, &in->config[i]);
        else
            html_printf(h, "%s/config.yaml is absent.", inputs_stage[i]);
        html_close(h, "div");
    }
    html_close(h, "div");
    html_close(h, "section");
}
