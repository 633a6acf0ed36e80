/* The adaptive controller.  All three trainers have the one of Ziegler et al.:
 *
 *     coefficient *= 1 + clip(KL / target - 1, -0.2, 0.2) * episodes / horizon
 *
 * once for each batch of rollouts, `episodes` being the responses in it. */
#include <math.h>

#include "diagnose/lint_internal.h"

#define ERROR_MAX 0.2
#define ENOUGH 2.0      // a factor that makes a difference
#define TOKEN_TARGET 1. // nats a token that no language model is trained to

/* Does a controller move the coefficient of a penalty that is on? */
static enum lint_where is_adaptive(const struct lint_case *c)
{
    struct lint_value control = lint_get(c, LINT_CONTROL);
    struct lint_value target = lint_get(c, LINT_TARGET);
    bool is_on;
    if (control.state == LINT_UNKNOWN || target.state == LINT_UNKNOWN)
        return LINT_MAYBE;
    if (c->out->trainer == LINT_TRL_PPO_CLASSIC)
        is_on = lint_is_true(&control);
    else if (c->out->trainer == LINT_VERL)
        is_on =
            lint_is_text(&control, "adaptive") && c->reward.is_on == LINT_YES;
    else
        is_on = lint_is_openrlhf(c) && lint_is_number(&target) &&
                target.number != 0;
    return is_on ? LINT_YES : LINT_NO;
}

static const char *fixed_fix(struct lint_case *c)
{
    if (c->out->trainer == LINT_TRL_PPO_CLASSIC)
        return lint_flag(c, LINT_CONTROL, "false");
    if (c->out->trainer == LINT_VERL)
        return lint_flag(c, LINT_CONTROL, "fixed");
    return lint_print(c, "leave --%s out, so that the coefficient is fixed",
                      lint_key_of(c->out->trainer, LINT_TARGET)->key);
}

void lint_control_from_zero(struct lint_case *c)
{
    const struct lint_penalty *p = &c->reward;
    if (is_adaptive(c) != LINT_YES || !lint_is_number(&p->coef) ||
        p->coef.number != 0)
        return;
    lint_add(c, LINT_ERROR, &p->coef, lint_flag(c, LINT_REWARD_COEF, "0.05"),
             "the controller multiplies the coefficient, and 0 stays 0 however "
             "often it is multiplied");
}

/* The largest change of the coefficient in one batch: 0.2 n / horizon. */
static double gain(const struct lint_case *c, struct lint_value *horizon)
{
    struct lint_plan plan = lint_find_plan(c);
    *horizon = lint_get(c, LINT_HORIZON);
    if (!lint_is_number(horizon) || !(horizon->number > 0))
        return (double)NAN;
    return ERROR_MAX * plan.episodes / horizon->number;
}

/* "in 100 batches of 512 episodes" needs to be known; else how many it would
 * take is said. */
void lint_control_slow(struct lint_case *c)
{
    struct lint_value horizon;
    struct lint_plan plan = lint_find_plan(c);
    double g = gain(c, &horizon);
    if (is_adaptive(c) != LINT_YES || isnan(g) || g >= 1)
        return;
    double doubling = log(ENOUGH) / log1p(g);
    if (isnan(plan.updates)) {
        lint_add(c, LINT_NOTE, &horizon, "",
                 "a batch of %.0f episodes changes the coefficient by %.2g %% "
                 "at most, and doubles it in %.0f batches; how many are "
                 "planned cannot be seen here",
                 plan.episodes, 100 * g, ceil(doubling));
        return;
    }
    double most = exp(plan.updates * log1p(g));
    double wanted = ceil(2 * plan.episodes);
    if (most >= ENOUGH)
        return;
    bool is_sure = plan.is_stated && plan.is_processes;
    lint_add(c, is_sure ? LINT_ERROR : LINT_WARNING, &horizon,
             lint_flag(c, LINT_HORIZON, lint_print(c, "%.0f", wanted)),
             "in %.0f batches of %.0f episodes%s the coefficient can grow by "
             "a factor of %.3g at most (1 + 0.2 * %.0f / %g each), not even "
             "double, for which it would take %.0f: in effect it is fixed",
             plan.updates, plan.episodes,
             is_sure              ? ""
             : !plan.is_processes ? ", if one process trains,"
                                  : " by default",
             most, plan.episodes, horizon.number, ceil(doubling));
}

