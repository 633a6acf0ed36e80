/*
 * test_agreement_real.c - agreement of people and of judges as others
 * published it, and Bradley-Terry strengths of choix, where the data lie
 * beside the project.  Skipped when they are absent.
 */
#include "stat/agreement.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "io/stream.h"
#include "stat/winrate.h"

#define SHARED TEST_DATA "/../../../shared/data/"

static struct err err;
/* The intervals are not looked at. */
static const struct bootstrap plan = {.seed = 1, .resamples = 20};

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, want %.17g +- %.3g", got, want, tolerance);
}

/* A file, unpacked.  Give back with buf_free(). */
static void read_all(struct buf *out, const char *path)
{
    struct stream *s;
    const char *piece;
    size_t len;
    buf_init(out, (size_t)64 << 20);
    if (stream_open(&s, path, &err) != OK)
        fail_msg("%s", err.text);
    do {
        if (stream_next(s, &piece, &len, &err) != OK)
            fail_msg("%s", err.text);
        buf_append(out, piece, len);
    } while (len > 0);
    stream_close(s);
    if (buf_status(out, &err) != OK)
        fail_msg("%s", err.text);
}

static double measured(const double *code, size_t raters, size_t units,
                       enum agreement_kind kind)
{
    struct agreement_codes codes = {code, raters, units, NULL, 0};
    struct agreement a;
    if (agreement_measure(&a, &codes, kind, &plan, &err) != OK)
        fail_msg("%s", err.text);
    return a.e.estimate;
}

static void test_evalica(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum agreement_kind kind;
        double published;
    } alphas[] = {{"nominal", AGREEMENT_ALPHA_NOMINAL, 0.7434},
                  {"interval", AGREEMENT_ALPHA_INTERVAL, 0.8491},
                  {"ratio", AGREEMENT_ALPHA_RATIO, 0.7974}};
    struct buf text;
    double code[4 * 12];
    size_t n = 0;
    read_all(&text, SHARED "stats_oracles/evalica_codings.csv");
    for (const char *at = text.data; *at != '\0' && n < 48; at++) {
        char *end = NULL;
        bool is_empty = *at == ',' || *at == '\r' || *at == '\n';
        code[n++] = is_empty ? (double)NAN : strtod(at, &end);
        at = is_empty ? at : end;
        at += strspn(at, "\r");
    }
    assert_int_equal(n, 48);
    for (size_t k = 0; k < 3; k++) {
        double alpha = measured(code, 4, 12, alphas[k].kind);
        print_message("alpha, %s: %.4f\n", alphas[k].name, alpha);
        assert_near(alpha, alphas[k].published, 5e-5);
    }
    buf_free(&text);
}

/* Three people, 999 pairs of replies: 0 tie, 1, 2. */
static void test_pandalm(void **state)
{
    (void)state;
    static const size_t pairs[3][2] = {{0, 1}, {0, 2}, {1, 2}};
    static const double published[] = {0.8520, 0.8789, 0.8617};
    struct buf text;
    struct json *root;
    read_all(&text, SHARED "pandalm/testset-v1.json.gz");
    if (json_parse(&root, text.data, text.len, "pandalm", &err) != OK)
        fail_msg("%s", err.text);
    size_t n = json_size(root);
    assert_int_equal(n, 999);
    double *label = mem_calloc(3 * n, sizeof *label);
    double *two = mem_calloc(2 * n, sizeof *two);
    assert_true(label != NULL && two != NULL);
    for (size_t i = 0; i < n; i++) {
        static const char *const key[] = {"annotator1", "annotator2",
                                          "annotator3"};
        for (size_t a = 0; a < 3; a++)
            label[a * n + i] =
                json_number(json_get(json_at(root, i), key[a]), (double)NAN);
    }
    for (size_t k = 0; k < 3; k++) {
        memcpy(two, label + pairs[k][0] * n, n * sizeof *two);
        memcpy(two + n, label + pairs[k][1] * n, n * sizeof *two);
        double kappa = measured(two, 2, n, AGREEMENT_COHEN);
        print_message("annotators %zu and %zu: kappa %.4f\n", pairs[k][0] + 1,
                      pairs[k][1] + 1, kappa);
        assert_near(kappa, published[k], 5e-5);
    }
    print_message("all three: Fleiss %.4f, alpha %.4f\n",
                  measured(label, 3, n, AGREEMENT_FLEISS),
                  measured(label, 3, n, AGREEMENT_ALPHA_NOMINAL));
    mem_free(two);
    mem_free(label);
    json_free(root);
    buf_free(&text);
}

#define ITEMS_MAX 400

/* One judge: which reply it preferred in the two orders of presentation. */
struct judge {
    const char *name;
    size_t len, n;
    double winner[2 * ITEMS_MAX];
    bool is_parsed;
};

