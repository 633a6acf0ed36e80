/*
 * The parts of the policy gradient: they add up to what training computes in
 * every mode, they are what calculus says of a model in doubles, and what they
 * are said to do to log-probabilities is what they do.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "near.h"
#include "rig.h"
#include "rlhf/ppo_split.h"

#define RESPONSES 10
#define PROMPT 3
#define MAX_NEW 9
#define SPLIT_TOLERANCE 1e-5

static struct err err;

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

/* A rollout of a small model with everything on it drawn at random. */
struct scene {
    struct context context;
    struct model policy, reference;
    struct rollout rollout;
    int32_t prompt[RESPONSES * PROMPT];
    struct ppo_config config;
    double beta;
};

static struct ppo_config plain_config(void)
{
    return (struct ppo_config){
        .temperature = 0.8,
        .mask_logits = true,
        .loss = {.clip_low = 0.2, .clip_high = 0.2, .entropy_coef = 0.02},
        .advantage = {.gamma = 0.97,
                      .lambda = 0.9,
                      .whiten = WHITEN_UNBIASED,
                      .whiten_eps = 1e-8},
    };
}

/* Any tokens but those of the prompt's end: what is sampled does not matter
 * here, only that EOS ends some responses and the limit others. */
static void draw_responses(struct scene *s, struct rng *rng)
{
    struct rollout *r = &s->rollout;
    for (size_t i = 0; i < r->n; i++) {
        size_t len = i == 0 ? MAX_NEW : 1 + rng_below(rng, MAX_NEW);
        for (size_t t = 0; t < PROMPT; t++)
            s->prompt[i * PROMPT + t] = (int32_t)(2 + rng_below(rng, 9));
        for (size_t t = 0; t < len; t++)
            r->token[i * MAX_NEW + t] = (int32_t)(2 + rng_below(rng, 9));
        r->is_eos[i] = len < MAX_NEW;
        if (r->is_eos[i])
            r->token[i * MAX_NEW + len - 1] = s->policy.config.eos;
        r->seq[i] = (struct sequence){s->prompt + i * PROMPT, PROMPT,
                                      r->token + i * MAX_NEW, len};
        r->score[i] = 1.5 * rng_normal(rng) + 0.7;
        r->after_value[i] = (float)rng_normal(rng);
    }
    batch_offsets(r->offset, r->seq, r->n);
    for (size_t t = 0; t < r->offset[r->n]; t++)
        r->state_value[t] = (float)(0.5 + rng_normal(rng));
}

static void jolt(struct model *m, struct rng *rng, double sd)
{
    size_t n = model_trainable_count(m);
    for (size_t i = 0; i < n; i++)
        model_trainable(m)[i] += (float)(sd * rng_normal(rng));
}

static void scene_open(struct scene *s, size_t threads)
{
    struct model_config c = rig_config();
    struct rng rng;
    *s = (struct scene){.config = plain_config(), .beta = 0.3};
    rng_init(&rng, 5, RNG_TEST, 1, 2);
    must(team_create(&s->context.team, threads, &err));
    rig_model(&s->policy, &c, 3);
    must(model_clone(&s->reference, &s->policy, &err));
    jolt(&s->reference, &rng, 0.1);
    must(rollout_create(&s->rollout, RESPONSES, MAX_NEW, &err));
    draw_responses(s, &rng);
    const struct scorer_rule rule = ppo_rule(&s->config);
    must(rollout_compare(&s->rollout, &s->policy, &s->reference, NULL, NULL,
                         &rule, &s->context, &err));
    rollout_advantages(&s->rollout, &s->config.advantage, &s->config.kl,
                       s->beta);
}

static void scene_close(struct scene *s)
{
    rollout_free(&s->rollout);
    model_free(&s->policy);
    model_free(&s->reference);
    team_destroy(s->context.team);
}

static struct split_input input_of(const struct scene *s)
{
    return (struct split_input){&s->rollout, &s->policy, &s->config, s->beta,
                                0.01};
}

