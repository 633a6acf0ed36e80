#include "cli/command.h"
#include "cli/session.h"

enum status cmd_eval(struct options *o, struct err *err)
{
    (void)o;
    return err_set(err, ERR_MISSING, "eval: not in this build");
}
