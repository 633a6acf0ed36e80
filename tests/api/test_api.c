/*
 * test_api.c - the C library on a support desk of some thousand parameters:
 * what it gives, that it gives the same whatever runs beside it, and that the
 * program around it is left alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <plumb.h>

#include "base/json.h"
#include "base/mem.h"
#include "rlhf/desk.h"

extern void omp_set_num_threads(int n);
extern int omp_get_max_threads(void);

static struct desk desk;
static struct plumb_error error;
static struct plumb_context *context;
static struct plumb_model *model;
static struct plumb_reward_model *reward;

static const char *const prompts[] = {
    "where is order #Q4?",
    "hello",
    "please cancel my order",
};
#define PROMPTS (sizeof prompts / sizeof prompts[0])

#define MUST(call)                                                             \
    do {                                                                       \
        if ((call) != PLUMB_OK)                                                \
            fail_msg("%s: %s", #call, error.text);                             \
    } while (0)

static int set_up(void **state)
{
    (void)state;
    desk_open(&desk, 2);
    desk_prepare(&desk);
    struct ppo_config ppo = desk_ppo(&desk);
    struct stage stage = desk_stage(&desk, "ppo", RUN_NEW);
    struct err err;
    assert_int_equal(ppo_run(&ppo, &stage, NULL, &err), OK);
    MUST(plumb_context_create(&context, 2, &error));
    MUST(plumb_model_load(&model, desk.dir, NULL, &error));
    MUST(plumb_reward_model_load(&reward, desk.dir, NULL, &error));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    plumb_context_free(context);
    plumb_model_free(model);
    plumb_reward_model_free(reward);
    desk_close(&desk);
    return 0;
}

static struct plumb_sampling three_samples(void)
{
    struct plumb_sampling s = PLUMB_SAMPLING_DEFAULT;
    s.samples = 3;
    s.max_new = 12;
    s.seed = 5;
    return s;
}

static struct plumb_replies *draw(struct plumb_context *c, size_t n)
{
    struct plumb_replies *r = NULL;
    const struct plumb_sampling s = three_samples();
    MUST(plumb_generate(c, model, prompts, n, &s, &r, &error));
    return r;
}

/* Are replies 0..n-1 the same in both? */
static void assert_same(const struct plumb_replies *a,
                        const struct plumb_replies *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const int32_t *id[2] = {NULL, NULL};
        const float *logp[2] = {NULL, NULL};
        size_t len = plumb_replies_tokens(a, i, &id[0], &logp[0]);
        assert_int_equal(plumb_replies_tokens(b, i, &id[1], &logp[1]), len);
        assert_memory_equal(id[0], id[1], len * sizeof(int32_t));
        assert_memory_equal(logp[0], logp[1], len * sizeof(float));
        assert_string_equal(plumb_replies_text(a, i), plumb_replies_text(b, i));
        assert_int_equal(plumb_replies_ended(a, i), plumb_replies_ended(b, i));
    }
}

/* ---- what it gives ------------------------------------------------------- */

static void names(void **state)
{
    (void)state;
    assert_string_equal(plumb_version(), PLUMB_VERSION);
    assert_string_equal(plumb_status_name(PLUMB_OK), "done");
    assert_string_equal(plumb_status_name(77), "unknown status");
    assert_string_equal(plumb_verdict_name(PLUMB_OTHER), "other_pathology");
    assert_string_equal(plumb_verdict_name(-1), "unknown verdict");
    assert_non_null(strstr(plumb_model_path(model), "/ppo/checkpoints/"));
    assert_int_equal(plumb_model_positions(model), 128);
    assert_true(plumb_model_vocabulary(model) > 100);
}

