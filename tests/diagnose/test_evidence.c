/* test_evidence.c - what is read, what is lost, and that order is nothing. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "diagnose/evidence.h"
#include "eval/files.h"
#include "toy.h"

FILES_FIXTURE(dir)
static const struct bootstrap plan = {.seed = 1, .resamples = 200};

static void read_it(struct evidence *e, const char *path)
{
    struct err err;
    files_must(evidence_read(e, path, &plan, &err), &err);
}

static void remove_it(const char *name)
{
    struct err err;
    files_must(file_remove(files_path(dir, name), &err), &err);
}

static void test_whole(void **state)
{
    (void)state;
    struct toy t = toy_paradox(dir);
    struct evidence e, run;
    toy_write(&t);
    read_it(&e, dir);
    assert_int_equal(e.n_reply, 2 * 64 * 4);
    assert_int_equal(e.n_vote, 2 * 64 * 2);
    assert_int_equal(e.votes_strange, 0);
    assert_int_equal(e.n_rollout, 12 * 32);
    assert_int_equal(e.n_step, 12);
    assert_int_equal(e.n_prompts, 64);
    assert_true(evidence_beta(&e) == 0.02);
    assert_int_equal(evidence_prompt(&e, "held-007"), 7);
    assert_int_equal(evidence_prompt(&e, "nobody"), SIZE_MAX);
    /* "." ends a sentence, " one" does not. */
    assert_true(e.ends_sentence[1] && !e.ends_sentence[2]);
    double kl = 0, boundary = 0, tokens = 0;
    for (size_t i = 0; i < e.n_token; i++) {
        kl += e.token_kl[i];
        if (e.token_class[i] == EVIDENCE_BOUNDARY)
            boundary += e.token_kl[i];
    }
    for (size_t i = 0; i < e.n_reply; i++) {
        if (!e.reply[i].is_policy)
            continue;
        tokens += e.reply[i].kl;
    }
    files_near(kl, tokens, 1e-9 * tokens);
    assert_true(boundary > 0 && boundary < tokens);
    /* A run is found from its own directory, too. */
    read_it(&run, files_path(dir, "ppo"));
    assert_int_equal(run.n_reply, e.n_reply);
    assert_int_equal(run.n_loss, e.n_loss);
    evidence_free(&run);
    evidence_free(&e);
}

/* Sums over classes and over places are both all tokens. */
static void test_ledger(void **state)
{
    (void)state;
    struct toy t = toy_paradox(dir);
    struct evidence e;
    toy_write(&t);
    read_it(&e, dir);
    for (size_t i = 0; i < e.n_step; i++) {
        const struct evidence_step *s = &e.step[i];
        double by_class = 0, by_decile = 0, kl = 0, want = 0;
        for (size_t c = 0; c < EVIDENCE_CLASSES; c++) {
            by_class += s->by_class[c].tokens;
            kl += s->by_class[c].kl;
        }
        for (size_t d = 0; d < EVIDENCE_DECILES; d++)
            by_decile += s->by_decile[d].tokens;
        for (size_t k = 0; k < e.n_rollout; k++)
            want += e.rollout[k].step == i ? (double)e.rollout[k].kl : 0;
        assert_true(by_class == (double)s->tokens);
        assert_true(by_decile == (double)s->tokens);
        files_near(kl, want, 1e-5 * (want + 1)); // sums kept as float
    }
    evidence_free(&e);
}

/* Each file taken away is named, with the command that makes it; the rest is
 * still read. */
static void test_missing(void **state)
{
    (void)state;
    static const char *const file[] = {
        "eval/samples.jsonl", "human/spotcheck.jsonl", "probes/push.json",
        "ppo/metrics.jsonl", "ppo/rollouts"};
    for (size_t i = 0; i < sizeof file / sizeof *file; i++) {
        struct toy t = toy_paradox(dir);
        struct evidence e;
        t.prompts = 4;
        t.batch = 4;
        toy_write(&t);
        remove_it(file[i]);
        read_it(&e, dir);
        const struct evidence_loss *lost = evidence_lost(&e, file[i]);
        assert_non_null(lost);
        assert_string_equal(lost->why, "not there");
        assert_int_equal(e.n_rollout > 0, i != 4);
        assert_int_equal(e.n_reply > 0, i != 0);
        evidence_free(&e);
    }
}

/* A damaged file is lost, with the reason; a vote on a reply that was not
 * drawn takes all votes with it. */
