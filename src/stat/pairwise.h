/*
 * pairwise.h - how well a reward model orders preference pairs, beside the
 * rule that the longer response is the better one.
 *
 * The rule and the model are asked about the same pairs.  The model is right
 * about a pair when the better response has the higher score, the rule when it
 * is the longer one; equal scores, and equal lengths, count one half.  The
 * prompt is the unit of every interval: pairs of one prompt are drawn together
 * (stat/summary.h).  Prompts that are all alike leave resamples nothing to
 * differ in; a rate of theirs then has Wilson's interval (stat/winrate.h).
 */
#ifndef PLUMB_STAT_PAIRWISE_H
#define PLUMB_STAT_PAIRWISE_H

#include "stat/measures.h"

/* One response of a pair: its score and how long it is. */
struct pairwise_side {
    double score, tokens, characters;
};

struct pairwise_pair {
    size_t prompt; // < n_prompts
    struct pairwise_side better, worse;
};

/*
 * Append:
 *     accuracy                    pairs the model orders right
 *     accuracy_chosen_longer      of those whose better response has more
 *     accuracy_chosen_shorter     ... fewer tokens
 *     length_rule_accuracy        pairs the rule orders right, by tokens
 *     accuracy_over_length_rule   accuracy minus that, pair by pair
 *     length_rule_accuracy_characters, accuracy_over_length_rule_characters
 *                                 the same by characters
 * A measure without a pair is nothing.  ERR_MEMORY is the only failure.
 */
enum status pairwise_measure(struct measures *out,
                             const struct pairwise_pair *pair, size_t n,
                             size_t n_prompts, const struct bootstrap *plan,
                             struct err *err) MUST_CHECK;

/* Does an interval tell its number from `bound`?  One that covers the bound,
 * or that could not be made, does not. */
enum pairwise_verdict {
    PAIRWISE_OPEN,
    PAIRWISE_ABOVE,
    PAIRWISE_BELOW,
};
enum pairwise_verdict pairwise_compare(const struct estimate *e, double bound);

/*
 * In words, appended without a full stop: whether the model can be told from
 * guessing, and from the length-only rule.  `m` is what pairwise_measure()
 * made.
 */
void pairwise_words(struct buf *out, const struct measures *m);

/* The numbers of `pairs` pairs, appended the same way: "held-out pairs ordered
 * right: 0.812 [0.775, 0.846] of 1260; by the rule that the longer one is
 * better: 0.743"; where an interval cannot be made it says of how few
 * prompts. */
void pairwise_numbers(struct buf *out, const struct measures *m, size_t pairs);

#endif
