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

bool context_stopped(const struct context *c)
{
    return c != NULL && c->stop != NULL && *c->stop != 0;
}

double context_time(const struct context *c)
{
    return c != NULL && c->clock != NULL ? c->clock() : 0.0;
}
