/* The estimator of the KL, and the place it stands in.  With d = log pi - log
 * ref of the sampled token: k1 = d, k2 = d^2/2, k3 = exp(-d) - 1 + d. */
#include "diagnose/lint_internal.h"

static bool is_reward(const struct lint_case *c, enum lint_estimator kind)
{
    return lint_is_on(&c->reward) && c->reward.kind == kind;
}

static bool is_loss(const struct lint_case *c, enum lint_estimator kind)
{
    return lint_is_on(&c->loss) && c->loss.kind == kind;
}

/* The name of the estimator whose gradient is right in each place. */
static const char *reward_fix(struct lint_case *c)
{
    struct lint_value old = lint_get(c, LINT_OLD_K3);
    if (lint_is_true(&old))
        return "leave --use_kl_estimator_k3 out";
    bool is_k =
        c->out->trainer != LINT_VERL && c->out->trainer != LINT_TRL_PPO_CLASSIC;
    return lint_flag(c, LINT_REWARD_ESTIMATOR, is_k ? "k1" : "kl");
}

static const char *loss_fix(struct lint_case *c)
{
    bool is_verl = c->out->trainer == LINT_VERL;
    return lint_flag(c, LINT_LOSS_ESTIMATOR, is_verl ? "mse" : "k2");
}

void lint_kl_in_loss(struct lint_case *c)
{
    if (is_loss(c, LINT_K1))
        lint_add(c, LINT_ERROR, &c->loss.estimator, loss_fix(c),
                 "k1 in the loss is log pi - log ref, whose derivative is the "
                 "score function; over the policy's own samples its mean is 0 "
                 "whatever the KL is, so %s = %s buys noise and no penalty",
                 c->loss.coef.key, c->loss.coef.text);
}

void lint_kl_in_reward_k3(struct lint_case *c)
{
    const char *plus = "";
    if (!is_reward(c, LINT_K3))
        return;
    if (c->out->trainer == LINT_VERL)
        plus = "; a '+' changes nothing here, as no gradient flows through a "
               "reward";
    lint_add(c, LINT_ERROR, &c->reward.estimator, reward_fix(c),
             "as a reward k3 pulls by grad KL(pi||ref) - grad KL(ref||pi), "
             "which cancels to first order in the drift and changes its sign "
             "where one token was raised far: a good measure of the KL, and "
             "no penalty on it%s",
             plus);
}

void lint_kl_in_reward_k2(struct lint_case *c)
{
    if (is_reward(c, LINT_K2))
        lint_add(c, LINT_WARNING, &c->reward.estimator, reward_fix(c),
                 "as a reward k2 charges a token that became rarer like one "
                 "that became likelier; its pull is of second order in the "
                 "drift (4 %% of the right one at logits moved by 0.1, and "
                 "against it in half of all directions) and grows only far "
                 "from the reference");
}

void lint_kl_in_reward_abs(struct lint_case *c)
{
    if (is_reward(c, LINT_ABS))
        lint_add(c, LINT_WARNING, &c->reward.estimator, reward_fix(c),
                 "as a reward |k1| charges tokens that became rarer as well, "
                 "and so makes them rarer still: half the pull of k1, with "
                 "the wrong sign on everything the policy has lost");
}

void lint_kl_in_reward_full(struct lint_case *c)
{
    if (is_reward(c, LINT_FULL))
        lint_add(c, LINT_WARNING, &c->reward.estimator, reward_fix(c),
                 "the sum over the vocabulary is the same whichever token is "
                 "drawn, so as a reward it cannot tell a token that moved from "
                 "one that did not; only earlier tokens feel it");
}

void lint_kl_in_loss_abs(struct lint_case *c)
{
    if (is_loss(c, LINT_ABS))
        lint_add(c, LINT_WARNING, &c->loss.estimator, loss_fix(c),
                 "|k1| in the loss pulls by the sign of the drift, never "
                 "harder than %s = %s a token; where the reward pulls more, "
                 "nothing holds the policy",
                 c->loss.coef.key, c->loss.coef.text);
}

