/* test_stream.c - plain, gzip and Zstandard bytes, whole and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "io/jsonl.h"
#include "io/stream.h"

#define N ((size_t)300000) // several pieces

static char plain[N];
static unsigned char packed[2][2 * N];
static size_t n_packed[2];

enum {
    GZIP,
    ZSTD
};

static size_t pack_gzip(unsigned char *out, size_t room, const char *text,
                        size_t len)
{
    z_stream z = {.zalloc = NULL};
    unsigned char *copy = mem_calloc(len, 1);
    memcpy(copy, text, len);
    assert_int_equal(
        deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = copy;
    z.avail_in = (unsigned)len;
    z.next_out = out;
    z.avail_out = (unsigned)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t n = room - z.avail_out;
    deflateEnd(&z);
    mem_free(copy);
    return n;
}

static int make(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1, RNG_TEST, 0, 0);
    for (size_t i = 0; i < N; i++)
        plain[i] = (char)('a' + rng_below(&rng, 26));
    n_packed[GZIP] = pack_gzip(packed[GZIP], 2 * N, plain, N);
    n_packed[ZSTD] = ZSTD_compress(packed[ZSTD], 2 * N, plain, N, 3);
    assert_false(ZSTD_isError(n_packed[ZSTD]));
    return 0;
}

/* All pieces, compared with `want` as far as they go. */
static enum status drain(const void *data, size_t len, uint64_t max,
                         const char *want, size_t *n, struct err *err)
{
    struct stream *s;
    const char *piece;
    size_t part;
    enum status status = OK;
    *n = 0;
    TRY(stream_open_bytes(&s, data, len, max, "f", err));
    do {
        status = stream_next(s, &piece, &part, err);
        if (status != OK)
            break;
        if (part > 0 && *n + part <= N)
            assert_memory_equal(piece, want + *n, part);
        *n += part;
    } while (part > 0);
    stream_close(s);
    return status;
}

static void test_reads(void **state)
{
    (void)state;
    size_t n;
    assert_int_equal(drain(plain, N, 0, plain, &n, NULL), OK);
    assert_int_equal(n, N);
    for (int kind = GZIP; kind <= ZSTD; kind++) {
        assert_int_equal(
            drain(packed[kind], n_packed[kind], N, plain, &n, NULL), OK);
        assert_int_equal(n, N);
    }
    assert_int_equal(drain("", 0, 0, plain, &n, NULL), OK);
    assert_int_equal(n, 0);
    /* Too short to be told is plain. */
    assert_int_equal(drain("\x1f", 1, 0, "\x1f", &n, NULL), OK);
    assert_int_equal(n, 1);
    assert_int_equal(drain("\x28\xb5\x2f", 3, 0, "\x28\xb5\x2f", &n, NULL), OK);
    assert_int_equal(n, 3);
}

static void test_members(void **state)
{
    (void)state;
    static unsigned char two[4 * N];
    for (int kind = GZIP; kind <= ZSTD; kind++) {
        size_t n, half = n_packed[kind];
        struct err err = {OK, ""};
        char *twice = mem_calloc(2 * N, 1);
        memcpy(twice, plain, N);
        memcpy(twice + N, plain, N);
        memcpy(two, packed[kind], half);
        memcpy(two + half, packed[kind], half);
        assert_int_equal(drain(two, 2 * half, 2 * N, twice, &n, NULL), OK);
        assert_int_equal(n, 2 * N);
        memcpy(two + half, "tail", 4);
        assert_int_equal(drain(two, half + 4, N, plain, &n, &err), ERR_FORMAT);
        assert_memory_equal(err.text, "f: ", 3);
        mem_free(twice);
    }
}