static struct ppo_split split(struct scene *s)
{
    struct ppo_split out;
    struct split_input in = input_of(s);
    rollout_advantages(&s->rollout, &s->config.advantage, &s->config.kl,
                       s->beta);
    must(ppo_split_run(&out, &in, &s->context, &err));
    return out;
}

/* Settings number k: every choice of each option, in all sorts of company. */
static void vary(struct scene *s, size_t k)
{
    struct ppo_config *c = &s->config;
    c->kl.mode = (int)(k % 6);
    c->kl.clamp = k % 5 == 4 ? 0.05 : 0;
    c->advantage.whiten = (int)(k / 2 % 3);
    c->advantage.whiten_reward = (int)(k / 3 % 3);
    c->advantage.score_position = (int)(k / 5 % 3);
    c->loss.aggregation = (int)(k / 7 % 5);
    c->loss.objective = k % 11 == 10;
    c->loss.dual_clip = k % 4 == 3 ? 1.5 : 0;
    c->loss.entropy_coef = k % 3 == 0 ? 0 : 0.02;
}
#define SETTINGS 42

/* A norm is a sum of squares over a thousand parameters; what rounding leaves
 * of a difference of two is some 1e-7 of the largest part, and the parts here
 * are up to ten times the whole. */
static void assert_adds_up(const struct ppo_split *s, size_t k)
{
    if (!(s->residual <= SPLIT_TOLERANCE))
        fail_msg("settings %zu: the parts miss the whole by %.3g of it", k,
                 s->residual);
    assert_true(s->norm[SPLIT_WHOLE] > 1e-3);
}

static void test_parts_make_the_whole(void **state)
{
    struct scene s;
    double worst = 0;
    (void)state;
    scene_open(&s, 1);
    for (size_t k = 0; k < SETTINGS; k++) {
        vary(&s, k);
        struct ppo_split x = split(&s);
        assert_adds_up(&x, k);
        worst = x.residual > worst ? x.residual : worst;
        /* The policy has not moved: every ratio is 1. */
        assert_true(x.logp_error < 1e-5);
        assert_true(x.norm[SPLIT_REWARD] > 0 && x.norm[SPLIT_VALUE] > 0);
        assert_true(x.norm[SPLIT_KL] > 0);
        assert_int_equal(x.norm[SPLIT_ENTROPY] > 0,
                         s.config.loss.entropy_coef > 0);
    }
    print_message("at ratio 1: residual at most %.2g\n", worst);
    scene_close(&s);
}

/* The second epoch: the policy is not the one that drew, and bounds hold some
 * tokens. */
static void test_parts_behind_the_bounds(void **state)
{
    struct scene s;
    struct rng rng;
    double worst = 0;
    (void)state;
    scene_open(&s, 1);
    rng_init(&rng, 6, RNG_TEST, 1, 2);
    jolt(&s.policy, &rng, 0.05);
    for (size_t k = 0; k < SETTINGS; k++) {
        vary(&s, k);
        struct ppo_split x = split(&s);
        assert_adds_up(&x, k);
        worst = x.residual > worst ? x.residual : worst;
        assert_true(x.logp_error > 0.25);
    }
    print_message("behind the bounds: residual at most %.2g\n", worst);
    scene_close(&s);
}

/* The gate is what the loss says it is: dl/dlogp = -adv gate weight. */
static void test_gate_is_the_losses(void **state)
{
    struct rng rng;
    size_t closed = 0;
    (void)state;
    rng_init(&rng, 7, RNG_TEST, 1, 2);
    for (size_t k = 0; k < 2000; k++) {
        struct ppo_loss_config c = {.clip_low = 0.2,
                                    .clip_high = 0.3,
                                    .dual_clip = k % 2 ? 2 : 0,
                                    .objective = k % 5 == 0};
        struct ppo_stats stats = {.tokens = 0};
        float logp = (float)(-2 + rng_normal(&rng)), old = -2, weight = 0.5F;
        float adv = (float)rng_normal(&rng), d = 0;
        if (k % 50 == 1)
            logp = k % 100 == 1 ? 19 : -30;
        ppo_policy_loss(&d, &stats, &logp, &old, &adv, &weight, 1, &c);
        double gate =
            ppo_policy_gate((double)adv, (double)logp, (double)old, &c);
        closed += gate == 0;
        assert_near((double)d, -0.5 * (double)adv * gate,
                    FLOAT_ULP * (1e-30 + fabs((double)d)));
    }
    assert_true(closed > 300 && closed < 1500);
}

