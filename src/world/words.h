/*
 * words.h - text to words, and table sentences to text.
 *
 * Splitting follows the desk tokenizer's rule, so that counts of words are
 * counts of tokens: a run of a-z, one letter A-Z, a run of 0-9, or any other
 * single character that is not a space ("#Q4" is three words, "$35" two).
 *
 * Writing is the inverse on everything the tables can say: words are joined
 * by one space, with none before . , ? ! and none inside #Q4 and $35.
 */
#ifndef PLUMB_WORLD_WORDS_H
#define PLUMB_WORLD_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* A word inside a text that somebody else owns; not NUL-terminated. */
struct word {
    const char *text;
    size_t len;
};

/*
 * The next word of [*at, end), moving *at behind it; false at the end.  Any
 * bytes are allowed: a UTF-8 sequence is one word, a stray byte too.
 */
bool words_next(struct word *out, const char **at, const char *end);

/* How many words a text has: its length in tokens of the desk. */
size_t words_count(const char *text, size_t len);

bool words_equal(struct word a, struct word b);

/* Is this word the given text? */
bool words_is(struct word a, const char *text);

/* What stands for the placeholders of a sentence. */
struct words_slots {
    char letter, digit;  // <ord>
    const char *product; // <prod>
    const char *amount;  // <amt>, without the dollar sign
    const char *status;  // <st>; NULL where no sentence asks for it
    int number;          // <n>, 0..99, written with two digits
};

/*
 * Append a table sentence with its placeholders filled in.  `start` is
 * out->len at the beginning of the text it belongs to: the first word there
 * gets no space in front.  Failure is recorded in `out`.
 */
void words_write(struct buf *out, size_t start, const char *sentence,
                 const struct words_slots *slots);

/* Does the sentence hold this placeholder? */
bool words_has(const char *sentence, const char *placeholder);

#endif
