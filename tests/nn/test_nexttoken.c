/*
 * test_nexttoken.c - the head as a sampler reads it: logits and sums against
 * plain double loops, and the same bits of a row in any company.
 */
#include "nn/compare.h"

#include "nn/nexttoken.h"
#include "nn/rowwise_ref.h"

/* Less than a block, a block and a bit, some blocks; rows and channels. */
static const size_t shapes[][3] = {
    {7, 5, 1}, {193, 16, 9}, {1000, 33, 16}, {577, 20, 17}, {384, 8, 32}};

struct setting {
    size_t V, C, M;
    struct array hidden, weight, z;
    uint8_t *banned;
    float *room;
    struct lmhead head;
    struct nexttoken next;
};

static struct setting make(const size_t *shape, enum rowwise_level level,
                           struct rng *rng)
{
    struct setting s = {.V = shape[0], .C = shape[1], .M = shape[2]};
    size_t most = rowwise_lanes(level, s.M);

    s.M = s.M < most ? s.M : most;

    s.hidden = array_normal(s.M * s.C, rng, 1);
    s.weight = array_normal(s.V * s.C, rng, 1);
    s.z = array_new(s.M * s.V);
    s.banned = mem_calloc(s.V, 1);
    s.room = mem_calloc(nexttoken_floats(s.V, s.C, s.M), sizeof *s.room);
    assert_true(s.banned != NULL && s.room != NULL);
    for (size_t v = 3; v < s.V; v += 50)
        s.banned[v] = 1;
    s.head = (struct lmhead){.weight = {.f32 = s.weight.f},
                             .banned = s.banned,
                             .V = s.V,
                             .C = s.C,
                             .temperature = 0.7f};
    return s;
}

static void unmake(struct setting *s)
{
    array_free(&s->hidden);
    array_free(&s->weight);
    array_free(&s->z);
    mem_free(s->banned);
    mem_free(s->room);
}

/* log sum exp of row m from what is kept of the blocks. */
static double log_sum(const struct nexttoken *t, size_t m)
{
    size_t blocks = nexttoken_blocks(t->head->V);
    double max = -INFINITY, sum = 0;

    for (size_t b = 0; b < blocks; b++) {
        /* Not fmax(), at which gcc 12 breaks off when it compiles for arm64. */
        double x = (double)t->max[b * t->lanes + m];
        max = x > max ? x : max;
    }
    for (size_t b = 0; b < blocks; b++)
        sum += (double)t->sum[b * t->lanes + m] *
               exp((double)t->max[b * t->lanes + m] - max);
    return max + log(sum);
}

static void check(const size_t *shape, enum rowwise_level level,
                  struct rng *rng)
{
    struct setting s = make(shape, level, rng);
    double off = sum_tolerance(s.C);
    nexttoken_place(&s.next, &s.head, s.M, s.room);
    nexttoken_forward(&s.next, s.hidden.f, s.M, level);
    rowwise_nt_ref(s.z.d, s.hidden.d, s.weight.d, s.M, s.V, s.C, false);
    for (size_t m = 0; m < s.M; m++) {
        double sum = 0;

        for (size_t v = 0; v < s.V; v++) {
            float z = s.next.z[v * s.next.lanes + m];

            s.z.d[m * s.V + v] /= (double)s.head.temperature;
            s.z.f[m * s.V + v] = z;
            assert_int_equal(s.banned[v] != 0, z < NEXTTOKEN_NEVER);
            if (s.banned[v]) // out of reach, and not compared
                s.z.f[m * s.V + v] = (float)s.z.d[m * s.V + v];
            else
                sum += exp(s.z.d[m * s.V + v]);
        }
        /* A sum is off by as much of its size as its largest terms' logits
         * are off, and by the roundings of a block's sum. */
        double size = rms(s.z.d + m * s.V, s.V) + fabs(log(sum)) + 1;

        assert_true(fabs(log_sum(&s.next, m) - log(sum)) <=
                    4 * size * off + sum_tolerance(NEXTTOKEN_BLOCK));
    }
    compare_array("logits", &s.z, off);
    unmake(&s);
}

static void test_twin(void **state)
{
    struct rng rng;

    (void)state;
    rng_init(&rng, 21, RNG_TEST, 0, 0);
    for (int level = ROWWISE_PLAIN; level <= (int)rowwise_level(); level++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            check(shapes[i], (enum rowwise_level)level, &rng);
}

/* Row m of the whole against the row alone: logits, maxima and sums. */
static void check_alone(const struct setting *s, size_t m, float *room)
{
    struct nexttoken alone;

    nexttoken_place(&alone, &s->head, 1, room);
    nexttoken_forward(&alone, s->hidden.f + m * s->C, 1, rowwise_level());
    for (size_t v = 0; v < s->V; v++)
        assert_memory_equal(&alone.z[v * alone.lanes],
                            &s->next.z[v * s->next.lanes + m], sizeof *room);
    for (size_t b = 0; b < nexttoken_blocks(s->V); b++) {
        assert_memory_equal(&alone.max[b * alone.lanes],
                            &s->next.max[b * s->next.lanes + m], sizeof *room);
        assert_memory_equal(&alone.sum[b * alone.lanes],
                            &s->next.sum[b * s->next.lanes + m], sizeof *room);
    }
}

static void test_company(void **state)
{
    struct rng rng;

    (void)state;
    rng_init(&rng, 22, RNG_TEST, 0, 0);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct setting s = make(shapes[i], rowwise_level(), &rng);
        float *room = mem_calloc(nexttoken_floats(s.V, s.C, 1), sizeof *room);

        assert_non_null(room);
        nexttoken_place(&s.next, &s.head, s.M, s.room);
        nexttoken_forward(&s.next, s.hidden.f, s.M, rowwise_level());
        for (size_t m = 0; m < s.M; m++)
            check_alone(&s, m, room);
        mem_free(room);
        unmake(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twin),
        cmocka_unit_test(test_company),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
