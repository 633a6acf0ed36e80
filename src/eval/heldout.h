/*
 * heldout.h - the policy against the reference on prompts never trained on.
 *
 *     heldout_sample()   models -> eval/settings.json, eval/samples.jsonl
 *                        (and eval/serving.jsonl)
 *     heldout_curve()    every checkpoint of a run -> eval/curve.json
 *     heldout_summary()  those files and human/spotcheck.jsonl, if it is
 *                        there -> eval/heldout.json; opens no model
 *
 * Between the first and the last, people (or the support desk's panel) may
 * judge the samples.  All files are written whole or not at all, hold no
 * time, and are the same bytes for any thread count.
 *
 * Samples.  Sample k of prompt p comes from the stream (RNG_HELDOUT, part,
 * p * samples + k), so that any reply can be drawn again alone; checkpoints of
 * a curve share one part, so that a curve shows the policy's change and not
 * the luck of the draw.
 *
 * A program as the policy (eval/program.h) is asked with the seeds of those
 * streams.  Its replies are texts: they have no log-probabilities, the policy's
 * rows no logp, logp_ref and kl.
 *
 * Unit of reward.  Scores are (raw - mean) / sd.  Mean and deviation are those
 * that PPO recorded in the policy's checkpoint when there are any: then these
 * numbers are the ones PPO saw and beta refers to.  A policy from elsewhere
 * has none; then they are those of the reference's samples drawn here.
 *
 * Weak gold.  Where no rubric knows what a reply is worth, a second reward
 * model, trained on other pairs than the first, can stand in for it.  It is
 * evidence of the first one being exploited, not of what people want, and goes
 * by the name HELDOUT_WEAK_GOLD, or HELDOUT_WEAK_GOLD_UNKNOWN when nobody has
 * seen that the pairs are others, wherever it is shown.  Its unit is the
 * deviation of its scores of the reference's samples drawn here, their mean is
 * 0.
 */
#ifndef PLUMB_EVAL_HELDOUT_H
#define PLUMB_EVAL_HELDOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/context.h"
#include "base/err.h"
#include "base/json.h"
#include "io/outside.h"
#include "rlhf/corpus.h"

#define HELDOUT_WEAK_GOLD                                                      \
    "weak gold: a second reward model (trained on disjoint pairs)"
#define HELDOUT_WEAK_GOLD_UNKNOWN                                              \
    "weak gold: a second reward model (what it was trained on is not known)"

struct heldout_config {
    const char *project;      // directory D: files go to D/eval, and the paths
                              // in them are relative to D
    const char *policy;       // model folder or run
    const char *reference;    // model folder or run
    const char *reward_model; // model folder or run, any tokenizer; NULL:
    struct outside_config reward_command; // a program in its place
    struct outside_config policy_command; // says the policy's replies, or none;
                                          // `policy` is then the reference
    const char *gold_model; // weak gold: a second reward model, or NULL
    bool gold_is_disjoint;  // known to be trained on other pairs
    bool has_other_scale;   // what the policy's run recorded is of other scores
    const char *base_model; // another run's reward model whose raw scores are
                            // wanted beside reward_model's, or NULL
    const char *prompts;    // JSON Lines; a "ticket" member is judged
    const char *run;        // PPO run of the curve, or NULL
    const char *start;      // what that run began with; NULL: the reference
    const char *scenario;   // recorded, or NULL
    int64_t n_prompts;      // the first so many of the file
    int64_t samples;        // replies per prompt and model
    bool curve_samples;     // keep the replies that a curve draws
    int64_t best_of;        // above 1: for the policy stands the reference's
                            // best of so many samples by the reward model
    int64_t max_new;
    double temperature, top_p; // serving settings, evaluated beside 1 and 1
                               // unless they are 1 and 1; 0 is greedy
    uint64_t seed;
    int precision;           // enum model_precision of all models
    struct data_config data; // how the prompts are read
    bool is_followed; // another rank writes what is found; this one does not
};

/*
 * Draw, score and compare.  A row of samples.jsonl:
 *
 *     prompt_id prompt which ("policy" or "reference") sample response
 *     tokens     ids, EOS included
 *     pieces     the tokens' texts: together the response, then "<eos>"
 *     len        tokens      finish  "eos" or "length"      is_eos
 *     score_raw  score       reward model, raw and in the unit above
 *     base_raw               with a base model, its raw score
 *     weak_gold              with a gold model, in its unit
 *     gold help fillers      the desk's judgement, null without a ticket
 *     repeated_sentences repeated_fourgrams    stat/features.h
 *     tags ticket            passed through
 *   and of the policy, per token:
 *     logp logp_ref          at the sampling temperature
 *     kl                     exact, over the vocabulary, nats
 *
 * What an earlier evaluation left (curve.json, heldout.json) is removed once
 * all is drawn, since it is about other samples.  ERR_STOPPED when asked to
 * stop: nothing was touched, run it again.
 */
enum status heldout_sample(const struct heldout_config *c,
                           const struct context *context,
                           struct err *err) MUST_CHECK;

/*
 * One reply to each prompt at iteration 0 (the model c->run began with) and at
 * every checkpoint of c->run: score, gold, len, kl_sequence, kl_per_token,
 * eos_rate, fillers, and weak_gold with a gold model, with their intervals, and
 * the trend of kl_sequence (stat/trend.h).  Needs settings.json, for the units
 * of reward and weak gold.
 *
 * With curve_samples also eval/checkpoints/000010.jsonl of every checkpoint, in
 * the form of samples.jsonl: beside the policy's reply to a prompt the
 * reference's that was drawn with the same random numbers.  While a policy has
 * hardly moved the two are often the same text, and where they part, what
 * differs is what the policy did: for people who compare such pairs fewer of
 * them tell more than pairs of independent draws.
 */
enum status heldout_curve(const struct heldout_config *c,
                          const struct context *context,
                          struct err *err) MUST_CHECK;

/*
 * Put everything into eval/heldout.json: measures as
 * {"estimate","low","high","n"}, and the observations, whose rules are in
 * eval/observe.h.  "data" counts what was read of the prompts' file, skipped
 * and cut (rlhf/corpus.h).  "reward_heldout" is what the reward model's own run
 * wrote of the checkpoint used here (rlhf/reward_heldout.h), null when there is
 * none.  "weak_gold" holds its label, its model and its measures
 * (eval/samples.h), null without a gold model.  A curve or spot-checks that are
 * absent are null; so are spot-checks with votes on replies that samples.jsonl
 * does not hold ("votes_on_other_replies" counts them).
 */
enum status heldout_summary(const char *project, struct err *err) MUST_CHECK;

/* eval/heldout.json as a table for a terminal, appended. */
void heldout_table(struct buf *out, const struct json *heldout);

#endif