static void test_damaged(void **state)
{
    (void)state;
    struct toy t = toy_paradox(dir);
    struct evidence e;
    toy_write(&t);
    files_write(dir, "probes/push.json", "{\"columns\":{\"a\":[1");
    files_write(dir, "eval/curve.json", "[");
    for (int k = 1; k <= t.iterations; k++) {
        char name[64];
        snprintf(name, sizeof name, "ppo/rollouts/%06d.jsonl.zst", k);
        files_write(dir, name, "no zstd");
    }
    read_it(&e, dir);
    assert_non_null(
        strstr(evidence_lost(&e, "probes/push.json")->why, "column"));
    assert_non_null(evidence_lost(&e, "eval/curve.json"));
    assert_non_null(evidence_lost(&e, "ppo/rollouts"));
    assert_int_equal(e.n_rollout, 0);
    assert_true(e.n_reply > 0 && e.n_vote > 0);
    evidence_free(&e);

    struct buf text;
    struct err err;
    buf_init(&text, (size_t)1 << 24);
    const char *path = files_path(dir, "human/spotcheck.jsonl");
    files_must(file_read(&text, path, &err), &err);
    char *at = strstr(text.data, "\"response\":\"");
    assert_non_null(at);
    at[12] = at[12] == 'X' ? 'Y' : 'X';
    files_must(file_write(path, text.data, text.len, &err), &err);
    buf_free(&text);
    read_it(&e, dir);
    assert_int_equal(e.n_vote, 0);
    assert_int_equal(e.votes_strange, 1);
    assert_non_null(evidence_lost(&e, "human/spotcheck.jsonl"));
    evidence_free(&e);
}

static void test_nothing(void **state)
{
    (void)state;
    struct evidence e;
    struct err err;
    assert_int_equal(evidence_read(&e, files_path(dir, "absent"), &plan, &err),
                     ERR_MISSING);
    files_must(file_make_dir(files_path(dir, "empty"), &err), &err);
    assert_int_equal(evidence_read(&e, files_path(dir, "empty"), &plan, &err),
                     ERR_MISSING);
    assert_non_null(strstr(err.text, "no metrics"));
}

/* What lies beside ppo/ is no run, and is not read as the project's. */
static void test_part(void **state)
{
    (void)state;
    struct toy t = toy_paradox(dir);
    struct evidence e;
    struct err err;
    toy_write(&t);
    files_must(file_make_dir(files_path(dir, "reward"), &err), &err);
    files_must(file_make_dir(files_path(dir, "reward/eval"), &err), &err);
    files_write(dir, "reward/metrics.jsonl", "{\"step\":1,\"loss\":1}\n");
    assert_int_equal(evidence_read(&e, files_path(dir, "eval"), &plan, &err),
                     ERR_MISSING);
    assert_int_equal(evidence_read(&e, files_path(dir, "reward"), &plan, &err),
                     ERR_MISSING);
    read_it(&e, files_path(dir, "ppo/"));
    assert_string_equal(e.project, dir);
    evidence_free(&e);
}

/* A file that is there and holds nothing is lost like one that is not. */
static void test_empty(void **state)
{
    (void)state;
    static const char *const what[] = {"eval/samples.jsonl",
                                       "human/spotcheck.jsonl",
                                       "ppo/metrics.jsonl", "ppo/config.yaml"};
    struct toy t = toy_paradox(dir);
    struct evidence e;
    toy_write(&t);
    for (size_t i = 0; i < sizeof what / sizeof *what; i++)
        files_write(dir, what[i], "");
    read_it(&e, dir);
    for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
        const struct evidence_loss *lost = evidence_lost(&e, what[i]);
        assert_non_null(lost);
        assert_non_null(strstr(lost->why, "it holds no"));
    }
    evidence_free(&e);
}

/* ---- damage in a part --------------------------------------------------- */

#define SAMPLES "eval/samples.jsonl"
#define VOTES "human/spotcheck.jsonl"

/* A file's text with `count` rows of it, from row `first` on, once more at its
 * end; in those `from` becomes `to`, unless it is NULL. */
