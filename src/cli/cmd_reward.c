#include "cli/command.h"
#include "cli/session.h"

enum status cmd_reward_run(const struct options *o, const struct stage *stage,
                           struct err *err)
{
    return reward_model_run(&o->v.reward, stage, err);
}

enum status cmd_reward(struct options *o, struct err *err)
{
    return session_train(o, FOR_REWARD, "reward", cmd_reward_run, err);
}
