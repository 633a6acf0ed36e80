/*
 * test_tables.c - the tables are complete and unambiguous.
 */
#include "rig.h"

#include <string.h>

#include "world/tables.h"
#include "world/words.h"

/* Every sentence, greetings left out, in one list. */
static size_t all_sentences(const char *out[128])
{
    size_t n = 0;
    for (size_t i = 0; i < TABLES_RESOLUTIONS; i++)
        for (size_t j = 0; j < TABLES_SENTENCES; j++) {
            out[n++] = tables_resolution[i].sentence[j];
            out[n++] = tables_resolution[i].next[j];
        }
    for (size_t i = 0; i < TABLES_FILLERS; i++)
        out[n++] = tables_filler[i].sentence;
    for (size_t i = 0; i < TABLES_CLOSINGS; i++)
        out[n++] = tables_closing[i];
    return n;
}

static void test_sentences_are_sentences(void **state)
{
    (void)state;
    const char *sentence[128];
    size_t n = all_sentences(sentence);
    assert_int_equal(n, 85);
    for (size_t i = 0; i < n; i++) {
        const char *s = sentence[i];
        size_t words = 1;
        for (const char *p = s; *p != '\0'; p++)
            words += *p == ' ' ? 1 : 0;
        assert_in_range(words, TABLES_WORDS_MIN, TABLES_WORDS_MAX);
        /* One stop, at the end; no double spaces. */
        assert_true(strcspn(s, ".?!") == strlen(s) - 1);
        assert_null(strstr(s, "  "));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(s, sentence[j]);
    }
}

/* A resolution's sentences name the order, exactly once; next steps do not. */
static void test_resolutions_name_the_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < TABLES_RESOLUTIONS; i++)
        for (size_t j = 0; j < TABLES_SENTENCES; j++) {
            const char *s = strstr(tables_resolution[i].sentence[j], "<ord>");
            assert_non_null(s);
            assert_null(strstr(s + 1, "<ord>"));
            assert_null(strstr(tables_resolution[i].next[j], "<ord>"));
        }
}

static void test_intents(void **state)
{
    (void)state;
    for (size_t i = 0; i < TABLES_INTENTS; i++) {
        const struct tables_intent *in = &tables_intent[i];
        size_t n_low = 0;
        for (size_t k = 0; k < in->n_value; k++)
            n_low += in->value[k] <= in->limit ? 1 : 0;
        /* Both conditions are equally likely. */
        assert_int_equal(2 * n_low, in->n_value);
        for (size_t j = 0; j < TABLES_WORDINGS; j++) {
            const char *s = in->wording[j];
            assert_non_null(strstr(s, "<ord>"));
            assert_true(words_has(s, "<n>") == (in->n_value > 0));
            assert_true(words_has(s, "<st>") == (in->n_value == 0));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sentences_are_sentences),
        cmocka_unit_test(test_resolutions_name_the_order),
        cmocka_unit_test(test_intents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
