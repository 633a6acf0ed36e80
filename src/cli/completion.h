/*
 * completion.h - the option and command tables as completion for a shell: a
 * script that knows every command, flag, choice and key, and whether a value is
 * a file.
 */
#ifndef PLUMB_CLI_COMPLETION_H
#define PLUMB_CLI_COMPLETION_H

#include "cli/command.h"

/* Scripts appended to `out`, for the shells that they are named for. */
void completion_bash(struct buf *out);
void completion_zsh(struct buf *out);
void completion_fish(struct buf *out);

/* By the shell's name; ERR_ARG lists the names. */
enum status completion_write(struct buf *out, const char *shell,
                             struct err *err) MUST_CHECK;

/* ---- for those that write them ------------------------------------------- */

/* What a flag's value is. */
enum completion_kind {
    COMPLETION_NONE,   // the flag has no value
    COMPLETION_CHOICE, // one of row->choices
    COMPLETION_FILE,
    COMPLETION_OTHER, // a number or text of one's own
};
enum completion_kind completion_kind(const struct option *row);

/* The words of "a|b|c" with blanks between. */
void completion_choices(struct buf *out, const char *choices);

/* What may stand where no flag does: `words` of the command's own, appended
 * with blanks between, and files where the result says so. */
bool completion_operands(struct buf *words, const struct command *c);

/* A text between single quotes, as a shell reads it: `quote` is how one of them
 * is written inside, and characters of `special` get a backslash. */
void completion_quote(struct buf *out, const char *text, const char *quote,
                      const char *special);

#endif
