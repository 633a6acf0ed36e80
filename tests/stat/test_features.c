/* Features of a reply, counted by hand. */
#include "stat/features.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"

struct example {
    const char *text;
    double sentences, fourgrams;
};

static void test_repetition(void **state)
{
    static const struct example examples[] = {
        {"", 0, 0},
        {" \n\t", 0, 0},
        {"we are sorry.", 0, 0},
        /* 3 sentences, the third is the first; 11 words make 8 runs of four,
         * of which "a b c ." stands at both ends. */
        {"a b c. d e. a b c.", 1.0 / 3, 1.0 / 8},
        /* Spaces before the stop do not tell sentences apart. */
        {"yes . yes.  yes?", 1.0 / 3, 0},
        /* A tail without a stop is a sentence. */
        {"no. no", 0, 0},
        {"no no no no no no", 0, 2.0 / 3},
        {"one, two. one, two.", 1.0 / 2, 1.0 / 5},
        {"...", 2.0 / 3, 0},
        {"\xC3\xA9\xC3\xA9. \xC3\xA9\xC3\xA9.", 1.0 / 2, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        struct features_repetition r = {-1, -1};
        struct err err;
        assert_int_equal(features_repetition(&r, examples[i].text,
                                             strlen(examples[i].text), &err),
                         OK);
        if (fabs(r.sentences - examples[i].sentences) > 1e-15 ||
            fabs(r.fourgrams - examples[i].fourgrams) > 1e-15)
            fail_msg("'%s': got %g and %g, want %g and %g", examples[i].text,
                     r.sentences, r.fourgrams, examples[i].sentences,
                     examples[i].fourgrams);
    }
}

/* Text, and the features that are not zero. */
struct counted {
    const char *prompt, *reply;
    struct {
        enum features feature;
        double value;
    } want[8];
};

static const struct counted counted[] = {
    {"", "", {{0}}},
    {"", " \n\t ", {{FEATURE_CHARACTERS, 4}}},
    {"",
     "Hello, World! It's 3.50 at example.com.",
     {{FEATURE_CHARACTERS, 39},
      /* hello world it's 3 50 at example com */
      {FEATURE_WORDS, 8},
      {FEATURE_SENTENCES, 2},
      {FEATURE_CLOSED, 1}}},
    {"",
     "\xC3\x89t\xC3\xA9\xE2\x80\xA6 (\xE2\x80\x9Cno\xE2\x80\x9D "
     "\xF0\x9F\x98\x80 "
     "\xE3\x80\x82)",
     {{FEATURE_CHARACTERS, 15},
      {FEATURE_WORDS, 3},
      {FEATURE_SENTENCES, 2},
      {FEATURE_CLOSED, 1}}},
    {"",
     "# Steps\n\n- one\n* **two** and **2**\n  1. three\n12) four\n"
     "\xE2\x80\xA2 five\n-no\n1.no\n#no\n1234. no\n** not bold ** x",
     {{FEATURE_CHARACTERS, 100},
      {FEATURE_WORDS, 19},
      /* A line each, but for the empty one; "1." and "1234." are none. */
      {FEATURE_SENTENCES, 11},
      {FEATURE_LIST, 5},
      {FEATURE_BOLD, 2},
      {FEATURE_HEADER, 1},
      {FEATURE_REPEAT, 0}}},
    {"",
     "Perhaps. As far as we can tell this should most likely be fine",
     {{FEATURE_CHARACTERS, 62},
      {FEATURE_WORDS, 13},
      {FEATURE_SENTENCES, 2},
      {FEATURE_HEDGE, 3}}},
    /* "may" inside a word, "it" and "depends" in two sentences ("depends on"
     * remains), "more or" cut short. */
    {"",
     "Mayor is it. Depends on more or",
     {{FEATURE_CHARACTERS, 31},
      {FEATURE_WORDS, 7},
      {FEATURE_SENTENCES, 2},
      {FEATURE_HEDGE, 1}}},
    {"",
     "We're so SORRY, we apologise; our apologies! Thank you, we appreciate "
     "that. Great question, valued customer.",
     {{FEATURE_CHARACTERS, 108},
      {FEATURE_WORDS, 16},
      {FEATURE_SENTENCES, 3},
      {FEATURE_APOLOGY, 3},
      {FEATURE_THANKS, 4},
      {FEATURE_CLOSED, 1}}},
    /* Eleven words with their stops make 8 runs of four; the last one is the
     * first, but for its case. */
    {"",
     "a b c. d e. A B C.",
     {{FEATURE_CHARACTERS, 18},
      {FEATURE_WORDS, 8},
      {FEATURE_SENTENCES, 3},
      {FEATURE_REPEAT, 1.0 / 3},
      {FEATURE_FOURGRAM, 1.0 / 8},
      {FEATURE_CLOSED, 1}}},
    /* Three of six runs of three: "my lamp is", "lamp is broken" twice. */
    {"Hi, my lamp is (broken)!",
     "So my lamp is broken, lamp is broken",
     {{FEATURE_CHARACTERS, 36},
      {FEATURE_WORDS, 8},
      {FEATURE_SENTENCES, 1},
      {FEATURE_COPY, 3.0 / 6}}},
};

static void test_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) {
        const struct counted *c = &counted[i];
        double want[FEATURES] = {0};
        double got[FEATURES];
        struct err err;
        for (size_t k = 0; k < sizeof c->want / sizeof *c->want; k++)
            if (c->want[k].value != 0)
                want[c->want[k].feature] = c->want[k].value;
        assert_int_equal(features_of(got, c->prompt, strlen(c->prompt),
                                     c->reply, strlen(c->reply), &err),
                         OK);
        for (enum features f = 0; f < FEATURES; f++)
            if (!(fabs(got[f] - want[f]) <= 1e-15))
                fail_msg("'%s': %s is %g, want %g", c->reply, features_name(f),
                         got[f], want[f]);
    }
}

