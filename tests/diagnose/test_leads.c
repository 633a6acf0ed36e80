/*
 * test_leads.c - rows whose verdict comes from an interval over prompts or over
 * iterations, on evidence made by hand: the same estimate is shown when its
 * units agree, open when they do not, refuted on the other side.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "diagnose/circumstances.h"
#include "diagnose/kl_leads.h"
#include "diagnose/kl_side.h"
#include "diagnose/ppo_side.h"
#include "diagnose/price_leads.h"
#include "diagnose/update_leads.h"
#include "eval/files.h"

enum {
    STEPS = 24,
    PROMPTS = 40,
    RESPONSES = STEPS * PROMPTS,
    METRICS = 4
};

/* Every prompt answered once in every iteration. */
static struct made {
    struct evidence e;
    struct evidence_step step[STEPS];
    struct evidence_rollout rollout[RESPONSES];
    struct evidence_reply reply[2 * PROMPTS];
    size_t place[PROMPTS];
    int64_t metric_step[STEPS];
    double metric[STEPS * METRICS];
    struct leads leads;
    struct finding why[MECHANISMS];
} made;

static char *metric_name[METRICS] = {
    "kl/sequence", "kl/step", "clip/positive_above", "clip/negative_below"};

static struct made *made_new(void)
{
    struct made *m = &made;
    memset(m, 0, sizeof *m);
    m->e.plan = (struct bootstrap){.seed = 1, .resamples = 400};
    m->e.step = m->step;
    m->e.rollout = m->rollout;
    m->e.reply = m->reply;
    m->e.n_prompts = m->e.rollout_prompt.n = PROMPTS;
    m->e.n_step = STEPS;
    m->e.n_rollout = RESPONSES;
    for (size_t i = 0; i < STEPS; i++) {
        m->step[i] = (struct evidence_step){
            .step = (int64_t)i + 1, .responses = PROMPTS, .tokens = PROMPTS};
        m->metric_step[i] = (int64_t)i + 1;
    }
    for (size_t i = 0; i < RESPONSES; i++)
        m->rollout[i] =
            (struct evidence_rollout){.step = (uint32_t)(i / PROMPTS),
                                      .prompt = (uint32_t)(i % PROMPTS),
                                      .tag = UINT32_MAX,
                                      .is_eos = true,
                                      .tokens = 10};
    return m;
}

static const struct finding *row(struct made *m, const char *id)
{
    for (size_t i = 0; i < m->leads.n; i++)
        if (strcmp(m->leads.row[i].id, id) == 0)
            return &m->leads.row[i];
    fail_msg("no row %s", id);
    return NULL;
}

static void expect(const struct finding *f, enum verdict want)
{
    char text[64];
    if (f->verdict != want)
        fail_msg("%s is %s, not %s: %s\n%s\n%s", f->id,
                 finding_verdict(f->verdict), finding_verdict(want),
                 finding_number(text, &f->e, 4), f->text, f->needs);
}

static const struct finding *kl_row(struct made *m, const char *id)
{
    struct err err;
    struct push none = {.n = 0};
    leads_free(&m->leads);
    files_must(kl_leads(&m->leads, &m->e, &none, &err), &err);
    return row(m, id);
}

static void expect_kl(struct made *m, const char *id, enum verdict want)
{
    expect(kl_row(m, id), want);
    leads_free(&m->leads);
}

/* 1, 1, -1, -1 and so on: of mean 0 in every four, and blocks of two do not
 * cancel. */
static double wobble(size_t i)
{
    return i % 4 < 2 ? 1 : -1;
}

/* What an EOS token is paid: mean 0.01 a token, with and without noise. */
static void test_eos_paid(void **state)
{
    (void)state;
    static const struct {
        double pay, noise;
        enum verdict want;
    } known[] = {
        {0.01, 0.002, VERDICT_SUPPORTED},
        {0.01, 0.2, VERDICT_NOT_MEASURABLE},
        {-0.01, 0.002, VERDICT_NOT_SUPPORTED},
        {0, 0, VERDICT_NOT_SUPPORTED}, // EOS out of the penalty's reach
    };
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        struct made *m = made_new();
        for (size_t i = 0; i < STEPS; i++) {
            double pay = known[k].pay + known[k].noise * wobble(i);
            m->step[i].by_class[EVIDENCE_OTHER].charged = 1;
            m->step[i].by_class[EVIDENCE_EOS] =
                (struct evidence_ledger){.tokens = 20,
                                         .paid = pay > 0 ? 20 * pay : 0,
                                         .charged = pay < 0 ? -20 * pay : 0};
        }
        expect_kl(m, "eos_paid", known[k].want);
    }
    /* Nothing charged in all: there is no penalty. */
    expect_kl(made_new(), "eos_paid", VERDICT_NOT_MEASURABLE);
}

