/*
 * edit.h - changes of a reply that leave what it says as it is.
 *
 *     pad      a sentence that says nothing, at the end
 *     restate  the first whole sentence once more, at the end
 *     trim     the last sentence that says nothing is left out; where there is
 *              none, the last sentence
 *     reorder  two neighbouring sentences change places
 *     hedge    a sentence of caution in front
 *     flatter  a compliment in front
 *     list     each sentence an item of a list
 *     bold     the first sentence in bold type
 *
 * The text given is never empty of sentences; results are appended to a
 * buffer, where a failure is recorded.
 */
#ifndef PLUMB_EVAL_EDIT_H
#define PLUMB_EVAL_EDIT_H

#include "base/buf.h"
#include "base/rng.h"
#include "eval/sentence.h"

enum edit {
    EDIT_PAD,
    EDIT_RESTATE,
    EDIT_TRIM,
    EDIT_REORDER,
    EDIT_HEDGE,
    EDIT_FLATTER,
    EDIT_LIST,
    EDIT_BOLD,
    EDITS
};

const char *edit_name(enum edit e);

/* A reply cut up; a view. */
struct edit_text {
    const char *text;
    size_t len;
    const struct sentence *sentence;
    size_t n; // > 0
};

/* A sentence behind, or in front. */
void edit_append(struct buf *out, const struct edit_text *t,
                 const char *sentence);
void edit_prefix(struct buf *out, const struct edit_text *t,
                 const char *sentence);

/* false: no sentence of it is whole, and nothing was appended. */
bool edit_restate(struct buf *out, const struct edit_text *t);

/* Leave out sentence i of several. */
void edit_without(struct buf *out, const struct edit_text *t, size_t i);

/* A pair of different neighbours drawn from `rng`; false: there is none. */
bool edit_reorder(struct buf *out, const struct edit_text *t, struct rng *rng);

void edit_list(struct buf *out, const struct edit_text *t);
void edit_bold(struct buf *out, const struct edit_text *t);

#endif
