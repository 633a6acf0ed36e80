/*
 * schema.h - the versions of a project's database.
 *
 * schema.sql is version 1 and is never edited after a release.  A change is a
 * file migration_N.sql, embedded beside it and appended to the table in
 * schema.c: run once, in one transaction, on databases of version N - 1.
 */
#ifndef PLUMB_STORE_SCHEMA_H
#define PLUMB_STORE_SCHEMA_H

#include "store/db.h"

extern const char schema_sql_1[]; // the text of schema.sql
extern const char schema_sql_2[]; // of migration_2.sql

/* "PLMB" in the file's header. */
#define SCHEMA_APPLICATION_ID 0x504c4d42

const struct db_schema *schema_project(void);

#endif