static void generates(void **state)
{
    (void)state;
    struct plumb_replies *r = draw(context, PROMPTS);
    bool differs = false;
    size_t cut = 0;
    assert_int_equal(plumb_replies_count(r), 3 * PROMPTS);
    for (size_t i = 0; i < 3 * PROMPTS; i++) {
        const int32_t *id = NULL;
        const float *logp = NULL;
        size_t n = plumb_replies_tokens(r, i, &id, &logp);
        assert_in_range(n, 1, 12);
        for (size_t t = 0; t < n; t++) {
            assert_true(logp[t] <= 0 && isfinite(logp[t]));
            assert_in_range(id[t], 0, plumb_model_vocabulary(model) - 1);
        }
        assert_non_null(plumb_replies_text(r, i));
        assert_true(plumb_replies_ended(r, i) || n == 12);
        cut += !plumb_replies_ended(r, i);
        differs = differs || strcmp(plumb_replies_text(r, i),
                                    plumb_replies_text(r, 0)) != 0;
    }
    assert_true(differs && cut > 0);
    assert_null(plumb_replies_text(r, 3 * PROMPTS));
    assert_int_equal(plumb_replies_tokens(r, 3 * PROMPTS, NULL, NULL), 0);
    assert_int_equal(plumb_replies_ended(r, 3 * PROMPTS), 0);
    plumb_replies_free(r);
}

/* Of a part of the prompts, and with another number of threads. */
static void repeats(void **state)
{
    (void)state;
    struct plumb_context *one = NULL;
    MUST(plumb_context_create(&one, 1, &error));
    struct plumb_replies *a = draw(context, PROMPTS), *b = draw(one, PROMPTS),
                         *first = draw(one, 1);
    plumb_context_free(one);
    assert_same(a, b, 3 * PROMPTS);
    assert_same(first, a, 3);
    plumb_replies_free(a);
    plumb_replies_free(b);
    plumb_replies_free(first);
}

static void scores(void **state)
{
    (void)state;
    const char *const said[] = {"hello", "i am sorry .", "hello"};
    const char *const asked[] = {prompts[0], prompts[1], prompts[0]};
    const int ended[] = {1, 1, 0};
    double all[3], again[3], one = 0;
    MUST(plumb_score(context, reward, asked, said, NULL, 3, all, &error));
    assert_true(isfinite(all[0]) && isfinite(all[1]));
    assert_true(all[0] == all[2] && all[0] != all[1]);
    MUST(plumb_score(context, reward, asked, said, ended, 3, again, &error));
    assert_true(again[0] == all[0] && again[1] == all[1]);
    /* The score of a reply that was cut stands at another token. */
    assert_true(again[2] != all[2]);
    MUST(plumb_score(context, reward, asked + 1, said + 1, NULL, 1, &one,
                     &error));
    /* Alone it is computed in products of another shape: the same number but
     * for rounding, which the house bounds by 1e-4 in float everywhere. */
    assert_true(fabs(one - all[1]) < 1e-4);
    MUST(plumb_score(context, reward, asked, said, NULL, 0, &one, &error));
}

static void diagnoses(void **state)
{
    (void)state;
    struct plumb_diagnosis *d = NULL;
    char *text = NULL;
    struct json *json;
    struct err err;
    const char *file = desk_path(&desk, "diagnosis.json");
    MUST(plumb_diagnose(context, desk.dir, NULL, &d, &error));
    MUST(plumb_diagnosis_json(d, &text, &error));
    assert_int_equal(json_parse(&json, text, strlen(text), "it", &err), OK);
    assert_string_equal(json_text(json_get(json, "verdict"), ""),
                        plumb_verdict_name(plumb_diagnosis_verdict(d)));
    const struct json *rival = json_at(json_get(json, "rivals"), 0);
    assert_string_equal(json_text(json_get(rival, "id"), ""),
                        plumb_diagnosis_rival(d));
    assert_true(*plumb_diagnosis_rival(d));
    json_free(json);
    assert_false(file_exists(file));
    MUST(plumb_diagnosis_save(d, &error));
    assert_true(file_exists(desk_path(&desk, "report.html")));
    struct file_map map;
    assert_int_equal(file_map(&map, file, &err), OK);
    assert_int_equal(map.len, strlen(text));
    assert_memory_equal(map.data, text, map.len);
    file_unmap(&map);
    plumb_text_free(text);
    plumb_diagnosis_free(d);
}

