/* TIOCGWINSZ is no part of POSIX. */
#define _DEFAULT_SOURCE

#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/reach.h"
#include "cli/session.h"
#include "cli/stop.h"
#include "cli/terminal.h"
#include "cli/watch_screen.h"
#include "serve/auth.h"
#include "serve/label.h"

#define TEXT_MAX ((size_t)64 << 20)
#define LOOK_MS 100 // how often a signal is looked for

static void nap(int ms)
{
    const struct timespec t = {0, (long)LOOK_MS * 1000000};
    for (int done = 0; done < ms && !*stop_flag(); done += LOOK_MS)
        (void)nanosleep(&t, NULL);
}

static enum status stopped(struct err *err)
{
    return err_set(err, ERR_STOPPED, "stopped watching; training goes on");
}

/* ---- once --------------------------------------------------------------- */

static enum status print_json(struct watch *w, struct err *err)
{
    struct buf out;
    struct json_writer j;
    buf_init(&out, TEXT_MAX);
    json_writer_init(&j, &out, true);
    watch_write(&j, w, true);
    buf_putc(&out, '\n');
    enum status status = terminal_print(&out, err);
    buf_free(&out);
    return status;
}

static bool is_asked_for(struct watch *w, size_t i)
{
    struct watch_look r;
    watch_look(&r, w, i);
    return r.has_alarms && alarm_is_raised(&r.alarm[ALARM_OF_PARADOX]);
}

static void write_check(struct json_writer *j, const struct watch_look *r,
                        const struct watch_check *c)
{
    json_open(j, '{');
    json_field_int(j, "run", r->id);
    json_field_text(j, "name", r->name);
    json_field_int(j, "step", c->step);
    json_field_int(j, "pairs", (int64_t)c->pairs);
    json_field_int(j, "placebo", (int64_t)c->placebo);
    json_field_int(j, "already", (int64_t)c->already);
    json_field_text(j, "database", c->database);
    json_close(j, '}');
}

/* In words, or as a member of what is written. */
static enum status queue_one(struct buf *out, struct json_writer *j,
                             struct watch *w, size_t i, const struct options *o,
                             struct err *err)
{
    struct watch_look r;
    struct watch_check c;
    watch_look(&r, w, i);
    TRY(watch_check(&c, w, r.id, (size_t)o->v.watch.pairs, err));
    if (o->v.common.json) {
        write_check(j, &r, &c);
        return OK;
    }
    buf_printf(out,
               "%s, iteration %lld: %zu pairs and %zu placebo pairs queued%s\n"
               "  people judge them: plumb label %s\n",
               r.name, (long long)c.step, c.pairs, c.placebo,
               c.already > 0 ? ", the others were there" : "", c.database);
    return OK;
}

/* There is something to compare with the reference. */
static enum status need_policy(struct watch *w, const char *path,
                               struct err *err)
{
    size_t n = watch_count(w);
    for (size_t i = 0; i < n; i++) {
        struct watch_look r;
        watch_look(&r, w, i);
        if (r.has_alarms)
            return OK;
    }
    return err_set(err, ERR_ARG,
                   "%s: no run in it trains a policy, so there is nothing to "
                   "compare with the reference",
                   path);
}

static enum status queue(struct watch *w, const struct options *o,
                         struct err *err)
{
    struct buf out;
    struct json_writer j;
    size_t n = watch_count(w), raised = 0;
    bool is_json = o->v.common.json;
    enum status status = OK;
    TRY(need_policy(w, o->operand[0], err));
    buf_init(&out, TEXT_MAX);
    json_writer_init(&j, &out, true);
    if (is_json) {
        json_open(&j, '{');
        json_put_key(&j, "queued");
        json_open(&j, '[');
    }
    for (size_t i = 0; status == OK && i < n; i++)
        if (is_asked_for(w, i)) {
            raised++;
            status = queue_one(&out, &j, w, i, o, err);
        }
    if (is_json) {
        json_close(&j, ']');
        json_close(&j, '}');
        buf_putc(&out, '\n');
    } else if (raised == 0) {
        buf_puts(&out, "no paradox alarm is raised: nothing was queued\n");
    }
    if (status == OK)
        status = terminal_print(&out, err);
    buf_free(&out);
    return status;
}

/* ---- the terminal ------------------------------------------------------- */

static struct watch_screen look_at_terminal(const struct terminal *t)
{
    struct winsize size;
    struct watch_screen s = {80, 24, t->color && isatty(STDOUT_FILENO)};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        s.width = size.ws_col;
        s.height = size.ws_row;
    }
    return s;
}

/* Lines in their places, the rest of the screen cleared; as many as fit. */
static void put_frame(struct buf *out, const struct buf *text, size_t height)
{
    const char *at = buf_text(text);
    buf_puts(out, "\033[H");
    for (size_t row = 0; *at != '\0' && row + 1 < height; row++) {
        size_t n = strcspn(at, "\n");
        buf_append(out, at, n);
        buf_puts(out, "\033[K\n");
        at += n + (at[n] == '\n');
    }
    buf_puts(out, "\033[J");
}

