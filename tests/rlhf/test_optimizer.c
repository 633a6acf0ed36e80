/*
 * test_optimizer.c - updates shared by ranks have the bits of one process: run
 * by itself, and under mpirun with a build that has MPI (tests/mpi).
 */
#include "rlhf/optimizer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <time.h>
#include <unistd.h>

#include "base/comm.h"
#include "base/context.h"
#include "base/mem.h"
#include "base/rng.h"
#include "rlhf/optimizer_internal.h"
#include "rlhf/reduce.h"
#include "rlhf/schedule.h"

#define STEPS 2
/* Seconds after which a test that waits for another rank is killed. */
#define PATIENCE 40

static struct comm *comm;

/* Three and a half million parameters: several rounds of several parts. */
static struct model make_model(void)
{
    const struct model_config c = {.V = 500,
                                   .C = 256,
                                   .L = 4,
                                   .H = 4,
                                   .G = 2,
                                   .D = 64,
                                   .F = 768,
                                   .T_max = 64,
                                   .rope_theta = 10000,
                                   .norm_eps = 1e-5,
                                   .tied = true,
                                   .head = HEAD_LM,
                                   .bos = -1,
                                   .eos = 1,
                                   .pad = 0};
    struct model m;
    struct err err;
    assert_int_equal(model_create(&m, &c, &err), OK);
    params_init(m.params, &c, 7);
    return m;
}

/* The gradient of a shard in a step: of all magnitudes, so that another order
 * of summing has other bits. */
static void fill(float *grad, size_t n, size_t shard, int64_t step)
{
    uint32_t x = (uint32_t)(1 + 97 * shard + 7919 * (size_t)step);
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525U + 1013904223U;
        grad[i] = (float)(int32_t)x * (0x1p-43F * (float)(1 << (x >> 8 & 15)));
    }
}

static struct optimizer make_as(const struct model *m, size_t shards,
                                struct comm *c, enum reduce_format reduce)
{
    const struct optimizer_config config = {.lr = 1e-3,
                                            .schedule = SCHEDULE_CONSTANT,
                                            .beta1 = 0.9,
                                            .beta2 = 0.95,
                                            .eps = 1e-8,
                                            .weight_decay = 0.1,
                                            .clip = 1,
                                            .reduce = reduce};
    struct optimizer o;
    struct err err;
    assert_int_equal(
        optimizer_create(&o, m, &config, STEPS, shards, NULL, c, &err), OK);
    return o;
}

static struct optimizer make(const struct model *m, size_t shards,
                             struct comm *c)
{
    return make_as(m, shards, c, REDUCE_F32);
}

static float *open_shard(struct optimizer *o, size_t shard)
{
    struct err err;
    float *grad;
    assert_int_equal(optimizer_grad(&grad, o, shard, &err), OK);
    return grad;
}

static void begin(struct optimizer *o)
{
    struct err err;
    assert_int_equal(optimizer_begin(o, &err), OK);
}

/* Rounds of parameters from `final` on are summed and over before anybody asks
 * for the update, and the others are not. */
static void check_overlap(const struct optimizer *o, size_t final)
{
    const struct timespec nap = {.tv_nsec = 1000000};
    size_t ranks = comm_size(o->comm), rounds = o->n_part / ranks, left = 0;
    while (left < rounds && o->part[left * ranks] < final)
        left++;
    assert_true(left > 0 && left < rounds);
    (void)alarm(PATIENCE);
    while (optimizer_behind_left(o) > left)
        nanosleep(&nap, NULL);
    (void)alarm(0);
    assert_int_equal(optimizer_behind_left(o), left);
}

static void update(struct optimizer *o, struct model *m, int64_t step,
                   double *norm, const struct context *context)
{
    struct optimizer_report report;
    struct err err;
    /* Every other step as a pass does it, whose gradients travel as they
     * become final. */
    bool is_pass = step % 2 == 1;
    if (is_pass)
        begin(o);
    for (size_t s = o->first_shard; s < o->last_shard; s++) {
        fill(open_shard(o, s), o->n, s, step);
        optimizer_final(o, s, o->n / 4);
    }
    if (is_pass && o->behind != NULL)
        check_overlap(o, o->n / 4);
    for (size_t s = o->first_shard; s < o->last_shard; s++)
        optimizer_final(o, s, 0);
    assert_int_equal(optimizer_step(&report, o, m, context, &err), OK);
    *norm = report.grad_norm;
}

/* A rank's moments are its parts of one process's, one after the other. */
static void check_moments(const struct optimizer *o, const float *own,
                          const float *all)
{
    size_t at = 0;
    if (o->part == NULL) {
        assert_memory_equal(own, all, o->n * sizeof *all);
        return;
    }
    assert_true(o->n_part > comm_size(comm));
    assert_int_equal(o->part[0], 0);
    assert_int_equal(o->part[o->n_part], o->n);
    for (size_t p = comm_rank(comm); p < o->n_part; p += comm_size(comm)) {
        size_t n = o->part[p + 1] - o->part[p];
        assert_memory_equal(own + at, all + o->part[p], n * sizeof *all);
        at += n;
    }
    assert_int_equal(at, o->n_held);
}

