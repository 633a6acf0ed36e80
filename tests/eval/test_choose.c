/*
 * Which prompts to rank next: against the definition written out plainly, on
 * planted clusters, and by the bound that farthest-first is known to keep.
 */
#include "eval/choose.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "files.h"

enum {
    N_MAX = 64,
    D_MAX = 8
};

static struct err err;

static void must(enum status status)
{
    files_must(status, &err);
}

/* ---- uncertainty -------------------------------------------------------- */

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static void test_one_model(void **state)
{
    (void)state;
    /* A toss-up, one that is settled, and three candidates of which two are
     * even. */
    static const double score[] = {1, 1, 40, -40, 0, 0, 2};
    static const size_t first[] = {0, 2, 4, 7};
    const struct choose_scores s = {3, first, NULL, 1, score};
    double u[3], p = sigmoid(2);
    choose_uncertainty(u, &s);
    files_near(u[0], 0.25, 0);
    assert_true(u[1] >= 0 && u[1] < 1e-30);
    files_near(u[2], (0.25 + 2 * p * (1 - p)) / 3, 1e-15);
    /* Two of the three are one text; so are both of the toss-up. */
    static const size_t text[] = {0, 0, 0, 1, 0, 0, 2};
    const struct choose_scores same = {3, first, text, 1, score};
    choose_uncertainty(u, &same);
    files_near(u[0], 0, 0);
    files_near(u[2], 2 * p * (1 - p) / 3, 1e-15);
}

/* The second line of choose.h is BALD to second order: the information about
 * which of two equally likely models is right, for a small difference. */
static double entropy(double p)
{
    return -p * log(p) - (1 - p) * log(1 - p);
}

static void test_several_models(void **state)
{
    (void)state;
    static const double mean[] = {0, 0.7, -1.5, 3};
    static const size_t first[] = {0, 2};
    for (size_t i = 0; i < sizeof mean / sizeof *mean; i++) {
        double h = 1e-2, u;
        const double score[] = {mean[i] + h, 0, mean[i] - h, 0};
        const struct choose_scores s = {1, first, NULL, 2, score};
        double p[2] = {sigmoid(mean[i] + h), sigmoid(mean[i] - h)};
        /* The two are h from their mean: v is h^2 of two equally likely models,
         * 2 h^2 as an estimate from two of many. */
        double information =
            entropy((p[0] + p[1]) / 2) - (entropy(p[0]) + entropy(p[1])) / 2;
        choose_uncertainty(&u, &s);
        /* The next terms are of relative order h^2. */
        files_near(u / 4 / information, 1, 10 * h * h);
    }
    /* Models that agree leave nothing to ask, however even the pair is. */
    const double agree[] = {1, 1, 5, 5};
    const struct choose_scores s = {1, first, NULL, 2, agree};
    double u;
    choose_uncertainty(&u, &s);
    files_near(u, 0, 0);
    /* A zero of its own says nothing about a model. */
    const double even[] = {2, 1, 1, 1.5}, shifted[] = {2, 1, 101, 101.5};
    const struct choose_scores a = {1, first, NULL, 2, even};
    const struct choose_scores b = {1, first, NULL, 2, shifted};
    double ub;
    choose_uncertainty(&u, &a);
    choose_uncertainty(&ub, &b);
    assert_true(u > 0);
    files_near(ub, u, 1e-12);
}

static void test_feature(void **state)
{
    (void)state;
    static const float states[] = {3, 4, 0, 0, 0, 10, 0, 0, 0};
    float f[3];
    double x = 0.6, y = 0.8, z = 1, len = sqrt(x * x + y * y + z * z);
    choose_feature(f, states, 3, 3);
    files_near((double)f[0], x / len, 1e-7);
    files_near((double)f[1], y / len, 1e-7);
    files_near((double)f[2], z / len, 1e-7);
    choose_feature(f, states + 6, 1, 3);
    files_near((double)f[0], 0, 0);
}

/* ---- order -------------------------------------------------------------- */

struct made {
    double u[N_MAX];
    float feature[N_MAX * D_MAX];
    bool is_judged[N_MAX];
    struct choose_records r;
};

