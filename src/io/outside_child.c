#include "io/outside_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/utf8.h"

/* Of the process, for the child's. */
extern char **environ;

#define SLICE 0.2        // seconds between two looks at whether to stop
#define STOP_SECONDS 5.0 // a stop lets an answer under way arrive
#define END_SECONDS 2.0  // for a child to end once its input is closed
#define KILL_SECONDS 0.5 // for one that failed us, and from TERM to KILL
#define START_SECONDS 0.1
#define PIECE ((size_t)1 << 16)
#define SHOWN 80 // bytes of a line in a message

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The beginning of a text, characters whole. */
static int shown(const char *text, size_t len, size_t most)
{
    return (int)(len <= most ? len : utf8_valid(text, most));
}

/* ---- pipes --------------------------------------------------------------- */

static void close_end(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* Both ends away from the standard descriptors, which a program may have been
 * started without, and neither for other children. */
static enum status make_pipe(int end[2], struct err *err)
{
    int made[2];
    if (pipe(made) != 0)
        return err_set(err, ERR_IO, "cannot make a pipe: error %d", errno);
    for (int i = 0; i < 2; i++)
        end[i] = fcntl(made[i], F_DUPFD_CLOEXEC, 3);
    (void)close(made[0]);
    (void)close(made[1]);
    if (end[0] >= 0 && end[1] >= 0)
        return OK;
    close_end(&end[0]);
    close_end(&end[1]);
    return err_set(err, ERR_IO, "cannot make a pipe: too many open files");
}

static bool set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 &&
           fcntl(fd, F_SETFL, (int)((unsigned)flags | O_NONBLOCK)) == 0;
}

/*
 * write() to a pipe that nobody reads: EPIPE and no signal.  The signal is the
 * thread's own, so that it can be held back here and taken away unseen.
 */
static ssize_t write_quietly(int fd, const char *data, size_t len)
{
    static const struct timespec at_once = {0, 0};
    sigset_t pipe_signal, pending, old;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigemptyset(&pending);
    (void)sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE) == 1;
    (void)pthread_sigmask(SIG_BLOCK, &pipe_signal, &old);
    ssize_t n = write(fd, data, len);
    int failed = errno;
    if (n < 0 && failed == EPIPE && !was_pending)
        while (sigtimedwait(&pipe_signal, NULL, &at_once) < 0 && errno == EINTR)
            continue;
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = failed;
    return n;
}

/* ---- start --------------------------------------------------------------- */

/* Our environment and two words more; an earlier one of a name is left out. */
static enum status make_environment(char ***out, char *added[2],
                                    struct err *err)
{
    size_t n = 0, kept = 0;
    while (environ != NULL && environ[n] != NULL)
        n++;
    TRY(MEM_NEW(*out, n + 3, err));
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], "PLUMB_COMMAND=", 14) != 0 &&
            strncmp(environ[i], "PLUMB_BATCH=", 12) != 0)
            (*out)[kept++] = environ[i];
    (*out)[kept++] = added[0];
    (*out)[kept] = added[1];
    return OK;
}

/* A group of its own, no signal held back, and those that this program ignores
 * or catches as they are by default. */
static int set_attributes(posix_spawnattr_t *attr)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigemptyset(&all);
    sigaddset(&all, SIGPIPE);
    sigaddset(&all, SIGXFSZ);
    sigaddset(&all, SIGINT);
    sigaddset(&all, SIGTERM);
    int failed = posix_spawnattr_setpgroup(attr, 0);
    if (failed == 0)
        failed = posix_spawnattr_setsigmask(attr, &none);
    if (failed == 0)
        failed = posix_spawnattr_setsigdefault(attr, &all);
    if (failed == 0)
        failed = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP |
                                                    POSIX_SPAWN_SETSIGMASK |
                                                    POSIX_SPAWN_SETSIGDEF);
    return failed;
}