static void check_shards(size_t shards)
{
    struct err err;
    struct context alone = {.stage = "test"};
    assert_int_equal(team_create(&alone.team, 2, &err), OK);
    struct context shared = alone;
    shared.comm = comm;
    struct model a = make_model(), b = make_model();
    struct optimizer one = make(&a, shards, NULL);
    struct optimizer many = make(&b, shards, comm);
    for (int64_t step = 0; step < STEPS; step++) {
        double norm_one, norm_many;
        update(&one, &a, step, &norm_one, &alone);
        update(&many, &b, step, &norm_many, &shared);
        assert_true(norm_one > 0);
        assert_memory_equal(&norm_one, &norm_many, sizeof norm_one);
        assert_memory_equal(a.params, b.params, one.n * sizeof *a.params);
        for (size_t s = many.first_shard; s < many.last_shard; s++)
            for (size_t i = 0; i < many.n; i += 97)
                assert_true(open_shard(&many, s)[i] == 0);
    }
    check_moments(&many, many.m, one.m);
    check_moments(&many, many.v, one.v);
    optimizer_free(&one);
    optimizer_free(&many);
    model_free(&a);
    model_free(&b);
    team_destroy(alone.team);
}

static void test_one_a_rank(void **state)
{
    (void)state;
    check_shards(comm_size(comm));
}

static void test_several_a_rank(void **state)
{
    (void)state;
    check_shards(2 * comm_size(comm) + 1);
}

/*
 * Rounded on its way a term of the sum is off by 2^-8 of itself at most (8 bits
 * of mantissa, nearest), so the norm of the sum is off by 2^-8 of the sum of
 * the terms' norms; these are of equal size and one a rank, independent, so
 * that their sum is sqrt(R) times the norm of the sum.  And all ranks have one
 * model.
 */
static void test_rounded(void **state)
{
    struct err err;
    struct context alone = {.stage = "test"};
    size_t shards = comm_size(comm);
    double norm_one, norm_many;
    (void)state;
    assert_int_equal(team_create(&alone.team, 1, &err), OK);
    struct context shared = alone;
    shared.comm = comm;
    struct model a = make_model(), b = make_model();
    struct optimizer one = make(&a, shards, NULL);
    struct optimizer many = make_as(&b, shards, comm, REDUCE_BF16);
    update(&one, &a, 0, &norm_one, &alone);
    update(&many, &b, 0, &norm_many, &shared);
    assert_true(fabs(norm_one - norm_many) <=
                0x1p-8 * sqrt((double)shards) * norm_one);
    if (shards > 1)
        assert_memory_not_equal(a.params, b.params, one.n * sizeof *a.params);
    assert_int_equal(
        comm_same(comm, b.params, one.n * sizeof *b.params, "the model", &err),
        OK);
    optimizer_free(&one);
    optimizer_free(&many);
    model_free(&a);
    model_free(&b);
    team_destroy(alone.team);
}

/* A gradient that is not finite is named on all ranks, and nothing moves. */
static void test_not_finite(void **state)
{
    struct err err;
    struct context context = {.comm = comm};
    struct model a = make_model(), b = make_model();
    struct optimizer o = make(&a, comm_size(comm), comm);
    struct param_view view = model_trainable_view(&a, 7);
    (void)state;
    assert_int_equal(team_create(&context.team, 1, &err), OK);
    if (comm_rank(comm) + 1 == comm_size(comm))
        open_shard(&o, o.first_shard)[view.offset + 3] = NAN;
    assert_int_equal(optimizer_blame(&o, &a, "the loss", &err), ERR_NUMERIC);
    assert_non_null(strstr(err.text, "the gradient of"));
    assert_non_null(strstr(err.text, view.name));
    assert_int_equal(optimizer_step(NULL, &o, &a, &context, &err), ERR_NUMERIC);
    assert_non_null(strstr(err.text, view.name));
    assert_memory_equal(a.params, b.params, o.n * sizeof *a.params);
    optimizer_free(&o);
    /* What a pass has left under way at the end is let go by all. */
    o = make(&a, comm_size(comm), comm);
    (void)open_shard(&o, o.first_shard);
    begin(&o);
    optimizer_final(&o, o.first_shard, comm_rank(comm) == 0 ? 0 : o.n / 2);
    optimizer_free(&o);
    model_free(&a);
    model_free(&b);
    team_destroy(context.team);
}

/* A pass that failed on rank 0, before it came to any of its shards or to some
 * of them, is let go by all. */
static void test_dropped(void **state)
{
    struct model m = make_model();
    (void)state;
    (void)alarm(PATIENCE);
    for (size_t step = 1; step <= 2; step++) {
        struct optimizer o = make(&m, 2 * comm_size(comm) + 1, comm);
        begin(&o);
        for (size_t s = o.first_shard; s < o.last_shard; s++) {
            if (comm_rank(comm) == 0 && s % step == 0)
                continue;
            fill(open_shard(&o, s), o.n, s, 0);
            optimizer_final(&o, s, 0);
        }
        optimizer_free(&o);
    }
    (void)alarm(0);
    model_free(&m);
}

/* Rank 0 fails where the others go on to a pass: they end as it does.  The
 * last test, as all that is collective fails from here on. */
static void test_failed_before(void **state)
{
    struct err err;
    enum status status;
    struct model m = make_model();
    struct optimizer o = make(&m, comm_size(comm), comm);
    (void)state;
    (void)alarm(PATIENCE);
    if (comm_rank(comm) == 0) {
        optimizer_free(&o);
        status = comm_agree(comm, err_set(&err, ERR_MEMORY, "no room"), &err);
    } else {
        status = optimizer_begin(&o, &err);
        if (status == OK)
            status = comm_agree(comm, OK, &err);
        optimizer_free(&o);
    }
    (void)alarm(0);
    assert_int_equal(status, ERR_MEMORY);
    assert_non_null(strstr(err.text, "no room"));
    model_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_a_rank),
        cmocka_unit_test(test_several_a_rank),
        cmocka_unit_test(test_rounded),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_dropped),
        cmocka_unit_test(test_failed_before),
    };
    struct err err;
    if (comm_open(&comm, &err) != OK)
        return 1;
    return comm_close(comm, cmocka_run_group_tests(tests, NULL, NULL));
}
