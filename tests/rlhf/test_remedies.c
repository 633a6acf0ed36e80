/*
 * Remedies on PPO's side: what is paid in place of the plain score, and a
 * coefficient that holds the KL where it should be.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rlhf/rollout.h"
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

/* Traces hold numbers with six digits or more. */
#define PRINTED 1e-5

/* The unit of reward that the run recorded, and the reference's mean length
 * where it recorded that. */
static struct score_scale recorded(const struct desk *d, double *tokens)
{
    struct json *result;
    must(json_read(&result, desk_path(d, "ppo/result.json"), 1 << 20, &err));
    struct score_scale s = {
        .mean = json_number(json_get(result, "score_mean"), (double)NAN),
        .sd = json_number(json_get(result, "score_sd"), (double)NAN),
    };
    *tokens = json_number(json_get(result, "reference_tokens"), (double)NAN);
    json_free(result);
    return s;
}

/* What was paid is the shape of what the reward model said, centred on what it
 * says of the reference, less the penalties. */
static void check_shape(int shape)
{
    struct desk d = shared;
    struct traces t;
    struct ppo_config c = desk_ppo(&d);
    c.iterations = 2;
    c.max_new = 90;
    c.score_shape = shape;
    c.missing_eos = 0.25;
    c.length_penalty = 0.01;
    must(run(&d, &c, RUN_OVERWRITE));
    double far = 0, tokens;
    struct score_scale scale = recorded(&d, &tokens);
    assert_true(tokens > 1 && tokens < (double)c.max_new);
    traces_read(&t, &d, "ppo", 2);
    for (size_t i = 0; i < t.n; i++) {
        double z = (traces_number(&t, i, "score_raw") - scale.mean) / scale.sd;
        double want = shape == SHAPE_SIGMOID       ? 1 / (1 + exp(-z)) - 0.5
                      : shape == SHAPE_LOG_SIGMOID ? log(2) - log(1 + exp(-z))
                                                   : z;
        want -= 0.01 * ((double)traces_len(&t, i) - tokens);
        want -= traces_is_eos(&t, i) ? 0 : 0.25;
        close_to(traces_number(&t, i, "score"), want, PRINTED * (1 + fabs(z)));
        far += fabs(z) > 3;
    }
    if (shape != SHAPE_NONE)
        close_to(traces_metric(&d, "ppo", "score/saturated", 1),
                 far / (double)t.n, PRINTED);
    traces_free(&t);
}

static void test_shapes(void **state)
{
    (void)state;
    check_shape(SHAPE_NONE);
    check_shape(SHAPE_SIGMOID);
    check_shape(SHAPE_LOG_SIGMOID);
}

/* The centre that a paid sigmoid had: z - logit(score + 1/2). */
static double centre_of(const struct traces *t, size_t i,
                        const struct score_scale *s)
{
    double z = (traces_number(t, i, "score_raw") - s->mean) / s->sd;
    double paid = traces_number(t, i, "score") + 0.5;
    return z - log(paid / (1 - paid));
}

/* With samples of the reference, a prompt has its own centre, the same for
 * every response to it. */
static void test_centre_of_a_prompt(void **state)
{
    struct desk d = shared;
    struct traces t;
    double spread = 0, tokens;
    (void)state;
    struct ppo_config c = desk_ppo(&d);
    c.iterations = 2;
    c.samples = 2;
    c.score_shape = SHAPE_SIGMOID;
    c.shape_samples = 4;
    c.missing_eos = 0;
    must(run(&d, &c, RUN_OVERWRITE));
    struct score_scale scale = recorded(&d, &tokens);
    assert_true(isnan(tokens)); // no penalty, nothing recorded
    traces_read(&t, &d, "ppo", 2);
    assert_int_equal(t.n, 16);
    double first = centre_of(&t, 0, &scale);
    for (size_t i = 0; i < t.n; i += 2) {
        /* A printed score is off by 1e-6 at most, its logit by four to twenty
         * times that where the sigmoid is within 0.05..0.95. */
        assert_true(fabs(traces_number(&t, i, "score")) < 0.45);
        close_to(centre_of(&t, i, &scale), centre_of(&t, i + 1, &scale), 1e-3);
        spread += fabs(centre_of(&t, i, &scale) - first);
    }
    assert_true(spread > 0.1);
    traces_free(&t);
}

