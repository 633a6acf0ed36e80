/*
 * probed.h - a small trained and evaluated desk with all that its probes are
 * told, for tests of probes.
 */
#ifndef PLUMB_TESTS_EVAL_PROBED_H
#define PLUMB_TESTS_EVAL_PROBED_H

#include "desk.h"
#include "eval/probe.h"

enum {
    PROBED_PROMPTS = 12,
    PROBED_SAMPLES = 2,
    PROBED_MAX_NEW = 40,
    PROBED_ITERATIONS = 3, // of PPO, each with a checkpoint
};

struct probed {
    struct desk desk;
    char policy[512], reference[512], reward_model[512], prompts[512];
    char run[512], start[512], ppo_prompts[512], rankings[512], demos[512],
        trunk[512];
    struct ppo_config ppo;
    struct reward_config reward;
    struct sft_config sft;
    struct probe_config config;
};

/* Train, evaluate, and describe; every call asserts.  The same in another
 * precision (enum model_precision) than float. */
void probed_open(struct probed *p, size_t threads);
void probed_open_as(struct probed *p, size_t threads, int precision);
void probed_close(struct probed *p);

/* Put demonstrations of the desk in the place of the samples: replies with
 * sentences, which a model as small as this one does not give. */
void probed_write_samples(const struct probed *p);

/* Run the probes that p->config.only names; the result is static. */
const struct probe_result *probed_run(struct probed *p);
enum status probed_try(struct probe_result *result, struct probed *p,
                       struct err *err);

/* The result of one probe by its name. */
const struct probe_result *probed_result(const struct probe_result *result,
                                         const char *name);

/* D/probes/NAME.json; free with json_free(). */
struct json *probed_read(const struct probed *p, const char *name);

/* A column of such a file, which must have `rows` entries unless that is
 * SIZE_MAX. */
const struct json *probed_column(const struct json *root, const char *name,
                                 size_t rows);

#endif
