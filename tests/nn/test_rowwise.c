/*
 * test_rowwise.c - products whose rows know nothing of each other: against the
 * twin at every level, and the same bits of a row in any company.
 */
#include "nn/compare.h"

#include "nn/gemm16.h"
#include "nn/rowwise.h"
#include "nn/rowwise_ref.h"

/* Lines, tiles, blocks and chunks that are full, short by one, over by one. */
static const size_t shapes[][3] = {
    {1, 1, 1},    {1, 5, 16},  {3, 24, 17},   {16, 25, 33},  {17, 23, 15},
    {32, 48, 64}, {33, 13, 7}, {70, 49, 100}, {5, 12, 1000}, {40, 3, 6000}};

/* How weights are kept; both factors of the last are rounded. */
enum kind {
    FLOATS,
    NARROW,
    ROUNDED,
    KINDS
};

struct matrices {
    size_t M, N, K;
    struct array x, w, y;
    struct weight weight;
    uint16_t *narrow;
    float *scratch;
};

static double rounded(float x)
{
    uint32_t bits = (uint32_t)gemm16_nearest(x) << 16;

    memcpy(&x, &bits, sizeof x);
    return (double)x;
}

/* Every weight is a bfloat16, so that all kinds have one twin. */
static struct matrices make(const size_t *shape, struct rng *rng,
                            enum kind kind)
{
    struct matrices p = {.M = shape[0], .N = shape[1], .K = shape[2]};

    p.x = array_normal(p.M * p.K, rng, 1);
    p.w = array_normal(p.N * p.K, rng, 1);
    p.y = array_normal(p.M * p.N, rng, 1);
    p.narrow = mem_calloc(p.w.n, sizeof *p.narrow);
    p.scratch = mem_calloc(rowwise_scratch(p.M, p.K), sizeof *p.scratch);
    assert_true(p.narrow != NULL && p.scratch != NULL);
    for (size_t i = 0; i < p.w.n; i++) {
        uint32_t bits;

        memcpy(&bits, &p.w.f[i], sizeof bits);
        p.narrow[i] = (uint16_t)(bits >> 16);
        bits &= 0xffff0000u;
        memcpy(&p.w.f[i], &bits, sizeof bits);
        p.w.d[i] = (double)p.w.f[i];
    }
    if (kind == NARROW)
        p.weight.bf16 = p.narrow;
    else
        p.weight.f32 = p.w.f;
    if (kind != ROUNDED)
        return p;
    p.weight.rounded = p.narrow;
    for (size_t i = 0; i < p.x.n; i++)
        p.x.d[i] = rounded(p.x.f[i]);
    return p;
}

static void unmake(struct matrices *p)
{
    array_free(&p->x);
    array_free(&p->w);
    array_free(&p->y);
    mem_free(p->narrow);
    mem_free(p->scratch);
}

static struct rowwise_product product(const struct matrices *p, bool accumulate)
{
    return (struct rowwise_product){.y = p->y.f,
                                    .ldy = p->N,
                                    .x = p->x.f,
                                    .ldx = p->K,
                                    .w = p->weight,
                                    .M = p->M,
                                    .N = p->N,
                                    .K = p->K,
                                    .accumulate = accumulate};
}

static void check_twin(const size_t *shape, enum rowwise_level level,
                       enum kind kind, bool accumulate, struct rng *rng)
{
    struct matrices p = make(shape, rng, kind);
    struct rowwise_product r = product(&p, accumulate);

    rowwise_nt(&r, p.scratch, level);
    rowwise_nt_ref(p.y.d, p.x.d, p.w.d, p.M, p.N, p.K, accumulate);
    compare_array("rowwise_nt", &p.y, sum_tolerance(p.K));
    unmake(&p);
}

