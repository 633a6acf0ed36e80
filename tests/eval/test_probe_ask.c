/*
 * What the probes write, against the same asked in another way.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "eval/drawn.h"
#include "files.h"
#include "model/checkpoint.h"
#include "probed.h"
#include "rlhf/rollout.h"

static struct err err;
static struct probed shared;

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

/* Run one probe; its file. */
static struct json *ask(struct probed *p, const char *name)
{
    p->config.only = name;
    const struct probe_result *r = probed_result(probed_run(p), name);
    if (r->state != PROBE_WRITTEN && r->state != PROBE_KEPT)
        fail_msg("%s: %s", name, r->why.text);
    return probed_read(p, name);
}

static double number(const struct json *column, size_t i)
{
    return json_number(json_at(column, i), (double)NAN);
}

static const char *text(const struct json *column, size_t i)
{
    return json_text(json_at(column, i), "");
}

/* Scores pass through matrix products of other shapes, which round
 * differently in the last bits of numbers near 1: some 2^-20 of a raw score,
 * over the deviation of the unit. */
static double score_tolerance(const struct probed *p)
{
    return 1e-5 / p->config.scale.sd;
}

/* ---- prefixes ----------------------------------------------------------- */

static void test_prefixes(void **state)
{
    (void)state;
    struct probed p = shared;
    struct probe probe;
    struct drawn d;
    struct json *root = ask(&p, "prefixes");
    must(probe_open(&probe, &p.config, &p.desk.context, &err));
    must(drawn_read(&d, &probe.setup, probe.samples,
                    (size_t)p.config.sizes.prompts, PROBED_SAMPLES, &err));
    drawn_keep(&d, false);
    size_t rows = 0, at = 0, ends = 0;
    for (size_t i = 0; i < d.n; i++)
        rows += d.reply[i].seq.len_response;
    const struct json *position = probed_column(root, "position", rows);
    const struct json *is_end = probed_column(root, "is_end", rows);
    const struct json *boundary = probed_column(root, "is_boundary", rows);
    const struct json *id = probed_column(root, "prompt_id", rows);
    const struct json *kl = probed_column(root, "kl", rows);
    const struct json *forward = probed_column(root, "forward_kl", rows);
    const struct json *p_eos = probed_column(root, "p_eos_policy", rows);
    const struct json *top = probed_column(root, "top_reference", rows);
    (void)probed_column(root, "entropy_policy", rows);
    (void)probed_column(root, "entropy_reference", rows);
    (void)probed_column(root, "p_eos_reference", rows);
    (void)probed_column(root, "top_policy", rows);
    (void)probed_column(root, "sample", rows);
    for (size_t i = 0; i < d.n; i++) {
        const struct sequence *seq = &d.reply[i].seq;
        for (size_t t = 0; t < seq->len_response; t++, at++) {
            assert_int_equal(json_int(json_at(position, at), -1), t);
            assert_string_equal(
                text(id, at), probe.setup.prompts.record[d.reply[i].prompt].id);
            const char *before = t > 0 ? tokenizer_token(probe.setup.tokenizer,
                                                         seq->response[t - 1])
                                       : "";
            assert_int_equal(json_bool(json_at(boundary, at), false),
                             strcmp(before, ".") == 0 ||
                                 strcmp(before, "?") == 0 ||
                                 strcmp(before, "!") == 0);
            bool ended = d.reply[i].is_eos && t + 1 == seq->len_response;
            assert_int_equal(json_bool(json_at(is_end, at), !ended), ended);
            ends += ended;
            assert_true(number(kl, at) >= 0 && number(forward, at) >= 0);
            assert_true(number(top, at) > 0 && number(top, at) <= 1);
            assert_true(number(p_eos, at) > 0 && number(p_eos, at) < 1);
        }
    }
    assert_int_equal(at, rows);
    assert_int_equal(json_int(json_get(root, "replies"), 0), d.n);
    json_free(root);
    drawn_free(&d);
    probe_close(&probe);
}

/* ---- reference ---------------------------------------------------------- */