/* What was handed out needs nothing else to stay. */
static void frees_in_any_order(void **state)
{
    (void)state;
    struct plumb_context *c = NULL;
    struct plumb_model *m = NULL;
    struct plumb_replies *r = NULL;
    struct plumb_diagnosis *d = NULL;
    char *text = NULL;
    MUST(plumb_model_load(&m, desk.dir, NULL, &error));
    MUST(plumb_context_create(&c, 2, &error));
    MUST(plumb_generate(c, m, prompts, 1, NULL, &r, &error));
    MUST(plumb_diagnose(c, desk.dir, NULL, &d, &error));
    plumb_context_free(c);
    plumb_model_free(m);
    assert_true(strlen(plumb_replies_text(r, 0)) > 0);
    plumb_replies_free(r);
    MUST(plumb_diagnosis_json(d, &text, &error));
    plumb_diagnosis_free(d);
    assert_true(text[0] == '{');
    plumb_text_free(text);
}

/* ---- the program around -------------------------------------------------- */

static void *draw_again(void *arg)
{
    struct plumb_context *own = NULL;
    MUST(plumb_context_create(&own, 2, &error));
    *(struct plumb_replies **)arg = draw(own, PROMPTS);
    plumb_context_free(own);
    return NULL;
}

/* Several contexts at a time, with one model. */
static void shares_a_model(void **state)
{
    (void)state;
    struct plumb_replies *alone = draw(context, PROMPTS), *beside[3];
    pthread_t thread[3];
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(
            pthread_create(&thread[i], NULL, draw_again, &beside[i]), 0);
    for (size_t i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    for (size_t i = 0; i < 3; i++) {
        assert_same(alone, beside[i], 3 * PROMPTS);
        plumb_replies_free(beside[i]);
    }
    plumb_replies_free(alone);
}

static char *document(void)
{
    struct plumb_diagnosis *d = NULL;
    char *text = NULL;
    MUST(plumb_diagnose(context, desk.dir, NULL, &d, &error));
    MUST(plumb_diagnosis_json(d, &text, &error));
    plumb_diagnosis_free(d);
    return text;
}

/* A locale whose decimal point is a comma; false where there is none. */
static bool choose_comma(void)
{
    static const char *const name[] = {"de_DE.UTF-8", "de_DE.utf8",
                                       "fr_FR.UTF-8", "fr_FR.utf8"};
    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
        if (setlocale(LC_ALL, name[i]) != NULL &&
            strcmp(localeconv()->decimal_point, ",") == 0)
            return true;
    }
    return false;
}

static void minds_no_locale(void **state)
{
    (void)state;
    char *plain = document();
    if (choose_comma()) {
        char *text = document();
        assert_string_equal(plain, text);
        assert_string_equal(localeconv()->decimal_point, ",");
        plumb_text_free(text);
        setlocale(LC_ALL, "C");
    } else {
        print_message("    no locale with a decimal comma here\n");
    }
    assert_true(uselocale((locale_t)0) == LC_GLOBAL_LOCALE);
    plumb_text_free(plain);
}

static volatile sig_atomic_t handled;

static void on_signal(int number)
{
    handled = number;
}

/* Told of progress: a signal arrives in the thread that called, which is the
 * one that is told. */
static int raise_signal(void *user, size_t done, size_t total)
{
    const pthread_t *caller = user;
    assert_true(pthread_equal(pthread_self(), *caller));
    assert_true(done > 0 && done <= total && total == PROMPTS);
    assert_int_equal(pthread_kill(pthread_self(), SIGUSR2), 0);
    return 0;
}