/* The child with end[k] as its descriptor k. */
static int spawn(pid_t *pid, const char *command, const int end[3],
                 char *const *environment)
{
    static char sh[] = "sh", option[] = "-c", last[] = "--";
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    char *copy = mem_strdup(command);
    int failed = copy == NULL ? ENOMEM : 0;
    char *const argument[] = {sh, option, last, copy, NULL};
    if (failed == 0)
        failed = posix_spawn_file_actions_init(&actions);
    if (failed != 0) {
        mem_free(copy);
        return failed;
    }
    failed = posix_spawnattr_init(&attr);
    if (failed == 0) {
        failed = set_attributes(&attr);
        for (int k = 0; k < 3 && failed == 0; k++)
            failed = posix_spawn_file_actions_adddup2(&actions, end[k], k);
        if (failed == 0)
            failed = posix_spawn(pid, "/bin/sh", &actions, &attr, argument,
                                 environment);
        (void)posix_spawnattr_destroy(&attr);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    mem_free(copy);
    return failed;
}

/* The three pipes, and the child between them. */
static enum status start(struct outside_child *c, const char *command,
                         char *const *environment, struct err *err)
{
    enum status status = OK;
    int in[2] = {-1, -1}, out[2] = {-1, -1}, log[2] = {-1, -1};
    TRY_DONE(make_pipe(in, err));
    TRY_DONE(make_pipe(out, err));
    TRY_DONE(make_pipe(log, err));
    if (!set_nonblocking(in[1]) || !set_nonblocking(out[0]) ||
        !set_nonblocking(log[0]))
        TRY_DONE(err_set(err, ERR_IO, "cannot set up a pipe: error %d", errno));
    const int end[3] = {in[0], out[1], log[1]};
    int failed = spawn(&c->pid, command, end, environment);
    if (failed != 0)
        TRY_DONE(err_set(err, failed == ENOMEM ? ERR_MEMORY : ERR_MISSING,
                         "%s cannot be started: error %d", c->name, failed));
    c->in = in[1];
    c->out = out[0];
    c->log = log[0];
    in[1] = out[0] = log[0] = -1;
done:
    for (int i = 0; i < 2; i++) {
        close_end(&in[i]);
        close_end(&out[i]);
        close_end(&log[i]);
    }
    return status;
}

/* ---- what it writes ------------------------------------------------------ */

/* A line of standard error. */
static void tell(struct outside_child *c, const char *line, size_t len)
{
    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' '))
        len--;
    if (len == 0)
        return;
    (void)snprintf(c->last, sizeof c->last, "%.*s",
                   shown(line, len, sizeof c->last - 1), line);
    context_info(c->context, "%.*s", shown(line, len, ERR_TEXT_MAX - 1), line);
}

/* What is held of a line, which is then over. */
static void tell_held(struct outside_child *c)
{
    tell(c, buf_text(&c->said), c->said.len);
    buf_clear(&c->said);
}

/* Take what standard error has; a line that never ends comes in pieces. */
static void read_log(struct outside_child *c)
{
    char piece[4096];
    ssize_t n = read(c->log, piece, sizeof piece);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    for (ssize_t i = 0; i < n; i++) {
        if (piece[i] != '\n' && piece[i] != '\0')
            buf_putc(&c->said, piece[i]);
        if (piece[i] == '\n' || c->said.len >= ERR_TEXT_MAX)
            tell_held(c);
    }
    if (n > 0)
        return;
    tell_held(c);
    close_end(&c->log);
}

static bool is_blank(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
            return false;
    return true;
}

/* What a talk is about. */
struct talk {
    struct outside_child *c;
    const struct buf *text;
    size_t written;
    outside_line_fn fn;
    void *ctx;
    bool is_all;
    double heard; // when the last line came
};

static enum status give_line(struct talk *t, const char *line, size_t len,
                             struct err *err)
{
    struct outside_child *c = t->c;
    if (is_blank(line, len))
        return OK;
    c->n_line++;
    if (t->is_all)
        return err_set(err, ERR_FORMAT,
                       "%s, line %zu ('%.*s'): more lines than requests",
                       c->name, c->n_line, shown(line, len, SHOWN), line);
    enum status status = t->fn(t->ctx, line, len, &t->is_all, err);
    if (status == ERR_FORMAT)
        return err_context(err, "%s, line %zu ('%.*s')", c->name, c->n_line,
                           shown(line, len, SHOWN), line);
    if (status == OK) {
        c->has_answered = true;
        t->heard = now();
    }
    return status;
}

/* Whole lines of what is held; the rest stays. */
static enum status give_lines(struct talk *t, size_t looked, struct err *err)
{
    struct buf *held = &t->c->held;
    size_t begin = 0;
    const char *end;
    TRY(buf_status(held, err));
    while (held->len > looked && (end = memchr(held->data + looked, '\n',
                                               held->len - looked)) != NULL) {
        size_t at = (size_t)(end - held->data);
        TRY(give_line(t, held->data + begin, at - begin, err));
        begin = looked = at + 1;
    }
    if (held->len - begin > OUTSIDE_LINE_MAX)
        return err_set(err, ERR_FORMAT,
                       "%s, line %zu ('%.*s'): more than %zu bytes", t->c->name,
                       t->c->n_line + 1,
                       shown(held->data + begin, held->len - begin, SHOWN),
                       held->data + begin, OUTSIDE_LINE_MAX);
    if (begin > 0) {
        held->len -= begin;
        memmove(held->data, held->data + begin, held->len);
    }
    return OK;
}

