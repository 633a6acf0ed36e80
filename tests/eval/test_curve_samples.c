/*
 * test_curve_samples.c - the replies of a curve, kept for people to compare.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "desk.h"
#include "eval/heldout.h"
#include "files.h"
#include "io/dataset.h"
#include "world/desk.h"

enum {
    PROMPTS = 12
};

static struct err err;
static struct desk shared;

static void must(enum status status)
{
    files_must(status, &err);
}

/* Three iterations of PPO, each with a checkpoint, that move nothing. */
static int open_shared(void **state)
{
    (void)state;
    desk_open(&shared, 2);
    desk_prepare(&shared);
    struct ppo_config c = desk_ppo(&shared);
    c.iterations = 3;
    c.save_every = 1;
    c.optimizer.lr = 0;
    struct stage stage = desk_stage(&shared, "ppo", RUN_NEW);
    must(ppo_run(&c, &stage, NULL, &err));
    must(desk_write_prompts(desk_path(&shared, "heldout.jsonl"), TICKET_HELDOUT,
                            PROMPTS, 1, &err));
    return 0;
}

static int close_shared(void **state)
{
    (void)state;
    desk_close(&shared);
    return 0;
}

static struct heldout_config config(const struct desk *d)
{
    return (struct heldout_config){
        .project = d->dir,
        .policy = desk_path(d, "ppo"),
        .reference = desk_path(d, "sft"),
        .reward_model = desk_path(d, "reward"),
        .prompts = desk_path(d, "heldout.jsonl"),
        .run = desk_path(d, "ppo"),
        .n_prompts = PROMPTS,
        .samples = 1,
        .curve_samples = true,
        .max_new = 40,
        .temperature = 1,
        .top_p = 1,
        .seed = 5,
    };
}

/* The rows of one checkpoint's file. */
struct kept {
    size_t policy, reference, alike; // alike: the same text at both
    char response[4096];             // the policy's, of the last prompt
};

static enum status take_kept(void *ctx, const struct json *row, size_t line,
                             struct err *e)
{
    struct kept *k = ctx;
    (void)line;
    (void)e;
    bool is_policy =
        strcmp(json_text(json_get(row, "which"), ""), "policy") == 0;
    const char *text = json_text(json_get(row, "response"), "");
    assert_int_equal(json_int(json_get(row, "sample"), -1), 0);
    assert_true(json_is_number(json_get(row, "score")));
    assert_true(json_is_array(json_get(row, "kl")) == is_policy);
    if (is_policy) {
        k->policy++;
        (void)snprintf(k->response, sizeof k->response, "%s", text);
    } else {
        k->reference++;
        k->alike += strcmp(k->response, text) == 0 ? 1 : 0;
    }
    return OK;
}

/* Every checkpoint's replies are kept beside the reference's, drawn with the
 * same random numbers: a policy that has not moved says the same.  The curve
 * stays as it was, and another evaluation takes them away. */
static void test_curve_samples(void **state)
{
    (void)state;
    struct desk d = shared;
    struct heldout_config c = config(&d);
    char without[65], with[65];
    c.curve_samples = false;
    must(heldout_sample(&c, &d.context, &err));
    must(heldout_curve(&c, &d.context, &err));
    desk_hash(without, &d, "eval/curve.json");
    assert_false(file_exists(desk_path(&d, "eval/checkpoints")));
    c = config(&d);
    must(heldout_curve(&c, &d.context, &err));
    desk_hash(with, &d, "eval/curve.json");
    assert_string_equal(with, without);
    for (int i = 1; i <= 3; i++) {
        char name[64];
        struct kept k = {.policy = 0};
        (void)snprintf(name, sizeof name, "eval/checkpoints/%06d.jsonl", i);
        must(jsonl_read(desk_path(&d, name), take_kept, &k, &err));
        assert_int_equal(k.policy, PROMPTS);
        assert_int_equal(k.reference, PROMPTS);
        assert_int_equal(k.alike, PROMPTS);
    }
    assert_false(file_exists(desk_path(&d, "eval/checkpoints/000000.jsonl")));
    c = config(&d);
    must(heldout_sample(&c, &d.context, &err));
    assert_false(file_exists(desk_path(&d, "eval/checkpoints")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_curve_samples),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
