/*
 * relaxation.json says what it was measured with.
 *
 * gradient.json: every iteration with a trace and a checkpoint before it is
 * split, its numbers agree with each other, and one that cannot be repeated
 * says why.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "files.h"
#include "model/model.h"
#include "probed.h"

static struct err err;
static struct probed shared;

static int open_shared(void **state)
{
    (void)state;
    probed_open(&shared, 2);
    return 0;
}

static int close_shared(void **state)
{
    (void)state;
    probed_close(&shared);
    return 0;
}

static double number(const struct json *object, const char *key)
{
    const struct json *node = json_get(object, key);
    assert_non_null(node);
    return json_number(node, (double)NAN);
}

static const char *const part[] = {"reward", "kl", "value", "entropy"};

/* The change by the whole is the sum of those by its parts; norms and cosines
 * of the parts give the whole's norm. */
static void check_sums(const struct json *iteration)
{
    const struct json *norm = json_get(iteration, "norm");
    const struct json *cosine = json_get(iteration, "cosine");
    const struct json *eos = json_get(json_get(iteration, "predicted"), "eos");
    double square = 0, sum = 0, size = 0;
    for (size_t a = 0; a < 4; a++) {
        double x = number(norm, part[a]), change = number(eos, part[a]);
        square += x * x;
        sum += change;
        size += fabs(change);
        for (size_t b = a + 1; b < 4; b++) {
            char name[32];
            (void)snprintf(name, sizeof name, "%s_%s", part[a], part[b]);
            double y = number(norm, part[b]);
            if (x > 0 && y > 0)
                square += 2 * x * y * number(cosine, name);
        }
    }
    double whole = number(norm, "whole");
    /* Both follow from the gradients' 1e-5. */
    files_near(sqrt(square), whole, 1e-4 * whole);
    files_near(sum, number(eos, "whole"), 1e-4 * size);
}

static void test_iterations(void **state)
{
    (void)state;
    struct probed p = shared;
    p.config.only = "gradient";
    probed_run(&p);
    struct json *root = probed_read(&p, "gradient");
    const struct json *list = json_get(root, "iterations");
    /* Before each of the three is a checkpoint, or the first model. */
    assert_int_equal(json_size(list), PROBED_ITERATIONS);
    for (size_t i = 0; i < PROBED_ITERATIONS; i++) {
        const struct json *x = json_at(list, i);
        const struct json *tokens =
            json_get(json_get(x, "predicted"), "tokens");
        assert_int_equal(json_int(json_get(x, "step"), 0), i + 1);
        assert_true(json_bool(json_get(x, "reproducible"), false));
        assert_true(number(x, "residual") < 1e-5);
        assert_true(number(x, "logp_error") < 1e-4);
        files_near(number(x, "logp_bound"), log1p(1e-4), 1e-15);
        assert_int_equal(json_size(tokens), 10);
        assert_non_null(json_text(json_get(json_at(tokens, 0), "text"), NULL));
        check_sums(x);
        /* Policy and reference are one at first. */
        double kl = number(json_get(x, "norm"), "kl");
        assert_true(i == 0 ? kl == 0 : kl > 0);
        assert_true(number(json_get(x, "norm"), "entropy") == 0);
    }
    const struct json *average = json_get(root, "average");
    double mean = 0;
    for (size_t i = 0; i < PROBED_ITERATIONS; i++)
        mean += number(json_get(json_at(list, i), "norm"), "reward") /
                PROBED_ITERATIONS;
    const struct json *reward = json_get(json_get(average, "norm"), "reward");
    files_near(number(reward, "estimate"), mean, 1e-12);
    assert_int_equal(json_int(json_get(reward, "n"), 0), PROBED_ITERATIONS);
    const struct json *pair =
        json_get(json_get(average, "cosine"), "reward_kl");
    assert_int_equal(json_int(json_get(pair, "n"), 0), PROBED_ITERATIONS - 1);
    json_free(root);
}

/* Settings that are not the run's: nothing is claimed of its gradient. */
static void test_not_reproducible(void **state)
{
    (void)state;
    struct probed p = shared;
    p.config.only = "gradient";
    p.ppo.advantage.lambda = 0.5;
    p.config.ppo = &p.ppo;
    p.config.overwrite = true;
    const struct probe_result *r = probed_run(&p);
    assert_int_equal(probed_result(r, "gradient")->state, PROBE_WRITTEN);
    struct json *root = probed_read(&p, "gradient");
    const struct json *list = json_get(root, "iterations");
    for (size_t i = 0; i < PROBED_ITERATIONS; i++) {
        const struct json *x = json_at(list, i);
        assert_false(json_bool(json_get(x, "reproducible"), true));
        assert_non_null(strstr(json_text(json_get(x, "why"), ""), "advantage"));
        assert_null(json_get(x, "norm"));
    }
    json_free(root);
}

