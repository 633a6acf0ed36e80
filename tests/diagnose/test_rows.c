/*
 * test_rows.c - gates, observations and the optimiser's side on runs of which
 * everything is known (toy.h): a run that leans towards length, one that is
 * its own placebo, and one fault at a time.
 */
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
#include "diagnose/observations.h"
#include "diagnose/ppo_side.h"
#include "diagnose/push.h"
#include "eval/files.h"
#include "toy.h"

FILES_FIXTURE(dir)
static const struct bootstrap plan = {.seed = 1, .resamples = 400};

struct rows {
    struct evidence e;
    struct finding gate[GATES], seen[OBSERVED], why[MECHANISMS];
    struct leads leads;
};

static void judge(struct rows *r, const struct toy *t)
{
    struct err err;
    memset(r, 0, sizeof *r);
    toy_write(t);
    files_must(evidence_read(&r->e, dir, &plan, &err), &err);
    files_must(gates_judge(r->gate, &r->e, &err), &err);
    files_must(observations_judge(r->seen, r->gate, &r->e, &err), &err);
    files_must(ppo_side_judge(r->why, &r->leads, &r->e, &err), &err);
}

static void release(struct rows *r)
{
    leads_free(&r->leads);
    evidence_free(&r->e);
}

static void expect(const struct finding *f, enum verdict want)
{
    char text[64];
    if (f->verdict != want)
        fail_msg("%s is %s, not %s: %s\n%s\n%s", f->id,
                 finding_verdict(f->verdict), finding_verdict(want),
                 finding_number(text, &f->e, 4), f->text, f->needs);
}

/* Nothing is wrong with the measuring in either run. */
static void expect_gates(const struct rows *r)
{
    for (int g = GATE_RATIO; g <= GATE_EOS; g++)
        if (g != GATE_KL || isfinite(r->gate[g].e.estimate))
            expect(&r->gate[g], VERDICT_SUPPORTED);
    expect(&r->gate[GATE_PENALTY], VERDICT_NOT_MEASURABLE);
}

static void test_paradox(void **state)
{
    (void)state;
    struct toy t = toy_paradox(dir);
    struct rows r;
    judge(&r, &t);
    expect_gates(&r);
    expect(&r.seen[OBSERVED_REWARD_UP], VERDICT_SUPPORTED);
    expect(&r.seen[OBSERVED_LONGER], VERDICT_SUPPORTED);
    expect(&r.seen[OBSERVED_LESS_DIRECT], VERDICT_SUPPORTED);
    expect(&r.seen[OBSERVED_KL_UP], VERDICT_SUPPORTED);
    expect(&r.seen[OBSERVED_PENALTY_ACTS], VERDICT_NOT_MEASURABLE);
    expect(&r.why[MECHANISM_PUSHES], VERDICT_SUPPORTED);
    expect(&r.why[MECHANISM_CLIP], VERDICT_SUPPORTED);
    expect(&r.why[MECHANISM_CREDIT], VERDICT_SUPPORTED);
    release(&r);
}

/* The policy is the reference: nothing may be found, and what can be refuted
 * is. */
static void test_placebo(void **state)
{
    (void)state;
    struct toy t = toy_placebo(dir);
    struct rows r;
    judge(&r, &t);
    expect_gates(&r);
    for (int i = OBSERVED_REWARD_UP; i <= OBSERVED_KL_UP; i++)
        if (r.seen[i].verdict == VERDICT_SUPPORTED)
            expect(&r.seen[i], VERDICT_NOT_SUPPORTED);
    expect(&r.why[MECHANISM_CREDIT], VERDICT_NOT_SUPPORTED);
    release(&r);
}

/* One fault, one gate.  The toy's tokens are nearly alike, so that it takes a
 * temperature of 2 to show in its 5,000. */
