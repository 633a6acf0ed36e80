#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/labelling.h"
#include "cli/reach.h"
#include "cli/session.h"
#include "cli/stop.h"
#include "cli/terminal.h"
#include "serve/auth.h"
#include "serve/label.h"
#include "serve/ui.h"

#define TEXT_MAX ((size_t)1 << 16)
#define LOOK_MS 100 // how often a signal is looked for

/* What --listen, --host and --url say. */
struct place {
    char address[64];
    struct reach reach;
};

static bool read_port(uint16_t *out, const char *text)
{
    uint32_t x = 0;
    for (const char *s = text; *s != '\0'; s++) {
        if (*s < '0' || *s > '9' || x > UINT16_MAX)
            return false;
        x = x * 10 + (uint32_t)(*s - '0');
    }
    *out = (uint16_t)x;
    return *text != '\0' && x <= UINT16_MAX;
}

/* "127.0.0.1", "0.0.0.0:80", "::1", "[::]:80". */
static enum status read_listen(struct place *p, uint16_t *port,
                               const char *text, struct err *err)
{
    const char *close = text[0] == '[' ? strchr(text, ']') : NULL;
    const char *colon = strrchr(text, ':');
    bool has_port = close != NULL ? close[1] == ':'
                                  : colon != NULL && strchr(text, ':') == colon;
    const char *end = close != NULL ? close : text + strlen(text);
    if (close == NULL && has_port)
        end = colon;
    size_t from = close != NULL ? 1 : 0;
    size_t len = (size_t)(end - text) - from;
    if (len == 0 || len >= sizeof p->address ||
        (close != NULL && !has_port && close[1] != '\0') ||
        (has_port && !read_port(port, colon + 1)))
        return err_set(err, ERR_ARG,
                       "command line: label.listen = %.80s is no ADDRESS or "
                       "ADDRESS:PORT",
                       text);
    memcpy(p->address, text + from, len);
    p->address[len] = '\0';
    return OK;
}

/* ---- what is told ------------------------------------------------------- */

static enum status make_link(char link[AUTH_LINK_TEXT],
                             const struct label *label, const struct place *p,
                             struct db *db, struct err *err)
{
    char token[AUTH_TOKEN_TEXT];
    struct buf address;
    buf_init(&address, AUTH_LINK_TEXT);
    reach_put(&address, &p->reach, label_url(label),
              http_port(label_http(label)));
    enum status status = buf_status(&address, err);
    if (status == OK)
        status = auth_local(token, db, labelling_now(), err);
    if (status == OK)
        status = auth_link(link, buf_text(&address), token, err);
    buf_free(&address);
    return status;
}

static enum status find_judges(void *ctx, const struct judge *judge,
                               struct err *err)
{
    bool *has_some = ctx;
    (void)err;
    *has_some |= judge->role == JUDGE_JUDGE && judge->revoked == 0;
    return OK;
}

/* An administrator may judge, but sees how it stands; so who judges is invited
 * by a name of their own. */
static enum status put_invitation(struct buf *out, struct db *db,
                                  struct err *err)
{
    bool has_some = false;
    TRY(judges_walk(db, find_judges, &has_some, err));
    if (!has_some)
        buf_printf(out,
                   "nobody is invited to judge yet, each gets a link of their "
                   "own: plumb label invite %s --name NAME\n",
                   db_path(db));
    return OK;
}

static enum status tell(const struct options *o, const struct label *label,
                        const struct place *p, struct db *db, struct err *err)
{
    char link[AUTH_LINK_TEXT];
    struct buf out, url;
    struct json_writer w;
    enum status status = make_link(link, label, p, db, err);
    /* Who revoked "local" administers by another name. */
    bool has_link = status != ERR_MISSING;
    if (has_link)
        TRY(status);
    status = OK;
    buf_init(&out, TEXT_MAX);
    buf_init(&url, AUTH_LINK_TEXT);
    if (p->reach.is_for_all)
        reach_put(&url, &p->reach, "", http_port(label_http(label)));
    else
        buf_puts(&url, label_url(label));
    if (o->v.common.json) {
        labelling_begin_json(&w, &out, "serve");
        json_field_text(&w, "url", buf_text(&url));
        json_field_int(&w, "port", http_port(label_http(label)));
        json_field_text(&w, "link", has_link ? link : NULL);
        json_close(&w, '}');
        buf_putc(&out, '\n');
    } else {
        buf_printf(&out, "%s\n", buf_text(&url));
        if (has_link)
            buf_printf(&out, "open as administrator, once: %s\n", link);
        status = put_invitation(&out, db, err);
    }
    if (status == OK)
        status = terminal_print(&out, err);
    buf_free(&url);
    buf_free(&out);
    return status;
}

/* Whoever revoked all administrators gets in again from here alone. */
static enum status hint(struct db *db, const struct context *context,
                        struct err *err)
{
    int64_t admins;
    TRY(judges_admins(&admins, db, err));
    if (admins == 0)
        context_warn(context,
                     "no administrator is left: plumb label invite %s --role "
                     "admin --name NAME makes one",
                     db_path(db));
    return OK;
}

static void wait_for_stop(void)
{
    const struct timespec t = {0, (long)LOOK_MS * 1000000};
    while (!*stop_flag())
        (void)nanosleep(&t, NULL);
}

/* Asked once more after the last vote was written. */
static enum status farewell(struct db *db, struct err *err)
{
    struct err lost = {OK, ""};
    if (db_check_place(db, &lost) == OK)
        return err_set(err, ERR_STOPPED,
                       "%s: stopped; every vote that was acknowledged is in it",
                       db_path(db));
    return err_set(err, ERR_IO,
                   "%s; stopped: the votes acknowledged before are in the file "
                   "that is gone, and none was acknowledged since",
                   lost.text);
}

static enum status run(const struct options *o, struct db *db,
                       const struct label_config *c, const struct place *p,
                       struct err *err)
{
    struct label *label;
    TRY(label_start(&label, db, c, err));
    enum status status = tell(o, label, p, db, err);
    if (status == OK)
        status = hint(db, c->context, err);
    if (status == OK) {
        reach_hint(&p->reach, c->context);
        wait_for_stop();
    }
    label_stop(label);
    TRY(status);
    return farewell(db, err);
}

enum status labelling_serve(const struct options *o, struct db *db,
                            struct err *err)
{
    const struct label_values *v = &o->v.label;
    struct place *p;
    struct arena a = {0};
    struct terminal t;
    struct label_page page = {.n = 0};
    enum status status = OK;
    uint16_t port = (uint16_t)v->port;
    struct context context;
    labelling_context(&context, &t, o);
    TRY(MEM_NEW(p, 1, err));
    if (v->listen != NULL)
        TRY_DONE(read_listen(p, &port, v->listen, err));
    TRY_DONE(reach_read(&p->reach, o, "label.host", v->url,
                        v->listen != NULL ? p->address : NULL, v->tls, err));
    if (v->ui != NULL)
        TRY_DONE(label_page_read(&page, &a, v->ui, err));
    struct label_config c = {.address = v->listen != NULL ? p->address : NULL,
                             .port = port,
                             .host = p->reach.host,
                             .n_host = p->reach.n_host,
                             .is_tls = v->tls,
                             .context = &context,
                             .file = page.file,
                             .n_file = page.n};
    if (v->ui == NULL)
        ui_label(&c.file, &c.n_file);
    status = run(o, db, &c, p, err);
done:
    arena_free(&a);
    mem_free(p);
    return status;
}
