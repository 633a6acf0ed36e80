/*
 * test_import_gather.c - rows of one step from several files, steps done over,
 * imports that were stopped, and files that cannot be what they are said to be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "import/imported.h"

static void put(const char *name, const char *text)
{
    imported_write(name, text, strlen(text));
}

/* A path that outlives the next. */
static const char *path_of(const char *name, char out[FILE_PATH_MAX])
{
    (void)snprintf(out, FILE_PATH_MAX, "%s", imported_at(name));
    return out;
}

static double score(const struct imported *m, size_t i)
{
    assert_true(i < m->n);
    return m->row[i].view.row.score;
}

static void test_two_files(void **state)
{
    char dir[FILE_PATH_MAX];
    (void)state;
    /* The second has one row of the first again, word for word. */
    put("two/a.jsonl",
        "{\"step\":1,\"prompt\":\"p\",\"response\":\"x\",\"score\":1}\n"
        "{\"step\":1,\"prompt\":\"p\",\"response\":\"y\",\"score\":2}\n");
    put("two/b.jsonl",
        "{\"step\":1,\"prompt\":\"p\",\"response\":\"y\",\"score\":2}\n"
        "{\"step\":1,\"prompt\":\"q\",\"response\":\"z\",\"score\":3}\n");
    struct imported *m = imported_run("jsonl", path_of("two", dir), NULL);
    assert_int_equal(m->n, 3);
    assert_true(imported_warned(m, "rows_twice"));
    assert_true(imported_warned(m, "rows_pooled"));
    assert_true(score(m, 0) == 1 && score(m, 1) == 2 && score(m, 2) == 3);
    assert_int_equal(m->row[1].view.row.sample, 1);
    assert_int_equal(m->row[2].view.row.sample, 0);
    imported_free(m);
}

/* Of two rows that name themselves the same the later counts. */
static void test_samples_again(void **state)
{
    char dir[FILE_PATH_MAX];
    (void)state;
    put("again/a.jsonl", "{\"step\":1,\"prompt_id\":\"p\",\"sample\":0,"
                         "\"response\":\"x\",\"score\":1}\n"
                         "{\"step\":1,\"prompt_id\":\"p\",\"sample\":1,"
                         "\"response\":\"y\",\"score\":2}\n");
    put("again/b.jsonl", "{\"step\":1,\"prompt_id\":\"p\",\"sample\":0,"
                         "\"response\":\"z\",\"score\":3}\n");
    struct imported *m = imported_run("jsonl", path_of("again", dir), NULL);
    assert_int_equal(m->n, 2);
    assert_true(score(m, 0) == 2 && score(m, 1) == 3);
    assert_true(imported_warned(m, "rows_twice"));
    imported_free(m);
}

/* Steps 1 2 3 and, resumed, 2 3 4: what was done over counts once. */
static void test_resumed_run(void **state)
{
    char file[FILE_PATH_MAX];
    (void)state;
    put("resumed.jsonl",
        "{\"step\":1,\"prompt\":\"p\",\"response\":\"a\",\"score\":1}\n"
        "{\"step\":2,\"prompt\":\"p\",\"response\":\"b\",\"score\":2}\n"
        "{\"step\":3,\"prompt\":\"p\",\"response\":\"c\",\"score\":3}\n"
        "{\"step\":2,\"prompt\":\"p\",\"response\":\"d\",\"score\":20}\n"
        "{\"step\":3,\"prompt\":\"p\",\"response\":\"e\",\"score\":30}\n"
        "{\"step\":4,\"prompt\":\"p\",\"response\":\"f\",\"score\":40}\n");
    struct imported *m =
        imported_run("jsonl", path_of("resumed.jsonl", file), NULL);
    assert_int_equal(m->n, 4);
    assert_true(score(m, 0) == 1 && score(m, 1) == 20 && score(m, 2) == 30 &&
                score(m, 3) == 40);
    assert_true(imported_warned(m, "steps_done_over"));
    imported_free(m);
}

/* Rows that do not say their step are no resumed run, and lose nothing. */
static void test_stepless(void **state)
{
    char file[FILE_PATH_MAX];
    struct buf text;
    (void)state;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 20; i++) {
        buf_printf(&text, "{\"prompt\":\"p\",\"response\":\"r%d\",\"score\":%d",
                   i, i);
        if (i != 7 && i != 13)
            buf_printf(&text, ",\"step\":%d", i / 5 + 1);
        buf_puts(&text, "}\n");
    }
    imported_write("stepless.jsonl", text.data, text.len);
    buf_free(&text);
    struct imported *m =
        imported_run("jsonl", path_of("stepless.jsonl", file), NULL);
    assert_int_equal(m->n, 20);
    for (size_t i = 0; i < m->n; i++) {
        assert_true(score(m, i) == (double)i);
        assert_int_equal(m->row[i].view.row.step, (int64_t)i / 5 + 1);
    }
    assert_true(imported_warned(m, "step_missing"));
    assert_false(imported_warned(m, "steps_done_over"));
    assert_false(imported_warned(m, "steps_back"));
    imported_free(m);
}

