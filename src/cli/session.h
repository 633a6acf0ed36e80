/*
 * session.h - what a command needs around its library call: workers, a
 * terminal to draw on, a clock, the request to stop.
 */
#ifndef PLUMB_CLI_SESSION_H
#define PLUMB_CLI_SESSION_H

#include "base/file.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "rlhf/stage.h"

struct session {
    struct team *team;
    struct terminal terminal;
    struct context context;
    double began; // seconds, of terminal_now()
};

/* Start the workers that --threads asks for. */
enum status session_open(struct session *s, const struct options *o,
                         const char *stage, struct err *err) MUST_CHECK;
void session_close(struct session *s);

/* Tell how long the session took and the most memory the process ever had. */
void session_tell_cost(const struct session *s);

/*
 * Seconds since the epoch; SOURCE_DATE_EPOCH when it is set, so that every
 * byte written can be the same again.
 */
double session_clock(void);

/* Could the file that --out names be written, as far as can be told before the
 * work is done?  ERR_IO when it is a directory, or lies in one that is absent
 * or not ours to write in. */
enum status session_check_file(const struct options *o,
                               struct err *err) MUST_CHECK;

/* A new folder for files that nobody keeps; the caller removes it. */
enum status session_temporary(char out[FILE_PATH_MAX],
                              struct err *err) MUST_CHECK;

/* How --resume and --overwrite ask a run directory to be opened. */
enum status session_mode(enum run_mode *out, const struct options *o,
                         struct err *err) MUST_CHECK;

/*
 * Do all ranks multiply with the same instructions?  ERR_MISMATCH: their sums
 * would be rounded in other places, and what each rank computes for itself from
 * numbers that are to be identical would be different.  Collective.
 */
enum status session_check_processors(const struct options *o,
                                     struct err *err) MUST_CHECK;

/*
 * Prepare a training stage: its directory can be made, parents are found and
 * hashed, `config` holds the text of config.yaml.  The stage points into
 * `dir`, `config` and `s`, which must outlive it.
 */
enum status session_stage(struct stage *out, struct buf *config,
                          struct options *o, enum option_command command,
                          const char *dir, struct session *s,
                          struct err *err) MUST_CHECK;

/*
 * A training command from start to end: session, stage, fn, and result.json
 * on standard output when --json asks for it.  With --dry-run only the plan
 * is printed.
 */
typedef enum status (*session_fn)(const struct options *o,
                                  const struct stage *stage, struct err *err);
enum status session_train(struct options *o, enum option_command command,
                          const char *name, session_fn fn,
                          struct err *err) MUST_CHECK;

#endif