static void test_reference(void **state)
{
    (void)state;
    struct probed p = shared;
    struct json *root = ask(&p, "reference");
    struct json *result;
    must(json_read(&result, desk_path(&p.desk, "sft/result.json"), 1 << 20,
                   &err));
    const struct json *heldout = json_get(root, "heldout");
    const struct json *train = json_get(root, "train");
    /* What SFT itself said of its held-out replies, summed in another order
     * from floats: some 1e-7 of it. */
    files_near(json_number(json_get(heldout, "nll"), (double)NAN),
               json_number(json_get(result, "heldout_loss"), (double)NAN),
               1e-5);
    assert_int_equal(json_int(json_get(heldout, "sequences"), 0),
                     json_int(json_get(result, "heldout_records"), -1));
    assert_int_equal(json_int(json_get(train, "sequences"), 0),
                     p.config.sizes.demos);
    assert_true(json_is_null(json_get(root, "missing")));
    /* The rows add up to the sums. */
    size_t rows = (size_t)(json_int(json_get(heldout, "sequences"), 0) +
                           json_int(json_get(train, "sequences"), 0));
    const struct json *nll = probed_column(root, "nll", rows);
    const struct json *tokens = probed_column(root, "tokens", rows);
    const struct json *split = probed_column(root, "split", rows);
    double sum = 0, count = 0;
    for (size_t i = 0; i < rows; i++)
        if (strcmp(text(split, i), "train") == 0) {
            sum += number(nll, i);
            count += number(tokens, i);
        }
    assert_true(count == json_number(json_get(train, "tokens"), -1));
    /* Rows are floats: 2^-24 of each of them at most. */
    files_near(sum / count, json_number(json_get(train, "nll"), (double)NAN),
               1e-6 * sum / count);
    const struct json *own = json_get(root, "own");
    assert_true(json_number(json_get(own, "entropy"), -1) > 0);
    assert_true(json_number(json_get(own, "top"), 2) < 1);
    json_free(root);
    json_free(result);
}

/* Without its run the reference still says how sure it is. */
static void test_reference_alone(void **state)
{
    (void)state;
    struct probed p = shared;
    p.config.sft_stage.missing = "from elsewhere";
    struct json *root = ask(&p, "reference");
    assert_string_equal(json_text(json_get(root, "missing"), ""),
                        "from elsewhere");
    assert_true(json_is_null(json_get(root, "train")));
    assert_true(json_is_null(json_get(root, "heldout")));
    assert_true(json_number(json_get(json_get(root, "own"), "top"), -1) > 0);
    assert_int_equal(json_size(json_get(root, "columns")), 0);
    json_free(root);

    p.config.sft_stage.missing = NULL;
    p.config.sft_stage.hash = "0123";
    p.config.overwrite = true;
    root = ask(&p, "reference");
    assert_non_null(
        strstr(json_text(json_get(root, "missing"), ""), "changed"));
    json_free(root);
}

/* ---- push --------------------------------------------------------------- */

static void test_push(void **state)
{
    (void)state;
    struct probed p = shared;
    struct probe probe;
    struct rollout r;
    const size_t K = (size_t)p.config.sizes.push_samples;
    const size_t n = K * (size_t)p.config.sizes.push_prompts;
    const size_t rows = n * (1 + PROBED_ITERATIONS);
    struct json *root = ask(&p, "push");
    const struct json *step = probed_column(root, "step", rows);
    const struct json *id = probed_column(root, "prompt_id", rows);
    const struct json *sample = probed_column(root, "sample", rows);
    const struct json *score = probed_column(root, "score", rows);
    const struct json *tokens = probed_column(root, "tokens", rows);
    const struct json *k1 = probed_column(root, "k1", rows);
    const struct json *kl = probed_column(root, "kl", rows);
    const struct json *first = probed_column(root, "kl_first", rows);
    const struct json *words = probed_column(root, "words", rows);
    double moved = 0;
    for (size_t i = 0; i < rows; i++) {
        assert_int_equal(json_int(json_at(step, i), -1), i / n);
        assert_int_equal(json_int(json_at(sample, i), -1), i % K);
        assert_string_equal(text(id, i), text(id, i % n));
        /* Before any step the policy is the reference. */
        if (i < n)
            assert_true(number(k1, i) == 0 && number(kl, i) == 0);
        moved += fabs(number(k1, i));
        assert_true(number(words, i) <= number(tokens, i));
        assert_true(number(first, i) >= 0 &&
                    number(first, i) <= number(kl, i) * (1 + 1e-6));
    }
    assert_true(moved > 0);

    /* The last point, drawn again from its streams and scored alone. */
    must(probe_open(&probe, &p.config, &p.desk.context, &err));
    const struct sampling how = {
        .temperature = 1, .top_p = 1, .max_new = PROBED_MAX_NEW};
    must(rollout_create(&r, n, how.max_new, &err));
    for (size_t i = 0; i < n; i++) {
        r.prompt[i] = i / K;
        r.sample[i] = i % K;
    }
    must(rollout_sample(&r, &probe.setup.policy, probe.setup.prompt, K, &how, 5,
                        RNG_PROBE, PROBE_STREAM_PUSH, &p.desk.context, &err));
    must(rollout_score(&r, &probe.setup.reward, probe.setup.prompts.record,
                       &p.desk.context, &err));
    for (size_t i = 0; i < n; i++) {
        size_t row = rows - n + i;
        assert_int_equal(json_int(json_at(tokens, row), -1),
                         r.seq[i].len_response);
        files_near(number(score, row),
                   (r.score_raw[i] - p.config.scale.mean) / p.config.scale.sd,
                   score_tolerance(&p));
    }
    rollout_free(&r);
    probe_close(&probe);
    json_free(root);
}

