/*
 * gold.h - the support desk's gold judgement in the rollouts of a PPO run.
 *
 * A prompt that carries a "ticket" (world/tickets.h) has its response judged;
 * one that does not is left alone.  What is written is for the evaluation to
 * read: training never sees it.
 */
#ifndef PLUMB_CLI_GOLD_H
#define PLUMB_CLI_GOLD_H

#include "rlhf/ppo.h"

/* Adds "gold" and "help" to trace rows. */
extern const struct ppo_annotator gold_annotator;

#endif
