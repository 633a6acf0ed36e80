/* test_trace.c - rows, compression, damaged files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "io/trace.h"

static char root[] = "/tmp/plumb-test-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return file_remove(root, NULL) == OK ? 0 : -1;
}

static const char *at(const char *name)
{
    static char path[FILE_PATH_MAX];
    assert_int_equal(file_join(path, root, name, NULL), OK);
    return path;
}

static void test_row(void **state)
{
    (void)state;
    const float x[] = {-0.5f, NAN};
    const int32_t token[] = {5, 0};
    struct trace_row row = {
        .run = "r",
        .step = 3,
        .prompt_id = "p1",
        .prompt = "a \"b\"",
        .response = "c\n",
        .tags = "[\"x\"]",
        .extra = "\"gold\":1.5,\"len\":2",
        .is_eos = true,
        .score_raw = 0.1,
        .score = -1,
        .beta = 0.05,
        .temperature = 1,
        .template_hash = "h",
        .len = 2,
        .token = token,
        .logp = x,
        .advantage_white = x,
    };
    struct buf b;
    buf_init(&b, 10000);
    trace_write_row(&b, &row);
    assert_string_equal(
        b.data,
        "{\"run\":\"r\",\"step\":3,\"prompt_id\":\"p1\",\"sample\":0,"
        "\"prompt\":\"a \\\"b\\\"\",\"response\":\"c\\n\","
        "\"tokens\":[5,0],\"tags\":[\"x\"],\"finish\":\"eos\","
        "\"score_raw\":0.1,\"score\":-1,\"beta\":0.05,\"temperature\":1,"
        "\"template_hash\":\"h\",\"logp\":[-0.5,null],"
        "\"advantage_white\":[-0.5,null],\"gold\":1.5,\"len\":2}\n");
    struct json *root_node = NULL;
    assert_int_equal(json_parse(&root_node, b.data, b.len, "row", NULL), OK);
    json_free(root_node);

    row.extra = NULL;
    row.tags = NULL;
    row.is_eos = false;
    row.len = 0;
    buf_clear(&b);
    trace_write_row(&b, &row);
    assert_non_null(strstr(b.data, "\"finish\":\"length\""));
    assert_non_null(strstr(b.data, "\"tokens\":[]"));
    assert_null(strstr(b.data, "tags"));
    assert_int_equal(json_parse(&root_node, b.data, b.len, "row", NULL), OK);
    json_free(root_node);
    buf_free(&b);
}

/* A text of n bytes that compresses, but not to nothing. */
static void fill(struct buf *b, size_t n)
{
    buf_init(b, n + 100);
    buf_puts(b, "");
    for (size_t i = 0; b->len < n; i++)
        buf_printf(b, "%zu,", i * i * 2654435761u % 1000003);
    b->len = n;
    b->data[n] = '\0';
}

static void test_round_trip(void **state)
{
    (void)state;
    /* Empty, small, and around the size of a decompression step. */
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131072, 700001};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buf in, out;
        fill(&in, sizes[i]);
        const char *path = at("a.jsonl.zst");
        assert_int_equal(trace_write_file(path, &in, NULL), OK);
        char first[65], second[65];
        assert_int_equal(file_hash(first, path, NULL), OK);
        buf_init(&out, sizes[i]); // the bound is met exactly
        assert_int_equal(trace_read_file(&out, path, NULL), OK);
        assert_int_equal(out.len, in.len);
        assert_memory_equal(buf_text(&out), buf_text(&in), in.len);

        /* The same text gives the same bytes. */
        assert_int_equal(trace_write_file(path, &in, NULL), OK);
        assert_int_equal(file_hash(second, path, NULL), OK);
        assert_string_equal(first, second);
        buf_free(&in);
        buf_free(&out);
    }
}

static void test_reading(void **state)
{
    (void)state;
    const char *path = at("a.jsonl");
    struct buf out;
    struct err err = {0};
    assert_int_equal(file_write(path, "{}\n", 3, NULL), OK);
    buf_init(&out, 3);
    assert_int_equal(trace_read_file(&out, path, NULL), OK);
    assert_string_equal(out.data, "{}\n");
    assert_int_equal(trace_read_file(&out, path, &err), ERR_LIMIT);
    assert_non_null(strstr(err.text, "a.jsonl: "));
    buf_free(&out);
    buf_init(&out, 3);
    assert_int_equal(trace_read_file(&out, at("none.jsonl.zst"), NULL),
                     ERR_MISSING);
    buf_free(&out);
}

/* Every damaged byte is an error, since the file ends in a checksum. */
static void test_damage(void **state)
{
    (void)state;
    struct buf in, packed;
    fill(&in, 600);
    const char *path = at("d.jsonl.zst");
    assert_int_equal(trace_write_file(path, &in, NULL), OK);
    buf_init(&packed, 10000);
    assert_int_equal(file_read(&packed, path, NULL), OK);
    for (size_t i = 4; i < packed.len; i++) { // behind the magic number
        struct buf out;
        buf_init(&out, 100000);
        packed.data[i] = (char)(packed.data[i] ^ 0x10);
        assert_int_equal(file_write(path, packed.data, packed.len, NULL), OK);
        enum status status = trace_read_file(&out, path, NULL);
        /* Some header bits mean nothing: then the text must be right. */
        if (status == OK) {
            assert_int_equal(out.len, in.len);
            assert_memory_equal(out.data, in.data, in.len);
        } else {
            assert_int_equal(status, ERR_FORMAT);
        }
        packed.data[i] = (char)(packed.data[i] ^ 0x10);
        buf_free(&out);
    }
    buf_free(&packed);
    buf_free(&in);
}

static void test_memory(void **state)
{
    (void)state;
    struct buf in;
    fill(&in, 1000);
    struct err err = {0};
    mem_fail_at(0);
    assert_int_equal(trace_write_file(at("m.jsonl.zst"), &in, &err),
                     ERR_MEMORY);
    assert_false(file_exists(at("m.jsonl.zst")));
    assert_int_equal(trace_write_file(at("m.jsonl.zst"), &in, NULL), OK);
    buf_free(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row),     cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_reading), cmocka_unit_test(test_damage),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
