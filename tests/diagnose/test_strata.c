/*
 * test_strata.c - the observations by tag: estimates against hand-made ones,
 * which tests are made, how they are corrected, what happens without an effect.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "diagnose/strata.h"
#include "eval/files.h"
#include "stat/hypothesis.h"

static struct err err;

/* Prompts of tags "a", "b", ...: so many of each, in this order. */
struct design {
    size_t tags, prompts[8];
};

static double noise(uint64_t seed, size_t i)
{
    struct rng r;
    rng_init(&r, seed, RNG_TEST, 0, (uint32_t)i);
    return rng_normal(&r);
}

/* A policy's and a reference's reply to each prompt, two of each, equal; votes
 * on a policy pair and on a placebo pair. */
static void build(struct evidence *e, const struct design *d, uint64_t seed)
{
    *e = (struct evidence){.plan = {.seed = 1, .resamples = 200}};
    for (size_t t = 0; t < d->tags; t++)
        e->n_prompts += d->prompts[t];
    files_must(MEM_NEW(e->reply, 4 * e->n_prompts, &err), &err);
    files_must(MEM_NEW(e->vote, 2 * e->n_prompts, &err), &err);
    size_t p = 0;
    for (size_t t = 0; t < d->tags; t++) {
        const char name[] = {(char)('a' + (int)t), '\0'};
        size_t tag;
        files_must(names_add(&e->tag, &tag, name, &err), &err);
        for (size_t i = 0; i < d->prompts[t]; i++, p++) {
            for (size_t k = 0; k < 4; k++)
                e->reply[e->n_reply++] =
                    (struct evidence_reply){.prompt = p,
                                            .tag = tag,
                                            .is_policy = k < 2,
                                            .score = noise(seed, 8 * p + k),
                                            .tokens = 20 + (double)(p % 5),
                                            .kl = 3 + noise(seed, 8 * p + 6)};
            for (size_t k = 0; k < 2; k++)
                e->vote[e->n_vote++] = (struct evidence_vote){
                    .prompt = p,
                    .is_placebo = k == 1,
                    .visit = 1,
                    .direct = 2,
                    .direct_other = noise(seed, 8 * p + 4 + k) > 0 ? 3 : 1};
        }
    }
}

static void take_down(struct evidence *e)
{
    mem_free(e->reply);
    mem_free(e->vote);
    names_free(&e->tag);
}

static const struct design two = {2, {40, 30}};

/* What is added to the policy's side of one tag is what is found there. */
static void test_effects(void **state)
{
    (void)state;
    struct evidence e;
    struct strata s;
    build(&e, &two, 1);
    for (size_t i = 0; i < e.n_reply; i++) {
        struct evidence_reply *r = &e.reply[i];
        if (!r->is_policy || r->tag != 1)
            continue;
        r->score += 3;
        r->tokens *= 2;
        r->kl += 4;
    }
    for (size_t i = 0; i < e.n_vote; i++)
        if (e.vote[i].prompt >= 40)
            e.vote[i].direct_other = e.vote[i].is_placebo ? 1 : 3;
    files_must(strata_judge(&s, &e, &err), &err);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.item[0].tag, "a");
    assert_int_equal(s.item[0].prompts, 40);
    assert_int_equal(s.item[1].prompts, 30);
    const struct stratum_cell *a = s.item[0].cell, *b = s.item[1].cell;
    /* Exact by construction. */
    files_near(a[STRATUM_LENGTH].e.estimate, 1, 1e-12);
    files_near(b[STRATUM_LENGTH].e.estimate, 2, 1e-12);
    files_near(b[STRATUM_LESS_DIRECT].e.estimate, 1, 1e-12);
    assert_true(strata_holds(&b[STRATUM_SCORE]));
    assert_true(strata_holds(&b[STRATUM_LENGTH]));
    assert_true(strata_differs(&a[STRATUM_SCORE]));
    assert_true(strata_differs(&a[STRATUM_KL]));
    assert_false(strata_holds(&a[STRATUM_SCORE]));
    /* Of the KL no effect is asked; of lengths that never change no test can
     * be made. */
    assert_true(isnan(b[STRATUM_KL].p));
    assert_false(strata_holds(&a[STRATUM_LENGTH]));
    strata_free(&s);
    take_down(&e);
}

/* The score's estimate is the mean of paired differences over the pooled
 * deviation within prompts, and its p is Student's. */
