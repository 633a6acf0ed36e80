/*
 * needs.h - what a diagnosis would want and an import has not, with the flag of
 * that trainer that would write it.
 */
#ifndef PLUMB_IMPORT_NEEDS_H
#define PLUMB_IMPORT_NEEDS_H

#include "import/notes.h"

/* The member "missing" of an open object: a list of {"what","for","flag"},
 * cheapest first; flag is null where no flag of the trainer does it, and "note"
 * says what would. */
void needs_write(struct json_writer *w, const struct notes *n,
                 const char *trainer);

#endif
