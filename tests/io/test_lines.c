/* test_lines.c - lines across pieces, blank ones, limits, compressed files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "io/lines.h"

static struct lines open_text(const char *text, size_t len, size_t max)
{
    struct lines l;
    struct stream *s;
    assert_int_equal(stream_open_bytes(&s, text, len, 1 << 24, "f", NULL), OK);
    lines_init(&l, s, max);
    return l;
}

/* "number=text;" of every line, or what went wrong. */
static const char *all(const char *text, size_t max)
{
    static char out[400];
    struct lines l = open_text(text, strlen(text), max);
    struct err err = {OK, ""};
    const char *line;
    size_t len, n = 0;
    for (;;) {
        if (lines_next(&l, &line, &len, &err) != OK) {
            (void)snprintf(out + n, sizeof out - n, "%s", err.text);
            break;
        }
        if (line == NULL)
            break;
        n += (size_t)snprintf(out + n, sizeof out - n, "%zu=%.*s;", l.number,
                              (int)len, line);
    }
    /* The end stays the end. */
    if (err.code == OK) {
        assert_int_equal(lines_next(&l, &line, &len, NULL), OK);
        assert_null(line);
    }
    out[n] = err.code == OK ? '\0' : out[n];
    lines_close(&l);
    return out;
}

static void test_lines(void **state)
{
    (void)state;
    assert_string_equal(all("", 9), "");
    assert_string_equal(all("\n\n", 9), "");
    assert_string_equal(all("a", 9), "1=a;");
    assert_string_equal(all("a\n", 9), "1=a;");
    assert_string_equal(all("a\nbc\n\n \t\r\nd", 9), "1=a;2=bc;5=d;");
    assert_string_equal(all("a\r\nb\r\n", 9), "1=a\r;2=b\r;");
    assert_string_equal(all("\xEF\xBB\xBF"
                            "a\n\xEF\xBB\xBF"
                            "b",
                            9),
                        "1=a;2=\xEF\xBB\xBF"
                        "b;");
    assert_string_equal(all("\xEF\xBB\xBF", 9), "");
    assert_string_equal(all("\xEF\xBB\n", 9), "1=\xEF\xBB;");
}

static void test_limit(void **state)
{
    (void)state;
    assert_string_equal(all("abc\nd", 3), "1=abc;2=d;");
    assert_string_equal(all("a\nabc", 3), "1=a;2=abc;");
    assert_string_equal(all("a\nabcd\ne", 3),
                        "1=a;f:2: line of more than 3 bytes");
    assert_string_equal(all("a\nabcd", 3),
                        "1=a;f:2: line of more than 3 bytes");
}

#define BIG ((size_t)700000)

/* Lines of random lengths, some longer than a piece of the stream, plain and
 * compressed, against a plain walk. */
static void check_random(const char *text, const void *data, size_t len)
{
    struct lines l = open_text(data, len, BIG);
    const char *line, *at = text, *end = text + BIG;
    size_t n;
    for (;;) {
        assert_int_equal(lines_next(&l, &line, &n, NULL), OK);
        while (at < end && *at == '\n')
            at++;
        if (line == NULL)
            break;
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop != NULL ? stop : end;
        assert_int_equal(n, stop - at);
        assert_memory_equal(line, at, n);
        at = stop;
    }
    assert_ptr_equal(at, end);
    lines_close(&l);
}

static void test_random(void **state)
{
    (void)state;
    char *text = mem_calloc(BIG, 1);
    size_t room = ZSTD_compressBound(BIG);
    void *packed = mem_calloc(room, 1);
    assert_true(text != NULL && packed != NULL);
    for (uint32_t i = 0; i < 40; i++) {
        struct rng r;
        rng_init(&r, 1, RNG_TEST, 5, i);
        uint32_t most = 1U << rng_below(&r, 19);
        for (size_t k = 0, next = 0; k < BIG; k++) {
            text[k] = k == next ? '\n' : (char)('a' + k % 26);
            if (k == next)
                next += 1 + rng_below(&r, most);
        }
        check_random(text, text, BIG);
        size_t n = ZSTD_compress(packed, room, text, BIG, 1);
        check_random(text, packed, n);
    }
    mem_free(text);
    mem_free(packed);
}

static void test_failures(void **state)
{
    (void)state;
    struct lines l = {.stream = NULL};
    struct err err = {OK, ""};
    assert_int_equal(lines_open(&l, "/nonexistent/x", 9, &err), ERR_MISSING);
    lines_close(&l);

    /* A line that goes on in a second piece has to be held. */
    char *text = mem_calloc(BIG, 1);
    void *packed = mem_calloc(BIG, 1);
    assert_true(text != NULL && packed != NULL);
    memset(text, 'a', BIG);
    size_t n = ZSTD_compress(packed, BIG, text, BIG, 1);
    const char *line;
    size_t len;
    l = open_text(packed, n, BIG);
    mem_fail_at(1); // the stream's own comes first
    assert_int_equal(lines_next(&l, &line, &len, &err), ERR_MEMORY);
    mem_fail_at(-1);
    lines_close(&l);

    l = open_text(packed, n - 1, BIG);
    assert_int_equal(lines_next(&l, &line, &len, &err), ERR_FORMAT);
    lines_close(&l);
    mem_free(text);
    mem_free(packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
