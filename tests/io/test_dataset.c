/* test_dataset.c - records in and out, and what is refused with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "io/dataset.h"

static const char RANKING[] =
    "{\"id\":\"a\",\"prompt\":\"p\",\"responses\":[\"x\",\"y\",\"z\"],"
    "\"ranking\":[2,1,2],\"tags\":[\"t\"],\"ticket\":{\"n\":1.0}}\n";

static enum status parse(struct dataset *d, const char *text,
                         enum dataset_kind kind, struct err *err)
{
    return dataset_parse(d, text, strlen(text), "f.jsonl", kind, err);
}

static void test_kinds(void **state)
{
    (void)state;
    struct dataset d = {0};
    assert_int_equal(parse(&d, RANKING, DATASET_RANKINGS, NULL), OK);
    assert_int_equal(d.n, 1);
    assert_string_equal(d.path, "f.jsonl");
    const struct record *r = d.record;
    assert_string_equal(r->id, "a");
    assert_string_equal(r->prompt, "p");
    assert_null(r->response);
    assert_int_equal(r->n_responses, 3);
    assert_string_equal(r->responses[2], "z");
    assert_int_equal(r->ranking[0], 2);
    assert_int_equal(r->ranking[1], 1);
    assert_string_equal(r->extra, "{\"tags\":[\"t\"],\"ticket\":{\"n\":1.0}}");
    dataset_free(&d);

    assert_int_equal(
        parse(&d, "{\"prompt\":\"\xc3\xa9\"}", DATASET_PROMPTS, NULL), OK);
    assert_string_equal(d.record->extra, "{}");
    assert_string_equal(d.record->prompt, "\xc3\xa9");
    dataset_free(&d);

    assert_int_equal(parse(&d,
                           "{\"prompt\":\"\",\"response\":\"r\","
                           "\"responses\":null}",
                           DATASET_DEMOS, NULL),
                     OK);
    assert_string_equal(d.record->response, "r");
    assert_null(d.record->responses);
    dataset_free(&d);

    assert_int_equal(parse(&d, "{\"prompt\":\"\",\"responses\":[\"r\"]}",
                           DATASET_CANDIDATES, NULL),
                     OK);
    assert_null(d.record->ranking);
    dataset_free(&d);

    assert_int_equal(parse(&d, " \n\n", DATASET_RANKINGS, NULL), OK);
    assert_int_equal(d.n, 0);
    dataset_free(&d);
}

/* Blank lines, line ends of either kind, a byte order mark, no last end. */
static void test_lines_and_ids(void **state)
{
    (void)state;
    struct dataset d = {0};
    assert_int_equal(parse(&d,
                           "\xEF\xBB\xBF{\"prompt\":\"a\"}\r\n \t\r\n\n"
                           "{\"prompt\":\"b\"}\n{\"prompt\":\"c\",\"id\":12}",
                           DATASET_PROMPTS, NULL),
                     OK);
    assert_int_equal(d.n, 3);
    assert_string_equal(d.record[0].id, "1");
    assert_string_equal(d.record[1].id, "4");
    assert_string_equal(d.record[2].id, "12");
    dataset_free(&d);
}

