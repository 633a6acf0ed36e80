/*
 * label_export.c - a pool's judgements as a file, for who administers it.
 *
 * Writing it out may take seconds and much memory, so it is done on a thread of
 * its own with a connection of its own, one at a time until it was sent; the
 * answer is what the database held at one moment.  That it was asked for goes
 * into the audit log before anybody has it, by the one writer.
 *
 * A file tells whose side every vote was for, as the standing does, and more.
 * So it is closed to who judges there in the same way (store/unblind.h).
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "serve/label_internal.h"
#include "store/export.h"
#include "store/items.h"
#include "store/unblind.h"

#define EXPORT_MAX ((size_t)1 << 30)
#define HEADER_MAX (16 * PROJECT_NAME_MAX + 200)

struct exporting {
    struct label *label;
    struct http_request *request;
    struct db *db; // to read
    char header[HEADER_MAX];
    struct export_config config;
    int64_t actor, now;
    bool is_look; // who judges in this pool wants it all the same
    struct buf out;
    size_t at; // of `out`: what was sent
};

static const char closed[] =
    "closed to you while you judge in this pool: it tells whose side each vote "
    "was for";

static enum status add_line(void *ctx, const char *line, size_t len,
                            struct err *err)
{
    struct buf *out = ctx;
    buf_append(out, line, len);
    buf_putc(out, '\n');
    return buf_status(out, err);
}

static int64_t pull(void *ctx, char *to, size_t max)
{
    struct exporting *x = ctx;
    size_t n = x->out.len - x->at < max ? x->out.len - x->at : max;
    if (n > 0)
        memcpy(to, x->out.data + x->at, n);
    x->at += n;
    return (int64_t)n;
}

/* Of a stream, on the server's thread: the server is there. */
static void end(void *ctx)
{
    struct exporting *x = ctx;
    atomic_store(&x->label->is_exporting, false);
    buf_free(&x->out);
    mem_free(x);
}

/* The last answer lets the server end, so it comes last of all. */
static void fail(struct exporting *x, enum status status, const struct err *err)
{
    struct http_request *r = x->request;
    end(x);
    http_reply_status(r, status, err);
}

/* Whoever got a first item while the file was written is bound by now. */
static enum status note(struct db *db, void *ctx, struct err *err)
{
    const struct exporting *x = ctx;
    bool is_bound;
    TRY(unblind_is_bound(&is_bound, db, x->actor, x->config.pool, err));
    if (is_bound && !x->is_look)
        return err_set(err, ERR_MISMATCH, "%s", closed);
    TRY(export_note(db, &x->config, x->actor, x->now, err));
    return is_bound ? unblind_note(db, x->actor, x->config.pool, x->now, err)
                    : OK;
}

/* ---- the file's name ---------------------------------------------------- */

static bool is_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* A file system's or a header's own bytes. */
static bool is_awkward(unsigned char c)
{
    return c < 0x20 || c == 0x7f || strchr("/\\:*?\"<>|%;~.", c) != NULL;
}

/* POOL.FORMAT[-redacted].jsonl; what is not plain is "_" in the one form of
 * the name and, but for what a file system may trip over, written out in the
 * other (RFC 6266). */
static void name_file(char out[HEADER_MAX], const char *pool,
                      const struct export_config *c)
{
    struct buf b;
    char behind[64];
    (void)snprintf(behind, sizeof behind, ".%s%s.%s", export_name(c->format),
                   c->is_redact ? "-redacted" : "",
                   c->format == EXPORT_COMPARATOR ? "json" : "jsonl");
    buf_init(&b, HEADER_MAX);
    buf_puts(&b, "attachment; filename=\"");
    for (const char *s = pool; *s != '\0'; s++)
        buf_append(&b, is_plain((unsigned char)*s) ? s : "_", 1);
    buf_printf(&b, "%s\"; filename*=UTF-8\'\'", behind);
    for (const char *s = pool; *s != '\0'; s++) {
        unsigned char byte = (unsigned char)*s;
        if (is_plain(byte) || is_awkward(byte))
            buf_append(&b, is_plain(byte) ? s : "_", 1);
        else
            buf_printf(&b, "%%%02X", byte);
    }
    buf_puts(&b, behind);
    (void)snprintf(out, HEADER_MAX, "%s",
                   buf_status(&b, NULL) == OK ? buf_text(&b) : "attachment");
    buf_free(&b);
}

