/*
 * query.h - one statement: bind, step, read.
 *
 *     struct query q;
 *     bool found;
 *     TRY(query_open(&q, db, "SELECT name FROM judge WHERE id = ?1", err));
 *     query_bind_int(&q, 1, id);
 *     enum status status = query_next(&q, &found, err);
 *     if (status == OK && found)
 *         name = query_text(&q, 0);
 *     query_close(&q);
 *
 * Statements are prepared once for a connection and kept: the text must last
 * as long as it (a literal), since its address is what it is known by.  The
 * same one may be open several times at once.
 *
 * Failures of binding stick and are told by query_next().  Parameters count
 * from 1, columns from 0.
 */
#ifndef PLUMB_STORE_QUERY_H
#define PLUMB_STORE_QUERY_H

#include "base/arena.h"
#include "store/db.h"

struct query {
    struct db *db;
    size_t index; // of the kept statement
    int fault;    // SQLite's code of the first binding that failed
};

/* Failure: as db.h. */
enum status query_open(struct query *q, struct db *db, const char *sql,
                       struct err *err) MUST_CHECK;
void query_close(struct query *q);

/* Texts and blobs stay the caller's and must last until query_close();
 * NULL is SQL's NULL. */
void query_bind_int(struct query *q, int i, int64_t x);
void query_bind_real(struct query *q, int i, double x); // NaN: NULL
void query_bind_text(struct query *q, int i, const char *text);
void query_bind_blob(struct query *q, int i, const void *data, size_t len);
void query_bind_null(struct query *q, int i);

/* Step to the next row; *row is false behind the last one. */
enum status query_next(struct query *q, bool *row, struct err *err) MUST_CHECK;

/* Run a statement that gives no rows, and close the query; so that
 * `return query_run(&q, err)` ends a function. */
enum status query_run(struct query *q, struct err *err) MUST_CHECK;

/* The number in the first column of the first row, 0 without a row; closes the
 * query. */
enum status query_one(int64_t *out, struct query *q,
                      struct err *err) MUST_CHECK;

/* Call with the first column of each row, an id, and close the query; stops at
 * the first failure, which it returns. */
typedef enum status (*query_fn)(void *ctx, int64_t id, struct err *err);
enum status query_walk(struct query *q, query_fn fn, void *ctx,
                       struct err *err) MUST_CHECK;

/* Columns of the row.  What they point to lasts until the next step. */
bool query_is_null(const struct query *q, int column);
int64_t query_int(const struct query *q, int column);
double query_real(const struct query *q, int column);      // NULL: NaN
const char *query_text(const struct query *q, int column); // NULL: NULL

/* A blob of exactly `len` bytes into out; ERR_FORMAT when it has others. */
enum status query_blob(void *out, size_t len, const struct query *q, int column,
                       struct err *err) MUST_CHECK;

/* A copy of a text that lasts as long as the arena; NULL stays NULL. */
enum status query_copy(const char **out, const struct query *q, int column,
                       struct arena *a, struct err *err) MUST_CHECK;

#endif
