/*
 * test_gradients.c - with few buffers the sum has the bits of the tree that
 * has one for each shard, in whatever order shards are opened and closed.
 */
#include "rlhf/gradients.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/comm.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "rlhf/reduce.h"

#define SHARDS_MAX 37
#define N 7 // floats of a gradient

/* Magnitudes apart, so that another order has other bits. */
static void draw(float x[N], uint32_t batch, size_t shard)
{
    struct rng rng;
    rng_init(&rng, 1, RNG_TEST, batch, (uint32_t)shard);
    for (size_t i = 0; i < N; i++)
        x[i] = (float)(rng_normal(&rng) * (double)(1 << shard % 23));
}

/* The sum of shards first..last-1 (the rest of the tree is other ranks'), with
 * a buffer for each, where reduce_inside() leaves it. */
static void sum_plainly(float x[SHARDS_MAX][N], uint32_t batch,
                        const struct reduce_share *share)
{
    float *shard[SHARDS_MAX];
    for (size_t s = 0; s < share->shards; s++) {
        draw(x[s], batch, s);
        shard[s] = x[s];
    }
    reduce_inside(shard, 0, N, share);
}

struct rig {
    struct gradient_pool *pool;
    struct gradients *g;
    uint32_t batch;
    size_t workers; // that have a shard open at once
};

static void fill(struct rig *r, size_t shard)
{
    struct err err;
    float *grad, x[N];
    assert_int_equal(gradients_open(&grad, r->g, shard, &err), OK);
    draw(x, r->batch, shard);
    for (size_t i = 0; i < N; i++) {
        assert_true(grad[i] == 0);
        grad[i] += x[i];
    }
    float *again;
    assert_int_equal(gradients_open(&again, r->g, shard, &err), OK);
    assert_ptr_equal(again, grad);
}

/* Workers take shards in order, and are done with them in any. */
static void run_batch(struct rig *r, struct rng *rng)
{
    struct gradients *g = r->g;
    size_t open[SHARDS_MAX] = {0}, n = 0;
    for (size_t next = g->first; next < g->last || n > 0;) {
        if (next < g->last && n < r->workers) {
            fill(r, next);
            open[n++] = next++;
        } else {
            size_t k = rng_below(rng, (uint32_t)n--);
            gradients_close(g, open[k]);
            for (; k < n; k++)
                open[k] = open[k + 1];
        }
    }
}

static void check_sum(struct gradients *g, uint32_t batch,
                      const struct reduce_share *share)
{
    float plain[SHARDS_MAX][N];
    size_t top[SHARDS_MAX], tops = reduce_tops(top, share);
    struct err err;
    sum_plainly(plain, batch, share);
    assert_int_equal(gradients_settle(g, &err), OK);
    reduce_inside(g->shard, 0, N, share);
    for (size_t t = 0; t < tops; t++)
        assert_memory_equal(g->shard[top[t]], plain[top[t]], sizeof plain[0]);
}

static size_t levels(size_t shards)
{
    size_t n = 0;
    while ((size_t)1 << n < shards)
        n++;
    return n;
}

/* Every number of shards and ranks; three batches with the same buffers. */
static void check(size_t shards, size_t ranks, size_t workers)
{
    struct err err;
    struct rng rng;
    struct rig r = {.workers = workers};
    size_t first, last;
    rng_init(&rng, 2, RNG_TEST, (uint32_t)shards, (uint32_t)(8 * ranks));
    for (size_t rank = 0; rank < ranks; rank++) {
        struct reduce_share share = {shards, ranks, rank};
        comm_cut(&first, &last, shards, ranks, rank);
        assert_int_equal(gradient_pool_create(&r.pool, N, &err), OK);
        assert_int_equal(
            gradients_create(&r.g, r.pool, N, shards, first, last, &err), OK);
        for (r.batch = 0; r.batch < 3; r.batch++) {
            run_batch(&r, &rng);
            check_sum(r.g, r.batch, &share);
            gradients_clear(r.g, 0, N);
            gradients_return(r.g);
        }
        /* One worker at a time leaves a node a level, or two at a rank's
         * borders. */
        if (workers == 1)
            assert_true(gradient_pool_buffers(r.pool) <=
                        1 + (ranks > 1 ? 2 : 1) * levels(shards));
        gradients_free(r.g);
        gradient_pool_free(r.pool);
    }
}

static void test_all(void **state)
{
    (void)state;
    for (size_t shards = 1; shards <= SHARDS_MAX; shards++)
        for (size_t ranks = 1; ranks <= 5 && ranks <= shards; ranks++)
            for (size_t workers = 1; workers <= 4; workers++)
                check(shards, ranks, workers);
}

/* Workers abreast, with one at the first shard to the end or without. */
static void run_abreast(struct rig *r, bool straggles)
{
    struct gradients *g = r->g;
    size_t from = g->first + straggles, abreast = r->workers - straggles;
    size_t closed = from;
    if (straggles)
        fill(r, g->first);
    for (size_t k = from; k < g->last; k++) {
        if (k - closed == abreast)
            gradients_close(g, closed++);
        fill(r, k);
    }
    while (closed < g->last)
        gradients_close(g, closed++);
    if (straggles)
        gradients_close(g, g->first);
}

