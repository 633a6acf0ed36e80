/*
 * test_gguf.c - files of the gguf package, whole and cut short.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "io/gguf.h"

#define FOLDER TEST_DATA "/gguf"

/* ---- against the package ------------------------------------------------ */

static struct gguf *open_file(const char *name)
{
    char path[FILE_PATH_MAX];
    struct gguf *g = NULL;
    struct err err = {0};
    assert_int_equal(file_join(path, FOLDER, name, &err), OK);
    if (gguf_open(&g, path, &err) != OK)
        fail_msg("%s", err.text);
    assert_string_equal(gguf_name(g), path);
    return g;
}

static void check_text(struct gguf_text got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.data, want, got.len);
}

static void check_int(const struct gguf *g, const char *key, int64_t want)
{
    struct err err = {0};
    int64_t got = 0;
    assert_int_equal(gguf_kind_of(g, key), GGUF_IS_INT);
    assert_true(gguf_get_int(g, key, 5) == want);
    assert_int_equal(gguf_need_int(&got, g, key, want, want, &err), OK);
    assert_true(got == want);
    assert_true(gguf_get_real(g, key, 5) == (double)want);
}

static void test_scalars(void **state)
{
    (void)state;
    struct gguf *g = open_file("metadata.gguf");
    struct gguf_text text = {0};
    struct err err = {0};
    double x = 0;
    check_int(g, "u8", 255);
    check_int(g, "i8", -128);
    check_int(g, "u16", 65535);
    check_int(g, "i16", -32768);
    check_int(g, "u32", 4294967295);
    check_int(g, "i32", INT32_MIN);
    check_int(g, "i64", INT64_MIN);
    assert_true(gguf_get_real(g, "f32", 0) == (double)0.1f);
    assert_true(gguf_get_real(g, "f64", 0) == 0.1);
    assert_int_equal(gguf_need_real(&x, g, "f64", &err), OK);
    assert_true(x == 0.1);
    assert_true(gguf_get_bool(g, "yes", false));
    assert_false(gguf_get_bool(g, "no", true));
    check_text(gguf_get_text(g, "text", ""), "na\u00efve \U0001f44b");
    check_text(gguf_get_text(g, "text.empty", "x"), "");
    assert_int_equal(gguf_need_text(&text, g, "general.architecture", &err),
                     OK);
    check_text(text, "llama");
    assert_int_equal(gguf_n_keys(g), 22);
    check_text(gguf_key(g, 0), "general.architecture");
    check_text(gguf_key(g, 21), "array.array");
    gguf_close(g);
}

/* Absent, of another kind, out of range: the fallback or an error. */
static void test_wrong(void **state)
{
    (void)state;
    struct gguf *g = open_file("metadata.gguf");
    struct gguf_array a;
    struct gguf_text text = {0};
    struct err err = {0};
    int64_t i = 3;
    double x = 3;
    assert_int_equal(gguf_kind_of(g, "absent"), GGUF_IS_ABSENT);
    assert_int_equal(gguf_kind_of(g, "u"), GGUF_IS_ABSENT);
    assert_int_equal(gguf_get_int(g, "absent", 4), 4);
    assert_int_equal(gguf_get_int(g, "f32", 4), 4);
    assert_int_equal(gguf_get_int(g, "array.int", 4), 4);
    assert_int_equal(gguf_get_int(g, "u64", 4), 4);
    assert_true(gguf_get_real(g, "u64", 4) == 4);
    assert_true(gguf_get_real(g, "yes", 4) == 4);
    assert_true(gguf_get_bool(g, "u8", true));
    check_text(gguf_get_text(g, "u8", "no"), "no");
    assert_null(gguf_get_text(g, "absent", NULL).data);
    assert_int_equal(gguf_need_int(&i, g, "u8", 0, 254, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "metadata.gguf: key 'u8' is 255, 0 to "
                                     "254 are allowed"));
    assert_int_equal(gguf_need_int(&i, g, "u64", 0, INT64_MAX, &err),
                     ERR_FORMAT);
    assert_int_equal(gguf_need_int(&i, g, "absent", 0, 9, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "no key 'absent'"));
    assert_int_equal(gguf_need_int(&i, g, "text", 0, 9, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "'text' is a text, not an integer"));
    assert_int_equal(gguf_need_real(&x, g, "u64", &err), ERR_FORMAT);
    assert_int_equal(gguf_need_real(&x, g, "yes", &err), ERR_FORMAT);
    assert_int_equal(gguf_need_text(&text, g, "i8", &err), ERR_FORMAT);
    assert_int_equal(gguf_need_array(&a, g, "i8", GGUF_IS_INT, &err),
                     ERR_FORMAT);
    assert_non_null(strstr(err.text, "'i8' is an integer, not an array"));
    assert_int_equal(gguf_need_array(&a, g, "array.int", GGUF_IS_TEXT, &err),
                     ERR_FORMAT);
    assert_non_null(strstr(err.text, "'array.int': an item is not a text"));
    assert_false(gguf_get_array(&a, g, "absent", GGUF_IS_INT));
    assert_int_equal(i, 3); // failure leaves what is there
    assert_true(x == 3);
    gguf_close(g);
}