/* ---- the thread --------------------------------------------------------- */

static void *run(void *arg)
{
    struct exporting *x = arg;
    struct err err = {OK, ""};
    bool is_document = x->config.format == EXPORT_COMPARATOR;
    enum status status =
        export_walk(x->db, &x->config, add_line, &x->out, &err);
    db_close(x->db);
    if (status == OK)
        status = writer_run(x->label->writer,
                            &(struct write){.fn = note, .ctx = x}, &err);
    if (status != OK) {
        fail(x, status, &err);
        return NULL;
    }
    http_add_header(x->request, "Content-Disposition", x->header);
    http_reply_stream(x->request,
                      is_document ? "application/json" : "application/x-ndjson",
                      pull, end, x);
    return NULL;
}

/* Opens nothing for who may not have it. */
static enum status begin(struct exporting *x, struct label *label,
                         struct http_request *r, struct err *err)
{
    struct arena a = {0};
    struct pool pool;
    bool is_bound;
    const char *format = http_query(r, "format");
    const char *redact = http_query(r, "redact");
    const char *unblind = http_query(r, "unblind");
    int found = export_find(format != NULL ? format : "canonical");
    if (found < 0)
        return err_set(err, ERR_ARG, "no such format: '%.40s'", format);
    if (redact != NULL && strcmp(redact, "0") != 0 && strcmp(redact, "1") != 0)
        return err_set(err, ERR_ARG, "redact is 0 or 1");
    if (unblind != NULL && strcmp(unblind, "1") != 0)
        return err_set(err, ERR_ARG, "unblind is 1, or not there");
    x->config = (struct export_config){.format = (enum export_format)found,
                                       .pool = http_arg_int(r, 0),
                                       .is_redact = redact != NULL &&
                                                    strcmp(redact, "1") == 0};
    x->actor = http_who(r)->judge.id;
    x->now = http_now(r);
    x->is_look = unblind != NULL;
    enum status status =
        items_read_pool(&pool, &a, label->db, x->config.pool, err);
    if (status == OK)
        name_file(x->header, pool.name, &x->config);
    arena_free(&a);
    TRY(status);
    TRY(unblind_is_bound(&is_bound, label->db, x->actor, x->config.pool, err));
    if (is_bound && !x->is_look)
        return OK;
    return db_open_again(&x->db, label->db, DB_READ, err);
}

void label_export(struct label *label, struct http_request *r)
{
    pthread_t thread;
    struct exporting *x;
    struct err err = {OK, ""};
    if (atomic_exchange(&label->is_exporting, true)) {
        http_reply_error(r, 503, "one export is being written: try again soon");
        return;
    }
    enum status status = MEM_NEW(x, 1, &err);
    if (status != OK) {
        atomic_store(&label->is_exporting, false);
        http_reply_status(r, status, &err);
        return;
    }
    x->label = label;
    x->request = r;
    buf_init(&x->out, EXPORT_MAX);
    status = begin(x, label, r, &err);
    if (status != OK) {
        fail(x, status, &err);
        return;
    }
    if (x->db == NULL) {
        end(x);
        http_reply_error(r, 403, closed);
        return;
    }
    http_later(r);
    if (pthread_create(&thread, NULL, run, x) == 0) {
        (void)pthread_detach(thread);
        return;
    }
    db_close(x->db);
    fail(x, ERR_MEMORY, NULL);
}
