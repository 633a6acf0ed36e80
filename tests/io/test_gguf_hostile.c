/*
 * test_gguf_hostile.c - files made by hand: some odd but good, the others to
 * be refused with the key or tensor named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "io/gguf.h"

/* ---- files made by hand ------------------------------------------------- */

static struct buf file;

static void put(const void *data, size_t n)
{
    buf_append(&file, data, n);
}

static void put32(uint32_t x)
{
    put(&x, sizeof x);
}

static void put64(uint64_t x)
{
    put(&x, sizeof x);
}

static void put_text(const char *text)
{
    put64(strlen(text));
    buf_puts(&file, text);
}

/* A new file; magic, version 3 and the two counts. */
static void begin(uint64_t n_tensor, uint64_t n_key)
{
    buf_free(&file);
    buf_init(&file, 1 << 24);
    buf_puts(&file, "GGUF");
    put32(3);
    put64(n_tensor);
    put64(n_key);
}

static void put_key(const char *key, uint32_t type)
{
    put_text(key);
    put32(type);
}

static void put_array(const char *key, uint32_t type, uint64_t n)
{
    put_key(key, GGUF_ARRAY);
    put32(type);
    put64(n);
}

/* A tensor of one dimension; type 0 is F32. */
static void put_tensor(const char *name, uint64_t n, uint32_t type,
                       uint64_t offset)
{
    put_text(name);
    put32(1);
    put64(n);
    put32(type);
    put64(offset);
}

/* Up to a multiple of 32, then n bytes of data. */
static void put_data(size_t n)
{
    while (file.len % 32 != 0)
        buf_putc(&file, 0);
    for (size_t i = 0; i < n; i++)
        buf_putc(&file, (char)i);
}

static enum status parse(struct gguf **g, struct err *err)
{
    assert_int_equal(file.code, OK);
    return gguf_parse(g, (const unsigned char *)file.data, file.len, "x.gguf",
                      err);
}

static struct gguf *good(void)
{
    struct gguf *g = NULL;
    struct err err = {0};
    if (parse(&g, &err) != OK)
        fail_msg("%s", err.text);
    return g;
}

/* The file is refused with these words (after its name). */
static void refused(const char *want)
{
    struct gguf *g = NULL;
    struct err err = {0};
    enum status status = parse(&g, &err);
    assert_int_equal(status, ERR_FORMAT);
    assert_null(g);
    assert_memory_equal(err.text, "x.gguf: ", 8);
    assert_string_equal(err.text + 8, want);
}

/* ---- files that are odd but fine ---------------------------------------- */

static void test_least(void **state)
{
    (void)state;
    begin(0, 0);
    struct gguf *g = good();
    assert_int_equal(gguf_n_keys(g), 0);
    assert_int_equal(gguf_kind_of(g, "x"), GGUF_IS_ABSENT);
    assert_null(gguf_find(g, "x"));
    gguf_close(g);
    gguf_close(NULL);
    begin(0, 0);
    file.data[4] = 2; // the version before counts the same
    gguf_close(good());
    /* A scalar, an empty tensor in the same place, a hole, no padding at the
     * end; data may be missing altogether when no tensor has any. */
    begin(3, 0);
    put_tensor("empty", 0, 0, 0);
    put_text("scalar");
    put32(0);
    put32(0);
    put64(0);
    put_tensor("later", 1, 0, 96);
    put_data(100);
    g = good();
    assert_int_equal(gguf_find(g, "scalar")->count, 1);
    assert_int_equal(gguf_find(g, "scalar")->n_dim, 0);
    assert_int_equal(gguf_find(g, "later")->data[0], 96);
    gguf_close(g);
    begin(1, 0);
    put_tensor("empty", 0, 8, 0);
    gguf_close(good());
}

/* ---- hostile files ------------------------------------------------------ */

