/*
 * test_gguf_write.c - what the gguf package writes, written byte for byte, and
 * files copied from others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "io/gguf_write.h"

#define GOLDEN TEST_DATA "/gguf/written.gguf"

static char dir[] = "/tmp/test_gguf_write.XXXXXX";

static const char *at(const char *name)
{
    static char path[FILE_PATH_MAX];
    struct err err = {0};
    assert_int_equal(file_join(path, dir, name, &err), OK);
    return path;
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    return file_remove(dir, NULL) == OK ? 0 : -1;
}

/* Nothing is in the folder but the file `name` (NULL: nothing at all). */
static void check_folder(const char *name)
{
    struct file_list list;
    struct err err = {0};
    assert_int_equal(file_list(&list, dir, &err), OK);
    assert_int_equal(list.n, name != NULL);
    if (name != NULL) {
        assert_string_equal(list.name[0], name);
        assert_int_equal(file_remove(at(name), &err), OK);
    }
    file_list_free(&list);
}

static void check_same(const char *path)
{
    struct buf got, want;
    struct err err = {0};
    buf_init(&got, 1 << 20);
    buf_init(&want, 1 << 20);
    assert_int_equal(file_read(&got, path, &err), OK);
    assert_int_equal(file_read(&want, GOLDEN, &err), OK);
    assert_int_equal(got.len, want.len);
    for (size_t i = 0; i < want.len; i++)
        if (got.data[i] != want.data[i])
            fail_msg("byte %zu is %d, want %d", i, got.data[i], want.data[i]);
    buf_free(&got);
    buf_free(&want);
}

/* ---- the package's file ------------------------------------------------- */

static void put_metadata(struct gguf_writer *w)
{
    static const struct gguf_text texts[] = {{"", 0}, {"a", 1}, {"\n\n", 2}};
    gguf_put_text(w, "general.architecture", "llama");
    gguf_put_int(w, "u8", GGUF_U8, 255);
    gguf_put_int(w, "i8", GGUF_I8, -128);
    gguf_put_int(w, "u16", GGUF_U16, 65535);
    gguf_put_int(w, "i16", GGUF_I16, -2);
    gguf_put_int(w, "u32", GGUF_U32, 4294967295);
    gguf_put_int(w, "i32", GGUF_I32, -3);
    gguf_put_int(w, "u64", GGUF_U64, INT64_MAX);
    gguf_put_int(w, "i64", GGUF_I64, -4);
    gguf_put_real(w, "f32", GGUF_F32, 0.1);
    gguf_put_real(w, "f64", GGUF_F64, 0.1);
    gguf_put_bool(w, "yes", true);
    gguf_put_bool(w, "no", false);
    gguf_put_text(w, "text", "na\u00efve");
    gguf_put_texts(w, "texts", texts, 3);
    gguf_put_ints(w, "ints", (int32_t[]){-1, 0, 7}, 3);
    gguf_put_reals(w, "reals", (float[]){0.5f, -2.25f}, 2);
}

static void put_tensors(struct gguf_writer *w)
{
    static const size_t dim[] = {3, 64}, five = 5;
    gguf_put_tensor(w, "F32", TENSOR_F32, 2, dim);
    gguf_put_tensor(w, "vector", TENSOR_F32, 1, &five);
    gguf_put_tensor(w, "F16", TENSOR_F16, 2, dim);
    gguf_put_tensor(w, "BF16", TENSOR_BF16, 2, dim);
    gguf_put_tensor(w, "Q8_0", TENSOR_Q8_0, 2, dim);
}

/* Values in pieces of `step`. */
static enum status put_values(struct gguf_writer *w, const float *x,
                              size_t step, struct err *err)
{
    TRY(gguf_put_values(w, x, 192, err));
    TRY(gguf_put_values(w, x, 5, err));
    for (int k = 0; k < 3; k++)
        for (size_t i = 0; i < 192; i += step)
            TRY(gguf_put_values(w, x + i, step, err));
    return OK;
}

static void test_golden(void **state)
{
    (void)state;
    static const size_t steps[] = {192, 32, 96};
    struct gguf *golden;
    struct err err = {0};
    float x[192];
    assert_int_equal(gguf_open(&golden, GOLDEN, &err), OK);
    assert_int_equal(tensor_floats(x, gguf_find(golden, "F32"), 0, 192, &err),
                     OK);
    gguf_close(golden);
    for (size_t i = 0; i < 3; i++) {
        struct gguf_writer *w;
        assert_int_equal(gguf_create(&w, at("x.gguf"), &err), OK);
        put_metadata(w);
        put_tensors(w);
        assert_int_equal(gguf_finish(w, put_values(w, x, steps[i], &err), &err),
                         OK);
        check_same(at("x.gguf"));
        check_folder("x.gguf");
    }
}