/* What is told of a number of buffers before any is made. */
static void check_told(size_t shards, size_t ranks, struct rig *r,
                       bool straggles)
{
    struct err err;
    size_t first, last;
    for (size_t rank = 0; rank < ranks; rank++) {
        comm_cut(&first, &last, shards, ranks, rank);
        size_t told =
            gradients_buffers(shards, first, last, r->workers, straggles);
        assert_int_equal(gradient_pool_create(&r->pool, N, &err), OK);
        assert_int_equal(
            gradients_create(&r->g, r->pool, N, shards, first, last, &err), OK);
        run_abreast(r, straggles && r->workers > 1 && last - first > 1);
        assert_int_equal(gradient_pool_buffers(r->pool), told);
        assert_true(told <= last - first);
        size_t nodes = (ranks > 1 ? 2 : 1) * levels(last - first);
        assert_true(told <= r->workers + (straggles ? 2 * nodes : nodes));
        gradients_free(r->g);
        gradient_pool_free(r->pool);
    }
}

static void test_told(void **state)
{
    struct rig r = {.batch = 0};
    (void)state;
    for (size_t shards = 1; shards <= SHARDS_MAX; shards++)
        for (size_t ranks = 1; ranks <= 5 && ranks <= shards; ranks++)
            for (r.workers = 1; r.workers <= 4; r.workers++) {
                check_told(shards, ranks, &r, false);
                check_told(shards, ranks, &r, true);
            }
    /* In numbers: two workers. */
    assert_int_equal(gradients_buffers(8, 0, 8, 2, false), 4);
    assert_int_equal(gradients_buffers(256, 0, 256, 2, false), 9);
    assert_int_equal(gradients_buffers(8, 0, 8, 2, true), 6);
    assert_int_equal(gradients_buffers(256, 0, 256, 2, true), 16);
}

/* What one set has finished makes room for the other; what is watched stays as
 * it is. */
static void test_shared(void **state)
{
    (void)state;
    for (int watched = 0; watched < 2; watched++) {
        struct err err;
        struct rng rng;
        struct gradients *set[2];
        struct rig r = {.workers = 1};
        const struct reduce_share share = {4, 1, 0};
        rng_init(&rng, 3, RNG_TEST, 0, 0);
        assert_int_equal(gradient_pool_create(&r.pool, N, &err), OK);
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(
                gradients_create(&set[i], r.pool, N - i, 4, 0, 4, &err), OK);
        set[0]->is_watched = watched == 1;
        r.g = set[0];
        run_batch(&r, &rng);
        /* 0+1, 2 and 3: the last addition waits until somebody wants it. */
        assert_int_equal(gradient_pool_buffers(r.pool), 3);
        float *grad;
        for (size_t s = 0; s < 4; s++) {
            assert_int_equal(gradients_open(&grad, set[1], s, &err), OK);
            for (size_t i = 0; i < N - 1; i++)
                assert_true(grad[i] == 0);
            gradients_close(set[1], s);
        }
        assert_int_equal(gradient_pool_buffers(r.pool), watched == 1 ? 6 : 4);
        check_sum(set[0], 0, &share);
        gradients_free(set[1]);
        gradients_free(set[0]);
        gradient_pool_free(r.pool);
    }
}

/* Shards that nobody opened are zero. */
static void test_settle(void **state)
{
    struct err err;
    struct rig r = {.workers = 1};
    float x[N];
    (void)state;
    assert_int_equal(gradient_pool_create(&r.pool, N, &err), OK);
    assert_int_equal(gradients_create(&r.g, r.pool, N, 8, 0, 8, &err), OK);
    fill(&r, 5);
    gradients_close(r.g, 5);
    assert_int_equal(gradients_settle(r.g, &err), OK);
    reduce_all(r.g->shard, 0, N, 8);
    draw(x, 0, 5);
    assert_memory_equal(r.g->shard[0], x, sizeof x);
    gradients_free(r.g);
    gradient_pool_free(r.pool);
}

static void test_memory(void **state)
{
    struct err err;
    struct rig r = {.workers = 1};
    (void)state;
    assert_int_equal(gradient_pool_create(&r.pool, N, &err), OK);
    assert_int_equal(gradients_create(&r.g, r.pool, N, 8, 0, 8, &err), OK);
    for (long k = 0; k < 2; k++) {
        float *grad;
        mem_fail_at(k);
        assert_int_equal(gradients_open(&grad, r.g, 0, &err), ERR_MEMORY);
    }
    mem_fail_at(-1);
    fill(&r, 0);
    gradients_free(r.g);
    gradient_pool_free(r.pool);
}

static enum status item(void *ctx, size_t shard, size_t worker, struct err *err)
{
    struct rig *r = ctx;
    (void)worker;
    (void)err;
    fill(r, shard);
    gradients_close(r->g, shard);
    return OK;
}

/* Threads at work, many times. */
static void test_team(void **state)
{
    struct err err;
    struct team *team;
    struct rig r = {.batch = 0};
    const struct reduce_share share = {SHARDS_MAX, 1, 0};
    (void)state;
    assert_int_equal(team_create(&team, 4, &err), OK);
    assert_int_equal(gradient_pool_create(&r.pool, N, &err), OK);
    assert_int_equal(
        gradients_create(&r.g, r.pool, N, SHARDS_MAX, 0, SHARDS_MAX, &err), OK);
    for (; r.batch < 200; r.batch++) {
        assert_int_equal(team_run(team, SHARDS_MAX, item, &r, &err), OK);
        check_sum(r.g, r.batch, &share);
        gradients_clear(r.g, 0, N);
        gradients_return(r.g);
    }
    gradients_free(r.g);
    gradient_pool_free(r.pool);
    team_destroy(team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),    cmocka_unit_test(test_told),
        cmocka_unit_test(test_shared), cmocka_unit_test(test_settle),
        cmocka_unit_test(test_memory), cmocka_unit_test(test_team),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
