/*
 * outside_child.h - a command as a child process that is written to and read
 * from at once, by one thread.
 *
 * The command is /bin/sh's (-c), in a process group of its own: a Ctrl-C at
 * the terminal is not its business, and what it started ends with it.  Its
 * ends of the pipes block, as programs expect; ours do not, and poll() looks
 * after all three, so that nobody waits for a full pipe whatever the child
 * reads or writes first.  Its standard error goes line by line to the context
 * as information.  A child that reads no more does not end this process
 * (SIGPIPE).
 */
#ifndef PLUMB_IO_OUTSIDE_CHILD_H
#define PLUMB_IO_OUTSIDE_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/context.h"

/* A line that the child writes is at most so long. */
#define OUTSIDE_LINE_MAX ((size_t)8 << 20)

struct outside_child {
    pid_t pid;
    int in, out, log; // its standard input, output and error; -1: closed
    char name[160];   // for messages: "the reward command 'CMD'"
    const struct context *context;
    struct buf held;   // of a line that is not whole yet
    struct buf said;   // the same of standard error
    char last[120];    // its last line there, for a message
    size_t n_line;     // lines given out so far
    bool is_lost;      // it failed us: it is given no time to end by itself
    double seconds;    // that an answer is waited for; 0: for ever
    bool has_answered; // at all
};

/*
 * Start a command.  `kind` ("reward") and `batch` stand in its environment as
 * PLUMB_COMMAND and PLUMB_BATCH.  The struct is not moved until
 * outside_child_end().  ERR_MISSING: it cannot be started, or the shell finds
 * no such command; there is nothing to end then.
 */
enum status outside_child_start(struct outside_child *c, const char *command,
                                const char *kind, size_t batch, double seconds,
                                const struct context *context,
                                struct err *err) MUST_CHECK;

/* Told of each line of the child, which need not end in a NUL; sets *is_all
 * once no more are wanted. */
typedef enum status (*outside_line_fn)(void *ctx, const char *line, size_t len,
                                       bool *is_all, struct err *err);

/*
 * Write `text` and give `fn` the lines that come, blank ones left out, until
 * it says that they are all there.
 *
 * ERR_FORMAT, with the name of the command and the line: no line for
 * c->seconds, one of more than OUTSIDE_LINE_MAX bytes, an end before all were
 * there; and what fn says.  ERR_MISSING: it ended as the shell does that finds
 * no command, and never answered.  ERR_STOPPED: the context was asked to stop
 * and no line came for STOP_SECONDS.
 */
enum status outside_child_talk(struct outside_child *c, const struct buf *text,
                               outside_line_fn fn, void *ctx,
                               struct err *err) MUST_CHECK;

/* Close its input, wait for it to end, and end it and all its group when it
 * does not (at once after a failure).  It is gone and reaped afterwards; an
 * exit status that is not 0 is told as a warning. */
void outside_child_end(struct outside_child *c);

#endif
