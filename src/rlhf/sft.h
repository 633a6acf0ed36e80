/*
 * sft.h - supervised fine-tuning on demonstrations.
 *
 *     loss = sum over reply tokens of -logp
 *          + prompt_weight * sum over prompt tokens of -logp,
 *     divided by the data set's mean reply tokens per batch: a constant, so
 *     that a batch of short replies does not weigh more per token.
 *
 * A target that may never be sampled (<agent>) does not count.
 */
#ifndef PLUMB_RLHF_SFT_H
#define PLUMB_RLHF_SFT_H

#include <stdbool.h>

#include "io/tokenizer.h"
#include "model/config.h"
#include "rlhf/stage.h"

struct sft_config {
    const char *data;      // demonstrations, JSON Lines
    const char *model;     // folder to start from, or NULL: a new model
    const char *tokenizer; // tokenizer folder, needed for a new model
    int64_t epochs;
    int64_t batch; // sequences per update
    double prompt_weight;
    int64_t save_every; // updates between checkpoints, 0: only the last
    int64_t log_every;
    int64_t max_tokens; // of a sequence; longer ones: data_config.too_long
    double holdout;     // share of the data kept for validation
    struct optimizer_config optimizer;
    struct adapter_config adapter; // needs a model to start from
    /* shape of a new model */
    int64_t channels, layers, heads, kv_heads, feed_forward, positions;
    bool tied;
};

/* What the ranges of single settings cannot say: ERR_ARG naming them. */
enum status sft_check(const struct sft_config *c, struct err *err) MUST_CHECK;

/* The shape of a new model: the settings', with the tokenizer's vocabulary
 * and its <eos> and <pad>.  c->heads > 0. */
struct model_config sft_shape(const struct sft_config *c,
                              const struct tokenizer *tokenizer);

/* How many of the run's n records it trains on: the first so many, the others
 * are held out. */
size_t sft_training_records(const struct sft_config *c, size_t n);

/* Train into stage->out and write its result; ERR_STOPPED and ERR_NUMERIC as
 * in trainer_loop(). */
enum status sft_run(const struct sft_config *c, const struct stage *stage,
                    struct err *err) MUST_CHECK;

#endif
