/*
 * One draw: frequencies against the softmax, the cuts against their
 * definition by sorting, ties, and rows that give no distribution.
 */
#include "rig.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/sampler.h"

static const struct sampling plain = {.temperature = 1, .top_p = 1};

static struct lmhead head_of(size_t V, double temperature)
{
    return (struct lmhead){
        .V = V, .temperature = temperature > 0 ? (float)temperature : 1};
}

/* A probability is an exponential, an inverse and their product in float, of
 * a logit of at most 5 that was scaled and had the greatest subtracted: 2 * 5
 * and 3 units of 2^-24. */
#define LOGP_TOLERANCE (13 * 0x1p-24)

static int32_t draw(double *logp, const float *z, const struct lmhead *head,
                    const struct sampling *s, struct rng *rng)
{
    int32_t token = -1;

    assert_int_equal(rig_draw(&token, logp, z, head, s, rng), OK);
    return token;
}

/* Frequencies of 40000 draws: each count is binomial, and 5 deviations are
 * passed once in a million. */
static void test_frequencies(void **state)
{
    static const float z[] = {0.5f, -1, 2, 9, 1};
    static const uint8_t banned[] = {0, 0, 0, 1, 0};
    struct sampling s = plain;
    struct lmhead head;
    size_t count[5] = {0};
    size_t n = 40000;
    double p[5];
    double sum = 0;
    struct rng rng;

    (void)state;
    s.temperature = 1.7;
    head = head_of(5, s.temperature);
    head.banned = banned;
    for (size_t v = 0; v < 5; v++)
        sum += p[v] = banned[v] ? 0 : exp((double)z[v] / 1.7);
    rng_init(&rng, 1, RNG_TEST, 0, 0);
    for (size_t i = 0; i < n; i++) {
        double logp;
        int32_t token = draw(&logp, z, &head, &s, &rng);

        count[token]++;
        assert_true(fabs(logp - log(p[token] / sum)) <= LOGP_TOLERANCE);
    }
    assert_int_equal(count[3], 0);
    for (size_t v = 0; v < 5; v++) {
        double q = p[v] / sum;

        assert_true(fabs((double)count[v] - (double)n * q) <=
                    5 * sqrt((double)n * q * (1 - q)));
    }
}

struct entry {
    double p;
    size_t id;
};

static int by_probability(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;

    if (x->p != y->p)
        return x->p < y->p ? 1 : -1;
    return x->id < y->id ? -1 : 1;
}

/* What the definition keeps: sort, take k, take the prefix holding top_p. */
static void kept_by_sorting(bool *kept, const float *z, size_t V,
                            const struct sampling *s)
{
    struct entry *e = mem_calloc(V, sizeof *e);
    size_t k = s->top_k > 0 && s->top_k < V ? s->top_k : V;
    double mass = 0;
    double sum = 0;

    for (size_t v = 0; v < V; v++)
        e[v] = (struct entry){exp((double)z[v]), v};
    qsort(e, V, sizeof *e, by_probability);
    for (size_t i = 0; i < k; i++)
        mass += e[i].p;
    for (size_t i = 0; i < k; i++) {
        kept[e[i].id] = sum < s->top_p * mass;
        sum += e[i].p;
    }
    mem_free(e);
}

/* The set of tokens that can come out, found by drawing often, is the set the
 * definition keeps.  Logits are chosen so that no kept token is rare. */
static void test_cuts(void **state)
{
    float z[40];
    struct rng rng;

    (void)state;
    rng_init(&rng, 2, RNG_TEST, 0, 0);
    for (size_t round = 0; round < 40; round++) {
        struct sampling s = plain;
        struct lmhead head = head_of(40, 1);
        bool want[40] = {false};
        bool seen[40] = {false};

        for (size_t v = 0; v < 40; v++)
            z[v] = (float)rng_uniform(&rng);
        z[7] = z[31]; // a tie
        s.top_k = round % 4 == 0 ? 0 : rng_below(&rng, 45);
        s.top_p = round % 4 == 1 ? 1 : 0.02 + 0.97 * rng_uniform(&rng);
        kept_by_sorting(want, z, 40, &s);
        for (size_t i = 0; i < 4000; i++) {
            double logp;

            seen[draw(&logp, z, &head, &s, &rng)] = true;
        }
        assert_memory_equal(seen, want, sizeof seen);
    }
}

