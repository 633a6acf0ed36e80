#include "cli/command.h"
#include "cli/help.h"
#include "cli/terminal.h"

#define TEXT_MAX ((size_t)1 << 20)

/* The command an operand names. */
static enum status find(const struct command **out, const char *name,
                        struct err *err)
{
    *out = command_find(name);
    if (*out)
        return OK;
    const char *near = command_nearest(name);
    if (near)
        return err_set(err, ERR_ARG,
                       "unknown command '%.40s'; did you mean '%s'?", name,
                       near);
    return err_set(err, ERR_ARG, "unknown command '%.40s'", name);
}

static enum status print(struct buf *text, struct err *err)
{
    enum status status = terminal_print(text, err);
    buf_free(text);
    return status;
}

enum status cmd_help(struct options *o, struct err *err)
{
    const struct command *command = NULL;
    if (o->n_operands)
        TRY(find(&command, o->operand[0], err));
    struct buf text;
    buf_init(&text, TEXT_MAX);
    if (o->v.common.json)
        help_json(&text);
    else if (command)
        help_command(&text, command);
    else
        help_overview(&text);
    return print(&text, err);
}

enum status cmd_man(struct options *o, struct err *err)
{
    const struct command *command = NULL;
    if (o->n_operands)
        TRY(find(&command, o->operand[0], err));
    struct buf text;
    buf_init(&text, TEXT_MAX);
    help_man(&text, command);
    return print(&text, err);
}
