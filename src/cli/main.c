#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/stop.h"
#include "cli/terminal.h"

#define TEXT_MAX ((size_t)1 << 20)

/* Commands that train: they have batches, and go on where they stopped. */
#define TRAINING (FOR_SFT | FOR_REWARD | FOR_PPO | FOR_DEMO)
#define ANY (~0U)

/* What to try next after a failure: `hint`, with the command's name before it
 * when it starts with a blank, for the commands that can do it. */
static const struct advice {
    enum status status;
    unsigned commands; // enum option_command bits
    const char *hint;
} advices[] = {
    {ERR_MEMORY, TRAINING, " with a smaller batch"},
    {ERR_ARG, ANY, " --help"},
    {ERR_NUMERIC, TRAINING, " with a lower learning rate"},
    {ERR_BUSY, ~(unsigned)(FOR_LABEL | FOR_WATCH),
     "another --out, or wait for that process"},
    {ERR_STOPPED, TRAINING, "the same command with --resume"},
};

/* The advice on a status that a command can follow, or NULL. */
static const char *find_advice(enum status status,
                               const struct command *command)
{
    size_t n = sizeof advices / sizeof advices[0];
    for (size_t i = 0; i < n; i++) {
        if (advices[i].status == status && (advices[i].commands & command->bit))
            return advices[i].hint;
    }
    return NULL;
}

/* What to try next: a message on something absent may end in the command
 * that gets it, which then is cut off the message. */
static void find_hint(char hint[ERR_TEXT_MAX], enum status status,
                      struct err *err, const struct command *command)
{
    static const char get[] = "; hf download ";
    char *end = strstr(err->text, get);
    const char *advice = find_advice(status, command);
    if (end && status == ERR_MISSING) {
        snprintf(hint, ERR_TEXT_MAX, "%s", end + 2);
        *end = '\0';
    } else if (advice) {
        snprintf(hint, ERR_TEXT_MAX, "%s%s%s", advice[0] == ' ' ? "plumb " : "",
                 advice[0] == ' ' ? command->name : "", advice);
    }
}

/* Tell what went wrong, on one of the ranks that all know, and return the exit
 * code. */
static int finish(enum status status, struct err *err,
                  const struct command *command, const struct comm *comm)
{
    if (status == OK)
        return 0;
    char hint[ERR_TEXT_MAX] = "";
    find_hint(hint, status, err, command);
    if (comm_rank(comm) == 0)
        terminal_error(err->text[0] ? err->text : err_name(status),
                       *hint ? hint : NULL);
    if (status == ERR_STOPPED)
        return 128 + (*stop_flag() ? (int)*stop_flag() : SIGINT);
    return err_exit_code(status);
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

/* Commands that rank 0 does while the others wait for it; those that share
 * their work apart, the rest wants one process. */
#define FIRST_RANK (FOR_DIAGNOSE | FOR_INSPECT | FOR_PLAIN)

static enum status check_ranks(const struct command *command,
                               const struct comm *comm, struct err *err)
{
    if (comm_size(comm) == 1 || (command->bit & (FOR_RANKS | FIRST_RANK)))
        return OK;
    return err_set(err, ERR_ARG,
                   "plumb %s is for one process, and was started as %zu ranks; "
                   "sft, reward, ppo and eval share their work among ranks",
                   command->name, comm_size(comm));
}

/* A command as this rank runs it; ranks that have no part in it are done. */
static enum status run_command(struct options *o, const struct command *command,
                               struct comm *comm, struct err *err)
{
    bool is_shared = (command->bit & FOR_RANKS) != 0 && !o->help;
    if (!is_shared && comm_rank(comm) > 0)
        return OK;
    o->comm = is_shared ? comm : NULL;
    return o->help ? print_help(command, err) : command->run(o, err);
}

static enum status run(const struct command *command, int argc,
                       char *const *argv, struct comm *comm, struct err *err)
{
    struct options o;
    TRY(check_ranks(command, comm, err));
    TRY(options_init(&o, err));
    enum status status = args_read(&o, command, argc, argv, err);
    if (status == OK)
        status = run_command(&o, command, comm, err);
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

/* The program on one rank: its exit code. */
static int run_rank(int argc, char **argv, struct comm *comm)
{
    struct err err = {OK, ""};
    const char *name = argc > 1 ? argv[1] : "";
    bool is_overview = strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0;
    if (is_overview || strcmp(name, "--version") == 0)
        name = is_overview ? "help" : "version";
    const struct command *command;
    if (command_need(&command, name, &err) != OK) {
        if (comm_rank(comm) == 0)
            terminal_error(err.text, "plumb help");
        return err_exit_code(ERR_ARG);
    }
    stop_install();
    enum status status;
    if (is_overview)
        status = comm_rank(comm) == 0 ? print_help(NULL, &err) : OK;
    else
        status = run(command, argc - 2, argv + 2, comm, &err);
    status = comm_agree(comm, status, &err);
    return finish(status, &err, command, comm);
}

int main(int argc, char **argv)
{
    struct err err = {OK, ""};
    struct comm *comm;
    if (!hold_standard_files())
        return err_exit_code(ERR_IO);
    if (comm_open(&comm, &err) != OK) {
        terminal_error(err.text, NULL);
        return err_exit_code(err.code);
    }
    return comm_close(comm, run_rank(argc, argv, comm));
}
