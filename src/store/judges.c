#include "store/judges.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "store/audit.h"
#include "store/query.h"

#define COLUMNS                                                                \
    "SELECT j.id, j.name, j.role, j.token_hash IS NOT NULL, j.created_ms, "    \
    "coalesce(j.revoked_ms, 0) FROM judge AS j "

void judges_hash(unsigned char out[JUDGES_HASH], const void *token, size_t len)
{
    static const char label[] = "plumb.token/1";
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, NULL, 0, JUDGES_HASH);
    (void)crypto_generichash_update(&state, (const unsigned char *)label,
                                    sizeof label);
    (void)crypto_generichash_update(&state, token, len);
    (void)crypto_generichash_final(&state, out, JUDGES_HASH);
}

/* ---- reading ------------------------------------------------------------ */

static enum status read_row(struct judge *out, const struct query *q,
                            struct err *err)
{
    const char *name = query_text(q, 1);
    int role = choice_find(&choice_role, query_text(q, 2));
    struct judge j = {
        .id = query_int(q, 0),
        .has_token = query_int(q, 3) != 0,
        .created = query_int(q, 4),
        .revoked = query_int(q, 5),
    };
    if (name == NULL || role < 0 || strlen(name) >= sizeof j.name)
        return err_set(err, ERR_FORMAT, "%s: judge %lld is no judge",
                       db_path(q->db), (long long)j.id);
    (void)snprintf(j.name, sizeof j.name, "%s", name);
    j.role = (enum judge_role)role;
    *out = j;
    return OK;
}

/* The judge of a query that is bound; ends it. */
static enum status read_one(struct judge *out, struct query *q,
                            const char *what, struct err *err)
{
    bool row;
    enum status status = query_next(q, &row, err);
    if (status == OK && !row)
        status = err_set(err, ERR_MISSING, "no such %s", what);
    if (status == OK)
        status = read_row(out, q, err);
    query_close(q);
    return status;
}

enum status judges_read(struct judge *out, struct db *db, int64_t id,
                        struct err *err)
{
    struct query q;
    TRY(query_open(&q, db, COLUMNS "WHERE j.id = ?1", err));
    query_bind_int(&q, 1, id);
    return read_one(out, &q, "judge", err);
}

enum status judges_find(struct judge *out, struct db *db, const char *name,
                        struct err *err)
{
    struct query q;
    TRY(query_open(&q, db, COLUMNS "WHERE j.name = ?1", err));
    query_bind_text(&q, 1, name);
    return read_one(out, &q, "judge", err);
}

enum status judges_find_token(struct judge *out, struct db *db,
                              const unsigned char token_hash[JUDGES_HASH],
                              struct err *err)
{
    struct query q;
    TRY(query_open(&q, db,
                   COLUMNS "WHERE j.token_hash = ?1 AND j.revoked_ms IS NULL",
                   err));
    query_bind_blob(&q, 1, token_hash, JUDGES_HASH);
    return read_one(out, &q, "token", err);
}

enum status judges_walk(struct db *db, judges_fn fn, void *ctx, struct err *err)
{
    struct query q;
    TRY(query_open(&q, db, COLUMNS "ORDER BY j.name", err));
    enum status status = OK;
    bool row = true;
    while (status == OK) {
        struct judge j;
        TRY_DONE(query_next(&q, &row, err));
        if (!row)
            break;
        TRY_DONE(read_row(&j, &q, err));
        status = fn(ctx, &j, err);
    }
done:
    query_close(&q);
    return status;
}

enum status judges_digest(unsigned char out[32], struct db *db, int64_t id,
                          struct err *err)
{
    struct judge j;
    struct buf bytes;
    struct json_writer w;
    TRY(judges_read(&j, db, id, err));
    buf_init(&bytes, (size_t)1 << 16);
    json_writer_init(&w, &bytes, false);
    json_open(&w, '{');
    json_field_int(&w, "judge", j.id);
    json_field_text(&w, "name", j.name);
    json_field_int(&w, "created", j.created);
    json_close(&w, '}');
    enum status status = audit_digest(out, &bytes, err);
    buf_free(&bytes);
    return status;
}

