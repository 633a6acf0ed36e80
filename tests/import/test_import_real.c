/*
 * test_import_real.c - published numbers of other people's data, recomputed
 * from what an import of it wrote.  Skipped where the data does not lie beside
 * the project.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/names.h"
#include "base/utf8.h"
#include "eval/files.h"
#include "import/import.h"
#include "io/csv.h"
#include "io/jsonl.h"
#include "io/vote.h"

#define SHARED TEST_DATA "/../../../shared/data/"
#define ALPACA SHARED "alpaca_eval/"
#define MODELS_MAX 100

FILES_FIXTURE(root)

/* ---- an import and what it wrote ---------------------------------------- */

struct sums {
    size_t votes, won, tied, replies[2]; // of reference and policy
    double probability, probability2, characters[2];
    struct names pair;
    int label[1100][3]; // of each pair: ties, first and second reply preferred
};

static enum status take_vote(void *ctx, const struct json *row, size_t line,
                             struct err *err)
{
    struct sums *s = ctx;
    struct vote v;
    size_t pair;
    (void)line;
    TRY(vote_read(&v, row, "vote", err));
    double p = json_number(json_get(row, "probability"), v.win);
    s->votes++;
    s->won += v.win == 1;
    s->tied += v.win == 0.5;
    s->probability += p;
    s->probability2 += p * p;
    TRY(names_add(&s->pair, &pair, json_text(json_get(row, "pair_id"), "none"),
                  err));
    if (pair < 1100) {
        double first = v.is_left ? v.win : 1 - v.win;
        s->label[pair][first == 0.5 ? 0 : first == 1 ? 1 : 2]++;
    }
    return OK;
}

static enum status take_reply(void *ctx, const struct json *row, size_t line,
                              struct err *err)
{
    struct sums *s = ctx;
    (void)line;
    (void)err;
    size_t is_policy =
        strcmp(json_text(json_get(row, "which"), ""), "policy") == 0;
    s->replies[is_policy]++;
    const char *text = json_text(json_get(row, "response"), "");
    s->characters[is_policy] += (double)utf8_count(text, strlen(text));
    return OK;
}

static void read_lines(struct sums *s, const char *dir, const char *name,
                       jsonl_fn fn)
{
    char path[FILE_PATH_MAX];
    struct err err = {OK, ""};
    assert_int_equal(file_join(path, dir, name, NULL), OK);
    if (file_exists(path) && jsonl_read(path, fn, s, &err) != OK)
        fail_msg("%s", err.text);
}

/* The sums are the caller's to free: sums_free(). */
static struct sums *read_import(const char *format, const char *first,
                                const char *second, const char *policy,
                                const char *reference)
{
    static int runs;
    char dir[FILE_PATH_MAX], name[32];
    const char *const path[] = {first, second};
    struct err err = {OK, ""};
    struct sums *s = mem_calloc(1, sizeof *s);
    (void)snprintf(name, sizeof name, "run%d", ++runs);
    assert_int_equal(file_join(dir, root, name, NULL), OK);
    struct import_config c = {.format = format,
                              .path = path,
                              .n_paths = second != NULL ? 2 : 1,
                              .out = dir,
                              .people = {policy, reference, 0}};
    assert_non_null(s);
    if (import_run(NULL, &c, NULL, &err) != OK)
        fail_msg("%s: %s", first, err.text);
    read_lines(s, dir, "human/spotcheck.jsonl", take_vote);
    read_lines(s, dir, "judge/votes.jsonl", take_vote);
    read_lines(s, dir, "eval/samples.jsonl", take_reply);
    assert_int_equal(file_remove(dir, NULL), OK);
    return s;
}

static void sums_free(struct sums *s)
{
    names_free(&s->pair);
    mem_free(s);
}

/* ---- AlpacaEval --------------------------------------------------------- */

struct published {
    char name[80];
    double win_rate, se, won, lost, tied, characters;
};

static struct published published[MODELS_MAX * 3];
static size_t n_published;

static enum status take_published(void *ctx, const struct csv_row *row,
                                  struct err *err)
{
    (void)ctx;
    (void)err;
    if (row->line == 1)
        return OK;
    assert_true(row->n == 12 && n_published < MODELS_MAX * 3);
    struct published *p = &published[n_published++];
    (void)snprintf(p->name, sizeof p->name, "%s", row->field[0]);
    p->win_rate = strtod(row->field[1], NULL);
    p->se = strtod(row->field[2], NULL);
    p->won = strtod(row->field[3], NULL);
    p->lost = strtod(row->field[4], NULL);
    p->tied = strtod(row->field[5], NULL);
    p->characters = strtod(row->field[9], NULL);
    return OK;
}

static const struct published *find(const char *name)
{
    for (size_t i = 0; i < n_published; i++)
        if (strcmp(published[i].name, name) == 0)
            return &published[i];
    return NULL;
}

static void check_published(const struct sums *s, const char *name)
{
    const struct published *p = find(name);
    double n = (double)s->votes, mean = s->probability / n;
    double variance = (s->probability2 - n * mean * mean) / (n - 1);
    assert_non_null(p);
    printf("%-34s %4zu votes, win rate %.4f (published %.4f), won %zu, tied "
           "%zu\n",
           name, s->votes, 100 * mean, p->win_rate, s->won, s->tied);
    assert_true(fabs(100 * mean - p->win_rate) < 1e-6);
    assert_true(fabs(100 * sqrt(variance / n) - p->se) < 1e-6);
    assert_true((double)s->won == p->won && (double)s->tied == p->tied);
    assert_true((double)(s->votes - s->won - s->tied) == p->lost);
}