static void test_faults(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum gate gate;
        size_t at;
    } fault[] = {
        {"sampled at 1, logged at 2", GATE_SAMPLER, 0},
        {"a banned token in the softmax", GATE_KL, 1},
        {"EOS masked", GATE_EOS, 2},
        {"another reference", GATE_REFERENCE, 3},
    };
    for (size_t i = 0; i < sizeof fault / sizeof *fault; i++) {
        struct toy t = toy_paradox(dir);
        struct rows r;
        t.log_temperature = fault[i].at == 0 ? 2 : 0;
        t.keeps_banned = fault[i].at == 1;
        t.masks_eos = fault[i].at == 2;
        t.is_other_reference = fault[i].at == 3;
        judge(&r, &t);
        expect(&r.gate[fault[i].gate], VERDICT_NOT_SUPPORTED);
        release(&r);
    }
}

/* V1 of a run whose record says `compute`. */
struct apart {
    const char *compute; // NULL: not a word
    double sampler, first;
    enum verdict want;
    double estimate, bound; // of the one that is further out
    const char *said;       // in its text, or in what it needs
};

static void check_apart(const struct apart *a)
{
    struct toy t = toy_paradox(dir);
    struct rows r;
    t.iterations = 2;
    t.compute = a->compute;
    t.sampler_error = a->sampler;
    t.first_error = a->first;
    judge(&r, &t);
    const struct finding *f = &r.gate[GATE_RATIO];
    expect(f, a->want);
    const char *text = a->want == VERDICT_NOT_MEASURABLE ? f->needs : f->text;
    if (strstr(text, a->said) == NULL)
        fail_msg("%s", text);
    files_near(f->e.estimate, a->estimate, 1e-6);
    files_near(f->effect, a->bound, 0);
    files_near(measures_find(&f->detail, "sampler_error").estimate, a->sampler,
               1e-6);
    files_near(measures_find(&f->detail, "first_error").estimate, a->first, 0);
    release(&r);
}

/* Sampler and first update have a bound each, that of the numbers which the
 * run recorded. */