enum status judges_admins(int64_t *n, struct db *db, struct err *err)
{
    struct query q;
    TRY(query_open(&q, db,
                   "SELECT count(*) FROM judge WHERE role = 'admin' AND "
                   "revoked_ms IS NULL",
                   err));
    return query_one(n, &q, err);
}

/* Spaces of all widths, none included (Unicode 15: White_Space, and what of
 * General Punctuation is not seen). */
static bool is_blank(uint32_t c)
{
    return c == ' ' || c == 0xa0 || c == 0xad || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200f) || (c >= 0x2028 && c <= 0x202f) ||
           (c >= 0x205f && c <= 0x206f) || c == 0x3000 || c == 0xfeff;
}

enum status judges_check_name(const char *name, struct err *err)
{
    static const char what[] = "a judge's name";
    TRY(project_check_name(name, what, err));
    size_t len, last = 0;
    for (size_t i = 0; name[i] != '\0'; i += len) {
        (void)utf8_decode(name + i, &len);
        last = i;
    }
    if (is_blank(utf8_decode(name, &len)) ||
        is_blank(utf8_decode(name + last, &len)))
        return err_set(err, ERR_ARG,
                       "%s: '%.200s' begins or ends with a blank, which nobody "
                       "sees",
                       what, name);
    return OK;
}

/* ---- changing ----------------------------------------------------------- */

struct change {
    int64_t judge;
    const char *name;
    enum judge_role role;
    const unsigned char *hash;
    int64_t actor, now, expires;
    bool keeps_sessions;
};

static enum status insert(struct db *db, struct change *c, struct err *err)
{
    struct query q;
    TRY(query_open(&q, db,
                   "INSERT INTO judge (name, role, token_hash, created_ms) "
                   "VALUES (?1, ?2, ?3, ?4)",
                   err));
    query_bind_text(&q, 1, c->name);
    query_bind_text(&q, 2, choice_word(&choice_role, (int)c->role));
    query_bind_blob(&q, 3, c->hash, JUDGES_HASH);
    query_bind_int(&q, 4, c->now);
    TRY(query_run(&q, err));
    c->judge = db_last_id(db);
    return OK;
}

static enum status add(struct db *db, void *ctx, struct err *err)
{
    struct change *c = ctx;
    struct judge other;
    unsigned char digest[AUDIT_HASH];
    enum status status = judges_find(&other, db, c->name, NULL);
    if (status == OK)
        return err_set(err, ERR_MISMATCH, "there is a judge '%.200s' already",
                       c->name);
    TRY(insert(db, c, err));
    TRY(judges_digest(digest, db, c->judge, err));
    return audit_append(
        db,
        &(struct audit_event){.event = "judge",
                              .actor = c->actor,
                              .subject = c->judge,
                              .detail = choice_word(&choice_role, (int)c->role),
                              .digest = digest,
                              .at = c->now},
        err);
}

enum status judges_add(int64_t *id, struct db *db, const char *name,
                       enum judge_role role, const unsigned char *token_hash,
                       int64_t actor, int64_t now, struct err *err)
{
    struct change c = {.name = name,
                       .role = role,
                       .hash = token_hash,
                       .actor = actor,
                       .now = now};
    TRY(project_check_name(name, "a judge's name", err));
    TRY(db_transact(db, add, &c, err));
    *id = c.judge;
    return OK;
}

static enum status end_sessions(struct db *db, int64_t judge, struct err *err)
{
    struct query q;
    TRY(query_open(&q, db, "DELETE FROM session WHERE judge_id = ?1", err));
    query_bind_int(&q, 1, judge);
    return query_run(&q, err);
}

static enum status note(struct db *db, const struct change *c,
                        const char *event, const char *detail, struct err *err)
{
    return audit_append(db,
                        &(struct audit_event){.event = event,
                                              .actor = c->actor,
                                              .subject = c->judge,
                                              .detail = detail,
                                              .at = c->now},
                        err);
}

static enum status set_token(struct db *db, void *ctx, struct err *err)
{
    const struct change *c = ctx;
    struct query q;
    TRY(query_open(
        &q, db,
        "UPDATE judge SET token_hash = ?2 WHERE id = ?1 AND revoked_ms IS NULL",
        err));
    query_bind_int(&q, 1, c->judge);
    query_bind_blob(&q, 2, c->hash, JUDGES_HASH);
    TRY(query_run(&q, err));
    if (db_changes(db) != 1)
        return err_set(err, ERR_MISSING, "no such judge");
    if (!c->keeps_sessions)
        TRY(end_sessions(db, c->judge, err));
    return note(db, c, "token", NULL, err);
}