static void test_annotations(void **state)
{
    static const char *const models[] = {"phi-2-sft",
                                         "gpt-3.5-turbo-1106_verbose"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char path[FILE_PATH_MAX];
        (void)snprintf(path, sizeof path,
                       ALPACA "raw_annotations/%s.annotations.json.gz",
                       models[i]);
        struct sums *s = read_import("alpaca-eval", path, NULL, NULL, NULL);
        check_published(s, models[i]);
        assert_int_equal(s->replies[0], 805);
        assert_int_equal(s->replies[1], 805);
        /* The mean length is published as a whole number. */
        assert_true(floor(s->characters[1] / 805) ==
                    find(models[i])->characters);
        sums_free(s);
    }
}

/* Every model of the table. */
static void test_preferences(void **state)
{
    static const char *const models[] = {"phi-2",
                                         "gpt4_gamed",
                                         "gpt-3.5-turbo-1106",
                                         "falcon-40b-instruct",
                                         "chatglm2-6b",
                                         "claude-2.1_concise"};
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct sums *s = read_import("alpaca-eval", ALPACA "preferences.tsv.gz",
                                     NULL, models[i], NULL);
        check_published(s, models[i]);
        sums_free(s);
    }
}

/* ---- AlpacaFarm: 258 characters become 728 ------------------------------ */

static void test_farm(void **state)
{
    (void)state;
    struct sums *s =
        read_import("alpaca-farm", SHARED "alpaca_farm/outputs_sft.json.gz",
                    SHARED "alpaca_farm/outputs_rlhf.json.gz", "rlhf", "sft");
    assert_int_equal(s->replies[0], 252);
    assert_int_equal(s->replies[1], 252);
    printf("mean characters %.1f and %.1f\n", s->characters[0] / 252,
           s->characters[1] / 252);
    assert_true(round(s->characters[0] / 252) == 258);
    assert_true(round(s->characters[1] / 252) == 728);
    sums_free(s);
}

/* ---- PandaLM: majorities 105, 422, 472 ---------------------------------- */

static void count_majorities(size_t out[3], const struct sums *s)
{
    for (size_t i = 0; i < s->pair.n; i++)
        for (size_t k = 0; k < 3; k++)
            out[k] += s->label[i][k] >= 2;
}

/* Each pair is of two models: with each of the five as the policy and the rest
 * as the reference, every pair is read twice. */
static void test_pandalm(void **state)
{
    static const char *const models[] = {"bloom-7b", "llama-7b", "opt-7b",
                                         "cerebras-gpt-6.7B", "pythia-6.9b"};
    size_t majority[3] = {0}, votes = 0;
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct sums *s =
            read_import("pandalm", SHARED "pandalm/testset-v1.json.gz", NULL,
                        models[i], "*");
        count_majorities(majority, s);
        votes += s->votes;
        sums_free(s);
    }
    printf("majorities: %zu ties, %zu, %zu\n", majority[0] / 2, majority[1] / 2,
           majority[2] / 2);
    assert_int_equal(votes, 2 * 3 * 999);
    assert_int_equal(majority[0], 2 * 105);
    assert_int_equal(majority[1], 2 * 422);
    assert_int_equal(majority[2], 2 * 472);
}

/* ---- LLMFAO: 8931 votes, 38.9 % ties ------------------------------------ */

/* The two models of a comparison. */
static enum status take_models(void *ctx, const struct csv_row *row,
                               struct err *err)
{
    struct names *n = ctx;
    size_t index;
    if (row->line == 1)
        return OK;
    assert_int_equal(row->n, 8);
    TRY(names_add(n, &index, row->field[6], err));
    return names_add(n, &index, row->field[7], err);
}

static void test_llmfao(void **state)
{
    struct names models = {.text = NULL};
    size_t votes = 0, tied = 0, won = 0;
    (void)state;
    assert_int_equal(csv_read(SHARED "llmfao/crowd-comparisons.csv.gz", ',',
                              take_models, &models, NULL),
                     OK);
    assert_int_equal(models.n, 59);
    for (size_t i = 0; i < models.n; i++) {
        struct sums *s =
            read_import("llmfao", SHARED "llmfao/crowd-comparisons.csv.gz",
                        NULL, models.text[i], "*");
        votes += s->votes;
        tied += s->tied;
        won += s->won;
        sums_free(s);
    }
    printf("%zu votes, %.1f %% ties\n", votes / 2,
           100.0 * (double)tied / (double)votes);
    assert_int_equal(votes, 2 * 8931);
    assert_true(round(1000.0 * (double)tied / (double)votes) == 389);
    assert_int_equal(2 * won + tied, votes); // who wins, another loses
    names_free(&models);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_annotations), cmocka_unit_test(test_preferences),
        cmocka_unit_test(test_farm),        cmocka_unit_test(test_pandalm),
        cmocka_unit_test(test_llmfao),
    };
    if (!file_exists(ALPACA "preferences.tsv.gz")) {
        printf("skipped: there is no %s\n", SHARED);
        return 77;
    }
    if (csv_read(ALPACA "leaderboard_published.csv", ',', take_published, NULL,
                 NULL) != OK)
        return 1;
    return cmocka_run_group_tests_name("real", tests, set_up, tear_down);
}
