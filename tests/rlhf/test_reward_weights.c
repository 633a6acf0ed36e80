/*
 * Weights of pairs: by hand, the promise that both sides of a bin come to the
 * same, a length bias of labels that they take out of a fitted model, weights
 * of records, and the stage that uses them.
 */
#include "rlhf/reward_weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "desk.h"
#include "rlhf/near.h"
#include "rlhf/reward_loss.h"

static struct err err;
static struct desk shared; // with an SFT model

enum {
    PROMPTS = 500,
    K = 4
};

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

/* Rankings that exist only as lengths and ranks. */
struct rankings {
    struct sequence seq[PROMPTS * K];
    size_t first[PROMPTS + 1];
    int32_t rank[PROMPTS * K];
    double quality[PROMPTS * K];
    struct record record[PROMPTS];
    char path[8];
    struct corpus corpus;
    struct dataset data;
};

static void lay_out(struct rankings *r, size_t n, size_t k)
{
    static char id[] = "one";
    memset(r, 0, sizeof *r);
    for (size_t i = 0; i < n; i++) {
        r->record[i] = (struct record){
            .id = id, .ranking = r->rank + i * k, .n_responses = k};
        r->first[i + 1] = (i + 1) * k;
    }
    memcpy(r->path, "file", 5);
    r->corpus = (struct corpus){
        .seq = r->seq, .first = r->first, .n_record = n, .n_seq = n * k};
    r->data = (struct dataset){.record = r->record, .n = n, .path = r->path};
}

static const struct reward_weights_config by_length = {
    .balance = BALANCE_LENGTH, .bin = 5};

/* Pairs (better, worse): the longer wins three times at differences to 5 and
 * the shorter once; to 10 only the longer; one is of equal length. */
static void test_by_hand(void **state)
{
    (void)state;
    static const size_t len[][2] = {{11, 10}, {13, 10}, {15, 10},
                                    {10, 14}, {16, 10}, {20, 20}};
    struct rankings *r;
    struct reward_weights w;
    double pair[4], least, most;
    must(MEM_NEW(r, 1, &err));
    lay_out(r, 6, 2);
    for (size_t i = 0; i < 12; i++) {
        r->seq[i].len_response = len[i / 2][i % 2];
        r->rank[i] = 1 + (int32_t)(i % 2);
    }
    must(reward_weights_make(&w, &by_length, &r->corpus, &r->data, 6, &err));
    /* One of six is dropped: c is 6/5.  4/2 to each side: 2/3 and 2. */
    static const double want[] = {0.8, 0.8, 0.8, 2.4, 0, 1.2};
    double sum = 0;
    for (size_t i = 0; i < 6; i++) {
        assert_true(
            reward_weights_pairs(pair, &w, r->seq + 2 * i, r->rank + 2 * i, 2));
        assert_near(pair[1], want[i], 1e-15);
        sum += pair[1];
    }
    assert_near(sum, 6, 1e-14);
    assert_int_equal(w.dropped, 1);
    assert_true(reward_weights_range(&least, &most, &w));
    assert_near(least, 0.8, 1e-15);
    assert_near(most, 2.4, 1e-15);
    reward_weights_free(&w);

    /* Only the training records are looked at; the first three alone have
     * nothing on the other side. */
    assert_int_equal(
        reward_weights_make(&w, &by_length, &r->corpus, &r->data, 3, &err),
        ERR_ARG);
    static const struct reward_weights_config none = {.bin = 5};
    must(reward_weights_make(&w, &none, &r->corpus, &r->data, 6, &err));
    assert_false(reward_weights_pairs(pair, &w, r->seq, r->rank, 2));
    assert_false(reward_weights_range(&least, &most, &w));
    assert_near(reward_weights_record(&w, 3), 1, 0);
    reward_weights_free(&w);
    mem_free(r);
}

/* Labels of a rater to whom a token is worth `taste`, quality being unrelated
 * to length. */
