/*
 * measurements.h - what would decide an undecided diagnosis, in an order that
 * can be followed: what one command makes the next one reads.
 *
 *     trace   ppo/checkpoints/ and ppo/rollouts/   of the models and prompts
 *                                                  that ppo/config.yaml names
 *     eval    eval/                                of those and ppo/checkpoints
 *     panel   human/spotcheck.jsonl                of eval/samples.jsonl
 *     probe   probes/                              of eval/ and the models
 *
 * Settings that name a path are looked up; what a name in the Hugging Face
 * cache stands for is taken to be there.
 */
#ifndef PLUMB_DIAGNOSE_MEASUREMENTS_H
#define PLUMB_DIAGNOSE_MEASUREMENTS_H

#include "diagnose/evidence.h"
#include "diagnose/rivals.h"

/* In the order in which they can be made. */
enum measurement {
    MEASUREMENT_TRACE,
    MEASUREMENT_EVAL,
    MEASUREMENT_PANEL,
    MEASUREMENT_PROBE,
    MEASUREMENTS
};

/* "trace", "eval", "panel", "probe": rows of remedy_table.h. */
const char *measurements_id(enum measurement m);

/* The title of one whose inputs are not there. */
const char *measurements_title_later(enum measurement m);

/*
 * The first file that it reads and that is not there, into out; false when all
 * are.
 */
bool measurements_lack(char out[FILE_PATH_MAX], enum measurement m,
                       const struct evidence *e);

/* The same of plumb whatif, which trains the recorded stages again. */
bool measurements_lack_whatif(char out[FILE_PATH_MAX],
                              const struct evidence *e);

/* Put one behind the n of a list, and before it those that make what it reads
 * and that is not there; a training run only where it can be had.  Returns how
 * many the list has then. */
size_t measurements_add(enum measurement list[MEASUREMENTS], size_t n,
                        enum measurement m, const struct evidence *e);

/*
 * Which to make, the most wanted first, as measurements_add() puts them.
 * Wanted are the files of the rows that are not measurable among the signs of
 * the first three rivals: those that are lost, and where none is, more prompts.
 * Returns how many.
 */
size_t measurements_wanted(enum measurement out[MEASUREMENTS],
                           const struct evidence *e, const struct rows *rows,
                           const struct rival *rivals);

#endif
