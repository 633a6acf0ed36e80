/*
 * reward_internal.h - the state of a reward model's training, shared by its
 * two files: the stage (reward_model.c) and the passes over a batch
 * (reward_batch.c).
 */
#ifndef PLUMB_RLHF_REWARD_INTERNAL_H
#define PLUMB_RLHF_REWARD_INTERNAL_H

#include "rlhf/corpus.h"
#include "rlhf/reward_length.h"
#include "rlhf/reward_model.h"
#include "rlhf/trainer.h"

/* What prompts gave. */
struct reward_tally {
    double loss;
    double score, score_min, score_max, responses; // sum, ..., count
    double margin; // sum over pairs of better minus worse
    double tokens;
    struct pair_count pairs;
};

/* What a pass over a batch is for. */
enum reward_pass {
    REWARD_MEASURE, // the scores that everybody reads, and their loss
    REWARD_TRAIN,   // loss and gradients of one head
    REWARD_READ,    // what two heads say
    REWARD_BACK,    // gradients by what they said
};

struct reward_training {
    const struct reward_config *config;
    struct tokenizer *tokenizer;
    struct dataset data;
    struct corpus corpus;
    size_t n_train; // prompts; the rest is held out
    size_t batch;
    size_t *order;
    int64_t order_epoch;
    struct reward_weights weights;
    struct reward_heads heads; // empty with one head
    struct trainer trainer;
    char base[FILE_PATH_MAX]; // where the language model was read from
    /* the batch being worked on */
    const size_t *item;
    size_t n_item;
    enum reward_pass pass;
    struct reward_tally *tally;       // [shards]
    double *score;                    // [n_seq] scores, while some are measured
    struct reward_length_slope slope; // found for length_residual
};

/* The prompts item[0..n-1] measured: their scores to r->score. */
enum status reward_batch_measure(struct reward_tally *sum,
                                 struct reward_training *r, const size_t *item,
                                 size_t n, struct err *err) MUST_CHECK;

/* Gradients of the prompts item[0..n-1]; with two heads the length head is
 * updated, this being update number t (from 1). */
enum status reward_batch_train(struct reward_tally *sum,
                               struct reward_training *r, const size_t *item,
                               size_t n, int64_t t, struct err *err) MUST_CHECK;

#endif
