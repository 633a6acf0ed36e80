/*
 * whatif_pair.h - two policies on the same prompts and random streams: what a
 * change of the training did.
 *
 * Both were evaluated by heldout_sample() with the same prompts, sizes and
 * seed, so that sample k of prompt p of the one is paired with that of the
 * other.  Samples of a prompt are averaged, the prompt is the unit, and both
 * policies are resampled together (stat/summary.h).
 */
#ifndef PLUMB_EVAL_WHATIF_PAIR_H
#define PLUMB_EVAL_WHATIF_PAIR_H

#include <stdbool.h>

#include "rlhf/scorer.h"
#include "stat/summary.h"

enum whatif_measure {
    WHATIF_RM,
    WHATIF_GOLD,
    WHATIF_HELP,
    WHATIF_WEAK_GOLD,
    WHATIF_HUMAN,
    WHATIF_LESS_DIRECT,
    WHATIF_TOO_LONG,
    WHATIF_LENGTH,
    WHATIF_FILLERS,
    WHATIF_EOS,
    WHATIF_KL,
    WHATIF_MEASURES
};

/* How a measure goes by name, and how its effect is told: the difference
 * changed - base, or the ratio changed / base. */
struct whatif_measure_row {
    const char *name; // member of result.json
    const char *text; // in tables
    bool is_ratio, is_share;
};
extern const struct whatif_measure_row whatif_measure_table[WHATIF_MEASURES];

/* The two levels and the effect; summary_nothing() of what nobody measured. */
struct whatif_effect {
    struct estimate base, changed, effect;
};

struct whatif_files {
    const char *base, *changed;             // samples.jsonl
    const char *base_votes, *changed_votes; // spotcheck.jsonl, or both NULL
    struct score_scale scale; // of the common reward model's raw scores
};

/*
 * Every measure: mean over prompts, or for people's answers the share of pairs
 * (eval/spotcheck.h).  Both policies' scores are the common reward model's, in
 * the unit `scale`.  ERR_MISMATCH when the two files are not of the same
 * prompts and samples.
 */
enum status whatif_pair_measure(struct whatif_effect out[WHATIF_MEASURES],
                                const struct whatif_files *files,
                                const struct bootstrap *plan,
                                struct err *err) MUST_CHECK;

/*
 * One effect over several seeds of the training.
 *   mean, low, high   Student's interval over seeds, of the mean of the effects
 *                     (of their logarithms where the effect is a ratio, put
 *                     back by exp); without two seeds no interval
 *   claim             "caused by": three seeds or more, and the interval
 *                     excludes no change.  "consistent with": fewer, and each
 *                     seed's own interval excludes it, on one side.  Else "not
 *                     shown"; NULL when nothing was measured.
 */
struct whatif_pooled {
    struct estimate e; // n: seeds
    const char *claim;
};
enum {
    WHATIF_SEEDS_MAX = 100,
    WHATIF_SEEDS_CLAIM = 3
};
struct whatif_pooled whatif_pair_pool(const struct estimate *effect, size_t n,
                                      bool is_ratio);

#endif