enum status judges_offer_token(struct db *db, int64_t judge,
                               const unsigned char token_hash[JUDGES_HASH],
                               int64_t actor, int64_t now, struct err *err)
{
    struct change c = {.judge = judge,
                       .hash = token_hash,
                       .actor = actor,
                       .now = now,
                       .keeps_sessions = true};
    return db_transact(db, set_token, &c, err);
}

enum status judges_set_token(struct db *db, int64_t judge,
                             const unsigned char token_hash[JUDGES_HASH],
                             int64_t actor, int64_t now, struct err *err)
{
    struct change c = {
        .judge = judge, .hash = token_hash, .actor = actor, .now = now};
    return db_transact(db, set_token, &c, err);
}

static enum status revoke(struct db *db, void *ctx, struct err *err)
{
    const struct change *c = ctx;
    struct judge j;
    struct query q;
    TRY(judges_read(&j, db, c->judge, err));
    if (j.revoked != 0)
        return OK;
    TRY(query_open(
        &q, db,
        "UPDATE judge SET revoked_ms = ?2, token_hash = NULL WHERE id = ?1",
        err));
    query_bind_int(&q, 1, c->judge);
    query_bind_int(&q, 2, c->now);
    TRY(query_run(&q, err));
    TRY(end_sessions(db, c->judge, err));
    return note(db, c, "revoke", NULL, err);
}

enum status judges_revoke(struct db *db, int64_t judge, int64_t actor,
                          int64_t now, struct err *err)
{
    struct change c = {.judge = judge, .actor = actor, .now = now};
    return db_transact(db, revoke, &c, err);
}

/* ---- sessions ----------------------------------------------------------- */

static enum status open_session(struct db *db, void *ctx, struct err *err)
{
    const struct change *c = ctx;
    struct judge j;
    struct query q;
    TRY(judges_read(&j, db, c->judge, err));
    if (j.revoked != 0)
        return err_set(err, ERR_MISSING, "no such judge");
    TRY(query_open(&q, db, "DELETE FROM session WHERE expires_ms <= ?1", err));
    query_bind_int(&q, 1, c->now);
    TRY(query_run(&q, err));
    TRY(query_open(&q, db,
                   "INSERT INTO session (judge_id, hash, created_ms, "
                   "expires_ms) VALUES (?1, ?2, ?3, ?4)",
                   err));
    query_bind_int(&q, 1, c->judge);
    query_bind_blob(&q, 2, c->hash, JUDGES_HASH);
    query_bind_int(&q, 3, c->now);
    query_bind_int(&q, 4, c->expires);
    TRY(query_run(&q, err));
    return note(db, c, "session", NULL, err);
}

enum status judges_open_session(struct db *db, int64_t judge,
                                const unsigned char hash[JUDGES_HASH],
                                int64_t expires, int64_t now, struct err *err)
{
    struct change c = {.judge = judge,
                       .hash = hash,
                       .actor = judge,
                       .now = now,
                       .expires = expires};
    if (expires <= now)
        return err_set(err, ERR_ARG, "a session that ends before it begins");
    return db_transact(db, open_session, &c, err);
}

enum status judges_find_session(struct judge *out, struct db *db,
                                const unsigned char hash[JUDGES_HASH],
                                int64_t now, struct err *err)
{
    struct query q;
    TRY(query_open(&q, db,
                   COLUMNS "JOIN session AS s ON s.judge_id = j.id WHERE "
                           "s.hash = ?1 AND s.expires_ms > ?2 AND "
                           "j.revoked_ms IS NULL",
                   err));
    query_bind_blob(&q, 1, hash, JUDGES_HASH);
    query_bind_int(&q, 2, now);
    return read_one(out, &q, "session", err);
}

enum status judges_close_session(struct db *db,
                                 const unsigned char hash[JUDGES_HASH],
                                 struct err *err)
{
    struct query q;
    TRY(query_open(&q, db, "DELETE FROM session WHERE hash = ?1", err));
    query_bind_blob(&q, 1, hash, JUDGES_HASH);
    return query_run(&q, err);
}
