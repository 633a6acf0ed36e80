/*
 * How the loss is averaged decides how long wrong responses become (Liu et al.
 * 2025, Understanding R1-Zero-like training).  A right response and two wrong
 * ones, one short, one long; reward is 1 or 0.  With the mean over a response's
 * tokens a long wrong response is punished less than a short one and wrong
 * responses lengthen; with sums over tokens they do not.  Prints its figures.
 */
#include "rlhf/ppo_loss.h"

#include <string.h>

#include "base/rng.h"
#include "rlhf/near.h"
#include "stat/summary.h"

#define ACTIONS 3
#define GROUP 8
#define GROUPS 16
#define SEQUENCES (GROUP * GROUPS)
#define SEEDS 24
#define UPDATES 60

static const size_t length_of[ACTIONS] = {40, 20, 100}; // right, wrong, wrong
#define TOKENS_MAX (SEQUENCES * 100)

/* The first token decides which response is written, the others follow from
 * it: only its log-prob depends on the policy. */
struct batch {
    size_t action[SEQUENCES], start[SEQUENCES + 1];
    float adv[TOKENS_MAX], logp[TOKENS_MAX], weight[TOKENS_MAX];
    float dlogp[TOKENS_MAX];
};

static void softmax(double *p, const double *z)
{
    double sum = 0;
    for (size_t v = 0; v < ACTIONS; v++)
        sum += exp(z[v]);
    for (size_t v = 0; v < ACTIONS; v++)
        p[v] = exp(z[v]) / sum;
}

/* Groups of responses, advantage = reward less the group's mean. */
static void roll_out(struct batch *b, const double *p, uint32_t seed,
                     uint32_t update)
{
    struct rng r;
    rng_init(&r, seed, RNG_TEST, 65, update);
    b->start[0] = 0;
    for (size_t g = 0; g < GROUPS; g++) {
        double right = 0;
        for (size_t i = g * GROUP; i < (g + 1) * GROUP; i++) {
            double u = rng_uniform(&r);
            b->action[i] = u < p[0] ? 0 : u < p[0] + p[1] ? 1 : 2;
            b->start[i + 1] = b->start[i] + length_of[b->action[i]];
            right += b->action[i] == 0 ? 1.0 / GROUP : 0;
        }
        for (size_t i = g * GROUP; i < (g + 1) * GROUP; i++)
            for (size_t t = b->start[i]; t < b->start[i + 1]; t++) {
                b->adv[t] = (float)((b->action[i] == 0 ? 1 : 0) - right);
                b->logp[t] = t == b->start[i] ? (float)log(p[b->action[i]]) : 0;
            }
    }
}

static void update(struct batch *b, double *z, enum loss_aggregation mode,
                   double lr)
{
    struct ppo_loss_config c = {.objective = OBJECTIVE_PG};
    struct ppo_stats stats = {0};
    double p[ACTIONS];
    size_t tokens = b->start[SEQUENCES];
    softmax(p, z);
    ppo_weights(b->weight, b->start, SEQUENCES, mode, 100);
    memset(b->dlogp, 0, tokens * sizeof *b->dlogp);
    ppo_policy_loss(b->dlogp, &stats, b->logp, b->logp, b->adv, b->weight,
                    tokens, &c);
    for (size_t i = 0; i < SEQUENCES; i++)
        for (size_t v = 0; v < ACTIONS; v++)
            z[v] -= lr * (double)b->dlogp[b->start[i]] *
                    ((v == b->action[i] ? 1 : 0) - p[v]);
}

/* Mean length of the wrong responses after training; they start at 60. */
static double train(enum loss_aggregation mode, double lr, uint32_t seed,
                    double *right)
{
    static struct batch b;
    double z[ACTIONS] = {0}, p[ACTIONS];
    for (uint32_t i = 0; i < UPDATES; i++) {
        softmax(p, z);
        roll_out(&b, p, seed, i);
        update(&b, z, mode, lr);
    }
    softmax(p, z);
    *right = p[0];
    return (p[1] * (double)length_of[1] + p[2] * (double)length_of[2]) /
           (p[1] + p[2]);
}

/*
 * The learning rates make the average first token's weight the same in all
 * modes, so that all learn equally much.  Equal weights leave the ratio of the
 * two wrong responses to chance: its mean over seeds lies within four standard
 * errors of the start.
 */
static void test_wrong_responses(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum loss_aggregation mode;
        double lr;
    } modes[] = {
        {"mean over responses of token means", AGG_SEQ_MEAN, 4.0 * 53},
        {"mean over responses of token sums", AGG_SEQ_SUM, 4.0},
        {"token sums over a constant", AGG_SEQ_SUM_NORM, 4.0 * 100},
        {"mean over all tokens", AGG_TOKEN_MEAN, 4.0 * 53},
    };
    for (size_t k = 0; k < COUNT(modes); k++) {
        double length[SEEDS];
        double right = 0;
        for (uint32_t s = 0; s < SEEDS; s++) {
            double p;
            length[s] = train(modes[k].mode, modes[k].lr, s, &p);
            right += p / SEEDS;
        }
        double mean = summary_mean(length, SEEDS);
        double se = summary_sd(length, SEEDS) / sqrt(SEEDS);
        print_message("%-36s wrong responses 60 -> %.1f +- %.1f tokens, right "
                      "%.2f\n",
                      modes[k].name, mean, se, right);
        assert_true(right > 0.6);
        if (modes[k].mode == AGG_SEQ_MEAN)
            assert_true(mean - 4 * se > 65);
        else
            assert_near(mean, 60, 4 * se);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
