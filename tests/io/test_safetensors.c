/*
 * test_safetensors.c - files of the safetensors package read and written
 * byte for byte, and headers that must be refused.
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
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "io/safetensors.h"

#define FOLDER TEST_DATA "/safetensors"

/* A file from a header's text and n data bytes (0, 1, 2, ...). */
static void build(struct buf *out, const char *header, size_t n)
{
    uint64_t len = strlen(header);
    buf_init(out, 1 << 22);
    buf_append(out, &len, sizeof len);
    buf_puts(out, header);
    for (size_t i = 0; i < n; i++)
        buf_putc(out, (char)i);
}

static enum status parse(struct safetensors *s, const struct buf *b,
                         struct err *err)
{
    return safetensors_parse(s, (const unsigned char *)b->data, b->len, "x.st",
                             err);
}

/* ---- against the package ------------------------------------------------ */

static void check_floats(const struct safetensors *s, const char *name,
                         const float *want, size_t n)
{
    float got[16];
    struct err err = {0};
    const struct tensor_view *t = safetensors_find(s, name);
    assert_non_null(t);
    assert_int_equal(t->count, n);
    assert_int_equal(safetensors_floats(got, t, &err), OK);
    assert_memory_equal(got, want, n * sizeof *want);
}

static void test_read(void **state)
{
    (void)state;
    static const char *const order[] = {"i64",  "empty", "scalar",
                                        "bf16", "f16",   "u8"};
    struct safetensors s;
    struct err err = {0};
    float out[4];
    if (safetensors_open(&s, FOLDER "/mixed.safetensors", &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(s.n, 6);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(s.tensor[i].name, order[i]);
    check_floats(&s, "bf16", (float[]){1, -2.5f, INFINITY, 0x1p-133f}, 4);
    check_floats(&s, "f16", (float[]){1.5f, -2, 0x1p-24f}, 3);
    check_floats(&s, "scalar", (float[]){2.5f}, 1);
    check_floats(&s, "empty", NULL, 0);
    const struct tensor_view *t = safetensors_find(&s, "bf16");
    assert_int_equal(t->type, TENSOR_BF16);
    assert_string_equal(t->dtype, "BF16");
    assert_int_equal(t->n_dim, 2);
    assert_int_equal(t->dim[1], 2);
    assert_int_equal(t->len, 8);
    t = safetensors_find(&s, "i64");
    assert_int_equal(t->type, TENSOR_OTHER);
    assert_int_equal(safetensors_floats(out, t, &err), ERR_MISMATCH);
    assert_string_equal(err.text, "tensor 'i64' is I64, which is not read");
    assert_null(safetensors_find(&s, "absent"));
    safetensors_close(&s);
    safetensors_close(&s); // closed is closed
    assert_int_equal(safetensors_open(&s, FOLDER "/absent", &err), ERR_IO);
}

static void test_write(void **state)
{
    (void)state;
    static const float bias[] = {0.5f, -1.25f, 3e-39f};
    static const float weight[] = {1, 2, 3, 4, 5, 6};
    const struct tensor_out t[] = {
        {.name = "bias", .n_dim = 1, .dim = {3}, .data = bias},
        {.name = "w\xc3\xa9\"ight", .n_dim = 2, .dim = {2, 3}, .data = weight},
    };
    char dir[] = "/tmp/test_safetensors.XXXXXX";
    char path[FILE_PATH_MAX];
    struct file_list list;
    struct buf got, want;
    struct err err = {0};
    buf_init(&got, 10000);
    buf_init(&want, 10000);
    assert_non_null(mkdtemp(dir));
    assert_int_equal(file_join(path, dir, "m.safetensors", &err), OK);
    for (int i = 0; i < 2; i++) // the second replaces the first
        assert_int_equal(safetensors_write(path, t, 2, &err), OK);
    assert_int_equal(file_read(&got, path, &err), OK);
    assert_int_equal(file_read(&want, FOLDER "/f32.safetensors", &err), OK);
    assert_int_equal(got.len, want.len);
    assert_memory_equal(got.data, want.data, want.len);
    /* Nothing but the file is left, neither after success nor after failure. */
    assert_int_equal(safetensors_write("/nonexistent/m", t, 2, &err), ERR_IO);
    assert_int_equal(file_list(&list, dir, &err), OK);
    assert_int_equal(list.n, 1);
    file_list_free(&list);
    assert_int_equal(file_remove(dir, &err), OK);
    buf_free(&got);
    buf_free(&want);
}

/* Two bytes a value; one that its type does not have leaves no file. */
static void test_write_half(void **state)
{
    (void)state;
    static const float b[] = {1.0f / 3, 1e5f, -2};
    static const float h[] = {1.0f / 3, 65504, -2};
    static const float one = 1;
    struct tensor_out t[] = {
        {.name = "b", .type = TENSOR_BF16, .n_dim = 1, .dim = {3}, .data = b},
        {.name = "h", .type = TENSOR_F16, .n_dim = 1, .dim = {3}, .data = h},
        {.name = "one",
         .type = TENSOR_F16,
         .n_dim = 0,
         .dim = {0},
         .data = &one},
    };
    char path[] = "/tmp/test_safetensors.XXXXXX";
    struct buf got, want;
    struct err err = {0};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    buf_init(&got, 10000);
    buf_init(&want, 10000);
    assert_int_equal(safetensors_write(path, t, 3, &err), OK);
    assert_int_equal(file_read(&got, path, &err), OK);
    assert_int_equal(file_read(&want, FOLDER "/half.safetensors", &err), OK);
    assert_int_equal(got.len, want.len);
    assert_memory_equal(got.data, want.data, want.len);
    t[1].data = b; // 1e5 is beyond F16
    assert_int_equal(safetensors_write(path, t, 3, &err), ERR_NUMERIC);
    assert_string_equal(err.text, "tensor 'h': a value is not finite as F16");
    assert_int_equal(unlink(path), 0); // the former one
    buf_free(&got);
    buf_free(&want);
}

/* No tensors, a scalar, an empty tensor: written and read back. */
static void test_round_trip(void **state)
{
    (void)state;
    static const float one = 7;
    const struct tensor_out t[] = {
        {.name = "b", .n_dim = 2, .dim = {0, 5}, .data = NULL},
        {.name = "a", .n_dim = 0, .data = &one},
    };
    char path[] = "/tmp/test_safetensors.XXXXXX";
    struct safetensors s;
    struct err err = {0};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    for (size_t n = 0; n <= 2; n++) {
        assert_int_equal(safetensors_write(path, t, n, &err), OK);
        assert_int_equal(safetensors_open(&s, path, &err), OK);
        assert_int_equal(s.n, n);
        if (n == 2)
            check_floats(&s, "a", &one, 1);
        safetensors_close(&s);
    }
    assert_int_equal(unlink(path), 0);
}

/* Every half against its definition, (-1)^s 2^(e-15) (1 + f/1024). */
static void test_half(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 65536; bits++) {
        uint16_t half = (uint16_t)bits;
        struct tensor_view t = {.type = TENSOR_F16,
                                .count = 1,
                                .len = 2,
                                .data = (const unsigned char *)&half};
        float got;
        struct err err = {0};
        int e = (int)(bits >> 10 & 31);
        double f = (double)(bits & 1023) / 1024;
        double want = e == 0 ? ldexp(f, -14) : ldexp(1 + f, e - 15);
        if (e == 31)
            want = f == 0 ? (double)INFINITY : (double)NAN;
        if (bits >> 15)
            want = -want;
        assert_int_equal(safetensors_floats(&got, &t, &err), OK);
        assert_int_equal(isnan(got), isnan(want));
        assert_int_equal(signbit(got) != 0, (bits >> 15) != 0);
        if (!isnan(want))
            assert_true((double)got == want);
    }
}

/* Data need not be aligned: here it starts at an odd address. */
static void test_unaligned(void **state)
{
    (void)state;
    struct buf b;
    struct safetensors s;
    struct err err = {0};
    float got;
    static const unsigned char bytes[] = {0, 1, 2, 3};
    float want;
    memcpy(&want, bytes, sizeof want);
    for (int pad = 0; pad < 4; pad++) {
        char header[128];
        (void)snprintf(header, sizeof header,
                       "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],"
                       "\"data_offsets\":[0,4]}}%*s",
                       pad, "");
        build(&b, header, 4);
        assert_int_equal(parse(&s, &b, &err), OK);
        assert_int_equal(safetensors_floats(&got, &s.tensor[0], &err), OK);
        assert_memory_equal(&got, &want, sizeof got);
        safetensors_close(&s);
        buf_free(&b);
    }
}

/* ---- refused ------------------------------------------------------------ */

#define TENSOR(name, dtype, shape, offsets)                                    \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape                   \
    ",\"data_offsets\":" offsets "}"

static const struct {
    const char *header;
    size_t n; // data bytes
    const char *text;
} refused[] = {
    {"", 0, "start with '{'"},
    {" {}", 0, "start with '{'"},
    {"[]", 0, "start with '{'"},
    {"{", 0, "x.st"},
    {"{}x", 0, "x.st"},
    {"{}", 1, "tensors end at byte 0, data has 1"},
    {"{\"a\":3}", 0, "not an object"},
    {"{\"a\":{}}", 0, "dtype"},
    {"{\"a\":{\"dtype\":\"F32\"}}", 0, "no shape"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[]}}", 4, "no data_offsets"},
    {"{" TENSOR("a", "F33", "[1]", "[0,4]") "}", 4, "unknown dtype 'F33'"},
    {"{" TENSOR("a", "F32", "[1]", "[0,4,8]") "}", 4, "no data_offsets"},
    {"{" TENSOR("a", "F32", "[1]", "[0]") "}", 4, "no data_offsets"},
    {"{" TENSOR("a", "F32", "[-1]", "[0,4]") "}", 4, "shape is not a size"},
    {"{" TENSOR("a", "F32", "[1.5]", "[0,4]") "}", 4, "shape is not a size"},
    {"{" TENSOR("a", "F32", "[\"1\"]", "[0,4]") "}", 4, "not a size"},
    {"{" TENSOR("a", "F32", "[1e300]", "[0,4]") "}", 4, "not a size"},
    {"{" TENSOR("a", "F32", "[99999999999999999999]", "[0,4]") "}", 4,
     "not a size"},
    {"{" TENSOR("a", "F32", "[1]", "[-4,0]") "}", 4, "not a size"},
    {"{" TENSOR("a", "F32", "[1]", "[0.5,4.5]") "}", 4, "not a size"},
    {"{" TENSOR("a", "F32", "[2]", "[0,4]") "}", 4, "2 values of F32"},
    {"{" TENSOR("a", "F16", "[1]", "[0,4]") "}", 4, "1 values of F16"},
    {"{" TENSOR("a", "F32", "[1]", "[0,8]") "}", 4, "bytes 0 to 8, file has 4"},
    {"{" TENSOR("a", "F32", "[1]", "[4,0]") "}", 4, "bytes 4 to 0"},
    {"{" TENSOR("a", "F32", "[4294967296,4294967296]", "[0,0]") "}", 0,
     "shape is too large"},
    {"{" TENSOR("a", "F32", "[4611686018427387904,4]", "[0,0]") "}", 0,
     "shape is too large"},
    {"{" TENSOR("a", "F32", "[4611686018427387904]", "[0,0]") "}", 0,
     "but 0 bytes"},
    {"{" TENSOR("a", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4,
     "9 dimensions"},
    {"{" TENSOR("a", "F32", "[1]", "[0,4]") "}", 8, "data has 8"},
    {"{" TENSOR("a", "F32", "[1]", "[4,8]") "}", 8, "begins at byte 4"},
    {"{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("a", "F32", "[1]",
                                                       "[4,8]") "}",
     8, "x.st"},
    {"{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("b", "F32", "[1]",
                                                       "[4,8]") "}",
     8, "'b' begins at byte 4"},
    {"{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("b", "F32", "[1]",
                                                       "[0,4]") "}",
     4, "begins at byte 0"},
    {"{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("b", "F32", "[1]",
                                                       "[8,12]") "}",
     12, "'b' begins at byte 8"},
    {"{\"__metadata__\":[]}", 0, "__metadata__ is not an object"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "'a' is not a string"},
    {"{\"__metadata__\":{\"a\":{\"b\":{\"c\":1}}}}", 0, "nests deeper"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[[1]],\"data_offsets\":[0,4]}}", 4,
     "nests deeper"},
    {"{\"a\\u0000\":{}}", 0, "x.st"},
    {"{\"\xff\":{}}", 0, "x.st"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct safetensors s = {0};
        struct err err = {0};
        struct buf b;
        build(&b, refused[i].header, refused[i].n);
        enum status got = parse(&s, &b, &err);
        if (got != ERR_FORMAT || s.tensor != NULL ||
            strstr(err.text, refused[i].text) == NULL)
            fail_msg("%s: %s '%s'", refused[i].header, err_name(got), err.text);
        buf_free(&b);
    }
}

