#include "cli/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BAR 24
#define REDRAW 0.1 // seconds between redraws of the bar
#define REPORT 5.0 // seconds between lines elsewhere
#define WIDTH_MAX 200

double terminal_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void terminal_init(struct terminal *t, bool quiet)
{
    const char *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");
    *t = (struct terminal){.quiet = quiet};
    t->is_tty = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    t->color = t->is_tty && !(no_color && *no_color);
}

void terminal_finish(struct terminal *t)
{
    if (t->line_open)
        fputc('\n', stderr);
    t->line_open = false;
}

/* "1h02m", "3m20s", "12s" */
static void format_seconds(char *out, size_t size, double s)
{
    long n = s < 0 ? 0 : s > 359999 ? 359999 : (long)(s + 0.5);
    if (n >= 3600)
        snprintf(out, size, "%ldh%02ldm", n / 3600, n / 60 % 60);
    else if (n >= 60)
        snprintf(out, size, "%ldm%02lds", n / 60, n % 60);
    else
        snprintf(out, size, "%lds", n);
}

static void format_bar(char out[BAR + 1], double share)
{
    int full = (int)(share * BAR + 0.5);
    for (int i = 0; i < BAR; i++)
        out[i] = i < full ? '#' : '.';
    out[BAR] = '\0';
}

/* "sft  [####....] 120/375 step  8.1/s  eta 31s  loss 0.81" */
static void format_progress(char *out, size_t size, const struct terminal *t,
                            const struct event *e, double now)
{
    char bar[BAR + 1] = "", rate[32] = "", eta[48] = "", left[24];
    double seconds = now - t->started;
    double speed = seconds > 0 ? (e->done - t->done0) / seconds : 0;
    if (t->is_tty && e->total > 0)
        format_bar(bar, e->done < e->total ? e->done / e->total : 1);
    if (speed > 0) {
        snprintf(rate, sizeof rate, "  %.3g/s", speed);
        format_seconds(left, sizeof left, (e->total - e->done) / speed);
        if (e->total > e->done)
            snprintf(eta, sizeof eta, "  eta %s", left);
    }
    snprintf(out, size, "%-7s %s%s%s%.0f/%.0f %s%s%s%s%s", t->stage,
             *bar ? "[" : "", bar, *bar ? "] " : "", e->done, e->total,
             e->unit ? e->unit : "", rate, eta, e->text ? "  " : "",
             e->text ? e->text : "");
}

static void draw_progress(struct terminal *t, const struct event *e)
{
    char line[WIDTH_MAX];
    double now = terminal_now();
    const char *stage = e->stage ? e->stage : "";
    if (strncmp(t->stage, stage, sizeof t->stage - 1) != 0 ||
        e->done < t->done0) {
        terminal_finish(t);
        snprintf(t->stage, sizeof t->stage, "%s", stage);
        t->started = now;
        t->done0 = e->done;
        t->drawn = t->is_tty ? 0 : now;
    }
    bool is_end = e->total > 0 && e->done >= e->total;
    if (!is_end && now - t->drawn < (t->is_tty ? REDRAW : REPORT))
        return;
    t->drawn = now;
    format_progress(line, sizeof line, t, e, now);
    if (t->is_tty) {
        fprintf(stderr, "\r%.79s\033[K", line);
        t->line_open = true;
    } else {
        fprintf(stderr, "%s\n", line);
    }
    if (is_end)
        terminal_finish(t);
    fflush(stderr);
}

/* A message may quote bytes from a file: let none of them steer a terminal. */
static void put_visible(const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        fputc(c < 32 || c == 127 ? '?' : c, stderr);
    }
}

static void draw_line(struct terminal *t, const char *color, const char *head,
                      const char *text)
{
    terminal_finish(t);
    fprintf(stderr, "%s%s%s", t->color ? color : "", head,
            t->color ? "\033[0m" : "");
    put_visible(text ? text : "");
    fputc('\n', stderr);
}

void terminal_event(void *ctx, const struct event *event)
{
    struct terminal *t = ctx;
    if (t->quiet && event->kind != EVENT_WARNING)
        return;
    switch (event->kind) {
    case EVENT_STAGE:
        draw_line(t, "\033[1m", "== ", event->text);
        t->stage[0] = '\0';
        break;
    case EVENT_PROGRESS:
        draw_progress(t, event);
        break;
    case EVENT_INFO:
        draw_line(t, "", "   ", event->text);
        break;
    case EVENT_WARNING:
        draw_line(t, "\033[33m", "warning: ", event->text);
        break;
    }
}

enum status terminal_print(const struct buf *text, struct err *err)
{
    TRY(buf_status(text, err));
    size_t n = fwrite(buf_text(text), 1, text->len, stdout);
    if (n != text->len || fflush(stdout) != 0)
        return err_set(err, ERR_IO, "standard output: %s", strerror(errno));
    return OK;
}

void terminal_error(const char *what, const char *hint)
{
    fputs("plumb: ", stderr);
    put_visible(what);
    fputc('\n', stderr);
    if (hint)
        fprintf(stderr, "try: %s\n", hint);
}