/* Two runs in one folder are told of, by their files. */
static void test_two_runs(void **state)
{
    static const char log[] =
        "{\"step\":1,\"data\":{\"critic/score/mean\":%s}}\n"
        "{\"step\":2,\"data\":{\"critic/score/mean\":%s}}\n";
    char dir[FILE_PATH_MAX], text[512];
    (void)state;
    (void)snprintf(text, sizeof text, log, "0.5", "0.625");
    put("runs/a.jsonl", text);
    /* The same value with the digits of a float. */
    (void)snprintf(text, sizeof text, log, "0.50000001", "0.625");
    put("runs/b.jsonl", text);
    struct imported *m = imported_run("verl", path_of("runs", dir), NULL);
    assert_false(imported_warned(m, "values_differ"));
    imported_free(m);
    (void)snprintf(text, sizeof text, log, "0.5", "0.75");
    put("runs/b.jsonl", text);
    m = imported_run("verl", path_of("runs", dir), NULL);
    const struct json *list = json_get(m->doc, "warnings");
    const char *said = "";
    for (size_t i = 0; i < json_size(list); i++)
        if (strcmp(json_text(json_get(json_at(list, i), "id"), ""),
                   "values_differ") == 0)
            said = json_text(json_get(json_at(list, i), "text"), "");
    assert_non_null(strstr(said, "runs/a.jsonl and "));
    assert_non_null(strstr(said, "runs/b.jsonl"));
    assert_non_null(strstr(said, "of step 2 "));
    imported_free(m);
}

/* A file in no order is no resumed run: all of it counts. */
static void test_shuffled(void **state)
{
    struct buf text;
    char file[FILE_PATH_MAX];
    (void)state;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 40; i++)
        buf_printf(&text,
                   "{\"step\":%d,\"prompt\":\"p%d\",\"response\":\"a\","
                   "\"score\":%d}\n",
                   i % 2 + 1, i, i);
    imported_write("shuffled.jsonl", text.data, text.len);
    buf_free(&text);
    struct imported *m =
        imported_run("jsonl", path_of("shuffled.jsonl", file), NULL);
    assert_int_equal(m->n, 40);
    assert_true(imported_warned(m, "steps_in_no_order"));
    assert_false(imported_warned(m, "steps_done_over"));
    imported_free(m);
}

/* ---- stopped and gone on with ------------------------------------------- */

static enum status import_two(struct err *err, const char *const *path,
                              const char *out, bool is_resumed)
{
    const struct import_config c = {.format = "jsonl",
                                    .path = path,
                                    .n_paths = 2,
                                    .out = out,
                                    .is_resumed = is_resumed};
    *err = (struct err){OK, ""};
    return import_run(NULL, &c, NULL, err);
}

static void read_all(struct buf *out, const char *dir, const char *name)
{
    char path[FILE_PATH_MAX];
    assert_int_equal(file_join(path, dir, name, NULL), OK);
    assert_int_equal(file_read(out, path, NULL), OK);
}

static void test_resume(void **state)
{
    static const char good[] =
        "{\"step\":1,\"prompt\":\"p\",\"response\":\"a\",\"score\":1}\n";
    static const char more[] =
        "{\"step\":2,\"prompt\":\"p\",\"response\":\"b\",\"score\":2}\n";
    char a[FILE_PATH_MAX], b[FILE_PATH_MAX], out[FILE_PATH_MAX];
    char whole[FILE_PATH_MAX];
    struct err err;
    struct buf one, two;
    (void)state;
    const char *path[] = {path_of("r/a.jsonl", a), path_of("r/b.jsonl", b)};
    path_of("r/out", out);
    path_of("r/whole", whole);
    put("r/a.jsonl", good);
    put("r/b.jsonl", "{\"prompt\":\"p\",\"response\":\"b\"}\n{\"resp\n");
    assert_int_equal(import_two(&err, path, out, false), ERR_FORMAT);
    assert_non_null(strstr(err.text, "r/b.jsonl:2: "));
    /* It is there, and not to be lost unasked. */
    assert_int_equal(import_two(&err, path, out, false), ERR_ARG);
    put("r/b.jsonl", more);
    assert_int_equal(import_two(&err, path, out, true), OK);
    assert_int_equal(import_two(&err, path, whole, false), OK);
    buf_init(&one, 1 << 20);
    buf_init(&two, 1 << 20);
    read_all(&one, out, "ppo/rollouts/000001.jsonl.zst");
    read_all(&one, out, "ppo/rollouts/000002.jsonl.zst");
    read_all(&two, whole, "ppo/rollouts/000001.jsonl.zst");
    read_all(&two, whole, "ppo/rollouts/000002.jsonl.zst");
    assert_int_equal(one.len, two.len);
    assert_memory_equal(one.data, two.data, one.len);
    buf_free(&one);
    buf_free(&two);
}

