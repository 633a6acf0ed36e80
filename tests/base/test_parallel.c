/* test_parallel.c - every item once, the same for any team, first error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/parallel.h"
#include "base/rng.h"

#define ITEMS 500

/* GNU's OpenMP runtime, to see what a worker told it. */
extern void omp_set_num_threads(int n);
extern int omp_get_max_threads(void);

struct job {
    atomic_int runs[ITEMS];
    double sum[ITEMS];
    atomic_int wrong;
    size_t workers;
    size_t fail[2]; // items that fail
};

static enum status draw(void *ctx, size_t item, size_t worker, struct err *err)
{
    struct job *job = ctx;
    atomic_fetch_add(&job->runs[item], 1);
    if (worker >= job->workers || !team_inside() || omp_get_max_threads() != 1)
        atomic_fetch_add(&job->wrong, 1);
    struct rng r;
    rng_init(&r, 1, RNG_TEST, (uint32_t)item, 0);
    double sum = 0;
    for (size_t i = 0; i < item * 7 % 300; i++)
        sum += rng_normal(&r);
    job->sum[item] = sum;
    if (item == job->fail[0] || item == job->fail[1])
        return err_set(err, item == job->fail[0] ? ERR_NUMERIC : ERR_IO,
                       "item %zu", item);
    return OK;
}

static struct job *run(size_t workers, size_t fail_0, size_t fail_1,
                       enum status want, const char *text)
{
    struct team *team = NULL;
    assert_int_equal(team_create(&team, workers, NULL), OK);
    assert_int_equal(team_size(team), workers);
    struct job *job = mem_calloc(1, sizeof *job);
    assert_non_null(job);
    for (int round = 0; round < 20; round++) {
        memset(job, 0, sizeof *job);
        job->workers = workers;
        job->fail[0] = fail_0;
        job->fail[1] = fail_1;
        struct err err = {0};
        assert_int_equal(team_run(team, ITEMS, draw, job, &err), want);
        assert_string_equal(err.text, text);
        assert_int_equal(err.code, want);
        for (size_t i = 0; i < ITEMS; i++)
            assert_int_equal(job->runs[i], 1);
        assert_int_equal(job->wrong, 0);
        assert_false(team_inside());
    }
    team_destroy(team);
    return job;
}

static void test_same_for_any_team(void **state)
{
    (void)state;
    struct job *one = run(1, ITEMS, ITEMS, OK, "");
    for (size_t workers = 2; workers <= 4; workers++) {
        struct job *many = run(workers, ITEMS, ITEMS, OK, "");
        assert_memory_equal(one->sum, many->sum, sizeof one->sum);
        mem_free(many);
    }
    mem_free(one);
}

static void test_lowest_error(void **state)
{
    (void)state;
    for (size_t workers = 1; workers <= 4; workers++) {
        mem_free(run(workers, 300, 2, ERR_IO, "item 2"));
        mem_free(run(workers, 7, 499, ERR_NUMERIC, "item 7"));
        mem_free(run(workers, 0, ITEMS, ERR_NUMERIC, "item 0"));
    }
}

static enum status count(void *ctx, size_t item, size_t worker, struct err *err)
{
    (void)item;
    (void)worker;
    (void)err;
    atomic_fetch_add((atomic_int *)ctx, 1);
    return OK;
}

static void test_few_items(void **state)
{
    (void)state;
    struct team *team = NULL;
    assert_int_equal(team_create(&team, 3, NULL), OK);
    for (int n = 0; n < 5; n++) {
        atomic_int runs = 0;
        assert_int_equal(team_run(team, (size_t)n, count, &runs, NULL), OK);
        assert_int_equal(runs, n);
    }
    team_destroy(team);
    team_destroy(NULL);
}

static void test_caller_keeps_its_threads(void **state)
{
    (void)state;
    struct team *team = NULL;
    assert_int_equal(team_create(&team, 2, NULL), OK);
    omp_set_num_threads(3);
    atomic_int runs = 0;
    assert_int_equal(team_run(team, 8, count, &runs, NULL), OK);
    assert_int_equal(omp_get_max_threads(), 3);
    team_destroy(team);
}

static void test_create_without_memory(void **state)
{
    (void)state;
    for (long n = 0; n < 2; n++) {
        struct team *team = NULL;
        struct err err = {0};
        mem_fail_at(n);
        assert_int_equal(team_create(&team, 2, &err), ERR_MEMORY);
        assert_null(team);
    }
    mem_fail_at(-1);
}

static void test_processors(void **state)
{
    (void)state;
    assert_true(team_processors() >= 1);
    assert_true(team_processors() <= (size_t)sysconf(_SC_NPROCESSORS_CONF));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_for_any_team),
        cmocka_unit_test(test_lowest_error),
        cmocka_unit_test(test_few_items),
        cmocka_unit_test(test_caller_keeps_its_threads),
        cmocka_unit_test(test_create_without_memory),
        cmocka_unit_test(test_processors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