/* Lines that are refused, and a part of what is said about them. */
static const struct {
    enum dataset_kind kind;
    const char *line, *text;
} refused[] = {
    {DATASET_PROMPTS, "[]", "the record is not a JSON object"},
    {DATASET_PROMPTS, "3", "the record is not a JSON object"},
    {DATASET_PROMPTS, "{}", "\"prompt\" is missing"},
    {DATASET_PROMPTS, "{\"prompt\":null}", "\"prompt\" is missing"},
    {DATASET_PROMPTS, "{\"prompt\":3}", "\"prompt\" is not a string"},
    {DATASET_PROMPTS, "{\"prompt\":\"\",\"id\":[]}", "\"id\" is not a string"},
    {DATASET_PROMPTS, "{\"prompt\":\"\",\"response\":[]}",
     "\"response\" is not a string"},
    {DATASET_PROMPTS, "{\"prompt\":\"\",\"prompt\":\"\"}", "column"},
    {DATASET_PROMPTS, "{\"prompt\":\"\xff\"}", "column"},
    {DATASET_PROMPTS, "{\"prompt\":\"\\u0000\"}", "column"},
    {DATASET_PROMPTS, "{\"prompt\":\"a\"", "column"},
    {DATASET_PROMPTS, "{\"prompt\":\"a\"} {}", "column"},
    {DATASET_DEMOS, "{\"prompt\":\"\"}", "\"response\" is missing"},
    {DATASET_CANDIDATES, "{\"prompt\":\"\"}", "\"responses\" is missing"},
    {DATASET_CANDIDATES, "{\"prompt\":\"\",\"responses\":\"x\"}",
     "\"responses\" is not a list"},
    {DATASET_CANDIDATES, "{\"prompt\":\"\",\"responses\":[]}",
     "\"responses\" has 0 items, not 1..64"},
    {DATASET_CANDIDATES, "{\"prompt\":\"\",\"responses\":[\"a\",1]}",
     "an item of \"responses\" is not a string"},
    {DATASET_RANKINGS, "{\"prompt\":\"\",\"responses\":[\"a\",\"b\"]}",
     "\"ranking\" is missing"},
    {DATASET_RANKINGS,
     "{\"prompt\":\"\",\"responses\":[\"a\",\"b\"],\"ranking\":{}}",
     "\"ranking\" is not a list"},
    {DATASET_RANKINGS,
     "{\"prompt\":\"\",\"responses\":[\"a\",\"b\"],\"ranking\":[1]}",
     "\"ranking\" has 1 items for 2 responses"},
    {DATASET_RANKINGS,
     "{\"prompt\":\"\",\"responses\":[\"a\",\"b\"],\"ranking\":[1,3]}",
     "item 2 of \"ranking\" is not a rank in 1..2"},
    {DATASET_RANKINGS,
     "{\"prompt\":\"\",\"responses\":[\"a\",\"b\"],\"ranking\":[0,1]}",
     "item 1 of \"ranking\" is not a rank in 1..2"},
    {DATASET_RANKINGS,
     "{\"prompt\":\"\",\"responses\":[\"a\",\"b\"],\"ranking\":[1.5,1]}",
     "item 1 of \"ranking\" is not a rank in 1..2"},
    {DATASET_RANKINGS,
     "{\"prompt\":\"\",\"responses\":[\"a\"],\"ranking\":[1]}",
     "\"ranking\" of 1 responses; two are needed"},
    {DATASET_PROMPTS, "{\"prompt\":\"\",\"ranking\":[]}",
     "\"ranking\" of 0 responses; two are needed"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct buf text;
        buf_init(&text, 1000);
        buf_puts(&text, RANKING);
        if (refused[i].kind == DATASET_DEMOS) {
            buf_clear(&text);
            buf_puts(&text, "{\"prompt\":\"\",\"response\":\"\"}\n");
        }
        buf_puts(&text, refused[i].line);
        struct dataset d = {0};
        struct err err = {0};
        assert_int_equal(parse(&d, text.data, refused[i].kind, &err),
                         ERR_FORMAT);
        assert_memory_equal(err.text, "f.jsonl:2: ", 11);
        if (strstr(err.text, refused[i].text) == NULL)
            fail_msg("%s lacks %s", err.text, refused[i].text);
        assert_null(d.record);
        buf_free(&text);
    }
}

static void refuse_bytes(const char *text, size_t len, const char *want)
{
    struct dataset d = {0};
    struct err err = {0};
    assert_int_equal(dataset_parse(&d, text, len, "f", DATASET_PROMPTS, &err),
                     ERR_FORMAT);
    if (strncmp(err.text, want, strlen(want)) != 0)
        fail_msg("%s is not %s", err.text, want);
}

