/*
 * label_export.c - a pool's judgements as a file, for who administers it.
 *
 * Writing it out may take seconds, so it is done on a thread of its own with a
 * connection of its own; the answer is what the database held at one moment.
 */
#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "serve/label_internal.h"
#include "store/export.h"
#include "store/items.h"

#define EXPORT_MAX ((size_t)1 << 30)

struct exporting {
    struct http_request *request;
    struct db *db;
    struct export_config config;
    int64_t actor, now;
    struct buf out;
    size_t at; // of `out`: what was sent
};

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

static void end(void *ctx)
{
    struct exporting *x = ctx;
    buf_free(&x->out);
    mem_free(x);
}

static void *run(void *arg)
{
    struct exporting *x = arg;
    struct err err = {OK, ""};
    bool is_document = x->config.format == EXPORT_COMPARATOR;
    enum status status =
        export_walk(x->db, &x->config, add_line, &x->out, &err);
    if (status == OK)
        status = export_note(x->db, &x->config, x->actor, x->now, &err);
    db_close(x->db);
    if (status != OK) {
        http_reply_status(x->request, status, &err);
        end(x);
        return NULL;
    }
    http_add_header(x->request, "Content-Disposition",
                    is_document ? "attachment; filename=\"comparator.json\""
                                : "attachment; filename=\"judgements.jsonl\"");
    http_reply_stream(x->request,
                      is_document ? "application/json" : "application/x-ndjson",
                      pull, end, x);
    return NULL;
}

static enum status begin(struct exporting *x, struct label *label,
                         struct http_request *r, struct err *err)
{
    struct arena a = {0};
    struct pool pool;
    const char *format = http_query(r, "format");
    const char *redact = http_query(r, "redact");
    int found = export_find(format != NULL ? format : "canonical");
    if (found < 0)
        return err_set(err, ERR_ARG, "no such format: '%.40s'", format);
    if (redact != NULL && strcmp(redact, "0") != 0 && strcmp(redact, "1") != 0)
        return err_set(err, ERR_ARG, "redact is 0 or 1");
    x->request = r;
    x->config = (struct export_config){.format = (enum export_format)found,
                                       .pool = http_arg_int(r, 0),
                                       .is_redact = redact != NULL &&
                                                    strcmp(redact, "1") == 0};
    x->actor = http_who(r)->judge.id;
    x->now = http_now(r);
    enum status status =
        items_read_pool(&pool, &a, label->db, x->config.pool, err);
    arena_free(&a);
    TRY(status);
    return db_open_again(&x->db, label->db, DB_WRITE, err);
}

void label_export(struct label *label, struct http_request *r)
{
    pthread_t thread;
    struct exporting *x;
    struct err err = {OK, ""};
    enum status status = MEM_NEW(x, 1, &err);
    if (status != OK) {
        http_reply_status(r, status, &err);
        return;
    }
    buf_init(&x->out, EXPORT_MAX);
    status = begin(x, label, r, &err);
    if (status != OK) {
        http_reply_status(r, status, &err);
        end(x);
        return;
    }
    http_later(r);
    if (pthread_create(&thread, NULL, run, x) == 0) {
        (void)pthread_detach(thread);
        return;
    }
    db_close(x->db);
    http_reply_error(r, 503, "no thread to write it out");
    end(x);
}