static void test_header(void **state)
{
    (void)state;
    begin(0, 0);
    file.data[0] = 'X';
    refused("not a GGUF file");
    begin(0, 0);
    file.len = 3;
    refused("not a GGUF file");
    begin(0, 0);
    file.data[4] = 1;
    refused("GGUF version 1; 2 and 3 are read");
    begin(0, 0);
    memcpy(file.data + 4, "\0\0\0\3", 4);
    refused("GGUF file is big-endian");
    begin(UINT64_MAX, 0);
    refused("header 'GGUF': count of 18446744073709551615 at byte 8, file "
            "has 24");
    begin(0, 1);
    refused("header 'GGUF': count of 1 at byte 16, file has 24");
    begin(0, 70000);
    for (int i = 0; i < 70000; i++)
        put("0123456789abc", 13);
    refused("0 tensors and 70000 keys, at most 131072 and 65536");
}

static void test_metadata(void **state)
{
    (void)state;
    begin(0, 1);
    put64(UINT64_MAX);
    put("0123456789", 10);
    refused("key 'GGUF': count of 18446744073709551615 at byte 24, file has "
            "42");
    begin(0, 1);
    put_key("", GGUF_U8);
    put("12", 2);
    refused("key '': key of 0 bytes, 1 to 65535 are allowed");
    begin(0, 1);
    put_key("k", 13);
    put("1", 1);
    refused("key 'k': unknown type 13");
    begin(0, 1);
    put_array("k", 13, 0);
    refused("key 'k': unknown type 13 of items");
    begin(0, 1);
    put_key("k", GGUF_BOOL);
    put("\2", 1);
    refused("key 'k': bool of 2");
    begin(0, 1);
    put_key("k", GGUF_U64);
    put32(0);
    refused("key 'k': 8 bytes at byte 37, file has 41");
    begin(0, 1);
    put_array("k", GGUF_U64, (UINT64_MAX >> 3) + 2); // 8 n overflows to 8
    put64(0);
    refused("key 'k': count of 2305843009213693953 at byte 41, file has 57");
    begin(0, 1);
    put_array("k", GGUF_TEXT, 3); // each takes at least 8
    put64(0);
    put64(0);
    refused("key 'k': count of 3 at byte 41, file has 65");
    begin(0, 1);
    put_array("k", GGUF_TEXT, 2);
    put64(1); // eats a byte of the length that follows
    put64(5);
    refused("key 'k': 8 bytes at byte 58, file has 65");
}

static void test_keys(void **state)
{
    (void)state;
    begin(0, 3);
    for (int i = 0; i < 3; i++) {
        put_key(i == 1 ? "other" : "same", GGUF_U8);
        put("1", 1);
    }
    refused("key 'same' is there twice");
    /* A key that begins like another is another. */
    begin(0, 2);
    put_key("same", GGUF_U8);
    put("1", 1);
    put_key("sam", GGUF_U8);
    put("2", 1);
    struct gguf *g = good();
    assert_int_equal(gguf_get_int(g, "same", 0), '1');
    assert_int_equal(gguf_get_int(g, "sam", 0), '2');
    gguf_close(g);
}

/* An array holds `depth` levels of arrays of one. */
static void nest(int depth)
{
    begin(0, 1);
    put_key("k", GGUF_ARRAY);
    for (int i = 1; i < depth; i++) {
        put32(GGUF_ARRAY);
        put64(1);
    }
    put32(GGUF_U8);
    put64(1);
    put("1", 1);
}

static void test_nesting(void **state)
{
    (void)state;
    nest(3);
    gguf_close(good());
    nest(4);
    refused("key 'k': arrays nest deeper than 3");
    nest(100000);
    refused("key 'k': arrays nest deeper than 3");
    begin(0, 1);
    put_array("k", GGUF_ARRAY, 1000000); // each takes at least 12
    for (int i = 0; i < 1000; i++)
        put64(0);
    refused("key 'k': count of 1000000 at byte 41, file has 8049");
}

