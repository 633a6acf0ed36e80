/*
 * drawn.h - the replies that an evaluation drew, from eval/samples.jsonl, as
 * tokens again.
 */
#ifndef PLUMB_EVAL_DRAWN_H
#define PLUMB_EVAL_DRAWN_H

#include "eval/setup.h"

struct drawn_reply {
    size_t prompt; // in the setup's prompts
    int64_t sample;
    bool is_policy, is_eos;
    double score; // as the evaluation has it
    struct sequence seq;
};

struct drawn {
    struct drawn_reply *reply; // [n] in the file's order
    size_t n, room;
    struct ids pool; // tokens of all responses
};

/*
 * The replies numbered below `samples` to the setup's first `prompts` prompts.
 * ERR_FORMAT, ERR_MISMATCH name the record: no token of the vocabulary, a token
 * that may not be sampled, a prompt that is not among the setup's, more tokens
 * than the models have positions.  ERR_MISSING: there are none.
 */
enum status drawn_read(struct drawn *out, const struct setup *s,
                       const char *path, size_t prompts, size_t samples,
                       struct err *err) MUST_CHECK;
void drawn_free(struct drawn *d);

/* Is a record's reply the policy's, or the reference's?  ERR_FORMAT: `which`
 * names neither, or is not there. */
enum status drawn_whose(bool *is_policy, const struct json *row,
                        const char *path, size_t line,
                        struct err *err) MUST_CHECK;

/* Only the policy's, or only the reference's, in their order. */
void drawn_keep(struct drawn *d, bool is_policy);

/* The text of a reply, special tokens left out, as a reward model with another
 * tokenizer is given it (rlhf/reward_reader.h); appended. */
enum status drawn_text(struct buf *out, const struct setup *s,
                       const struct sequence *seq, struct err *err) MUST_CHECK;

#endif
