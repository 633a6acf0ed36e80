/*
 * fillers.h - sentences that say nothing about a question, to lengthen replies
 * with while their content stays.
 *
 * They come from the first of these that the policy's tokenizer can write:
 *
 *     "file"      the user's, one sentence a line
 *     "desk"      the support desk's table, where the prompts are its tickets
 *     "built-in"  a few English ones of this program
 *     "samples"   sentences that stand word for word in replies to many
 *                 prompts which have no more in common than any prompts do
 *
 * A sentence can be written when its tokens read back as itself: one with
 * unknown words cannot.
 */
#ifndef PLUMB_EVAL_FILLERS_H
#define PLUMB_EVAL_FILLERS_H

#include "eval/setup.h"

struct fillers_list {
    char **text;
    size_t n, room;
};

struct fillers {
    const char *source; // as above, of `pad`; NULL: there are none
    struct fillers_list pad;
    struct fillers_list hedge, flatter; // of the desk or built in
    size_t dropped; // sentences of the sources tried that cannot be written
};

/* Replies and the prompts they answer, to look for sentences in. */
struct fillers_replies {
    const char *const *text; // [n]
    const size_t *prompt;    // [n]
    size_t n;
    const char *const *prompt_text; // [n_prompts]
    size_t n_prompts;
};

/*
 * `path` may be NULL.  ERR_ARG: there is no such file; ERR_FORMAT: a line
 * of it is no sentence of at most FILLERS_LENGTH_MAX bytes.
 */
#define FILLERS_LENGTH_MAX 1000
enum status fillers_open(struct fillers *out, const char *path,
                         const struct setup *s,
                         const struct fillers_replies *replies,
                         struct err *err) MUST_CHECK;
void fillers_close(struct fillers *f);

/* Index among f->pad, or -1. */
int64_t fillers_find(const struct fillers *f, const char *text, size_t len);

/*
 * Sentences of three words and more that end in . ? or ! and stand in replies
 * to at least one in fifty of the prompts, and three: the FILLERS_MINED_MAX
 * most frequent ones.  Left out is what goes with a kind of prompt: where the
 * prompts answered with a sentence share more words with each other than all
 * prompts do (mean Jaccard similarity of their word sets over 1.2 times that of
 * all).
 */
#define FILLERS_MINED_MAX 32
enum status fillers_mine(struct fillers_list *out,
                         const struct fillers_replies *replies,
                         struct err *err) MUST_CHECK;
void fillers_free_list(struct fillers_list *list);

/* Can the policy's tokenizer write this text?  Without one any can be. */
enum status fillers_can_write(bool *out, const struct setup *s,
                              const char *text, struct err *err) MUST_CHECK;

#endif