static void draw(struct rankings *r, double taste, uint32_t stream)
{
    struct rng g;
    rng_init(&g, 9, RNG_TEST, stream, 0);
    lay_out(r, PROMPTS, K);
    for (size_t i = 0; i < PROMPTS; i++) {
        double u[K];
        for (size_t k = 0; k < K; k++) {
            size_t at = i * K + k;
            double len = 40 + 12 * rng_normal(&g);
            r->seq[at].len_response = len > 1 ? (size_t)len : 1;
            r->quality[at] = rng_normal(&g);
            u[k] = r->quality[at] + taste * (double)r->seq[at].len_response -
                   log(-log(rng_uniform(&g)));
        }
        for (size_t k = 0; k < K; k++) {
            r->rank[i * K + k] = 1;
            for (size_t j = 0; j < K; j++)
                r->rank[i * K + k] += u[j] > u[k];
        }
    }
}

/* Both sides of every bin come to the same, and all pairs to what they came to
 * before. */
static void test_sides_are_even(void **state)
{
    (void)state;
    struct rankings *r;
    struct reward_weights w;
    double pair[K * K];
    must(MEM_NEW(r, 1, &err));
    for (uint32_t trial = 0; trial < 4; trial++) {
        struct reward_weights_config c = {.balance = BALANCE_LENGTH,
                                          .bin = 1 + 3 * (int64_t)trial};
        double side[64][2] = {{0}}, all = 0;
        draw(r, 0.06, trial);
        must(reward_weights_make(&w, &c, &r->corpus, &r->data, PROMPTS, &err));
        for (size_t i = 0; i < PROMPTS; i++) {
            const struct sequence *seq = r->seq + i * K;
            const int32_t *rank = r->rank + i * K;
            assert_true(reward_weights_pairs(pair, &w, seq, rank, K));
            for (size_t a = 0; a < K; a++) {
                for (size_t b = 0; b < K; b++) {
                    int64_t d = (int64_t)seq[a].len_response -
                                (int64_t)seq[b].len_response;
                    if (rank[a] >= rank[b])
                        continue;
                    all += pair[a * K + b];
                    if (d != 0)
                        side[(llabs(d) - 1) / c.bin][d > 0] += pair[a * K + b];
                }
            }
        }
        /* Sums of some thousand terms to 1e-13 of themselves. */
        assert_near(all, PROMPTS * K * (K - 1) / 2.0, 1e-9);
        for (size_t b = 0; b < 64; b++)
            assert_near(side[b][0], side[b][1], 1e-9);
        reward_weights_free(&w);
    }
    mem_free(r);
}

/* The Bradley-Terry model r = a quality + b length by plain descent; blind: of
 * length alone. */
static void fit(double *out, const struct rankings *r,
                const struct reward_weights *w, bool is_blind)
{
    static const struct reward_loss_config c = {.kind = RANKING_PAIRS};
    double a[2] = {0, 0};
    for (int step = 0; step < 400; step++) {
        double g[2] = {0, 0};
        for (size_t i = 0; i < PROMPTS; i++) {
            double x[K], dx[K] = {0}, pair[K * K];
            for (size_t k = 0; k < K; k++)
                x[k] = a[0] * r->quality[i * K + k] +
                       a[1] * (double)r->seq[i * K + k].len_response / 12;
            bool is = reward_weights_pairs(pair, w, r->seq + i * K,
                                           r->rank + i * K, K);
            (void)reward_loss_weighted(dx, x, r->rank + i * K, is ? pair : NULL,
                                       K, 1.0 / PROMPTS, &c);
            for (size_t k = 0; k < K; k++) {
                g[0] += dx[k] * r->quality[i * K + k];
                g[1] += dx[k] * (double)r->seq[i * K + k].len_response / 12;
            }
        }
        a[0] -= is_blind ? 0 : g[0];
        a[1] -= g[1];
    }
    out[0] = a[0];
    out[1] = a[1] / 12;
}

/* A rater's taste for length goes into a fitted model.  Balanced pairs hold
 * none of it by length alone, and what the header says beside quality. */
