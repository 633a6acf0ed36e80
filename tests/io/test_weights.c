/*
 * test_weights.c - models in one file, in shards and as GGUF; what an index
 * may not say; and that loading takes hardly more than the values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "io/weights.h"

static char dir[] = "/tmp/test_weights.XXXXXX";

static const char *at(const char *name)
{
    static char path[FILE_PATH_MAX];
    struct err err = {0};
    assert_int_equal(file_join(path, dir, name, &err), OK);
    return path;
}

static void write_text(const char *name, const char *text)
{
    struct err err = {0};
    assert_int_equal(file_write(at(name), text, strlen(text), &err), OK);
}

/* A shard with tensors called after the letters of `names`, each of the two
 * values v and -v, v from its letter. */
static void write_shard(const char *file, const char *names)
{
    struct tensor_out t[8] = {0};
    float data[8][2];
    char name[8][2] = {""};
    size_t n = strlen(names);
    struct err err = {0};
    for (size_t i = 0; i < n; i++) {
        name[i][0] = names[i];
        data[i][0] = (float)names[i];
        data[i][1] = -(float)names[i];
        t[i] = (struct tensor_out){
            .name = name[i], .n_dim = 1, .dim = {2}, .data = data[i]};
    }
    assert_int_equal(safetensors_write(at(file), t, n, &err), OK);
}

static void check_tensor(const struct weights *w, const char *name)
{
    float x[2];
    uint16_t half[2];
    struct err err = {0};
    const struct tensor_view *t = weights_find(w, name);
    assert_non_null(t);
    assert_string_equal(t->name, name);
    assert_int_equal(weights_floats(x, w, t, &err), OK);
    assert_true(x[0] == (float)name[0] && x[1] == -(float)name[0]);
    assert_int_equal(weights_bf16(half, w, t, &err), OK);
    assert_int_equal(half[1] - half[0], 0x8000);
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

/* ---- where tensors lie -------------------------------------------------- */

#define MAP(entries) "{\"metadata\":{},\"weight_map\":{" entries "}}"

static void write_model(void)
{
    write_shard("1.safetensors", "ca");
    write_shard("2.safetensors", "b");
    write_text("model.safetensors.index.json",
               MAP("\"c\":\"1.safetensors\",\"b\":\"2.safetensors\","
                   "\"a\":\"1.safetensors\""));
}

static void test_shards(void **state)
{
    (void)state;
    struct weights w;
    struct err err = {0};
    write_model();
    if (weights_open(&w, dir, &err) != OK)
        fail_msg("%s", err.text);
    assert_null(weights_gguf(&w));
    assert_int_equal(w.n, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(weights_at(&w, i)->name[0], (char)('a' + (int)i));
    check_tensor(&w, "a");
    check_tensor(&w, "b");
    check_tensor(&w, "c");
    check_tensor(&w, "a"); // once more, after its memory was given back
    assert_null(weights_find(&w, "d"));
    assert_string_equal(weights_path(&w, weights_find(&w, "b")),
                        at("2.safetensors"));
    weights_close(&w);
    weights_close(&w);
}

static void test_single(void **state)
{
    (void)state;
    struct weights w;
    struct err err = {0};
    write_shard("model.safetensors", "xy"); // goes before an index
    assert_int_equal(weights_open(&w, dir, &err), OK);
    assert_int_equal(w.n, 2);
    check_tensor(&w, "y");
    weights_close(&w);
    assert_int_equal(weights_open(&w, at("model.safetensors"), &err), OK);
    check_tensor(&w, "x");
    weights_close(&w);
    assert_int_equal(file_remove(at("model.safetensors"), &err), OK);
}

static void test_gguf(void **state)
{
    (void)state;
    struct weights w;
    struct err err = {0};
    float x[24];
    assert_int_equal(weights_open(&w, TEST_DATA "/gguf/metadata.gguf", &err),
                     OK);
    assert_int_equal(gguf_get_int(weights_gguf(&w), "u8", 0), 255);
    assert_int_equal(w.n, 3);
    const struct tensor_view *t = weights_find(&w, "b");
    assert_int_equal(weights_floats(x, &w, t, &err), OK);
    assert_true(x[23] == 23);
    t = weights_find(&w, "c");
    assert_int_equal(weights_floats(x, &w, t, &err), ERR_MISMATCH);
    assert_string_equal(err.text, TEST_DATA "/gguf/metadata.gguf: tensor 'c' "
                                            "is I32, which is not read");
    weights_done(&w, t, 0, t->count);
    weights_close(&w);
}

/* ---- what is refused ---------------------------------------------------- */

static void refused(const char *path, enum status want, const char *text)
{
    struct weights w;
    struct err err = {0};
    memset(&w, 0x5a, sizeof w);
    assert_int_equal(weights_open(&w, path, &err), want);
    if (strstr(err.text, text) == NULL)
        fail_msg("'%s' where '%s' was expected", err.text, text);
    assert_int_equal(w.n, SIZE_MAX / 255 * 0x5a); // left alone
}

static void test_index(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"{}", "no weight_map"},
        {MAP(""), "no weight_map"},
        {"{\"weight_map\":[]}", "no weight_map"},
        {"[[[[]]]]", "nests deeper than 3"},
        {"{\"weight_map\":", "index.json"},
        {MAP("\"a\":1"), "tensor 'a': '' is not a plain file name"},
        {MAP("\"a\":\"../1.safetensors\""),
         "tensor 'a': '../1.safetensors' is not a plain file name"},
        {MAP("\"a\":\"/etc/passwd\""), "'/etc/passwd' is not a plain"},
        {MAP("\"a\":\"..\""), "'..' is not a plain file name"},
        {MAP("\"a\":\"x/1.safetensors\""), "is not a plain file name"},
        {MAP("\"a\":\"2.safetensors\""), "no tensor 'a'"},
        {MAP("\"a\":\"1.safetensors\",\"b\":\"1.safetensors\""),
         "no tensor 'b'"},
        {MAP("\"b\":\"1.safetensors\",\"a\":\"2.safetensors\""),
         "1.safetensors has no tensor 'b'"},
        {MAP("\"a\":\"1.safetensors\",\"x\":\"3.safetensors\""),
         "tensor 'a' is in "},
        {MAP("\"a\":\"4.safetensors\""), "4.safetensors: "},
    };
    write_model();
    write_shard("3.safetensors", "xa");
    write_text("4.safetensors", "short");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text("model.safetensors.index.json", cases[i].text);
        refused(dir, ERR_FORMAT, cases[i].want);
    }
    write_text("model.safetensors.index.json",
               MAP("\"a\":\"absent.safetensors\""));
    refused(dir, ERR_MISSING, "absent.safetensors does not exist");
}

