#include "cli/command.h"
#include "cli/session.h"

enum status cmd_generate(struct options *o, struct err *err)
{
    (void)o;
    return err_set(err, ERR_MISSING, "generate: not in this build");
}
