/*
 * labelling.h - the sub-words of plumb label, a function each, and what they
 * share.
 */
#ifndef PLUMB_CLI_LABELLING_H
#define PLUMB_CLI_LABELLING_H

#include "base/file.h"
#include "base/json.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "store/project.h"

/* Called with the project open and the words behind its path. */
typedef enum status (*labelling_fn)(const struct options *o, struct db *db,
                                    struct err *err);

enum status labelling_serve(const struct options *o, struct db *db,
                            struct err *err) MUST_CHECK;
enum status labelling_standing(const struct options *o, struct db *db,
                               struct err *err) MUST_CHECK;
enum status labelling_load(const struct options *o, struct db *db,
                           struct err *err) MUST_CHECK;
enum status labelling_choose(const struct options *o, struct db *db,
                             struct err *err) MUST_CHECK;

enum status labelling_export(const struct options *o, struct db *db,
                             struct err *err) MUST_CHECK;
enum status labelling_restore(const struct options *o, struct db *db,
                              struct err *err) MUST_CHECK;

/*
 * Draw the replies that --policy asks for and write them beside the project,
 * `out`: PROJECT.samples-POOL.jsonl.  ERR_ARG when an option is missing.
 */
enum status labelling_draw(char out[FILE_PATH_MAX], const struct options *o,
                           const struct db *db, struct err *err) MUST_CHECK;

/* What choose does, told but not printed. */
enum status labelling_choose_first(const struct options *o, struct db *db,
                                   struct err *err) MUST_CHECK;

/* Milliseconds since the epoch. */
int64_t labelling_now(void);

/* Where this command's warnings go; `t` is to last as long as `c`. */
void labelling_context(struct context *c, struct terminal *t,
                       const struct options *o);

/* A document of a sub-word for --json, begun with its schema and version:
 * "plumb.label/1". */
void labelling_begin_json(struct json_writer *w, struct buf *out,
                          const char *word);

#endif