static void test_twin(void **state)
{
    struct rng rng;

    (void)state;
    rng_init(&rng, 5, RNG_TEST, 0, 0);
    for (int level = ROWWISE_PLAIN; level <= (int)rowwise_level(); level++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            for (int way = 0; way < 2 * KINDS; way++)
                check_twin(shapes[i], (enum rowwise_level)level,
                           (enum kind)(way / 2), way % 2, &rng);
}

/* Each row alone, and every window of rows, against all at once. */
static void check_company(const size_t *shape, enum rowwise_level level,
                          enum kind kind, struct rng *rng)
{
    struct matrices p = make(shape, rng, kind);
    struct rowwise_product r = product(&p, false);
    float *alone = mem_calloc(p.M * p.N, sizeof *alone);

    assert_non_null(alone);
    rowwise_nt(&r, p.scratch, level);
    r.y = alone;
    for (size_t first = 0; first < p.M; first += 1 + first / 3) {
        for (size_t M = 1; first + M <= p.M; M += 1 + M / 2) {
            r.x = p.x.f + first * p.K;
            r.M = M;
            rowwise_nt(&r, p.scratch, level);
            assert_memory_equal(alone, p.y.f + first * p.N,
                                M * p.N * sizeof *alone);
        }
    }
    mem_free(alone);
    unmake(&p);
}

static void test_company(void **state)
{
    struct rng rng;

    (void)state;
    rng_init(&rng, 6, RNG_TEST, 0, 0);
    for (int level = ROWWISE_PLAIN; level <= (int)rowwise_level(); level++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            for (int kind = 0; kind < KINDS; kind++)
                check_company(shapes[i], (enum rowwise_level)level,
                              (enum kind)kind, &rng);
}

/* Both kinds of one weight give the same bits, and a part of wider matrices
 * leaves the rest of them alone. */
static void test_parts(void **state)
{
    static const size_t shape[] = {18, 30, 50};
    enum rowwise_level level = rowwise_level();
    struct matrices p;
    struct rng rng;

    (void)state;
    rng_init(&rng, 7, RNG_TEST, 0, 0);
    p = make(shape, &rng, NARROW);
    struct rowwise_product r = product(&p, false);
    float *part = mem_calloc(p.M * 40, sizeof *part);

    assert_non_null(part);
    rowwise_nt(&r, p.scratch, level);
    r.w = (struct weight){.f32 = p.w.f};
    r.y = part + 3;
    r.ldy = 40;
    rowwise_nt(&r, p.scratch, level);
    for (size_t m = 0; m < p.M; m++)
        for (size_t n = 0; n < 40; n++) {
            bool is_inside = n >= 3 && n < 3 + p.N;
            float want = is_inside ? p.y.f[m * p.N + n - 3] : 0;

            assert_memory_equal(&part[m * 40 + n], &want, sizeof want);
        }
    mem_free(part);
    unmake(&p);
}

/* A block left turned has the bits of the product. */
static void check_block(enum kind kind, struct rng *rng)
{
    static const size_t shape[] = {29, 61, 40};
    enum rowwise_level level = rowwise_level();
    struct matrices p;

    p = make(shape, rng, kind);
    struct rowwise_product r = product(&p, false);
    float *turned = mem_calloc(ROWWISE_LANES * p.K, sizeof *turned);
    float *z = mem_calloc(ROWWISE_LANES * p.N, sizeof *z);

    assert_true(turned != NULL && z != NULL);
    rowwise_nt(&r, p.scratch, level);
    for (size_t m = 0, lanes; m < p.M; m += lanes) {
        size_t rows = p.M - m;

        lanes = rowwise_lanes(level, rows);
        rows = rows < lanes ? rows : lanes;
        rowwise_turn_for(turned, p.x.f + m * p.K, p.K, rows, p.K, lanes,
                         p.weight, level);
        rowwise_block(z, turned, p.weight, 0, 40, p.K, lanes, true, level);
        rowwise_block(z + 40 * lanes, turned, p.weight, 40, p.N - 40, p.K,
                      lanes, false, level);
        for (size_t i = 0; i < rows; i++)
            for (size_t n = 0; n < p.N; n++)
                assert_memory_equal(&z[n * lanes + i],
                                    &p.y.f[(m + i) * p.N + n], sizeof *z);
    }
    mem_free(turned);
    mem_free(z);
    unmake(&p);
}

static void test_block(void **state)
{
    struct rng rng;

    (void)state;
    rng_init(&rng, 8, RNG_TEST, 0, 0);
    for (int kind = 0; kind < KINDS; kind++)
        check_block((enum kind)kind, &rng);
}

/* What is no number stays none, also where factors are rounded. */
static void test_no_number(void **state)
{
    static const size_t shape[] = {2, 3, 5};
    static const float strange[] = {NAN, INFINITY};

    (void)state;
    for (int level = ROWWISE_PLAIN; level <= (int)rowwise_level(); level++)
        for (size_t i = 0; i < (size_t)2 * KINDS; i++) {
            struct matrices p;
            struct rng rng;

            rng_init(&rng, 9, RNG_TEST, 0, 0);
            p = make(shape, &rng, (enum kind)(i / 2));
            struct rowwise_product r = product(&p, false);

            p.x.f[p.K + 4] = strange[i % 2];
            rowwise_nt(&r, p.scratch, (enum rowwise_level)level);
            for (size_t n = 0; n < p.N; n++) {
                assert_true(isfinite(p.y.f[n]));
                assert_true(!isfinite(p.y.f[p.N + n]));
            }
            unmake(&p);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twin),      cmocka_unit_test(test_company),
        cmocka_unit_test(test_parts),     cmocka_unit_test(test_block),
        cmocka_unit_test(test_no_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
