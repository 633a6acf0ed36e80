/*
 * human.h - what people said of a project's pairs, wherever it is kept: in a
 * file of rows, or in the database they vote into.
 *
 * In D/human/ databases that `plumb label` serves and spotcheck.jsonl may lie
 * side by side.  A database (NAME.db) is what people said last and all they
 * said, and the file may be an export of it.  So all databases are read, in
 * the order of their names, and the file only where none of them holds more
 * than votes on what an alarm queued (store/slices.h).
 *
 * A NAME.db that is no Plumb project (db_is_foreign()) is passed over, and
 * named by human_passed(); one that is damaged, or a newer Plumb's, is a
 * failure.
 *
 * Rows are those of store/records.h, RECORDS_SPOTCHECK, from either; so the
 * numbers are the same from a database and from its export.
 */
#ifndef PLUMB_STORE_HUMAN_H
#define PLUMB_STORE_HUMAN_H

#include <stdbool.h>

#include "base/file.h"
#include "io/jsonl.h"

/* Is it an SQLite file, by its first bytes, or a folder that stands for all of
 * them?  Of what cannot be read: no.  "project.db#POOL", a pool of one, is. */
bool human_is_database(const char *path);

/*
 * Where to read the spot-checks of project D from: its spotcheck.jsonl, which
 * need not exist, or the folder D/human when votes stand in a database there.
 * Databases that cannot be read are failures, as db_open() has them.
 */
enum status human_find(char out[FILE_PATH_MAX], const char *project,
                       struct err *err) MUST_CHECK;

/* What holds votes that are read of such a path, for messages: "human/a.db and
 * human/b.db".  Cut short where there are very many. */
#define HUMAN_NAMES 256
void human_names(char out[HUMAN_NAMES], const char *path);

/* What is passed over in D/human, in the same form; "" for nothing. */
enum status human_passed(char out[HUMAN_NAMES], const char *project,
                         struct err *err) MUST_CHECK;

/* The database that a project's people vote into: the one that is there, else
 * human/judgements.db. */
enum status human_database(char out[FILE_PATH_MAX], const char *project,
                           struct err *err) MUST_CHECK;

/* Call with the path of each database of a project, by their names. */
typedef enum status (*human_fn)(void *ctx, const char *path, struct err *err);
enum status human_walk(const char *project, human_fn fn, void *ctx,
                       struct err *err) MUST_CHECK;

/* What reading a folder came upon (store/once.h). */
struct human_notes {
    size_t again;     // rows that are copies of others: counted once
    size_t changed;   // those of them that differ: the later vote counts
    size_t namesakes; // rows of one name and pair that are no copies
};

/* The rows of such a file or folder, of a folder each vote once; of a database
 * in the order of records_walk(), the line being the row's number.
 * "project.db#POOL" is a pool of it alone.  Failure: as jsonl_read() or
 * records_walk(); ERR_MISSING for no such pool. */
enum status human_read(const char *path, jsonl_fn fn, void *ctx,
                       struct err *err) MUST_CHECK;
enum status human_read_noting(struct human_notes *out, const char *path,
                              jsonl_fn fn, void *ctx,
                              struct err *err) MUST_CHECK;

/*
 * The rankings of a database as a file of their own, named by what is in it:
 * PATH.votes/HASH.jsonl, HASH being the first 16 digits of its SHA-256.  So a
 * run that was trained on them can name exactly these, whatever is voted
 * later.  ERR_MISSING when no ranking stands; `pool` may be NULL: that of the
 * path "project.db#POOL", else all of them.
 */
enum status human_rankings(char out[FILE_PATH_MAX], const char *path,
                           const char *pool, struct err *err) MUST_CHECK;

#endif
