/*
 * db_internal.h - the connection, for db*.c and query.c, which alone know
 * SQLite.
 */
#ifndef PLUMB_STORE_DB_INTERNAL_H
#define PLUMB_STORE_DB_INTERNAL_H

#include <sqlite3.h>
#include <sys/types.h>

#include "store/db.h"

/* A prepared statement that is kept, known by the address of its text. */
struct db_statement {
    const char *sql;
    sqlite3_stmt *stmt;
    bool is_used;
};

/* Which file stood under a name; 0: none did yet. */
struct db_place {
    dev_t device;
    ino_t number;
};

#define DB_FILES 3 // the database, its log, the log's index

struct db {
    sqlite3 *handle;
    struct db_place place[DB_FILES];
    char *path;
    bool is_made; // the file, by this connection
    int version;  // of its schema
    const struct db_schema *schema;
    struct db_statement *statement; // [n]
    size_t n, room;
};

/* The last failure of the connection as a status, its words after "PATH:
 * cannot <verb>: ". */
enum status db_error(const struct db *db, const char *verb, struct err *err);

/* A kept statement that is not in use, prepared when there is none; hand it
 * back with db_put_back(). */
enum status db_statement(size_t *index, struct db *db, const char *sql,
                         struct err *err) MUST_CHECK;
void db_put_back(struct db *db, size_t index);

/* Let the connection's statements call plumb_digest() (db_digest.c). */
enum status db_add_digest(struct db *db, struct err *err) MUST_CHECK;

/* A connection as `mode` wants it, with nothing looked at yet. */
enum status db_connect(struct db **out, const char *path, enum db_mode mode,
                       const struct db_schema *schema,
                       struct err *err) MUST_CHECK;

#endif
