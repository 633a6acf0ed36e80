/*
 * reward_weights.h - how much the pairs of a ranking count in training.
 *
 * Two weights, multiplied; both are 1 where nothing is asked for.
 *
 * Of a record: a number w_x >= 0 that its data give (annotator, rubric, fresh
 * labels), 1 where they give none, times the weight of the person who ranked it
 * where judges are weighed (rlhf/reward_judges.h), divided by the mean over the
 * training records.  It multiplies the record's whole loss.
 *
 * Of a pair, by length: pairs are put into bins of |L_better - L_worse|
 * (tokens; bin b holds differences b*width + 1 ... (b + 1)*width).  Within a
 * bin the pairs that the longer response won and those that the shorter one
 * won get the same total:
 *
 *     longer won:   c (m_long + m_short) / (2 m_long)
 *     shorter won:  c (m_long + m_short) / (2 m_short)
 *
 * where m_long, m_short are what those pairs come to in the loss without this
 * weight: w_x times the pair's share 2/(K(K-1)) of its record.  A bin in which
 * one side never won has no weights that make them equal; its pairs get 0.
 * Pairs of equal length, or of equal rank, get c.  c makes the mean weight of
 * the pairs, by what they come to, 1.
 *
 * By length alone the rankings then say nothing, at any difference of length.
 * That is not a slope of 0 in a model that also sees quality.  Where the log
 * odds are q + t L, with q of variance v between the responses of a pair, the
 * share that longer ones win, over all q, goes by a smaller slope of about
 * t/sqrt(1 + 0.35 v); that is what the weights cancel, and
 * t (1 - 1/sqrt(1 + 0.35 v)) stays.  Whatever is right about length is gone
 * with the rest, and a model can read length from what goes with it in the
 * texts: the effect has been large on some data and none or harmful on other
 * (Singhal et al. 2023).
 */
#ifndef PLUMB_RLHF_REWARD_WEIGHTS_H
#define PLUMB_RLHF_REWARD_WEIGHTS_H

#include "base/json.h"
#include "rlhf/corpus.h"

/* Whose rankings they are: all count alike, or as reward_judges.h finds. */
enum reward_judges {
    JUDGES_EQUAL,
    JUDGES_WEIGHTED,
};

enum reward_balance {
    BALANCE_NONE,
    BALANCE_LENGTH,
};

struct reward_weights_config {
    int balance;     // enum reward_balance
    int64_t bin;     // tokens of a bin
    bool is_given;   // records have weights
    int judges;      // enum reward_judges
    const char *key; // of these in the records; NULL: "weight"
};

/* One bin: pairs, and what one of them counts. */
struct reward_bin {
    size_t longer, shorter; // pairs that the longer, the shorter one won
    double mass_longer, mass_shorter;
    double weight_longer, weight_shorter;
};

struct reward_weights {
    double *record; // [n_record]; NULL: all 1
    struct reward_bin *bin;
    size_t n_bin, width; // 0: no balance
    double equal;        // c
    size_t dropped;      // pairs whose weight is 0 for want of the other side
};

/*
 * Weights of the records 0..n_train-1.  ERR_FORMAT names the record whose
 * weight is no number >= 0, or says that none has one or all have 0; ERR_ARG:
 * there is nothing to balance, no bin has both sides.
 */
enum status reward_weights_make(struct reward_weights *out,
                                const struct reward_weights_config *c,
                                const struct corpus *corpus,
                                const struct dataset *data, size_t n_train,
                                struct err *err) MUST_CHECK;
void reward_weights_free(struct reward_weights *w);

/* The weight of a record. */
double reward_weights_record(const struct reward_weights *w, size_t record);

/*
 * weight[i * K + j] of pair (i, j) of a record's K responses, for i not worse
 * than j.  False, and nothing is written, when all are 1.
 */
bool reward_weights_pairs(double *weight, const struct reward_weights *w,
                          const struct sequence *seq, const int32_t *rank,
                          size_t K);

/* The least and the largest weight of a pair by length, those of dropped ones
 * left out; false without a balance. */
bool reward_weights_range(double *least, double *most,
                          const struct reward_weights *w);

/* The bins as member "balance" of a result; nothing without a balance. */
void reward_weights_write(struct json_writer *w,
                          const struct reward_weights *weights);

#endif
