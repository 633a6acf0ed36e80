/* Opening: the settings of a connection, the looks at a file that nobody
 * vouches for, and its way to this program's version. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/db_internal.h"
#include "store/query.h"

#define DB_PAGE_MIN 512 // bytes of the smallest page there is

/* ---- connections -------------------------------------------------------- */

/* What keeps a file from doing harm before anything of it is read. */
static enum status harden(struct db *db, struct err *err)
{
    static const struct {
        int what, value;
    } limits[] = {
        {SQLITE_LIMIT_LENGTH, DB_VALUE_MAX},
        {SQLITE_LIMIT_SQL_LENGTH, 1 << 16},
        {SQLITE_LIMIT_COLUMN, 64},
        {SQLITE_LIMIT_EXPR_DEPTH, 100},
        {SQLITE_LIMIT_COMPOUND_SELECT, 8},
        {SQLITE_LIMIT_VDBE_OP, 50000},
        {SQLITE_LIMIT_FUNCTION_ARG, 16},
        {SQLITE_LIMIT_ATTACHED, 0},
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 64},
        {SQLITE_LIMIT_VARIABLE_NUMBER, 64},
        {SQLITE_LIMIT_TRIGGER_DEPTH, 8},
        {SQLITE_LIMIT_WORKER_THREADS, 0},
    };
    static const struct {
        int what, value;
    } switches[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
        {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},
        {SQLITE_DBCONFIG_ENABLE_FKEY, 1},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 1},
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        (void)sqlite3_limit(db->handle, limits[i].what, limits[i].value);
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
        if (sqlite3_db_config(db->handle, switches[i].what, switches[i].value,
                              NULL) != SQLITE_OK)
            return db_error(db, "set up a connection", err);
    if (sqlite3_busy_timeout(db->handle, DB_BUSY_MS) != SQLITE_OK)
        return db_error(db, "set up a connection", err);
    return db_add_digest(db, err);
}

/* recursive_triggers lets INSERT OR REPLACE meet the triggers that forbid
 * deleting. */
static const char settings[] = "PRAGMA cell_size_check = ON;"
                               "PRAGMA mmap_size = 0;"
                               "PRAGMA recursive_triggers = ON;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA synchronous = FULL;"
                               "PRAGMA journal_size_limit = 16777216;";

/* A path that begins with "file:" would be taken for a URI, so it is made
 * absolute. */
static enum status hold_path(struct db *db, const char *path, struct err *err)
{
    char full[FILE_PATH_MAX];
    bool is_plain = strncmp(path, "file:", 5) != 0;
    if (!is_plain)
        TRY(file_absolute(full, path, err));
    db->path = mem_strdup(is_plain ? path : full);
    if (db->path == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: a path");
    return OK;
}

/* The folder that a database and its log lie in. */
static bool can_write_beside(const char *path)
{
    char full[FILE_PATH_MAX], dir[FILE_PATH_MAX];
    return file_absolute(full, path, NULL) == OK &&
           file_dirname(dir, full, NULL) == OK &&
           faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == 0;
}

bool db_can_write(const char *path)
{
    return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 &&
           can_write_beside(path);
}

/* How many bytes a file beside the database has; -1: there is none. */
static int64_t size_beside(const char *path, const char *end)
{
    char full[FILE_PATH_MAX], name[FILE_PATH_MAX + 8];
    struct stat st;
    if (file_absolute(full, path, NULL) != OK)
        return -1;
    (void)snprintf(name, sizeof name, "%s%s", full, end);
    return stat(name, &st) == 0 ? (int64_t)st.st_size : -1;
}

/* What SQLite is to open.  It reads a log by an index that it makes beside it,
 * or that is there.  Where it cannot make one, a database without a log is told
 * to be immutable. */
static enum status name_to_open(struct buf *out, const struct db *db,
                                enum db_mode mode, struct err *err)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr"
                                "stuvwxyz0123456789-._~/";
    char full[FILE_PATH_MAX];
    int64_t log = mode == DB_READ ? size_beside(db->path, "-wal") : -1;
    bool has_index = log >= 0 && size_beside(db->path, "-shm") >= 0;
    if (mode != DB_READ || has_index || can_write_beside(db->path)) {
        buf_puts(out, db->path);
        return buf_status(out, err);
    }
    if (log > 0)
        return err_set(err, ERR_IO,
                       "%s: what came last is in %s-wal, which cannot be read "
                       "in a folder that cannot be written; copy both to one "
                       "that can",
                       db->path, db->path);
    TRY(file_absolute(full, db->path, err));
    buf_puts(out, "file:");
    for (const char *s = full; *s != '\0'; s++)
        if (strchr(plain, *s) != NULL)
            buf_putc(out, *s);
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*s);
    buf_puts(out, "?immutable=1");
    return buf_status(out, err);
}

