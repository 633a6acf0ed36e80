/*
 * test_quant.c - values of every type against the gguf package's, bit for bit
 * (tests/data/gguf/quant.gguf), and the way back.
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
#include "io/gguf.h"
#include "io/half.h"

static struct gguf *golden;

static const struct tensor_view *view(const char *name)
{
    const struct tensor_view *t = gguf_find(golden, name);
    if (t == NULL)
        fail_msg("quant.gguf has no tensor %s", name);
    return t;
}

static float *floats(const struct tensor_view *t)
{
    struct err err = {0};
    float *x = mem_calloc(t->count, sizeof *x);
    assert_non_null(x);
    if (tensor_floats(x, t, 0, t->count, &err) != OK)
        fail_msg("%s", err.text);
    return x;
}

static const enum tensor_type all[] = {
    TENSOR_F16,  TENSOR_BF16, TENSOR_Q8_0, TENSOR_Q4_0, TENSOR_Q4_1,
    TENSOR_Q5_0, TENSOR_Q5_1, TENSOR_Q4_K, TENSOR_Q5_K, TENSOR_Q6_K,
};
#define N_ALL (sizeof all / sizeof *all)

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ALL; i++) {
        char name[32];
        const struct tensor_view *t = view(tensor_type_name(all[i]));
        assert_int_equal(t->type, all[i]);
        assert_string_equal(t->dtype, tensor_type_name(all[i]));
        snprintf(name, sizeof name, "%s.f32", t->name);
        const struct tensor_view *want = view(name);
        float *x = floats(t);
        assert_int_equal(t->count, want->count);
        for (size_t k = 0; k < t->count; k++)
            if (memcmp(&x[k], want->data + 4 * k, 4) != 0)
                fail_msg("%s: value %zu is %a", t->name, k, (double)x[k]);
        mem_free(x);
    }
}

/* A part of a tensor is that part of the whole, from any block on. */
static void test_parts(void **state)
{
    (void)state;
    struct err err = {0};
    for (size_t i = 0; i < N_ALL; i++) {
        const struct tensor_view *t = view(tensor_type_name(all[i]));
        size_t block = tensor_type_block(all[i]);
        float *whole = floats(t);
        for (size_t first = 0; first <= t->count; first += block) {
            float part[512];
            size_t n = t->count - first < 256 ? t->count - first : 256;
            assert_int_equal(tensor_floats(part, t, first, n, &err), OK);
            assert_memory_equal(part, whole + first, n * sizeof *part);
        }
        mem_free(whole);
    }
}

/* bf16 is the float rounded, whatever the type. */
static void test_bf16(void **state)
{
    (void)state;
    struct err err = {0};
    for (size_t i = 0; i < N_ALL; i++) {
        const struct tensor_view *t = view(tensor_type_name(all[i]));
        float *x = floats(t);
        uint16_t *got = mem_calloc(t->count, sizeof *got);
        assert_non_null(got);
        assert_int_equal(tensor_bf16(got, t, 0, t->count, &err), OK);
        for (size_t k = 0; k < t->count; k++)
            assert_int_equal(got[k], half_bf16_of_float(x[k]));
        mem_free(got);
        mem_free(x);
    }
}

/* What the package made of the same floats. */
static void check_encode(const char *from, enum tensor_type type)
{
    struct err err = {0};
    const struct tensor_view *x = view(from);
    const struct tensor_view *want = view(tensor_type_name(type));
    unsigned char *out = mem_calloc(want->len, 1);
    float *values = floats(x);
    assert_non_null(out);
    assert_int_equal(x->count, want->count);
    if (tensor_encode(out, type, values, x->count, "t", &err) != OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < want->len; i++)
        if (out[i] != want->data[i])
            fail_msg("%s: byte %zu is %d, want %d", want->name, i, out[i],
                     want->data[i]);
    mem_free(values);
    mem_free(out);
}

static void test_encode(void **state)
{
    (void)state;
    check_encode("x", TENSOR_Q8_0);
    check_encode("half.x", TENSOR_F16);
    check_encode("half.x", TENSOR_BF16);
}

