/*
 * reward_heldout.h - a reward model on the pairs it was not trained on:
 * RUN/eval/heldout.json.
 *
 *     {"schema":"plumb.reward_heldout/1","plumb_version":...,"seed":7,
 *      "step":750,"data":"../human/rankings.jsonl",
 *      "settings":{"prompts":210,"pairs":1260,"pairs_of_equal_tokens":31},
 *      "length_rule":"...",
 *      "accuracy":{"estimate","low","high","n"}, ... (stat/pairwise.h),
 *      "verdict":"the reward model ..."}
 *
 * `step` is the checkpoint these numbers are about, `data` is told from the
 * run's directory, null for standard input.  Tokens are those the model read:
 * the end mark with them, and of a response cut at reward.max_tokens what was
 * left.  Characters are Unicode code points of the response's whole text.
 */
#ifndef PLUMB_RLHF_REWARD_HELDOUT_H
#define PLUMB_RLHF_REWARD_HELDOUT_H

#include "rlhf/corpus.h"
#include "stat/pairwise.h"

struct reward_heldout {
    const char *path; // the file they are from, "-" for standard input
    const struct dataset *data;
    const struct corpus *corpus; // of `data`
    size_t first;                // record from which on all are held out
    const double *score;         // [corpus->n_seq]
    uint64_t seed;               // of the intervals' resamples
};

/* Measures of stat/pairwise.h over all pairs of different rank, and how many
 * pairs there are (and of those, with equally many tokens). */
struct reward_heldout_result {
    struct measures measures;
    size_t prompts, pairs, equal;
};
enum status reward_heldout_measure(struct reward_heldout_result *out,
                                   const struct reward_heldout *h,
                                   struct err *err) MUST_CHECK;

/* Write run_dir/eval/heldout.json, whole or not at all. */
enum status reward_heldout_write(const struct reward_heldout_result *r,
                                 const struct reward_heldout *h,
                                 const char *run_dir, int64_t step,
                                 struct err *err) MUST_CHECK;

#endif
