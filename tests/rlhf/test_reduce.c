/*
 * test_reduce.c - the tree shared by ranks gives the bits of the tree made by
 * one process, for every number of shards and ranks, powers of two or not.
 */
#include "rlhf/reduce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/comm.h"
#include "base/rng.h"

#define SHARDS_MAX 37
#define N 5

static void draw(float x[SHARDS_MAX][N], uint32_t seed)
{
    struct rng rng;
    rng_init(&rng, 1, RNG_TEST, seed, 0);
    /* Magnitudes apart, so that another order has other bits. */
    for (size_t s = 0; s < SHARDS_MAX; s++)
        for (size_t i = 0; i < N; i++)
            x[s][i] = (float)(rng_normal(&rng) * (double)(1 << s % 23));
}

static void point(float *shard[SHARDS_MAX], float x[SHARDS_MAX][N])
{
    for (size_t s = 0; s < SHARDS_MAX; s++)
        shard[s] = x[s];
}

/* The tree by its definition: a node of the round of stride s. */
static float node(float x[SHARDS_MAX][N], size_t shards, size_t i,
                  size_t stride, size_t at)
{
    if (stride == 0)
        return x[i][at];
    float left = node(x, shards, i, stride / 2, at);
    if (i + stride >= shards)
        return left;
    return left + node(x, shards, i + stride, stride / 2, at);
}

static void test_all(void **state)
{
    (void)state;
    for (size_t shards = 1; shards <= SHARDS_MAX; shards++) {
        float x[SHARDS_MAX][N], y[SHARDS_MAX][N], *shard[SHARDS_MAX];
        size_t stride = 1;
        draw(x, (uint32_t)shards);
        memcpy(y, x, sizeof x);
        point(shard, y);
        reduce_all(shard, 1, N - 2, shards);
        while (2 * stride < shards)
            stride *= 2;
        for (size_t i = 1; i + 1 < N; i++) {
            float want = node(x, shards, 0, shards > 1 ? stride : 0, i);
            assert_memory_equal(&y[0][i], &want, sizeof want);
        }
        /* What was not asked for is as it was. */
        assert_memory_equal(&y[0][0], &x[0][0], sizeof(float));
        assert_memory_equal(&y[0][N - 1], &x[0][N - 1], sizeof(float));
    }
}

/* Each rank works on its own shards; only tops reach who makes the rest. */
static void share_out(float got[N], float x[SHARDS_MAX][N], size_t shards,
                      size_t ranks)
{
    float across[SHARDS_MAX][N], *shard[SHARDS_MAX];
    struct reduce_share share = {.shards = shards, .ranks = ranks};
    size_t tops = 0;
    memset(across, 0xFF, sizeof across); // NaN: nothing that nobody sent
    for (size_t rank = 0; rank < ranks; rank++) {
        float own[SHARDS_MAX][N];
        size_t first, last, top[SHARDS_MAX];
        share.rank = rank;
        comm_cut(&first, &last, shards, ranks, rank);
        memset(own, 0xFF, sizeof own);
        memcpy(own[first], x[first], (last - first) * sizeof *own);
        point(shard, own);
        reduce_inside(shard, 0, N, &share);
        size_t n = reduce_tops(top, &share);
        assert_in_range(n, 1, last - first);
        assert_int_equal(reduce_tops(NULL, &share), n);
        for (size_t t = 0; t < n; t++) {
            assert_in_range(top[t], first, last - 1);
            memcpy(across[top[t]], own[top[t]], sizeof *own);
        }
        tops += n;
    }
    assert_true(tops >= ranks && tops <= shards);
    point(shard, across);
    reduce_across(shard, 0, N, &share);
    memcpy(got, across[0], sizeof across[0]);
}

static void test_shared(void **state)
{
    (void)state;
    for (size_t shards = 1; shards <= SHARDS_MAX; shards++)
        for (size_t ranks = 1; ranks <= shards; ranks++) {
            float x[SHARDS_MAX][N], y[SHARDS_MAX][N], *shard[SHARDS_MAX];
            float got[N];
            draw(x, (uint32_t)(64 * shards + ranks));
            memcpy(y, x, sizeof x);
            point(shard, y);
            reduce_all(shard, 0, N, shards);
            share_out(got, x, shards, ranks);
            assert_memory_equal(got, y[0], sizeof got);
        }
}

/* Powers of two travel as one sum a rank, which is what ranks cost least. */
static void test_tops(void **state)
{
    struct reduce_share share = {.shards = 32, .ranks = 8};
    (void)state;
    for (share.rank = 0; share.rank < share.ranks; share.rank++)
        assert_int_equal(reduce_tops(NULL, &share), 1);
    /* 10 shards on 3 ranks: 0-3 is one sum, 4-6 is 4+5 and 6, 7-9 is 7 and
     * 8+9. */
    share = (struct reduce_share){.shards = 10, .ranks = 3, .rank = 1};
    size_t top[4];
    assert_int_equal(reduce_tops(top, &share), 2);
    assert_int_equal(top[0], 4);
    assert_int_equal(top[1], 6);
    share.rank = 2;
    assert_int_equal(reduce_tops(top, &share), 2);
    assert_int_equal(top[0], 7);
    assert_int_equal(top[1], 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_tops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