/* Advantages of the parts, by their closed forms, with the score at EOS. */
static void test_advantages_of_parts(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s, 1);
    const struct rollout *r = &s.rollout;
    double *part[SPLIT_ENTROPY];
    double decay = 0.97 * 0.9;
    for (size_t k = 0; k < SPLIT_ENTROPY; k++)
        must(MEM_NEW(part[k], r->slot[r->n], &err));
    must(ppo_split_advantages(part, r, &s.config.advantage, &err));
    for (size_t i = 0; i < r->n; i++) {
        size_t len = r->seq[i].len_response, at = r->slot[i];
        for (size_t t = 0; t < len; t++) {
            double kl = 0, value = 0, d = 1;
            for (size_t u = t; u < len; u++, d *= decay) {
                double v = (double)r->value[at + u];
                double next = u + 1 < len ? (double)r->value[at + u + 1] : 0;
                kl += d * (double)r->reward_kl[r->offset[i] + u];
                value += d * (0.97 * next - v);
            }
            double reward = r->score[i] * pow(decay, (double)(len - 1 - t));
            double scale = r->whitening.scale;
            /* Scores are rounded to float on their way. */
            assert_near(part[SPLIT_REWARD][at + t], scale * reward,
                        4 * FLOAT_ULP * fabs(scale * reward));
            assert_near(part[SPLIT_KL][at + t], scale * kl, 1e-12);
            assert_near(part[SPLIT_VALUE][at + t],
                        scale * (value - r->whitening.shift), 1e-12);
            double sum = part[SPLIT_REWARD][at + t] + part[SPLIT_KL][at + t] +
                         part[SPLIT_VALUE][at + t];
            assert_near(sum, (double)r->advantage_white[at + t], 1e-6);
        }
    }
    for (size_t k = 0; k < SPLIT_ENTROPY; k++)
        mem_free(part[k]);
    scene_close(&s);
}

/* ---- against a model in doubles ---- */

/* The whole rollout as one pack, with the rows its tokens are read from. */
struct book {
    struct rig_pack pack;
    int32_t target[RIG_TOKENS_MAX];
    float dlogp[RIG_TOKENS_MAX];
    size_t row[RIG_TOKENS_MAX]; // of token number t
    struct loss loss;
};

static void book_open(struct book *b, const struct scene *s)
{
    const struct rollout *r = &s->rollout;
    int32_t all[PROMPT + MAX_NEW];
    size_t n = 0;
    *b = (struct book){.loss = {.temperature = (float)s->config.temperature}};
    rig_pack_init(&b->pack);
    for (size_t i = 0; i < r->n; i++) {
        size_t first = b->pack.pack.N, len = r->seq[i].len_response;
        memcpy(all, r->seq[i].prompt, PROMPT * sizeof *all);
        memcpy(all + PROMPT, r->seq[i].response, len * sizeof *all);
        rig_pack_add(&b->pack, all, PROMPT + len);
        for (size_t t = 0; t < len; t++) {
            b->row[n] = first + PROMPT + t - 1;
            b->target[b->row[n++]] = all[PROMPT + t];
        }
    }
    b->loss.target = b->target;
    b->loss.dlogp = b->dlogp;
}

static double *widen(const struct model *m)
{
    size_t n = model_trainable_count(m);
    double *w;
    must(MEM_NEW(w, n, &err));
    for (size_t i = 0; i < n; i++)
        w[i] = (double)m->params[i];
    return w;
}

/* Each part's gradient is that of sum_t -weight A_part log p, taken by finite
 * differences of a model in doubles. */
