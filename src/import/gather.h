/*
 * gather.h - what the sinks of all source files left becomes the project.
 *
 * Rows of one step come together from all files, in the order of the files.  Of
 * two rows with one prompt and one sample's number the later counts; rows
 * without a number are the same when they say the same in another file or in
 * another pass, and else get the next number of their prompt.  Where the steps
 * of a file go back, a few times, its earlier pass of a step is what a resumed
 * run did over: the later pass counts.  A file whose steps go back more often
 * than GATHER_PASSES_MAX is in no order, and all of it counts.
 *
 * What two files say differently of one step is told: they may be two runs.
 *
 * Memory: 40 bytes for each row of one step, 16 for each value of a metric and
 * 16 more while they are sorted.
 */
#ifndef PLUMB_IMPORT_GATHER_H
#define PLUMB_IMPORT_GATHER_H

#include "base/context.h"
#include "base/file.h"
#include "import/notes.h"

#define GATHER_PASSES_MAX 8
#define GATHER_VALUES_MAX ((size_t)1 << 25)

/* Write ppo/, eval/, human/ and judge/ of `out` from the folders of `state`, a
 * run of `trainer` ("": not known); what was found is added to `notes`, and so
 * is what each done.json says. */
enum status gather_project(struct notes *notes, const char *trainer,
                           const char *out, const char *state,
                           const struct context *context,
                           struct err *err) MUST_CHECK;

/* The lines of the file `name` in each folder of `state`; *at (may be NULL) is
 * the folder's number while its lines are walked. */
typedef enum status (*gather_line_fn)(void *ctx, const char *text, size_t len,
                                      struct err *err);
enum status gather_walk(const char *state, const struct file_list *list,
                        const char *name, size_t *at, gather_line_fn fn,
                        void *ctx, struct err *err) MUST_CHECK;

/* The path of the source file whose folder has this number. */
enum status gather_source(char out[FILE_PATH_MAX], const char *state,
                          const struct file_list *list, size_t file,
                          struct err *err) MUST_CHECK;

/* ppo/config.yaml, and what the settings say of the curves in `notes`
 * (gather_settings.c). */
enum status gather_settings(struct notes *notes, const char *trainer,
                            const char *out, const char *state,
                            const struct file_list *list,
                            struct err *err) MUST_CHECK;

/* The rows alone (gather_rows.c); passes[k] is how often the steps of source
 * file k went back. */
enum status gather_rollouts(struct notes *notes, const char *out,
                            const char *state, const struct file_list *list,
                            const size_t *passes, const struct context *context,
                            struct err *err) MUST_CHECK;

#endif
