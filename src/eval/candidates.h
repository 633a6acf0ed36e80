/*
 * candidates.h - replies for people to judge, drawn from models: a file that
 * store/load.h reads.
 *
 *     spot-check   {"id","prompt","policy":[REPLY, ...],"reference":[...]}
 *     ranking      {"id","prompt","samples":[REPLY, ...]}
 *     REPLY        {"text","source","run","step","sample","tokens","finish",
 *                   "score","reward_model","temperature","top_p","seed"}
 *
 * and what else the prompt's record holds.  "source" is "policy" or
 * "reference", "step" the checkpoint's, "tokens" a number with the EOS
 * counted, "score" what the reward model says, raw; what is not known is left
 * out.
 *
 * Sample k of prompt i comes from the stream (RNG_CANDIDATE, i, k), the
 * reference's from (RNG_CANDIDATE, i, 65536 + k).  So a reply does not depend
 * on how many others are drawn, nor on the number of threads, and the policy's
 * are those that `plumb generate --prompts` draws with the same seed, but for
 * rounding: the arithmetic of a row depends on which others are drawn with it
 * (model/generate.h).
 *
 * The two models need not share a tokenizer: each lays the prompts out by its
 * own chat template.
 */
#ifndef PLUMB_EVAL_CANDIDATES_H
#define PLUMB_EVAL_CANDIDATES_H

#include "base/context.h"
#include "model/generate.h"
#include "rlhf/corpus.h"

#define CANDIDATES_MAX 64 // of one prompt and model

struct candidates_config {
    const char *policy;       // model folder or run
    const char *reference;    // the same; of a ranking it may be NULL
    const char *reward_model; // says the scores; NULL: nobody does
    const char *prompts;      // JSON Lines
    bool is_pair;             // a spot-check, else a ranking
    /* Replies of a spot-check's prompt, of each model, 1 at least; of a
     * ranking's, 2 at least in all (the reference's are 0 without one). */
    size_t n_policy, n_reference;
    struct sampling how;
    uint64_t seed;
    int precision; // enum model_precision
    struct data_config data;
};

/* How many samples of each model a spot-check of `pairs` items from `prompts`
 * prompts needs, whichever of them become placebos (store/load.h): one of the
 * policy and two of the reference for every item of a prompt. */
void candidates_needed(size_t *n_policy, size_t *n_reference, size_t pairs,
                       size_t prompts, bool has_placebos);

/* Records in a file of prompts.  ERR_FORMAT when there is none. */
enum status candidates_count(size_t *n, const struct candidates_config *c,
                             struct err *err) MUST_CHECK;

struct candidates_counts {
    size_t prompts, replies;
    size_t same; // rankings left out because their replies are one text
};

/*
 * Draw them all and write `path`, whole or not at all.  A file that is there
 * already is what was drawn before: when it holds the same it is left alone,
 * with other content ERR_MISMATCH, since votes may rest on it.  ERR_STOPPED:
 * nothing was written.
 */
enum status candidates_write(struct candidates_counts *out,
                             const struct candidates_config *c,
                             const char *path, const struct context *context,
                             struct err *err) MUST_CHECK;

#endif
