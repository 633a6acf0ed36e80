/*
 * partial.h - what part of the evidence tells: leads of a run that another
 * trainer made, which rarely has all of it.
 *
 * Step-level metrics (docs/metrics.md has our names), or means over the
 * responses of an iteration; Theil-Sen slopes over iterations (stat/trend.h):
 *
 *     trend_reward      the score rose
 *     trend_kl          the KL to the reference rose, as its trainer logs it:
 *                       the claim's unit is nats a response or nats a token,
 *                       and two curves are never compared
 *     trend_kl_update   the same of the KL of updates, and of that between the
 *     trend_kl_engine   engines that sample and train
 *     trend_length      responses grew longer, in tokens or in words
 *     trend_entropy     the policy's entropy fell
 *     trend_clip        more tokens met the clip
 *     trend_cut         more responses were cut at the limit
 *     engine_gap        what samples and what trains differ by on a token, in
 *                       mean |log ratio|; V1 says where that is a bug
 *     trend_gold        gold, which rollouts may have beside the score, fell
 *                       while the score rose: both slopes from 0
 *     late_fall         a held-out measure, else the score, peaked and fell:
 *                       last minus highest.  Of noisy numbers the highest is
 *                       highest by luck in part, so that the test is the slope
 *                       over the second half of the points, where those are
 *                       TREND_MIN; with fewer there is none.  When it began is
 *                       never measurable from single numbers
 *
 * Texts and scores of responses, both less their iteration's mean, with the
 * prompt as the unit:
 *
 *     score_length      correlation of score and length
 *     trend_repeat      the share of repeated runs of four words rose
 *     pattern_NAME      a feature of texts (stat/features.h), counted in a
 *                       hundred words or as a share, grew over the iterations,
 *                       and at equal length the score goes with it (a partial
 *                       correlation): both have their interval above 0.  What
 *                       a reward is hacked by looks so, and so does what it is
 *                       rightly paid for
 *     style_NAME        the policy's replies have more of it than the
 *                       reference's to the same prompts
 *
 * Votes of a model, which are nobody's opinion and are not counted as people's:
 *
 *     judge_win         an LLM judge prefers the policy
 *     judge_win_equal   at equal length; judge_length: it likes length
 *     judge_sides       it prefers a side
 *     judge_gain        the score's gain on a prompt goes with its verdict
 *
 * People's votes on replies without scores have win_equal and judge_taste
 * (diagnose/reward_leads.h) here.
 *
 * What plumb lint says of the trainer's settings, where they were imported:
 *
 *     settings          a setting keeps what was asked for from acting;
 *     settings_penalty  the same where the first error is about the KL penalty
 *
 * All are leads.
 */
#ifndef PLUMB_DIAGNOSE_PARTIAL_H
#define PLUMB_DIAGNOSE_PARTIAL_H

#include "diagnose/imported.h"
#include "diagnose/leads.h"
#include "diagnose/rivals.h"

/* Nothing is added for a run of Plumb's.  ERR_MEMORY is the only failure. */
enum status partial_leads(struct leads *leads, const struct evidence *e,
                          struct err *err) MUST_CHECK;

/* Is it one of these, or a row of people's votes that belongs to them? */
bool partial_is_lead(const struct finding *f);

/* And has it something to say?  Patterns and styles say something where they
 * are supported. */
bool partial_is_told(const struct finding *f);

/* ---- what they say together --------------------------------------------- */

enum {
    PARTIAL_SIGNS = 3,
    PARTIAL_ADVICE = 2
};

struct partial_advice {
    const char *text;          // what to try
    const struct finding *row; // that it answers; NULL: there is none
};

/*
 * The likely cause that the rows of an imported run speak for, with the rows,
 * and two things to try.  How sure: so many leads have an interval, so many of
 * them are supported, and so many would be by chance alone, at 2.5 % each.  The
 * story is firm where its rows' p-values, multiplied with each other and with
 * the number of leads that were looked at, stay below 0.05, or where it rests
 * on settings, which are no matter of chance.
 */
struct partial_story {
    const char *cause; // NULL: nothing points to a fault
    const struct finding *sign[PARTIAL_SIGNS]; // NULL behind the last
    struct partial_advice advice[PARTIAL_ADVICE];
    size_t n_advice; // 0 without a cause
    size_t looked, shown;
    double by_chance;
    bool is_firm;
};

/* False: neither is there a cause, nor can it be said that nothing points to
 * one, since no course was measured, some other row is bad, the score is not
 * seen to rise, or a fall of few points is not decided. */
bool partial_tell(struct partial_story *out, const struct rows *rows,
                  const struct evidence *e);
bool partial_is_sign(const struct partial_story *s, const struct finding *f);

/* "probably ..., because ...; to try: ..., or ...; how sure: ...", "perhaps" of
 * a story that is not firm, or "nothing that was imported points to a fault:
 * ...", appended. */
void partial_say(struct buf *out, const struct partial_story *s,
                 const struct leads *l);

/* The story as an object of diagnosis.json. */
void partial_write(struct json_writer *w, const struct partial_story *s);

/* The parts. */
enum status partial_trends(struct leads *leads, const struct evidence *e,
                           struct err *err) MUST_CHECK;
enum status partial_texts(struct leads *leads, const struct evidence *e,
                          struct err *err) MUST_CHECK;
enum status partial_judges(struct leads *leads, const struct evidence *e,
                           struct err *err) MUST_CHECK;
enum status partial_settings(struct leads *leads, const struct evidence *e,
                             struct err *err) MUST_CHECK;

#endif
