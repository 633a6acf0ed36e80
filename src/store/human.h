/*
 * human.h - what people said of a project's pairs, wherever it is kept: in a
 * file of rows, or in the database they vote into.
 *
 * In D/human/ the database that `plumb label` serves and spotcheck.jsonl may
 * both lie.  The database is what people said last and all they said, and the
 * file may be an export of it, so only one is read: a database (NAME.db) in
 * which a vote on a spot-check stands, else the file.  Votes on what an alarm
 * queued do not make a database the one that is read.
 *
 * Rows are those of store/records.h, RECORDS_SPOTCHECK, from either; so the
 * numbers are the same from a database and from its export.
 */
#ifndef PLUMB_STORE_HUMAN_H
#define PLUMB_STORE_HUMAN_H

#include <stdbool.h>

#include "base/file.h"
#include "io/jsonl.h"

/* Is it an SQLite file, by its first bytes?  Of what cannot be read: no.
 * "project.db#POOL", a pool of one, is. */
bool human_is_database(const char *path);

/*
 * Which file to read the spot-checks of project D from: its path, which need
 * not exist when it is spotcheck.jsonl.  Databases that cannot be read are
 * failures, as db_open() has them; ERR_MISMATCH when two hold votes.
 */
enum status human_find(char out[FILE_PATH_MAX], const char *project,
                       struct err *err) MUST_CHECK;

/* The rows of such a file; of a database in the order of records_walk(), the
 * line being the row's number.  "project.db#POOL" is a pool of it alone.
 * Failure: as jsonl_read() or records_walk(); ERR_MISSING for no such pool. */
enum status human_read(const char *path, jsonl_fn fn, void *ctx,
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
