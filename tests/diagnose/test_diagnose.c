/*
 * test_diagnose.c - the whole way from a project's files to a verdict, on runs
 * of which everything is known (toy.h), and what the document holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "diagnose/diagnose.h"
#include "eval/files.h"
#include "toy.h"

FILES_FIXTURE(dir)
static const struct bootstrap plan = {.seed = 1, .resamples = 200};

static struct json *document(const struct diagnosis *d,
                             const struct evidence *e)
{
    struct buf out;
    struct json_writer w;
    struct json *root;
    struct err err;
    buf_init(&out, (size_t)1 << 24);
    json_writer_init(&w, &out, true);
    diagnose_write(&w, d, e);
    files_must(buf_status(&out, &err), &err);
    files_must(json_parse(&root, buf_text(&out), out.len, "it", &err), &err);
    buf_free(&out);
    return root;
}

static void run(struct diagnosis *d, struct evidence *e, const struct toy *t)
{
    struct err err;
    toy_write(t);
    files_must(evidence_read(e, dir, &plan, &err), &err);
    files_must(diagnose(d, e, &err), &err);
}

static const struct rival *find(const struct diagnosis *d, const char *id)
{
    for (size_t i = 0; i < RIVALS; i++)
        if (strcmp(d->rival[i].id, id) == 0)
            return &d->rival[i];
    fail_msg("no rival %s", id);
    return NULL;
}

/* The toy has no rankings, so neither R1 nor R2 can be told; that the price is
 * too low can. */
static void test_paradox(void **state)
{
    (void)state;
    struct toy t = toy_paradox(dir);
    struct evidence e;
    struct diagnosis d;
    run(&d, &e, &t);
    assert_int_equal(d.mechanism[MECHANISM_EXPLOITED].verdict,
                     VERDICT_SUPPORTED);
    assert_int_equal(d.mechanism[MECHANISM_OVEROPTIMISED].verdict,
                     VERDICT_SUPPORTED);
    assert_int_equal(d.mechanism[MECHANISM_CHEAP].verdict, VERDICT_SUPPORTED);
    assert_int_equal(d.mechanism[MECHANISM_BIASED].verdict,
                     VERDICT_NOT_MEASURABLE);
    assert_int_equal(find(&d, "R0")->verdict, VERDICT_NOT_SUPPORTED);
    assert_string_equal(d.rival[0].id, "R3");
    assert_int_equal(d.verdict, DIAGNOSIS_PARADOX);
    diagnose_free(&d);
    evidence_free(&e);
}

/* Nobody voted: what the votes would tell is missing, not absent. */
static void test_open(void **state)
{
    (void)state;
    struct toy t = toy_paradox(dir);
    struct evidence e;
    struct diagnosis d;
    struct err err;
    toy_write(&t);
    files_write(dir, "human/spotcheck.jsonl", "");
    files_must(evidence_read(&e, dir, &plan, &err), &err);
    files_must(diagnose(&d, &e, &err), &err);
    assert_int_equal(d.verdict, DIAGNOSIS_INCONCLUSIVE);
    assert_true(diagnose_leaves_paradox_open(&d));
    d.observed[OBSERVED_KL_UP].verdict = VERDICT_NOT_SUPPORTED;
    assert_false(diagnose_leaves_paradox_open(&d));
    diagnose_free(&d);
    evidence_free(&e);
}

static void test_placebo(void **state)
{
    (void)state;
    struct toy t = toy_placebo(dir);
    struct evidence e;
    struct diagnosis d;
    run(&d, &e, &t);
    assert_int_not_equal(d.verdict, DIAGNOSIS_PARADOX);
    assert_int_not_equal(d.verdict, DIAGNOSIS_BUG);
    assert_int_equal(find(&d, "R3")->verdict == VERDICT_SUPPORTED, 0);
    diagnose_free(&d);
    evidence_free(&e);
}

/* A bug comes first, whatever else is to be seen. */
static void test_bug_pre_empts(void **state)
{
    (void)state;
    struct toy t = toy_paradox(dir);
    struct evidence e;
    struct diagnosis d;
    t.keeps_banned = true;
    run(&d, &e, &t);
    assert_int_equal(d.verdict, DIAGNOSIS_BUG);
    assert_string_equal(d.rival[0].id, "R15");
    diagnose_free(&d);
    evidence_free(&e);
}

/* What the configuration says against what the rollouts have. */
static void test_contradiction(void **state)
{
    (void)state;
    struct toy t = toy_paradox(dir);
    struct evidence e;
    struct diagnosis d;
    struct err err;
    toy_write(&t);
    files_write(dir, "ppo/config.yaml", "ppo:\n  beta: 0.1\n");
    files_must(evidence_read(&e, dir, &plan, &err), &err);
    files_must(diagnose(&d, &e, &err), &err);
    assert_int_equal(d.n_contradictions, 1);
    assert_non_null(strstr(d.contradiction[0], "ppo.beta = 0.1"));
    diagnose_free(&d);
    evidence_free(&e);
}

/* The contract of the document: members, rows and their members. */
static void test_document(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        size_t rows;
        const char *first;
    } lists[] = {{"gates", 7, "V1"},
                 {"observations", 6, "S1"},
                 {"mechanisms", 9, "a1"},
                 {"rivals", 16, NULL},
                 {"remedies", 2, NULL}};
    static const char *const members[] = {"id",   "verdict", "estimate", "low",
                                          "high", "n",       "needs"};
    struct toy t = toy_paradox(dir);
    struct evidence e;
    struct diagnosis d;
    run(&d, &e, &t);
    struct json *root = document(&d, &e);
    assert_string_equal(json_text(json_get(root, "verdict"), ""), "paradox");
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const struct json *list = json_get(root, lists[i].key);
        assert_int_equal(json_size(list), lists[i].rows);
        if (lists[i].first == NULL)
            continue;
        const struct json *row = json_at(list, 0);
        assert_string_equal(json_text(json_get(row, "id"), ""), lists[i].first);
        for (size_t k = 0; k < sizeof members / sizeof *members; k++)
            assert_non_null(json_get(row, members[k]));
    }
    const struct json *rival = json_at(json_get(root, "rivals"), 0);
    assert_int_equal(json_int(json_get(rival, "rank"), 0), 1);
    assert_true(json_size(json_get(root, "lost")) > 0);
    json_free(root);
    diagnose_free(&d);
    evidence_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_paradox, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_placebo, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bug_pre_empts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_contradiction, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_document, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
