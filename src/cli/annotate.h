/*
 * annotate.h - the support desk's own judgement of a reply, for PPO's traces.
 */
#ifndef PLUMB_CLI_ANNOTATE_H
#define PLUMB_CLI_ANNOTATE_H

#include "rlhf/ppo.h"

/*
 * An annotator that writes "gold" and "help" (world/judge.h) for prompts that
 * carry a "ticket", and nothing for others.  Needs no context.
 */
struct ppo_annotator annotate_gold(void);

#endif