/* The same over a vocabulary of several blocks, most of it far below: what is
 * kept lies in some blocks and not in others. */
static void test_cuts_of_blocks(void **state)
{
    enum {
        V = 5 * NEXTTOKEN_BLOCK + 7
    };
    static float z[V];
    struct rng rng;

    (void)state;
    rng_init(&rng, 6, RNG_TEST, 0, 0);
    for (size_t round = 0; round < 8; round++) {
        struct sampling s = plain;
        struct lmhead head = head_of(V, 1);
        bool want[V] = {false};
        bool seen[V] = {false};
        float depth = round % 2 == 0 ? 20 : 9; // the rest's mass may count

        for (size_t v = 0; v < V; v++)
            z[v] = (float)rng_uniform(&rng) - depth;
        for (size_t k = 0; k < 24; k++)
            z[rng_below(&rng, V)] = (float)rng_uniform(&rng);
        s.top_k = round % 4 == 0 ? 0 : 1 + rng_below(&rng, 20);
        s.top_p = round % 4 == 1 ? 1 : 0.05 + 0.8 * rng_uniform(&rng);
        kept_by_sorting(want, z, V, &s);
        for (size_t i = 0; i < 1500; i++) {
            double logp;

            seen[draw(&logp, z, &head, &s, &rng)] = true;
        }
        assert_memory_equal(seen, want, sizeof seen);
    }
}

static void test_ties(void **state)
{
    static const float z[] = {1, 3, 3, 3, 3, 0};
    struct sampling s = plain;
    struct lmhead head = head_of(6, 1);
    struct rng rng;
    double logp;

    (void)state;
    rng_init(&rng, 3, RNG_TEST, 0, 0);
    s.top_k = 2; // of four equals the first two
    for (size_t i = 0; i < 200; i++) {
        int32_t token = draw(&logp, z, &head, &s, &rng);

        assert_true(token == 1 || token == 2);
    }
    s.top_k = 0;
    s.top_p = 0.1; // one of them is enough
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(draw(&logp, z, &head, &s, &rng), 1);
}

/* Greedy: the lowest id among equals, no number drawn, logp of the softmax. */
static void test_greedy(void **state)
{
    static const float z[] = {1, 5, 3, 5};
    static const uint8_t banned[] = {0, 1, 0, 0};
    struct sampling s = {.temperature = 0, .top_p = 1};
    struct lmhead head = head_of(4, 0);
    struct rng rng;
    struct rng before;
    double logp;

    (void)state;
    rng_init(&rng, 4, RNG_TEST, 0, 0);
    before = rng;
    assert_int_equal(draw(&logp, z, &head, &s, &rng), 1);
    assert_true(fabs(logp + log(2 + exp(-4) + exp(-2))) <= LOGP_TOLERANCE);
    head.banned = banned;
    assert_int_equal(draw(&logp, z, &head, &s, &rng), 3);
    assert_memory_equal(&rng, &before, sizeof rng);
}

static void test_no_distribution(void **state)
{
    static const uint8_t all[] = {1, 1, 1};
    struct sampling greedy = {.temperature = 0, .top_p = 1};
    struct lmhead head = head_of(3, 1);
    struct rng rng;
    int32_t token;
    double logp;

    (void)state;
    rng_init(&rng, 5, RNG_TEST, 0, 0);
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < 2; k++) {
            float z[] = {1, 2, 3};

            z[i] = NAN;
            assert_int_equal(rig_draw(&token, &logp, z, &head,
                                      k == 0 ? &plain : &greedy, &rng),
                             ERR_NUMERIC);
        }
    }
    head.banned = all;
    for (size_t k = 0; k < 2; k++) {
        float z[] = {1, 2, 3};

        assert_int_equal(
            rig_draw(&token, &logp, z, &head, k == 0 ? &plain : &greedy, &rng),
            ERR_NUMERIC);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frequencies),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_cuts_of_blocks),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_greedy),
        cmocka_unit_test(test_no_distribution),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
