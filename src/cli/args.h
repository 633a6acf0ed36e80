/*
 * args.h - the command line as a list of settings.
 *
 *     --beta 0.1  --beta=0.1  --ppo.beta 0.1   a setting of the command
 *     --json  --json=false  --no-json          a setting that is true or false
 *     -o DIR                                   a letter, where a row has one
 *     -c FILE, --config FILE                   settings from a YAML file
 *     --set ppo.beta=0.1                       any key of the command
 *     -h, --help
 *     --                                       operands only from here on
 *
 * Files come first whatever the order on the line, then flags and --set in
 * their order; a later setting wins.
 */
#ifndef PLUMB_CLI_ARGS_H
#define PLUMB_CLI_ARGS_H

#include "cli/command.h"

/*
 * Read the arguments after the command's name and work out all values.  With
 * --help nothing else is checked.  ERR_ARG names what is wrong.
 */
enum status args_read(struct options *o, const struct command *command,
                      int argc, char *const *argv, struct err *err) MUST_CHECK;

/* The settings of a YAML file, as -c gives them; options_apply() is left to
 * the caller. */
enum status args_read_file(struct options *o, const char *path,
                           struct err *err) MUST_CHECK;

#endif