static void test_arrays(void **state)
{
    (void)state;
    struct gguf *g = open_file("metadata.gguf");
    struct gguf_array a = {0};
    struct err err = {0};
    static const char *const texts[] = {"", "a", "\u0120the", "\n\n"};
    assert_int_equal(gguf_need_array(&a, g, "array.text", GGUF_IS_TEXT, &err),
                     OK);
    assert_int_equal(a.n, 4);
    for (size_t i = 4; i-- > 0;)
        check_text(gguf_array_text(&a, i), texts[i]);
    assert_true(gguf_get_array(&a, g, "array.int", GGUF_IS_INT));
    assert_int_equal(a.n, 3);
    assert_int_equal(gguf_array_int(&a, 0), -1);
    assert_int_equal(gguf_array_int(&a, 2), 7);
    assert_true(gguf_array_real(&a, 0) == -1);
    assert_true(gguf_get_array(&a, g, "array.u64", GGUF_IS_INT));
    assert_int_equal(gguf_array_int(&a, 0), 1);
    assert_true(gguf_array_int(&a, 1) == INT64_MAX);
    assert_true(gguf_get_array(&a, g, "array.real", GGUF_IS_REAL));
    assert_int_equal(a.n, 2);
    assert_true(gguf_array_real(&a, 1) == -2.25);
    assert_true(gguf_get_array(&a, g, "array.bool", GGUF_IS_BOOL));
    assert_int_equal(gguf_array_int(&a, 0), 1);
    assert_int_equal(gguf_array_int(&a, 1), 0);
    assert_true(gguf_get_array(&a, g, "array.array", GGUF_IS_ARRAY));
    assert_int_equal(a.n, 2);
    gguf_close(g);
}

static void test_tensors(void **state)
{
    (void)state;
    struct gguf *g = open_file("metadata.gguf");
    struct err err = {0};
    float x[24];
    const struct tensor_view *t = gguf_find(g, "b");
    assert_int_equal(gguf_n_tensors(g), 3);
    assert_ptr_equal(gguf_tensor(g, 1), t);
    assert_string_equal(t->name, "b");
    assert_string_equal(t->dtype, "F16");
    assert_int_equal(t->type, TENSOR_F16);
    assert_int_equal(t->n_dim, 3);
    assert_int_equal(t->dim[0], 4); // rows first, unlike in the file
    assert_int_equal(t->dim[1], 3);
    assert_int_equal(t->dim[2], 2);
    assert_int_equal(t->count, 24);
    assert_int_equal(t->len, 48);
    assert_int_equal(tensor_floats(x, t, 0, 24, &err), OK);
    for (int i = 0; i < 24; i++)
        assert_true(x[i] == (float)i);
    gguf_release(g, t->data, t->len); // may be read again
    assert_int_equal(tensor_floats(x, t, 23, 1, &err), OK);
    assert_true(x[0] == 23);
    t = gguf_find(g, "c");
    assert_int_equal(t->type, TENSOR_OTHER);
    assert_string_equal(t->dtype, "I32");
    assert_int_equal(tensor_floats(x, t, 0, 5, &err), ERR_MISMATCH);
    assert_string_equal(err.text, "tensor 'c' is I32, which is not read");
    assert_null(gguf_find(g, "d"));
    assert_null(gguf_find(g, ""));
    gguf_close(g);
}

/* Every beginning of a good file is refused or, where only padding or empty
 * tensors are cut off, reads the same. */
static void test_truncated(void **state)
{
    (void)state;
    struct buf whole;
    struct gguf *g = NULL;
    struct err err = {0};
    size_t n_bad = 0;
    buf_init(&whole, 1 << 20);
    assert_int_equal(file_read(&whole, FOLDER "/metadata.gguf", &err), OK);
    for (size_t n = 0; n <= whole.len; n++) {
        /* Of its own, so that a sanitizer sees a read past its end. */
        unsigned char *part = mem_calloc(n, 1);
        assert_non_null(part);
        memcpy(part, whole.data, n);
        enum status status = gguf_parse(&g, part, n, "x.gguf", &err);
        if (status == OK)
            gguf_close(g);
        else
            assert_int_equal(status, ERR_FORMAT);
        n_bad += status != OK;
        mem_free(part);
    }
    /* 20 bytes of tensor c end at 980 of 1024. */
    assert_int_equal(whole.len, 1024);
    assert_int_equal(n_bad, 980);
    buf_free(&whole);
}

static void test_absent(void **state)
{
    (void)state;
    struct gguf *g = NULL;
    struct err err = {0};
    assert_int_equal(gguf_open(&g, FOLDER "/absent.gguf", &err), ERR_IO);
    assert_int_equal(
        gguf_open(&g, TEST_DATA "/safetensors/f32.safetensors", &err),
        ERR_FORMAT);
    assert_null(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),   cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_arrays),    cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_truncated), cmocka_unit_test(test_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
