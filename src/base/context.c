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

void context_info(const struct context *c, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n >= 0)
        send(c, (struct event){.kind = EVENT_INFO, .text = text});
}

void context_warn(const struct context *c, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n >= 0)
        send(c, (struct event){.kind = EVENT_WARNING, .text = text});
}

bool context_stopped(const struct context *c)
{
    return c != NULL && c->stop != NULL && *c->stop != 0;
}

double context_time(const struct context *c)
{
    return c != NULL && c->clock != NULL ? c->clock() : 0.0;
}