/* Few points are the first and the last with others between; a run without
 * checkpoints has none. */
static void test_push_points(void **state)
{
    (void)state;
    struct probed p = shared;
    p.config.sizes.checkpoints = 3;
    const size_t n =
        (size_t)(p.config.sizes.push_samples * p.config.sizes.push_prompts);
    struct json *root = ask(&p, "push");
    const struct json *step = probed_column(root, "step", 3 * n);
    assert_int_equal(json_int(json_at(step, 0), -1), 0);
    assert_int_equal(json_int(json_at(step, n), -1), 1);
    assert_int_equal(json_int(json_at(step, 2 * n), -1), PROBED_ITERATIONS);
    json_free(root);

    char empty[512];
    (void)snprintf(empty, sizeof empty, "%s", desk_path(&p.desk, "empty"));
    must(file_make_dir(empty, &err));
    p.config.heldout.run = empty;
    p.config.only = "push";
    const struct probe_result *r = probed_result(probed_run(&p), "push");
    assert_int_equal(r->state, PROBE_SKIPPED);
    assert_non_null(strstr(r->why.text, "no checkpoints"));
}

/* ---- edits -------------------------------------------------------------- */

/* A text scored alone. */
static double score_of(const struct probe *probe, size_t prompt,
                       const char *words)
{
    const struct setup *s = &probe->setup;
    struct ids ids = {.n = 0};
    bool is_eos = true;
    double score;
    must(chat_encode_response(s->tokenizer, &s->chat, words,
                              s->policy.config.eos, &ids, &err));
    struct sequence seq = s->prompt[prompt];
    seq.response = ids.id;
    seq.len_response = ids.n;
    const struct reward_replies one = {s->prompts.record, &prompt, &seq,
                                       &is_eos,           NULL,    1};
    must(reward_reader_score(&score, &s->reward, &one, probe->context, &err));
    ids_free(&ids);
    return (score - s->scale.mean) / s->scale.sd;
}

/* The edits' rows of one reply: each text made here by hand. */
static void check_reply(const struct probed *p, const struct probe *probe,
                        const struct json *root, const struct drawn_reply *r,
                        size_t seen[8])
{
    const struct json *column[] = {
        probed_column(root, "edit", SIZE_MAX),
        probed_column(root, "prompt_id", SIZE_MAX),
        probed_column(root, "which", SIZE_MAX),
        probed_column(root, "sample", SIZE_MAX),
        probed_column(root, "filler", SIZE_MAX),
        probed_column(root, "before", SIZE_MAX),
        probed_column(root, "after", SIZE_MAX),
        probed_column(root, "added_tokens", SIZE_MAX),
    };
    const struct json *fillers = json_get(root, "fillers");
    struct buf words, longer;
    size_t pads = 0;
    buf_init(&words, 1 << 16);
    buf_init(&longer, 1 << 16);
    must(drawn_text(&words, &probe->setup, &r->seq, &err));
    double before = score_of(probe, r->prompt, buf_text(&words));
    for (size_t i = 0; i < json_size(column[0]); i++) {
        const char *edit = text(column[0], i);
        if (strcmp(text(column[1], i),
                   probe->setup.prompts.record[r->prompt].id) != 0 ||
            strcmp(text(column[2], i), r->is_policy ? "policy" : "reference") !=
                0 ||
            json_int(json_at(column[3], i), -1) != r->sample)
            continue;
        int64_t added = json_int(json_at(column[7], i), 1000);
        int64_t filler = json_int(json_at(column[4], i), -2);
        files_near(number(column[5], i), before, score_tolerance(p));
        if (strcmp(edit, "pad") == 0 && pads++ == 0) {
            const char *sentence = text(fillers, (size_t)filler);
            buf_clear(&longer);
            buf_printf(&longer, "%s %s", buf_text(&words), sentence);
            files_near(number(column[6], i),
                       score_of(probe, r->prompt, buf_text(&longer)),
                       score_tolerance(p));
            assert_true(added > 3);
            assert_null(strstr(buf_text(&words), sentence));
            seen[0]++;
        }
        seen[1] += pads == 2 && strcmp(edit, "pad") == 0;
        if (strcmp(edit, "trim") == 0) {
            assert_true(added < 0);
            seen[2] += filler >= 0;
            seen[3] += filler < 0;
        }
        if (strcmp(edit, "reorder") == 0) {
            assert_int_equal(added, 0);
            seen[4]++;
        }
        seen[5] += strcmp(edit, "restate") == 0 && added > 0;
        seen[6] += strcmp(edit, "hedge") == 0 && added > 0;
        seen[7] += strcmp(edit, "flatter") == 0 && added > 0;
    }
    buf_free(&words);
    buf_free(&longer);
}

