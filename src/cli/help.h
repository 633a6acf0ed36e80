/*
 * help.h - the option and command tables as text: --help, manual pages, JSON.
 */
#ifndef PLUMB_CLI_HELP_H
#define PLUMB_CLI_HELP_H

#include "cli/command.h"

/* The list of commands. */
void help_overview(struct buf *out);

/* One command with its options. */
void help_command(struct buf *out, const struct command *command);

/* Manual page in mdoc; the overview for NULL. */
void help_man(struct buf *out, const struct command *command);

/* All commands and options as one JSON document. */
void help_json(struct buf *out);

/* Exit codes and what they mean, one per row; the last has text NULL. */
struct help_exit {
    int code;
    const char *text;
};
extern const struct help_exit help_exits[];

#endif
