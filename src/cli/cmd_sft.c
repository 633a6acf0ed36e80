#include "cli/command.h"
#include "cli/session.h"

static enum status run(const struct options *o, const struct stage *stage,
                       struct err *err)
{
    return sft_run(&o->v.sft, stage, err);
}

enum status cmd_sft(struct options *o, struct err *err)
{
    return session_train(o, FOR_SFT, "sft", run, err);
}
