/*
 * test_paged.c - attention over pages: against the twin, as the packed forward
 * pass, and the same bits wherever the pages lie; of floats, and of bfloat16s
 * at every level.
 */
#include "nn/compare.h"

#include "nn/attention.h"
#include "nn/gemm16.h"
#include "nn/paged16.h"
#include "nn/paged_ref.h"

#define LEN_MAX 70
#define PAGES ((LEN_MAX + PAGED_ROWS - 1) / PAGED_ROWS)

/* Head counts and sizes; the last is no multiple of anything. */
static const size_t shapes[][3] = {{1, 1, 64}, {9, 3, 64}, {4, 4, 16},
                                   {2, 1, 4},  {2, 2, 96}, {3, 1, 13},
                                   {5, 1, 8}};

/* A page begins `offset` floats behind where the table points. */
#define OFFSET 5

/* How keys and values are kept: at a level in bfloat16, or as floats. */
#define FLOATS (-1)

struct cache {
    int level;
    size_t H, G, D;
    struct array qkv; // [LEN_MAX,(H+2G)*D]
    float *page[PAGES];
};

static size_t page_floats(const struct cache *c)
{
    return OFFSET + (c->level == FLOATS ? paged_floats(c->G, c->D)
                                        : paged16_floats(c->G, c->D));
}

/* Row t of the cache, in a page of it or in another one. */
static void store(const struct cache *c, float *page, size_t t)
{
    const float *key = c->qkv.f + t * (c->H + 2 * c->G) * c->D + c->H * c->D;
    const float *value = key + c->G * c->D;

    if (c->level == FLOATS)
        paged_store(page + OFFSET, t % PAGED_ROWS, key, value, c->G, c->D);
    else
        paged16_store(page + OFFSET, t % PAGED_ROWS, key, value, c->G, c->D);
}

static void attend(const struct cache *c, float *out, const float *query,
                   float *const *table, size_t len, float *scratch)
{
    if (c->level == FLOATS)
        paged_attend(out, query, table, OFFSET, len, c->H, c->G, c->D, scratch);
    else
        paged16_attend(out, query, table, OFFSET, len, c->H, c->G, c->D,
                       scratch, (enum rowwise_level)c->level);
}

static double rounded(float x)
{
    uint32_t bits = (uint32_t)gemm16_nearest(x) << 16;

    memcpy(&x, &bits, sizeof x);
    return (double)x;
}

static struct cache make(const size_t *shape, int level, struct rng *rng)
{
    struct cache c = {
        .level = level, .H = shape[0], .G = shape[1], .D = shape[2]};
    size_t width = (c.H + 2 * c.G) * c.D;
    size_t n = page_floats(&c);

    c.qkv = array_normal(LEN_MAX * width, rng, 1);
    for (size_t p = 0; p < PAGES; p++) {
        c.page[p] = mem_calloc(n, sizeof(float));
        assert_non_null(c.page[p]);
        for (size_t i = 0; i < n; i++) // what was not stored is not read
            c.page[p][i] = NAN;
    }
    for (size_t t = 0; t < LEN_MAX; t++) {
        store(&c, c.page[t / PAGED_ROWS], t);
        for (size_t i = c.H * c.D; level != FLOATS && i < width; i++)
            c.qkv.d[t * width + i] = rounded(c.qkv.f[t * width + i]);
    }
    return c;
}

static void unmake(struct cache *c)
{
    for (size_t p = 0; p < PAGES; p++)
        mem_free(c->page[p]);
    array_free(&c->qkv);
}