static void check_judge(struct judge *j, const struct json *statistics,
                        size_t *checked, double *worst)
{
    char name[120];
    double two[2 * ITEMS_MAX];
    if (j->n == 0 || !j->is_parsed)
        return;
    (void)snprintf(name, sizeof name, "%.*s", (int)j->len, j->name);
    const struct json *want =
        json_get(json_get(statistics, name), "kappa_agreement");
    assert_true(json_is_number(want));
    for (size_t i = 0; i < j->n; i++) {
        two[i] = j->winner[2 * i];
        two[j->n + i] = j->winner[2 * i + 1];
    }
    double got = measured(two, 2, j->n, AGREEMENT_COHEN);
    if (!(fabs(got - json_number(want, 0)) <= 1e-9))
        fail_msg("%s: got %.12g, want %.12g", name, got, json_number(want, 0));
    *worst = fmax(*worst, fabs(got - json_number(want, 0)));
    (*checked)++;
}

/* Column `k` of a line of tab-separated values. */
static const char *column(const char *line, size_t k)
{
    for (; k > 0; k--)
        line += strcspn(line, "\t") + 1;
    return line;
}

/* Judges that always gave a verdict, against the published agreement between
 * the two orders. */
static size_t check_judges(const char *table, const char *published,
                           double *worst)
{
    struct buf text;
    struct buf numbers;
    struct json *statistics;
    struct judge j = {0};
    size_t checked = 0;
    read_all(&text, table);
    read_all(&numbers, published);
    if (json_parse(&statistics, numbers.data, numbers.len, published, &err) !=
        OK)
        fail_msg("%s", err.text);
    const char *line = strchr(text.data, '\n') + 1;
    for (; *line != '\0'; line = strchr(line, '\n') + 1) {
        size_t len = strcspn(line, "\t");
        if (len != j.len || memcmp(line, j.name, len) != 0) {
            check_judge(&j, statistics, &checked, worst);
            j = (struct judge){.name = line, .len = len, .is_parsed = true};
        }
        assert_true(j.n < ITEMS_MAX);
        for (size_t k = 0; k < 2; k++) {
            const char *cell = column(line, 3 + k);
            j.is_parsed = j.is_parsed && (*cell == '1' || *cell == '2');
            j.winner[2 * j.n + k] = strtod(cell, NULL);
        }
        j.n++;
    }
    check_judge(&j, statistics, &checked, worst);
    json_free(statistics);
    buf_free(&numbers);
    buf_free(&text);
    return checked;
}

static void test_llmbar(void **state)
{
    (void)state;
    static const char *const sets[] = {"Natural", "MT-Bench", "FairEval",
                                       "LLMEval2"};
    size_t checked = 0;
    double worst = 0;
    for (size_t i = 0; i < 4; i++) {
        char table[300];
        char published[300];
        (void)snprintf(table, sizeof table, SHARED "llmbar/%s.judges.tsv.gz",
                       sets[i]);
        (void)snprintf(published, sizeof published,
                       SHARED "llmbar/%s.judges.statistics.json", sets[i]);
        size_t n = check_judges(table, published, &worst);
        print_message("%s: %zu judges\n", sets[i], n);
        checked += n;
    }
    print_message("%zu judges: kappa within %.1e\n", checked, worst);
    assert_true(checked >= 50);
}

/* choix centres strengths at zero, and judges convergence at 1e-8 or so. */
static void test_choix(void **state)
{
    (void)state;
    static const char *const paths[] = {
        SHARED "stats_oracles/choix_testcase-pairwise-1.json",
        SHARED "stats_oracles/choix_testcase-pairwise-2.json"};
    for (size_t k = 0; k < 2; k++) {
        struct buf text;
        struct json *root;
        read_all(&text, paths[k]);
        if (json_parse(&root, text.data, text.len, paths[k], &err) != OK)
            fail_msg("%s", err.text);
        size_t n = (size_t)json_int(json_get(root, "n_items"), 0);
        const struct json *data = json_get(root, "data");
        const struct json *want = json_get(root, "ml_est");
        double *wins = mem_calloc(n * n, sizeof *wins);
        double *strength = mem_calloc(n, sizeof *strength);
        assert_true(n > 1 && wins != NULL && strength != NULL);
        for (size_t i = 0; i < json_size(data); i++) {
            const struct json *pair = json_at(data, i);
            size_t winner = (size_t)json_int(json_at(pair, 0), 0);
            size_t loser = (size_t)json_int(json_at(pair, 1), 0);
            assert_true(winner < n && loser < n);
            wins[winner * n + loser] += 1;
        }
        if (winrate_bradley_terry(strength, wins, n, &err) != OK)
            fail_msg("%s", err.text);
        double mean = summary_mean(strength, n), worst = 0;
        for (size_t i = 0; i < n; i++) {
            double away =
                strength[i] - mean - json_number(json_at(want, i), (double)NAN);
            assert_near(away, 0, 1e-6);
            worst = fmax(worst, fabs(away));
        }
        print_message("choix: %zu strengths within %.1e\n", n, worst);
        mem_free(strength);
        mem_free(wins);
        json_free(root);
        buf_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_evalica),
        cmocka_unit_test(test_pandalm),
        cmocka_unit_test(test_llmbar),
        cmocka_unit_test(test_choix),
    };
    if (!file_exists(SHARED "llmbar")) {
        printf("skipped: there is no %s\n", SHARED);
        return 77;
    }
    return cmocka_run_group_tests_name("agreement_real", tests, NULL, NULL);
}
