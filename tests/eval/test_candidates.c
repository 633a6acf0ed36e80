/*
 * Replies drawn for people to judge: the same bytes for any thread count, a
 * reply that does not depend on how many others there are, scores that are
 * the reward model's, and as many as a load can use.
 */
#include "eval/candidates.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "desk.h"
#include "files.h"
#include "io/jsonl.h"
#include "rlhf/reward_reader.h"
#include "store/load.h"

enum {
    PROMPTS = 32, // of desk.c
    MAX_NEW = 20
};

static struct err err;
static struct desk shared;

static void must(enum status status)
{
    files_must(status, &err);
}

static int open_shared(void **state)
{
    (void)state;
    desk_open(&shared, 2);
    desk_prepare(&shared);
    return 0;
}

static int close_shared(void **state)
{
    (void)state;
    desk_close(&shared);
    return 0;
}

static struct candidates_config config(bool is_pair, size_t n_policy,
                                       size_t n_reference)
{
    return (struct candidates_config){
        .policy = desk_path(&shared, "sft"),
        .reference = desk_path(&shared, "sft"),
        .reward_model = desk_path(&shared, "reward"),
        .prompts = desk_path(&shared, "prompts.jsonl"),
        .is_pair = is_pair,
        .n_policy = n_policy,
        .n_reference = n_reference,
        .how = {.temperature = 1, .top_p = 1, .max_new = MAX_NEW},
        .seed = 5,
    };
}

/* Draw into a file of the desk. */
static struct candidates_counts draw(const struct candidates_config *c,
                                     const char *name)
{
    struct candidates_counts n;
    must(candidates_write(&n, c, desk_path(&shared, name), &shared.context,
                          &err));
    return n;
}

static void test_threads(void **state)
{
    (void)state;
    struct candidates_config c = config(true, 2, 3);
    struct context one = shared.context;
    struct candidates_counts n = draw(&c, "two.jsonl");
    char hash[2][65];
    assert_int_equal(n.prompts, PROMPTS);
    assert_int_equal(n.replies, PROMPTS * 5);
    must(team_create(&one.team, 1, &err));
    must(candidates_write(&n, &c, desk_path(&shared, "one.jsonl"), &one, &err));
    team_destroy(one.team);
    desk_hash(hash[0], &shared, "two.jsonl");
    desk_hash(hash[1], &shared, "one.jsonl");
    assert_string_equal(hash[0], hash[1]);
}

/* What is looked at in a file's rows. */
struct seen {
    const char *side; // the list
    char *text[PROMPTS * CANDIDATES_MAX];
    double score[PROMPTS * CANDIDATES_MAX];
    int64_t tokens[PROMPTS * CANDIDATES_MAX];
    size_t n, rows;
};

static enum status look(void *ctx, const struct json *row, size_t line,
                        struct err *e)
{
    struct seen *s = ctx;
    const struct json *list = json_get(row, s->side);
    (void)line;
    (void)e;
    assert_true(json_is_object(json_get(row, "ticket")));
    for (size_t k = 0; k < json_size(list); k++) {
        const struct json *r = json_at(list, k);
        const char *finish = json_text(json_get(r, "finish"), "");
        s->tokens[s->n] = json_int(json_get(r, "tokens"), -1);
        s->score[s->n] = json_number(json_get(r, "score"), (double)NAN);
        s->text[s->n] = mem_strdup(json_text(json_get(r, "text"), NULL));
        assert_non_null(s->text[s->n]);
        assert_in_range(s->tokens[s->n], 1, MAX_NEW);
        assert_true(
            strcmp(finish, "eos") == 0 ||
            (strcmp(finish, "length") == 0 && s->tokens[s->n] == MAX_NEW));
        assert_string_equal(json_text(json_get(r, "run"), ""),
                            desk_path(&shared, "sft"));
        assert_true(json_int(json_get(r, "step"), -1) > 0);
        s->n++;
    }
    s->rows++;
    return OK;
}

static void read_rows(struct seen *s, const char *name, const char *side)
{
    memset(s, 0, sizeof *s);
    s->side = side;
    must(jsonl_read(desk_path(&shared, name), look, s, &err));
}

static void free_rows(struct seen *s)
{
    for (size_t i = 0; i < s->n; i++)
        mem_free(s->text[i]);
}

static void test_more_keep_the_first(void **state)
{
    (void)state;
    static struct seen few, many, reference;
    struct candidates_config c = config(true, 1, 2);
    draw(&c, "few.jsonl");
    c.n_policy = 3;
    draw(&c, "many.jsonl");
    read_rows(&few, "few.jsonl", "policy");
    read_rows(&many, "many.jsonl", "policy");
    read_rows(&reference, "few.jsonl", "reference");
    assert_int_equal(few.n, PROMPTS);
    assert_int_equal(many.n, PROMPTS * 3);
    assert_int_equal(reference.n, PROMPTS * 2);
    size_t same = 0;
    for (size_t p = 0; p < PROMPTS; p++) {
        assert_string_equal(few.text[p], many.text[3 * p]);
        same += strcmp(many.text[3 * p], many.text[3 * p + 1]) == 0;
        same += strcmp(few.text[p], reference.text[2 * p]) == 0;
    }
    /* A stream of its own each: this model hardly ever says a thing twice. */
    assert_true(same < PROMPTS / 2);
    free_rows(&few);
    free_rows(&many);
    free_rows(&reference);
}