/* A file that changed since it was read is not taken for the same. */
static void test_resume_changed(void **state)
{
    char a[FILE_PATH_MAX], b[FILE_PATH_MAX], out[FILE_PATH_MAX];
    struct err err;
    (void)state;
    const char *path[] = {path_of("c/a.jsonl", a), path_of("c/b.jsonl", b)};
    path_of("c/out", out);
    put("c/a.jsonl", "{\"prompt\":\"p\",\"response\":\"a\",\"score\":1}\n");
    put("c/b.jsonl", "{\"prompt\":\"p\",\"response\":\"b\"}\n{\n");
    assert_int_equal(import_two(&err, path, out, false), ERR_FORMAT);
    put("c/a.jsonl", "{\"prompt\":\"p\",\"response\":\"a\",\"score\":2}\n");
    put("c/b.jsonl", "{\"prompt\":\"p\",\"response\":\"b\",\"score\":2}\n");
    assert_int_equal(import_two(&err, path, out, true), ERR_MISMATCH);
}

/* ---- hostile files ------------------------------------------------------ */

static void test_hostile(void **state)
{
    static const struct {
        const char *format, *text;
        enum status status;
        const char *said;
    } bad[] = {
        {"jsonl", "{\"prompt\":\"p\",\"response\":\"a\",\"score\":1}\n{\"pro\n",
         ERR_FORMAT, ":2: "},
        {"jsonl", "{\"response\":\"a\",\"score\":1,\"step\":-5}\n", ERR_FORMAT,
         ":1: "},
        {"jsonl", "{\"response\":\"a\",\"score\":1,\"step\":1e12}\n",
         ERR_FORMAT, ":1: "},
        {"jsonl", "{\"response\":\"a\",\"score\":1,\"tokens\":[1.5]}\n",
         ERR_FORMAT, "no token id"},
        {"jsonl", "{\"response\":\"a\",\"score\":[\"x\",1]}\n", ERR_FORMAT,
         "is no number"},
        {"jsonl", "PAR1aaaaaaaaaaPAR1", ERR_FORMAT, "pandas"},
        {"jsonl", "PK\003\004aaaaaaa", ERR_FORMAT, "archive"},
        {"auto", "nothing of the kind\n", ERR_FORMAT, "does not look like"},
        {"verl", "{\"step\":1,\"data\":{\"a\":1}}\n{\"step\":1}\n", ERR_FORMAT,
         ":2: "},
        {"nemo-rl",
         "{\"content\":[\"a\"],\"rewards\":[1],\"idx\":0,"
         "\"token_ids\":[[1,2]],\"token_loss_mask\":[[1]]}\n",
         ERR_FORMAT, "token_loss_mask"},
        {"samples",
         "{\"reference\":[{\"prompt\":\"a\",\"response\":\"b\"}],"
         "\"x\":[],\"y\":[]}",
         ERR_ARG, "--map policy=NAME"},
        {"no-such", "{}", ERR_ARG, "unknown format"},
    };
    char file[FILE_PATH_MAX];
    struct err err;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put("hostile", bad[i].text);
        enum status status =
            imported_fails(&err, bad[i].format, path_of("hostile", file));
        if (status != bad[i].status || strstr(err.text, bad[i].said) == NULL)
            fail_msg("%zu: %d %s", i, (int)status, err.text);
    }
    assert_int_equal(imported_fails(&err, "jsonl", path_of("not-there", file)),
                     ERR_MISSING);
}

/* A line without an end is refused at its bound, with its place. */
static void test_endless_line(void **state)
{
    static const char begin[] = "{\"response\":\"a\",\"score\":1}\n{\"a\":\"";
    size_t n = IMPORT_LINE_MAX + 4096;
    char file[FILE_PATH_MAX];
    struct err err;
    (void)state;
    char *text = mem_calloc(n, 1);
    memset(text, 'x', n);
    memcpy(text, begin, sizeof begin - 1);
    imported_write("endless", text, n);
    mem_free(text);
    assert_int_equal(imported_fails(&err, "jsonl", path_of("endless", file)),
                     ERR_FORMAT);
    assert_non_null(strstr(err.text, "endless:2: line of "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_files),
        cmocka_unit_test(test_samples_again),
        cmocka_unit_test(test_resumed_run),
        cmocka_unit_test(test_shuffled),
        cmocka_unit_test(test_stepless),
        cmocka_unit_test(test_two_runs),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_resume_changed),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_endless_line),
    };
    return cmocka_run_group_tests(tests, imported_set_up, imported_tear_down);
}
