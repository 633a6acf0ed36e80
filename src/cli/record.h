/*
 * record.h - the text of a run's config.yaml.
 *
 * Every recorded option of the stage (of all stages, for the demo), resolved.
 * Parents (models, data) are named by their path relative to the run directory
 * and by SHA-256 (of model.safetensors, of tokenizer.json, of the data file),
 * so that `plumb STAGE -c RUN/config.yaml --out NEW` repeats the run or
 * refuses because a parent has changed.  Threads, times and the run's own
 * place are not in it.  `compute` is what it came to, never auto: the same
 * numbers on another processor, and what a diagnosis judges ratios by.
 */
#ifndef PLUMB_CLI_RECORD_H
#define PLUMB_CLI_RECORD_H

#include "cli/options.h"

/*
 * Find the parents of a stage, replace their options by what was found (a run
 * by its newest checkpoint), settle `compute`, compare their hashes with those
 * that a settings file named, and append the text to `out`.  ERR_MISSING: no
 * such parent.  ERR_MISMATCH: a parent is not the one that was recorded.
 */
enum status record_config(struct buf *out, struct options *o,
                          enum option_command command, const char *dir,
                          struct err *err) MUST_CHECK;

#endif
