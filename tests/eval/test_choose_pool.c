/*
 * The adaptive arm of a pool in order: what eval/choose.h says of the texts in
 * the database, again after votes, with the random arm left alone.
 */
#include "eval/choose_pool.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "desk.h"
#include "eval/choose.h"
#include "files.h"
#include "model/heads.h"
#include "rig.h"
#include "store/load.h"

enum {
    ITEMS = 24, // of desk.c's rankings
    K = 4
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
    /* Another reward model, on fewer prompts. */
    struct reward_config c = desk_reward(&shared);
    c.holdout = 0.5;
    struct stage stage = desk_stage(&shared, "other", RUN_NEW);
    must(reward_model_run(&c, &stage, &err));
    return 0;
}

static int close_shared(void **state)
{
    (void)state;
    desk_close(&shared);
    return 0;
}

/* A project whose pool "rank" holds the desk's rankings, a quarter of them in
 * the random arm. */
static int64_t open_pool(struct rig *r)
{
    struct load_counts n;
    struct pool pool;
    struct arena a = {0};
    const struct load_config c = {.pool = "rank",
                                  .task = POOL_RANKING,
                                  .random_share = 0.25,
                                  .gap = 1,
                                  .is_adaptive = true,
                                  .now = RIG_NOW};
    rig_open(r);
    must(load_file(&n, r->db, &c, desk_path(&shared, "rankings.jsonl"), &err));
    assert_int_equal(n.normal, ITEMS);
    must(items_find_pool(&pool, &a, r->db, "rank", &err));
    arena_free(&a);
    return pool.id;
}

static struct choose_pool_counts choose(struct rig *r, size_t models,
                                        const struct context *context)
{
    const char *const path[] = {desk_path(&shared, "reward"),
                                desk_path(&shared, "other")};
    const struct choose_pool_config c = {
        .pool = "rank", .reward_model = path, .n_models = models};
    struct choose_pool_counts n;
    must(choose_pool(&n, r->db, &c, context, &err));
    return n;
}

/* What the pool holds, in the order of ids. */
struct items {
    int64_t id[ITEMS];
    double priority[ITEMS];
    bool is_adaptive[ITEMS], is_judged[ITEMS];
    size_t n;
    struct db *db;
};

static enum status look(void *ctx, int64_t id, struct err *e)
{
    struct items *x = ctx;
    struct arena a = {0};
    struct item item;
    struct item_state s;
    must(items_read(&item, &a, x->db, id, e));
    must(items_state(&s, x->db, id, e));
    assert_true(x->n < ITEMS);
    x->id[x->n] = id;
    x->priority[x->n] = item.priority;
    x->is_adaptive[x->n] = item.arm == ITEM_ADAPTIVE;
    x->is_judged[x->n++] = s.taken > 0;
    arena_free(&a);
    return OK;
}

static void read_items(struct items *x, struct rig *r, int64_t pool)
{
    *x = (struct items){.db = r->db};
    must(items_walk(r->db, pool, look, x, &err));
    assert_int_equal(x->n, ITEMS);
}

/* What the models say of the file that the pool was loaded from. */
static void read_models(double *score, float *feature, size_t *d, size_t models)
{
    static const char *const name[] = {"reward", "other"};
    for (size_t m = 0; m < models; m++) {
        struct reward_reader reader;
        struct dataset data;
        struct corpus corpus;
        float *state;
        must(reward_reader_open(&reader, desk_path(&shared, name[m]), NULL,
                                MODEL_F32, &err));
        must(dataset_read(&data, desk_path(&shared, "rankings.jsonl"),
                          DATASET_RANKINGS, &err));
        must(reward_reader_encode(&corpus, &reader, &data, &err));
        size_t C = reader.model.config.C;
        assert_int_equal(corpus.n_seq, ITEMS * K);
        must(MEM_NEW(state, corpus.n_seq * C, &err));
        must(scorer_states(score + m * ITEMS * K, state, &reader.model,
                           corpus.seq, corpus.n_seq, &shared.context, &err));
        /* The score is the head's view of the state: a float out of a sum in
         * double. */
        for (size_t i = 0; i < corpus.n_seq; i++) {
            double sum = 0;
            for (size_t c = 0; c < C; c++)
                sum += (double)model_score(&reader.model)[c] *
                       (double)state[i * C + c];
            files_near(score[m * ITEMS * K + i], sum, 1e-6 * (1 + fabs(sum)));
        }
        for (size_t i = 0; m == 0 && i < ITEMS; i++)
            choose_feature(feature + i * C, state + i * K * C, K, C);
        *d = m == 0 ? C : *d;
        mem_free(state);
        corpus_free(&corpus);
        dataset_free(&data);
        reward_reader_close(&reader);
    }
}

