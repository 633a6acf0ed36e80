/* test_evidence.c - what is read, what is lost, and that order is nothing. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "diagnose/evidence.h"
#include "eval/files.h"
#include "toy.h"

static const char *dir;
static const struct bootstrap plan = {.seed = 1, .resamples = 200};

static int set_up(void **state)
{
    (void)state;
    dir = files_dir();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    files_remove(dir);
    return 0;
}

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
    files_write(dir, "ppo/rollouts/000003.jsonl.zst", "no zstd");
    read_it(&e, dir);
    assert_non_null(strstr(evidence_lost(&e, "probes/push.json")->why, "push"));
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
        cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
