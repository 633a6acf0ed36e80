#include "base/context.h"

#include <stdarg.h>
#include <stdio.h>

static void send(const struct context *c, struct event event)
{
    if (c == NULL || c->sink == NULL)
        return;
    event.stage = c->stage;
    c->sink(c->sink_ctx, &event);
}

void context_stage(struct context *c, const char *stage, const char *title)
{
    if (c == NULL)
        return;
    c->stage = stage;
    send(c, (struct event){.kind = EVENT_STAGE, .text = title});
}

void context_progress(const struct context *c, double done, double total,
                      const char *unit, const char *text)
{
    send(c, (struct event){.kind = EVENT_PROGRESS,
                           .text = text,
                           .done = done,
                           .total = total,
                           .unit = unit});
}

static void say(const struct context *c, enum event_kind kind, const char *fmt,
                va_list args) ERR_PRINTF(3, 0);

static void say(const struct context *c, enum event_kind kind, const char *fmt,
                va_list args)
{
    char text[ERR_TEXT_MAX];
    if (vsnprintf(text, sizeof text, fmt, args) >= 0)
        send(c, (struct event){.kind = kind, .text = text});
}

void context_info(const struct context *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(c, EVENT_INFO, fmt, args);
    va_end(args);
}

void context_warn(const struct context *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(c, EVENT_WARNING, fmt, args);
    va_end(args);
}

/* Items of a rank's own, counted from 0 for the team. */
struct deal {
    team_fn fn;
    void *ctx;
    size_t first;
};

static enum status run_dealt(void *ctx, size_t item, size_t worker,
                             struct err *err)
{
    const struct deal *d = ctx;
    return d->fn(d->ctx, d->first + item, worker, err);
}

enum status context_deal(const struct context *c, size_t n, team_fn fn,
                         void *ctx, struct err *err)
{
    struct deal d = {.fn = fn, .ctx = ctx};
    size_t last;
    comm_own(&d.first, &last, c->comm, n);
    enum status status = team_run(c->team, last - d.first, run_dealt, &d, err);
    return comm_agree(c->comm, status, err);
}

bool context_stopped(const struct context *c)
{
    return c != NULL && c->stop != NULL && *c->stop != 0;
}

enum status context_agree_stop(bool *out, const struct context *c,
                               struct err *err)
{
    int64_t stop = context_stopped(c);
    if (c != NULL)
        TRY(comm_max(c->comm, &stop, err));
    *out = stop != 0;
    return OK;
}

double context_time(const struct context *c)
{
    return c != NULL && c->clock != NULL ? c->clock() : 0.0;
}
