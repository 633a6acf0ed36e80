/*
 * checkpoint_internal.h - what the files of a checkpoint's reader and writer
 * share: checkpoint.c (the model and the folder) and checkpoint_trainer.c (the
 * state of training).
 */
#ifndef PLUMB_MODEL_CHECKPOINT_INTERNAL_H
#define PLUMB_MODEL_CHECKPOINT_INTERNAL_H

#include "base/file.h"
#include "model/checkpoint.h"

/* Write c's trainer files into the folder `dir`; and on the ranks that do not
 * write, hand the writing one what it asks for. */
enum status checkpoint_trainer_write(const char *dir,
                                     const struct checkpoint *c,
                                     struct err *err) MUST_CHECK;
enum status checkpoint_trainer_lend(const struct checkpoint *c,
                                    struct err *err) MUST_CHECK;

/* A file of a folder, which must be there: ERR_MISSING. */
enum status checkpoint_need_file(char path[FILE_PATH_MAX], const char *dir,
                                 const char *name, struct err *err) MUST_CHECK;

/* The folder, or a word on where an interrupted replacement left it. */
enum status checkpoint_need_folder(const char *dir, struct err *err) MUST_CHECK;

#endif
