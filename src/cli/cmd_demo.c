#include "cli/command.h"
#include "cli/session.h"

enum status cmd_demo(struct options *o, struct err *err)
{
    (void)o;
    return err_set(err, ERR_MISSING, "demo: not in this build");
}