static void test_by_hand(void **state)
{
    (void)state;
    struct evidence e;
    struct strata s;
    double d[30], square = 0;
    build(&e, &two, 2);
    files_must(strata_judge(&s, &e, &err), &err);
    for (size_t p = 0; p < 70; p++) {
        const struct evidence_reply *r = &e.reply[4 * p];
        /* Two values' squares about their mean, with one degree of freedom. */
        square += pow(r[2].score - r[3].score, 2) / 2;
        if (p >= 40)
            d[p - 40] = (r[0].score + r[1].score - r[2].score - r[3].score) / 2;
    }
    double sd = sqrt(square / 70);
    for (size_t i = 0; i < 30; i++)
        d[i] /= sd;
    struct hypothesis_t t = hypothesis_t_test(d, 30, 0.95);
    const struct stratum_cell *c = &s.item[1].cell[STRATUM_SCORE];
    files_near(c->e.estimate, t.mean, 1e-12);
    files_near(c->p, t.p, 1e-12);
    assert_int_equal(c->e.n, 30);
    strata_free(&s);
    take_down(&e);
}

/* q-values are Benjamini and Hochberg's of one family over tags and
 * measures. */
static void test_correction(void **state)
{
    (void)state;
    const struct design d = {4, {20, 20, 20, 20}};
    struct evidence e;
    struct strata s;
    double p[16], q[16];
    build(&e, &d, 3);
    files_must(strata_judge(&s, &e, &err), &err);
    for (size_t family = 0; family < 2; family++) {
        for (size_t i = 0; i < 16; i++) {
            const struct stratum_cell *c = &s.item[i / 4].cell[i % 4];
            p[i] = family == 0 ? c->p : c->differs_p;
        }
        files_must(hypothesis_bh(q, p, 16, &err), &err);
        for (size_t i = 0; i < 16; i++) {
            const struct stratum_cell *c = &s.item[i / 4].cell[i % 4];
            double got = family == 0 ? c->q : c->differs_q;
            assert_true(isnan(q[i]) ? isnan(got) : got == q[i]);
        }
    }
    strata_free(&s);
    take_down(&e);
}

/* Without any effect the chance of a single lead is the level: 100 runs give
 * at most 10 + 4 sqrt(9) = 22 with four standard deviations, in either
 * family. */
static void test_nothing(void **state)
{
    (void)state;
    const struct design d = {5, {24, 24, 24, 24, 24}};
    int holds = 0, differs = 0;
    for (uint64_t run = 0; run < 100; run++) {
        struct evidence e;
        struct strata s;
        bool any[2] = {false, false};
        build(&e, &d, 100 + run);
        e.plan.resamples = 2; // intervals are not looked at
        files_must(strata_judge(&s, &e, &err), &err);
        for (size_t i = 0; i < s.n; i++)
            for (size_t m = 0; m < STRATUM_MEASURES; m++) {
                any[0] = any[0] || strata_holds(&s.item[i].cell[m]);
                any[1] = any[1] || strata_differs(&s.item[i].cell[m]);
            }
        holds += any[0];
        differs += any[1];
        strata_free(&s);
        take_down(&e);
    }
    assert_in_range(holds, 0, 22);
    assert_in_range(differs, 0, 22);
}

/* A small stratum is told and not tested; second visits are not counted. */
static void test_small(void **state)
{
    (void)state;
    const struct design d = {2, {30, STRATA_MIN - 1}};
    struct evidence e;
    struct strata s;
    build(&e, &d, 4);
    for (size_t i = 0; i < e.n_vote; i++)
        if (e.vote[i].prompt < 30)
            e.vote[i].visit = 2;
    files_must(strata_judge(&s, &e, &err), &err);
    const struct stratum_cell *c = s.item[1].cell;
    assert_true(isfinite(c[STRATUM_SCORE].e.estimate));
    assert_true(isnan(c[STRATUM_SCORE].p));
    assert_true(isnan(c[STRATUM_SCORE].differs_p));
    assert_false(strata_holds(&c[STRATUM_SCORE]));
    assert_true(isnan(s.item[0].cell[STRATUM_LESS_DIRECT].e.estimate));
    strata_free(&s);
    take_down(&e);
}

/* Prompts without a tag, tags without prompts, more tags than are shown. */
static void test_edges(void **state)
{
    (void)state;
    struct evidence e;
    struct strata s;
    size_t tag;
    build(&e, &two, 5);
    files_must(names_add(&e.tag, &tag, "of training alone", &err), &err);
    for (size_t i = 0; i < e.n_reply; i++)
        if (e.reply[i].tag == 1)
            e.reply[i].tag = SIZE_MAX;
    files_must(strata_judge(&s, &e, &err), &err);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.untagged, 30);
    strata_free(&s);
    for (size_t i = 0; i < e.n_reply; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "t%03zu", e.reply[i].prompt);
        files_must(names_add(&e.tag, &e.reply[i].tag, name, &err), &err);
    }
    files_must(strata_judge(&s, &e, &err), &err);
    assert_int_equal(s.n, STRATA_MAX);
    assert_int_equal(s.left_out, 70 - STRATA_MAX);
    assert_string_equal(s.item[0].tag, "t000");
    strata_free(&s);
    take_down(&e);

    e = (struct evidence){.plan = {.resamples = 100}};
    files_must(strata_judge(&s, &e, &err), &err);
    assert_int_equal(s.n, 0);
    strata_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_effects),    cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_correction), cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_small),      cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