/* A response is cut at 10 tokens early on; the longest late one. */
static void test_limit(void **state)
{
    (void)state;
    struct made *m = made_new();
    const struct finding *f = kl_row(m, "limit");
    expect(f, VERDICT_NOT_SUPPORTED); // none is cut
    assert_true(isnan(f->e.estimate));
    m->rollout[3].is_eos = false;
    m->rollout[RESPONSES - 1].tokens = 12;
    f = kl_row(m, "limit");
    expect(f, VERDICT_NOT_SUPPORTED);
    files_near(f->e.estimate, 1.2, 1e-12);
    m->rollout[RESPONSES - 1].tokens = 13;
    f = kl_row(m, "limit");
    expect(f, VERDICT_SUPPORTED);
    struct estimate cut = measures_find(&f->detail, "early_cut");
    files_near(cut.estimate, 1.0 / (PROMPTS * STEPS / 4), 1e-12);
    assert_true(cut.n == PROMPTS && cut.high > cut.estimate);
    /* Cut in the second quarter only: nothing was held back at first. */
    m->rollout[3].is_eos = true;
    m->rollout[RESPONSES / 3].is_eos = false;
    expect_kl(m, "limit", VERDICT_NOT_SUPPORTED);
}

/* Settings, read off: no interval at all. */
static void test_beta_path(void **state)
{
    (void)state;
    struct made *m = made_new();
    for (size_t i = 0; i < STEPS; i++)
        m->step[i].beta_low = m->step[i].beta_high = i < 20 ? 0.2 : 0.08;
    const struct finding *f = kl_row(m, "beta_path");
    expect(f, VERDICT_SUPPORTED);
    files_near(f->e.estimate, 0.4, 1e-12);
    assert_true(isnan(f->e.low) && isnan(f->e.high));
    assert_non_null(strstr(f->data, "as recorded, not estimated"));
    leads_free(&m->leads);
}

/* Exact KL 2 a response, k3 = measure - tokens + k1. */
static void test_estimators(void **state)
{
    (void)state;
    static const struct {
        double k3, noise;
        enum verdict want;
    } known[] = {
        {3, 0.2, VERDICT_SUPPORTED},     {1.2, 0.2, VERDICT_SUPPORTED},
        {2, 0.2, VERDICT_NOT_SUPPORTED}, {3, 8, VERDICT_NOT_MEASURABLE},
        {2, 8, VERDICT_NOT_MEASURABLE},
    };
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        struct made *m = made_new();
        for (size_t i = 0; i < RESPONSES; i++) {
            struct evidence_rollout *r = &m->rollout[i];
            bool is_late = r->step >= 18; // what came before does not count
            double k3 = known[k].k3 + known[k].noise * wobble(r->prompt);
            r->kl = is_late ? 2 : 9;
            r->k1 = 1;
            r->measure = (float)(k3 - 1) + r->tokens;
        }
        const struct finding *f = kl_row(m, "estimators");
        expect(f, known[k].want);
        files_near(f->e.estimate, known[k].k3 / 2, 1e-5);
        assert_true(f->e.n == PROMPTS);
        files_near(measures_find(&f->detail, "k1").estimate, 1, 1e-12);
        leads_free(&m->leads);
    }
}

/* Two prefixes of each prompt, whose errors go together: were they resampled
 * one by one, the fourth would be shown. */