static void repeat(const char *name, size_t first, size_t count,
                   const char *from, const char *to)
{
    struct buf text;
    struct err err;
    const char *path = files_path(dir, name);
    buf_init(&text, (size_t)1 << 24);
    files_must(file_read(&text, path, &err), &err);
    char *whole = strdup(buf_text(&text)), *at = whole;
    assert_non_null(whole);
    for (size_t i = 0; i < first + count; i++) {
        char *end = strchr(at, '\n');
        assert_non_null(end);
        *end = '\0';
        if (i >= first) {
            char *hit = from != NULL ? strstr(at, from) : NULL;
            assert_int_equal(hit != NULL, from != NULL);
            if (hit != NULL) {
                *hit = '\0';
                buf_printf(&text, "%s%s%s\n", at, to, hit + strlen(from));
            } else {
                buf_printf(&text, "%s\n", at);
            }
        }
        at = end + 1;
    }
    files_must(file_write(path, text.data, text.len, &err), &err);
    free(whole);
    buf_free(&text);
}

static void wants(const struct evidence_loss *l, const char *why)
{
    assert_non_null(l);
    if (strstr(l->why, why) == NULL)
        fail_msg("%s: '%s' is not in '%s'", l->what, why, l->why);
    assert_non_null(strstr(l->command, "p"));
}

/* Iterations that are not there, or cannot be read, are named; the others are
 * as they were. */
static void test_gap(void **state)
{
    (void)state;
    static const char name[] = "ppo/rollouts/000007.jsonl.zst";
    static const char *const text[] = {NULL, "", "no zstd",
                                       "{\"step\":3,\"prompt_id\":\"a\","
                                       "\"sample\":0,\"finish\":\"eos\","
                                       "\"logp\":[-1]}\n"};
    static const char *const why[] = {"no rollouts of iteration 7",
                                      "000007.jsonl.zst: it holds no rows",
                                      "000007.jsonl.zst", "of iteration 3"};
    struct toy t = toy_paradox(dir);
    struct evidence whole;
    toy_write(&t);
    read_it(&whole, dir);
    assert_null(evidence_damaged(&whole, "ppo/rollouts"));
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        struct evidence e;
        remove_it(name);
        if (text[i] != NULL)
            files_write(dir, name, text[i]);
        read_it(&e, dir);
        assert_null(evidence_lost(&e, "ppo/rollouts"));
        wants(evidence_damaged(&e, "ppo/rollouts"), why[i]);
        wants(evidence_damaged(&e, "ppo/rollouts"), "of iteration 7");
        assert_int_equal(e.n_step, 11);
        assert_int_equal(e.n_rollout, 11 * 32);
        assert_int_equal(e.step[6].step, 8);
        assert_int_equal(e.rollout_prompt.n, 11 * 32);
        assert_memory_equal(&e.step[6], &whole.step[7], sizeof *e.step);
        evidence_free(&e);
    }
    evidence_free(&whole);
}

/* A file that is damaged behind good rows leaves none of them. */
static void test_cut(void **state)
{
    (void)state;
    static const char name[] = "ppo/rollouts/000007.jsonl.zst";
    struct toy t = toy_paradox(dir);
    struct evidence e;
    struct buf text;
    struct err err;
    toy_write(&t);
    buf_init(&text, (size_t)1 << 24);
    files_must(file_read(&text, files_path(dir, name), &err), &err);
    files_must(file_write(files_path(dir, name), text.data, text.len - 9, &err),
               &err);
    read_it(&e, dir);
    wants(evidence_damaged(&e, "ppo/rollouts"), "cut short");
    assert_int_equal(e.n_rollout, 11 * 32);
    assert_int_equal(e.rollout_prompt.n, 11 * 32);
    evidence_free(&e);
    buf_free(&text);
}

/* A run that was traced every third iteration has no gaps at the others, and
 * its log tells of those at the end. */
static void test_stride(void **state)
{
    (void)state;
    struct toy t = toy_paradox(dir);
    struct evidence e;
    toy_write(&t);
    for (int k = 1; k <= t.iterations; k++) {
        char name[64];
        snprintf(name, sizeof name, "ppo/rollouts/%06d.jsonl.zst", k);
        if (k % 3 != 0)
            remove_it(name);
    }
    read_it(&e, dir);
    assert_null(evidence_damaged(&e, "ppo/rollouts"));
    evidence_free(&e);
    files_write(dir, "ppo/config.yaml", "ppo:\n  trace_every: 3\n");
    read_it(&e, dir);
    assert_null(evidence_damaged(&e, "ppo/rollouts"));
    evidence_free(&e);
    remove_it("ppo/rollouts/000012.jsonl.zst");
    remove_it("ppo/rollouts/000003.jsonl.zst");
    read_it(&e, dir);
    wants(evidence_damaged(&e, "ppo/rollouts"), "iteration 3; ");
    wants(evidence_damaged(&e, "ppo/rollouts"), "iteration 12");
    evidence_free(&e);
    files_write(dir, "ppo/config.yaml", "ppo:\n  trace_every: 1\n");
    read_it(&e, dir);
    wants(evidence_damaged(&e, "ppo/rollouts"), "iterations 1 to 5");
    evidence_free(&e);
}