static void leaves_the_process_alone(void **state)
{
    (void)state;
    struct sigaction mine = {.sa_handler = on_signal}, before[32], after;
    pthread_t self = pthread_self();
    sigset_t mask;
    assert_int_equal(sigaction(SIGUSR2, &mine, NULL), 0);
    for (int i = 1; i < 32; i++)
        (void)sigaction(i, NULL, &before[i]);
    omp_set_num_threads(7);
    MUST(plumb_context_progress(context, raise_signal, &self, &error));
    plumb_replies_free(draw(context, PROMPTS));
    MUST(plumb_context_progress(context, NULL, NULL, &error));
    assert_int_equal(omp_get_max_threads(), 7);
    assert_int_equal(handled, SIGUSR2);
    for (int i = 1; i < 32; i++) {
        if (sigaction(i, NULL, &after) == 0)
            assert_true(after.sa_handler == before[i].sa_handler);
    }
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    assert_int_equal(sigismember(&mask, SIGUSR2), 0);
}

static int use_again(void *user, size_t done, size_t total)
{
    struct plumb_replies *r = NULL;
    int *status = user;
    (void)done, (void)total;
    *status = plumb_generate(context, model, prompts, 1, NULL, &r, &error);
    assert_null(r);
    return 1;
}

/* A context is for one call at a time, and progress can stop it. */
static void stops(void **state)
{
    (void)state;
    struct plumb_replies *r = NULL;
    double score[1] = {0.5};
    int inner = PLUMB_OK;
    MUST(plumb_context_progress(context, use_again, &inner, &error));
    assert_int_equal(
        plumb_generate(context, model, prompts, 1, NULL, &r, &error),
        PLUMB_STOPPED);
    assert_null(r);
    assert_int_equal(error.status, PLUMB_STOPPED);
    assert_int_equal(inner, PLUMB_FAILED);
    assert_int_equal(
        plumb_score(context, reward, prompts, prompts, NULL, 1, score, &error),
        PLUMB_STOPPED);
    assert_true(score[0] == 0.5);
    MUST(plumb_context_progress(context, NULL, NULL, &error));
    plumb_replies_free(draw(context, 1));
}

/* ---- memory that runs out ------------------------------------------------ */

static int load_and_use(void)
{
    struct plumb_model *m = NULL;
    struct plumb_replies *r = NULL;
    struct plumb_sampling s = three_samples();
    s.samples = 1;
    double score;
    int status = plumb_model_load(&m, desk.dir, NULL, &error);
    if (status == PLUMB_OK)
        status = plumb_generate(context, m, prompts, 1, &s, &r, &error);
    if (status == PLUMB_OK)
        status = plumb_score(context, reward, prompts, prompts, NULL, 1, &score,
                             &error);
    plumb_model_free(m);
    plumb_replies_free(r);
    return status;
}

/* The n-th allocation fails: PLUMB_FAILED, or done without, and no leak. */
static void survives_want(void **state)
{
    (void)state;
    size_t refused = 0;
    bool fired = true;
    for (long n = 0; fired; n += 1 + n / 25) {
        mem_fail_at(n);
        int status = load_and_use();
        fired = mem_count() > n;
        mem_fail_at(-1);
        if (status != PLUMB_OK && (!fired || status != PLUMB_FAILED))
            fail_msg("allocation %ld: %d, %s", n, status, error.text);
        refused += status != PLUMB_OK;
    }
    assert_true(refused > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(generates),
        cmocka_unit_test(repeats),
        cmocka_unit_test(scores),
        cmocka_unit_test(diagnoses),
        cmocka_unit_test(frees_in_any_order),
        cmocka_unit_test(shares_a_model),
        cmocka_unit_test(minds_no_locale),
        cmocka_unit_test(leaves_the_process_alone),
        cmocka_unit_test(stops),
        cmocka_unit_test(survives_want),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
