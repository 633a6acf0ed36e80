/*
 * policy_command.h - a program as a policy (io/outside.h): what it is asked.
 */
#ifndef PLUMB_RLHF_POLICY_COMMAND_H
#define PLUMB_RLHF_POLICY_COMMAND_H

#include "base/rng.h"
#include "io/dataset.h"
#include "io/outside.h"
#include "model/generate.h"

/*
 * The request for one reply to a prompt, which must outlive it.  The random
 * stream is the one that a model's tokens would come from: its first 31 bits
 * are the seed that the program is told, so that each reply has its own, the
 * same for the same run.
 */
struct outside_request policy_command_request(const struct record *prompt,
                                              const struct sampling *how,
                                              struct rng stream);

#endif