/* Each score is what the reward model says of the text, where the text has
 * only one reading as tokens. */
static void test_scores(void **state)
{
    (void)state;
    static struct seen seen;
    struct candidates_config c = config(false, 4, 0);
    struct reward_reader reader;
    struct dataset data;
    struct corpus corpus;
    double *score;
    size_t compared = 0;
    c.reference = NULL;
    draw(&c, "rank.jsonl");
    read_rows(&seen, "rank.jsonl", "samples");
    assert_int_equal(seen.n, PROMPTS * 4);

    /* The paths of `c` are long gone from desk_path()'s buffers. */
    c = config(false, 4, 0);
    must(dataset_read(&data, c.prompts, DATASET_PROMPTS, &err));
    for (size_t p = 0; p < PROMPTS; p++) {
        struct record *r = &data.record[p];
        must(MEM_NEW(r->responses, 4, &err));
        r->n_responses = 4;
        for (size_t k = 0; k < 4; k++)
            r->responses[k] = mem_strdup(seen.text[4 * p + k]);
    }
    must(reward_reader_open(&reader, c.reward_model, NULL, 0, &err));
    must(reward_reader_encode(&corpus, &reader, &data, &err));
    must(MEM_NEW(score, corpus.n_seq, &err));
    must(scorer_score(score, &reader.model, corpus.seq, corpus.n_seq,
                      &shared.context, &err));
    for (size_t i = 0; i < seen.n; i++)
        if (corpus.seq[i].len_response == (size_t)seen.tokens[i]) {
            /* A dozen float operations deep; scores are of order 1. */
            files_near(score[i], seen.score[i], 1e-4);
            compared++;
        }
    assert_true(compared > 0);
    mem_free(score);
    corpus_free(&corpus);
    reward_reader_close(&reader);
    dataset_free(&data);
    free_rows(&seen);
}

static void test_file_stays(void **state)
{
    (void)state;
    struct candidates_config c = config(false, 2, 1);
    struct candidates_counts n;
    char hash[2][65];
    draw(&c, "kept.jsonl");
    draw(&c, "kept.jsonl");
    desk_hash(hash[0], &shared, "kept.jsonl");
    c.seed++;
    assert_int_equal(candidates_write(&n, &c, desk_path(&shared, "kept.jsonl"),
                                      &shared.context, &err),
                     ERR_MISMATCH);
    desk_hash(hash[1], &shared, "kept.jsonl");
    assert_string_equal(hash[0], hash[1]);
}

static void refuses(const struct candidates_config *c, enum status wanted)
{
    struct candidates_counts n;
    assert_int_equal(candidates_write(&n, c, desk_path(&shared, "no.jsonl"),
                                      &shared.context, &err),
                     wanted);
    assert_false(file_exists(desk_path(&shared, "no.jsonl")));
}

static void test_refuses(void **state)
{
    (void)state;
    struct candidates_config c = config(true, 1, 0);
    refuses(&c, ERR_ARG);
    c = config(false, 1, 0);
    refuses(&c, ERR_ARG);
    c = config(true, CANDIDATES_MAX + 1, 1);
    refuses(&c, ERR_ARG);
    c = config(false, 2, 0);
    c.how.max_new = 128; // all positions of the model
    refuses(&c, ERR_ARG);
    c = config(false, 2, 0);
    c.reward_model = desk_path(&shared, "absent");
    refuses(&c, ERR_MISSING);
    c = config(false, 2, 0);
    c.how.temperature = 0; // all replies to a prompt are one
    refuses(&c, ERR_FORMAT);
}

/* Whichever pairs become placebos, there are replies for them. */
static void test_enough_for_a_load(void **state)
{
    (void)state;
    static const int64_t pairs[] = {0, 20, 32, 33, 80};
    struct load_counts got;
    struct db *db;
    const struct project_new made = {.seed = 3, .now = 1};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char name[2][32];
        struct candidates_config c = config(true, 1, 2);
        (void)snprintf(name[0], sizeof name[0], "pairs-%zu.jsonl", i);
        (void)snprintf(name[1], sizeof name[1], "pairs-%zu.db", i);
        candidates_needed(&c.n_policy, &c.n_reference, (size_t)pairs[i],
                          PROMPTS, true);
        draw(&c, name[0]);
        const struct load_config how = {.pool = "spot",
                                        .task = POOL_SPOTCHECK,
                                        .random_share = (double)NAN,
                                        .placebo = 0.5,
                                        .gap = 20,
                                        .pairs = pairs[i],
                                        .now = 1};
        must(project_open(&db, desk_path(&shared, name[1]), DB_CREATE, &made,
                          &err));
        must(load_file(&got, db, &how, desk_path(&shared, name[0]), &err));
        int64_t wanted = pairs[i] > 0 ? pairs[i] : PROMPTS;
        assert_int_equal(got.normal + got.placebo, wanted);
        assert_int_equal(got.placebo_wanted, 0);
        assert_in_range(got.placebo, wanted / 2, (wanted + 3) / 2);
        db_close(db);
    }
    size_t policy, reference;
    candidates_needed(&policy, &reference, 65, 32, false);
    assert_int_equal(policy, 3);
    assert_int_equal(reference, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_more_keep_the_first),
        cmocka_unit_test(test_scores),
        cmocka_unit_test(test_file_stays),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_enough_for_a_load),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