/* ---- copies ------------------------------------------------------------- */

/* All keys of a file, its tensors as values of the types they have. */
static void test_copy(void **state)
{
    (void)state;
    struct gguf *g;
    struct gguf_writer *w;
    struct err err = {0};
    enum status status = OK;
    float x[192];
    assert_int_equal(gguf_open(&g, GOLDEN, &err), OK);
    assert_int_equal(gguf_create(&w, at("x.gguf"), &err), OK);
    for (size_t i = 0; i < gguf_n_keys(g); i++)
        gguf_put_copy(w, g, i);
    put_tensors(w);
    for (size_t i = 0; status == OK && i < gguf_n_tensors(g); i++) {
        const struct tensor_view *t = gguf_tensor(g, i);
        status = tensor_floats(x, t, 0, t->count, &err);
        if (status == OK)
            status = gguf_put_values(w, x, t->count, &err);
    }
    assert_int_equal(gguf_finish(w, status, &err), OK);
    check_same(at("x.gguf"));
    check_folder("x.gguf");
    gguf_close(g);
}

/* Every kind of array goes along; the alignment of another file does not. */
static void test_copy_all(void **state)
{
    (void)state;
    struct gguf *g, *copy = NULL;
    struct gguf_writer *w;
    struct err err = {0};
    assert_int_equal(gguf_open(&g, TEST_DATA "/gguf/metadata.gguf", &err), OK);
    assert_int_equal(gguf_create(&w, at("x.gguf"), &err), OK);
    for (size_t i = 0; i < gguf_n_keys(g); i++)
        gguf_put_copy(w, g, i);
    assert_int_equal(gguf_finish(w, OK, &err), OK);
    assert_int_equal(gguf_open(&copy, at("x.gguf"), &err), OK);
    assert_int_equal(gguf_n_keys(copy), gguf_n_keys(g) - 1);
    assert_int_equal(gguf_kind_of(copy, "general.alignment"), GGUF_IS_ABSENT);
    assert_int_equal(gguf_kind_of(copy, "array.array"), GGUF_IS_ARRAY);
    assert_int_equal(gguf_get_int(copy, "i64", 0), INT64_MIN);
    gguf_close(copy);
    gguf_close(g);
    check_folder("x.gguf");
}

/* ---- odd ones ----------------------------------------------------------- */

static void test_empty(void **state)
{
    (void)state;
    static const size_t dim[] = {0, 32};
    struct gguf *g;
    struct gguf_writer *w;
    struct err err = {0};
    float one = 1;
    assert_int_equal(gguf_create(&w, at("x.gguf"), &err), OK);
    assert_int_equal(gguf_finish(w, OK, &err), OK);
    assert_int_equal(gguf_open(&g, at("x.gguf"), &err), OK);
    gguf_close(g);
    assert_int_equal(gguf_create(&w, at("x.gguf"), &err), OK);
    gguf_put_texts(w, "none", NULL, 0);
    gguf_put_tensor(w, "a", TENSOR_Q8_0, 2, dim);
    gguf_put_tensor(w, "b", TENSOR_F32, 0, NULL);
    gguf_put_tensor(w, "c", TENSOR_F16, 2, dim);
    assert_int_equal(gguf_finish(w, gguf_put_values(w, &one, 1, &err), &err),
                     OK);
    assert_int_equal(gguf_open(&g, at("x.gguf"), &err), OK);
    assert_int_equal(gguf_find(g, "a")->count, 0);
    one = 0;
    assert_int_equal(tensor_floats(&one, gguf_find(g, "b"), 0, 1, &err), OK);
    assert_true(one == 1);
    gguf_close(g);
    check_folder("x.gguf");
}

/* Nothing is left of a file that failed. */
static void test_failure(void **state)
{
    (void)state;
    static const size_t dim = 32;
    struct gguf_writer *w = NULL;
    struct err err = {0};
    float x[32] = {[5] = NAN};
    assert_int_equal(gguf_create(&w, "/nonexistent/x.gguf", &err), ERR_IO);
    assert_null(w);
    assert_int_equal(gguf_create(&w, at("x.gguf"), &err), OK);
    gguf_put_tensor(w, "blk.0.w", TENSOR_Q8_0, 1, &dim);
    assert_int_equal(gguf_finish(w, gguf_put_values(w, x, 32, &err), &err),
                     ERR_NUMERIC);
    assert_string_equal(err.text,
                        "tensor 'blk.0.w': a value is not finite as Q8_0");
    check_folder(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),   cmocka_unit_test(test_copy),
        cmocka_unit_test(test_copy_all), cmocka_unit_test(test_empty),
        cmocka_unit_test(test_failure),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