void lint_kl_in_loss_k3(struct lint_case *c)
{
    bool has_choice =
        lint_key_of(c->out->trainer, LINT_LOSS_ESTIMATOR)->key != NULL;
    struct lint_value at = c->loss.estimator;
    if (!is_loss(c, LINT_K3))
        return;
    if (!has_choice)
        at = c->loss.coef;
    lint_add(c, LINT_NOTE, &at,
             has_choice ? loss_fix(c)
                        : "none in this trainer; expect more KL than its "
                          "coefficient says",
             "k3 in the loss pulls by grad KL(ref||pi), the other direction: "
             "it acts, but at one coefficient the policy usually rests at more "
             "KL(pi||ref) than with k1 in the reward (1.0 to 2.5 times, in the "
             "median of small problems)");
}

/* OpenRLHF cuts what compute_approx_kl() gives to +-10, since 0.8.6; verl the
 * value of low_var_kl. */
#define CUT 10

void lint_kl_clamped_reward(struct lint_case *c)
{
    if (lint_is_openrlhf(c) && is_reward(c, LINT_K1) &&
        lint_is_number(&c->reward.coef))
        lint_add(c, LINT_NOTE, &c->reward.coef, "",
                 "a token's KL is cut to %d nats either way before it is "
                 "charged: at %s it costs %.4g at most, however rare the "
                 "reference finds it; the logged kl is of the cut values and "
                 "reads too low where a policy collapses",
                 CUT, c->reward.coef.text, CUT * c->reward.coef.number);
}

void lint_kl_clamped_loss(struct lint_case *c)
{
    bool is_k3 = is_loss(c, LINT_K3);
    bool is_k2 = is_loss(c, LINT_K2);
    bool is_cut = lint_is_openrlhf(c) ? is_k2 || is_k3
                                      : c->out->trainer == LINT_VERL && is_k3;
    if (!is_cut)
        return;
    lint_add(c, LINT_NOTE, &c->loss.estimator,
             c->out->trainer == LINT_VERL ? loss_fix(c) : "",
             "the estimate of a token is cut to %d nats, and beyond that no "
             "gradient is left: a token whose log-probability %s by %s is not "
             "pulled back at all",
             CUT, is_k2 ? "moved" : "fell",
             is_k2 ? "4.47 nats" : "2.61 nats (or rose by 11)");
}

static void refuse(struct lint_case *c, const struct lint_penalty *p,
                   const char *fix)
{
    if (p->is_on == LINT_YES && p->kind == LINT_REFUSED)
        lint_add(c, LINT_ERROR, &p->estimator, fix,
                 "%s does not take this estimator: the run stops where the "
                 "penalty is first computed, or before",
                 lint_assumed(c->out->trainer));
}

void lint_kl_refused(struct lint_case *c)
{
    refuse(c, &c->reward, reward_fix(c));
    refuse(c, &c->loss, loss_fix(c));
}

void lint_kl_off_policy(struct lint_case *c)
{
    struct lint_plan plan = lint_find_plan(c);
    struct lint_value corrected = lint_get(c, LINT_CORRECTION);
    struct lint_value at = lint_get(c, LINT_EPOCHS);
    bool is_grpo = c->out->trainer == LINT_TRL_GRPO;
    if (!lint_is_on(&c->loss) || !(plan.steps > 1) ||
        lint_is_true(&corrected) || corrected.state == LINT_UNKNOWN)
        return;
    lint_add(c, LINT_NOTE, &at,
             is_grpo ? lint_flag(c, LINT_CORRECTION, "true")
                     : "one optimiser step for each batch of rollouts, or KL "
                       "in the reward",
             "the KL term in the loss has no importance weight; from the "
             "second of %.0f optimiser steps on a batch the samples are not "
             "the policy's own, and its gradient is biased",
             plan.steps);
}
