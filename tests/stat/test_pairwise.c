/* A reward model and the length rule on pairs worked out by hand. */
#include "stat/pairwise.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct err err;

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

static void assert_measure(const struct measures *m, const char *name,
                           double want, size_t n)
{
    struct estimate e = measures_find(m, name);
    if (!(fabs(e.estimate - want) <= 1e-15) || e.n != n)
        fail_msg("%s: got %.17g of %zu, want %.17g of %zu", name, e.estimate,
                 e.n, want, n);
}

/* Prompt 0: right and longer in both lengths; right and shorter, longer in
 * characters.  Prompt 1: wrong and longer; equal scores, equal lengths. */
static const struct pairwise_pair pairs[] = {
    {0, {2, 9, 40}, {1, 4, 20}},
    {0, {2, 3, 30}, {1, 4, 20}},
    {1, {0, 9, 40}, {1, 4, 20}},
    {1, {1, 4, 20}, {1, 4, 20}},
};

static void test_by_hand(void **state)
{
    (void)state;
    const struct bootstrap plan = {.seed = 3};
    struct measures m = {.n = 0};
    must(pairwise_measure(&m, pairs, 4, 2, &plan, &err));
    assert_measure(&m, "accuracy", 2.5 / 4, 2);
    assert_measure(&m, "accuracy_chosen_longer", 0.5, 2);
    assert_measure(&m, "accuracy_chosen_shorter", 1, 1);
    assert_measure(&m, "length_rule_accuracy", 2.5 / 4, 2);
    assert_measure(&m, "accuracy_over_length_rule", 0, 2);
    assert_measure(&m, "length_rule_accuracy_characters", 3.5 / 4, 2);
    assert_measure(&m, "accuracy_over_length_rule_characters", -0.25, 2);
    /* One prompt has a pair with a shorter better one: no interval. */
    assert_true(isnan(measures_find(&m, "accuracy_chosen_shorter").low));
    /* Resamples of two prompts with rates 1 and 1/4: those are the ends. */
    assert_true(measures_find(&m, "accuracy").low == 0.25);
    assert_true(measures_find(&m, "accuracy").high == 1);
}

/* The difference is paired: a model that agrees with the rule on every pair
 * has a difference of 0 without width, however wide both rates are. */
static void test_difference_is_paired(void **state)
{
    (void)state;
    enum {
        N = 60
    };
    const struct bootstrap plan = {.seed = 3};
    struct measures m = {.n = 0};
    struct pairwise_pair pair[N];
    for (size_t i = 0; i < N; i++) {
        double up = i % 3 == 0 ? -1 : 1;
        pair[i] = (struct pairwise_pair){i, {up, 5 + up, 50 + up}, {0, 5, 50}};
    }
    must(pairwise_measure(&m, pair, N, N, &plan, &err));
    struct estimate own = measures_find(&m, "accuracy");
    struct estimate over = measures_find(&m, "accuracy_over_length_rule");
    assert_true(own.high - own.low > 0.15);
    assert_true(over.estimate == 0 && over.low == 0 && over.high == 0);
}

static void words(char out[300], double low, double high, double over_low,
                  double over_high)
{
    struct measures m = {.n = 0};
    struct estimate accuracy = {(low + high) / 2, low, high, 100};
    struct estimate over = {0, over_low, over_high, 100};
    struct buf text;
    buf_init(&text, 1 << 12);
    measures_add(&m, "accuracy", &accuracy);
    measures_add(&m, "accuracy_over_length_rule", &over);
    pairwise_words(&text, &m);
    must(buf_status(&text, &err));
    assert_true(text.len < 300);
    memcpy(out, buf_text(&text), text.len + 1);
    buf_free(&text);
}

static void test_words(void **state)
{
    (void)state;
    char text[300];
    words(text, 0.5, 0.6, -0.1, 0.1); // an end on the bound does not tell
    assert_non_null(strstr(text, "cannot be told from guessing"));
    assert_non_null(strstr(text, "it cannot be told from the rule"));
    words(text, 0.51, 0.6, 0.01, 0.1);
    assert_non_null(strstr(text, "better than guessing"));
    assert_non_null(strstr(text, "it is better than the rule"));
    words(text, 0.3, 0.49, -0.2, -0.1);
    assert_non_null(strstr(text, "worse than guessing"));
    assert_non_null(strstr(text, "it is worse than the rule"));
    words(text, (double)NAN, (double)NAN, 0, 0);
    assert_non_null(strstr(text, "too few prompts"));
    struct measures none = {.n = 0};
    struct buf out;
    buf_init(&out, 1 << 12);
    const struct bootstrap plan = {.seed = 3};
    must(pairwise_measure(&none, NULL, 0, 0, &plan, &err));
    pairwise_words(&out, &none);
    assert_non_null(strstr(buf_text(&out), "no pair was held out"));
    buf_free(&out);
}

/* Twelve pairs that are all right leave room for a rate below 1, as Wilson's
 * interval has it: z^2 / (12 + z^2) of it. */
static void test_alike(void **state)
{
    (void)state;
    enum {
        N = 12
    };
    const struct bootstrap plan = {.seed = 3};
    const double z2 = 1.959963984540054 * 1.959963984540054;
    struct measures m = {.n = 0};
    struct pairwise_pair pair[N];
    for (size_t i = 0; i < N; i++)
        pair[i] = (struct pairwise_pair){i, {1, 5, 50}, {0, 5, 50}};
    must(pairwise_measure(&m, pair, N, N, &plan, &err));
    struct estimate own = measures_find(&m, "accuracy");
    assert_true(own.estimate == 1 && own.high == 1 && own.n == N);
    assert_true(fabs(own.low - (1 - z2 / (N + z2))) < 1e-9);
    assert_true(isnan(measures_find(&m, "accuracy_chosen_longer").low));
}

/* Pairs of a single prompt have no interval, and no "nan" is shown for one. */
static void test_numbers(void **state)
{
    (void)state;
    struct measures two = {.n = 0}, one = {.n = 0};
    struct buf out;
    const struct bootstrap plan = {.seed = 3};
    must(pairwise_measure(&two, pairs, 4, 2, &plan, &err));
    must(pairwise_measure(&one, pairs, 2, 1, &plan, &err));
    buf_init(&out, 1 << 12);
    pairwise_numbers(&out, &two, 4);
    assert_non_null(strstr(buf_text(&out), "ordered right: 0.625 [0.250, "
                                           "1.000] of 4; by the rule"));
    buf_clear(&out);
    pairwise_numbers(&out, &one, 2);
    assert_non_null(strstr(buf_text(&out),
                           "ordered right: 1.000 of 2 (no interval can be "
                           "told from 1 prompt); by the rule"));
    assert_null(strstr(buf_text(&out), "nan"));
    buf_free(&out);
}

static void test_estimate_in_documents(void **state)
{
    (void)state;
    const struct estimate e = {0.5, 0.25, (double)NAN, 12};
    struct json *root;
    struct json_writer w;
    struct buf text;
    buf_init(&text, 1 << 12);
    json_writer_init(&w, &text, false);
    measures_write_estimate(&w, &e);
    must(json_parse(&root, buf_text(&text), text.len, "test", &err));
    struct estimate back = measures_read_estimate(root);
    assert_true(back.estimate == 0.5 && back.low == 0.25 && isnan(back.high));
    assert_int_equal(back.n, 12);
    assert_int_equal(measures_read_estimate(NULL).n, 0);
    json_free(root);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_difference_is_paired),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_alike),
        cmocka_unit_test(test_estimate_in_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
