/*
 * alarm.h - what somebody who watches a run is told of, while it goes on.
 *
 * Each alarm is quiet, raised, or cannot be told for want of something.  A
 * series is compared with its own beginning.  First and last are windows of
 * k = n/5 iterations, 3 at least and 50 at most, of the n there are (none from
 * fewer than 2k), and
 *
 *     d = mean(last) - mean(first),   se^2 = var(last)/k + var(first)/k
 *
 * "Rises" is d > 3 se, "falls" d < -3 se: the 99.7 % interval of a normal
 * difference, and the 95 % one where k is only 3 (t = 2.78 at 4 degrees of
 * freedom).  Iterations resemble their neighbours, so this is an alarm and no
 * test; plumb diagnose tests.
 *
 *     kl        KL a response rises and is above the controller's target;
 *               without one, above ALARM_KL nats
 *     entropy   falls, to less than ALARM_ENTROPY of its beginning
 *     nan       a loss, KL or score of the last iteration is not finite
 *     value     explained variance below 0 over the last window, after
 *               ALARM_VALUE_FROM iterations: a constant would do better
 *     length    rises, by ALARM_LENGTH or more
 *     paradox   the reward rose while the policy had spent more KL than its
 *               reward model has earned (diagnose/warning.h, whose rule and
 *               signals these are), and neither people nor a gold judgement
 *               say that replies got better
 *
 * THE PARADOX ALARM in full.  It is raised at an iteration where the level of
 * the warning is 1 or more and the reward has risen: the mean score of a
 * prompt's responses over the warning's window up to it, less that over as many
 * iterations at the beginning, has an interval above 0.  The prompt is the
 * unit, and what is in both windows is paired (stat/shift.h).  The j-th look at
 * the reward, one for each iteration with such a level, takes the interval of
 *
 *     1 - 0.05 / (j (j + 1)),    the sum of 0.05 / (j (j + 1)) being 0.05,
 *
 * so that a reward which does not move raises it in one run of twenty at most,
 * however long the run.  What was raised stays so, whatever level and reward do
 * afterwards: the policy that spent the KL is still there.
 *
 * Then people are heard.  They say better when the always-valid interval of the
 * win rate (stat/sequential.h) lies above 1/2, worse when below, over blind
 * votes, one a prompt, on the newest policy that they saw: the finished run's
 * (human/spotcheck.jsonl or databases), a checkpoint's, or the one whose pairs
 * were queued because of the alarm, with all that was said of that one policy.
 * A prompt of the finished run's votes is counted by its first pair alone, with
 * the mean of the votes there: votes on its other pairs take nothing back, but
 * further votes on that pair may, where several judge it.  Better must be of
 * the newest policy, and clears nothing once a newer one is asked about; worse
 * stands until people have decided on a newer one.
 *
 *     open        nobody was asked
 *     asked       people were asked about this policy, and have not decided
 *     confirmed   people say worse, of this policy or of the last one that
 *                 they decided on
 *     cleared     people say better
 *
 * so that what people confirmed or were asked about is closed by people alone.
 * Gold, which rises or falls as the series above, is heard after them: while it
 * rises, what is open is quiet.
 */
#ifndef PLUMB_DIAGNOSE_ALARM_H
#define PLUMB_DIAGNOSE_ALARM_H

#include "diagnose/warning.h"
#include "stat/sequential.h"

#define ALARM_KL 10.0
#define ALARM_ENTROPY 0.3
#define ALARM_LENGTH 1.25
#define ALARM_VALUE_FROM 10

enum alarm_kind {
    ALARM_OF_PARADOX,
    ALARM_OF_NAN,
    ALARM_OF_KL,
    ALARM_OF_ENTROPY,
    ALARM_OF_LENGTH,
    ALARM_OF_VALUE,
    ALARMS
};

enum alarm_state {
    ALARM_QUIET,
    ALARM_UNKNOWN, // `text` says for want of what
    ALARM_RAISED,
    ALARM_ASKED,
    ALARM_CONFIRMED,
    ALARM_CLEARED,
};

enum {
    ALARM_TEXT_MAX = 320
};

struct alarm {
    enum alarm_state state;
    int64_t since;             // iteration; -1: not raised
    char text[ALARM_TEXT_MAX]; // what was seen, one sentence
};

const char *alarm_kind_name(enum alarm_kind kind);    // "paradox"
const char *alarm_state_name(enum alarm_state state); // "confirmed"

/* Does it ask for a look? */
bool alarm_is_raised(const struct alarm *a);

/* A run's series, as its log has them; NaN where a row has none, NULL where no
 * row has. */
struct alarm_series {
    size_t n;
    const int64_t *step;                                    // [n], rising
    const double *kl, *entropy, *explained, *length, *gold; // [n] or NULL
    double kl_target;       // of the controller; NaN without
    const char *not_finite; // a metric of the last row, or NULL
};

/* All but the paradox alarm. */
void alarm_judge_series(struct alarm alarm[ALARMS],
                        const struct alarm_series *s);

/* Rises, falls: 1, -1; 0 when neither, or nothing can be said. */
int alarm_direction(const double *x, size_t n);

/* What people said of pairs that were queued because of an alarm, besides what
 * is in the evidence: their votes on a prompt's pair, as one. */
struct alarm_vote {
    int64_t step;       // of the policy
    const char *prompt; // its id
    double win;         // 1, 0, or between where they were not of one mind
};
struct alarm_votes {
    const struct alarm_vote *vote; // [n] by step; a prompt once a step
    size_t n;
    bool is_damaged; // what people said cannot be read
    bool is_asked;
    int64_t step; // the newest policy that they were asked about
};

/* What people said of the policy at an iteration: the rate at which they prefer
 * it among votes that chose, with its always-valid interval; one point an
 * iteration, at the last one the finished run's rather than its checkpoint's.
 * The first `room` points, by iteration; returns how many. */
struct alarm_point {
    int64_t iteration;
    struct estimate win;
};
size_t alarm_people(struct alarm_point *out, size_t room,
                    const struct evidence *e, const struct alarm_votes *votes);

/*
 * The paradox alarm.  `blind`, unless NULL, is what may be told to somebody who
 * is judging: the same without anything that people said, "asked" wherever it
 * was raised, whatever they and gold say.  ERR_MEMORY is the only failure.
 */
enum status alarm_judge_paradox(struct alarm *out, struct alarm *blind,
                                const struct evidence *e,
                                const struct alarm_series *s,
                                const struct alarm_votes *votes,
                                struct err *err) MUST_CHECK;

#endif
