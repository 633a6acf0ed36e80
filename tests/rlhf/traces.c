#include "traces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "io/trace.h"

static struct err err;

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

void traces_read(struct traces *out, const struct desk *d, const char *name,
                 int step)
{
    char path[64];
    struct buf text;
    buf_init(&text, 1 << 24);
    assert_true(snprintf(path, sizeof path, "%s/rollouts/%06d.jsonl.zst", name,
                         step) > 0);
    must(trace_read_file(&text, desk_path(d, path), &err));
    const char *at = buf_text(&text);
    out->n = 0;
    while (*at != '\0') {
        size_t len = strcspn(at, "\n");
        assert_true(out->n < sizeof out->row / sizeof *out->row);
        must(json_parse(&out->row[out->n++], at, len, path, &err));
        at += len + (at[len] == '\n');
    }
    assert_true(out->n > 0);
    buf_free(&text);
}

void traces_free(struct traces *t)
{
    for (size_t i = 0; i < t->n; i++)
        json_free(t->row[i]);
    t->n = 0;
}

double traces_number(const struct traces *t, size_t i, const char *key)
{
    const struct json *node = json_get(t->row[i], key);
    assert_true(json_is_number(node));
    return json_number(node, 0);
}

double traces_at(const struct traces *t, size_t i, const char *key, size_t k)
{
    const struct json *node = json_at(json_get(t->row[i], key), k);
    assert_true(json_is_number(node));
    return json_number(node, 0);
}

size_t traces_len(const struct traces *t, size_t i)
{
    return json_size(json_get(t->row[i], "tokens"));
}

bool traces_is_eos(const struct traces *t, size_t i)
{
    return strcmp(json_text(json_get(t->row[i], "finish"), ""), "eos") == 0;
}

double traces_metric(const struct desk *d, const char *name, const char *metric,
                     size_t i)
{
    struct run_table t;
    char path[64];
    assert_true(snprintf(path, sizeof path, "%s/metrics.jsonl", name) > 0);
    must(run_table_read(&t, desk_path(d, path), &err));
    size_t column = run_table_find(&t, metric);
    if (column == SIZE_MAX)
        fail_msg("no metric %s", metric);
    assert_true(i < t.n);
    double x = t.value[i * t.columns + column];
    run_table_free(&t);
    return x;
}