static void test_names(void **state)
{
    (void)state;
    for (enum features f = 0; f < FEATURES; f++)
        for (enum features g = 0; g < f; g++)
            assert_string_not_equal(features_name(f), features_name(g));
}

/* Any bytes, NUL among them, at the very end of their memory: finite,
 * counts in range, and the same twice. */
static void test_any_bytes(void **state)
{
    (void)state;
    static const char alphabet[] = "a. *\n#-1'\xE2\x80\xA6\xC3\xFF\xF0";
    for (uint32_t i = 0; i < 3000; i++) {
        struct rng r;
        rng_init(&r, 5, RNG_TEST, 51, i);
        size_t len = rng_below(&r, 40);
        char *text = malloc(len + 1);
        assert_non_null(text);
        char *tail = text + 1;
        for (size_t k = 0; k < len; k++)
            tail[k] = i % 2 == 0 ? alphabet[rng_below(&r, sizeof alphabet)]
                                 : (char)rng_below(&r, 256);
        double f[FEATURES];
        double again[FEATURES];
        struct err err;
        assert_int_equal(features_of(f, tail, len / 2, tail, len, &err), OK);
        assert_int_equal(features_of(again, tail, len / 2, tail, len, &err),
                         OK);
        assert_memory_equal(f, again, sizeof f);
        for (enum features k = 0; k < FEATURES; k++)
            assert_true(f[k] >= 0 && f[k] <= (double)len);
        for (enum features k = FEATURE_REPEAT; k < FEATURES; k++)
            assert_true(f[k] <= 1);
        free(text);
    }
}

/* What would take hours if a comparison or a scan were repeated for every
 * byte: one word a quarter of a megabyte long, as much of one mark. */
static void test_large(void **state)
{
    (void)state;
    enum {
        LEN = 1 << 18
    };
    char *text = malloc(LEN);
    assert_non_null(text);
    static const char *const fill[] = {"a", "a ", "*", ".", "\n", "a.", "may "};
    for (size_t i = 0; i < sizeof fill / sizeof *fill; i++) {
        size_t period = strlen(fill[i]);
        for (size_t k = 0; k < LEN; k++)
            text[k] = fill[i][k % period];
        double f[FEATURES];
        struct err err;
        assert_int_equal(features_of(f, text, LEN, text, LEN, &err), OK);
        assert_true(f[FEATURE_CHARACTERS] == LEN);
    }
    double f[FEATURES] = {[FEATURE_COPY] = 7};
    struct err err;
    assert_int_equal(features_of(f, text, FEATURES_TEXT_MAX, text, LEN, &err),
                     ERR_LIMIT);
    assert_true(f[FEATURE_COPY] == 7);
    free(text);
}

static void test_memory(void **state)
{
    (void)state;
    for (long at = 0; at < 2; at++) {
        struct features_repetition r;
        struct err err;
        mem_fail_at(at);
        assert_int_equal(features_repetition(&r, "a b. a b.", 9, &err),
                         ERR_MEMORY);
    }
    for (long at = 0; at < 7; at++) {
        double f[FEATURES] = {[FEATURE_COPY] = 7};
        struct err err;
        mem_fail_at(at);
        assert_int_equal(features_of(f, "a", 1, "a b. a b.", 9, &err),
                         ERR_MEMORY);
        assert_true(f[FEATURE_COPY] == 7);
    }
    mem_fail_at(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repetition), cmocka_unit_test(test_counts),
        cmocka_unit_test(test_names),      cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_large),      cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
