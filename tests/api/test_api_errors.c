/*
 * test_api_errors.c - the C library given what it cannot use: NULL, numbers out
 * of range, files that are absent, damaged or something else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <plumb.h>

#include "base/file.h"
#include "rlhf/desk.h"

static struct desk desk;
static struct plumb_error error;
static struct plumb_context *context;
static struct plumb_model *model;
static struct plumb_reward_model *reward;
static const char *const prompt[] = {"hello", "hello"};

static int set_up(void **state)
{
    (void)state;
    desk_open(&desk, 1);
    desk_prepare(&desk);
    const char *sft = desk_path(&desk, "sft");
    assert_int_equal(plumb_context_create(&context, 1, &error), PLUMB_OK);
    assert_int_equal(plumb_model_load(&model, sft, NULL, &error), PLUMB_OK);
    assert_int_equal(plumb_reward_model_load(&reward, desk.dir, NULL, &error),
                     PLUMB_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    plumb_model_free(model);
    plumb_context_free(context);
    plumb_reward_model_free(reward);
    desk_close(&desk);
    return 0;
}

/* The call failed with this status, says so, and with this text. */
static void assert_failed(int got, int status, const char *text)
{
    if (got != status || error.status != status)
        fail_msg("%d (%d, '%s'), wanted %d", got, error.status, error.text,
                 status);
    if (strstr(error.text, text) == NULL)
        fail_msg("'%s' does not say '%s'", error.text, text);
    memset(&error, 0, sizeof error);
}

static void contexts(void **state)
{
    (void)state;
    struct plumb_context *c = NULL;
    assert_failed(plumb_context_create(NULL, 1, &error), PLUMB_USAGE, "'out'");
    assert_failed(plumb_context_create(&c, 1025, &error), PLUMB_USAGE,
                  "1025 threads");
    assert_null(c);
    assert_failed(plumb_context_progress(NULL, NULL, NULL, &error), PLUMB_USAGE,
                  "'context'");
    assert_int_equal(plumb_context_create(&c, 0, NULL), PLUMB_OK);
    plumb_context_free(c);
}

/* NULL is nothing to free and nothing to be told of. */
static void nothing(void **state)
{
    (void)state;
    plumb_context_free(NULL);
    plumb_model_free(NULL);
    plumb_reward_model_free(NULL);
    plumb_replies_free(NULL);
    plumb_diagnosis_free(NULL);
    plumb_text_free(NULL);
    assert_string_equal(plumb_model_path(NULL), "");
    assert_int_equal(plumb_model_positions(NULL), 0);
    assert_int_equal(plumb_model_vocabulary(NULL), 0);
    assert_int_equal(plumb_replies_count(NULL), 0);
    assert_null(plumb_replies_text(NULL, 0));
    assert_int_equal(plumb_replies_tokens(NULL, 0, NULL, NULL), 0);
    assert_int_equal(plumb_replies_ended(NULL, 0), 0);
    assert_int_equal(plumb_diagnosis_verdict(NULL), PLUMB_INCONCLUSIVE);
    assert_string_equal(plumb_diagnosis_rival(NULL), "");
    assert_failed(plumb_diagnosis_json(NULL, NULL, &error), PLUMB_USAGE,
                  "'diagnosis'");
    assert_failed(plumb_diagnosis_save(NULL, &error), PLUMB_USAGE,
                  "'diagnosis'");
    /* Without an error to fill in, the status still says it. */
    assert_int_equal(plumb_diagnosis_save(NULL, NULL), PLUMB_USAGE);
}

static void write_text(const char *path, const char *text)
{
    struct err err;
    assert_int_equal(file_write(path, text, strlen(text), &err), OK);
}

