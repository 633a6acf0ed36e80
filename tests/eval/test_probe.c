/*
 * The frame of the probes on a small trained desk: what is kept, skipped and
 * told, the same bytes for any thread count; and the probe of ranked pairs.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "eval/probe_file.h"
#include "files.h"
#include "probed.h"

static struct err err;
static struct probed shared; // two threads

static void must(enum status status)
{
    files_must(status, &err);
}

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

static void hash_file(char out[65], const struct probed *p, const char *name)
{
    char file[128];
    assert_true(snprintf(file, sizeof file, "probes/%s", name) > 0);
    desk_hash(out, &p->desk, file);
}

static void test_threads(void **state)
{
    (void)state;
    struct probed one;
    probed_open(&one, 1);
    const struct probe_result *r = probed_run(&one);
    for (size_t i = 0; i < probe_count; i++)
        if (r[i].state != PROBE_WRITTEN)
            fail_msg("%s: %s", probe_table[i].name, r[i].why.text);
    probed_run(&shared);
    for (size_t i = 0; i <= probe_count; i++) {
        char hash[2][65], name[64];
        (void)snprintf(name, sizeof name, "%s.json",
                       i < probe_count ? probe_table[i].name : "summary");
        hash_file(hash[0], &one, name);
        hash_file(hash[1], &shared, name);
        if (strcmp(hash[0], hash[1]) != 0)
            fail_msg("%s differs between 1 and 2 threads", name);
    }
    probed_close(&one);
}

/* A file is kept for the same inputs, and written anew for others. */
static void test_kept(void **state)
{
    (void)state;
    struct probed p = shared;
    p.config.only = "pairs";
    p.config.overwrite = true;
    assert_int_equal(probed_result(probed_run(&p), "pairs")->state,
                     PROBE_WRITTEN);
    p.config.overwrite = false;
    const struct probe_result *r = probed_run(&p);
    assert_int_equal(probed_result(r, "pairs")->state, PROBE_KEPT);
    for (size_t i = 0; i < probe_count; i++)
        if (&r[i] != probed_result(r, "pairs"))
            assert_int_equal(r[i].state, PROBE_UNASKED);
    p.config.sizes.training_pairs = 6;
    assert_int_equal(probed_result(probed_run(&p), "pairs")->state,
                     PROBE_WRITTEN);
    p.config.sizes.training_pairs = 5;
    p.config.scale.mean += 1;
    assert_int_equal(probed_result(probed_run(&p), "pairs")->state,
                     PROBE_WRITTEN);
    /* What is no file of ours is written over. */
    (void)files_write(p.desk.dir, "probes/pairs.json", "[1,");
    assert_int_equal(probed_result(probed_run(&p), "pairs")->state,
                     PROBE_WRITTEN);
}

/* An absent stage takes its own probes away, an earlier file with them. */
static void test_skipped(void **state)
{
    (void)state;
    struct probed p = shared;
    probed_run(&p);
    p.config.only = "pairs";
    p.config.reward_stage.missing = "nobody knows";
    const struct probe_result *r = probed_run(&p);
    assert_int_equal(probed_result(r, "pairs")->state, PROBE_SKIPPED);
    assert_string_equal(probed_result(r, "pairs")->why.text, "nobody knows");
    assert_false(file_exists(desk_path(&p.desk, "probes/pairs.json")));
    struct json *summary;
    must(json_read(&summary, desk_path(&p.desk, "probes/summary.json"), 1 << 20,
                   &err));
    const struct json *told = json_get(json_get(summary, "probes"), "pairs");
    assert_string_equal(json_text(json_get(told, "state"), ""), "skipped");
    assert_string_equal(json_text(json_get(told, "why"), ""), "nobody knows");
    /* Those not asked for keep what was said of them. */
    for (size_t i = 0; i < probe_count; i++) {
        const char *name = probe_table[i].name;
        told = json_get(json_get(summary, "probes"), name);
        if (strcmp(name, "pairs") != 0)
            assert_string_equal(json_text(json_get(told, "state"), ""),
                                "written");
    }
    json_free(summary);

    /* Data that is gone, or is not what the model was trained on. */
    p.config.reward_stage.missing = NULL;
    p.reward.data = "/nowhere/rankings.jsonl";
    p.config.reward = &p.reward;
    r = probed_run(&p);
    assert_int_equal(probed_result(r, "pairs")->state, PROBE_SKIPPED);
    assert_non_null(strstr(probed_result(r, "pairs")->why.text, "nowhere"));
    p.reward.data = p.rankings;
    p.config.reward_stage.hash = "0123";
    r = probed_run(&p);
    assert_int_equal(probed_result(r, "pairs")->state, PROBE_SKIPPED);
    assert_non_null(strstr(probed_result(r, "pairs")->why.text, "changed"));
}

/* Corrupt data fail their probe, and the command with it, once the others have
 * run. */
