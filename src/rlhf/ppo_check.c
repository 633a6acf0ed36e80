#include "base/mem.h"
#include "rlhf/ppo.h"

enum status ppo_check_room(const struct ppo_config *c, size_t T_max,
                           struct err *err)
{
    if ((size_t)c->max_new < T_max)
        return OK;
    return err_set(err, ERR_ARG,
                   "ppo.max_new = %lld leaves no room for a prompt in %zu "
                   "positions",
                   (long long)c->max_new, T_max);
}

/* The KL penalty and its coefficient. */
static enum status check_kl(const struct kl_config *c, struct err *err)
{
    if (c->control != KL_FIXED && !(c->target > 0))
        return err_set(err, ERR_ARG,
                       "ppo.kl_target = %g: a coefficient that adapts needs "
                       "one above 0",
                       c->target);
    if (c->control == KL_BUDGET && !(c->beta > 0))
        return err_set(err, ERR_ARG,
                       "ppo.beta = 0 stays 0 however often it is multiplied; "
                       "ppo.kl_control = budget needs one above 0");
    if (c->beta_end >= 0 && c->control != KL_FIXED)
        return err_set(err, ERR_ARG,
                       "ppo.beta_end = %g: a coefficient that follows a target "
                       "cannot move to a given end too",
                       c->beta_end);
    return OK;
}

/* What says the score. */
static enum status check_reward(const struct ppo_config *c, struct err *err)
{
    const char *command = c->reward_command.command;
    if (c->reward_model == NULL && command == NULL)
        return err_set(err, ERR_ARG,
                       "ppo.reward_model is not set: reward model or its run; "
                       "or --reward-command, a program in its place");
    if (c->reward_model != NULL && command != NULL)
        return err_set(err, ERR_ARG,
                       "ppo.reward_model = %s and outside.reward_command = %s: "
                       "only one of them can say the score",
                       c->reward_model, command);
    return OK;
}

enum status ppo_check(const struct ppo_config *c, struct err *err)
{
    size_t n;
    TRY(check_reward(c, err));
    TRY(mem_multiply(&n, (size_t)c->batch, (size_t)c->samples, err));
    if ((size_t)c->minibatches > n)
        return err_set(err, ERR_ARG,
                       "ppo.minibatches = %lld, but an iteration has only %zu "
                       "responses",
                       (long long)c->minibatches, n);
    if (c->max_new_start > c->max_new)
        return err_set(err, ERR_ARG,
                       "ppo.max_new_start = %lld is above ppo.max_new = %lld",
                       (long long)c->max_new_start, (long long)c->max_new);
    if (c->score_shape != SHAPE_NONE && c->score_norm == SCORE_NORM_NONE &&
        c->shape_samples < 2)
        return err_set(err, ERR_ARG,
                       "ppo.score_shape needs what the reference scores as its "
                       "centre: ppo.score_norm = reference, or "
                       "ppo.shape_samples above 1");
    if (c->advantage.mask_eos && c->advantage.score_position != SCORE_AT_EOS)
        return err_set(err, ERR_ARG,
                       "ppo.mask_eos is stated for ppo.score_position = eos "
                       "only");
    if (c->loss.dual_clip > 0 && !(c->loss.dual_clip > 1))
        return err_set(err, ERR_ARG,
                       "ppo.dual_clip = %g: at or below 1 it stops every "
                       "negative advantage; 0 is off",
                       c->loss.dual_clip);
    return check_kl(&c->kl, err);
}
