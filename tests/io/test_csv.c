/* test_csv.c - tables by RFC 4180, whole and hostile, and records from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "io/csv.h"
#include "io/import_csv.h"
#include "io/jsonl.h"

static struct err err;

/* Fields with '|' between, rows with '/': "a|b/c|d/". */
static enum status print_row(void *ctx, const struct csv_row *row,
                             struct err *e)
{
    struct buf *out = ctx;
    (void)e;
    buf_printf(out, "%zu:", row->line);
    for (size_t i = 0; i < row->n; i++)
        buf_printf(out, "%s%s", i > 0 ? "|" : "", row->field[i]);
    buf_putc(out, '/');
    return OK;
}

static void check_rows(const char *text, char separator, const char *want)
{
    struct buf out;
    buf_init(&out, 10000);
    if (csv_parse(text, strlen(text), "f", separator, print_row, &out, &err) !=
        OK)
        fail_msg("%s", err.text);
    assert_string_equal(buf_text(&out), want);
    buf_free(&out);
}

static void test_rows(void **state)
{
    (void)state;
    check_rows("", ',', "");
    check_rows("\n\r\n", ',', "");
    check_rows("a,b\nc,d\n", ',', "1:a|b/2:c|d/");
    check_rows("a,b\r\nc,d", ',', "1:a|b/2:c|d/");
    check_rows("\xEF\xBB\xBF"
               "a\n",
               ',', "1:a/");
    check_rows("\xEF\xBC\xA1,b\n", ',', "1:\xEF\xBC\xA1|b/");
    check_rows("a,\n,b\n", ',', "1:a|/2:|b/");
    check_rows("\"\"\n\"\",x\n", ',', "1:/2:|x/");
    check_rows("\"a,\"\"b\"\"\r\n\n c\",d\ne,f", ',',
               "1:a,\"b\"\r\n\n c|d/4:e|f/");
    check_rows("a\"b\",c\n", ',', "1:a\"b\"|c/");
    check_rows("a\rb,c\n", ',', "1:a\rb|c/");
    check_rows("a\tb,c\n", '\t', "1:a|b,c/");
}

static void refuse(const char *text, size_t len, const char *want)
{
    struct buf out;
    buf_init(&out, (size_t)1 << 24);
    assert_int_equal(csv_parse(text, len, "f", ',', print_row, &out, &err),
                     ERR_FORMAT);
    if (strstr(err.text, want) == NULL)
        fail_msg("%s lacks %s", err.text, want);
    buf_free(&out);
}

static void test_refused(void **state)
{
    (void)state;
    refuse("a\n\"b\nc", 6, "f:2: a quote of this row is not closed");
    refuse("\"a\"b\n", 5, "f:1: something follows a closing quote");
    refuse("\"a\" \n", 5, "f:1: something follows a closing quote");
    refuse("a\0b\n", 4, "f:1: a byte 0");
    refuse("a\nb\xff\n", 5, "f:2: the row is not UTF-8");

    size_t len = JSONL_LINE_MAX + 2;
    char *wide = mem_calloc(len, 1);
    assert_non_null(wide);
    memset(wide, 'x', len);
    refuse(wide, len, "f:1: a row of more than 8388608 bytes");
    memset(wide, ',', len);
    refuse(wide, CSV_FIELDS_MAX, "f:1: more than 1024 fields");
    mem_free(wide);
}

/* ---- records ------------------------------------------------------------ */

static char root[] = "/tmp/plumb-test-XXXXXX", path[FILE_PATH_MAX];

static enum status load(struct dataset *d, const char *text,
                        const struct import_columns *columns, int64_t skip_bad)
{
    struct dataset_config c = {.skip_bad = skip_bad};
    assert_int_equal(file_write(path, text, strlen(text), NULL), OK);
    err = (struct err){OK, ""};
    return import_csv_load(d, path, ',', columns, &c, NULL, &err);
}

static void test_records(void **state)
{
    (void)state;
    struct dataset d = {0};
    struct import_columns c = {
        .prompt = "q", .response = "a", .extra = "topic,n"};
    assert_int_equal(load(&d,
                          "topic,q,a,n,rest\nx,\"one\ntwo\",r,5,z\n"
                          "y,\xc3\xa9,,,\n",
                          &c, 0),
                     OK);
    assert_int_equal(d.n, 2);
    assert_string_equal(d.record[0].id, "2");
    assert_string_equal(d.record[0].prompt, "one\ntwo");
    assert_string_equal(d.record[0].response, "r");
    assert_string_equal(d.record[0].extra, "{\"topic\":\"x\",\"n\":\"5\"}");
    assert_string_equal(d.record[1].id, "4");
    assert_string_equal(d.record[1].response, "");
    dataset_free(&d);

    c = (struct import_columns){
        .prompt = "q", .chosen = "b", .rejected = "w", .extra = "*"};
    assert_int_equal(load(&d, "id,q,prompt,b,w,k\n7,q,p,yes,no,v\n", &c, 0),
                     OK);
    assert_int_equal(d.format, FORMAT_PAIR);
    assert_string_equal(d.record->id, "7");
    assert_string_equal(d.record->prompt, "q");
    assert_string_equal(d.record->responses[1], "no");
    assert_string_equal(d.record->extra, "{\"k\":\"v\"}");
    dataset_free(&d);
}

static void test_bad_tables(void **state)
{
    (void)state;
    struct dataset d = {0};
    struct import_columns c = {.prompt = "q"};
    assert_int_equal(load(&d, "", &c, 0), ERR_FORMAT);
    assert_int_equal(load(&d, "p,a\nx,y\n", &c, 0), ERR_ARG);
    assert_non_null(strstr(err.text, "no column 'q'; there are p, a"));
    assert_int_equal(load(&d, "q,q\nx,y\n", &c, 0), ERR_FORMAT);
    assert_non_null(strstr(err.text, ":1: two columns are named 'q'"));
    assert_int_equal(load(&d, "q,a\nx\ny,z\n", &c, 0), ERR_FORMAT);
    assert_non_null(strstr(err.text, ":2: 1 fields, the table has 2 columns"));
    assert_int_equal(load(&d, "q,a\nx\ny,z\n", &c, 1), OK);
    assert_int_equal(d.n, 1);
    assert_int_equal(d.count.bad, 1);
    dataset_free(&d);
    c = (struct import_columns){.prompt = NULL};
    assert_int_equal(load(&d, "q\nx\n", &c, 0), ERR_ARG);
}

static void test_memory(void **state)
{
    (void)state;
    const struct import_columns c = {
        .prompt = "q", .response = "a", .extra = "n"};
    const struct dataset_config none = {.skip_bad = 0};
    static const char text[] = "q,a,n\nx,y,z\n";
    assert_int_equal(file_write(path, text, sizeof text - 1, NULL), OK);
    enum status status = ERR_MEMORY;
    for (long n = 0; status != OK; n++) {
        struct dataset d = {0};
        mem_fail_at(n);
        status = import_csv_load(&d, path, ',', &c, &none, NULL, &err);
        assert_true(status == OK || status == ERR_MEMORY);
        dataset_free(&d);
    }
    mem_fail_at(-1);
}

static int open_root(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(root));
    assert_int_equal(file_join(path, root, "t.csv", NULL), OK);
    return 0;
}

static int close_root(void **state)
{
    (void)state;
    return file_remove(root, NULL) == OK ? 0 : 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_records), cmocka_unit_test(test_bad_tables),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests_name("csv", tests, open_root, close_root);
}
