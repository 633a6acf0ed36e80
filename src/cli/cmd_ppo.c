#include "cli/command.h"
#include "cli/session.h"

static enum status run(const struct options *o, const struct stage *stage,
                       struct err *err)
{
    return ppo_run(&o->v.ppo, stage, NULL, err);
}

enum status cmd_ppo(struct options *o, struct err *err)
{
    return session_train(o, FOR_PPO, "ppo", run, err);
}
