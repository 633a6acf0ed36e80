/*
 * Products in bfloat16 beside those in float: near them, not them, and reading
 * the parameters as they are now.
 */
#include "rig.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "model/generate.h"

enum {
    SEQUENCES = 5,
    TOKENS = 12 // of each: more rows together than few
};

static struct err err;

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

static void some_pack(struct rig_pack *p)
{
    struct rng r;
    int32_t token[TOKENS];

    rng_init(&r, 3, RNG_TEST, 0, 0);
    rig_pack_init(p);
    for (size_t s = 0; s < SEQUENCES; s++) {
        for (size_t t = 0; t < TOKENS; t++)
            token[t] = (int32_t)rng_below(&r, 11);
        rig_pack_add(p, token, TOKENS);
    }
}

/*
 * A product of factors rounded to 8 bits each is off by 2^-8 of the size of
 * its terms.  On the way through two layers a state meets eight products, and
 * as many on the way back; where the terms are of both signs, their sum is a
 * few times smaller than they are.
 */
#define NEAR (16 * 4 * 0x1p-8)
/* And so far off that floats were not: a hundred times their rounding. */
#define FAR (100 * RIG_ROUNDING)

static void test_near_float(void **state)
{
    static const char *const arch[] = {"llama", "gpt2"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct rig_pack p;
        struct model m;
        struct model_config c = rig_config_of(arch[i]);
        float logits[2][SEQUENCES * TOKENS * 11];
        size_t n = SEQUENCES * TOKENS * 11;

        some_pack(&p);
        rig_model(&m, &c, 7);
        rig_logits(logits[0], &m, &p.pack);
        assert_int_equal(model_precision_of(&m), MODEL_F32);
        must(model_round(&m, &err));
        assert_int_equal(model_precision_of(&m), MODEL_F32_BY_BF16);
        rig_logits(logits[1], &m, &p.pack);
        double off = rig_relative(logits[1], logits[0], n);
        if (!(off < NEAR && off > FAR))
            fail_msg("%s: logits are off by %g", arch[i], off);
        model_free(&m);
    }
}

static void test_gradient_near_float(void **state)
{
    struct rig_pack p;
    struct model m;
    struct model_config c = rig_config();
    int32_t target[SEQUENCES * TOKENS];
    float dlogp[SEQUENCES * TOKENS];
    (void)state;

    some_pack(&p);
    rig_model(&m, &c, 7);
    for (size_t n = 0; n < SEQUENCES * TOKENS; n++) {
        target[n] = p.token[(n + 1) % (SEQUENCES * TOKENS)];
        dlogp[n] = n % 3 == 0 ? 0.5f : -1.0f;
    }
    const struct loss loss = {
        .target = target, .dlogp = dlogp, .temperature = 1};
    float *grad[2];
    size_t n = params_count(&c);
    for (size_t i = 0; i < 2; i++) {
        grad[i] = mem_calloc(n, sizeof **grad);
        assert_non_null(grad[i]);
        rig_gradient(grad[i], &m, &p.pack, &loss);
        must(model_round(&m, &err));
    }
    /* Every tensor by itself: a product left out would be off by 1. */
    for (size_t t = 0; t < params_tensors(&c); t++) {
        struct param_view v = params_view(&c, t);
        double off = rig_relative(grad[1] + v.offset, grad[0] + v.offset,
                                  v.rows * v.cols);
        if (!(off < NEAR && off > FAR))
            fail_msg("the gradient of %s is off by %g", v.name, off);
    }
    mem_free(grad[0]);
    mem_free(grad[1]);
    model_free(&m);
}

/* Copies of a model, and a frozen one, multiply as it does. */
static void test_copies(void **state)
{
    struct rig_pack p;
    struct model m, clone, lent;
    struct model_config c = rig_config();
    float logits[2][SEQUENCES * TOKENS * 11];
    (void)state;

    some_pack(&p);
    rig_model(&m, &c, 7);
    must(model_round(&m, &err));
    rig_logits(logits[0], &m, &p.pack);
    must(model_clone(&clone, &m, &err));
    assert_int_equal(model_precision_of(&clone), MODEL_F32_BY_BF16);
    rig_logits(logits[1], &clone, &p.pack);
    assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
    must(model_share(&lent, &clone, HEAD_LM, &err));
    rig_logits(logits[1], &lent, &p.pack);
    assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
    model_free(&lent);
    must(model_freeze(&clone, &err));
    assert_int_equal(model_precision_of(&clone), MODEL_BF16_BY_BF16);
    rig_logits(logits[1], &clone, &p.pack);
    /* The embedding's rows are rounded too, which they are not in m. */
    assert_true(rig_relative(logits[1], logits[0], SEQUENCES * TOKENS * 11) <
                NEAR);
    model_free(&clone);

    /* A changed parameter is read once it is rounded again. */
    struct weight q = model_weight(&m, PARAM_Q, 0);
    size_t at = (size_t)(q.f32 - m.params);
    m.params[at] = 1000;
    assert_true(q.rounded[0] != 0x447a);
    model_round_part(&m, at, 1);
    assert_int_equal(q.rounded[0], 0x447a);
    model_free(&m);
}

/* ---- sampling ------------------------------------------------------------ */