static enum status draw(struct watch *w, const struct terminal *t, bool is_live,
                        struct err *err)
{
    struct buf text, frame;
    struct watch_screen s = look_at_terminal(t);
    buf_init(&text, TEXT_MAX);
    buf_init(&frame, TEXT_MAX);
    enum status status = watch_screen_draw(&text, w, &s, err);
    if (status == OK && is_live)
        put_frame(&frame, &text, s.height);
    if (status == OK)
        status = terminal_print(is_live ? &frame : &text, err);
    buf_free(&text);
    buf_free(&frame);
    return status;
}

static enum status say(const char *what, struct err *err)
{
    struct buf out;
    buf_init(&out, 64);
    buf_puts(&out, what);
    enum status status = terminal_print(&out, err);
    buf_free(&out);
    return status;
}

/* On a screen of its own, with the cursor hidden, given back at the end. */
static enum status draw_live(struct watch *w, const struct terminal *t,
                             struct err *err)
{
    TRY(say("\033[?1049h\033[?25l", err));
    enum status status = OK;
    while (status == OK && !*stop_flag()) {
        status = draw(w, t, true, err);
        nap(1000);
        if (status == OK)
            status = watch_poll(w, err);
    }
    if (status == OK)
        status = stopped(err);
    return say("\033[?25h\033[?1049l", NULL) == OK ? status : ERR_IO;
}

/* ---- the page ----------------------------------------------------------- */

static enum status put_link(struct buf *out, const struct watch *w,
                            const struct reach *r, bool may_queue,
                            struct err *err)
{
    const struct http *http = watch_http(w);
    const char *token = watch_token(w, may_queue);
    if (token == NULL && !may_queue)
        return OK;
    if (token != NULL)
        buf_puts(out, may_queue ? "to look and to queue spot-checks: "
                                : "to look: ");
    reach_put(out, r, http_url(http), http_port(http));
    if (token != NULL)
        buf_printf(out, "/#token=%s", token);
    buf_putc(out, '\n');
    return buf_status(out, err);
}

/* Of a folder with the pages of both commands, "/" is this one's. */
static void choose_page(struct label_page *page)
{
    for (size_t i = 0; i < page->n; i++)
        if (strcmp(page->file[i].path, "/watch.html") == 0) {
            page->file[page->n - 1] = page->file[i];
            page->file[page->n - 1].path = "/";
        }
}

static enum status serve(struct watch *w, const struct options *o,
                         const struct context *context, struct err *err)
{
    const struct watch_values *v = &o->v.watch;
    struct reach reach;
    struct arena a = {0};
    struct label_page page = {.n = 0};
    struct buf out;
    enum status status = OK;
    struct watch_serve s = {
        .address = v->listen, .port = (uint16_t)v->port, .is_tls = v->tls};
    buf_init(&out, 8192);
    TRY_DONE(reach_read(&reach, o, "watch.host", NULL, v->listen, v->tls, err));
    s.host = reach.host;
    s.n_host = reach.n_host;
    if (v->ui != NULL) {
        TRY_DONE(label_page_read(&page, &a, v->ui, err));
        choose_page(&page);
        s.file = page.file;
        s.n_file = page.n;
    }
    TRY_DONE(watch_start(w, &s, err));
    TRY_DONE(put_link(&out, w, &reach, true, err));
    TRY_DONE(put_link(&out, w, &reach, false, err));
    TRY_DONE(terminal_print(&out, err));
    reach_hint(&reach, context);
    while (!*stop_flag())
        nap(1000);
    status = stopped(err);
done:
    buf_free(&out);
    /* Before the page's files go. */
    watch_close(w);
    arena_free(&a);
    return status;
}

enum status cmd_watch(struct options *o, struct err *err)
{
    const struct watch_values *v = &o->v.watch;
    struct watch *w;
    struct terminal t;
    terminal_init(&t, o->v.common.quiet);
    const struct context context = {.sink = terminal_event,
                                    .sink_ctx = &t,
                                    .stage = "watch",
                                    .clock = session_clock};
    const struct watch_config c = {.path = o->operand[0],
                                   .judgements = v->judgements,
                                   .no_index = !v->index,
                                   .context = &context};
    TRY(watch_open(&w, &c, err));
    bool is_page = !o->v.common.json && !v->queue && !v->tty;
    if (is_page)
        return serve(w, o, &context, err);
    enum status status = watch_load(w, err);
    if (status == OK && v->queue)
        status = queue(w, o, err);
    else if (status == OK && o->v.common.json)
        status = print_json(w, err);
    else if (status == OK && !v->once && isatty(STDOUT_FILENO))
        status = draw_live(w, &t, err);
    else if (status == OK)
        status = draw(w, &t, false, err);
    watch_close(w);
    return status;
}
