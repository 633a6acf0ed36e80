/*
 * place.h - the project that an operand RUN means, and what the runs in it
 * recorded of themselves.
 */
#ifndef PLUMB_CLI_PLACE_H
#define PLUMB_CLI_PLACE_H

#include "base/file.h"
#include "cli/options.h"

struct place {
    char project[FILE_PATH_MAX]; // D
    char run[FILE_PATH_MAX];     // its ppo run
};

/* `given` is a project D, or D/ppo; `project` (may be NULL) names another
 * directory for what is written.  ERR_MISSING: it holds no ppo run, or one that
 * was imported. */
enum status place_find(struct place *out, const char *given,
                       const char *project, struct err *err) MUST_CHECK;

/* Did an import make it?  Then no model is there, and place_find() refuses it.
 */
bool place_is_imported(const char *project);

/*
 * The settings in DIR/config.yaml, which must be those of `stage` (FOR_SFT,
 * FOR_REWARD or FOR_PPO): another stage's run has such a file too, without what
 * this one needs.  ERR_MISSING when it is not.  Free with options_free().
 */
enum status place_read_run(struct options *out, const char *dir,
                           enum option_command stage,
                           struct err *err) MUST_CHECK;

/* The SHA-256 that a run recorded of the file behind a key ("reward.data"), or
 * NULL; lives as long as the options. */
const char *place_recorded_hash(const struct options *run, const char *key);

#endif
