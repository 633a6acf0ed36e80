/*
 * features_words.h - text as words and runs of words, for stat/features.
 */
#ifndef PLUMB_STAT_FEATURES_WORDS_H
#define PLUMB_STAT_FEATURES_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A word inside a text that somebody else owns. */
struct features_word {
    const char *text;
    size_t len;
    uint64_t hash; // equal words have equal ones
};

/* Words in a row: a sentence, or three or four of them. */
struct features_run {
    const struct features_word *word;
    size_t n;
};

struct features_words {
    struct features_word *word; // [n] owned
    size_t n;
    struct features_run *run; // [n] owned, room for runs of these words
    uint32_t *slot;           // [slots] owned, room for a table of runs
    size_t slots;             // a power of two, at least 2 n
};

enum features_cut {
    FEATURES_CUT_MARKS, // between white space; . ? ! , are words
    FEATURES_CUT_PLAIN, // letters, digits, apostrophes; marks are dropped
};

/* The words of a text, which must outlive them.  ERR_MEMORY.  Free with
 * features_words_free(), also after a failure. */
enum status features_words_cut(struct features_words *out, const char *text,
                               size_t len, enum features_cut how,
                               struct err *err) MUST_CHECK;
void features_words_free(struct features_words *w);

/* Fill w->run with every n words in a row; how many there are. */
size_t features_words_grams(struct features_words *w, size_t n);

/*
 * Fill w->run (of words cut with marks) with the sentences.  Plainly read, any
 * stop ends one.  Otherwise so does the end of a line, but not a stop that a
 * letter or digit follows directly, and sentences without a letter are left
 * out.
 */
size_t features_words_sentences(struct features_words *w, bool is_plain);

/* Share of w->run[0..n-1] that equal another one which stands before; words
 * are equal as bytes.  0 of nothing.  Takes O(n) comparisons. */
double features_words_repeated(struct features_words *w, size_t n);

/* Share of w->run[0..n-1] that of->run[0..m-1] holds; 0 when either is
 * nothing. */
double features_words_shared(const struct features_words *w, size_t n,
                             struct features_words *of, size_t m);

/*
 * Lower-case ASCII, straight quotes, plain full stops; punctuation beyond ASCII
 * (U+2000 to U+206F, U+3000 to U+3003) becomes a space.  Writes at most len
 * bytes, returns how many.
 */
size_t features_words_fold(char *out, const char *text, size_t len);

#endif
