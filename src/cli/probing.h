/*
 * probing.h - a project as its evaluation and its runs recorded it, and the
 * probes of it.
 */
#ifndef PLUMB_CLI_PROBING_H
#define PLUMB_CLI_PROBING_H

#include "cli/place.h"
#include "cli/session.h"
#include "eval/probe.h"

struct probing {
    struct place at;
    struct json *settings; // eval/settings.json
    struct options run, reward, sft;
    char policy[FILE_PATH_MAX], reference[FILE_PATH_MAX];
    char reward_model[FILE_PATH_MAX], prompts[FILE_PATH_MAX];
    struct err no_reward, no_sft; // why they are not there
    struct probe_config config;   // points into all this and the options
};

/* What is to be probed, from the files of the project; ERR_MISSING when there
 * is no evaluation.  `at` and `o` must outlive it. */
enum status probing_open(struct probing *out, const struct place *at,
                         const struct options *o, struct err *err) MUST_CHECK;
void probing_close(struct probing *p);

/* All of it: open, run, close; result [probe_count]. */
enum status probing_run(struct probe_result *result, const struct place *at,
                        const struct options *o, const struct context *context,
                        struct err *err) MUST_CHECK;

/* The same of a project that an import made: there is no model, and what can
 * be is asked of o->v.outside.reward; ERR_ARG: that is not given. */
enum status probing_imported_run(struct probe_result *result,
                                 const char *project, const struct options *o,
                                 const struct context *context,
                                 struct err *err) MUST_CHECK;

#endif