/* Every cut is told from the end, and no damage goes unnoticed. */
static void test_damage(void **state)
{
    (void)state;
    static unsigned char copy[2 * N];
    for (int kind = GZIP; kind <= ZSTD; kind++) {
        size_t len = n_packed[kind], n;
        for (size_t cut = 4; cut < len; cut += cut < 64 ? 1 : len / 97) {
            struct err err = {OK, ""};
            assert_int_equal(drain(packed[kind], cut, N, plain, &n, &err),
                             ERR_FORMAT);
            assert_non_null(strstr(err.text, "cut short"));
        }
        assert_int_equal(drain(packed[kind], len - 1, N, plain, &n, NULL),
                         ERR_FORMAT);
    }
    /* gzip has a checksum at its end. */
    memcpy(copy, packed[GZIP], n_packed[GZIP]);
    copy[n_packed[GZIP] - 6] ^= 1;
    size_t n;
    struct err err = {OK, ""};
    assert_int_equal(drain(copy, n_packed[GZIP], N, plain, &n, &err),
                     ERR_FORMAT);
    assert_string_equal(err.text,
                        "f: the gzip data are damaged: incorrect data check");
    copy[4] = 0xff;
    copy[3] = 0xff;
    assert_int_equal(drain(copy, n_packed[GZIP], N, plain, &n, &err),
                     ERR_FORMAT);
}

static void test_limit(void **state)
{
    (void)state;
    for (int kind = GZIP; kind <= ZSTD; kind++) {
        size_t n;
        struct err err = {OK, ""};
        assert_int_equal(
            drain(packed[kind], n_packed[kind], N - 1, plain, &n, &err),
            ERR_LIMIT);
        assert_string_equal(err.text, "f: expands to more than 299999 bytes");
        assert_true(n < N);
    }
}

/* A frame may not ask for more memory than the window allows. */
static void test_window(void **state)
{
    (void)state;
    static const unsigned char wide[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00,
                                         0xa8, 0x01, 0x00, 0x00};
    size_t n;
    struct err err = {OK, ""};
    assert_int_equal(drain(wide, sizeof wide, N, plain, &n, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "Zstandard data are damaged"));
}

static enum status count_row(void *ctx, const struct json *row, size_t line,
                             struct err *err)
{
    size_t *at = ctx;
    (void)err;
    assert_int_equal(json_int(json_get(row, "n"), -1), at[0]);
    assert_int_equal(line, 2 * at[0] + 1);
    at[0]++;
    return OK;
}

/* Rows that straddle pieces keep their numbers. */
static void test_rows(void **state)
{
    (void)state;
    char root[] = "/tmp/plumb-test-XXXXXX", path[FILE_PATH_MAX];
    assert_non_null(mkdtemp(root));
    assert_int_equal(file_join(path, root, "rows", NULL), OK);
    struct buf text;
    buf_init(&text, (size_t)64 << 20);
    for (int i = 0; i < 5000; i++)
        buf_printf(&text, "{\"n\":%d,\"pad\":\"%.*s\"}\n\n", i, i % 97, plain);
    size_t room = text.len + 1000, n;
    unsigned char *out = mem_calloc(room, 1);
    n = pack_gzip(out, room, text.data, text.len);
    for (int kind = 0; kind < 3; kind++) {
        size_t rows = 0;
        struct err err = {OK, ""};
        if (kind == 1)
            n = ZSTD_compress(out, room, text.data, text.len, 3);
        assert_int_equal(kind == 2 ? file_write(path, text.data, text.len, NULL)
                                   : file_write(path, out, n, NULL),
                         OK);
        if (jsonl_read(path, count_row, &rows, &err) != OK)
            fail_msg("%s", err.text);
        assert_int_equal(rows, 5000);
    }
    mem_free(out);
    buf_free(&text);
    struct stream *s;
    assert_int_equal(stream_open(&s, root, NULL), ERR_FORMAT);
    assert_int_equal(file_remove(root, NULL), OK);
    assert_int_equal(stream_open(&s, path, NULL), ERR_MISSING);
}

static void test_memory(void **state)
{
    (void)state;
    for (int kind = GZIP; kind <= ZSTD; kind++) {
        enum status status = ERR_MEMORY;
        long n = 0;
        for (; status != OK; n++) {
            size_t len;
            mem_fail_at(n);
            status = drain(packed[kind], n_packed[kind], N, plain, &len, NULL);
            assert_true(status == OK || status == ERR_MEMORY);
        }
        mem_fail_at(-1);
        assert_true(n > 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),  cmocka_unit_test(test_members),
        cmocka_unit_test(test_damage), cmocka_unit_test(test_limit),
        cmocka_unit_test(test_window), cmocka_unit_test(test_rows),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests_name("stream", tests, make, NULL);
}
