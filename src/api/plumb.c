#include <plumb.h>

#include "api/call.h"
#include "base/mem.h"

#define THREADS_MAX 1024

const char *plumb_version(void)
{
    return PLUMB_VERSION;
}

const char *plumb_status_name(int status)
{
    switch (status) {
    case PLUMB_OK:
        return "done";
    case PLUMB_FAILED:
        return "failed";
    case PLUMB_USAGE:
        return "wrong usage";
    case PLUMB_CORRUPT:
        return "corrupt or mismatched data";
    case PLUMB_MISSING:
        return "something needed is missing";
    case PLUMB_STOPPED:
        return "stopped";
    default:
        return "unknown status";
    }
}

void plumb_text_free(char *text)
{
    mem_free(text);
}

static void tell(void *ctx, const struct event *event)
{
    if (event->kind == EVENT_PROGRESS)
        call_tell(ctx, (size_t)event->done, (size_t)event->total);
}

static enum status create(struct plumb_context **out, size_t threads,
                          struct err *err)
{
    struct plumb_context *c;
    TRY(call_need(out, "out", err));
    if (threads > THREADS_MAX)
        return err_set(err, ERR_ARG, "%zu threads: at most %d", threads,
                       THREADS_MAX);
    TRY(MEM_NEW(c, 1, err));
    atomic_flag_clear(&c->is_taken);
    enum status status =
        team_create(&c->team, threads > 0 ? threads : team_processors(), err);
    if (status != OK) {
        mem_free(c);
        return status;
    }
    c->context = (struct context){
        .team = c->team, .sink = tell, .sink_ctx = c, .stop = &c->stop};
    *out = c;
    return OK;
}

int plumb_context_create(struct plumb_context **out, size_t threads,
                         struct plumb_error *error)
{
    struct err err = {OK, ""};
    return call_end(create(out, threads, &err), &err, error);
}

void plumb_context_free(struct plumb_context *context)
{
    if (context == NULL)
        return;
    team_destroy(context->team);
    mem_free(context);
}

/* What is to be told, and to whom. */
struct listener {
    struct plumb_context *context;
    plumb_progress_fn progress;
    void *user;
};

static enum status set_listener(void *arg, struct err *err)
{
    const struct listener *l = arg;
    (void)err;
    l->context->progress = l->progress;
    l->context->user = l->user;
    return OK;
}

int plumb_context_progress(struct plumb_context *context,
                           plumb_progress_fn progress, void *user,
                           struct plumb_error *error)
{
    struct listener l = {context, progress, user};
    return call_run_with(context, set_listener, &l, error);
}