static void models(void **state)
{
    (void)state;
    struct plumb_model *m = NULL;
    struct plumb_reward_model *r = NULL;
    struct plumb_load o = PLUMB_LOAD_DEFAULT;
    struct err err;
    const char *sft = desk_path(&desk, "sft");
    const char *none = desk_path(&desk, "none");
    const char *gguf = desk_path(&desk, "bad.gguf");
    const char *folder = desk_path(&desk, "bad");
    assert_failed(plumb_model_load(NULL, sft, NULL, &error), PLUMB_USAGE,
                  "'out'");
    assert_failed(plumb_model_load(&m, NULL, NULL, &error), PLUMB_USAGE,
                  "'path'");
    assert_failed(plumb_model_load(&m, none, NULL, &error), PLUMB_MISSING,
                  none);
    assert_failed(plumb_model_load(&m, "", NULL, &error), PLUMB_MISSING, "");
    write_text(gguf, "GGUF and then something else entirely");
    assert_failed(plumb_model_load(&m, gguf, NULL, &error), PLUMB_CORRUPT,
                  gguf);
    assert_int_equal(file_make_dir(folder, &err), OK);
    write_text(desk_path(&desk, "bad/config.json"), "{\"model_type\": ");
    write_text(desk_path(&desk, "bad/model.safetensors"), "garbage");
    assert_failed(plumb_model_load(&m, folder, NULL, &error), PLUMB_CORRUPT,
                  "config.json");
    assert_failed(
        plumb_model_load(&m, desk_path(&desk, "reward"), NULL, &error),
        PLUMB_CORRUPT, "");
    assert_failed(plumb_reward_model_load(&r, sft, NULL, &error), PLUMB_CORRUPT,
                  "");
    o.chat = "nonesuch";
    assert_failed(plumb_model_load(&m, sft, &o, &error), PLUMB_USAGE,
                  "nonesuch");
    assert_failed(plumb_reward_model_load(&r, desk.dir, &o, &error),
                  PLUMB_USAGE, "chat template");
    o.size = 0;
    assert_failed(plumb_model_load(&m, sft, &o, &error), PLUMB_USAGE,
                  "_DEFAULT");
    assert_null(m);
    assert_null(r);
}

static void try_sampling(const struct plumb_sampling *s, const char *text)
{
    struct plumb_replies *r = NULL;
    assert_failed(plumb_generate(context, model, prompt, 1, s, &r, &error),
                  PLUMB_USAGE, text);
    assert_null(r);
}

static void samplings(void **state)
{
    (void)state;
    const struct plumb_sampling usual = PLUMB_SAMPLING_DEFAULT;
    struct plumb_sampling s = usual;
    s.samples = 0;
    try_sampling(&s, "samples = 0");
    s.samples = 1025;
    try_sampling(&s, "samples = 1025");
    s = usual;
    s.max_new = 0;
    try_sampling(&s, "max_new");
    s = usual;
    s.temperature = -1;
    try_sampling(&s, "temperature = -1");
    s.temperature = (double)NAN;
    try_sampling(&s, "temperature");
    s = usual;
    s.top_p = 0;
    try_sampling(&s, "top_p");
    s = usual;
    s.seed = UINT64_MAX;
    try_sampling(&s, "seed");
    s = usual;
    s.size = 4;
    try_sampling(&s, "size 4");
}

/* A structure of an older, shorter version, and of a newer one. */
static void versions(void **state)
{
    (void)state;
    struct {
        struct plumb_sampling now;
        double later;
    } newer = {PLUMB_SAMPLING_DEFAULT, 1};
    struct plumb_replies *r = NULL;
    newer.now.size = sizeof newer;
    newer.now.max_new = 4;
    assert_int_equal(
        plumb_generate(context, model, prompt, 1, &newer.now, &r, &error),
        PLUMB_OK);
    assert_in_range(plumb_replies_tokens(r, 0, NULL, NULL), 1, 4);
    plumb_replies_free(r);
    newer.now.size = offsetof(struct plumb_sampling, temperature);
    newer.now.temperature = -1; // behind the end of the older version
    assert_int_equal(
        plumb_generate(context, model, prompt, 1, &newer.now, &r, &error),
        PLUMB_OK);
    plumb_replies_free(r);
}

