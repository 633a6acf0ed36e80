/*
 * Faults that can be asked for: each does to the run what its option says, and
 * is seen in the trace as a trainer that has it would show it.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "traces.h"

static struct err err;
static struct desk shared;

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

static enum status run(struct desk *d, const struct ppo_config *c,
                       enum run_mode mode)
{
    struct stage stage = desk_stage(d, "ppo", mode);
    return ppo_run(c, &stage, NULL, &err);
}

static void close_to(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.12g, want %.12g", got, want);
}

/* Traces and metrics hold numbers with six digits or more. */
#define PRINTED 1e-5

/* The trainer believes in temperature 1 while 0.5 is sampled at: the trace
 * says 1, and the sampler's own log-probs are those of sharper choices.  The
 * gate finds it. */
static void test_log_temperature(void **state)
{
    struct desk d = shared;
    struct traces t;
    double sampled = 0, believed = 0;
    (void)state;
    struct ppo_config c = desk_ppo(&d);
    c.iterations = 1;
    c.temperature = 0.5;
    c.log_temperature = 1;
    assert_int_equal(run(&d, &c, RUN_OVERWRITE), ERR_NUMERIC);
    assert_non_null(strstr(err.text, "ppo.log_temperature"));
    assert_non_null(strstr(err.text, "ppo.ratio_gate=inf"));
    c.ratio_gate = (double)INFINITY;
    must(run(&d, &c, RUN_OVERWRITE));
    traces_read(&t, &d, "ppo", 1);
    for (size_t i = 0; i < t.n; i++) {
        close_to(traces_number(&t, i, "temperature"), 1, 0);
        for (size_t k = 0; k < traces_len(&t, i); k++) {
            sampled += traces_at(&t, i, "logp_sample", k);
            believed += traces_at(&t, i, "logp", k);
        }
    }
    assert_true(sampled > believed + 1);
    /* The update's own log-probs are the rollout's: only the sampler's are
     * others. */
    assert_true(traces_metric(&d, "ppo", "ratio/first_error", 0) < 1e-4);
    assert_true(traces_metric(&d, "ppo", "ratio/sampler_error", 0) > 0.1);
    traces_free(&t);
}

/* The same temperature by its name is no fault, to the byte. */
static void test_log_temperature_of_the_sampler(void **state)
{
    struct desk d = shared;
    char plain[65], named[65];
    (void)state;
    struct ppo_config c = desk_ppo(&d);
    c.iterations = 2;
    must(run(&d, &c, RUN_OVERWRITE));
    desk_hash(plain, &d, "ppo/metrics.jsonl");
    c.log_temperature = c.temperature;
    must(run(&d, &c, RUN_OVERWRITE));
    desk_hash(named, &d, "ppo/metrics.jsonl");
    assert_string_equal(plain, named);
}

/* An EOS that is masked is paid nothing and has no advantage, before or after
 * whitening; what it would have been paid stands at the token before it. */
static void check_masked(const struct traces *t, size_t i)
{
    static const char *const nothing[] = {"reward", "reward_kl", "advantage",
                                          "advantage_white"};
    size_t last = traces_len(t, i) - 1;
    for (size_t k = 0; k < 4; k++)
        close_to(traces_at(t, i, nothing[k], last), 0, 0);
    if (last == 0)
        return;
    close_to(traces_at(t, i, "reward", last - 1) -
                 traces_at(t, i, "reward_kl", last - 1),
             traces_number(t, i, "score"), PRINTED);
    assert_true(traces_at(t, i, "advantage_white", last - 1) != 0);
}

static void test_mask_eos(void **state)
{
    struct desk d = shared;
    struct traces t;
    double white = 0, tokens = 0, eos = 0;
    (void)state;
    struct ppo_config c = desk_ppo(&d);
    c.iterations = 2;
    c.batch = 32;
    c.max_new = 90;
    c.advantage.mask_eos = true;
    /* Every estimate of a loss is counted: so many tokens it saw. */
    c.kl.mode = KL_K2_LOSS;
    c.kl.clamp = 1e-30;
    must(run(&d, &c, RUN_OVERWRITE));
    traces_read(&t, &d, "ppo", 2);
    for (size_t i = 0; i < t.n; i++) {
        tokens += (double)traces_len(&t, i);
        if (traces_is_eos(&t, i)) {
            check_masked(&t, i);
            eos++;
        }
        for (size_t k = 0; k < traces_len(&t, i); k++)
            white += traces_at(&t, i, "advantage_white", k);
    }
    assert_true(eos > 4);
    /* Whitening is over the tokens that are left. */
    close_to(white / tokens, 0, PRINTED);
    double seen = traces_metric(&d, "ppo", "kl/clamped", 1);
    /* A token may happen to have the very same probability twice. */
    assert_true(seen <= (tokens - eos) * (double)c.epochs);
    assert_true(seen > (tokens - eos - 2) * (double)c.epochs);
    traces_free(&t);
    c = desk_ppo(&d);
    c.advantage.mask_eos = true;
    c.advantage.score_position = SCORE_AFTER_EOS;
    assert_int_equal(run(&d, &c, RUN_OVERWRITE), ERR_ARG);
    assert_non_null(strstr(err.text, "ppo.mask_eos"));
}

