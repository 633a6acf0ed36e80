/*
 * spotcheck.h - human/spotcheck.jsonl: what people said of blind pairs.
 *
 * The file's form is the one world/panel.h describes; people's own votes have
 * it too.  In a policy pair the tested reply is the policy's, in a placebo
 * pair it is one of two of the reference's; the same questions are asked of
 * both, and the difference between the answers is what the policy did.
 */
#ifndef PLUMB_EVAL_SPOTCHECK_H
#define PLUMB_EVAL_SPOTCHECK_H

#include "eval/known.h"
#include "stat/measures.h"

struct spotcheck_counts {
    size_t pairs, placebo_pairs, repeated;
    size_t strange; // votes on a reply that is not among the known ones
};

/*
 * Append, from first visits unless said:
 *     win_rate                tested reply preferred, ties 1/2
 *     win_rate_placebo        the same of placebo pairs: 1/2 but for chance
 *     less_direct             tested reply marked less direct
 *     less_direct_placebo
 *     less_direct_excess      the difference
 *     too_long too_long_reference too_long_excess
 *     correct correct_reference           replies of policy pairs
 *     self_consistency        second visits that prefer what the same judge's
 *                             first did
 * Votes on replies that `known` (NULL: all are) does not hold are counted; when
 * there are any the measures describe another policy, and the caller should
 * not use them.  ERR_FORMAT naming the record.
 */
enum status spotcheck_read(struct measures *out,
                           struct spotcheck_counts *counts, const char *path,
                           const struct known *known,
                           const struct bootstrap *plan,
                           struct err *err) MUST_CHECK;

/* The share of one answer, of two policies and their difference. */
struct spotcheck_change {
    struct estimate base, changed, difference;
};
struct spotcheck_comparison {
    struct spotcheck_change win_rate, less_direct, too_long;
};

/*
 * Two policies that were each judged beside the same reference's replies to
 * the same prompts: rates of first visits of policy pairs, and changed minus
 * base with the same prompts resampled for both.
 */
enum status spotcheck_compare(struct spotcheck_comparison *out,
                              const char *base_path, const char *changed_path,
                              const struct bootstrap *plan,
                              struct err *err) MUST_CHECK;

#endif
