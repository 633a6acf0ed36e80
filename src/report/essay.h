/*
 * essay.h - the diagnosis as one connected explanation in prose: what was seen,
 * why, what would change it, what is not known.
 *
 * Rule.  A sentence stands in the essay only when its rows carry it.  There are
 * five kinds:
 *
 *     ESSAY_SUPPORTED   says what its rows claim; all of them are supported
 *     ESSAY_REFUTED     says that it is not so; all are not supported
 *     ESSAY_UNTESTED    says that it was not tested, and what that takes; all
 *                       are not measurable, and no number in what it takes is
 *                       a statistic
 *     ESSAY_ADVICE      says what to do; its numbers are a remedy's, a rival's
 *                       or a checkpoint's
 *     ESSAY_PLAIN       explains a term or joins; claims nothing of the run,
 *                       and goes when its paragraph has no other sentence
 *
 * A sentence with a number that is not finite is dropped, whatever its rows.
 *
 * Numbers.  Each one carries its source: in a sentence's text it stands as
 *
 *     \1 REF \2 NOTE \2 SHOWN \3
 *
 * (without the blanks).  REF is a row "S1", one of its supporting statistics
 * "S2b.less_direct", a setting "set.ppo.beta", a rival "R2", a remedy's effect
 * "remedy-1.length" or a checkpoint's number "ship.kl"; NOTE the statistic with
 * interval, n and file in words; SHOWN what is read.  One essay has two
 * writers, essay_page.h: HTML links a number to its row, Markdown puts NOTE
 * into a footnote.  The bytes \1 to \3 never come from a file.
 *
 * The verdict decides the shape:
 *
 *     paradox          what happened, (a) reward model, (b) optimiser,
 *                      (c) penalty, the textbook's formula, two changes, what
 *                      is not known
 *     healthy          what was looked for and not found, with the numbers that
 *                      exclude it
 *     bug              what is wrong, what it spoils, how to mend it
 *     other_pathology  what happened, the explanation that holds, what else was
 *                      seen of (a) to (c), two changes
 *     inconclusive     what was seen, who is in the running, what is missing
 *
 * "Consistent with" is what one run can say.  "Caused by" stands only where a
 * change was tried again over three seeds or more (remedies).
 */
#ifndef PLUMB_REPORT_ESSAY_H
#define PLUMB_REPORT_ESSAY_H

#include "base/buf.h"
#include "diagnose/diagnose.h"

enum essay_kind {
    ESSAY_SUPPORTED,
    ESSAY_REFUTED,
    ESSAY_UNTESTED,
    ESSAY_ADVICE,
    ESSAY_PLAIN,
};

/* Drawings that may stand beside a paragraph, bits. */
enum essay_figure {
    ESSAY_NO_FIGURE = 0,
    ESSAY_DRIFT = 1,   // score and judgement against the square root of KL
    ESSAY_LENGTHS = 2, // histogram of tokens
    ESSAY_EDITS = 4,   // what edits without content bring
    ESSAY_STEPS = 8,   // KL of a step beside KL to the reference
    ESSAY_LEDGER = 16, // on which tokens the KL lies
    ESSAY_PRICE = 32,  // score a nat bought, against beta
};

enum {
    ESSAY_SENTENCES_MAX = 128,
    ESSAY_PARAGRAPHS_MAX = 24,
    ESSAY_ROWS_MAX = 48, // bytes of a sentence's row ids
};

struct essay_sentence {
    enum essay_kind kind;
    char rows[ESSAY_ROWS_MAX]; // ids, blanks between; "" when plain
    size_t at, len;            // in essay.text
};

struct essay_paragraph {
    const char *title; // NULL: goes on with the one before
    unsigned figures;  // enum essay_figure
    size_t first, n;   // sentences
};

struct essay {
    const struct diagnosis *d;
    const struct evidence *e;
    char title[256];
    struct buf text; // of all sentences
    struct essay_sentence sentence[ESSAY_SENTENCES_MAX];
    size_t n_sentences;
    struct essay_paragraph paragraph[ESSAY_PARAGRAPHS_MAX];
    size_t n_paragraphs;
    unsigned terms, pending; // explained already, or by this sentence
    bool has_hole;           // a number of this sentence is not finite
};

/* What diagnosis and evidence carry; both must outlive the essay.  ERR_MEMORY
 * is the only failure.  Free with essay_free(), fine on a zeroed struct. */
enum status essay_build(struct essay *out, const struct diagnosis *d,
                        const struct evidence *e, struct err *err) MUST_CHECK;
void essay_free(struct essay *y);

/*
 * The next piece of a sentence: text outside marks (ref NULL), or a marked
 * number.  `at` starts at 0; false at the end.  Pointers are into essay.text.
 */
struct essay_piece {
    const char *text, *ref, *note;
    size_t text_len, ref_len, note_len;
};
bool essay_next(struct essay_piece *out, const struct essay *y,
                const struct essay_sentence *s, size_t *at);

#endif