static void test_taste_is_taken_out(void **state)
{
    (void)state;
    static const struct reward_weights_config plain = {.bin = 5};
    const double taste = 0.08;
    struct rankings *r;
    struct reward_weights w;
    double biased[2], balanced[2], blind[2];
    must(MEM_NEW(r, 1, &err));
    draw(r, taste, 1);
    must(reward_weights_make(&w, &plain, &r->corpus, &r->data, PROMPTS, &err));
    fit(biased, r, &w, false);
    fit(blind, r, &w, true);
    assert_true(blind[1] > 0.6 * taste);
    reward_weights_free(&w);
    must(reward_weights_make(&w, &by_length, &r->corpus, &r->data, PROMPTS,
                             &err));
    fit(balanced, r, &w, false);
    fit(blind, r, &w, true);
    reward_weights_free(&w);
    /* 3000 pairs of 500 prompts, differences of length of deviation 17: an
     * error of about 0.003.  Four of them; quality differs by a variance of
     * 2 between two responses. */
    assert_near(biased[1], taste, 0.012);
    assert_near(balanced[1], taste * (1 - 1 / sqrt(1 + 0.35 * 2)), 0.012);
    /* Within a bin of 5 tokens lengths still differ by 1.4 around their mean,
     * of 14 between bins. */
    assert_near(blind[1], 0, 0.1 * taste);
    assert_near(balanced[0], biased[0], 0.3 * biased[0]);
    printf("slope %.4f, balanced %.4f, by length alone %.4f; quality %.3f, "
           "balanced %.3f\n",
           biased[1], balanced[1], blind[1], biased[0], balanced[0]);
    mem_free(r);
}

/* ---- weights of records ------------------------------------------------- */

static void test_records(void **state)
{
    (void)state;
    static char two[] = "{\"weight\":2,\"x\":1}", zero[] = "{\"weight\":0}";
    static char bad[] = "{\"weight\":-1}", text[] = "{\"weight\":\"2\"}";
    static char other[] = "{\"trust\":5}";
    struct reward_weights_config c = {.bin = 5, .is_given = true};
    struct rankings *r;
    struct reward_weights w;
    must(MEM_NEW(r, 1, &err));
    lay_out(r, 3, 2);
    for (size_t i = 0; i < 6; i++) {
        r->seq[i].len_response = 1 + i;
        r->rank[i] = 1 + (int32_t)(i % 2);
    }
    assert_int_equal(reward_weights_make(&w, &c, &r->corpus, &r->data, 3, &err),
                     ERR_FORMAT);
    assert_non_null(strstr(err.text, "no record has a weight"));
    r->record[0].extra = two;
    r->record[2].extra = zero;
    must(reward_weights_make(&w, &c, &r->corpus, &r->data, 3, &err));
    assert_near(reward_weights_record(&w, 0), 2, 0);
    assert_near(reward_weights_record(&w, 1), 1, 0);
    assert_near(reward_weights_record(&w, 2), 0, 0);
    reward_weights_free(&w);
    must(reward_weights_make(&w, &c, &r->corpus, &r->data, 2, &err));
    assert_near(reward_weights_record(&w, 0), 4.0 / 3, 1e-15);
    assert_near(reward_weights_record(&w, 1), 2.0 / 3, 1e-15);
    reward_weights_free(&w);
    r->record[1].extra = bad;
    assert_int_equal(reward_weights_make(&w, &c, &r->corpus, &r->data, 3, &err),
                     ERR_FORMAT);
    assert_non_null(strstr(err.text, "record 'one'"));
    r->record[1].extra = text;
    assert_int_equal(reward_weights_make(&w, &c, &r->corpus, &r->data, 3, &err),
                     ERR_FORMAT);
    c.key = "trust";
    r->record[1].extra = other;
    must(reward_weights_make(&w, &c, &r->corpus, &r->data, 2, &err));
    assert_near(reward_weights_record(&w, 1), 5.0 / 3, 1e-15);
    reward_weights_free(&w);
    r->record[0].extra = r->record[1].extra = zero;
    c.key = NULL;
    assert_int_equal(reward_weights_make(&w, &c, &r->corpus, &r->data, 2, &err),
                     ERR_FORMAT);

    /* Balance goes by what records weigh: 5 to 1 here. */
    static const size_t len[] = {12, 10, 10, 12};
    for (size_t i = 0; i < 4; i++)
        r->seq[i].len_response = len[i];
    c = (struct reward_weights_config){
        .balance = BALANCE_LENGTH, .bin = 5, .is_given = true, .key = "trust"};
    r->record[0].extra = other;
    must(reward_weights_make(&w, &c, &r->corpus, &r->data, 2, &err));
    assert_near(w.bin[0].weight_longer, 0.6, 1e-15);
    assert_near(w.bin[0].weight_shorter, 3, 1e-14);
    reward_weights_free(&w);
    mem_free(r);
}

