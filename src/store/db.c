#include "store/db.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "store/db_internal.h"

/* ---- failures ----------------------------------------------------------- */

/* A limit on the size of files is as good as a full disk. */
static bool is_room(int number)
{
    return number != ENOSPC && number != EDQUOT && number != EFBIG;
}

/* Did a write fail for want of room?  What the connection remembers of errno
 * may have been overwritten by then; the database and its log remember their
 * own. */
static bool is_out_of_room(const struct db *db)
{
    static const int which[] = {SQLITE_FCNTL_JOURNAL_POINTER,
                                SQLITE_FCNTL_FILE_POINTER};
    bool is_full = !is_room(sqlite3_system_errno(db->handle));
    for (size_t i = 0; i < sizeof which / sizeof *which; i++) {
        sqlite3_file *file = NULL;
        int number = 0;
        if (sqlite3_file_control(db->handle, "main", which[i], (void *)&file) !=
                SQLITE_OK ||
            file == NULL || file->pMethods == NULL)
            continue;
        (void)file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO,
                                           &number);
        is_full = is_full || !is_room(number);
    }
    return is_full;
}

static enum status status_of(const struct db *db, int code)
{
    switch (code) {
    case SQLITE_IOERR_NOMEM:
        return ERR_MEMORY;
    case SQLITE_IOERR_WRITE:
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_SHMSIZE:
        return is_out_of_room(db) ? ERR_FULL : ERR_IO;
    default:
        break;
    }
    switch (code & 0xff) {
    case SQLITE_FULL:
        return ERR_FULL;
    case SQLITE_NOMEM:
        return ERR_MEMORY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_TOOBIG:
        return ERR_LIMIT;
    case SQLITE_CONSTRAINT:
        return ERR_MISMATCH;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
    case SQLITE_NOLFS:
        return ERR_IO;
    default:
        return ERR_FORMAT;
    }
}

enum status db_error(const struct db *db, const char *verb, struct err *err)
{
    int code = sqlite3_extended_errcode(db->handle);
    enum status status = status_of(db, code);
    if (status == ERR_FULL)
        return err_set(err, ERR_FULL,
                       "%s: cannot %s: no room left on the disk; nothing of "
                       "it was kept",
                       db->path, verb);
    bool is_shut = (code & 0xff) == SQLITE_READONLY ||
                   ((code & 0xff) == SQLITE_CANTOPEN && file_exists(db->path) &&
                    !db_can_write(db->path));
    if (is_shut)
        return err_set(err, status,
                       "%s: cannot %s: the file or its folder cannot be "
                       "written; copy it to where it can",
                       db->path, verb);
    switch (code & 0xff) {
    case SQLITE_NOTADB:
        return err_set(err, status, "%s is not a database, and not %s",
                       db->path, db->schema->what);
    case SQLITE_CORRUPT:
        return err_set(err, status, "%s is corrupt: %s", db->path,
                       sqlite3_errmsg(db->handle));
    default:
        return err_set(err, status, "%s: cannot %s: %s", db->path, verb,
                       sqlite3_errmsg(db->handle));
    }
}

/* ---- kept statements ---------------------------------------------------- */

enum status db_statement(size_t *index, struct db *db, const char *sql,
                         struct err *err)
{
    for (size_t i = 0; i < db->n; i++) {
        struct db_statement *s = &db->statement[i];
        if (s->sql == sql && !s->is_used) {
            s->is_used = true;
            *index = i;
            return OK;
        }
    }
    sqlite3_stmt *stmt;
    TRY(MEM_ROOM(db->statement, db->n, db->room, err));
    if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
                           &stmt, NULL) != SQLITE_OK)
        return db_error(db, "prepare a statement", err);
    db->statement[db->n] = (struct db_statement){sql, stmt, true};
    *index = db->n++;
    return OK;
}

void db_put_back(struct db *db, size_t index)
{
    struct db_statement *s = &db->statement[index];
    /* What the last step said was told by it. */
    (void)sqlite3_reset(s->stmt);
    (void)sqlite3_clear_bindings(s->stmt);
    s->is_used = false;
}

/* ---- life --------------------------------------------------------------- */

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    for (size_t i = 0; i < db->n; i++)
        (void)sqlite3_finalize(db->statement[i].stmt);
    (void)sqlite3_close_v2(db->handle);
    mem_free(db->statement);
    mem_free(db->path);
    mem_free(db);
}

const char *db_path(const struct db *db)
{
    return db->path;
}

bool db_is_made(const struct db *db)
{
    return db->is_made;
}

int db_version(const struct db *db)
{
    return db->version;
}

bool db_is_still(const struct db *db)
{
    return sqlite3_db_readonly(db->handle, "main") == 1;
}

int64_t db_last_id(const struct db *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}

int64_t db_changes(const struct db *db)
{
    return sqlite3_changes64(db->handle);
}

bool db_is_inside(const struct db *db)
{
    return sqlite3_get_autocommit(db->handle) == 0;
}

enum status db_run(struct db *db, const char *sql, struct err *err)
{
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        return db_error(db, "write", err);
    return OK;
}

enum status db_limit_pages(struct db *db, int64_t pages, struct err *err)
{
    char sql[64];
    char *text = sqlite3_snprintf(
        sizeof sql, sql, "PRAGMA max_page_count = %lld", (long long)pages);
    return db_run(db, text, err);
}

/* ---- transactions ------------------------------------------------------- */

/* Undo; SQLite may have done so by itself when the disk was full. */
static void undo(struct db *db, const char *sql)
{
    if (db_is_inside(db))
        (void)sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
}

static enum status transact(struct db *db, const char *begin, const char *end,
                            const char *back, db_fn fn, void *ctx,
                            struct err *err)
{
    TRY(db_run(db, begin, err));
    enum status status = fn(db, ctx, err);
    if (status == OK && !db_is_inside(db))
        status = err_set(err, ERR_IO,
                         "%s: the transaction was ended from "
                         "within",
                         db->path);
    if (status == OK)
        status = db_run(db, end, err);
    if (status != OK)
        undo(db, back);
    return status;
}

enum status db_transact(struct db *db, db_fn fn, void *ctx, struct err *err)
{
    if (db_is_inside(db))
        return transact(db, "SAVEPOINT part", "RELEASE part",
                        "ROLLBACK TO part; RELEASE part", fn, ctx, err);
    return transact(db, "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK", fn, ctx, err);
}

enum status db_snapshot(struct db *db, db_fn fn, void *ctx, struct err *err)
{
    if (db_is_inside(db))
        return fn(db, ctx, err);
    return transact(db, "BEGIN", "COMMIT", "ROLLBACK", fn, ctx, err);
}