static void prompts(void **state)
{
    (void)state;
    static char long_text[4000];
    struct plumb_replies *r = NULL;
    const char *text[2] = {"hello", "hello"};
    assert_failed(plumb_generate(NULL, model, text, 1, NULL, &r, &error),
                  PLUMB_USAGE, "'context'");
    assert_failed(plumb_generate(context, NULL, text, 1, NULL, &r, &error),
                  PLUMB_USAGE, "'model'");
    assert_failed(plumb_generate(context, model, NULL, 1, NULL, &r, &error),
                  PLUMB_USAGE, "'prompts'");
    assert_failed(plumb_generate(context, model, text, 1, NULL, NULL, &error),
                  PLUMB_USAGE, "'out'");
    assert_failed(plumb_generate(context, model, text, 0, NULL, &r, &error),
                  PLUMB_USAGE, "0 prompts");
    text[1] = NULL;
    assert_failed(plumb_generate(context, model, text, 2, NULL, &r, &error),
                  PLUMB_USAGE, "prompt 1 is NULL");
    text[1] = "hello \xff";
    assert_failed(plumb_generate(context, model, text, 2, NULL, &r, &error),
                  PLUMB_CORRUPT, "prompt 1: byte 6 is no UTF-8");
    text[1] = "xylophone";
    assert_failed(plumb_generate(context, model, text, 2, NULL, &r, &error),
                  PLUMB_CORRUPT, "prompt 1: ");
    for (size_t i = 0; i + 6 < sizeof long_text; i += 6)
        memcpy(long_text + i, "hello ", 6);
    text[1] = long_text;
    assert_failed(plumb_generate(context, model, text, 2, NULL, &r, &error),
                  PLUMB_CORRUPT, "prompt 1: ");
    assert_null(r);
}

static void pairs(void **state)
{
    (void)state;
    const char *text[2] = {"hello", "hello"};
    double score[2] = {0.25, 0.25};
    assert_failed(plumb_score(NULL, reward, text, text, NULL, 1, score, &error),
                  PLUMB_USAGE, "'context'");
    assert_failed(
        plumb_score(context, NULL, text, text, NULL, 1, score, &error),
        PLUMB_USAGE, "'model'");
    assert_failed(
        plumb_score(context, reward, NULL, text, NULL, 1, score, &error),
        PLUMB_USAGE, "'prompts'");
    assert_failed(
        plumb_score(context, reward, text, NULL, NULL, 1, score, &error),
        PLUMB_USAGE, "'responses'");
    assert_failed(
        plumb_score(context, reward, text, text, NULL, 1, NULL, &error),
        PLUMB_USAGE, "'scores'");
    text[1] = "\xc3";
    assert_failed(
        plumb_score(context, reward, prompt, text, NULL, 2, score, &error),
        PLUMB_CORRUPT, "response 1: byte 0 is no UTF-8");
    text[1] = "xylophone";
    assert_failed(
        plumb_score(context, reward, prompt, text, NULL, 2, score, &error),
        PLUMB_CORRUPT, "pair 1");
    assert_true(score[0] == 0.25 && score[1] == 0.25);
}

static void diagnoses(void **state)
{
    (void)state;
    struct plumb_diagnosis *d = NULL;
    struct plumb_diagnose_options o = PLUMB_DIAGNOSE_DEFAULT;
    const char *none = desk_path(&desk, "none");
    assert_failed(plumb_diagnose(NULL, desk.dir, NULL, &d, &error), PLUMB_USAGE,
                  "'context'");
    assert_failed(plumb_diagnose(context, NULL, NULL, &d, &error), PLUMB_USAGE,
                  "'path'");
    assert_failed(plumb_diagnose(context, desk.dir, NULL, NULL, &error),
                  PLUMB_USAGE, "'out'");
    assert_failed(plumb_diagnose(context, none, NULL, &d, &error),
                  PLUMB_MISSING, none);
    assert_failed(
        plumb_diagnose(context, desk_path(&desk, "desk"), NULL, &d, &error),
        PLUMB_MISSING, "");
    o.resamples = 5;
    assert_failed(plumb_diagnose(context, desk.dir, &o, &d, &error),
                  PLUMB_USAGE, "resamples = 5");
    o.resamples = 0;
    o.human = none;
    assert_failed(
        plumb_diagnose(context, desk_path(&desk, "sft"), &o, &d, &error),
        PLUMB_MISSING, "");
    assert_null(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contexts), cmocka_unit_test(nothing),
        cmocka_unit_test(models),   cmocka_unit_test(samplings),
        cmocka_unit_test(versions), cmocka_unit_test(prompts),
        cmocka_unit_test(pairs),    cmocka_unit_test(diagnoses),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
