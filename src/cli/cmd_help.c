#include "cli/command.h"
#include "cli/completion.h"
#include "cli/help.h"
#include "cli/terminal.h"

#define TEXT_MAX ((size_t)1 << 20)

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
        TRY(command_need(&command, o->operand[0], err));
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
        TRY(command_need(&command, o->operand[0], err));
    struct buf text;
    buf_init(&text, TEXT_MAX);
    help_man(&text, command);
    return print(&text, err);
}

enum status cmd_completion(struct options *o, struct err *err)
{
    struct buf text;
    buf_init(&text, TEXT_MAX);
    enum status status = completion_write(&text, o->operand[0], err);
    if (status != OK) {
        buf_free(&text);
        return status;
    }
    return print(&text, err);
}