/* ---- the stage ---------------------------------------------------------- */

static enum status train(const char *name, const char *data,
                         const struct reward_weights_config *w, int loss)
{
    struct stage stage = desk_stage(&shared, name, RUN_NEW);
    struct reward_config c = desk_reward(&shared);
    c.data = desk_path(&shared, data);
    c.weights = *w;
    c.loss.kind = loss;
    return reward_model_run(&c, &stage, &err);
}

/* The desk's rankings with a weight in every record: `even`, but the first
 * one's. */
static void write_weighted(const char *name, int even, int first)
{
    struct dataset data;
    struct buf text;
    char extra[2][32];
    must(dataset_read(&data, desk_path(&shared, "rankings.jsonl"),
                      DATASET_RANKINGS, &err));
    buf_init(&text, 1 << 24);
    assert_true(snprintf(extra[0], 32, "{\"weight\":%d}", first) > 0);
    assert_true(snprintf(extra[1], 32, "{\"weight\":%d}", even) > 0);
    for (size_t i = 0; i < data.n; i++) {
        struct record one = data.record[i];
        one.extra = extra[i > 0];
        dataset_write_record(&text, &one);
    }
    must(file_write(desk_path(&shared, name), text.data, text.len, &err));
    buf_free(&text);
    dataset_free(&data);
}

static void test_stage(void **state)
{
    (void)state;
    static const struct reward_weights_config off = {.bin = 5};
    static const struct reward_weights_config given = {.bin = 5,
                                                       .is_given = true};
    static const char model[] = "checkpoints/000006/model.safetensors";
    char hash[4][65], path[64];
    must(train("plain", "rankings.jsonl", &off, RANKING_PAIRS));
    must(train("balanced", "rankings.jsonl", &by_length, RANKING_PAIRS));
    write_weighted("even.jsonl", 3, 3);
    write_weighted("uneven.jsonl", 3, 30);
    must(train("even", "even.jsonl", &given, RANKING_PLACKETT_LUCE));
    must(train("ordered", "rankings.jsonl", &off, RANKING_PLACKETT_LUCE));
    must(train("uneven", "uneven.jsonl", &given, RANKING_PLACKETT_LUCE));
    static const char *const run[] = {"plain", "balanced", "ordered", "even"};
    for (size_t i = 0; i < 4; i++) {
        assert_true(snprintf(path, sizeof path, "%s/%s", run[i], model) > 0);
        desk_hash(hash[i], &shared, path);
    }
    assert_string_not_equal(hash[0], hash[1]);
    /* The same weight for all is none. */
    assert_string_equal(hash[2], hash[3]);
    assert_true(snprintf(path, sizeof path, "uneven/%s", model) > 0);
    desk_hash(hash[0], &shared, path);
    assert_string_not_equal(hash[0], hash[2]);

    struct json *json;
    must(json_read(&json, desk_path(&shared, "balanced/result.json"), 1 << 20,
                   &err));
    const struct json *balance = json_get(json, "balance");
    assert_near(json_number(json_get(balance, "bin"), 0), 5, 0);
    double least = json_number(json_get(balance, "least_weight"), NAN);
    double most = json_number(json_get(balance, "largest_weight"), NAN);
    assert_true(least > 0 && least <= 1 && most >= 1);
    assert_true(json_size(json_get(balance, "bins")) > 0);
    json_free(json);

    assert_int_equal(
        train("bad", "rankings.jsonl", &by_length, RANKING_PLACKETT_LUCE),
        ERR_ARG);
    assert_int_equal(train("bad", "rankings.jsonl", &given, RANKING_PAIRS),
                     ERR_FORMAT);
    assert_false(file_exists(desk_path(&shared, "bad")));
}

static int open_shared(void **state)
{
    (void)state;
    desk_open(&shared, 2);
    struct sft_config sft = desk_sft(&shared);
    struct stage stage = desk_stage(&shared, "sft", RUN_NEW);
    must(sft_run(&sft, &stage, &err));
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
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_sides_are_even),
        cmocka_unit_test(test_taste_is_taken_out),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_stage),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