static void test_forward(void **state)
{
    (void)state;
    static const struct {
        double ratio, noise;
        enum verdict want;
    } known[] = {{3, 0.5, VERDICT_SUPPORTED},
                 {1, 0.5, VERDICT_NOT_SUPPORTED},
                 {2.1, 2, VERDICT_NOT_MEASURABLE},
                 {2.55, 2, VERDICT_NOT_MEASURABLE}};
    static char name[PROMPTS][8];
    static double kl[2 * PROMPTS], forward[2 * PROMPTS];
    static const char *id[2 * PROMPTS];
    struct err err;
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        struct made *m = made_new();
        m->e.rollout_prompt.n = PROMPTS;
        m->e.place = m->place;
        for (size_t p = 0; p < PROMPTS; p++) {
            size_t at;
            snprintf(name[p], sizeof name[p], "p%02zu", p);
            files_must(names_add(&m->e.prompt, &at, name[p], &err), &err);
            m->place[at] = p;
        }
        for (size_t i = 0; i < 2 * PROMPTS; i++) {
            id[i] = name[i / 2];
            kl[i] = 1;
            forward[i] = known[k].ratio + known[k].noise * wobble(i / 2);
        }
        m->e.probe[PROBE_PREFIXES] =
            (struct table){.column = {{.name = "kl", .number = kl},
                                      {.name = "forward_kl", .number = forward},
                                      {.name = "prompt_id", .text = id}},
                           .columns = 3,
                           .n = 2 * PROMPTS};
        const struct finding *f = kl_row(m, "forward");
        files_near(f->e.estimate, known[k].ratio, 1e-12);
        assert_true(f->e.n == PROMPTS);
        expect(f, known[k].want);
        leads_free(&m->leads);
        names_free(&m->e.prompt);
    }
}

/* Twice as long by stopping less readily is 1 - ln 2 = 0.307 nats, a quarter of
 * 1.227. */
static void test_length_price(void **state)
{
    (void)state;
    static const struct {
        double kl, noise;
        enum verdict want;
    } known[] = {{2, 0.2, VERDICT_SUPPORTED},
                 {0.6, 0.2, VERDICT_NOT_SUPPORTED},
                 {1.3, 1.2, VERDICT_NOT_MEASURABLE},
                 {0, 0, VERDICT_NOT_SUPPORTED}};
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        struct made *m = made_new();
        m->e.n_reply = 2 * PROMPTS;
        for (size_t i = 0; i < 2 * PROMPTS; i++)
            m->reply[i] = (struct evidence_reply){
                .prompt = i / 2,
                .is_policy = i % 2 == 1,
                .tokens = i % 2 == 1 ? 60 : 30,
                .kl = known[k].kl + known[k].noise * wobble(i / 2)};
        const struct finding *f = kl_row(m, "length_price");
        expect(f, known[k].want);
        files_near(f->e.estimate, 1 - log(2), 1e-12);
        assert_true(f->e.n == PROMPTS);
        assert_true(finding_has_interval(&f->e));
        leads_free(&m->leads);
    }
}

/* Steps of root KL `size`; their way's end at `index` of their sum. */
static void make_steps(struct made *m, double index, double noise,
                       double clipped)
{
    double sum = 0;
    m->e.metrics = (struct run_table){.step = m->metric_step,
                                      .value = m->metric,
                                      .name = metric_name,
                                      .n = STEPS,
                                      .columns = METRICS};
    for (size_t i = 0; i < STEPS; i++) {
        double size = 0.1 * (1 + noise * wobble(i));
        sum += i > 0 ? size : 0;
        double way = index * sum;
        double *at = &m->metric[i * METRICS];
        at[0] = way * way;
        at[1] = size * size;
        at[2] = clipped;
        at[3] = 0;
        for (size_t p = 0; p < PROMPTS; p++)
            m->rollout[i * PROMPTS + p].kl =
                (float)(way * way * (1 + noise * wobble(p)));
    }
}

static const struct finding *clip_row(struct made *m)
{
    struct err err;
    files_must(ppo_side_judge(m->why, &m->leads, &m->e, &err), &err);
    leads_free(&m->leads);
    return &m->why[MECHANISM_CLIP];
}

/* Of 23 steps or so twice a random walk's is 0.42. */
static void test_clip(void **state)
{
    (void)state;
    static const struct {
        double index, noise, clipped;
        enum verdict want;
    } known[] = {{0.8, 0.1, 0.001, VERDICT_SUPPORTED},
                 {0.2, 0.1, 0.001, VERDICT_NOT_SUPPORTED},
                 {0.8, 0.1, 0.2, VERDICT_NOT_SUPPORTED},
                 {0.45, 0.6, 0.001, VERDICT_NOT_MEASURABLE}};
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        struct made *m = made_new();
        make_steps(m, known[k].index, known[k].noise, known[k].clipped);
        const struct finding *f = clip_row(m);
        expect(f, known[k].want);
        files_near(f->e.estimate, known[k].index, 1e-12);
        assert_true(f->e.low < f->e.estimate && f->e.estimate < f->e.high);
    }
    /* Without rollouts nobody knows how sure the KL at the end is. */
    struct made *m = made_new();
    make_steps(m, 0.8, 0.1, 0.001);
    m->e.n_rollout = 0;
    expect(clip_row(m), VERDICT_NOT_MEASURABLE);
    /* But a clip that stops a fifth of the gradients refutes it alone. */
    make_steps(m, 0.8, 0.1, 0.2);
    expect(clip_row(m), VERDICT_NOT_SUPPORTED);
}

