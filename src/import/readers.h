/*
 * readers.h - the sniff and read functions of all formats: one pair for each
 * row of formats.c, in a file for each family.
 */
#ifndef PLUMB_IMPORT_READERS_H
#define PLUMB_IMPORT_READERS_H

#include "import/reader.h"
#include "import/sniff.h"

/* generic.c: any JSON Lines, any table */
double generic_sniff_jsonl(const struct head *h);
enum status generic_read_jsonl(struct reader *r, struct err *err) MUST_CHECK;
double generic_sniff_csv(const struct head *h);
enum status generic_read_csv(struct reader *r, struct err *err) MUST_CHECK;

/* verl.c */
double verl_sniff_rollouts(const struct head *h);
enum status verl_read_rollouts(struct reader *r, struct err *err) MUST_CHECK;

#endif
