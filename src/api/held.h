/*
 * held.h - models as the C library hands them out.
 */
#ifndef PLUMB_API_HELD_H
#define PLUMB_API_HELD_H

#include "rlhf/reward_reader.h"
#include "rlhf/speaker.h"

struct plumb_model {
    struct speaker speaker;
};

struct plumb_reward_model {
    struct reward_reader reader;
};

#endif