static void test_failed(void **state)
{
    (void)state;
    struct probed p = shared;
    struct probe_result r[64];
    char path[512];
    (void)snprintf(path, sizeof path, "%s",
                   files_write(p.desk.dir, "bad.jsonl", "{\"prompt\":7}\n"));
    p.reward.data = path;
    p.config.reward = &p.reward;
    assert_int_equal(probed_try(r, &p, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "bad.jsonl"));
    for (size_t i = 0; i < probe_count; i++) {
        bool is_bad = strcmp(probe_table[i].name, "pairs") == 0;
        if (is_bad)
            assert_int_equal(r[i].state, PROBE_FAILED);
        else
            assert_true(r[i].state == PROBE_WRITTEN ||
                        r[i].state == PROBE_KEPT);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    struct probed p = shared;
    struct probe_result r[64];
    p.config.only = "pairs,nothing";
    assert_int_equal(probed_try(r, &p, &err), ERR_ARG);
    assert_non_null(strstr(err.text, "'nothing'"));
    p.config.only = NULL;
    volatile sig_atomic_t stop = 1;
    p.desk.context.stop = &stop;
    assert_int_equal(probed_try(r, &p, &err), ERR_STOPPED);
    p.desk.context.stop = NULL;
    p.config.heldout.project = "/nowhere";
    assert_int_equal(probed_try(r, &p, &err), ERR_MISSING);
    assert_non_null(strstr(err.text, "plumb eval"));
}

/* The features' columns of a row, which are floats. */
static void check_features(const struct json *root, size_t row,
                           const char *prompt, const char *text)
{
    double want[FEATURES];
    must(features_of(want, prompt, strlen(prompt), text, strlen(text), &err));
    for (int f = 0; f < FEATURES; f++) {
        const struct json *column =
            probed_column(root, features_name((enum features)f), SIZE_MAX);
        files_near(json_number(json_at(column, row), (double)NAN), want[f],
                   1e-6 * want[f]);
    }
}

/* Rows against the rankings themselves, scored one at a time. */
static void test_pairs(void **state)
{
    (void)state;
    struct probed p = shared;
    p.config.only = "pairs";
    probed_run(&p);
    /* desk_reward(): 24 prompts of 4 responses, a quarter held out. */
    size_t rows = (6 + 5) * 4;
    struct json *root = probed_read(&p, "pairs");
    const struct json *score = probed_column(root, "score", rows);
    const struct json *rank = probed_column(root, "rank", rows);
    const struct json *tokens = probed_column(root, "tokens", rows);
    const struct json *split = probed_column(root, "split", rows);
    const struct json *id = probed_column(root, "prompt_id", rows);
    const struct json *characters = probed_column(root, "characters", rows);
    assert_int_equal(json_int(json_get(root, "heldout_prompts"), 0), 6);

    struct dataset data;
    struct corpus corpus;
    struct reward_reader reader = {.reads_ids = false};
    must(dataset_read(&data, p.rankings, DATASET_RANKINGS, &err));
    must(reward_reader_open(&reader, p.reward_model, NULL, 0, &err));
    must(reward_reader_encode(&corpus, &reader, &data, &err));
    for (size_t i = 0; i < rows; i++) {
        bool is_heldout = i < 24;
        size_t record = is_heldout ? 18 + i / 4 : (i - 24) / 4;
        size_t seq = corpus.first[record] + i % 4;
        const char *text = data.record[record].responses[i % 4];
        double want;
        must(scorer_score(&want, &reader.model, &corpus.seq[seq], 1,
                          &p.desk.context, &err));
        want = (want - p.config.scale.mean) / p.config.scale.sd;
        /* Written as a float, and a product of other shape may round in its
         * last bits: a few units of 2^-24 of numbers near 1, over sd. */
        files_near(json_number(json_at(score, i), NAN), want,
                   1e-5 * (1 + fabs(want)) / p.config.scale.sd);
        assert_int_equal(json_int(json_at(rank, i), 0),
                         data.record[record].ranking[i % 4]);
        assert_int_equal(json_int(json_at(tokens, i), 0),
                         corpus.seq[seq].len_response);
        assert_int_equal(json_int(json_at(characters, i), 0), strlen(text));
        check_features(root, i, data.record[record].prompt, text);
        assert_string_equal(json_text(json_at(split, i), ""),
                            is_heldout ? "heldout" : "train");
        assert_string_equal(json_text(json_at(id, i), ""),
                            data.record[record].id);
    }
    json_free(root);
    corpus_free(&corpus);
    reward_reader_close(&reader);
    dataset_free(&data);
}

/* Every type of column, and what JSON has no number for. */
static void test_columns(void **state)
{
    (void)state;
    struct row {
        const char *name;
        int64_t count;
        double value;
        bool is_on;
    } row[] = {{"a", -3, 0.5, true}, {NULL, 0, (double)NAN, false}};
    const struct probe_column column[] = {
        PROBE_COLUMN(row, name), PROBE_COLUMN(row, count),
        PROBE_COLUMN(row, value), PROBE_COLUMN(row, is_on)};
    struct buf text;
    struct json_writer w;
    buf_init(&text, 1 << 16);
    json_writer_init(&w, &text, false);
    json_open(&w, '{');
    probe_put_columns(&w, column, 4, 2);
    json_close(&w, '}');
    assert_string_equal(buf_text(&text),
                        "{\"columns\":{\"name\":[\"a\",null],"
                        "\"count\":[-3,0],\"value\":[0.5,null],"
                        "\"is_on\":[true,false]}}");
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),  cmocka_unit_test(test_threads),
        cmocka_unit_test(test_kept),     cmocka_unit_test(test_skipped),
        cmocka_unit_test(test_failed),   cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
