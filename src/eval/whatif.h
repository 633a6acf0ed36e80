/*
 * whatif.h - what each of several changes did: from the arms of a project to
 * whatif/result.json and a table.
 *
 * An arm is one training run with one change and one seed, evaluated in its
 * own directory DIR like a project (DIR/eval/samples.jsonl).  Arms of one seed
 * are compared with the base arm of that seed (eval/whatif_pair.h).
 *
 *     {"schema":"plumb.whatif/1","plumb_version":...,
 *      "evaluation":{"seed","prompts","samples"},
 *      "score_scale":{"mean","sd"}   unit of the base reward model's scores,
 *      "weak_gold":label or null, "judge":"simulated panel" or null,
 *      "changes":[{"name","what","stages":["reward","ppo"],
 *                  "settings":[{"key","from","to"}],
 *                  "seeds":[{"seed","arm","base",
 *                            "measures":{"rm":{"base":{"estimate","low",
 *                              "high","n"},"changed":{...},"effect":{...}}},
 *                            "own_reward":{"uplift","accuracy"} or null,
 *                            "cost":{...},"base_cost":{...}}],
 *                  "over_seeds":{"rm":{"mean","low","high","seeds","claim"}},
 *                  "claim":"caused by" or "consistent with"}],
 *      "points":[{"name","seed","kl","rm","gold","weak_gold",
 *                 "human_win_rate","length"}]}
 *
 * The best of n samples has no exact KL; "cost" has "kl_bound",
 * ln n - (n - 1)/n (Beirami et al. 2024), which is also its point's KL, then
 * with the bound as "high" and no "low".  An arm that failed has "error"
 * instead of its measures.  "effect" is changed minus base, for "length"
 * changed over base.  "own_reward" is there when the
 * arm had a reward model of its own: the uplift of its policy over the
 * reference by that model in its own unit, and that model's accuracy on its
 * held-out pairs.  The claim of a change is the strongest word that so many
 * seeds allow; whether an effect has earned it stands beside the effect
 * (whatif_pair_pool()).  "points" are the levels behind a plot of KL against
 * gold.  No times are in it: what the arms took is in whatif_seconds().
 */
#ifndef PLUMB_EVAL_WHATIF_H
#define PLUMB_EVAL_WHATIF_H

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "eval/whatif_pair.h"

struct whatif_setting {
    const char *key, *from, *to;
};

struct whatif_arm {
    int64_t seed;
    const char *dir;     // seen from the project; "." is the project itself
    const char *votes;   // the panel's file, seen from the project; NULL: none
    const char *run;     // PPO run behind its cost, the same; NULL: none
    bool has_own_reward; // trained against another reward model than the base
    int64_t inference;   // above 1: best of so many samples of the reference
    const char *error;   // why it failed; NULL: it did not
};

struct whatif_trial {
    const char *name, *what;
    const char *const *stages; // [n_stages] what is run again
    size_t n_stages;
    const struct whatif_setting *setting; // [n_settings]
    size_t n_settings;
    const struct whatif_arm *base, *changed; // [n] one a seed, in order
    size_t n;
};

struct whatif_config {
    const char *project;
    const struct whatif_trial *trial; // [n]
    size_t n;
};

/* Compare and write project/whatif/result.json.  Needs the project's
 * eval/settings.json; ERR_FORMAT and ERR_MISMATCH name the file. */
enum status whatif_compare(const struct whatif_config *c,
                           struct err *err) MUST_CHECK;

/* Wall time of a run directory: the sum over its timing.jsonl, NaN without
 * one.  The only number here that differs between two runs of the same. */
double whatif_seconds(const char *run);

/* result.json as a table for a terminal, appended. */
void whatif_table(struct buf *out, const struct json *result);

#endif