/* How the child ended: waits a little for it, without taking it away. */
static bool has_ended(const struct outside_child *c, double seconds,
                      siginfo_t *how)
{
    double until = now() + seconds;
    for (;;) {
        memset(how, 0, sizeof *how);
        int rc = waitid(P_PID, (id_t)c->pid, how, WEXITED | WNOHANG | WNOWAIT);
        if (rc == 0 && how->si_pid == c->pid)
            return true;
        if ((rc != 0 && errno != EINTR) || now() >= until)
            return false;
        (void)poll(NULL, 0, 10);
    }
}

/* The shell's way of saying that there is no such command. */
static bool is_not_found(const siginfo_t *how)
{
    return how->si_code == CLD_EXITED &&
           (how->si_status == 127 || how->si_status == 126);
}

static enum status say_end(struct outside_child *c, struct err *err)
{
    siginfo_t how;
    char words[64] = "closed its output";
    double until = now() + KILL_SECONDS;
    bool is_gone = has_ended(c, KILL_SECONDS, &how);
    if (is_gone)
        (void)snprintf(words, sizeof words, "ended with %s %d",
                       how.si_code == CLD_EXITED ? "exit status" : "signal",
                       how.si_status);
    while (c->log >= 0 && now() < until) { // its last words
        struct pollfd p = {.fd = c->log, .events = POLLIN};
        if (poll(&p, 1, 10) > 0)
            read_log(c);
    }
    const char *colon = *c->last != '\0' ? ": " : "";
    if (is_gone && !c->has_answered && is_not_found(&how))
        return err_set(err, ERR_MISSING, "%s cannot be started%s%s", c->name,
                       colon, c->last);
    return err_set(err, ERR_FORMAT,
                   "%s %s after line %zu, before all answers were there%s%s",
                   c->name, words, c->n_line, colon, c->last);
}

/* Take what standard output has. */
static enum status read_lines(struct talk *t, struct err *err)
{
    struct outside_child *c = t->c;
    size_t before = c->held.len;
    void *room = buf_extend(&c->held, PIECE);
    if (room == NULL)
        return buf_status(&c->held, err);
    ssize_t n = read(c->out, room, PIECE);
    int failed = errno;
    c->held.len = before + (n > 0 ? (size_t)n : 0);
    if (n > 0)
        return give_lines(t, before, err);
    if (n < 0 && (failed == EAGAIN || failed == EINTR))
        return OK;
    close_end(&c->out);
    /* The last line need not end. */
    if (before > 0)
        TRY(give_line(t, c->held.data, before, err));
    c->held.len = 0;
    return t->is_all ? OK : say_end(c, err);
}

/* Write what its pipe takes; one that reads no more may still answer. */
static void write_some(struct talk *t)
{
    struct outside_child *c = t->c;
    size_t left = t->text->len - t->written;
    ssize_t n = write_quietly(c->in, t->text->data + t->written, left);
    if (n > 0)
        t->written += (size_t)n;
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        close_end(&c->in);
}

/* ---- talk ---------------------------------------------------------------- */

/* How long to wait, or what it means to have waited for too long. */
static enum status look_at_clock(const struct talk *t, int *wait_ms,
                                 struct err *err)
{
    const struct outside_child *c = t->c;
    double silent = now() - t->heard, left = SLICE;
    if (context_stopped(c->context) && silent > STOP_SECONDS)
        return err_set(err, ERR_STOPPED,
                       "stopped; %s had not answered for %.0f s", c->name,
                       silent);
    if (c->seconds > 0 && silent > c->seconds)
        return err_set(err, ERR_FORMAT,
                       "%s has not answered for %g s after line %zu "
                       "(outside.command_timeout); does it flush every line "
                       "(stdbuf -oL, mawk -W interactive, python3 -u)?",
                       c->name, c->seconds, c->n_line);
    if (c->seconds > 0 && c->seconds - silent < left)
        left = c->seconds - silent;
    *wait_ms = (int)(left * 1e3) + 1;
    return OK;
}

static enum status turn(struct talk *t, struct err *err)
{
    struct outside_child *c = t->c;
    bool has_more = c->in >= 0 && t->written < t->text->len;
    struct pollfd p[3] = {
        {.fd = c->out, .events = POLLIN},
        {.fd = c->log, .events = POLLIN},
        {.fd = has_more ? c->in : -1, .events = POLLOUT},
    };
    int wait_ms = 0;
    TRY(look_at_clock(t, &wait_ms, err));
    int n = poll(p, 3, wait_ms);
    if (n < 0 && errno != EINTR)
        return err_set(err, ERR_IO, "%s: cannot wait: error %d", c->name,
                       errno);
    if (n <= 0)
        return OK;
    if (p[1].revents != 0)
        read_log(c);
    if (p[0].revents != 0)
        TRY(read_lines(t, err));
    if (p[2].revents != 0)
        write_some(t);
    return OK;
}