/* Rows that are there twice are counted once, and told. */
static void test_doubled(void **state)
{
    (void)state;
    struct toy t = toy_paradox(dir);
    struct evidence whole, e;
    double x[64], y[64];
    size_t kl = offsetof(struct evidence_reply, kl);
    struct err err;
    toy_write(&t);
    read_it(&whole, dir);
    assert_null(evidence_damaged(&whole, SAMPLES));
    assert_null(evidence_damaged(&whole, VOTES));
    repeat(SAMPLES, 3, 4, NULL, NULL);
    repeat(VOTES, 0, 2 * 64 * 2, NULL, NULL);
    read_it(&e, dir);
    wants(evidence_damaged(&e, SAMPLES), "4 rows are there twice");
    wants(evidence_damaged(&e, SAMPLES), "line 513");
    wants(evidence_damaged(&e, VOTES), "256 rows are there twice");
    assert_null(evidence_lost(&e, SAMPLES));
    assert_int_equal(e.n_reply, whole.n_reply);
    assert_int_equal(e.n_vote, whole.n_vote);
    assert_int_equal(e.n_token, whole.n_token);
    files_must(evidence_prompt_means(x, &whole, true, kl, &err), &err);
    files_must(evidence_prompt_means(y, &e, true, kl, &err), &err);
    assert_memory_equal(x, y, sizeof x);
    evidence_free(&e);
    evidence_free(&whole);
}

/* Which of two rows of one name is right nobody can say. */
static void test_contradicting(void **state)
{
    (void)state;
    struct toy t = toy_paradox(dir);
    struct evidence e;
    toy_write(&t);
    repeat(SAMPLES, 3, 1, "\"score\":", "\"score\":1");
    repeat(VOTES, 1, 1, "\"overall\":", "\"why\":1,\"overall\":");
    read_it(&e, dir);
    wants(evidence_lost(&e, SAMPLES), "line 513: ");
    wants(evidence_lost(&e, SAMPLES), "policy, sample 3, prompt held-000");
    wants(evidence_lost(&e, VOTES), "line 257: ");
    wants(evidence_lost(&e, VOTES), "visit 1, judge j0");
    assert_int_equal(e.n_reply, 0);
    assert_int_equal(e.n_vote, 0);
    evidence_free(&e);
}