/* The checkpoint of another iteration has other log-probs. */
static void test_wrong_checkpoint(void **state)
{
    (void)state;
    struct probed p = shared;
    char from[1024], to[1024], keep[1024];
    p.config.only = "gradient";
    p.config.overwrite = true;
    (void)snprintf(from, sizeof from, "%s/checkpoints/000002", p.run);
    (void)snprintf(to, sizeof to, "%s/checkpoints/000001", p.run);
    (void)snprintf(keep, sizeof keep, "%s/kept", p.run);
    assert_int_equal(rename(to, keep), 0);
    assert_int_equal(rename(from, to), 0);
    probed_run(&p);
    assert_int_equal(rename(to, from), 0);
    assert_int_equal(rename(keep, to), 0);
    struct json *root = probed_read(&p, "gradient");
    const struct json *list = json_get(root, "iterations");
    assert_int_equal(json_size(list), 2);
    assert_true(json_bool(json_get(json_at(list, 0), "reproducible"), false));
    assert_false(json_bool(json_get(json_at(list, 1), "reproducible"), true));
    assert_non_null(strstr(json_text(json_get(json_at(list, 1), "why"), ""),
                           "another policy"));
    json_free(root);
}

/* Whether every iteration can be repeated with this precision, and what is
 * said where it cannot. */
static void check_numbers(struct probed *p, int precision, bool want,
                          const char *why)
{
    p->config.only = "gradient";
    p->config.overwrite = true;
    p->config.ppo_run.precision = precision;
    probed_run(p);
    struct json *root = probed_read(p, "gradient");
    const struct json *list = json_get(root, "iterations");
    assert_int_equal(json_size(list), PROBED_ITERATIONS);
    for (size_t i = 0; i < PROBED_ITERATIONS; i++) {
        const struct json *x = json_at(list, i);
        const char *text = json_text(json_get(x, "why"), "");
        if (json_bool(json_get(x, "reproducible"), !want) != want ||
            strstr(text, why) == NULL)
            fail_msg("iteration %zu: %s", i + 1, text);
        if (want)
            files_near(number(x, "logp_bound"), log1p(0.1), 1e-15);
    }
    json_free(root);
}

/* With products of bfloat16s two passes agree to their rounding; floats have
 * other log-probs, and where the record leaves it open, that is said. */
static void test_bfloat16(void **state)
{
    struct probed p;
    (void)state;
    probed_open_as(&p, 2, MODEL_F32_BY_BF16);
    check_numbers(&p, MODEL_F32_BY_BF16, true, "");
    check_numbers(&p, MODEL_F32, false, "another policy");
    p.config.ppo_run.is_compute_open = true;
    check_numbers(&p, MODEL_F32, false, "says only auto");
    probed_close(&p);
}

static void test_no_run(void **state)
{
    (void)state;
    struct probed p = shared;
    char empty[1024];
    (void)snprintf(empty, sizeof empty, "%s/empty", p.desk.dir);
    files_must(file_make_dir(empty, &err), &err);
    p.config.only = "gradient";
    p.config.heldout.run = empty;
    const struct probe_result *r = probed_run(&p);
    assert_int_equal(probed_result(r, "gradient")->state, PROBE_SKIPPED);
    assert_non_null(
        strstr(probed_result(r, "gradient")->why.text, "no iteration"));
}

static double last_to_first(const struct json *arm)
{
    const struct json *kl = json_get(arm, "kl");
    size_t n = json_size(kl);
    assert_int_equal(n, 5);
    return json_number(json_at(kl, n - 1), (double)NAN) /
           json_number(json_at(kl, 0), (double)NAN);
}

static void test_relaxation(void **state)
{
    (void)state;
    struct probed p = shared;
    p.config.only = "relaxation";
    p.ppo.optimizer.lr = 5e-3; // so that the score drives the policy away
    p.config.ppo = &p.ppo;
    const struct probe_result *r = probed_run(&p);
    assert_int_equal(probed_result(r, "relaxation")->state, PROBE_WRITTEN);
    struct json *root = probed_read(&p, "relaxation");
    const struct json *run = json_get(root, "run");
    const struct json *twin = json_get(root, "twin");
    const char *class = json_text(json_get(root, "class"), "");
    /* A desk this small may or may not show it; what it cannot show is a right
     * penalty that does not act. */
    assert_true(strcmp(class, "acts") == 0 ||
                strcmp(class, "not measurable") == 0);
    assert_true(json_bool(json_get(root, "tilted"), false));
    assert_true(json_bool(json_get(root, "twin_is_run"), false));
    assert_string_equal(json_text(json_get(root, "kl_mode"), ""), "k1_reward");
    assert_int_equal(json_int(json_get(root, "batch"), 0), 8);
    files_near(number(root, "beta") * number(root, "beta_scale"), 0.2, 1e-12);
    files_near(last_to_first(run), number(run, "ratio"), 1e-9);
    files_near(last_to_first(twin), number(run, "ratio"), 1e-9);
    assert_true(json_int(json_get(run, "tokens"), 0) > 0);
    json_free(root);

    p.ppo.kl.beta = 0;
    p.config.overwrite = true;
    probed_run(&p);
    root = probed_read(&p, "relaxation");
    assert_string_equal(json_text(json_get(root, "class"), ""), "no penalty");
    assert_int_equal(json_size(json_get(json_get(root, "run"), "kl")), 0);
    json_free(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_iterations),
        cmocka_unit_test(test_not_reproducible),
        cmocka_unit_test(test_wrong_checkpoint),
        cmocka_unit_test(test_bfloat16),
        cmocka_unit_test(test_no_run),
        cmocka_unit_test(test_relaxation),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
