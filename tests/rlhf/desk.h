/*
 * desk.h - a support desk small enough for a test: data, a model of some
 * thousand parameters, and the three stages run on it.
 */
#ifndef PLUMB_TESTS_RLHF_DESK_H
#define PLUMB_TESTS_RLHF_DESK_H

#include "rlhf/ppo.h"
#include "rlhf/reward_model.h"
#include "rlhf/sft.h"

struct desk {
    char dir[256]; // a temporary directory of its own
    struct context context;
    size_t shards;
    uint64_t seed;
    int precision; // enum model_precision; desk_open() has it in float
};

/* A fresh directory with tokenizer, 96 demonstrations, 24 rankings, 32
 * prompts; every call asserts. */
void desk_open(struct desk *d, size_t threads);
void desk_close(struct desk *d);

/* DIR/name, in one of a few static buffers. */
const char *desk_path(const struct desk *d, const char *name);

/* Default settings of the stages, pointing into the directory. */
struct sft_config desk_sft(const struct desk *d);
struct reward_config desk_reward(const struct desk *d);
struct ppo_config desk_ppo(const struct desk *d);

/* What a stage is told: its directory by name and how to open it. */
struct stage desk_stage(struct desk *d, const char *name, enum run_mode mode);

/* Run SFT and reward-model training into sft/ and reward/. */
void desk_prepare(struct desk *d);

/* SHA-256 of a file; the newest checkpoint's model or trainer state. */
void desk_hash(char out[65], const struct desk *d, const char *name);

#endif