/* Texts by number: the place of the first that is equal, through all items. */
static void read_texts(size_t *text)
{
    struct dataset data;
    must(dataset_read(&data, desk_path(&shared, "rankings.jsonl"),
                      DATASET_RANKINGS, &err));
    for (size_t i = 0; i < ITEMS * K; i++) {
        const char *own = data.record[i / K].responses[i % K];
        size_t j = 0;
        while (strcmp(data.record[j / K].responses[j % K], own) != 0)
            j++;
        text[i] = j;
    }
    dataset_free(&data);
}

/* The priorities that the pool must have. */
static void wanted(double *priority, const struct items *x, size_t models)
{
    static double score[2 * ITEMS * K];
    static size_t text[ITEMS * K];
    static float feature[ITEMS * 64], kept[ITEMS * 64];
    size_t first[ITEMS + 1], of[ITEMS], n = 0, d = 0;
    double all[ITEMS], u[ITEMS];
    bool is_judged[ITEMS];
    struct choose_order o;
    read_models(score, feature, &d, models);
    read_texts(text);
    assert_true(d <= 64);
    for (size_t i = 0; i <= ITEMS; i++)
        first[i] = K * i;
    const struct choose_scores s = {ITEMS, first, text, models, score};
    choose_uncertainty(all, &s);
    for (size_t i = 0; i < ITEMS; i++) {
        priority[i] = x->priority[i];
        if (!x->is_adaptive[i] && !x->is_judged[i])
            continue;
        of[n] = i;
        u[n] = all[i];
        is_judged[n] = x->is_judged[i];
        memcpy(kept + n++ * d, feature + i * d, d * sizeof *feature);
    }
    const struct choose_records r = {
        .n = n, .d = d, .u = u, .feature = kept, .is_judged = is_judged};
    must(choose_order(&o, &r, &err));
    for (size_t k = 0; k < o.n; k++)
        priority[of[o.record[k]]] = choose_priority(k, o.n);
    choose_order_free(&o);
}

static void expect_priorities(struct rig *r, int64_t pool,
                              const struct items *before, size_t models)
{
    double want[ITEMS];
    struct items now;
    read_items(&now, r, pool);
    wanted(want, before, models);
    for (size_t i = 0; i < ITEMS; i++)
        if (now.priority[i] != want[i])
            fail_msg("item %zu: priority %g, wanted %g", i, now.priority[i],
                     want[i]);
}

static void test_order(void **state)
{
    (void)state;
    for (size_t models = 1; models <= 2; models++) {
        struct rig r;
        struct items before;
        int64_t pool = open_pool(&r);
        read_items(&before, &r, pool);
        struct choose_pool_counts n = choose(&r, models, &shared.context);
        assert_int_equal(n.chosen + n.random, ITEMS);
        assert_true(n.random > 0 && n.chosen > n.random);
        assert_int_equal(n.greedy, n.chosen);
        assert_int_equal(n.judged, 0);
        expect_priorities(&r, pool, &before, models);
        /* Once more, with one thread, is the same. */
        struct context one = shared.context;
        must(team_create(&one.team, 1, &err));
        choose(&r, models, &one);
        team_destroy(one.team);
        expect_priorities(&r, pool, &before, models);
        rig_close(&r);
    }
}