static void test_alignment(void **state)
{
    (void)state;
    static const struct {
        uint32_t value;
        const char *want;
    } cases[] = {
        {0, "key 'general.alignment' is 0, 1 to 1048576 are allowed"},
        {48, "key 'general.alignment' is 48, not a power of two"},
        {1u << 21, "key 'general.alignment' is 2097152, 1 to 1048576 are "
                   "allowed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(0, 1);
        put_key("general.alignment", GGUF_U32);
        put32(cases[i].value);
        refused(cases[i].want);
    }
    begin(0, 1);
    put_key("general.alignment", GGUF_TEXT);
    put_text("32");
    refused("key 'general.alignment' is a text, not an integer");
}

static void one_tensor(uint64_t n, uint32_t type, uint64_t offset, size_t len)
{
    begin(1, 0);
    put_tensor("t", n, type, offset);
    put_data(len);
}

static void test_places(void **state)
{
    (void)state;
    one_tensor(8, 0, 0, 32);
    gguf_close(good());
    one_tensor(8, 0, 0, 31);
    refused("tensor 't': 32 bytes at 0, data has 31");
    one_tensor(8, 0, 32, 63);
    refused("tensor 't': 32 bytes at 32, data has 63");
    one_tensor(8, 0, UINT64_MAX - 31, 64); // the end overflows to 0
    refused("tensor 't': 32 bytes at 18446744073709551584, data has 64");
    one_tensor(8, 0, 16, 64);
    refused("tensor 't': offset 16 is not a multiple of 32");
    begin(3, 0);
    put_tensor("a", 8, 0, 64);
    put_tensor("b", 9, 0, 0);
    put_tensor("c", 8, 0, 32);
    put_data(96);
    refused("tensors 'b' and 'c' overlap");
    begin(2, 0);
    put_tensor("a", 8, 0, 0);
    put_tensor("b", 8, 0, 0);
    put_data(32);
    refused("tensors 'a' and 'b' overlap");
    begin(3, 0);
    put_tensor("a", 8, 0, 0);
    put_tensor("b", 8, 0, 32);
    put_tensor("a", 8, 0, 64);
    put_data(96);
    refused("tensor 'a' is there twice");
}

static void test_shapes(void **state)
{
    (void)state;
    one_tensor(UINT64_MAX, 0, 0, 32);
    refused("tensor 't': shape is too large");
    one_tensor((UINT64_MAX >> 2) + 2, 0, 0, 32); // 4 n overflows to 4
    refused("tensor 't': shape is too large");
    begin(1, 0);
    put_text("t");
    put32(2);
    put64((uint64_t)1 << 32);
    put64((uint64_t)1 << 32);
    put32(0);
    put64(0);
    put_data(32);
    refused("tensor 't': shape is too large");
    one_tensor(33, 8, 0, 64);
    refused("tensor 't': rows of 33 values, but Q8_0 has blocks of 32");
    one_tensor(8, 4, 0, 32);
    refused("tensor 't': unknown type 4");
    one_tensor(8, 4000000000u, 0, 32);
    refused("tensor 't': unknown type 4000000000");
    begin(1, 0);
    put_text("t");
    put32(9);
    for (int i = 0; i < 12; i++)
        put64(1);
    refused("tensor 't' has 9 dimensions, at most 8");
    begin(1, 0);
    put_tensor("", 8, 0, 0);
    put_data(32);
    refused("tensor '': name of 0 bytes, 1 to 255 are allowed");
    begin(1, 0);
    put_text("t!");
    file.data[file.len - 1] = '\0';
    put32(0);
    put32(0);
    put64(0);
    put_data(32);
    refused("tensor 't': name has a NUL in it");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_least),    cmocka_unit_test(test_header),
        cmocka_unit_test(test_metadata), cmocka_unit_test(test_keys),
        cmocka_unit_test(test_nesting),  cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_places),   cmocka_unit_test(test_shapes),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&file);
    return failed;
}
