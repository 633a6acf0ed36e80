/*
 * test_words.c - splitting any text, writing sentences.
 */
#include "rig.h"

#include <string.h>

#include "base/rng.h"
#include "world/words.h"

static void check_split(const char *text, const char *const *want, size_t n)
{
    const char *at = text;
    const char *end = text + strlen(text);
    struct word w;
    for (size_t i = 0; i < n; i++) {
        assert_true(words_next(&w, &at, end));
        assert_true(words_is(w, want[i]));
    }
    assert_false(words_next(&w, &at, end));
    assert_int_equal(words_count(text, strlen(text)), n);
}

static void test_split(void **state)
{
    (void)state;
    const char *const order[] = {"order", "#", "Q", "4", "05", ".", "ok"};
    check_split("order #Q4 05. ok", order, 7);
    const char *const run[] = {"a", "B", "C", "d", "12", "e"};
    check_split(" aBCd12e\n", run, 6);
    const char *const euro[] = {"\xe2\x82\xac", "5", "\xff", "x", "\xe2"};
    check_split("\xe2\x82\xac"
                "5 \xff"
                "x\xe2",
                euro, 5);
    const char *const tags[] = {"<", "eos", ">", "'"};
    check_split("<eos>'", tags, 4);
    check_split("", NULL, 0);
    check_split(" \t\r\n", NULL, 0);
}

static void test_write(void **state)
{
    (void)state;
    const struct words_slots slots = {.letter = 'Q',
                                      .digit = '4',
                                      .product = "lamp",
                                      .amount = "35",
                                      .status = "still have",
                                      .number = 5};
    struct buf b;
    buf_init(&b, 1000);
    buf_puts(&b, "> ");
    words_write(&b, b.len, "hi ,", &slots);
    words_write(&b, 2, "", &slots);
    words_write(&b, 2, "the <prod> of <ord> . <n> days , <amt> ? i <st> !",
                &slots);
    assert_string_equal(buf_text(&b),
                        "> hi, the lamp of #Q4. 05 days, $35? i still have!");
    buf_free(&b);
}

/* Any bytes: words never overlap, leave the text or hold a space, and what
 * lies between them is space. */
static void test_split_any_bytes(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 3, RNG_TEST, 0, 0);
    for (int round = 0; round < 2000; round++) {
        char text[64] = {0};
        size_t len = rng_below(&r, sizeof text);
        for (size_t i = 0; i < len; i++)
            text[i] = (char)rng_below(&r, 256);
        const char *at = text;
        const char *last = text;
        struct word w;
        while (words_next(&w, &at, text + len)) {
            assert_true(w.len > 0 && w.text >= last);
            for (; last < w.text; last++)
                assert_non_null(memchr(" \t\n\v\f\r", *last, 6));
            last += w.len;
            assert_true(last == at && last <= text + len);
        }
        for (; last < text + len; last++)
            assert_non_null(memchr(" \t\n\v\f\r", *last, 6));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_split_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
