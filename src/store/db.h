/*
 * db.h - a connection to an SQLite database of our own making.
 *
 *     struct db *db;
 *     TRY(db_open(&db, "project.db", DB_WRITE, schema_project(), err));
 *     enum status status = db_transact(db, do_it, &what, err);
 *     db_close(db);
 *
 * What a caller may rely on.  Write-ahead log with synchronous=FULL: what a
 * transaction wrote is on the disk when it returns OK, and after a kill or a
 * power cut it is there whole or not at all.  Foreign keys are enforced.  A
 * writer and any number of readers, in this process or others, do not wait for
 * each other; a second writer waits up to five seconds, then ERR_BUSY.
 *
 * A file is hostile until it was looked at.  db_open() refuses what is no
 * SQLite database, another program's, one of a newer version, one whose schema
 * is not to the letter what the migrations make (so no trigger, view or
 * expression in it is anybody else's), and one that PRAGMA quick_check or
 * foreign_key_check finds fault with.  Sizes are capped, schema functions are
 * not trusted, nothing is mapped.
 *
 * Failures, all "PATH: cannot ...: why":
 *     ERR_FULL     no room on the disk; nothing of the transaction was kept
 *     ERR_IO       the system refused otherwise; a folder or file that cannot
 *                  be written, and must be copied to be opened
 *     ERR_BUSY     another process wrote for too long
 *     ERR_FORMAT   corrupt, or no database of this kind
 *     ERR_MISMATCH of another version; a constraint was violated
 *     ERR_LIMIT    a value beyond DB_VALUE_MAX
 *     ERR_MEMORY
 *
 * A connection is one thread's at a time; open one for each.
 */
#ifndef PLUMB_STORE_DB_H
#define PLUMB_STORE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DB_VALUE_MAX (16 << 20) // bytes of a text, a blob or a row
#define DB_BUSY_MS 5000         // how long a writer waits for another

struct db; // opaque: the connection and its prepared statements

/* What databases of one kind look like. */
struct db_schema {
    const char *what;             // "a Plumb project", for messages
    int32_t application_id;       // told by it from other programs' files
    const char *const *migration; // [i] makes version i + 1 of version i
    int versions;                 // this program's, at least 1
    int readable; // the oldest version that readers need nothing newer than;
                  // 0: only this program's
};

enum db_mode {
    /* Must exist; never written, not even brought up to date: an older version
     * is read as it is, or refused.  The log's index beside it is written, but
     * in a folder that cannot be, where a database whose log is empty or gone
     * is read as it lies there and taken not to change meanwhile. */
    DB_READ,
    DB_WRITE,  // must exist; of an older version: the migrations that it
               // lacks are run, each a transaction of its own
    DB_CREATE, // the same, and made when absent or empty: whole or not at
               // all, readable by its owner only
};

/* Is it an SQLite file, by its first bytes?  Of what cannot be read: no.  The
 * look does not drop locks that this process has on the file, as opening and
 * closing it otherwise would. */
bool db_is_sqlite(const char *path);

/* Is there a file that is surely none of this schema's: no SQLite file and
 * without its mark, nobody's yet, or another program's?  What is damaged is not
 * told from what is whole, and what cannot be read is none. */
bool db_is_foreign(const char *path, const struct db_schema *schema);

/* Open and check.  ERR_MISSING when absent.  `schema` must outlive it. */
enum status db_open(struct db **out, const char *path, enum db_mode mode,
                    const struct db_schema *schema, struct err *err) MUST_CHECK;

/* One more connection to what this process has checked already, for another
 * thread; `mode` is DB_READ or DB_WRITE. */
enum status db_open_again(struct db **out, const struct db *first,
                          enum db_mode mode, struct err *err) MUST_CHECK;

/* Fine on NULL.  The last one to close puts the log into the database. */
void db_close(struct db *db);

/* Close and remove the file, which this connection must have made. */
void db_discard(struct db *db);

const char *db_path(const struct db *db);

/*
 * Do the database and its log still stand under their names?  ERR_BUSY when
 * one was removed, or another put in its place: what is written then goes into
 * files that nobody finds again.  Three looks at the folder, nothing opened.
 */
enum status db_check_place(struct db *db, struct err *err) MUST_CHECK;

/* Did this connection make the file? */
bool db_is_made(const struct db *db);

/* The version of its schema: this program's, but where an older one is read as
 * it is. */
int db_version(const struct db *db);

/* Is it one that is only read? */
bool db_is_still(const struct db *db);

/* May this process write a file and, for its log, beside it? */
bool db_can_write(const char *path);

/* What runs inside a transaction. */
typedef enum status (*db_fn)(struct db *db, void *ctx, struct err *err);

/*
 * Run fn in a transaction that takes the right to write at once, and commit
 * when it returns OK; else, or when committing fails, nothing of it was done.
 * Inside another transaction it is a part of that: undone alone when fn fails,
 * on the disk when the outer one is.
 */
enum status db_transact(struct db *db, db_fn fn, void *ctx,
                        struct err *err) MUST_CHECK;

/* Run fn on what the database holds at one moment, whatever is written
 * meanwhile. */
enum status db_snapshot(struct db *db, db_fn fn, void *ctx,
                        struct err *err) MUST_CHECK;

/* Has a transaction begun on this connection and not ended?  A full disk may
 * end it from within. */
bool db_is_inside(const struct db *db);

/* Run SQL without parameters or results, one or more statements. */
enum status db_run(struct db *db, const char *sql, struct err *err) MUST_CHECK;

/* The id of the row inserted last by this connection. */
int64_t db_last_id(const struct db *db);

/* Rows that the last INSERT, UPDATE or DELETE changed. */
int64_t db_changes(const struct db *db);

/* Let the database grow no further than to this many pages (of 4096 bytes);
 * beyond, ERR_FULL.  For this connection alone. */
enum status db_limit_pages(struct db *db, int64_t pages,
                           struct err *err) MUST_CHECK;

#endif
