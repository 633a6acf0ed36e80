#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/stop.h"
#include "cli/terminal.h"

#define TEXT_MAX ((size_t)1 << 20)

/* What a failure means to a shell, and what to try next: `hint`, with the
 * command's name before it when it starts with a blank. */
static const struct outcome {
    enum status status;
    int code;
    const char *hint;
} outcomes[] = {
    {OK, 0, NULL},
    {ERR_MEMORY, 1, " with a smaller batch"},
    {ERR_IO, 1, NULL},
    {ERR_FORMAT, 4, NULL},
    {ERR_MISMATCH, 4, NULL},
    {ERR_ARG, 2, " --help"},
    {ERR_LIMIT, 4, NULL},
    {ERR_NUMERIC, 1, " with a lower learning rate"},
    {ERR_MISSING, 5, NULL},
    {ERR_BUSY, 1, "another --out, or wait for that process"},
    {ERR_STOPPED, 128, "the same command with --resume"},
};

static const struct outcome *find_outcome(enum status status)
{
    size_t n = sizeof outcomes / sizeof outcomes[0];
    for (size_t i = 0; i < n; i++) {
        if (outcomes[i].status == status)
            return &outcomes[i];
    }
    return &outcomes[1];
}

static bool can_resume(const char *command)
{
    const struct command *c = command_find(command);
    return c && (c->bit & (FOR_SFT | FOR_REWARD | FOR_PPO | FOR_DEMO));
}

/* Tell what went wrong and return the exit code. */
static int finish(enum status status, const struct err *err,
                  const char *command)
{
    const struct outcome *outcome = find_outcome(status);
    if (status == OK)
        return 0;
    char hint[160] = "";
    if (outcome->hint)
        snprintf(hint, sizeof hint, "%s%s%s",
                 outcome->hint[0] == ' ' ? "plumb " : "",
                 outcome->hint[0] == ' ' ? command : "", outcome->hint);
    bool has_hint =
        outcome->hint && (status != ERR_STOPPED || can_resume(command));
    terminal_error(err->text[0] ? err->text : err_name(status),
                   has_hint ? hint : NULL);
    if (status == ERR_STOPPED)
        return 128 + (*stop_flag() ? (int)*stop_flag() : SIGINT);
    return outcome->code;
}

static enum status print_help(const struct command *command, struct err *err)
{
    struct buf text;
    buf_init(&text, TEXT_MAX);
    if (command)
        help_command(&text, command);
    else
        help_overview(&text);
    enum status status = terminal_print(&text, err);
    buf_free(&text);
    return status;
}

static enum status run(const struct command *command, int argc,
                       char *const *argv, struct err *err)
{
    struct options o;
    TRY(options_init(&o, err));
    enum status status = args_read(&o, command, argc, argv, err);
    if (status == OK && o.help)
        status = print_help(command, err);
    else if (status == OK)
        status = command->run(&o, err);
    options_free(&o);
    return status;
}

/* A process may be started with standard files closed.  Their numbers would
 * go to the next files opened, and progress would be written into a
 * checkpoint; a file that refuses what is asked of it takes their place. */
static bool hold_standard_files(void)
{
    static const int mode[] = {O_WRONLY, O_RDONLY, O_RDONLY};
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", mode[fd]) != fd)
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct err err = {OK, ""};
    if (!hold_standard_files())
        return find_outcome(ERR_IO)->code;
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return finish(print_help(NULL, &err), &err, "help");
    if (strcmp(name, "--version") == 0)
        name = "version";
    const struct command *command;
    if (command_need(&command, name, &err) != OK) {
        terminal_error(err.text, "plumb help");
        return find_outcome(ERR_ARG)->code;
    }
    stop_install();
    return finish(run(command, argc - 2, argv + 2, &err), &err, command->name);
}
