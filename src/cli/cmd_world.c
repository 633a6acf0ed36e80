#include "cli/command.h"
#include "cli/session.h"

enum status cmd_world(struct options *o, struct err *err)
{
    (void)o;
    return err_set(err, ERR_MISSING, "world: not in this build");
}