static void make(struct made *m, uint32_t number, size_t n, size_t d,
                 double judged)
{
    struct rng g;
    rng_init(&g, 11, RNG_TEST, number, 0);
    memset(m, 0, sizeof *m);
    for (size_t i = 0; i < n; i++) {
        float state[D_MAX];
        /* Few values, so that there are ties of every sort. */
        m->u[i] = (double)rng_below(&g, 4);
        m->is_judged[i] = rng_uniform(&g) < judged;
        for (size_t c = 0; c < d; c++)
            state[c] = (float)rng_below(&g, 3) - 1;
        choose_feature(m->feature + i * d, state, 1, d);
    }
    m->r = (struct choose_records){.n = n,
                                   .d = d,
                                   .u = m->u,
                                   .feature = m->feature,
                                   .is_judged = m->is_judged};
}

static double apart(const struct choose_records *r, size_t i, size_t j)
{
    double sum = 0;
    for (size_t c = 0; c < r->d; c++)
        sum += pow((double)r->feature[i * r->d + c] -
                       (double)r->feature[j * r->d + c],
                   2);
    return sqrt(sum);
}

/* The definition, each time from the beginning. */
static size_t plain_order(size_t *order, const struct choose_records *r)
{
    size_t n = 0;
    bool all_zero = true;
    for (size_t i = 0; i < r->n; i++)
        all_zero = all_zero && !(r->u[i] > 0);
    for (;;) {
        size_t best = SIZE_MAX;
        double most = -1, most_u = -1;
        for (size_t i = 0; i < r->n; i++) {
            double near = HUGE_VAL, u = all_zero ? 1 : r->u[i];
            bool is_chosen = r->is_judged[i];
            for (size_t k = 0; k < n; k++)
                is_chosen = is_chosen || order[k] == i;
            if (is_chosen)
                continue;
            for (size_t s = 0; s < r->n; s++)
                if (r->is_judged[s])
                    near = fmin(near, apart(r, i, s));
            for (size_t k = 0; k < n; k++)
                near = fmin(near, apart(r, i, order[k]));
            if (near == HUGE_VAL)
                near = 1;
            if (u * near > most || (u * near == most && u > most_u)) {
                best = i;
                most = u * near;
                most_u = u;
            }
        }
        if (best == SIZE_MAX)
            return n;
        order[n++] = best;
    }
}

static void test_by_definition(void **state)
{
    (void)state;
    static struct made m;
    for (uint32_t t = 0; t < 200; t++) {
        size_t order[N_MAX];
        struct choose_order got;
        make(&m, t, 1 + t % N_MAX, 1 + t % D_MAX, t % 3 * 0.2);
        size_t n = plain_order(order, &m.r);
        must(choose_order(&got, &m.r, &err));
        assert_int_equal(got.n, n);
        assert_int_equal(got.n_greedy, n);
        assert_int_equal(got.n_judged, m.r.n - n);
        for (size_t k = 0; k < n; k++)
            if (got.record[k] != order[k])
                fail_msg("case %u, place %zu: %zu, by definition %zu", t, k,
                         got.record[k], order[k]);
        choose_order_free(&got);
    }
}

/* The least radius that any k of n records have as centres. */
static double best_radius(const struct choose_records *r, size_t k)
{
    double best = HUGE_VAL;
    for (uint32_t set = 0; set < 1u << r->n; set++) {
        double radius = 0;
        if ((size_t)__builtin_popcount(set) != k)
            continue;
        for (size_t i = 0; i < r->n; i++) {
            double near = HUGE_VAL;
            for (size_t s = 0; s < r->n; s++)
                if (set >> s & 1)
                    near = fmin(near, apart(r, i, s));
            radius = fmax(radius, near);
        }
        best = fmin(best, radius);
    }
    return best;
}

