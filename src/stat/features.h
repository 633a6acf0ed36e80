/*
 * features.h - what can be counted in a reply without a model: length, form,
 * courtesies, caution, repetition, copying.
 *
 * These are the candidates for what a reward model pays for besides content.
 * All are plain surface counts; none says that the reply is good.  Any bytes
 * are accepted.  Text is compared without regard to case (ASCII letters),
 * typographic quotes count as straight ones, and a Unicode ellipsis or an
 * ideographic full stop as a full stop.
 *
 * A word is a run of letters, digits and apostrophes; characters beyond ASCII
 * are letters, but for punctuation.  Scripts without spaces are not segmented:
 * there a word is what stands between two marks.  A sentence ends at . ? ! and
 * at the end of a line, not inside a number or name (3.50, example.com), and
 * has at least one letter.
 */
#ifndef PLUMB_STAT_FEATURES_H
#define PLUMB_STAT_FEATURES_H

#include <stddef.h>

#include "base/err.h"

enum features {
    FEATURE_CHARACTERS, // Unicode characters; an invalid sequence is one
    FEATURE_WORDS,
    FEATURE_SENTENCES,
    FEATURE_LIST,     // lines that begin with - * + or a bullet, or 1. 1)
    FEATURE_BOLD,     // **spans** within a line
    FEATURE_HEADER,   // lines that begin with 1 to 6 # and a space
    FEATURE_HEDGE,    // phrases of caution, below
    FEATURE_APOLOGY,  // sorry, apolog*, regret*, forgive
    FEATURE_THANKS,   // thanks and flattery, below
    FEATURE_REPEAT,   // share of the sentences that were there before
    FEATURE_FOURGRAM, // share of the runs of four words that were
    FEATURE_COPY,     // share of the runs of three words that the prompt has
    FEATURE_CLOSED,   // 1 when it ends in . ? or !, quotes and brackets aside
    FEATURES
};

/* Prompt and reply together have at most this many bytes. */
#define FEATURES_TEXT_MAX ((size_t)4 << 20)

/* "characters", "words", "sentences", "list", "bold", "header", "hedge",
 * "apology", "thanks", "repeat", "fourgram", "copy", "closed": names of columns
 * in files. */
const char *features_name(enum features feature);

/*
 * out[f] for every feature.  The phrases, where * stands for any ending (the
 * hedges are chosen from Hyland 2005, Metadiscourse, appendix):
 *
 *   hedge   may, might, maybe, perhaps, possibl*, probabl*, presumably,
 *           apparently, generally, typically, usually, sometimes, somewhat,
 *           roughly, approximately, unclear, uncertain, most likely, likely,
 *           unlikely, could be, should be fine, tend* to, seem*, appear* to,
 *           i think, we think, i believe, we believe, i guess, it depends,
 *           depend* on, in general, in some cases, in most cases, in many
 *           cases, more or less, not sure, not certain, as far as (i, we) can
 *           tell, as far as (i, we) know, to the best of (my, our) knowledge
 *   thanks  thank, thanks, thankful, grateful, appreciat*, valued, (great,
 *           good, excellent, wonderful) question, glad you asked
 *
 * The longest phrase at a word counts, and phrases do not overlap.  A phrase
 * does not go past a full stop.
 *
 * ERR_LIMIT when the texts are larger than FEATURES_TEXT_MAX, ERR_MEMORY; `out`
 * is then untouched.  O(n log n) comparisons of words.
 */
enum status features_of(double out[FEATURES], const char *prompt,
                        size_t len_prompt, const char *reply, size_t len_reply,
                        struct err *err) MUST_CHECK;

/*
 * Repetition alone, case and all, as evaluations record it.
 *   sentences  share of the sentences that were there before, word for word; a
 *              sentence ends at every . ? ! or at the end of the text
 *   fourgrams  share of the runs of four words that were there before
 * Here words are separated by white space, and . ? ! , are words of their own,
 * so that "a b." and "a b ." are the same.  0 when there is nothing to repeat.
 * FEATURE_REPEAT differs by folding case, by what ends a sentence and by
 * leaving out sentences without a letter.
 */
struct features_repetition {
    double sentences, fourgrams;
};

/* ERR_MEMORY is the only failure. */
enum status features_repetition(struct features_repetition *out,
                                const char *text, size_t len,
                                struct err *err) MUST_CHECK;

#endif