/* Tokens that cannot be sampled take part of every token's probability away:
 * the trainer's log-probs lie below the sampler's, none above. */
static void test_mask_logits(void **state)
{
    struct desk d = shared;
    struct traces t;
    double lost = 0;
    (void)state;
    struct ppo_config c = desk_ppo(&d);
    c.iterations = 1;
    c.mask_logits = false;
    assert_int_equal(run(&d, &c, RUN_OVERWRITE), ERR_NUMERIC);
    assert_non_null(strstr(err.text, "ppo.mask_logits"));
    c.ratio_gate = (double)INFINITY;
    must(run(&d, &c, RUN_OVERWRITE));
    traces_read(&t, &d, "ppo", 1);
    for (size_t i = 0; i < t.n; i++)
        for (size_t k = 0; k < traces_len(&t, i); k++) {
            double less = traces_at(&t, i, "logp_sample", k) -
                          traces_at(&t, i, "logp", k);
            assert_true(less > -1e-4); // the gate's own tolerance
            lost += less;
        }
    assert_true(lost > 1e-3);
    assert_true(traces_metric(&d, "ppo", "ratio/first_error", 0) < 1e-4);
    traces_free(&t);
}

static void test_beta_moves(void **state)
{
    static const double want[] = {0.2, 0.14, 0.08, 0.02};
    struct desk d = shared;
    struct traces t;
    (void)state;
    struct ppo_config c = desk_ppo(&d);
    c.kl.beta = 0.2;
    c.kl.beta_end = 0.02;
    must(run(&d, &c, RUN_OVERWRITE));
    for (int k = 0; k < 4; k++) {
        close_to(traces_metric(&d, "ppo", "kl/beta", (size_t)k), want[k],
                 1e-12);
        traces_read(&t, &d, "ppo", k + 1);
        close_to(traces_number(&t, 0, "beta"), want[k], PRINTED);
        /* It is the price that is paid, too. */
        double k1 =
            traces_at(&t, 0, "logp", 0) - traces_at(&t, 0, "logp_ref", 0);
        close_to(traces_at(&t, 0, "reward_kl", 0), -want[k] * k1, PRINTED);
        traces_free(&t);
    }
    c = desk_ppo(&d);
    c.kl.beta_end = 0.02;
    c.kl.control = KL_ADAPTIVE;
    c.kl.target = 6;
    assert_int_equal(run(&d, &c, RUN_OVERWRITE), ERR_ARG);
    assert_non_null(strstr(err.text, "ppo.beta_end"));
}

/* The raw scores of iterations 1..n, one after the other. */
static size_t raw_scores(double *out, const struct desk *d, int n)
{
    size_t count = 0;
    for (int step = 1; step <= n; step++) {
        struct traces t;
        traces_read(&t, d, "ppo", step);
        for (size_t i = 0; i < t.n; i++)
            out[count++] = traces_number(&t, i, "score_raw");
        traces_free(&t);
    }
    return count;
}

/* Scores are divided by the deviation of the batch, or of all scores so far,
 * and not by the calibration's: what a nat costs in raw units moves. */
static void check_normaliser(int norm, int step)
{
    struct desk d = shared;
    struct traces t;
    struct json *result;
    double all[64];
    struct ppo_config c = desk_ppo(&d);
    c.iterations = 3;
    c.score_norm = norm;
    c.missing_eos = 0.5;
    must(run(&d, &c, RUN_OVERWRITE));
    must(json_read(&result, desk_path(&d, "ppo/result.json"), 1 << 20, &err));
    double mean = json_number(json_get(result, "score_mean"), (double)NAN);
    json_free(result);
    size_t n = raw_scores(all, &d, step);
    size_t own = norm == SCORE_NORM_BATCH ? n - 8 : 0;
    double divisor =
        traces_metric(&d, "ppo", "score/normaliser", (size_t)step - 1);
    double sd = scorer_scale(all + own, n - own).sd;
    close_to(divisor / sd, 1, PRINTED);
    traces_read(&t, &d, "ppo", step);
    for (size_t i = 0; i < t.n; i++) {
        double score = (traces_number(&t, i, "score_raw") - mean) / divisor -
                       (traces_is_eos(&t, i) ? 0 : 0.5);
        close_to(traces_number(&t, i, "score"), score, PRINTED);
    }
    traces_free(&t);
}

static void test_normalisers(void **state)
{
    (void)state;
    check_normaliser(SCORE_NORM_BATCH, 3);
    check_normaliser(SCORE_NORM_RUNNING, 1);
    check_normaliser(SCORE_NORM_RUNNING, 3);
}

static void stop_now(void *ctx, const struct event *event)
{
    if (event->kind == EVENT_PROGRESS)
        *(volatile sig_atomic_t *)ctx = 1;
}

