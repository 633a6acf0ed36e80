/*
 * outside_given.h - the programs that a command line names, and those that
 * runs and evaluations recorded.
 *
 * A recorded program is never started because a file says so: a run may be
 * anybody's.  It is started when --reward-command names it again, the same.
 */
#ifndef PLUMB_CLI_OUTSIDE_GIVEN_H
#define PLUMB_CLI_OUTSIDE_GIVEN_H

#include "cli/options.h"

/*
 * May the reward command that was given stand for what `where` recorded?
 * ERR_ARG: a program is recorded and none given, or another; one is given and
 * none is recorded.  `recorded` is NULL where a model said the scores.
 */
enum status outside_given_check(const struct options *o, const char *recorded,
                                const char *where, struct err *err) MUST_CHECK;

/* ERR_ARG unless exactly one of a model and a program is there; `key` is the
 * model's ("score.model"), `flag` the program's ("reward"). */
enum status outside_given_one(const char *model, const char *key,
                              const struct outside_config *command,
                              const char *flag, struct err *err) MUST_CHECK;

#endif
