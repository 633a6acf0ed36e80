/* Measures of a few samples, worked out by hand. */
#include "eval/samples.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "eval/samples_table.h"
#include "files.h"

static struct err err;

/* Prompts b and a, two samples each; b has no gold. */
static const char rows[] =
    "{\"prompt_id\":\"b\",\"which\":\"policy\",\"sample\":0,\"score\":2,"
    "\"gold\":null,\"len\":4,\"is_eos\":true,\"kl\":[1,0,0,1],"
    "\"repeated_sentences\":0.5}\n"
    "{\"prompt_id\":\"b\",\"which\":\"policy\",\"sample\":1,\"score\":0,"
    "\"gold\":null,\"len\":8,\"is_eos\":false,\"kl\":[4],"
    "\"repeated_sentences\":0}\n"
    "{\"prompt_id\":\"b\",\"which\":\"reference\",\"sample\":1,\"score\":0,"
    "\"gold\":null,\"len\":2,\"is_eos\":true,\"repeated_sentences\":0}\n"
    "{\"prompt_id\":\"b\",\"which\":\"reference\",\"sample\":0,\"score\":1,"
    "\"gold\":null,\"len\":2,\"is_eos\":true,\"repeated_sentences\":0}\n"
    "{\"prompt_id\":\"a\",\"which\":\"policy\",\"sample\":0,\"score\":1,"
    "\"gold\":1,\"len\":6,\"is_eos\":true,\"kl\":[3],"
    "\"repeated_sentences\":0}\n"
    "{\"prompt_id\":\"a\",\"which\":\"policy\",\"sample\":1,\"score\":3,"
    "\"gold\":-1,\"len\":6,\"is_eos\":true,\"kl\":[3],"
    "\"repeated_sentences\":0}\n"
    "{\"prompt_id\":\"a\",\"which\":\"reference\",\"sample\":0,\"score\":2,"
    "\"gold\":1,\"len\":4,\"is_eos\":true,\"repeated_sentences\":0}\n"
    "{\"prompt_id\":\"a\",\"which\":\"reference\",\"sample\":1,\"score\":2,"
    "\"gold\":2,\"len\":4,\"is_eos\":true,\"repeated_sentences\":0}\n";

static void assert_measure(const struct measures *m, const char *name,
                           double want, size_t n)
{
    struct estimate e = measures_find(m, name);
    if (!(fabs(e.estimate - want) <= 1e-15) || e.n != n)
        fail_msg("%s: got %.17g of %zu, want %.17g of %zu", name, e.estimate,
                 e.n, want, n);
}

static void test_by_hand(void **state)
{
    (void)state;
    struct bootstrap plan = {.seed = 1};
    struct measures m = {.n = 0};
    struct measures weak = {.n = 0};
    const char *dir = files_dir();
    const char *path = files_write(dir, "samples.jsonl", rows);
    files_must(samples_measure(&m, &weak, path, &plan, &err), &err);
    /* Means by prompt: b 1 against 0.5, a 2 against 2. */
    assert_measure(&m, "rm_delta", 0.25, 2);
    assert_measure(&m, "rm_policy", 1.5, 2);
    /* b: 2 > 1 wins, 0 = 0 ties; a: 1 < 2 loses, 3 > 2 wins. */
    assert_measure(&m, "rm_win_rate", 2.5 / 4, 2);
    /* a alone: 1 = 1 ties, -1 < 2 loses. */
    assert_measure(&m, "gold_win_rate", 0.25, 1);
    assert_measure(&m, "gold_delta", -1.5, 1);
    /* (6 + 6) / (2 + 4), not the mean of 3 and 1.5. */
    assert_measure(&m, "length_ratio", 2, 2);
    assert_measure(&m, "repetition_delta", 0.125, 2);
    assert_measure(&m, "eos_rate_policy", 0.75, 2);
    assert_measure(&m, "eos_rate_reference", 1, 2);
    /* Sequences: b (2 + 4) / 2, a 3; tokens 6 each. */
    assert_measure(&m, "kl_sequence_final", 3, 2);
    assert_measure(&m, "kl_per_token", 0.5, 2);
    /* No row has fillers. */
    assert_int_equal(measures_find(&m, "filler_delta").n, 0);
    assert_true(isnan(measures_find(&m, "filler_delta").estimate));
    /* Nor weak gold. */
    assert_int_equal(measures_find(&weak, "win_rate").n, 0);
    assert_int_equal(measures_find(&weak, "correlation").n, 0);
    files_remove(dir);
}