static void test_equal_is_k_centre(void **state)
{
    (void)state;
    static struct made m;
    for (uint32_t t = 0; t < 20; t++) {
        struct choose_order got;
        make(&m, 1000 + t, 10, 4, 0);
        for (size_t i = 0; i < m.r.n; i++)
            m.u[i] = t % 2 == 0 ? 0 : 0.2; // none known, or all the same
        must(choose_order(&got, &m.r, &err));
        assert_int_equal(got.record[0], 0); // a tie of all: by order
        for (size_t k = 1; k <= 4; k++) {
            double radius = 0;
            for (size_t i = 0; i < m.r.n; i++) {
                double near = HUGE_VAL;
                for (size_t s = 0; s < k; s++)
                    near = fmin(near, apart(&m.r, i, got.record[s]));
                radius = fmax(radius, near);
            }
            assert_true(radius <= 2 * best_radius(&m.r, k) + 1e-12);
        }
        choose_order_free(&got);
    }
}

/* Four clusters, of which one is judged already and one is certain: the first
 * two come from the other two, whose members are all as uncertain. */
static void test_clusters(void **state)
{
    (void)state;
    static struct made m;
    struct rng g;
    struct choose_order got;
    enum {
        EACH = 12,
        CLUSTERS = 4
    };
    rng_init(&g, 1, RNG_TEST, 7, 7);
    memset(&m, 0, sizeof m);
    for (size_t i = 0; i < EACH * CLUSTERS; i++) {
        float at[D_MAX];
        size_t cluster = i % CLUSTERS;
        for (size_t c = 0; c < D_MAX; c++)
            at[c] = (float)(0.02 * rng_normal(&g));
        at[cluster] += 1;
        choose_feature(m.feature + i * D_MAX, at, 1, D_MAX);
        m.u[i] = cluster == 3 ? 0.01 : 0.2 + 0.05 * rng_uniform(&g);
        m.is_judged[i] = cluster == 0 && i < 3 * CLUSTERS;
    }
    m.r = (struct choose_records){.n = EACH * CLUSTERS,
                                  .d = D_MAX,
                                  .u = m.u,
                                  .feature = m.feature,
                                  .is_judged = m.is_judged};
    must(choose_order(&got, &m.r, &err));
    assert_int_equal(got.n, EACH * CLUSTERS - 3);
    size_t one = got.record[0] % CLUSTERS, two = got.record[1] % CLUSTERS;
    assert_true((one == 1 && two == 2) || (one == 2 && two == 1));
    /* What is certain waits for the end. */
    assert_true(got.record[got.n - 1] % CLUSTERS == 3);
    for (size_t k = 0; k < got.n; k++)
        for (size_t s = 0; s < k; s++)
            assert_true(got.record[k] != got.record[s]);
    choose_order_free(&got);
}

/* Beyond the cap, by uncertainty alone; half of it is for those judged. */
static void test_cap(void **state)
{
    (void)state;
    static struct made m;
    struct choose_order all, some;
    make(&m, 5, 60, 5, 0.5);
    must(choose_order(&all, &m.r, &err));
    size_t judged = all.n_judged;
    assert_int_equal(judged + all.n, 60);
    m.r.steps = 20;
    must(choose_order(&some, &m.r, &err));
    assert_int_equal(some.n_judged, 10);
    assert_int_equal(some.n_greedy, 10);
    assert_int_equal(some.n, all.n);
    for (size_t k = some.n_greedy; k + 1 < some.n; k++) {
        size_t a = some.record[k], b = some.record[k + 1];
        assert_true(m.u[a] > m.u[b] || (m.u[a] == m.u[b] && a < b));
    }
    choose_order_free(&some);
    /* What the judged do not need the others get. */
    memset(m.is_judged, 0, sizeof m.is_judged);
    m.is_judged[17] = true;
    must(choose_order(&some, &m.r, &err));
    assert_int_equal(some.n_judged, 1);
    assert_int_equal(some.n_greedy, 19);
    choose_order_free(&some);
    choose_order_free(&all);
}

static void test_priority(void **state)
{
    (void)state;
    files_near(choose_priority(0, 7), 1, 0);
    for (size_t k = 1; k < 7; k++)
        assert_true(choose_priority(k, 7) < choose_priority(k - 1, 7));
    assert_true(choose_priority(6, 7) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_model),
        cmocka_unit_test(test_several_models),
        cmocka_unit_test(test_feature),
        cmocka_unit_test(test_by_definition),
        cmocka_unit_test(test_equal_is_k_centre),
        cmocka_unit_test(test_clusters),
        cmocka_unit_test(test_cap),
        cmocka_unit_test(test_priority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
