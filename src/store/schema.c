#include "store/schema.h"

const struct db_schema *schema_project(void)
{
    static const char *const migration[] = {schema_sql_1, schema_sql_2};
    static const struct db_schema project = {
        .what = "a Plumb project",
        .application_id = SCHEMA_APPLICATION_ID,
        .migration = migration,
        .versions = sizeof migration / sizeof *migration,
        /* The second one has what the choice of an item asks for. */
        .readable = 1,
    };
    return &project;
}