/* OpenRLHF and verl feed the mean over tokens. */
void lint_control_unreachable(struct lint_case *c)
{
    struct lint_value horizon, target = lint_get(c, LINT_TARGET);
    struct lint_plan plan = lint_find_plan(c);
    double g = gain(c, &horizon);
    bool is_token = c->out->trainer != LINT_TRL_PPO_CLASSIC;
    if (is_adaptive(c) != LINT_YES || !lint_is_number(&target))
        return;
    if (target.number <= 0) {
        lint_add(c, LINT_ERROR, &target, fixed_fix(c),
                 "a target must be above 0: the controller divides by it");
        return;
    }
    if (!is_token || target.number < TOKEN_TARGET)
        return;
    const char *end = "";
    if (!isnan(plan.updates) && g < 1)
        end = lint_print(c, ", to %.2g of its value in the %.0f planned",
                         exp(plan.updates * log1p(-g)), plan.updates);
    lint_add(c, LINT_ERROR, &target, lint_flag(c, LINT_TARGET, "0.05"),
             "this controller is fed the mean KL of a token, not the sum of a "
             "response, and %g nats a token are out of reach: the coefficient "
             "falls by %.2g %% with every batch%s",
             target.number, 100 * g, end);
}

void lint_control_unstable(struct lint_case *c)
{
    struct lint_value horizon;
    struct lint_plan plan = lint_find_plan(c);
    double g = gain(c, &horizon);
    if (is_adaptive(c) != LINT_YES || !lint_is_number(&horizon))
        return;
    const char *fix = lint_flag(c, LINT_HORIZON,
                                lint_print(c, "%.0f", ceil(2 * plan.episodes)));
    if (horizon.number <= 0)
        lint_add(c, LINT_ERROR, &horizon, fix,
                 "the horizon must be above 0: the controller divides by it");
    else if (g >= 1)
        lint_add(c, LINT_ERROR, &horizon, fix,
                 "one batch of %.0f episodes can multiply the coefficient by "
                 "1 - 0.2 * %.0f / %g = %.3g: it reaches 0, where it stays, or "
                 "changes its sign",
                 plan.episodes, plan.episodes, horizon.number, 1 - g);
}

static void unread(struct lint_case *c, enum lint_setting s, const char *fix,
                   const char *why)
{
    struct lint_value v = lint_get(c, s);
    if (lint_is_given(&v) && v.text != NULL)
        lint_add(c, LINT_WARNING, &v, fix, "nothing reads this: %s", why);
}

void lint_control_unread(struct lint_case *c)
{
    struct lint_value control = lint_get(c, LINT_CONTROL);
    struct lint_value stop = lint_get(c, LINT_EARLY_STOP);
    if (c->out->trainer == LINT_TRL_PPO_CLASSIC) {
        const char *fix = lint_flag(c, LINT_CONTROL, "true");
        if (lint_is_false(&control)) {
            unread(c, LINT_TARGET, fix, "adap_kl_ctrl is off");
            unread(c, LINT_HORIZON, fix, "adap_kl_ctrl is off");
        }
        if (lint_is_false(&stop))
            unread(c, LINT_EARLY_TARGET, lint_flag(c, LINT_EARLY_STOP, "true"),
                   "early_stopping is off (target_kl is its threshold on the "
                   "KL to the old policy, not the controller's target)");
    } else if (c->out->trainer == LINT_VERL &&
               lint_is_text(&control, "adaptive") &&
               c->reward.is_on == LINT_NO) {
        unread(c, LINT_CONTROL, lint_flag(c, LINT_USE_REWARD, "True"),
               "the controller moves algorithm.kl_ctrl.kl_coef, which is for "
               "KL in the reward; kl_loss_coef stays as it is");
    } else if (lint_is_openrlhf(c) && is_adaptive(c) == LINT_NO) {
        unread(c, LINT_HORIZON, fixed_fix(c),
               "without a target the coefficient is fixed");
    }
}

void lint_control_unsupported(struct lint_case *c)
{
    struct lint_value target = lint_get(c, LINT_TARGET);
    if (lint_is_openrlhf(c) && is_adaptive(c) == LINT_YES)
        lint_add(c, LINT_WARNING, &target, fixed_fix(c),
                 "since 0.9.1 OpenRLHF's own source says of this place that "
                 "the adaptive controller is incompatible and that the fixed "
                 "one must be used");
}