static void test_parts_against_differences(void **state)
{
    struct scene s;
    struct book b;
    float *grad[SPLIT_PARTS];
    double *adv[SPLIT_ENTROPY], error;
    (void)state;
    scene_open(&s, 1);
    book_open(&b, &s);
    const struct rollout *r = &s.rollout;
    size_t n = model_trainable_count(&s.policy), tokens = r->offset[r->n];
    double *w = widen(&s.policy);
    struct split_input in = input_of(&s);
    for (size_t k = 0; k < SPLIT_PARTS; k++)
        must(MEM_NEW(grad[k], n, &err));
    for (size_t k = 0; k < SPLIT_ENTROPY; k++)
        must(MEM_NEW(adv[k], r->slot[r->n], &err));
    must(ppo_split_gradients(grad, &error, &in, &s.context, &err));
    must(ppo_split_advantages(adv, r, &s.config.advantage, &err));
    for (size_t k = 0; k < SPLIT_ENTROPY; k++) {
        double wrong = 0, right = 0, h = 1e-5;
        for (size_t t = 0; t < tokens; t++)
            b.dlogp[b.row[t]] = (float)(-adv[k][t] / (double)tokens);
        for (size_t i = 0; i < n; i++) {
            double keep = w[i];
            w[i] = keep + h;
            double up =
                model_ref_loss(&s.policy.config, w, &b.pack.pack, &b.loss);
            w[i] = keep - h;
            double down =
                model_ref_loss(&s.policy.config, w, &b.pack.pack, &b.loss);
            w[i] = keep;
            double want = (up - down) / (2 * h);
            wrong += (want - (double)grad[k][i]) * (want - (double)grad[k][i]);
            right += want * want;
        }
        /* The rounding of a float gradient; the differences err by h^2. */
        if (!(wrong <= right * RIG_ROUNDING_GRADIENT * RIG_ROUNDING_GRADIENT))
            fail_msg("part %s is off by %.3g of itself",
                     ppo_split_name((enum split_part)k), sqrt(wrong / right));
    }
    for (size_t k = 0; k < SPLIT_PARTS; k++)
        mem_free(grad[k]);
    for (size_t k = 0; k < SPLIT_ENTROPY; k++)
        mem_free(adv[k]);
    mem_free(w);
    scene_close(&s);
}

/* What is predicted of a token is the derivative of its mean log-prob along
 * the part, again by differences in doubles. */
static void test_predicted_change(void **state)
{
    struct scene s;
    struct book b;
    float *grad[SPLIT_PARTS];
    double error;
    (void)state;
    scene_open(&s, 1);
    book_open(&b, &s);
    const struct rollout *r = &s.rollout;
    size_t n = model_trainable_count(&s.policy), tokens = r->offset[r->n];
    double *w = widen(&s.policy);
    struct split_input in = input_of(&s);
    struct ppo_split x = split(&s);
    for (size_t k = 0; k < SPLIT_PARTS; k++)
        must(MEM_NEW(grad[k], n, &err));
    must(ppo_split_gradients(grad, &error, &in, &s.context, &err));
    for (size_t j = 0; j <= x.n_token; j++) {
        const struct split_token *t = j > 0 ? &x.token[j - 1] : &x.eos;
        for (size_t i = 0; i < tokens; i++) {
            b.dlogp[b.row[i]] = (float)(1.0 / (double)tokens);
            b.target[b.row[i]] = t->token;
        }
        for (size_t k = 0; k < SPLIT_PARTS; k++) {
            double at[2], h = 1e-5, lr = 0.01;
            for (int side = 0; side < 2; side++) {
                double step = side ? -h : h;
                for (size_t i = 0; i < n; i++)
                    w[i] -= step * (double)grad[k][i];
                at[side] =
                    model_ref_loss(&s.policy.config, w, &b.pack.pack, &b.loss);
                for (size_t i = 0; i < n; i++)
                    w[i] += step * (double)grad[k][i];
            }
            double want = lr * (at[0] - at[1]) / (2 * h);
            /* Of the product of two gradients' norms, the other of which is
             * below 2 for a log-prob of these models. */
            assert_near(t->change[k], want,
                        2 * lr * x.norm[k] * RIG_ROUNDING_GRADIENT);
            assert_true(j > 0 || fabs(want) > 1e-7);
        }
    }
    for (size_t k = 0; k < SPLIT_PARTS; k++)
        mem_free(grad[k]);
    mem_free(w);
    scene_close(&s);
}