/* Votes came in, on either arm, and one item is in a judge's hands. */
static void test_again(void **state)
{
    (void)state;
    struct rig r;
    struct items before;
    char key[16];
    int64_t pool = open_pool(&r), judge = rig_judge(&r, "ada");
    choose(&r, 1, &shared.context);
    for (int i = 0; i < 6; i++) {
        int64_t id = rig_next(&r, judge, pool, RIG_NOW + i);
        (void)snprintf(key, sizeof key, "key-%d", i);
        if (i < 5)
            rig_rank(&r, judge, id, K, key, RIG_NOW + i);
    }
    read_items(&before, &r, pool);
    struct choose_pool_counts n = choose(&r, 1, &shared.context);
    assert_int_equal(n.judged, 6);
    assert_int_equal(n.looked, 6);
    assert_int_equal(n.chosen + n.random + n.judged, ITEMS);
    expect_priorities(&r, pool, &before, 1);
    rig_close(&r);
}

/* Candidates of one text are even, whatever the model, and never worth it. */
static void test_one_text(void **state)
{
    (void)state;
    static const char *const name[] = {"same", "two"};
    const char *const path[] = {desk_path(&shared, "reward")};
    const struct choose_pool_config c = {
        .pool = "made", .reward_model = path, .n_models = 1};
    struct choose_pool_counts n;
    struct rig r;
    rig_open(&r);
    int64_t pool = rig_pool(&r, "made", POOL_RANKING, 1, 0);
    for (size_t i = 0; i < 2; i++) {
        struct candidate two[2];
        int64_t id;
        bool is_new;
        for (size_t k = 0; k < 2; k++)
            two[k] = (struct candidate){
                .text = i == 1 && k == 1 ? "thank you." : "best regards.",
                .source = "m",
                .step = -1,
                .sample = -1,
                .tokens = -1,
                .score = (double)NAN};
        const struct item x = {.pool = pool,
                               .name = name[i],
                               .kind = ITEM_NORMAL,
                               .arm = ITEM_ADAPTIVE,
                               .priority = 1 - (double)i,
                               .prompt_id = name[i],
                               .prompt = "hello.",
                               .candidate = two,
                               .n = 2};
        must(items_add(&id, &is_new, r.db, &x, 0, RIG_NOW, &err));
    }
    must(choose_pool(&n, r.db, &c, &shared.context, &err));
    assert_int_equal(n.chosen, 2);
    assert_true(n.u_first > 0);
    files_near(n.u_last, 0, 0);
    int64_t first = rig_next(&r, rig_judge(&r, "ada"), pool, RIG_NOW);
    struct assignment a;
    struct arena arena = {0};
    struct item item;
    must(assign_read(&a, r.db, first, &err));
    must(items_read(&item, &arena, r.db, a.item, &err));
    assert_string_equal(item.name, "two");
    arena_free(&arena);
    rig_close(&r);
}

static void refuses(struct rig *r, const char *pool, const char *model,
                    size_t models, enum status want)
{
    const char *const path[] = {desk_path(&shared, model)};
    const struct choose_pool_config c = {
        .pool = pool, .reward_model = path, .n_models = models};
    struct choose_pool_counts n;
    assert_int_equal(choose_pool(&n, r->db, &c, &shared.context, &err), want);
}

static void test_refuses(void **state)
{
    (void)state;
    struct rig r;
    const char *const path[] = {desk_path(&shared, "reward")};
    struct choose_pool_config c = {
        .pool = "bare", .reward_model = path, .n_models = 1};
    struct choose_pool_counts n;
    int64_t pool = open_pool(&r);
    rig_pool(&r, "spot", POOL_SPOTCHECK, 1, 0);
    int64_t bare = rig_pool(&r, "bare", POOL_RANKING, 1, 0);
    rig_ranking(&r, bare, "x", 3); // of the random arm
    refuses(&r, "spot", "reward", 1, ERR_MISMATCH);
    refuses(&r, "none", "reward", 1, ERR_MISSING);
    refuses(&r, "rank", "none", 1, ERR_MISSING);
    refuses(&r, "rank", "reward", 0, ERR_ARG);
    refuses(&r, "rank", "reward", ENSEMBLE_MAX + 1, ERR_ARG);
    must(choose_pool(&n, r.db, &c, &shared.context, &err));
    assert_int_equal(n.chosen, 0);
    assert_int_equal(n.random, 1);
    assert_true(isnan(n.u_first));
    must(items_close_pool(r.db, pool, 0, RIG_NOW, &err));
    refuses(&r, "rank", "reward", 1, ERR_MISMATCH);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_one_text),
        cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