/* What the running deviation has seen survives a stop. */
static void test_running_deviation_is_resumed(void **state)
{
    struct desk d = shared;
    char whole[65], pieces[65];
    volatile sig_atomic_t stop = 0;
    (void)state;
    struct ppo_config c = desk_ppo(&d);
    c.score_norm = SCORE_NORM_RUNNING;
    must(run(&d, &c, RUN_OVERWRITE));
    desk_hash(whole, &d, "ppo/metrics.jsonl");
    d.context.sink = stop_now;
    d.context.sink_ctx = (void *)(uintptr_t)&stop;
    d.context.stop = &stop;
    assert_int_equal(run(&d, &c, RUN_OVERWRITE), ERR_STOPPED);
    d.context = shared.context;
    must(run(&d, &c, RUN_RESUME));
    desk_hash(pieces, &d, "ppo/metrics.jsonl");
    assert_string_equal(whole, pieces);
}

/* The cap rises from 6 to 24 tokens in four iterations; some response meets
 * it each time, none exceeds it. */
static void test_cap_rises(void **state)
{
    static const size_t want[] = {6, 12, 18, 24};
    struct desk d = shared;
    (void)state;
    struct ppo_config c = desk_ppo(&d);
    c.max_new_start = 6;
    must(run(&d, &c, RUN_OVERWRITE));
    for (int k = 0; k < 4; k++) {
        struct traces t;
        size_t longest = 0;
        traces_read(&t, &d, "ppo", k + 1);
        for (size_t i = 0; i < t.n; i++)
            if (traces_len(&t, i) > longest)
                longest = traces_len(&t, i);
        assert_int_equal(longest, want[k]);
        close_to(traces_metric(&d, "ppo", "response/cap", (size_t)k),
                 (double)want[k], 0);
        traces_free(&t);
    }
    c = desk_ppo(&d);
    c.max_new_start = 25;
    assert_int_equal(run(&d, &c, RUN_OVERWRITE), ERR_ARG);
    assert_non_null(strstr(err.text, "ppo.max_new_start"));
}

/* Prompts as the file has them: 8 an iteration, from the first. */
static void test_file_order(void **state)
{
    struct desk d = shared;
    struct traces t;
    (void)state;
    struct ppo_config c = desk_ppo(&d);
    c.file_order = true;
    must(run(&d, &c, RUN_OVERWRITE));
    for (int k = 0; k < 4; k++) {
        traces_read(&t, &d, "ppo", k + 1);
        for (size_t i = 0; i < t.n; i++) {
            char id[32];
            assert_true(
                snprintf(id, sizeof id, "ppo-%06zu", (size_t)k * 8 + i) > 0);
            assert_string_equal(json_text(json_get(t.row[i], "prompt_id"), ""),
                                id);
        }
        traces_free(&t);
    }
}

/* A frozen value model says of every state what it said at the start, 0, and
 * its learning rate means nothing.  With lambda 0.95 a token's advantage is
 * then the discounted sum of what it and those behind it are paid: the score
 * hardly reaches the first ones. */
static void test_value_freeze(void **state)
{
    struct desk d = shared;
    struct traces t;
    char slow[65], fast[65];
    (void)state;
    struct ppo_config c = desk_ppo(&d);
    c.value_freeze = true;
    must(run(&d, &c, RUN_OVERWRITE));
    desk_hash(slow, &d, "ppo/metrics.jsonl");
    c.lr_value = 1;
    must(run(&d, &c, RUN_OVERWRITE));
    desk_hash(fast, &d, "ppo/metrics.jsonl");
    assert_string_equal(slow, fast);
    traces_read(&t, &d, "ppo", 4);
    for (size_t i = 0; i < t.n; i++) {
        double sum = 0;
        for (size_t k = traces_len(&t, i); k-- > 0;) {
            sum = traces_at(&t, i, "reward", k) + 0.95 * sum;
            close_to(traces_at(&t, i, "value", k), 0, 0);
            close_to(traces_at(&t, i, "advantage", k), sum, PRINTED);
        }
    }
    traces_free(&t);
    close_to(traces_metric(&d, "ppo", "value/grad_norm", 3), 0, 0);
}

static int open_shared(void **state)
{
    (void)state;
    desk_open(&shared, 1);
    desk_prepare(&shared);
    return 0;
}

static int close_shared(void **state)
{
    (void)state;
    desk_close(&shared);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_temperature),
        cmocka_unit_test(test_log_temperature_of_the_sampler),
        cmocka_unit_test(test_mask_eos),
        cmocka_unit_test(test_mask_logits),
        cmocka_unit_test(test_beta_moves),
        cmocka_unit_test(test_normalisers),
        cmocka_unit_test(test_running_deviation_is_resumed),
        cmocka_unit_test(test_cap_rises),
        cmocka_unit_test(test_file_order),
        cmocka_unit_test(test_value_freeze),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