static void test_edits(void **state)
{
    (void)state;
    struct probed p = shared;
    struct probe probe;
    struct drawn d;
    size_t seen[8] = {0};
    probed_write_samples(&p);
    struct json *root = ask(&p, "edits");
    assert_string_equal(json_text(json_get(root, "source"), ""), "desk");
    const struct json *skipped = json_get(root, "skipped");
    assert_int_equal(json_size(skipped), 2);
    assert_true(json_is_string(json_get(skipped, "list")));
    assert_true(json_is_string(json_get(skipped, "bold")));
    must(probe_open(&probe, &p.config, &p.desk.context, &err));
    must(drawn_read(&d, &probe.setup, probe.samples,
                    (size_t)p.config.sizes.prompts, PROBED_SAMPLES, &err));
    const struct json *replies = json_get(root, "replies");
    assert_int_equal(json_int(json_get(replies, "read"), 0), d.n);
    assert_int_equal(json_int(json_get(replies, "reencoded"), 0), d.n);
    assert_int_equal(json_int(json_get(replies, "cut"), -1), 0);
    for (size_t i = 0; i < d.n; i++)
        check_reply(&p, &probe, root, &d.reply[i], seen);
    /* One of each for every reply, but for those of one sentence, which have
     * nothing to trim or reorder. */
    const size_t always[] = {0, 1, 5, 6, 7};
    for (size_t k = 0; k < sizeof always / sizeof *always; k++)
        assert_int_equal(seen[always[k]], d.n);
    assert_true(seen[2] > 0 && seen[3] > 0 && seen[4] > 0);
    assert_true(seen[2] + seen[3] <= d.n && seen[4] <= d.n);
    drawn_free(&d);
    probe_close(&probe);
    json_free(root);
}

/* The user's sentences; a file that is not there. */
static void test_edits_of_a_file(void **state)
{
    (void)state;
    struct probed p = shared;
    struct probe_result r[64];
    char path[512];
    probed_write_samples(&p);
    (void)snprintf(path, sizeof path, "%s",
                   files_write(p.desk.dir, "own.txt",
                               "we have sent you this.\nUnheard of.\n"));
    p.config.fillers = path;
    struct json *root = ask(&p, "edits");
    assert_string_equal(json_text(json_get(root, "source"), ""), "file");
    assert_int_equal(json_size(json_get(root, "fillers")), 1);
    assert_int_equal(json_int(json_get(root, "fillers_dropped"), 0), 1);
    json_free(root);
    p.config.fillers = "/nowhere/own.txt";
    assert_int_equal(probed_try(r, &p, &err), ERR_ARG);
    assert_int_equal(probed_result(r, "edits")->state, PROBE_FAILED);
}

/* Allocations of reading the samples. */
static long count_reading(const struct probe *probe)
{
    struct drawn d;
    mem_fail_at(-1);
    must(drawn_read(&d, &probe->setup, probe->samples,
                    (size_t)probe->config->sizes.prompts,
                    (size_t)probe->config->sizes.samples, &err));
    long count = mem_count();
    drawn_free(&d);
    return count;
}

/* Short of memory a probe says so and keeps nothing.  What reads JSON is left
 * out, the samples at the beginning and the probes that read data or models:
 * Jansson's scanner does not survive it. */
static void test_memory(void **state)
{
    (void)state;
    static const char *const name[] = {"edits", "prefixes"};
    struct probed p = shared;
    struct probe probe;
    probed_write_samples(&p);
    p.config.sizes.prompts = 2;
    must(probe_open(&probe, &p.config, &p.desk.context, &err));
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        const struct probe_kind *kind = probe_table;
        while (strcmp(kind->name, name[i]) != 0)
            kind++;
        enum status status = ERR_MEMORY;
        long first = count_reading(&probe), refused = 0;
        for (long at = 0; status != OK; at += 1 + at / 4) {
            struct buf out;
            struct json_writer w;
            buf_init(&out, 1 << 22);
            json_writer_init(&w, &out, false);
            json_open(&w, '{');
            mem_fail_at(first + at);
            status = kind->run(&w, &probe, &err);
            if (status == OK)
                status = buf_status(&out, &err);
            bool is_reached = mem_count() > first + at;
            mem_fail_at(-1);
            buf_free(&out);
            if (is_reached && status != ERR_MEMORY)
                fail_msg("%s, allocation %ld: %s", name[i], at,
                         err_name(status));
            refused += is_reached;
        }
        assert_true(refused > 10);
    }
    probe_close(&probe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_reference_alone),
        cmocka_unit_test(test_push),
        cmocka_unit_test(test_push_points),
        cmocka_unit_test(test_edits),
        cmocka_unit_test(test_edits_of_a_file),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
