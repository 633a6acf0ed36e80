/*
 * run_files.h - what counts as a checkpoint, for run.c and run_files.c.
 */
#ifndef PLUMB_IO_RUN_FILES_H
#define PLUMB_IO_RUN_FILES_H

#include <stdbool.h>
#include <stdint.h>

/* The step a name of digits stands for; false for any other name. */
bool run_files_step(int64_t *step, const char *name);

/* Does the folder hold an adapter (model/adapter.h) and its values? */
bool run_files_is_adapter(const char *dir);

/* Does the folder dir/name hold a whole model or adapter? */
bool run_files_is_whole(const char *dir, const char *name);

#endif
