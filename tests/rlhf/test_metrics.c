/* docs/metrics.md and what the stages write are the same list of names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/file.h"
#include "desk.h"

static struct err err;

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

/* The text from the heading "## stage" to the next of its level. */
static void read_section(struct buf *out, const char *stage)
{
    struct buf all;
    char heading[32];
    assert_true(snprintf(heading, sizeof heading, "\n## %s\n", stage) > 0);
    buf_init(&all, 1 << 20);
    must(file_read(&all, TEST_DATA "/../../docs/metrics.md", &err));
    const char *from = strstr(buf_text(&all), heading);
    assert_non_null(from);
    from += strlen(heading);
    const char *to = strstr(from, "\n## ");
    buf_append(out, from, to != NULL ? (size_t)(to - from) : strlen(from));
    must(buf_status(out, &err));
    buf_free(&all);
}

/* Is `name` in the first cell of a row? */
static bool is_documented(const char *section, const char *name)
{
    char quoted[64];
    assert_true(snprintf(quoted, sizeof quoted, "`%s`", name) > 0);
    for (const char *row = section; (row = strstr(row, "\n| `")); row++) {
        const char *at = strstr(row, quoted);
        if (at != NULL && at < strchr(row + 3, '|'))
            return true;
    }
    return false;
}

/* Every quoted name in first cells is a column; returns how many there are. */
static size_t check_columns(const char *section, const struct run_table *t)
{
    size_t n = 0;
    for (const char *row = section; (row = strstr(row, "\n| `")); row++) {
        const char *end = strchr(row + 3, '|');
        for (const char *at = row; (at = strchr(at, '`')) && at < end;) {
            char name[64] = "";
            size_t len = strcspn(at + 1, "`");
            assert_true(len < sizeof name);
            memcpy(name, at + 1, len);
            if (run_table_find(t, name) == SIZE_MAX)
                fail_msg("no stage writes '%s'", name);
            at += len + 2;
            n++;
        }
    }
    return n;
}

static void check_stage(const struct desk *d, const char *stage)
{
    struct buf section;
    struct run_table t;
    char path[32];
    assert_true(snprintf(path, sizeof path, "%s/metrics.jsonl", stage) > 0);
    buf_init(&section, 1 << 20);
    read_section(&section, stage);
    must(run_table_read(&t, desk_path(d, path), &err));
    for (size_t i = 0; i < t.columns; i++)
        if (!is_documented(buf_text(&section), t.name[i]))
            fail_msg("docs/metrics.md: '%s' of %s is missing", t.name[i],
                     stage);
    assert_int_equal(check_columns(buf_text(&section), &t), t.columns);
    run_table_free(&t);
    buf_free(&section);
}

static enum status annotate(void *ctx, const struct record *prompt,
                            const char *response, bool is_eos,
                            struct buf *extra, double *gold, struct err *e)
{
    (void)ctx;
    (void)prompt;
    (void)response;
    (void)extra;
    (void)e;
    *gold = is_eos;
    return OK;
}

static void test_every_name_is_documented(void **state)
{
    static const struct ppo_annotator annotator = {.annotate = annotate};
    struct desk d;
    (void)state;
    desk_open(&d, 2);
    desk_prepare(&d);
    struct ppo_config c = desk_ppo(&d);
    c.iterations = 1;
    /* With these on, what only some runs log is there too. */
    c.score_norm = SCORE_NORM_RUNNING;
    c.max_new_start = c.max_new;
    c.score_shape = SHAPE_SIGMOID;
    c.more_reward_models[0] = c.reward_model;
    struct stage stage = desk_stage(&d, "ppo", RUN_NEW);
    must(ppo_run(&c, &stage, &annotator, &err));
    check_stage(&d, "sft");
    check_stage(&d, "reward");
    check_stage(&d, "ppo");
    desk_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_name_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