static void test_missing(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(file_make_dir(at("empty"), &err), OK);
    refused(at("empty"), ERR_MISSING,
            "has no model.safetensors and no model.safetensors.index.json");
    refused(at("absent"), ERR_MISSING, "does not exist");
    write_text("x.gguf", "GGML");
    refused(at("x.gguf"), ERR_FORMAT, "x.gguf: not a GGUF file");
    /* A key split.count of 2, as u16. */
    static const char part[] = "GGUF\3\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0"
                               "\13\0\0\0\0\0\0\0split.count\2\0\0\0\2";
    assert_int_equal(file_write(at("x.gguf"), part, sizeof part, &err), OK);
    refused(at("x.gguf"), ERR_MISMATCH, "x.gguf: one of 2 files; merge");
}

static void test_not_finite(void **state)
{
    (void)state;
    static const float values[] = {NAN, -INFINITY, 3.4e38f};
    struct weights w;
    struct err err = {0};
    for (size_t i = 0; i < 3; i++) {
        float x[40] = {0};
        uint16_t half[40];
        const struct tensor_out t = {
            .name = "v", .n_dim = 1, .dim = {40}, .data = x};
        x[39] = values[i];
        assert_int_equal(
            safetensors_write(at("model.safetensors"), &t, 1, &err), OK);
        assert_int_equal(weights_open(&w, dir, &err), OK);
        const struct tensor_view *v = weights_find(&w, "v");
        assert_int_equal(weights_floats(x, &w, v, &err),
                         i < 2 ? ERR_MISMATCH : OK); // fits a float only
        assert_int_equal(weights_bf16(half, &w, v, &err), ERR_MISMATCH);
        assert_non_null(strstr(err.text, "model.safetensors: tensor 'v' has a "
                                         "value that is not finite"));
        weights_close(&w);
    }
    assert_int_equal(file_remove(at("model.safetensors"), &err), OK);
}

/* ---- memory ------------------------------------------------------------- */

#define MODEL ((size_t)128 << 20)

static size_t peak(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (size_t)usage.ru_maxrss * 1024;
}

/*
 * A tensor as large as a model: 128 MiB of F32, a hole in a file.  At its
 * peak the process holds no more than 1.2 times the values; with the map kept
 * it would hold twice of them.  (Sanitizers add an eighth.)
 */
static void test_memory(void **state)
{
    (void)state;
    static const char header[] = "{\"x\":{\"dtype\":\"F32\",\"shape\":"
                                 "[32,1048576],\"data_offsets\":"
                                 "[0,134217728]}}";
    struct weights w;
    struct err err = {0};
    uint64_t len = sizeof header - 1;
    int fd = open(at("big.safetensors"), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, &len, sizeof len), sizeof len);
    assert_int_equal(write(fd, header, len), (ssize_t)len);
    assert_int_equal(ftruncate(fd, (off_t)(8 + len + MODEL)), 0);
    close(fd);
    size_t before = peak();
    assert_int_equal(weights_open(&w, at("big.safetensors"), &err), OK);
    float *x = mem_calloc(MODEL / sizeof *x, sizeof *x);
    assert_non_null(x);
    assert_int_equal(weights_floats(x, &w, weights_find(&w, "x"), &err), OK);
    assert_true(x[MODEL / sizeof *x - 1] == 0);
    size_t more = peak() - before;
    print_message("    %zu MiB at the peak for %zu MiB of values\n", more >> 20,
                  MODEL >> 20);
    assert_in_range(more, MODEL, MODEL + MODEL / 5);
    mem_free(x);
    weights_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shards),  cmocka_unit_test(test_single),
        cmocka_unit_test(test_gguf),    cmocka_unit_test(test_index),
        cmocka_unit_test(test_missing), cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