enum status db_connect(struct db **out, const char *path, enum db_mode mode,
                       const struct db_schema *schema, struct err *err)
{
    struct db *db;
    struct buf name;
    enum status status = OK;
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
                SQLITE_OPEN_EXRESCODE |
                (mode == DB_READ ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI
                                 : SQLITE_OPEN_READWRITE);
    TRY(MEM_NEW(db, 1, err));
    buf_init(&name, 4 * FILE_PATH_MAX);
    db->schema = schema;
    TRY_DONE(hold_path(db, path, err));
    TRY_DONE(name_to_open(&name, db, mode, err));
    int code = sqlite3_open_v2(buf_text(&name), &db->handle, flags, NULL);
    if (db->handle == NULL)
        status = err_set(err, ERR_MEMORY, "out of memory: a connection");
    else if (code != SQLITE_OK)
        status = db_error(db, "open it", err);
    if (status != OK)
        goto done;
    TRY_DONE(harden(db, err));
    TRY_DONE(db_run(db, settings, err));
    *out = db;
done:
    buf_free(&name);
    if (status != OK)
        db_close(db);
    return status;
}

enum status db_open_again(struct db **out, const struct db *first,
                          enum db_mode mode, struct err *err)
{
    TRY(db_connect(out, first->path, mode, first->schema, err));
    memcpy((*out)->place, first->place, sizeof first->place);
    (*out)->version = first->version;
    return OK;
}

/* ---- where it lies ------------------------------------------------------ */

static const char *const endings[DB_FILES] = {"", "-wal", "-shm"};

/* Is it the file that stood there before?  The first one found is taken for
 * it. */
static bool is_same_file(struct db_place *place, const char *path)
{
    struct stat st;
    bool is_there = stat(path, &st) == 0;
    if (place->number == 0) {
        if (is_there)
            *place = (struct db_place){st.st_dev, st.st_ino};
        return true;
    }
    return is_there && place->device == st.st_dev && place->number == st.st_ino;
}

enum status db_check_place(struct db *db, struct err *err)
{
    for (size_t i = 0; i < DB_FILES; i++) {
        char name[FILE_PATH_MAX + 8];
        int n = snprintf(name, sizeof name, "%s%s", db->path, endings[i]);
        if (n > 0 && (size_t)n < sizeof name &&
            !is_same_file(&db->place[i], name))
            return err_set(err, ERR_BUSY,
                           "%s was removed or replaced while it was in use: "
                           "put it back, or start again",
                           name);
    }
    return OK;
}

/* ---- looking at a file -------------------------------------------------- */

static enum status read_number(int64_t *out, struct db *db, const char *pragma,
                               struct err *err)
{
    struct query q;
    TRY(query_open(&q, db, pragma, err));
    return query_one(out, &q, err);
}

static const char application_id[] = "PRAGMA application_id";
static const char user_version[] = "PRAGMA user_version";
static const char objects[] = "SELECT count(*) FROM sqlite_schema";

/* Nobody's yet: no tables and no marks. */
static enum status is_empty(bool *out, struct db *db, struct err *err)
{
    int64_t id, version, n;
    TRY(read_number(&id, db, application_id, err));
    TRY(read_number(&version, db, user_version, err));
    TRY(read_number(&n, db, objects, err));
    *out = id == 0 && version == 0 && n == 0;
    return OK;
}

/* Is it ours, and of a version that is known? */
static enum status check_marks(int *version, struct db *db, struct err *err)
{
    const struct db_schema *s = db->schema;
    int64_t id, v;
    TRY(read_number(&id, db, application_id, err));
    if (id != s->application_id)
        return err_set(err, ERR_FORMAT,
                       "%s is a database of another program, not %s", db->path,
                       s->what);
    TRY(read_number(&v, db, user_version, err));
    if (v > s->versions)
        return err_set(err, ERR_MISMATCH,
                       "%s was made by a newer Plumb: its schema is version "
                       "%lld, this program knows those up to %d",
                       db->path, (long long)v, s->versions);
    if (v < 1)
        return err_set(err, ERR_FORMAT, "%s: version %lld of the schema",
                       db->path, (long long)v);
    *version = (int)v;
    return OK;
}

/* The words of a schema, one row for each object. */
static const char schema_rows[] =
    "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema "
    "ORDER BY type, name, rowid";

static bool same_row(const struct query *a, const struct query *b)
{
    for (int c = 0; c < 4; c++) {
        const char *x = query_text(a, c);
        const char *y = query_text(b, c);
        if (x == NULL || y == NULL || strcmp(x, y) != 0)
            return false;
    }
    return true;
}

/* By type and name, as the rows are in order; the one that comes first is the
 * one that the other side lacks. */
