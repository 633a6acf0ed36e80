#include "cli/annotate.h"
#include "cli/command.h"
#include "cli/session.h"

enum status cmd_ppo_run(const struct options *o, const struct stage *stage,
                        struct err *err)
{
    struct ppo_annotator gold = annotate_gold();
    return ppo_run(&o->v.ppo, stage, &gold, err);
}

enum status cmd_ppo(struct options *o, struct err *err)
{
    return session_train(o, FOR_PPO, "ppo", cmd_ppo_run, err);
}
