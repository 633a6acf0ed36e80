/*
 * warning.h - what a monitor would have said while the run was going on.
 *
 * The rule, in one sentence: an alarm is raised once the policy has moved
 * further from its reference than the reward model has earned, which is so many
 * nats per reply for every point by which it is better than a coin at the kind
 * of pairs that it is worse at.
 *
 *     level = spent / max(least, nats (w - 1/2)),    alarm from level 1 on
 *     w     = (prior w_0 + right) / (prior + n)
 *
 *     spent  exact KL of a response to the reference, mean over the responses
 *            of the last iterations (k1 where no exact one was recorded)
 *     w_0    the smaller of two accuracies on the rankings that the reward
 *            model was not trained on: pairs in which the better reply is the
 *            longer one, pairs in which it is the shorter one
 *     n      votes on the policy's replies beside the reference's so far, those
 *            that chose; right: in which the reward model prefers what the
 *            voter preferred
 *
 * Why.  How far one may optimise against a reward model before what people
 * want falls grows with how good the model is (Gao et al. 2023), so its
 * accuracy is a budget and the KL what is spent of it.  Overall accuracy is no
 * measure of that: a model that likes long replies is right on nearly all pairs
 * where the longer one is better and wrong on nearly all others, and the policy
 * will go where it is wrong.  Votes are fresh pairs of the kind that matters
 * now; the held-out rankings count as `prior` votes beside them.  Nothing here
 * asks for a fault by name.
 *
 * As if live: warning_at() looks at iterations up to k and at votes on
 * checkpoints up to k, and else only at what was there before the run began:
 * the reward model's own evaluation, its answers to edited replies of the
 * reference, the reference's replies.  All else that a run leaves (the final
 * samples, votes on them) is not read.
 */
#ifndef PLUMB_DIAGNOSE_WARNING_H
#define PLUMB_DIAGNOSE_WARNING_H

#include "base/buf.h"
#include "base/json.h"
#include "diagnose/evidence.h"

struct warning_plan {
    double nats;       // earned by an accuracy of 1 above 1/2
    double least;      // nats that are always allowed
    double prior;      // votes that the held-out rankings count as
    int64_t window;    // iterations that `spent` is averaged over
    size_t votes_each; // votes of a checkpoint that are read, at most
};

/* The thresholds, chosen on the exam's calibration seeds (docs/exam.md). */
struct warning_plan warning_plan_default(void);

/* Named signals at an iteration.  The rule reads the first six; the others are
 * what one might have watched instead. */
enum warning_signal {
    WARNING_SPENT,
    WARNING_EARNED,           // max(least, nats (w - 1/2))
    WARNING_ACCURACY,         // w
    WARNING_ACCURACY_LONGER,  // held out, the better reply is the longer
    WARNING_ACCURACY_SHORTER, // held out, the better reply is the shorter
    WARNING_ACCURACY_VOTES,   // right / n
    WARNING_WIN_RATE,         // votes for the policy, of those that chose
    WARNING_LENGTH_RATIO,     // tokens, over those of the reference's replies
    WARNING_SCORE_GAIN,       // over that of the reference's replies
    WARNING_EOS_RATIO,        // sums of P(EOS) over states, policy / reference
    WARNING_SCORE_LENGTH,     // correlation of score and tokens
    WARNING_PADDING_PAID,     // score for padding a reply of the reference
    WARNING_SIGNALS
};

const char *warning_signal_name(enum warning_signal signal);

struct warning {
    int64_t iteration;
    double level; // NaN: cannot be told
    bool is_alarm;
    size_t votes;                   // read so far, ties included
    double signal[WARNING_SIGNALS]; // NaN: not measured
};

/* After iteration k; cannot fail.  Looks at every response of the run. */
void warning_at(struct warning *out, const struct evidence *e, int64_t k,
                const struct warning_plan *plan);

/* A run from its first iteration to its last. */
struct warning_log {
    struct warning *at; // [n]
    size_t n;
    size_t alarm;      // the first alarm, SIZE_MAX: none
    const char *needs; // what is missing for there to be one; NULL: nothing, or
                       // there was one
};
/* Takes time in proportion to the responses of a run whose iterations ascend,
 * and is warning_at() of each, bit for bit. */
enum status warning_watch(struct warning_log *out, const struct evidence *e,
                          const struct warning_plan *plan,
                          struct err *err) MUST_CHECK;
void warning_log_free(struct warning_log *log);

/* As the member "warning" of diagnosis.json: signals at the alarm, or at the
 * end; level, spent and earned of every iteration. */
void warning_write(struct json_writer *w, const struct warning_log *log);

/* One line for a terminal, appended. */
void warning_say(struct buf *out, const struct warning_log *log);

#endif
