/*
 * call.h - what every call of the C library does at its borders: a thread of
 * its own, the context's lock, options of another version, failures in the
 * caller's terms.
 *
 * A call that computes runs in a thread of its own, and the caller's waits for
 * it.  For libdnnl's products use the stack pointer as an ordinary register: a
 * signal handler that ran on such a thread's stack would write its frame over
 * whatever lies there.  The call's thread receives no signals, the caller's
 * handles them as ever; and the locale and OpenMP's settings, which belong to
 * threads, are the call's own without a change to the caller's.
 */
#ifndef PLUMB_API_CALL_H
#define PLUMB_API_CALL_H

#include <stdatomic.h>

#include <plumb.h>

#include "base/context.h"

struct call; // opaque: one that is under way

struct plumb_context {
    struct context context;
    struct team *team;
    atomic_flag is_taken;
    struct call *call; // that has taken it
    plumb_progress_fn progress;
    void *user;
    volatile sig_atomic_t stop;
};

typedef enum status (*call_fn)(void *arg, struct err *err);

/* Run fn(arg) in the "C" locale and without signals: what to return to the
 * caller. */
int call_run(call_fn fn, void *arg, struct plumb_error *error);

/* The same with a context, which is taken meanwhile: PLUMB_USAGE when it is
 * NULL, PLUMB_FAILED when another call has it. */
int call_run_with(struct plumb_context *context, call_fn fn, void *arg,
                  struct plumb_error *error);

/* Progress of the call that has the context, told in the caller's thread;
 * sets context->stop when the caller wants to stop. */
void call_tell(struct plumb_context *context, size_t done, size_t total);

/* What to return to the caller of something that ended with this status. */
int call_end(enum status status, const struct err *err,
             struct plumb_error *error);

/* ERR_ARG: the argument of this name is NULL. */
enum status call_need(const void *argument, const char *name,
                      struct err *err) MUST_CHECK;

/*
 * Lay `given`, a structure of `size` bytes by its own account, over the
 * defaults in `out`, of own_size; NULL changes nothing.  ERR_ARG: `size` is no
 * size of a version of it.
 */
enum status call_options(void *out, size_t own_size, const void *given,
                         const char *name, struct err *err) MUST_CHECK;

/* ERR_ARG when text i of `what` is NULL, ERR_FORMAT when it is no UTF-8. */
enum status call_check_text(const char *text, const char *what, size_t i,
                            struct err *err) MUST_CHECK;

#endif
