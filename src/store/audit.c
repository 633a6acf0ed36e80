#include "store/audit.h"

#include <sodium.h>
#include <string.h>

#include "base/json.h"
#include "store/query.h"

#define EVENT_MAX ((size_t)1 << 20) // bytes of an event

void audit_hex(char *out, const unsigned char *data, size_t n)
{
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digit[data[i] >> 4];
        out[2 * i + 1] = digit[data[i] & 15];
    }
    out[2 * n] = '\0';
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

bool audit_unhex(unsigned char *out, size_t n, const char *text)
{
    if (text == NULL || strlen(text) != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = digit_of(text[2 * i]);
        int low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

enum status audit_digest(unsigned char out[AUDIT_HASH], const struct buf *bytes,
                         struct err *err)
{
    TRY(buf_status(bytes, err));
    (void)crypto_generichash(out, AUDIT_HASH,
                             (const unsigned char *)buf_text(bytes), bytes->len,
                             NULL, 0);
    return OK;
}

/* ---- the chain ---------------------------------------------------------- */

static void put_id(struct json_writer *w, const char *key, int64_t id)
{
    json_put_key(w, key);
    if (id != 0)
        json_put_int(w, id);
    else
        json_put_null(w);
}

static void write_event(struct buf *out, int64_t id,
                        const struct audit_event *e)
{
    struct json_writer w;
    char hex[2 * AUDIT_HASH + 1];
    if (e->digest != NULL)
        audit_hex(hex, e->digest, AUDIT_HASH);
    json_writer_init(&w, out, false);
    json_open(&w, '{');
    json_field_int(&w, "id", id);
    json_field_int(&w, "at", e->at);
    json_field_text(&w, "event", e->event);
    put_id(&w, "actor", e->actor);
    put_id(&w, "subject", e->subject);
    json_field_text(&w, "detail", e->detail != NULL ? e->detail : "");
    json_field_text(&w, "digest", e->digest != NULL ? hex : NULL);
    json_close(&w, '}');
}

/* hash = H(hash before || bytes), in place. */
static enum status seal(unsigned char hash[AUDIT_HASH], int64_t id,
                        const struct audit_event *e, struct err *err)
{
    crypto_generichash_state state;
    struct buf bytes;
    buf_init(&bytes, EVENT_MAX);
    write_event(&bytes, id, e);
    enum status status = buf_status(&bytes, err);
    if (status == OK) {
        (void)crypto_generichash_init(&state, NULL, 0, AUDIT_HASH);
        (void)crypto_generichash_update(&state, hash, AUDIT_HASH);
        (void)crypto_generichash_update(
            &state, (const unsigned char *)buf_text(&bytes), bytes.len);
        (void)crypto_generichash_final(&state, hash, AUDIT_HASH);
    }
    buf_free(&bytes);
    return status;
}

enum status audit_head(int64_t *id, unsigned char hash[AUDIT_HASH],
                       struct db *db, struct err *err)
{
    struct query q;
    bool row;
    TRY(query_open(&q, db,
                   "SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1", err));
    enum status status = query_next(&q, &row, err);
    if (status == OK && !row) {
        *id = 0;
        memset(hash, 0, AUDIT_HASH);
    }
    if (status == OK && row) {
        int64_t last = query_int(&q, 0);
        status = query_blob(hash, AUDIT_HASH, &q, 1, err);
        if (status == OK)
            *id = last;
    }
    query_close(&q);
    return status;
}

static enum status append(struct db *db, void *ctx, struct err *err)
{
    const struct audit_event *e = ctx;
    unsigned char hash[AUDIT_HASH];
    struct query q;
    int64_t id;
    TRY(audit_head(&id, hash, db, err));
    TRY(seal(hash, id + 1, e, err));
    TRY(query_open(&q, db,
                   "INSERT INTO audit (id, at_ms, event, actor, subject, "
                   "detail, digest, hash) "
                   "VALUES (?1, ?2, ?3, nullif(?4, 0), nullif(?5, 0), ?6, ?7, "
                   "?8)",
                   err));
    query_bind_int(&q, 1, id + 1);
    query_bind_int(&q, 2, e->at);
    query_bind_text(&q, 3, e->event);
    query_bind_int(&q, 4, e->actor);
    query_bind_int(&q, 5, e->subject);
    query_bind_text(&q, 6, e->detail != NULL ? e->detail : "");
    query_bind_blob(&q, 7, e->digest, AUDIT_HASH);
    query_bind_blob(&q, 8, hash, AUDIT_HASH);
    return query_run(&q, err);
}

enum status audit_append(struct db *db, const struct audit_event *e,
                         struct err *err)
{
    struct audit_event copy = *e;
    if (db_is_inside(db))
        return append(db, &copy, err);
    return db_transact(db, append, &copy, err);
}

/* ---- reading ------------------------------------------------------------ */

static enum status read_event(struct audit_event *e,
                              unsigned char digest[AUDIT_HASH],
                              const struct query *q, struct err *err)
{
    *e = (struct audit_event){
        .at = query_int(q, 1),
        .event = query_text(q, 2),
        .actor = query_int(q, 3),
        .subject = query_int(q, 4),
        .detail = query_text(q, 5),
    };
    if (e->event == NULL || e->detail == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: an event");
    if (!query_is_null(q, 6)) {
        TRY(query_blob(digest, AUDIT_HASH, q, 6, err));
        e->digest = digest;
    }
    return OK;
}

enum status audit_walk(struct db *db, audit_fn fn, void *ctx, struct err *err)
{
    struct query q;
    bool row = true;
    unsigned char sealed[AUDIT_HASH] = {0};
    int64_t before = 0;
    TRY(query_open(&q, db,
                   "SELECT id, at_ms, event, actor, subject, detail, digest, "
                   "hash FROM audit ORDER BY id",
                   err));
    enum status status = OK;
    while (status == OK) {
        struct audit_event e;
        unsigned char digest[AUDIT_HASH], hash[AUDIT_HASH];
        TRY_DONE(query_next(&q, &row, err));
        if (!row)
            break;
        int64_t id = query_int(&q, 0);
        TRY_DONE(read_event(&e, digest, &q, err));
        TRY_DONE(query_blob(hash, AUDIT_HASH, &q, 7, err));
        TRY_DONE(seal(sealed, id, &e, err));
        if (id != before + 1 || memcmp(sealed, hash, AUDIT_HASH) != 0) {
            status = err_set(err, ERR_MISMATCH,
                             "%s: the audit log was changed at event %lld",
                             db_path(db), (long long)(before + 1));
            goto done;
        }
        before = id;
        status = fn(ctx, id, &e, hash, err);
    }
done:
    query_close(&q);
    return status;
}
