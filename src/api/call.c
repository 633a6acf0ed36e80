#include "api/call.h"

#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

enum turn {
    TURN_WORK, // the call's thread computes
    TURN_TELL, // the caller's is to be told of progress
    TURN_DONE,
};

struct call {
    call_fn fn;
    void *arg;
    enum status status;
    struct err err;
    struct plumb_context *context; // NULL: none is taken

    pthread_mutex_t lock; // of the rest
    pthread_cond_t passed;
    enum turn turn;
    size_t done, total;
};

/* Hand the turn over; with the lock held. */
static void pass(struct call *c, enum turn turn)
{
    c->turn = turn;
    pthread_cond_broadcast(&c->passed);
}

static void *run(void *arg)
{
    struct call *c = arg;
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain != (locale_t)0)
        uselocale(plain);
    c->status = c->fn(c->arg, &c->err);
    uselocale(LC_GLOBAL_LOCALE);
    if (plain != (locale_t)0)
        freelocale(plain);
    pthread_mutex_lock(&c->lock);
    pass(c, TURN_DONE);
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

void call_tell(struct plumb_context *context, size_t done, size_t total)
{
    struct call *c = context->call;
    if (context->progress == NULL)
        return;
    pthread_mutex_lock(&c->lock);
    c->done = done;
    c->total = total;
    pass(c, TURN_TELL);
    while (c->turn == TURN_TELL)
        pthread_cond_wait(&c->passed, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

/* Wait for the end, and tell the caller what the call's thread says before. */
static void attend(struct call *c)
{
    pthread_mutex_lock(&c->lock);
    while (c->turn != TURN_DONE) {
        if (c->turn == TURN_WORK) {
            pthread_cond_wait(&c->passed, &c->lock);
            continue;
        }
        pthread_mutex_unlock(&c->lock);
        struct plumb_context *context = c->context;
        if (context->progress(context->user, c->done, c->total) != 0)
            context->stop = 1;
        pthread_mutex_lock(&c->lock);
        pass(c, TURN_WORK);
    }
    pthread_mutex_unlock(&c->lock);
}

/* Run the call in its thread; the caller's may not be cancelled meanwhile,
 * since what the thread works on is the caller's. */
static void start_and_attend(struct call *c)
{
    pthread_t thread;
    sigset_t all, old;
    int cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int code = pthread_create(&thread, NULL, run, c);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (code == 0) {
        attend(c);
        pthread_join(thread, NULL);
    } else {
        c->status = err_set(&c->err, ERR_IO, "cannot start a thread");
    }
    pthread_setcancelstate(cancel, NULL);
}

static int run_call(struct plumb_context *context, call_fn fn, void *arg,
                    struct plumb_error *error)
{
    struct call c = {.fn = fn, .arg = arg, .context = context};
    pthread_mutex_init(&c.lock, NULL);
    pthread_cond_init(&c.passed, NULL);
    if (context != NULL) {
        context->call = &c;
        context->stop = 0;
    }
    start_and_attend(&c);
    if (context != NULL) {
        context->call = NULL;
        atomic_flag_clear(&context->is_taken);
    }
    pthread_cond_destroy(&c.passed);
    pthread_mutex_destroy(&c.lock);
    return call_end(c.status, &c.err, error);
}

int call_run(call_fn fn, void *arg, struct plumb_error *error)
{
    return run_call(NULL, fn, arg, error);
}

int call_run_with(struct plumb_context *context, call_fn fn, void *arg,
                  struct plumb_error *error)
{
    struct err err = {OK, ""};
    enum status status = call_need(context, "context", &err);
    if (status == OK && atomic_flag_test_and_set(&context->is_taken))
        status = err_set(&err, ERR_BUSY, "the context is in use by a call");
    if (status != OK)
        return call_end(status, &err, error);
    return run_call(context, fn, arg, error);
}

int call_end(enum status status, const struct err *err,
             struct plumb_error *error)
{
    int code = err_exit_code(status);
    if (status == OK || error == NULL)
        return code;
    error->status = code;
    snprintf(error->text, sizeof error->text, "%s",
             err->text[0] != '\0' ? err->text : err_name(status));
    return code;
}

enum status call_need(const void *argument, const char *name, struct err *err)
{
    if (argument == NULL)
        return err_set(err, ERR_ARG, "'%s' is NULL", name);
    return OK;
}

enum status call_options(void *out, size_t own_size, const void *given,
                         const char *name, struct err *err)
{
    size_t size;
    if (given == NULL)
        return OK;
    memcpy(&size, given, sizeof size);
    if (size <= sizeof size || size > 4096)
        return err_set(err, ERR_ARG,
                       "'%s' has size %zu: initialise it with its _DEFAULT "
                       "macro",
                       name, size);
    memcpy(out, given, size < own_size ? size : own_size);
    return OK;
}

enum status call_check_text(const char *text, const char *what, size_t i,
                            struct err *err)
{
    if (text == NULL)
        return err_set(err, ERR_ARG, "%s %zu is NULL", what, i);
    size_t len = strlen(text), valid = utf8_valid(text, len);
    if (valid < len)
        return err_set(err, ERR_FORMAT, "%s %zu: byte %zu is no UTF-8", what, i,
                       valid);
    return OK;
}