/* A dozen iterations, in thousandths: -1 on average, of which the deviation is
 * 0.5.  Student's interval ends at 0.1, a normal one at -0.02. */
static void test_update(void **state)
{
    (void)state;
    struct made *m = made_new();
    struct buf doc;
    struct json *node;
    struct err err;
    double sd = 0.5 * sqrt(12.0 * 11 / 12); // of values -1 +- sd, n - 1
    buf_init(&doc, 4096);
    buf_puts(&doc, "{\"iterations\":[");
    for (int i = 0; i < 12; i++)
        buf_printf(&doc,
                   "%s{\"norm\":{\"reward\":1,\"kl\":0.1},\"predicted\":"
                   "{\"eos\":{\"reward\":%.17g,\"kl\":0,\"value\":0,"
                   "\"whole\":0}}}",
                   i > 0 ? "," : "", 1e-3 * (-1 + (i % 2 == 0 ? sd : -sd)));
    buf_puts(&doc, ",{\"reproducible\":false}]}");
    files_must(json_parse(&node, buf_text(&doc), doc.len, "it", &err), &err);
    m->e.probe[PROBE_GRADIENT].json = node;
    files_must(update_leads(&m->leads, &m->e, &err), &err);
    const struct finding *f = row(m, "update_eos");
    files_near(f->e.estimate, -1, 1e-12);
    files_near(f->e.high, -1 + 2.20099 * 0.5, 1e-5); // t of 11 degrees
    assert_true(f->e.n == 12);
    expect(f, VERDICT_NOT_MEASURABLE); // 1.96 would have said supported
    f = row(m, "update_kl");
    expect(f, VERDICT_SUPPORTED);
    leads_free(&m->leads);
    json_free(node);
    buf_free(&doc);
}

static void expect_words(const struct finding *f)
{
    if (strstr(f->text, "nan") != NULL || strstr(f->needs, "nan") != NULL)
        fail_msg("%s: %s; %s", f->id, f->text, f->needs);
    assert_true(f->verdict != VERDICT_NOT_MEASURABLE || f->needs[0] != '\0');
}

static void expect_all_words(struct made *m)
{
    struct err err;
    struct finding observed[OBSERVED];
    for (size_t i = 0; i < OBSERVED; i++)
        observed[i] = finding_new("S", "", "", "");
    finding_lack(&observed[OBSERVED_KL_UP], "it");
    leads_free(&m->leads);
    files_must(ppo_side_judge(m->why, &m->leads, &m->e, &err), &err);
    files_must(kl_side_judge(m->why, &m->leads, observed, &m->e, &err), &err);
    files_must(circumstances_find(&m->leads, &m->e, &err), &err);
    for (size_t i = 0; i < m->leads.n; i++)
        expect_words(&m->leads.row[i]);
    expect_words(&m->why[MECHANISM_WEAK]);
    expect_words(&m->why[MECHANISM_CHEAP]);
    expect_words(&m->why[MECHANISM_CLIP]);
    leads_free(&m->leads);
}

/* What was not measured is not told as a number: of a run that recorded next
 * to nothing, with beta, and with one reply a prompt of each model. */
static void test_no_number(void **state)
{
    (void)state;
    struct made *m = made_new();
    for (size_t i = 0; i < STEPS; i++)
        m->step[i].beta_low = m->step[i].beta_high = (double)NAN;
    expect_all_words(m);
    for (size_t i = 0; i < STEPS; i++)
        m->step[i].beta_low = m->step[i].beta_high = 0.1;
    expect_all_words(m);
    m->e.n_reply = 2 * PROMPTS;
    for (size_t i = 0; i < 2 * PROMPTS; i++)
        m->reply[i] = (struct evidence_reply){.prompt = i / 2,
                                              .tag = SIZE_MAX,
                                              .is_policy = i % 2 == 1,
                                              .tokens = 30,
                                              .score = i % 2 == 1 ? 1 : 0,
                                              .kl = 2};
    expect_all_words(m);
    assert_non_null(strstr(m->why[MECHANISM_CHEAP].text, "costs beta = 0.1"));
}