static void test_a_shape_wants_a_centre(void **state)
{
    struct desk d = shared;
    (void)state;
    struct ppo_config c = desk_ppo(&d);
    c.score_norm = SCORE_NORM_NONE;
    c.score_shape = SHAPE_SIGMOID;
    assert_int_equal(run(&d, &c, RUN_OVERWRITE), ERR_ARG);
    assert_non_null(strstr(err.text, "ppo.shape_samples"));
    c.shape_samples = 2;
    c.iterations = 1;
    must(run(&d, &c, RUN_OVERWRITE));
}

static void stop_now(void *ctx, const struct event *event)
{
    if (event->kind == EVENT_PROGRESS)
        *(volatile sig_atomic_t *)ctx = 1;
}

/* A budget raises beta as soon as the KL heads for it, and what it has seen
 * survives a stop. */
static void test_budget_is_resumed(void **state)
{
    struct desk d = shared;
    char whole[65], pieces[65];
    volatile sig_atomic_t stop = 0;
    (void)state;
    struct ppo_config c = desk_ppo(&d);
    c.kl.control = KL_BUDGET;
    c.kl.gain = 0.5;
    c.kl.target = 1e-6; // a first update exceeds it by far
    must(run(&d, &c, RUN_OVERWRITE));
    desk_hash(whole, &d, "ppo/metrics.jsonl");
    static const double want[] = {0, 0, 0.5, 1}; // logarithms of factors
    for (size_t k = 0; k < 4; k++)
        close_to(traces_metric(&d, "ppo", "kl/beta", k), 0.05 * exp(want[k]),
                 1e-9);
    d.context.sink = stop_now;
    d.context.sink_ctx = (void *)(uintptr_t)&stop;
    d.context.stop = &stop;
    c = desk_ppo(&d);
    c.kl.control = KL_BUDGET;
    c.kl.gain = 0.5;
    c.kl.target = 1e-6;
    assert_int_equal(run(&d, &c, RUN_OVERWRITE), ERR_STOPPED);
    d.context = shared.context;
    must(run(&d, &c, RUN_RESUME));
    desk_hash(pieces, &d, "ppo/metrics.jsonl");
    assert_string_equal(whole, pieces);
    c.kl.beta = 0;
    assert_int_equal(run(&d, &c, RUN_OVERWRITE), ERR_ARG);
    assert_non_null(strstr(err.text, "ppo.beta = 0"));
}

/* Of every three responses the best scored stays, the first of equals, with
 * everything that sampling and scoring said of it. */
static void test_best_of(void **state)
{
    static const double score[] = {1, 3, 2, 5, 5, 4};
    static const size_t len[] = {1, 2, 3, 2, 1, 3};
    struct rollout all, best;
    (void)state;
    must(rollout_create(&all, 6, 3, &err));
    for (size_t i = 0; i < 6; i++) {
        for (size_t t = 0; t < len[i]; t++) {
            all.token[i * 3 + t] = (int32_t)(10 * i + t);
            all.logp_sample[all.offset[i] + t] = -(float)(10 * i + t);
        }
        all.prompt[i] = i / 3;
        all.sample[i] = i % 3;
        all.is_eos[i] = i % 2 == 1;
        all.score_raw[i] = score[i];
        all.seq[i] = (struct sequence){.response = all.token + i * 3,
                                       .len_response = len[i]};
        all.offset[i + 1] = all.offset[i] + len[i];
    }
    must(rollout_best(&best, &all, 3, &err));
    rollout_free(&all);
    static const size_t want[] = {1, 3};
    assert_int_equal(best.n, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(best.prompt[i], i);
        assert_int_equal(best.sample[i], 0);
        assert_true(best.is_eos[i]);
        assert_true(best.score_raw[i] == score[want[i]]);
        assert_int_equal(best.seq[i].len_response, 2);
        for (size_t t = 0; t < 2; t++) {
            size_t token = 10 * want[i] + t;
            assert_int_equal(best.seq[i].response[t], token);
            assert_true(best.logp_sample[best.offset[i] + t] == -(float)token);
        }
    }
    rollout_free(&best);
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
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_centre_of_a_prompt),
        cmocka_unit_test(test_a_shape_wants_a_centre),
        cmocka_unit_test(test_budget_is_resumed),
        cmocka_unit_test(test_best_of),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
