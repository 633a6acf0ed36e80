#include "store/project.h"

#include <sodium.h>
#include <string.h>

#include "base/utf8.h"
#include "store/audit.h"
#include "store/query.h"
#include "store/schema.h"

static enum status exists(bool *out, struct db *db, struct err *err)
{
    struct query q;
    TRY(query_open(&q, db, "SELECT 1 FROM project", err));
    enum status status = query_next(&q, out, err);
    query_close(&q);
    return status;
}

static enum status make(struct db *db, void *ctx, struct err *err)
{
    const struct project_new *made = ctx;
    unsigned char drawn[32];
    struct query q;
    bool is_there;
    int64_t seed;
    TRY(exists(&is_there, db, err));
    if (is_there)
        return OK;
    if (made->order_key != NULL)
        memcpy(drawn, made->order_key, sizeof drawn);
    else
        randombytes_buf(drawn, sizeof drawn);
    memcpy(&seed, &made->seed, sizeof seed);
    TRY(query_open(&q, db,
                   "INSERT INTO project (id, seed, order_key, created_ms) "
                   "VALUES (1, ?1, ?2, ?3)",
                   err));
    query_bind_int(&q, 1, seed);
    query_bind_blob(&q, 2, drawn, sizeof drawn);
    query_bind_int(&q, 3, made->now);
    enum status status = query_run(&q, err);
    sodium_memzero(drawn, sizeof drawn);
    TRY(status);
    return audit_append(db,
                        &(struct audit_event){
                            .event = "project", .subject = 1, .at = made->now},
                        err);
}

enum status project_open(struct db **out, const char *path, enum db_mode mode,
                         const struct project_new *made, struct err *err)
{
    struct db *db;
    bool is_there = false;
    if (sodium_init() < 0)
        return err_set(err, ERR_IO, "the system gives no random numbers");
    TRY(db_open(&db, path, mode, schema_project(), err));
    /* The table of parameters is const for its readers; make() reads it. */
    struct project_new copy = made != NULL ? *made : (struct project_new){0};
    enum status status =
        mode == DB_CREATE ? db_transact(db, make, &copy, err) : OK;
    if (status == OK)
        status = exists(&is_there, db, err);
    if (status == OK && !is_there)
        status = err_set(err, ERR_FORMAT, "%s holds no project", path);
    if (status != OK) {
        project_abandon(db);
        return status;
    }
    *out = db;
    return OK;
}

/* More than that it was made? */
static enum status has_more(struct db *db, void *ctx, struct err *err)
{
    bool *out = ctx;
    struct query q;
    TRY(query_open(&q, db, "SELECT 1 FROM audit LIMIT 1 OFFSET 1", err));
    enum status status = query_next(&q, out, err);
    query_close(&q);
    return status;
}

void project_abandon(struct db *db)
{
    bool is_used = true;
    if (!db_is_made(db) || db_transact(db, has_more, &is_used, NULL) != OK ||
        is_used)
        db_close(db);
    else
        db_discard(db);
}

enum status project_read(struct project *out, struct db *db, struct err *err)
{
    struct query q;
    struct project p;
    bool row;
    TRY(query_open(&q, db, "SELECT seed, order_key FROM project", err));
    enum status status = query_next(&q, &row, err);
    if (status == OK && !row)
        status = err_set(err, ERR_FORMAT, "%s holds no project", db_path(db));
    if (status == OK) {
        int64_t seed = query_int(&q, 0);
        memcpy(&p.seed, &seed, sizeof seed);
        status = query_blob(p.order_key, sizeof p.order_key, &q, 1, err);
    }
    query_close(&q);
    if (status == OK)
        *out = p;
    return status;
}

enum status project_check_text(const char *text, size_t max, const char *what,
                               struct err *err)
{
    size_t len = strlen(text);
    if (len > max)
        return err_set(err, ERR_ARG, "%s: %zu bytes, %zu are allowed", what,
                       len, max);
    size_t valid = utf8_valid(text, len);
    if (valid < len)
        return err_set(err, ERR_ARG, "%s: not UTF-8 at byte %zu", what, valid);
    return OK;
}

enum status project_check_name(const char *name, const char *what,
                               struct err *err)
{
    if (name == NULL || name[0] == '\0')
        return err_set(err, ERR_ARG, "%s: empty", what);
    TRY(project_check_text(name, PROJECT_NAME_MAX, what, err));
    for (const char *c = name; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return err_set(err, ERR_ARG, "%s: a control character at byte %td",
                           what, c - name);
    return OK;
}