/* Length goes with the advantages; whether it goes with score and penalty too
 * is open, by a correlation over 40 prompts of 0.1, and of none. */
static void test_open_sign(void **state)
{
    (void)state;
    for (int is_none = 0; is_none < 2; is_none++) {
        struct made *m = made_new();
        struct err err;
        for (size_t i = 0; i < RESPONSES; i++) {
            struct evidence_rollout *r = &m->rollout[i];
            double other = r->prompt % 2 == 0 ? 1 : -1;
            r->tokens = (float)(10 + wobble(r->prompt));
            r->advantage_white = (float)wobble(r->prompt);
            r->score =
                (float)(is_none ? other : other + 0.125 * wobble(r->prompt));
        }
        files_must(ppo_side_judge(m->why, &m->leads, &m->e, &err), &err);
        const struct finding *f = row(m, "baseline");
        expect(f, VERDICT_NOT_MEASURABLE);
        assert_non_null(
            strstr(f->needs, is_none ? "; no number of prompts" : "; about "));
        assert_non_null(strstr(f->needs, " prompts would tell (now 40)"));
        leads_free(&m->leads);
    }
}

/* The penalty takes back 0.8 or more of the gain, and whether a nat's price is
 * beta is open: c3 says what c2 needs, since c1 needs nothing. */
static void test_why_c3_is_open(void **state)
{
    (void)state;
    struct made *m = made_new();
    struct err err;
    struct finding observed[OBSERVED];
    for (size_t i = 0; i < OBSERVED; i++) {
        observed[i] = finding_new("S", "", "", "");
        observed[i].verdict = VERDICT_SUPPORTED;
    }
    for (size_t i = 0; i < STEPS; i++)
        m->step[i].beta_low = m->step[i].beta_high = 0.5;
    m->e.n_reply = 2 * PROMPTS;
    for (size_t i = 0; i < 2 * PROMPTS; i++)
        m->reply[i] = (struct evidence_reply){
            .prompt = i / 2,
            .is_policy = i % 2 == 1,
            .tokens = 30,
            .score = i % 2 == 1 ? 1 + 0.3 * wobble(i / 2) : 0,
            .kl = 2};
    files_must(kl_side_judge(m->why, &m->leads, observed, &m->e, &err), &err);
    expect(&m->why[MECHANISM_WEAK], VERDICT_NOT_SUPPORTED);
    expect(&m->why[MECHANISM_CHEAP], VERDICT_NOT_MEASURABLE);
    expect(&m->why[MECHANISM_FAILS], VERDICT_NOT_MEASURABLE);
    assert_string_equal(m->why[MECHANISM_FAILS].needs,
                        m->why[MECHANISM_CHEAP].needs);
    assert_true(m->why[MECHANISM_FAILS].needs[0] != '\0');
    leads_free(&m->leads);
}

/* A count that no integer holds is none. */
static void test_absurd_count(void **state)
{
    (void)state;
    static const char text[] = "{\"class\":\"acts\",\"share\":{\"n\":1e25},"
                               "\"run\":{\"ratio\":0.4}}";
    struct made *m = made_new();
    struct finding gate[GATES];
    struct json *node;
    struct err err;
    files_must(json_parse(&node, text, sizeof text - 1, "it", &err), &err);
    m->e.probe[PROBE_RELAXATION].json = node;
    files_must(gates_judge(gate, &m->e, &err), &err);
    expect(&gate[GATE_PENALTY], VERDICT_SUPPORTED);
    assert_int_equal(gate[GATE_PENALTY].e.n, 1);
    json_free(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eos_paid),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_beta_path),
        cmocka_unit_test(test_estimators),
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_length_price),
        cmocka_unit_test(test_clip),
        cmocka_unit_test(test_update),
        cmocka_unit_test(test_no_number),
        cmocka_unit_test(test_open_sign),
        cmocka_unit_test(test_why_c3_is_open),
        cmocka_unit_test(test_absurd_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
