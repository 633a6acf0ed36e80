/*
 * Whole distributions against the fused passes that training uses, and what
 * holds for any distribution.
 */
#include "eval/next_token.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "files.h"
#include "rlhf/scorer.h"

enum {
    V = 30,
    SEQUENCES = 37, // more than two groups
    PROMPT = 3,
    REPLY = 9, // at most
    STATES = SEQUENCES * REPLY
};

static struct err err;

static void must(enum status status)
{
    files_must(status, &err);
}

/* Two models of one shape, and sequences. */
struct rig {
    struct model model[2];
    struct sequence seq[SEQUENCES];
    int32_t token[SEQUENCES][PROMPT + REPLY];
    size_t offset[SEQUENCES + 1];
    struct context context;
};

static void rig_open(struct rig *r, size_t threads)
{
    const struct model_config shape = {.V = V,
                                       .C = 8,
                                       .L = 2,
                                       .H = 2,
                                       .G = 2,
                                       .D = 4,
                                       .F = 12,
                                       .T_max = 16,
                                       .rope_theta = 10000,
                                       .norm_eps = 1e-5,
                                       .head = HEAD_LM,
                                       .bos = -1,
                                       .eos = 1,
                                       .pad = 0};
    struct rng rng;
    memset(r, 0, sizeof *r);
    rng_init(&rng, 7, RNG_TEST, 0, 0);
    for (size_t m = 0; m < 2; m++) {
        must(model_create(&r->model[m], &shape, &err));
        must(MEM_NEW(r->model[m].banned, V, &err));
        params_init(r->model[m].params, &shape, 3 + m);
        r->model[m].banned[0] = r->model[m].banned[5] = 1;
    }
    for (size_t i = 0; i < SEQUENCES; i++) {
        for (size_t t = 0; t < PROMPT + REPLY; t++)
            r->token[i][t] = (int32_t)(6 + rng_below(&rng, V - 6));
        r->seq[i] =
            (struct sequence){.prompt = r->token[i],
                              .len_prompt = PROMPT,
                              .response = r->token[i] + PROMPT,
                              .len_response = rng_below(&rng, REPLY + 1)};
        if (r->seq[i].len_response > 0)
            r->token[i][PROMPT + r->seq[i].len_response - 1] = 1;
    }
    batch_offsets(r->offset, r->seq, SEQUENCES);
    must(team_create(&r->context.team, threads, &err));
}

static void rig_close(struct rig *r)
{
    model_free(&r->model[0]);
    model_free(&r->model[1]);
    team_destroy(r->context.team);
}

static void test_against_scorer(void **state)
{
    (void)state;
    static struct rig r;
    static struct next_token d[STATES];
    static float logp[2][STATES], kl[2][STATES], entropy[2][STATES],
        p_eos[2][STATES];
    const struct scorer_rule rule = {.temperature = 1};
    rig_open(&r, 2);
    must(next_token_read(d, &r.model[0], &r.model[1], r.seq, SEQUENCES,
                         r.offset, &r.context, &err));
    for (int k = 0; k < 2; k++) {
        const struct scorer_views views = {.policy = &r.model[k],
                                           .reference = &r.model[1 - k],
                                           .out = {.logp = logp[k],
                                                   .entropy = entropy[k],
                                                   .p_eos = p_eos[k],
                                                   .kl = kl[k]}};
        must(scorer_compare(&views, r.seq, SEQUENCES, r.offset, &rule,
                            &r.context, &err));
    }
    /* The other side's results are floats of numbers up to 10, from a softmax
     * whose exponentials are floats: a few units of 2^-24 of each of V
     * terms. */
    double tolerance = 1e-5;
    double farthest = 0;
    for (size_t t = 0; t < r.offset[SEQUENCES]; t++) {
        for (int k = 0; k < 2; k++) {
            files_near(d[t].of[k].nll, -(double)logp[k][t], tolerance);
            files_near(d[t].of[k].entropy, (double)entropy[k][t], tolerance);
            files_near(d[t].of[k].p_eos, (double)p_eos[k][t], tolerance);
            assert_true(d[t].of[k].top >= exp(-d[t].of[k].entropy) - 1e-12);
            assert_true(d[t].of[k].top <= 1);
        }
        files_near(d[t].kl, (double)kl[0][t], tolerance);
        files_near(d[t].forward_kl, (double)kl[1][t], tolerance);
        farthest = fmax(farthest, fabs(d[t].kl - d[t].forward_kl));
    }
    assert_true(farthest > 1e-3); // the two divergences are told apart
    rig_close(&r);
}

static void test_one_model(void **state)
{
    (void)state;
    static struct rig r;
    static struct next_token one[STATES], both[STATES];
    rig_open(&r, 1);
    must(next_token_read(one, &r.model[0], NULL, r.seq, SEQUENCES, r.offset,
                         &r.context, &err));
    must(next_token_read(both, &r.model[0], &r.model[0], r.seq, SEQUENCES,
                         r.offset, &r.context, &err));
    for (size_t t = 0; t < r.offset[SEQUENCES]; t++) {
        assert_memory_equal(&one[t].of[0], &both[t].of[0], sizeof one[t].of[0]);
        assert_true(isnan(one[t].of[1].nll) && isnan(one[t].kl) &&
                    isnan(one[t].forward_kl));
        assert_true(both[t].kl == 0 && both[t].forward_kl == 0);
    }
    rig_close(&r);
}

static void test_threads(void **state)
{
    (void)state;
    static struct rig r;
    static struct next_token d[2][STATES];
    for (size_t k = 0; k < 2; k++) {
        rig_open(&r, 1 + k);
        must(next_token_read(d[k], &r.model[0], &r.model[1], r.seq, SEQUENCES,
                             r.offset, &r.context, &err));
        rig_close(&r);
    }
    assert_memory_equal(d[0], d[1], sizeof d[0]);
}

static void test_odd_inputs(void **state)
{
    (void)state;
    static struct rig r;
    static struct next_token d[STATES];
    rig_open(&r, 1);
    must(next_token_read(d, &r.model[0], NULL, r.seq, 0, r.offset, &r.context,
                         &err));
    /* What may not be sampled has no probability. */
    r.token[0][PROMPT] = 5;
    r.seq[0].len_response = 1;
    batch_offsets(r.offset, r.seq, 1);
    must(next_token_read(d, &r.model[0], NULL, r.seq, 1, r.offset, &r.context,
                         &err));
    assert_true(isinf(d[0].of[0].nll) && isfinite(d[0].of[0].entropy));
    r.model[0].params[0] = NAN;
    r.token[0][0] = 0; // row 0 of the embedding is read
    assert_int_equal(next_token_read(d, &r.model[0], NULL, r.seq, 1, r.offset,
                                     &r.context, &err),
                     ERR_NUMERIC);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_scorer),
        cmocka_unit_test(test_one_model),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_odd_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
