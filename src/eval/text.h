/*
 * text.h - how much a reply repeats itself, for text of any kind.
 */
#ifndef PLUMB_EVAL_TEXT_H
#define PLUMB_EVAL_TEXT_H

#include <stddef.h>

#include "base/err.h"

/*
 * sentences  share of the sentences that were there before, word for word; a
 *            sentence ends at . ? ! or the end of the text
 * fourgrams  share of the runs of four words that were there before
 * Words are separated by white space, and . ? ! , are words of their own, so
 * that "a b." and "a b ." are the same.  0 when there is nothing to repeat.
 */
struct text_repetition {
    double sentences, fourgrams;
};

/* ERR_MEMORY is the only failure.  O(n log n). */
enum status text_repetition(struct text_repetition *out, const char *text,
                            struct err *err) MUST_CHECK;

#endif