static bool comes_first(const struct query *a, const struct query *b)
{
    int way = 0;
    for (int c = 0; c < 2 && way == 0; c++) {
        const char *x = query_text(a, c);
        const char *y = query_text(b, c);
        way = x == NULL || y == NULL ? 1 : strcmp(x, y);
    }
    return way < 0;
}

static enum status compare(struct query *ours, struct query *theirs,
                           struct err *err)
{
    bool mine = true, other = true;
    while (mine && other) {
        TRY(query_next(ours, &mine, err));
        TRY(query_next(theirs, &other, err));
        if (mine != other || (mine && !same_row(ours, theirs))) {
            const struct query *odd =
                !other || (mine && comes_first(ours, theirs)) ? ours : theirs;
            const char *name = query_text(odd, 1);
            return err_set(err, ERR_FORMAT,
                           "%s: its schema was changed at '%.60s'",
                           theirs->db->path, name != NULL ? name : "?");
        }
    }
    return OK;
}

/* The schema must be what the migrations make, to the letter. */
static enum status check_schema(struct db *db, int version, struct err *err)
{
    struct db *model;
    struct query ours, theirs;
    enum status status = OK;
    TRY(db_connect(&model, ":memory:", DB_WRITE, db->schema, err));
    for (int v = 0; v < version; v++)
        TRY_DONE(db_run(model, db->schema->migration[v], err));
    TRY_DONE(query_open(&ours, model, schema_rows, err));
    status = query_open(&theirs, db, schema_rows, err);
    if (status == OK) {
        status = compare(&ours, &theirs, err);
        query_close(&theirs);
    }
    query_close(&ours);
done:
    db_close(model);
    return status;
}

/* PRAGMAs that say nothing, or one "ok", when all is well. */
static enum status check_with(struct db *db, const char *pragma,
                              struct err *err)
{
    struct query q;
    bool row = false;
    TRY(query_open(&q, db, pragma, err));
    enum status status = query_next(&q, &row, err);
    const char *said = status == OK && row ? query_text(&q, 0) : "ok";
    if (status == OK && (said == NULL || strcmp(said, "ok") != 0))
        status = err_set(err, ERR_FORMAT, "%s is corrupt: %.200s", db->path,
                         said != NULL ? said : "?");
    query_close(&q);
    return status;
}

static enum status check_content(struct db *db, struct err *err)
{
    TRY(check_with(db, "PRAGMA quick_check(1)", err));
    return check_with(db,
                      "SELECT \"table\" || ' names a row that is not there' "
                      "FROM pragma_foreign_key_check LIMIT 1",
                      err);
}

static enum status check_file(struct db *db, void *ctx, struct err *err)
{
    int *version = ctx;
    TRY(check_marks(version, db, err));
    TRY(check_schema(db, *version, err));
    return check_content(db, err);
}

/* ---- bringing it up to date --------------------------------------------- */

/* One step; its transaction holds the right to write, so what another process
 * did meanwhile is seen. */
static enum status migrate_once(struct db *db, void *ctx, struct err *err)
{
    const struct db_schema *s = db->schema;
    bool *is_done = ctx;
    char marks[96];
    int64_t version;
    TRY(read_number(&version, db, user_version, err));
    if (version >= s->versions) {
        *is_done = true;
        return OK;
    }
    TRY(db_run(db, s->migration[version], err));
    (void)snprintf(marks, sizeof marks,
                   "PRAGMA application_id = %d; PRAGMA user_version = %d",
                   (int)s->application_id, (int)version + 1);
    return db_run(db, marks, err);
}

static enum status migrate(struct db *db, struct err *err)
{
    bool is_done = false;
    while (!is_done)
        TRY(db_transact(db, migrate_once, &is_done, err));
    return OK;
}

static enum status use_log(struct db *db, struct err *err)
{
    struct query q;
    bool row = false;
    TRY(query_open(&q, db, "PRAGMA journal_mode = WAL", err));
    enum status status = query_next(&q, &row, err);
    const char *mode = status == OK && row ? query_text(&q, 0) : NULL;
    if (status == OK && (mode == NULL || strcmp(mode, "wal") != 0))
        status = err_set(err, ERR_IO,
                         "%s: its file system cannot keep a write-ahead log; "
                         "choose a local disk",
                         db->path);
    query_close(&q);
    return status;
}

