/*
 * demo.h - the whole line on the built-in support desk, stage by stage, each
 * through the same calls as its own command.
 *
 *     D/world/   tokenizer, demonstrations, prompts to rank, to train on, and
 *                held out
 *     D/sft/     supervised fine-tuning
 *     D/human/   candidates, rankings, spot-checks
 *     D/reward/  D/ppo/  D/eval/  D/probes/  D/diagnosis.json  D/report.html
 */
#ifndef PLUMB_CLI_DEMO_H
#define PLUMB_CLI_DEMO_H

#include "base/buf.h"
#include "cli/session.h"
#include "world/mix.h"

struct demo {
    struct options *o;
    struct session *session;
    const char *dir;     // the project
    struct buf *summary; // the diagnosis on one screen, appended
    /* What it came to. */
    const char *verdict, *top_rival;
};

/* All stages; a finished one is passed over when the run is resumed. */
enum status demo_run(struct demo *d, struct err *err) MUST_CHECK;

/* The mix of the prompts that PPO trains on.  ERR_ARG when it is none, or when
 * it drifts over a file that PPO would shuffle. */
enum status demo_mix(struct mix *out, const struct options *o,
                     struct err *err) MUST_CHECK;

/* A stage of the project by its name and a path in it, as one string that
 * lives as long as the options. */
enum status demo_path(const char **out, const struct demo *d, const char *name,
                      struct err *err) MUST_CHECK;

/* What `plumb eval` is told about the project. */
struct heldout_config demo_heldout(const struct demo *d);

#endif