/* Changes by prompt: of the score 2, 0, 2, of the weak gold 1, -2, 0. */
static void test_weak_gold(void **state)
{
    static const char text[] =
        "{\"prompt_id\":\"a\",\"which\":\"policy\",\"score\":2,"
        "\"weak_gold\":1}\n"
        "{\"prompt_id\":\"a\",\"which\":\"reference\",\"score\":0,"
        "\"weak_gold\":0}\n"
        "{\"prompt_id\":\"b\",\"which\":\"policy\",\"score\":1,"
        "\"weak_gold\":-1}\n"
        "{\"prompt_id\":\"b\",\"which\":\"reference\",\"score\":1,"
        "\"weak_gold\":1}\n"
        "{\"prompt_id\":\"c\",\"which\":\"policy\",\"score\":3,"
        "\"weak_gold\":2}\n"
        "{\"prompt_id\":\"c\",\"which\":\"reference\",\"score\":1,"
        "\"weak_gold\":2}\n";
    (void)state;
    struct bootstrap plan = {.seed = 1};
    struct measures m = {.n = 0};
    struct measures weak = {.n = 0};
    const char *dir = files_dir();
    const char *path = files_write(dir, "samples.jsonl", text);
    files_must(samples_measure(&m, &weak, path, &plan, &err), &err);
    assert_measure(&weak, "delta", -1.0 / 3, 3);
    assert_measure(&weak, "win_rate", 0.5, 3);
    assert_measure(&weak, "policy", 2.0 / 3, 3);
    assert_measure(&weak, "reference", 1, 3);
    /* Sums of products over the roots of sums of squares. */
    files_near(measures_find(&weak, "correlation").estimate,
               30 / sqrt(24.0 * 42), 1e-14);
    files_near(measures_find(&weak, "correlation_policy").estimate,
               3 / sqrt(2.0 * 14 / 3), 1e-14);
    files_near(measures_find(&weak, "correlation_reference").estimate,
               1 / sqrt(2.0 * 2 / 3), 1e-14);
    /* No rubric, so nothing is made up in its place. */
    assert_int_equal(measures_find(&m, "gold_win_rate").n, 0);
    files_remove(dir);
}

/* A prompt that stands in the file twice brings its own pairs and no others:
 * 5 > 4 and 3 > 2 win; 3 against the other's 4 would lose. */
static void test_prompt_twice(void **state)
{
    static const char text[] =
        "{\"prompt_id\":\"a\",\"which\":\"policy\",\"sample\":0,\"score\":5}\n"
        "{\"prompt_id\":\"a\",\"which\":\"reference\",\"sample\":0,"
        "\"score\":4}\n"
        "{\"prompt_id\":\"a\",\"which\":\"policy\",\"sample\":0,\"score\":3}\n"
        "{\"prompt_id\":\"a\",\"which\":\"reference\",\"sample\":0,"
        "\"score\":2}\n";
    (void)state;
    struct bootstrap plan = {.seed = 1};
    struct measures m = {.n = 0};
    struct measures weak = {.n = 0};
    const char *dir = files_dir();
    const char *path = files_write(dir, "samples.jsonl", text);
    files_must(samples_measure(&m, &weak, path, &plan, &err), &err);
    assert_measure(&m, "rm_win_rate", 1, 1);
    files_remove(dir);
}

/* Rows in another order are the same evaluation, to the bit. */
static void test_order(void **state)
{
    (void)state;
    char turned[sizeof rows];
    const char *half = strstr(rows, "{\"prompt_id\":\"a\"");
    assert_non_null(half);
    size_t first = (size_t)(half - rows);
    memcpy(turned, half, sizeof rows - 1 - first);
    memcpy(turned + sizeof rows - 1 - first, rows, first);
    turned[sizeof rows - 1] = '\0';
    struct bootstrap plan = {.seed = 1};
    struct measures one = {.n = 0};
    struct measures two = {.n = 0};
    struct measures weak = {.n = 0};
    const char *dir = files_dir();
    files_must(
        samples_measure(&one, &weak, files_write(dir, "1", rows), &plan, &err),
        &err);
    files_must(samples_measure(&two, &weak, files_write(dir, "2", turned),
                               &plan, &err),
               &err);
    assert_int_equal(one.n, two.n);
    for (size_t i = 0; i < one.n; i++) {
        assert_string_equal(one.item[i].name, two.item[i].name);
        assert_memory_equal(&one.item[i].e, &two.item[i].e,
                            sizeof(struct estimate));
    }
    files_remove(dir);
}

static void test_bad_rows(void **state)
{
    static const char *const bad[] = {
        "{\"prompt_id\":\"a\"}\n",
        "{\"which\":\"policy\"}\n",
        "{\"prompt_id\":\"a\",\"which\":\"both\"}\n",
        "not json\n",
    };
    (void)state;
    struct bootstrap plan = {.seed = 1};
    const char *dir = files_dir();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct measures m = {.n = 0};
        struct measures weak = {.n = 0};
        const char *path = files_write(dir, "bad.jsonl", bad[i]);
        assert_int_equal(samples_measure(&m, &weak, path, &plan, &err),
                         ERR_FORMAT);
        assert_non_null(strstr(err.text, "bad.jsonl"));
    }
    files_remove(dir);
}

static void test_group(void **state)
{
    (void)state;
    char one[] = "p2";
    char two[] = "p10";
    char *id[] = {one, two, one, two, two};
    size_t index[5];
    size_t n;
    files_must(samples_table_number(index, &n, id, 5, &err), &err);
    assert_int_equal(n, 2);
    const size_t want[] = {1, 0, 1, 0, 0};
    assert_memory_equal(index, want, sizeof want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),      cmocka_unit_test(test_weak_gold),
        cmocka_unit_test(test_prompt_twice), cmocka_unit_test(test_order),
        cmocka_unit_test(test_bad_rows),     cmocka_unit_test(test_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