enum {
    JOBS = 8,
    PROMPT = 4,
    NEW = 12,
    ROWS = JOBS * (PROMPT + NEW - 1)
};

struct drawn {
    int32_t prompt[PROMPT], token[JOBS][NEW];
    float logp[JOBS][NEW];
};

static void draw(struct drawn *d, const struct model *m, size_t workers)
{
    const struct sampling how = {
        .temperature = 1, .top_p = 1, .max_new = NEW, .group = 3};
    struct generate_job job[JOBS];
    struct context context = {0};

    for (size_t t = 0; t < PROMPT; t++)
        d->prompt[t] = (int32_t)t + 1;
    for (size_t i = 0; i < JOBS; i++) {
        job[i] = (struct generate_job){.prompt = d->prompt,
                                       .len_prompt = PROMPT,
                                       .token = d->token[i],
                                       .logp = d->logp[i]};
        rng_init(&job[i].rng, 5, RNG_TEST, 1, (uint32_t)i);
    }
    must(team_create(&context.team, workers, &err));
    must(generate_run(job, JOBS, m, &how, &context, &err));
    team_destroy(context.team);
    for (size_t i = 0; i < JOBS; i++)
        assert_int_equal(job[i].len, NEW);
}

struct training {
    const struct model *m;
    const struct pack *pack;
    const int32_t *target;
    float *logp;
};

static enum status train(void *ctx, struct arena *arena, struct err *e)
{
    const struct training *k = ctx;
    struct lmhead head = model_lmhead(k->m, 1);
    struct activations a;
    float *scratch;

    TRY(activations_place(&a, k->m, k->pack->N, false, arena, e));
    TRY(transformer_forward(&a, k->m, k->pack, arena, e));
    TRY(ARENA_NEW(arena, scratch, lmhead_scratch(head.V, head.C), e));
    return lmhead_forward(k->logp, NULL, NULL, &head, a.hidden, k->target,
                          k->pack->N, -1, scratch, e);
}

/* The largest distance of a drawn token's log-probability from what training
 * with `m` computes; all responses are one pack, of more rows than few. */
static double off_training(const struct drawn *d, const struct model *m)
{
    int32_t all[PROMPT + NEW], target[ROWS];
    float logp[ROWS];
    struct rig_pack p;
    struct training k = {m, &p.pack, target, logp};
    size_t row = 0;
    double most = 0;

    rig_pack_init(&p);
    for (size_t i = 0; i < JOBS; i++) {
        memcpy(all, d->prompt, sizeof d->prompt);
        memcpy(all + PROMPT, d->token[i], sizeof d->token[i]);
        for (size_t t = 1; t < PROMPT + NEW; t++)
            target[row++] = all[t];
        rig_pack_add(&p, all, PROMPT + NEW - 1);
    }
    must(rig_run(train, &k, &err));
    for (size_t i = 0; i < JOBS; i++)
        for (size_t t = 0; t < NEW; t++) {
            size_t at = i * (PROMPT + NEW - 1) + PROMPT - 1 + t;

            most = fmax(most, fabs((double)d->logp[i][t] - (double)logp[at]));
        }
    return most;
}

/*
 * Sampling rounds the factors that training rounds, and keys and values, too.
 * Its sums run in another order, which now and then puts a number on the other
 * side of the middle between two bfloat16s: a 2^-8 of one channel, and of a
 * logit of these models that much of a size of four.  A sampler that multiplied
 * floats is further off.
 */
#define FLIPPED (4 * 0x1p-8)

static void test_sampling_near_training(void **state)
{
    static const char *const arch[] = {"llama", "gpt2"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct model_config c = rig_config_of(arch[i]);
        struct drawn d, by_floats, again;
        struct model m;

        c.eos = -1;
        c.n_stop = 0;
        rig_model(&m, &c, 7);
        draw(&by_floats, &m, 1);
        must(model_round(&m, &err));
        draw(&d, &m, 1);
        assert_true(off_training(&d, &m) < FLIPPED);
        assert_true(off_training(&by_floats, &m) > FLIPPED);
        draw(&again, &m, 3);
        assert_memory_equal(&d, &again, sizeof d);
        must(model_freeze(&m, &err));
        draw(&d, &m, 2);
        assert_true(off_training(&d, &m) < FLIPPED);
        model_free(&m);
    }
}

/* A score head grows the copy as it grows the parameters. */
static void test_score_head(void **state)
{
    struct model m;
    struct model_config c = rig_config();
    (void)state;

    c.tied = true;
    rig_model(&m, &c, 7);
    must(model_round(&m, &err));
    must(model_into_score(&m, &err));
    for (size_t i = 0; i < c.C; i++)
        model_score(&m)[i] = 1;
    model_round_again(&m);
    assert_int_equal(m.rounded[params_count(&m.config) - 1], 0x3f80);
    model_free(&m);

    /* And makes none where there was none. */
    rig_model(&m, &c, 7);
    must(model_freeze(&m, &err));
    must(model_into_score(&m, &err));
    assert_int_equal(model_precision_of(&m), MODEL_BF16);
    model_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_near_float),
        cmocka_unit_test(test_gradient_near_float),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_sampling_near_training),
        cmocka_unit_test(test_score_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