/* With all tokens candidates, the chosen are those the whole changes most: the
 * finite step that chooses and the exact numbers agree to a few percent. */
static void test_chosen_tokens(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s, 1);
    struct ppo_split x = split(&s);
    bool seen[16] = {false};
    assert_int_equal(x.n_token, SPLIT_TOKENS);
    for (size_t i = 0; i < x.n_token; i++) {
        const struct split_token *t = &x.token[i];
        assert_false(seen[t->token]);
        seen[t->token] = true;
        assert_true(t->probability > 0 && t->probability < 1);
        if (i > 0)
            assert_true(fabs(t->change[SPLIT_WHOLE]) <
                        1.05 * fabs(t[-1].change[SPLIT_WHOLE]));
        if (t->token == s.policy.config.eos)
            assert_memory_equal(t->change, x.eos.change, sizeof t->change);
    }
    scene_close(&s);
}

/* ---- what must be nothing is nothing ---- */

static void test_absent_parts(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s, 1);
    s.config.loss.entropy_coef = 0;
    for (size_t k = 0; k < 12; k++) {
        s.config.kl.mode = (int)(k % 6);
        s.config.advantage.whiten = k < 6 ? WHITEN_UNBIASED : WHITEN_OFF;
        s.beta = 0;
        struct ppo_split x = split(&s);
        assert_true(x.norm[SPLIT_KL] == 0 && x.norm[SPLIT_ENTROPY] == 0);
        assert_true(isnan(x.cosine[SPLIT_KL][SPLIT_WHOLE]));
        assert_true(x.norm[SPLIT_REWARD] > 0 && x.residual < SPLIT_TOLERANCE);
        assert_true(x.eos.change[SPLIT_KL] == 0);
        s.beta = 0.3;
    }
    memset(s.rollout.score, 0, RESPONSES * sizeof *s.rollout.score);
    struct ppo_split no_score = split(&s);
    assert_true(no_score.norm[SPLIT_REWARD] == 0);
    assert_true(no_score.norm[SPLIT_KL] > 0);

    /* No values and no whitening: no baseline, and the KL part is all. */
    memset(s.rollout.state_value, 0,
           s.rollout.offset[RESPONSES] * sizeof *s.rollout.state_value);
    struct ppo_split only_kl = split(&s);
    assert_true(only_kl.norm[SPLIT_VALUE] == 0);
    assert_near(only_kl.cosine[SPLIT_KL][SPLIT_WHOLE], 1, 1e-10);

    /* And without a penalty nothing at all. */
    s.beta = 0;
    struct ppo_split nothing = split(&s);
    assert_true(nothing.norm[SPLIT_WHOLE] == 0 && nothing.residual == 0);
    assert_int_equal(nothing.n_token, 0);
    scene_close(&s);
}

static void test_threads(void **state)
{
    struct ppo_split x[2];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct scene s;
        scene_open(&s, 1 + i);
        x[i] = split(&s);
        scene_close(&s);
    }
    assert_memory_equal(x[0].norm, x[1].norm, sizeof x[0].norm);
    assert_memory_equal(&x[0].eos, &x[1].eos, sizeof x[0].eos);
    assert_memory_equal(x[0].token, x[1].token, sizeof x[0].token);
    assert_true(x[0].residual == x[1].residual);
    assert_true(x[0].logp_error == x[1].logp_error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_make_the_whole),
        cmocka_unit_test(test_parts_behind_the_bounds),
        cmocka_unit_test(test_gate_is_the_losses),
        cmocka_unit_test(test_advantages_of_parts),
        cmocka_unit_test(test_parts_against_differences),
        cmocka_unit_test(test_predicted_change),
        cmocka_unit_test(test_chosen_tokens),
        cmocka_unit_test(test_absent_parts),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
