#include "store/query.h"

#include <math.h>
#include <string.h>

#include "store/db_internal.h"

static sqlite3_stmt *stmt_of(const struct query *q)
{
    return q->db->statement[q->index].stmt;
}

enum status query_open(struct query *q, struct db *db, const char *sql,
                       struct err *err)
{
    size_t index;
    TRY(db_statement(&index, db, sql, err));
    *q = (struct query){.db = db, .index = index};
    return OK;
}

void query_close(struct query *q)
{
    db_put_back(q->db, q->index);
}

/* ---- parameters --------------------------------------------------------- */

static void note(struct query *q, int code)
{
    if (q->fault == SQLITE_OK)
        q->fault = code;
}

void query_bind_int(struct query *q, int i, int64_t x)
{
    note(q, sqlite3_bind_int64(stmt_of(q), i, x));
}

void query_bind_real(struct query *q, int i, double x)
{
    note(q, isnan(x) ? sqlite3_bind_null(stmt_of(q), i)
                     : sqlite3_bind_double(stmt_of(q), i, x));
}

void query_bind_text(struct query *q, int i, const char *text)
{
    size_t len = text != NULL ? strlen(text) : 0;
    note(q, text == NULL ? sqlite3_bind_null(stmt_of(q), i)
                         : sqlite3_bind_text64(stmt_of(q), i, text, len,
                                               SQLITE_STATIC, SQLITE_UTF8));
}

void query_bind_blob(struct query *q, int i, const void *data, size_t len)
{
    note(q, data == NULL
                ? sqlite3_bind_null(stmt_of(q), i)
                : sqlite3_bind_blob64(stmt_of(q), i, data, len, SQLITE_STATIC));
}

void query_bind_null(struct query *q, int i)
{
    note(q, sqlite3_bind_null(stmt_of(q), i));
}

/* ---- steps -------------------------------------------------------------- */

enum status query_next(struct query *q, bool *row, struct err *err)
{
    const struct db *db = q->db;
    if (q->fault != SQLITE_OK)
        return err_set(err,
                       q->fault == SQLITE_TOOBIG  ? ERR_LIMIT
                       : q->fault == SQLITE_NOMEM ? ERR_MEMORY
                                                  : ERR_ARG,
                       "%s: cannot bind a value: %s", db->path,
                       sqlite3_errstr(q->fault));
    int code = sqlite3_step(stmt_of(q));
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        bool is_reading = sqlite3_stmt_readonly(stmt_of(q)) != 0;
        return db_error(db, is_reading ? "read" : "write", err);
    }
    *row = code == SQLITE_ROW;
    return OK;
}

enum status query_run(struct query *q, struct err *err)
{
    bool row;
    enum status status = query_next(q, &row, err);
    query_close(q);
    return status;
}

/* ---- columns ------------------------------------------------------------ */

bool query_is_null(const struct query *q, int column)
{
    return sqlite3_column_type(stmt_of(q), column) == SQLITE_NULL;
}

int64_t query_int(const struct query *q, int column)
{
    return sqlite3_column_int64(stmt_of(q), column);
}

double query_real(const struct query *q, int column)
{
    return query_is_null(q, column) ? (double)NAN
                                    : sqlite3_column_double(stmt_of(q), column);
}

const char *query_text(const struct query *q, int column)
{
    return (const char *)sqlite3_column_text(stmt_of(q), column);
}

enum status query_blob(void *out, size_t len, const struct query *q, int column,
                       struct err *err)
{
    const void *data = sqlite3_column_blob(stmt_of(q), column);
    int bytes = sqlite3_column_bytes(stmt_of(q), column);
    if (data == NULL || bytes < 0 || (size_t)bytes != len)
        return err_set(err, ERR_FORMAT,
                       "%s: a value of %d bytes where %zu are wanted",
                       q->db->path, bytes, len);
    memcpy(out, data, len);
    return OK;
}

enum status query_one(int64_t *out, struct query *q, struct err *err)
{
    bool row = false;
    enum status status = query_next(q, &row, err);
    if (status == OK)
        *out = row ? query_int(q, 0) : 0;
    query_close(q);
    return status;
}

enum status query_walk(struct query *q, query_fn fn, void *ctx, struct err *err)
{
    enum status status = OK;
    bool row = true;
    while (status == OK) {
        TRY_DONE(query_next(q, &row, err));
        if (!row)
            break;
        status = fn(ctx, query_int(q, 0), err);
    }
done:
    query_close(q);
    return status;
}

enum status query_copy(const char **out, const struct query *q, int column,
                       struct arena *a, struct err *err)
{
    if (query_is_null(q, column)) {
        *out = NULL;
        return OK;
    }
    const char *text = query_text(q, column);
    if (text == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: a text");
    return arena_text(out, a, text, strlen(text), err);
}
