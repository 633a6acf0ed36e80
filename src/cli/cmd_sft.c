#include "cli/command.h"
#include "cli/session.h"

enum status cmd_sft_run(const struct options *o, const struct stage *stage,
                        struct err *err)
{
    return sft_run(&o->v.sft, stage, err);
}

enum status cmd_sft(struct options *o, struct err *err)
{
    return session_train(o, FOR_SFT, "sft", cmd_sft_run, err);
}