enum status outside_child_talk(struct outside_child *c, const struct buf *text,
                               outside_line_fn fn, void *ctx, struct err *err)
{
    struct talk t = {.c = c, .text = text, .fn = fn, .ctx = ctx};
    TRY(buf_status(text, err));
    t.heard = now();
    enum status status = OK;
    if (c->out < 0) // it went after the last answers
        status = say_end(c, err);
    /* What came unasked stands in front. */
    if (status == OK)
        status = give_lines(&t, 0, err);
    while (status == OK && !t.is_all)
        status = turn(&t, err);
    c->is_lost = c->is_lost || status != OK;
    return status;
}

/* ---- start and end ------------------------------------------------------- */

enum status outside_child_start(struct outside_child *c, const char *command,
                                const char *kind, size_t batch, double seconds,
                                const struct context *context, struct err *err)
{
    char own_kind[64], own_batch[64];
    char *added[2] = {own_kind, own_batch};
    char **environment;
    siginfo_t how;
    memset(c, 0, sizeof *c);
    c->in = c->out = c->log = -1;
    c->context = context;
    c->seconds = seconds;
    (void)snprintf(c->name, sizeof c->name, "the %s command '%.*s%s'", kind,
                   shown(command, strlen(command), 100), command,
                   strlen(command) > 100 ? "..." : "");
    (void)snprintf(own_kind, sizeof own_kind, "PLUMB_COMMAND=%s", kind);
    (void)snprintf(own_batch, sizeof own_batch, "PLUMB_BATCH=%zu", batch);
    buf_init(&c->held, OUTSIDE_LINE_MAX + 2 * PIECE);
    buf_init(&c->said, PIECE);
    TRY(make_environment(&environment, added, err));
    enum status status = start(c, command, environment, err);
    mem_free(environment);
    TRY(status);
    /* A command that is not there is known at once, not when the first answer
     * is wanted. */
    struct pollfd p = {.fd = c->out, .events = 0};
    (void)poll(&p, 1, (int)(START_SECONDS * 1e3));
    if (!has_ended(c, 0, &how) || !is_not_found(&how))
        return OK;
    c->is_lost = true;
    status = say_end(c, err);
    outside_child_end(c);
    return status;
}

/* Wait for the end, with an ear to standard error; what it writes to standard
 * output now is nobody's. */
static bool wait_end(struct outside_child *c, double seconds, siginfo_t *how)
{
    double until = now() + seconds;
    char piece[4096];
    do {
        struct pollfd p[2] = {{.fd = c->log, .events = POLLIN},
                              {.fd = c->out, .events = POLLIN}};
        if (has_ended(c, 0, how))
            return true;
        if (poll(p, 2, 10) <= 0)
            continue;
        if (p[0].revents != 0)
            read_log(c);
        if (p[1].revents != 0 && read(c->out, piece, sizeof piece) == 0)
            close_end(&c->out);
    } while (now() < until);
    return has_ended(c, 0, how);
}

/* What lies in the pipe of standard error when the child has ended: its last
 * words, the last of which need not end in a line's end. */
static void read_rest(struct outside_child *c)
{
    double until = now() + KILL_SECONDS;
    struct pollfd p = {.fd = c->log, .events = POLLIN};
    while (c->log >= 0 && now() < until && poll(&p, 1, 0) > 0)
        read_log(c);
    tell_held(c);
}

void outside_child_end(struct outside_child *c)
{
    siginfo_t how;
    bool is_lost = c->is_lost;
    if (c->pid > 0) {
        close_end(&c->in);
        bool is_over = wait_end(c, is_lost ? 0 : END_SECONDS, &how);
        bool by_itself = is_over;
        if (!is_over) {
            (void)kill(-c->pid, SIGTERM);
            is_over = wait_end(c, KILL_SECONDS, &how);
        }
        /* The group outlives its first process; that one is not reaped yet,
         * so the number is still its own. */
        (void)kill(-c->pid, SIGKILL);
        while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        read_rest(c);
        if (by_itself && !is_lost && is_over &&
            (how.si_code != CLD_EXITED || how.si_status != 0))
            context_warn(c->context, "%s ended with %s %d", c->name,
                         how.si_code == CLD_EXITED ? "exit status" : "signal",
                         how.si_status);
    }
    close_end(&c->out);
    close_end(&c->log);
    buf_free(&c->held);
    buf_free(&c->said);
    c->pid = 0;
}