static void test_hostile(void **state)
{
    (void)state;
    refuse_bytes("{\"prompt\":\"a\0b\"}", 16, "f:1: ");
    refuse_bytes("\0", 1, "f:1: ");

    /* Deeper than any parser's stack should go. */
    size_t len = 100000;
    char *deep = mem_calloc(len, 1);
    assert_non_null(deep);
    memset(deep, '[', len);
    refuse_bytes(deep, len, "f:1: ");
    mem_free(deep);

    /* One byte over the limit of a line; at the limit it is read. */
    len = 8 * 1024 * 1024;
    char *line = mem_calloc(len + 1, 1);
    assert_non_null(line);
    memset(line, 'x', len + 1);
    memcpy(line, "{\"prompt\":\"", 11);
    memcpy(line + len - 1, "\"}", 2);
    refuse_bytes(line, len + 1, "f:1: line of 8388609 bytes, limit 8388608");
    memcpy(line + len - 2, "\"}", 2);
    struct dataset d = {0};
    assert_int_equal(dataset_parse(&d, line, len, "f", DATASET_PROMPTS, NULL),
                     OK);
    assert_int_equal(strlen(d.record->prompt), len - 13);
    dataset_free(&d);
    mem_free(line);

    /* 65 responses. */
    struct buf many;
    buf_init(&many, 1000);
    buf_puts(&many, "{\"prompt\":\"\",\"responses\":[\"\"");
    for (int i = 0; i < 64; i++)
        buf_puts(&many, ",\"\"");
    buf_puts(&many, "]}");
    refuse_bytes(many.data, many.len, "f:1: \"responses\" has 65 items");
    buf_free(&many);
}

static void test_write_reads_back(void **state)
{
    (void)state;
    static const char text[] =
        "{\"id\":\"1\",\"prompt\":\"p\\n\",\"response\":\"r\"}\n"
        "{\"id\":\"b\",\"prompt\":\"\",\"responses\":[\"x\",\"y\"],"
        "\"ranking\":[1,1],\"k\":[{}],\"x\":null}\n";
    struct dataset d = {0};
    assert_int_equal(parse(&d, text, DATASET_PROMPTS, NULL), OK);
    struct buf b;
    buf_init(&b, 1000);
    for (size_t i = 0; i < d.n; i++)
        dataset_write_record(&b, &d.record[i]);
    assert_string_equal(b.data, text);
    buf_free(&b);
    dataset_free(&d);
}

static void test_files(void **state)
{
    (void)state;
    char root[] = "/tmp/plumb-test-XXXXXX", path[FILE_PATH_MAX];
    assert_non_null(mkdtemp(root));
    assert_int_equal(file_join(path, root, "d.jsonl", NULL), OK);
    struct dataset d = {0};
    struct err err = {0};
    assert_int_equal(dataset_read(&d, path, DATASET_PROMPTS, &err),
                     ERR_MISSING);
    assert_int_equal(file_write(path, "", 0, NULL), OK);
    assert_int_equal(dataset_read(&d, path, DATASET_PROMPTS, NULL), OK);
    assert_int_equal(d.n, 0);
    dataset_free(&d);
    assert_int_equal(file_write(path, RANKING, strlen(RANKING), NULL), OK);
    assert_int_equal(dataset_read(&d, path, DATASET_RANKINGS, NULL), OK);
    assert_int_equal(d.n, 1);
    assert_string_equal(d.path, path);
    dataset_free(&d);
    assert_int_equal(file_remove(root, NULL), OK);
}

/* Whichever allocation fails: ERR_MEMORY, and nothing is left behind (which
 * the leak checker of the sanitised build sees). */
static void test_memory(void **state)
{
    (void)state;
    enum status status = ERR_MEMORY;
    long n = 0;
    for (; status != OK; n++) {
        struct dataset d = {0};
        struct err err = {0};
        mem_fail_at(n);
        status = parse(&d, RANKING, DATASET_RANKINGS, &err);
        assert_true(status == OK || status == ERR_MEMORY);
        dataset_free(&d);
    }
    mem_fail_at(-1);
    assert_true(n > 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_lines_and_ids),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_write_reads_back),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
