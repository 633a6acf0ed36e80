/*
 * test_dataset_real.c - people's data as they published them, where it lies
 * beside the project: counts of data/README.md there, and sums that Python's
 * json and csv modules gave.  Skipped when it is absent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"
#include "io/import_csv.h"

#define SHARED TEST_DATA "/../../../shared/data/"

static struct err err;

/* Unicode code points. */
static size_t count_chars(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

/* How often is the chosen response the longer one? */
static size_t count_longer(const struct dataset *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++)
        n += count_chars(d->record[i].responses[0]) >
             count_chars(d->record[i].responses[1]);
    return n;
}

static void test_hh(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        size_t rows, bad, same, turns, longer;
        double share; // of the README, percent, rows left out included
    } file[] = {
        {SHARED "hh_rlhf/helpful-base.test.jsonl.gz", 2354, 9, 2, 9253, 1394,
         59.6},
        {SHARED "hh_rlhf/helpful-rejection-sampled.test.jsonl.gz", 2749, 3, 32,
         9544, 1532, 55.8},
        {SHARED "hh_rlhf/harmless-base.test.jsonl.gz", 2312, 5, 0, 9185, 1021,
         44.3},
    };
    size_t bad = 0;
    for (size_t i = 0; i < sizeof file / sizeof *file; i++) {
        struct dataset d = {0};
        struct dataset_config c = {.skip_bad = (int64_t)file[i].bad};
        if (dataset_load(&d, file[i].path, DATASET_RANKINGS, &c, NULL, &err) !=
            OK)
            fail_msg("%s", err.text);
        assert_int_equal(d.format, FORMAT_HH);
        assert_int_equal(d.count.read, file[i].rows);
        assert_int_equal(d.count.bad, file[i].bad);
        assert_int_equal(d.count.unused, file[i].same);
        assert_int_equal(d.n, file[i].rows - file[i].bad - file[i].same);
        size_t turns = 0, longer = count_longer(&d);
        for (size_t k = 0; k < d.n; k++)
            turns += d.record[k].dialogue.n;
        assert_int_equal(turns, file[i].turns);
        assert_int_equal(longer, file[i].longer);
        /* The rows left out can move the share by bad/rows at most. */
        double share = 100.0 * (double)longer / (double)d.n;
        double out = (double)(file[i].bad + file[i].same);
        double room = 0.05 + 100.0 * out / (double)d.n;
        assert_true(share > file[i].share - room &&
                    share < file[i].share + room);
        bad += d.count.bad;
        dataset_free(&d);

        c.skip_bad--;
        assert_int_equal(
            dataset_load(&d, file[i].path, DATASET_RANKINGS, &c, NULL, &err),
            ERR_FORMAT);
        assert_non_null(strstr(err.text, "differ before their last message"));
    }
    assert_int_equal(bad, 17);
}

static void test_oasst(void **state)
{
    (void)state;
    struct dataset d = {0};
    if (dataset_read(&d, SHARED "oasst_pairs/oasst_en_val_dialogue.json.gz",
                     DATASET_RANKINGS, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(d.n, 1021); // one has the same reply on both sides
    assert_int_equal(d.count.unused, 1);
    assert_int_equal(d.format, FORMAT_PAIR);
    assert_int_equal(count_longer(&d), 677); // 66.2 %
    dataset_free(&d);
}

static void check_table(const char *path, const char *prompt,
                        const char *response, size_t rows, size_t chars)
{
    const struct import_columns c = {.prompt = prompt, .response = response};
    const struct dataset_config strict = {.skip_bad = 0};
    struct dataset d = {0};
    if (import_csv_load(&d, path, ',', &c, &strict, NULL, &err) != OK)
        fail_msg("%s", err.text);
    size_t sum = 0;
    for (size_t i = 0; i < d.n; i++)
        sum += response != NULL ? count_chars(d.record[i].response) : 1;
    assert_int_equal(d.n, rows);
    assert_int_equal(sum, chars);
    dataset_free(&d);
}

static void test_tables(void **state)
{
    (void)state;
    check_table(SHARED "customer_support/bitext/responses_long_4514.csv.gz",
                "instruction", "response", 4514, 3000423);
    check_table(SHARED "customer_support/bitext/responses_canned_6480.csv.gz",
                "instruction", "response", 6480, 1052574);
    check_table(SHARED "customer_support/banking77/train.csv.gz", "text", NULL,
                10003, 10003);
    check_table(SHARED "customer_support/banking77/test.csv.gz", "text", NULL,
                3080, 3080);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hh),
        cmocka_unit_test(test_oasst),
        cmocka_unit_test(test_tables),
    };
    if (!file_exists(SHARED "hh_rlhf")) {
        printf("skipped: there is no %s\n", SHARED);
        return 77;
    }
    return cmocka_run_group_tests_name("dataset_real", tests, NULL, NULL);
}