/* The header's length against the file, at every length of the file. */
static void test_truncated(void **state)
{
    (void)state;
    struct buf b;
    struct safetensors s;
    struct err err = {0};
    build(&b, "{" TENSOR("a", "F32", "[2]", "[0,8]") "}", 8);
    for (size_t len = 0; len < b.len; len++)
        assert_int_equal(safetensors_parse(&s, (const unsigned char *)b.data,
                                           len, "x.st", &err),
                         ERR_FORMAT);
    assert_int_equal(parse(&s, &b, &err), OK);
    safetensors_close(&s);
    static const uint64_t lengths[] = {UINT64_MAX, UINT64_MAX - 7,
                                       UINT64_C(1) << 63, 100000001, 0};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        memcpy(b.data, &lengths[i], sizeof lengths[i]);
        assert_int_equal(parse(&s, &b, &err), ERR_FORMAT);
    }
    buf_free(&b);
}

/* A header of a few megabytes that would become gigabytes of tree. */
static void test_swollen(void **state)
{
    (void)state;
    struct buf b;
    struct safetensors s;
    struct err err = {0};
    uint64_t len = (UINT64_C(1) << 22) - 8;
    buf_init(&b, 1 << 22);
    buf_append(&b, &len, sizeof len);
    buf_puts(&b, "{\"a\":[0");
    while (b.len < b.max)
        buf_puts(&b, b.len + 2 <= b.max ? ",0" : " ");
    assert_int_equal(parse(&s, &b, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "more than 1048576 values"));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),       cmocka_unit_test(test_write),
        cmocka_unit_test(test_write_half), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_half),       cmocka_unit_test(test_unaligned),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_swollen),
    };
    return cmocka_run_group_tests_name("safetensors", tests, NULL, NULL);
}
