/*
 * test_attention_kernels.c - the steps of attention at every level that this
 * processor has, against plain double loops.  nn/attention.h itself is tested
 * at the best level only.
 */
#include "nn/compare.h"

#include "nn/attention_kernels.h"

#define LD ((size_t)96)

static const struct attention_kernels *k;
static struct rng rng;

/* B[k,n] where a tile has it. */
static double b_at(const struct array *b, const struct tile *t, size_t i,
                   size_t n)
{
    return b->d[n / PANEL * t->panel + i * t->ldb + n % PANEL];
}

static void check_product(size_t N, size_t K, bool turned, bool panels,
                          bool accumulate)
{
    struct tile t = {.ldc = N + 3,
                     .lda = (turned ? STRIPE : K) + 5,
                     .turned = turned,
                     .ldb = panels ? PANEL : N + 1,
                     .panel = panels ? PANEL * K : PANEL,
                     .N = N,
                     .K = K,
                     .accumulate = accumulate};
    struct array a = array_normal((turned ? K : STRIPE) * t.lda, &rng, 1);
    struct array b = array_normal(K * t.ldb + N / PANEL * t.panel, &rng, 1);
    struct array c = array_normal(STRIPE * t.ldc, &rng, 1);

    t.a = a.f, t.b = b.f, t.c = c.f;
    k->product(&t);
    for (size_t m = 0; m < STRIPE; m++)
        for (size_t n = 0; n < N; n++) {
            double *sum = &c.d[m * t.ldc + n];

            *sum = accumulate ? *sum : 0;
            for (size_t i = 0; i < K; i++)
                *sum += a.d[turned ? i * t.lda + m : m * t.lda + i] *
                        b_at(&b, &t, i, n);
        }
    compare_array("product", &c, sum_tolerance(K));
    array_free(&a);
    array_free(&b);
    array_free(&c);
}

static void check_products(void)
{
    static const size_t depths[] = {1, 2, 16, 61};

    for (size_t N = PANEL; N <= 9 * PANEL; N += PANEL)
        for (size_t i = 0; i < sizeof depths / sizeof *depths; i++)
            for (unsigned how = 0; how < 8; how++)
                check_product(N, depths[i], how & 1, how & 2, how & 4);
}

/* Rows of D floats, copied with zeros behind and multiplied with each other. */
static void check_rows(size_t D)
{
    size_t width = (D + PANEL - 1) / PANEL * PANEL, n = 5;
    struct array x = array_normal(n * (D + 2), &rng, 1);
    struct array y = array_normal(n * (D + 7), &rng, 1);
    struct array out = array_new(n * (width + 1)), dot = array_nan(n);

    for (size_t i = 0; i < out.n; i++)
        array_set(&out, i, 9);
    k->copy(out.f, width + 1, x.f, D + 2, n, D, width);
    k->dots(dot.f, x.f, D + 2, y.f, D + 7, n, D);
    for (size_t r = 0; r < n; r++) {
        for (size_t d = 0; d < width; d++)
            out.d[r * (width + 1) + d] = d < D ? x.d[r * (D + 2) + d] : 0;
        for (size_t d = 0; d < D; d++)
            dot.d[r] += x.d[r * (D + 2) + d] * y.d[r * (D + 7) + d];
    }
    compare_array("copy", &out, 0);
    compare_array("dots", &dot, sum_tolerance(D));
    array_free(&x);
    array_free(&y);
    array_free(&out);
    array_free(&dot);
}

/* How many of n keys row r of a stripe sees. */
static size_t seen(ptrdiff_t first, size_t r, size_t n)
{
    ptrdiff_t end = first + (ptrdiff_t)r;

    return end < 0 ? 0 : (size_t)end < n ? (size_t)end : n;
}

/*
 * Two chunks of scores, the greatest of a row now in one and now in the other,
 * with what has been summed up being the number of the chunk times 1 in every
 * place: in the end sum_s exp(score) chunk(s) / sum_s exp(score).  The second
 * chunk's rows may see nothing of it.
 */