/* Row t's output, over the pages and in the twin's words. */
static void check_row(const struct cache *c, size_t t)
{
    size_t width = (c->H + 2 * c->G) * c->D, GD = c->G * c->D;
    size_t HD = c->H * c->D, len = t + 1;
    struct array out = array_nan(HD);
    struct array scratch = array_nan(paged16_scratch(len));
    double *key = mem_calloc(2 * len * GD, sizeof *key);

    assert_non_null(key);
    for (size_t s = 0; s < len; s++)
        for (size_t i = 0; i < GD; i++) {
            key[s * GD + i] = c->qkv.d[s * width + HD + i];
            key[(len + s) * GD + i] = c->qkv.d[s * width + HD + GD + i];
        }
    attend(c, out.f, c->qkv.f + t * width, c->page, len, scratch.f);
    paged_attend_ref(out.d, c->qkv.d + t * width, key, key + len * GD, len,
                     c->H, c->G, c->D);
    /* An exponent is off by what a dot product of D terms of size one is. */
    compare_array("paged_attend", &out, 4 * sum_tolerance(len + 4 * c->D));
    mem_free(key);
    array_free(&out);
    array_free(&scratch);
}

static void test_twin(void **state)
{
    static const size_t rows[] = {0, 1, 14, 15, 16, 31, 47, LEN_MAX - 1};
    struct rng rng;

    (void)state;
    rng_init(&rng, 3, RNG_TEST, 0, 0);
    for (int level = FLOATS; level <= (int)rowwise_level(); level++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            struct cache c = make(shapes[i], level, &rng);

            for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
                check_row(&c, rows[r]);
            unmake(&c);
        }
}

/* Every row of a pack, as attention over the pack has it. */
static void test_forward(void **state)
{
    const size_t start[] = {0, LEN_MAX};
    const struct pack pack = {NULL, NULL, start, 1, LEN_MAX, NULL};
    struct rng rng;

    (void)state;
    rng_init(&rng, 4, RNG_TEST, 0, 0);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct cache c = make(shapes[i], FLOATS, &rng);
        size_t HD = c.H * c.D, width = (c.H + 2 * c.G) * c.D;
        struct array want = array_nan(LEN_MAX * HD);
        struct array scratch = array_nan(attention_scratch(LEN_MAX, c.D));
        struct array out = array_nan(LEN_MAX * HD);

        attention_forward(want.f, NULL, c.qkv.f, &pack, c.H, c.G, c.D,
                          scratch.f);
        for (size_t t = 0; t < LEN_MAX; t++)
            attend(&c, out.f + t * HD, c.qkv.f + t * width, c.page, t + 1,
                   scratch.f);
        for (size_t k = 0; k < want.n; k++)
            out.d[k] = (double)want.f[k];
        compare_array("as forward", &out, 8 * sum_tolerance(LEN_MAX + 4 * c.D));
        array_free(&want);
        array_free(&scratch);
        array_free(&out);
        unmake(&c);
    }
}

/* Pages that are copies, with other rows behind: the same bits. */
static void check_copies(int level, struct rng *rng)
{
    struct cache c = make(shapes[1], level, rng);
    struct cache other = make(shapes[1], level, rng);
    size_t HD = c.H * c.D, half = PAGED_ROWS / 2, len = 2 * PAGED_ROWS + half;
    float *table[] = {c.page[0], other.page[1], other.page[2]};
    float *scratch = mem_calloc(paged16_scratch(len), sizeof *scratch);
    float *a = mem_calloc(HD, sizeof *a);
    float *b = mem_calloc(HD, sizeof *b);

    assert_true(scratch != NULL && a != NULL && b != NULL);
    memcpy(other.page[1], c.page[1], page_floats(&c) * sizeof(float));
    for (size_t t = 2 * PAGED_ROWS; t < len; t++)
        store(&c, other.page[2], t);
    attend(&c, a, c.qkv.f, c.page, len, scratch);
    attend(&c, b, c.qkv.f, table, len, scratch);
    assert_memory_equal(a, b, HD * sizeof *a);
    mem_free(scratch);
    mem_free(a);
    mem_free(b);
    unmake(&c);
    unmake(&other);
}

static void test_copies(void **state)
{
    struct rng rng;

    (void)state;
    rng_init(&rng, 5, RNG_TEST, 0, 0);
    for (int level = FLOATS; level <= (int)rowwise_level(); level++)
        check_copies(level, &rng);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twin),
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