/* A text where a number is wanted: the file, the line and the member. */
static void test_no_number(void **state)
{
    (void)state;
    static const struct {
        const char *file, *from, *to, *why;
    } bad[] = {
        {SAMPLES, "\"score\":", "\"score\":\"1\",\"x\":", "\"score\" is not"},
        {SAMPLES, "\"kl\":[", "\"kl\":[\"a\",", "kl[0] is not"},
        {SAMPLES, "\"len\":", "\"len\":-1,\"x\":", "len is -1"},
        {VOTES, "\"left_direct\":", "\"left_direct\":\"4\",\"x\":",
         "\"left_direct\" is not"},
        {VOTES,
         "\"left_direct\":", "\"left_direct\":40,\"x\":", "left_direct is 40"},
        {"ppo/metrics.jsonl",
         "\"kl/step\":", "\"kl/step\":\"a\",\"x\":", "kl/step is not"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct toy t = toy_paradox(dir);
        struct evidence e;
        toy_write(&t);
        repeat(bad[i].file, 2, 1, bad[i].from, bad[i].to);
        read_it(&e, dir);
        wants(evidence_lost(&e, bad[i].file), bad[i].why);
        wants(evidence_lost(&e, bad[i].file), "line ");
        assert_int_equal(e.n_reply > 0, strcmp(bad[i].file, SAMPLES) != 0);
        evidence_free(&e);
    }
    struct evidence e;
    files_write(dir, "eval/curve.json",
                "{\"checkpoints\":[{\"score\":{\"low\":\"1\"}}]}");
    read_it(&e, dir);
    wants(evidence_lost(&e, "eval/curve.json"), "\"low\" is not a number");
    assert_null(e.curve);
    evidence_free(&e);
}

/* Numbers that no measurement has, and lists that are none. */
static void test_absurd(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text, *why;
    } bad[] = {
        {"eval/curve.json", "{\"checkpoints\":{\"a\":[1]}}", "not a list"},
        {"eval/curve.json", "{\"checkpoints\":[null]}", "not a list"},
        {"eval/curve.json", "{\"checkpoints\":[],\"x\":[{\"n\":-1}]}",
         "\"n\" is -1"},
        {"probes/push.json", "{\"columns\":{\"score\":[\"a\"]}}",
         "columns.score is text"},
        {"probes/relaxation.json", "{\"run\":{\"ratio\":1e300}}",
         "a number is 1e+300"},
        {"ppo/metrics.jsonl", "{\"step\":2}\n{\"step\":1}\n",
         "row 2 is of step 1"},
        {"ppo/metrics.jsonl", "{\"step\":9223372036854775807}\n",
         "step 9223372036854775807"},
        {SAMPLES,
         "{\"prompt_id\":\"a\",\"which\":\"policy\",\"len\":1,"
         "\"score\":1e300}\n",
         "score is 1e+300"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct toy t = toy_paradox(dir);
        struct evidence e;
        t.prompts = t.batch = 4;
        toy_write(&t);
        files_write(dir, bad[i].file, bad[i].text);
        read_it(&e, dir);
        wants(evidence_lost(&e, bad[i].file), bad[i].why);
        assert_int_equal(e.metrics.n > 0,
                         bad[i].file[0] != 'p' || bad[i].file[1] != 'p');
        evidence_free(&e);
    }
}

/* No file is waited for. */
static void test_pipes(void **state)
{
    (void)state;
    static const char *const name[] = {"ppo/config.yaml",
                                       "ppo/metrics.jsonl",
                                       SAMPLES,
                                       VOTES,
                                       "probes/push.json",
                                       "eval/curve.json",
                                       "sft/config.yaml",
                                       "eval/settings.json",
                                       "whatif/result.json"};
    struct toy t = toy_paradox(dir);
    struct evidence e;
    struct err err;
    toy_write(&t);
    files_must(file_make_dir(files_path(dir, "sft"), &err), &err);
    files_must(file_make_dir(files_path(dir, "whatif"), &err), &err);
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        remove_it(name[i]);
        assert_int_equal(mkfifo(files_path(dir, name[i]), 0600), 0);
    }
    remove_it("ppo/rollouts/000002.jsonl.zst");
    assert_int_equal(
        mkfifo(files_path(dir, "ppo/rollouts/000002.jsonl.zst"), 0600), 0);
    (void)alarm(60);
    read_it(&e, dir);
    (void)alarm(0);
    for (size_t i = 0; i < sizeof name / sizeof *name; i++)
        wants(evidence_lost(&e, name[i]), "is not a regular file");
    wants(evidence_damaged(&e, "ppo/rollouts"), "is not a regular file");
    evidence_free(&e);
}

/* Lines of samples.jsonl backwards: the same prompts, the same means. */
static void test_order(void **state)
{
    (void)state;
    struct toy t = toy_paradox(dir);
    struct evidence a, b;
    struct buf text, turned;
    struct err err;
    double x[64], y[64];
    size_t score = offsetof(struct evidence_reply, score);
    toy_write(&t);
    read_it(&a, dir);
    files_must(evidence_prompt_means(x, &a, true, score, &err), &err);
    const char *path = files_path(dir, "eval/samples.jsonl");
    buf_init(&text, (size_t)1 << 24);
    buf_init(&turned, (size_t)1 << 24);
    files_must(file_read(&text, path, &err), &err);
    size_t end = text.len;
    for (size_t i = text.len - 1; i-- > 0;)
        if (i == 0 || text.data[i - 1] == '\n') {
            buf_append(&turned, text.data + i, end - i);
            end = i;
        }
    files_must(file_write(path, turned.data, turned.len, &err), &err);
    read_it(&b, dir);
    files_must(evidence_prompt_means(y, &b, true, score, &err), &err);
    assert_int_equal(text.len, turned.len);
    for (size_t p = 0; p < 64; p++)
        files_near(y[p], x[p], 1e-12); // four numbers in another order
    buf_free(&text);
    buf_free(&turned);
    evidence_free(&a);
    evidence_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ledger, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_part, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stride, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_doubled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_contradicting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_absurd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pipes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
