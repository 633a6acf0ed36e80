/*
 * sentence.h - a text cut into sentences that, one after the other, are the
 * text again.
 *
 * A sentence ends behind . ? ! where white space or the end of the text
 * follows (closing quotes and brackets go with it), and at the end of a line.
 * The number in front of an item of a list ("1. ") is no sentence.
 */
#ifndef PLUMB_EVAL_SENTENCE_H
#define PLUMB_EVAL_SENTENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct sentence {
    const char *text; // a part of the text, not NUL-terminated
    size_t len;       // with the white space behind it
    size_t core;      // without
    bool is_closed;   // it ends in . ? or !
};

/* Free with mem_free(); a text of nothing but white space has none.
 * ERR_MEMORY is the only failure. */
enum status sentence_cut(struct sentence **out, size_t *n, const char *text,
                         size_t len, struct err *err) MUST_CHECK;

/* Do the two say the same, white space behind them aside? */
bool sentence_is(const struct sentence *s, const char *text);
bool sentence_same(const struct sentence *a, const struct sentence *b);

#endif