static void test_ratio(void **state)
{
    (void)state;
    static const char floats[] = "products are of floats";
    static const char narrow[] = "products are of bfloat16s";
    static const struct apart list[] = {
        {"f32", 5e-5, 9e-5, VERDICT_SUPPORTED, 9e-5, 1e-4, floats},
        {"f32", 1e-3, 1e-6, VERDICT_NOT_SUPPORTED, 1e-3, 1e-4, floats},
        {"f32", 1e-6, 2e-4, VERDICT_NOT_SUPPORTED, 2e-4, 1e-4, floats},
        {NULL, 1e-3, 1e-6, VERDICT_NOT_SUPPORTED, 1e-3, 1e-4, floats},
        {"bf16", 0.02, 0.016, VERDICT_SUPPORTED, 0.016, 0.1, narrow},
        {"bf16", 0.4, 0.016, VERDICT_SUPPORTED, 0.4, 0.5, narrow},
        {"bf16", 0.6, 0.016, VERDICT_NOT_SUPPORTED, 0.6, 0.5, narrow},
        {"bf16", 0.02, 0.2, VERDICT_NOT_SUPPORTED, 0.2, 0.1, narrow},
        {"auto", 5e-5, 1e-6, VERDICT_SUPPORTED, 5e-5, 1e-4, "no record says"},
        {"auto", 0.02, 0.016, VERDICT_NOT_MEASURABLE, 0.016, 0.1, "(compute)"},
        {"auto", 0.02, 0.2, VERDICT_NOT_SUPPORTED, 0.2, 0.1, "no record says"},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        check_apart(&list[i]);
}

/* Without its settings a run says no more of its numbers than with auto. */
static void test_ratio_without_settings(void **state)
{
    (void)state;
    static const double sampler[] = {5e-5, 0.02, 0.6};
    static const enum verdict want[] = {
        VERDICT_SUPPORTED, VERDICT_NOT_MEASURABLE, VERDICT_NOT_SUPPORTED};
    for (size_t i = 0; i < 3; i++) {
        struct toy t = toy_paradox(dir);
        struct rows r;
        struct err err;
        t.iterations = 2;
        t.sampler_error = sampler[i];
        toy_write(&t);
        files_must(file_remove(files_path(dir, "ppo/config.yaml"), &err), &err);
        files_must(evidence_read(&r.e, dir, &plan, &err), &err);
        files_must(gates_judge(r.gate, &r.e, &err), &err);
        expect(&r.gate[GATE_RATIO], want[i]);
        evidence_free(&r.e);
    }
}

/* Two replies to each of two prompts, by hand:
 *     prompt a: (x, y) = (1, 2), (3, 6): sum of products 2 * (1 * 2) = 4
 *     prompt b: one reply: no covariance, and its mean does not leak into a's
 */
static void test_covariance(void **state)
{
    (void)state;
    struct err err;
    struct evidence e;
    struct push p;
    double a[2], b[2];
    files_write(dir, "probes_push", "");
    files_must(file_make_dir(files_path(dir, "probes"), &err), &err);
    files_must(file_make_dir(files_path(dir, "ppo"), &err), &err);
    files_write(dir, "ppo/metrics.jsonl", "{\"step\":1,\"x\":1}\n");
    files_write(dir, "probes/push.json",
                "{\"columns\":{\"step\":[0,0,0,5,5],\"prompt_id\":[\"a\",\"a\","
                "\"b\",\"a\",\"a\"],\"score\":[2,6,100,0,0],\"tokens\":[1,3,50,"
                "4,8],\"k1\":[0,0,0,1,2],\"kl\":[0,0,0,1,3]}}");
    files_must(evidence_read(&e, dir, &plan, &err), &err);
    files_must(push_read(&p, &e, &err), &err);
    assert_int_equal(p.n, 5);
    assert_int_equal(p.m, 2);
    assert_true(p.t[0] == 0 && p.t[1] == 5);
    files_must(push_covariance(a, b, &p, p.tokens, p.score, 0, 1, &err), &err);
    assert_true(a[0] == 4 && b[0] == 1);
    assert_true(isnan(a[1]) && isnan(b[1]));
    files_must(push_covariance(a, b, &p, p.tokens, p.k1, 0, 2, &err), &err);
    assert_true(a[0] == 2 && b[0] == 2); // 4 tokens apart, 1 nat
    double grid[4], mean[2];
    files_must(push_grid(grid, &p, p.kl, &err), &err);
    push_means(mean, &p, grid);
    assert_true(mean[0] == 0 && mean[1] == 2 && isnan(grid[3]));
    push_free(&p);
    evidence_free(&e);
    double rise[] = {0, 5, 9.5, 10, 9};
    assert_int_equal(push_rise_end(rise, 5), 2);
}

/* Votes of somebody who had looked how it stands are told of. */
static void test_seen(void **state)
{
    (void)state;
    struct toy t = toy_paradox(dir);
    struct evidence e;
    struct buf text, out;
    struct err err;
    const char *path = files_path(dir, "human/spotcheck.jsonl");
    toy_write(&t);
    files_must(evidence_read(&e, dir, &plan, &err), &err);
    assert_null(evidence_damaged(&e, "blind votes"));
    size_t votes = e.n_vote;
    evidence_free(&e);
    buf_init(&text, (size_t)1 << 24);
    buf_init(&out, (size_t)1 << 24);
    files_must(file_read(&text, path, &err), &err);
    /* Before, at and after the look; the others say nothing. */
    static const int at[] = {6, 7, 8};
    const char *line = buf_text(&text);
    for (size_t i = 0; *line != '\0'; i++) {
        size_t len = strcspn(line, "\n");
        if (i < 3)
            buf_printf(&out, "{\"unblinded_at\":7,\"voted_at\":%d,%.*s\n",
                       at[i], (int)len - 1, line + 1);
        else
            buf_printf(&out, "%.*s\n", (int)len, line);
        line += len + (line[len] == '\n');
    }
    files_must(file_write(path, out.data, out.len, &err), &err);
    files_must(evidence_read(&e, dir, &plan, &err), &err);
    assert_int_equal(e.n_vote, votes);
    const struct evidence_loss *l = evidence_damaged(&e, "blind votes");
    assert_non_null(l);
    if (strstr(l->why, "2 votes are not blind: cast since") == NULL)
        fail_msg("%s", l->why);
    evidence_free(&e);
    buf_free(&out);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_paradox, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_placebo, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_faults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ratio, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ratio_without_settings, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_covariance, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_seen, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
