/*
 * stage.h - what every training stage is told besides its own settings.
 */
#ifndef PLUMB_RLHF_STAGE_H
#define PLUMB_RLHF_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/context.h"
#include "io/run.h"
#include "rlhf/corpus.h"

struct stage {
    const char *out; // run directory
    enum run_mode mode;
    const char *config; // text of config.yaml, every option resolved
    uint64_t seed;
    size_t shards;           // pieces a batch is cut into; part of the result
    int precision;           // enum model_precision, of what is not trained
    int reduce;              // enum reduce_format, of gradients between ranks
    struct data_config data; // how data files are read
    struct context *context;
};

/* An adapter to train in place of the parameters (model/lora.h). */
struct adapter_config {
    int64_t rank; // 0: none, train every parameter
    double alpha;
    const char *targets; // for lora_parse_targets(); NULL: "all-linear"
    bool rslora;
};

/* Settings of AdamW and its schedule, shared by all stages. */
struct optimizer_config {
    double lr;
    double lr_min;  // the schedule ends at lr * lr_min
    int64_t warmup; // updates of linear warm-up (PPO: iterations)
    int schedule;   // enum schedule of rlhf/schedule.h
    double beta1, beta2, eps;
    double weight_decay;
    double clip; // gradient norm bound, 0: off
    int reduce;  // the stage's
};

#endif
