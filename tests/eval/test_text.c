/* Repetition, counted by hand. */
#include "eval/text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

struct example {
    const char *text;
    double sentences, fourgrams;
};

static void test_counts(void **state)
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
        struct text_repetition r = {-1, -1};
        struct err err;
        assert_int_equal(text_repetition(&r, examples[i].text, &err), OK);
        if (fabs(r.sentences - examples[i].sentences) > 1e-15 ||
            fabs(r.fourgrams - examples[i].fourgrams) > 1e-15)
            fail_msg("'%s': got %g and %g, want %g and %g", examples[i].text,
                     r.sentences, r.fourgrams, examples[i].sentences,
                     examples[i].fourgrams);
    }
}

static void test_memory(void **state)
{
    (void)state;
    for (long at = 0; at < 2; at++) {
        struct text_repetition r;
        struct err err;
        mem_fail_at(at);
        assert_int_equal(text_repetition(&r, "a b. a b.", &err), ERR_MEMORY);
    }
    mem_fail_at(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