static enum status prepare(struct db *db, enum db_mode mode, struct err *err)
{
    bool is_new = false;
    int version = 0;
    TRY(is_empty(&is_new, db, err));
    if (is_new && mode != DB_CREATE)
        return err_set(err, ERR_FORMAT, "%s is empty, not %s", db->path,
                       db->schema->what);
    if (!is_new)
        TRY(db_snapshot(db, check_file, &version, err));
    int readable = db->schema->readable;
    db->version = mode == DB_READ ? version : db->schema->versions;
    if (mode == DB_READ &&
        version < (readable > 0 ? readable : db->schema->versions))
        return err_set(err, ERR_MISMATCH,
                       "%s: its schema is version %d, this program's %d; open "
                       "it for writing once%s",
                       db->path, version, db->schema->versions,
                       db_can_write(db->path) ? "" : ", a copy of it");
    if (mode == DB_READ)
        return OK;
    TRY(use_log(db, err));
    TRY(migrate(db, err));
    return db_check_place(db, err);
}

/* ---- the door ----------------------------------------------------------- */

bool db_is_sqlite(const char *path)
{
    static const char magic[] = "SQLite format 3";
    char full[FILE_PATH_MAX], head[sizeof magic];
    struct stat st;
    sqlite3 *handle = NULL;
    sqlite3_file *file = NULL;
    bool is = false;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
        file_absolute(full, path, NULL) != OK)
        return false;
    if (sqlite3_open_v2(full, &handle,
                        SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
                        NULL) == SQLITE_OK &&
        sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER,
                             (void *)&file) == SQLITE_OK &&
        file != NULL && file->pMethods != NULL)
        is = file->pMethods->xRead(file, head, sizeof head, 0) == SQLITE_OK &&
             memcmp(head, magic, sizeof head) == 0;
    (void)sqlite3_close_v2(handle);
    return is;
}

/* Where a file's first page has the program it is of, in four bytes. */
#define DB_MARK_AT 68

static bool has_mark(const char *path, const struct db_schema *schema)
{
    unsigned char head[DB_MARK_AT + 4];
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return false;
    size_t n = fread(head, 1, sizeof head, f);
    (void)fclose(f);
    const unsigned char *m = head + DB_MARK_AT;
    return n == sizeof head &&
           ((uint32_t)m[0] << 24 | (uint32_t)m[1] << 16 | (uint32_t)m[2] << 8 |
            m[3]) == (uint32_t)schema->application_id;
}

bool db_is_foreign(const char *path, const struct db_schema *schema)
{
    struct stat st;
    struct db *db = NULL;
    int64_t id = 0;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    /* No SQLite file: nobody in this process has a lock on it to lose. */
    if (!db_is_sqlite(path))
        return access(path, R_OK) == 0 && !has_mark(path, schema);
    if (st.st_size < DB_PAGE_MIN ||
        db_connect(&db, path, DB_READ, schema, NULL) != OK)
        return false;
    enum status status = read_number(&id, db, application_id, NULL);
    db_close(db);
    return status == OK && id != schema->application_id;
}

/* Make an empty file that only its owner reads; the log takes its rights from
 * it. */
static enum status make_file(bool *is_made, const char *path, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST)
        return file_error(err, "create", path);
    *is_made = fd >= 0;
    if (fd >= 0)
        (void)close(fd);
    return OK;
}

/* SQLite takes what is shorter than a page for nothing, and would begin anew
 * in it.  The file is not opened for this look: closing it again would drop the
 * locks that this process has on it. */
static enum status check_size(const char *path, const struct db_schema *schema,
                              struct err *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return file_error(err, "look at", path);
    if (st.st_size > 0 && st.st_size < DB_PAGE_MIN)
        return err_set(err, ERR_FORMAT, "%s is not a database, and not %s",
                       path, schema->what);
    return OK;
}

/* Take away what was made and could not be filled. */
static void remove_files(const char *path)
{
    for (size_t i = DB_FILES; i-- > 0;) {
        char name[FILE_PATH_MAX];
        int n = snprintf(name, sizeof name, "%s%s", path, endings[i]);
        if (n > 0 && (size_t)n < sizeof name)
            (void)unlink(name);
    }
}

void db_discard(struct db *db)
{
    char path[FILE_PATH_MAX];
    int n = snprintf(path, sizeof path, "%s", db->path);
    db_close(db);
    if (n > 0 && (size_t)n < sizeof path)
        remove_files(path);
}

enum status db_open(struct db **out, const char *path, enum db_mode mode,
                    const struct db_schema *schema, struct err *err)
{
    struct db *db = NULL;
    bool is_made = false;
    if (file_is_dir(path))
        return err_set(err, ERR_FORMAT, "%s is a directory, not %s", path,
                       schema->what);
    if (mode == DB_CREATE)
        TRY(make_file(&is_made, path, err));
    else
        TRY(file_need(path, err));
    enum status status = check_size(path, schema, err);
    if (status == OK)
        status = db_connect(&db, path, mode, schema, err);
    if (status == OK)
        status = prepare(db, mode, err);
    if (status != OK) {
        db_close(db);
        if (is_made)
            remove_files(path);
        return status;
    }
    db->is_made = is_made;
    *out = db;
    return OK;
}
