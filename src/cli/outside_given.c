#include "cli/outside_given.h"

#include <string.h>

enum status outside_given_check(const struct options *o, const char *recorded,
                                const char *where, struct err *err)
{
    const char *given = o->v.outside.reward.command;
    if (recorded == NULL && given == NULL)
        return OK;
    if (recorded == NULL)
        return err_set(err, ERR_ARG,
                       "%s: the scores are a reward model's, not those of a "
                       "program: --reward-command has no place",
                       where);
    if (given == NULL)
        return err_set(err, ERR_ARG,
                       "%s: the scores are those of the program '%s'; it is "
                       "started if you say so: --reward-command with the same",
                       where, recorded);
    if (strcmp(given, recorded) != 0)
        return err_set(err, ERR_ARG,
                       "%s: the scores are those of the program '%s', "
                       "--reward-command is '%s': their scores need not be in "
                       "one unit",
                       where, recorded, given);
    return OK;
}

enum status outside_given_one(const char *model, const char *key,
                              const struct outside_config *command,
                              const char *flag, struct err *err)
{
    if (model == NULL && command->command == NULL)
        return err_set(err, ERR_ARG,
                       "%s is not set: a model folder or its run; or "
                       "--%s-command, a program in its place",
                       key, flag);
    if (model != NULL && command->command != NULL)
        return err_set(err, ERR_ARG,
                       "%s = %s and --%s-command '%s': only one of them can be "
                       "asked",
                       key, model, flag, command->command);
    return OK;
}
