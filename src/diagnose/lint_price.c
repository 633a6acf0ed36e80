/* The coefficient: that it is there, that it is read, and what it buys. */
#include <math.h>
#include <string.h>

#include "diagnose/lint_internal.h"

static bool is_zero(const struct lint_value *v)
{
    return lint_is_number(v) && v->number == 0;
}

/* Is there certainly no penalty?  OpenRLHF takes what is below 0 for 0. */
static bool is_off(const struct lint_case *c, const struct lint_penalty *p)
{
    bool is_negative =
        p->is_on == LINT_YES && lint_is_number(&p->coef) && p->coef.number < 0;
    return p->is_on == LINT_NO || is_zero(&p->coef) ||
           (is_negative && lint_is_openrlhf(c));
}

/* What one has to set to have a penalty whose gradient is right. */
static const char *on_fix(struct lint_case *c)
{
    if (c->out->trainer == LINT_VERL)
        return "algorithm.use_kl_in_reward=True "
               "algorithm.kl_ctrl.kl_coef=0.05";
    if (c->out->trainer == LINT_TRL_GRPO)
        return lint_flag(c, LINT_LOSS_COEF, "0.04");
    return lint_flag(c, LINT_REWARD_COEF, "0.05");
}

/* What the run then cannot show. */
static const char *unmeasured(const struct lint_case *c)
{
    if (lint_is_openrlhf(c))
        return "no reference model is loaded, and the logged kl is 0 whatever "
               "the policy does";
    if (c->out->trainer == LINT_TRL_PPO ||
        c->out->trainer == LINT_TRL_PPO_CLASSIC ||
        c->out->trainer == LINT_TRL_RLOO_CLASSIC)
        return "the KL is still logged, but nothing acts on it";
    return "no reference model is loaded, so KL is neither paid for nor "
           "logged: how far the policy went cannot be told afterwards";
}

void lint_price_none(struct lint_case *c)
{
    struct lint_value at = c->loss.coef;
    if (!is_off(c, &c->reward) || !is_off(c, &c->loss))
        return;
    if (c->out->trainer == LINT_VERL)
        at = c->reward.use;
    else if (at.state == LINT_NONE || lint_is_openrlhf(c))
        at = c->reward.coef;
    lint_add(c, LINT_WARNING, &at, on_fix(c),
             "there is no KL penalty%s: %s.  Where a program checks the answer "
             "that is a choice; where a model scores it, nothing holds the "
             "policy near the text that this model knows",
             lint_is_given(&at) ? "" : " by default", unmeasured(c));
}

static bool is_number_given(const struct lint_value *v)
{
    return lint_is_given(v) && lint_is_number(v) && v->number != 0;
}

/* A coefficient beside a switch that is off.  Where the switch stands there as
 * well, off is what was asked for and the coefficient is left over; where it
 * does not, somebody took the coefficient for enough. */
static void unread(struct lint_case *c, const struct lint_penalty *p,
                   const struct lint_penalty *other, enum lint_setting use,
                   const char *once)
{
    bool is_said = lint_is_given(&p->use);
    bool has_other = lint_is_on(other) || other->is_on == LINT_MAYBE;
    if (!is_number_given(&p->coef) || p->is_on != LINT_NO)
        return;
    bool is_error = !is_said && !has_other && *once == '\0';
    lint_add(c, is_error ? LINT_ERROR : LINT_WARNING, &p->coef,
             lint_flag(c, use, "True"),
             "nothing reads this coefficient while %s is False%s%s",
             lint_key_of(c->out->trainer, use)->key,
             is_said ? "" : ", which it is by default", is_said ? "" : once);
}

/* verl has two, each read only where its switch is on. */
void lint_price_unread(struct lint_case *c)
{
    if (c->out->trainer != LINT_VERL)
        return;
    unread(c, &c->reward, &c->loss, LINT_USE_REWARD,
           " since verl 0.4 (before, KL was in the reward unless use_kl_loss "
           "was on)");
    unread(c, &c->loss, &c->reward, LINT_USE_LOSS, "");
}

static void negative(struct lint_case *c, const struct lint_penalty *p)
{
    if (p->is_on != LINT_YES || !lint_is_number(&p->coef) ||
        p->coef.number >= 0)
        return;
    lint_add(c, LINT_ERROR, &p->coef, on_fix(c),
             lint_is_openrlhf(c)
                 ? "a coefficient below 0 is taken for 0: no reference model "
                   "is loaded and nothing is charged"
                 : "a coefficient below 0 pays the policy for leaving its "
                   "reference");
}

void lint_price_negative(struct lint_case *c)
{
    negative(c, &c->reward);
    negative(c, &c->loss);
}

void lint_price_twice(struct lint_case *c)
{
    if (!lint_is_on(&c->reward) || !lint_is_on(&c->loss))
        return;
    lint_add(c, LINT_WARNING, &c->loss.use,
             lint_flag(c, LINT_USE_LOSS, "False"),
             "the same drift is charged twice, %s in the reward and %s in the "
             "loss, by two estimators and two normalisers: no one number is "
             "the price of a nat",
             c->reward.coef.text, c->loss.coef.text);
}

#define LOOSE 100.0 // nats of a response; a run of RLHF rarely gets there

/* Does the coefficient mean what the formula takes it for? */
static bool is_price(const struct lint_case *c, const struct lint_penalty *p)
{
    return p == &c->reward ? p->kind == LINT_K1
                           : p->kind == LINT_K2 || p->kind == LINT_K3 ||
                                 p->kind == LINT_STRAIGHT;
}

void lint_price_low(struct lint_case *c)
{
    bool is_reward = lint_is_on(&c->reward), is_loss = lint_is_on(&c->loss);
    const struct lint_penalty *p = is_reward ? &c->reward : &c->loss;
    if (is_reward == is_loss || !is_price(c, p) || !lint_is_number(&p->coef) ||
        p->coef.number <= 0)
        return;
    double rest = 1 / (2 * p->coef.number * p->coef.number);
    if (rest <= LOOSE)
        return;
    lint_add(
        c, LINT_NOTE, &p->coef,
        lint_print(c, "to hold about 10 nats: a coefficient of 0.22 times "
                      "the deviation of scores within a prompt"),
        "at scores with a standard deviation of 1 within a prompt the "
        "optimum under %g lies at about %.3g nats a response (deviation^2 "
        "/ (2 coefficient^2)): the price hardly binds, and a KL that rises "
        "for as long as one trains is what to expect",
        p->coef.number, rest);
}

void lint_price_reference_moves(struct lint_case *c)
{
    struct lint_value sync = lint_get(c, LINT_SYNC_REFERENCE);
    struct lint_value alpha = lint_get(c, LINT_SYNC_MIXUP);
    struct lint_value steps = lint_get(c, LINT_SYNC_STEPS);
    if (!lint_is_true(&sync) || !lint_is_number(&alpha) ||
        !lint_is_number(&steps))
        return;
    lint_add(c, LINT_WARNING, &sync, lint_flag(c, LINT_SYNC_REFERENCE, "false"),
             "every %g steps the reference becomes %g of the policy and %g of "
             "itself: the penalty charges new drift only, the logged KL stays "
             "small, and the distance from where training began is neither "
             "charged nor logged",
             steps.number, alpha.number, 1 - alpha.number);
}
