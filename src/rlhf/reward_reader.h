/*
 * reward_reader.h - a reward model together with its tokenizer and chat
 * template, or somebody else's program in its place, reading what a policy
 * said.
 *
 * A policy's response is token ids of the policy's tokenizer.  When the reward
 * model has the same one - tokenizer.json byte for byte - and its own chat
 * template and end token are those the policy is run with, it reads these ids
 * as they are.  Otherwise the response is decoded with the policy's tokenizer,
 * control tokens left out, and prompt and response are encoded anew as the
 * reward model's own training data was (rlhf/corpus.h): its template around the
 * prompt, its end token behind the response, but only when the policy ended the
 * response itself.  Both ways the score is read at the last real token.
 *
 *     reward_reader_open(&reader, "D/reward", &policy, MODEL_F32, &err);
 *     reward_reader_score(score, &reader, &replies, context, &err);
 *     reward_reader_close(&reader);
 *
 * A program (io/outside.h) is given prompt and response as texts, always.  It
 * has no tokens and no positions.
 *
 * A byte 0 in a response reads as U+FFFD.  A sequence longer than the reward
 * model's positions is ERR_LIMIT, never cut.
 */
#ifndef PLUMB_RLHF_REWARD_READER_H
#define PLUMB_RLHF_REWARD_READER_H

#include <stdbool.h>

#include "base/file.h"
#include "io/outside.h"
#include "rlhf/corpus.h"
#include "rlhf/scorer.h"

/* Whose words are read. */
struct reward_policy {
    const struct tokenizer *tokenizer; // outlives the reader
    struct chat chat;                  // how its prompts are laid out
    int32_t end;                       // what ends its responses
};

struct reward_reader {
    struct model model;
    struct tokenizer *tokenizer; // the reward model's
    char path[FILE_PATH_MAX];    // where both were read
    struct reward_policy policy; // without a tokenizer: only data are scored
    bool reads_ids;              // the policy's ids are its own
    struct outside *outside;     // a program asked in place of the model, which
                                 // is then none, as tokenizer and path are
};

/*
 * Open the model that `path` means (run_find_model() with stage "reward").
 * `policy` says whose ids reward_reader_score() will be given; NULL: only data
 * sets will be scored.  `precision` (enum model_precision) is how its weights
 * are kept.  On failure `out` is untouched.
 */
enum status reward_reader_open(struct reward_reader *out, const char *path,
                               const struct reward_policy *policy,
                               int precision, struct err *err) MUST_CHECK;
/*
 * The same with a program in place of the model.  The context outlives the
 * reader.  Collective, and so is asking it.  ERR_MISSING: it cannot be started.
 */
enum status reward_reader_open_command(struct reward_reader *out,
                                       const struct outside_config *command,
                                       const struct reward_policy *policy,
                                       const struct context *context,
                                       struct err *err) MUST_CHECK;
/* Fine on a zeroed struct. */
void reward_reader_close(struct reward_reader *r);

/* n responses: seq[i], to records[prompt[i]], ended by the policy itself when
 * is_eos[i].  Views, nothing owned. */
struct reward_replies {
    const struct record *records;
    const size_t *prompt;
    const struct sequence *seq;
    const bool *is_eos;
    const char *const *text; // [n] of the responses; NULL: as seq decodes
    size_t n;
};

/* score [n].  ERR_LIMIT and ERR_MISMATCH name the prompt, ERR_NUMERIC as
 * scorer_score(); of a program as outside_ask(). */
enum status reward_reader_score(double *score, const struct reward_reader *r,
                                const struct reward_replies *replies,
                                const struct context *context,
                                struct err *err) MUST_CHECK;

/* A data set as the reward model reads it: one sequence a response, for
 * scorer_score() with r->model.  ERR_LIMIT, ERR_MISMATCH name the record. */
enum status reward_reader_encode(struct corpus *out,
                                 const struct reward_reader *r,
                                 const struct dataset *data,
                                 struct err *err) MUST_CHECK;

/* What a program says of the responses of n records, one after the other:
 * those of `responses`, else `response`. */
enum status reward_reader_ask(double *score, const struct reward_reader *r,
                              const struct record *record, size_t n,
                              struct err *err) MUST_CHECK;

/* How many that are. */
size_t reward_reader_count(const struct record *record, size_t n);

#endif