static void check_soften(ptrdiff_t first, size_t D)
{
    const float scale = 0.25f;
    struct softmax row;
    struct array out = array_new(STRIPE * D), lse = array_nan(STRIPE);
    double whole[STRIPE] = {0}, part[STRIPE] = {0};

    for (size_t chunk = 0; chunk < 2; chunk++) {
        ptrdiff_t from = chunk == 0 ? 16 : first;
        struct array score = array_normal(STRIPE * LD, &rng, 20);
        struct stripe s = {score.f, LD, 32, from, scale};

        /* What a row does not see may be anything. */
        for (size_t r = 0; r < STRIPE; r++)
            for (size_t i = seen(from, r, 32); i < 32; i++)
                score.f[r * LD + i] = i % 2 ? NAN : 1e30f;
        k->soften(&row, out.f, chunk * D, &s);
        for (size_t r = 0; r < STRIPE; r++) {
            float sum = 0;

            for (size_t i = 0; i < 32; i++) {
                double e = i < seen(from, r, 32)
                               ? exp(score.d[r * LD + i] * (double)scale)
                               : 0;

                whole[r] += e;
                part[r] += e * (double)(chunk + 1);
                sum += score.f[r * LD + i];
                if (i >= seen(from, r, 32))
                    assert_true(score.f[r * LD + i] == 0.0f);
            }
            for (size_t d = 0; d < D; d++)
                out.f[r * D + d] = (chunk > 0 ? out.f[r * D + d] : 0) +
                                   sum * (float)(chunk + 1);
        }
        array_free(&score);
    }
    struct array done = array_nan(STRIPE * D);
    k->finish(done.f, D, lse.f, 1, out.f, D, STRIPE, D, &row);
    for (size_t r = 0; r < STRIPE; r++) {
        lse.d[r] = log(whole[r]);
        for (size_t d = 0; d < D; d++)
            done.d[r * D + d] = part[r] / whole[r];
    }
    /* An exponential of x is off by x roundings. */
    compare_array("lse", &lse, sum_tolerance(64));
    compare_array("softmax", &done, 32 * sum_tolerance(64));
    array_free(&out);
    array_free(&lse);
    array_free(&done);
}

static void check_soften_backward(ptrdiff_t first)
{
    const float scale = 0.25f;
    size_t n = 48;
    struct array score = array_normal(STRIPE * LD, &rng, 4);
    struct array ds = array_normal(STRIPE * LD, &rng, 1);
    struct array lse = array_normal(STRIPE, &rng, 1);
    struct array delta = array_normal(STRIPE, &rng, 1);
    struct stripe s = {score.f, LD, n, first, scale};

    for (size_t r = 0; r < STRIPE; r++) {
        for (size_t i = 0; i < n; i++) {
            double *p = &score.d[r * LD + i], *d = &ds.d[r * LD + i];
            bool is_seen = i < seen(first, r, n);

            *p = is_seen ? exp(*p * (double)scale - lse.d[r]) : 0;
            *d = *p * (*d - delta.d[r]) * (double)scale;
            if (!is_seen)
                score.f[r * LD + i] = ds.f[r * LD + i] = NAN;
        }
    }
    k->soften_backward(ds.f, lse.f, delta.f, &s);
    compare_array("p", &score, sum_tolerance(1));
    compare_array("ds", &ds, sum_tolerance(1));
    array_free(&score);
    array_free(&ds);
    array_free(&lse);
    array_free(&delta);
}

static void test_levels(void **state)
{
    (void)state;
    for (enum rowwise_level level = ROWWISE_PLAIN; level <= rowwise_level();
         level++) {
        k = attention_kernels(level);
        rng_init(&rng, 4, RNG_TEST, 0, 400);
        check_products();
        for (size_t D = 1; D <= 40; D++)
            check_rows(D);
        for (ptrdiff_t first = -4; first <= 33; first++) {
            check_soften(first, 16);
            check_soften(first, 48);
            check_soften_backward(first);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_levels)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