/* Every 16-bit number comes back from the float it is; a float between two of
 * them becomes the nearer, halfway the even one. */
static void test_halves(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x10000; h++) {
        float x = half_to_float((uint16_t)h);
        uint32_t is_nan = (h & 0x7fff) > 0x7c00;
        assert_int_equal(isnan(x) != 0, is_nan);
        if (!is_nan)
            assert_int_equal(half_of_float(x), h);
        x = half_bf16_to_float((uint16_t)h);
        is_nan = (h & 0x7fff) > 0x7f80;
        assert_int_equal(isnan(x) != 0, is_nan);
        assert_int_equal(half_bf16_of_float(x), is_nan ? h | 0x40 : h);
    }
    for (uint32_t h = 0; h < 0x7bff; h++) {
        double low = (double)half_to_float((uint16_t)h);
        double high = (double)half_to_float((uint16_t)(h + 1));
        float middle = (float)((low + high) / 2); // exact
        assert_int_equal(half_of_float(middle), h + (h & 1));
        assert_int_equal(half_of_float(nextafterf(middle, 0)), h);
        assert_int_equal(half_of_float(-nextafterf(middle, INFINITY)),
                         (h + 1) | 0x8000);
    }
    for (uint32_t h = 0; h < 0x7f7f; h++) {
        float middle = half_bits_float(h << 16 | 0x8000);
        assert_int_equal(half_bf16_of_float(middle), h + (h & 1));
        assert_int_equal(half_bf16_of_float(nextafterf(middle, 0)), h);
        assert_int_equal(half_bf16_of_float(nextafterf(middle, INFINITY)),
                         h + 1);
    }
    assert_int_equal(half_of_float(65519.996f), 0x7bff);
    assert_int_equal(half_of_float(65520), 0x7c00);
    assert_int_equal(half_of_float(-INFINITY), 0xfc00);
    assert_int_equal(half_bf16_of_float(3.4e38f), 0x7f80);
}

static void check_refused(enum tensor_type type, float value)
{
    unsigned char out[128];
    float x[32] = {0};
    struct err err = {0};
    x[17] = value;
    assert_int_equal(tensor_encode(out, type, x, 32, "w.x", &err), ERR_NUMERIC);
    char want[80];
    snprintf(want, sizeof want, "tensor 'w.x': a value is not finite as %s",
             tensor_type_name(type));
    assert_string_equal(err.text, want);
}

static void test_not_finite(void **state)
{
    (void)state;
    static const enum tensor_type types[] = {TENSOR_F16, TENSOR_BF16,
                                             TENSOR_Q8_0};
    for (size_t i = 0; i < 3; i++) {
        check_refused(types[i], NAN);
        check_refused(types[i], INFINITY);
        check_refused(types[i], -INFINITY);
        check_refused(types[i], 3.4e38f);
    }
    check_refused(TENSOR_F16, 65520);
    check_refused(TENSOR_Q8_0, 65520.0f * 127);
}

/* Blocks so small that 1/d would not be finite are zeros. */
static void test_tiny(void **state)
{
    (void)state;
    unsigned char out[34];
    float x[32];
    struct err err = {0};
    for (int i = 0; i < 32; i++)
        x[i] = 1e-42f * (float)i;
    memset(out, 0xff, sizeof out);
    assert_int_equal(tensor_encode(out, TENSOR_Q8_0, x, 32, "t", &err), OK);
    for (size_t i = 0; i < sizeof out; i++)
        assert_int_equal(out[i], 0);
}

static int open_golden(void **state)
{
    struct err err = {0};
    (void)state;
    return gguf_open(&golden, TEST_DATA "/gguf/quant.gguf", &err) == OK ? 0
                                                                        : -1;
}

static int close_golden(void **state)
{
    (void)state;
    gguf_close(golden);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_parts),
        cmocka_unit_test(test_bf16),   cmocka_unit_test(test_encode),
        cmocka_unit_test(test_halves), cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_tiny),
    };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
