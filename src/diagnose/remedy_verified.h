/*
 * remedy_verified.h - what plumb whatif saw of a remedy, from result.json.
 */
#ifndef PLUMB_DIAGNOSE_REMEDY_VERIFIED_H
#define PLUMB_DIAGNOSE_REMEDY_VERIFIED_H

#include "diagnose/remedy_table.h"

/*
 * Fills effect[].observed and is_inside, seeds and claim of a remedy whose name
 * the document holds; leaves the rest as it is.  An effect is that over seeds
 * (its interval Student's), of one seed its own (its interval over prompts).
 * Of the cost it is the ratio of tokens drawn, mean, least and most over seeds;
 * 0 where the answer is the best of several samples, which trains nothing.
 * `claim` is that of the measure the remedy is meant to move (row->target).
 *
 *   result  whatif/result.json, or NULL: not re-run
 */
void remedy_verified_read(struct remedy *r, const struct remedy_row *row,
                          const struct json *result);

#endif
