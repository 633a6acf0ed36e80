#include "cli/command.h"
#include "cli/session.h"

enum status cmd_inspect(struct options *o, struct err *err)
{
    (void)o;
    return err_set(err, ERR_MISSING, "inspect: not in this build");
}
