/*
 * essay_internal.h - the parts of essay.c: how sentences are put together, and
 * the paragraphs, a file for each kind.
 */
#ifndef PLUMB_REPORT_ESSAY_INTERNAL_H
#define PLUMB_REPORT_ESSAY_INTERNAL_H

#include "report/essay.h"

enum {
    ESSAY_SHOWN_MAX = 160, // bytes of a number as it is read
    ESSAY_NOTE_MAX = 480,
};

/* How a number is shown. */
enum essay_form {
    FORM_PLAIN,            // 1.95
    FORM_SIZE,             // without its sign
    FORM_SIGNED,           // +1.95
    FORM_PERCENT,          // 56 %
    FORM_SIGNED_POINTS,    // +17 percentage points
    FORM_SIGNED_NATS,      // -4.1 nats
    FORM_POINTS,           // 17.4 percentage points: a difference of rates
    FORM_TIMES,            // 1.87 times
    FORM_NATS,             // 6.1 nats
    FORM_COUNT,            // 256
    FORM_INTERVAL,         // 0.31 [0.29, 0.32]
    FORM_INTERVAL_POINTS,  // 1 [-3, 4] percentage points
    FORM_INTERVAL_PERCENT, // 12 [9, 15] %
};

/* A marked number, by value so that it may stand among arguments. */
struct essay_mark {
    char text[768];
};

/* A text from a file with its control characters and backticks replaced, cut to
 * fit. */
struct essay_clean {
    char text[560];
};

/* Terms that are explained where they first occur. */
enum essay_term {
    TERM_REWARD_MODEL = 1,
    TERM_REFERENCE = 2,
    TERM_KL = 4,
    TERM_ADVANTAGE = 8,
    TERM_CLIP = 16,
    TERM_GOLD = 32,
    TERM_PLACEBO = 64,
    TERM_POINTS = 128,
    TERM_SCORE = 256, // a word before "score"
};

/* ---- numbers (essay_number.c) ------------------------------------------- */

/* Of a row or of one of its details, "S2b.less_direct".  What is not there or
 * not finite leaves a hole. */
struct essay_mark essay_stat(struct essay *y, const char *ref,
                             enum essay_form form);
/* Any estimate under a reference of its own; `what` says what it is. */
struct essay_mark essay_value(struct essay *y, const char *ref,
                              const char *what, const struct estimate *e,
                              enum essay_form form);
/* What is read, e as `form` wants it; "" when it is not finite. */
void essay_show(char out[ESSAY_SHOWN_MAX], const struct estimate *e,
                enum essay_form form);
struct essay_clean essay_clean(const char *text);
/* The same without a full stop, to stand at a sentence's end.  A number in it,
 * such as the line of a damaged file, is no statistic and stays text. */
struct essay_clean essay_clause(const char *text);

/* A sentence of another module, such as a row's own, with every number in it
 * marked as that row's and without a full stop. */
struct essay_quoted {
    char text[4096];
};
struct essay_quoted essay_quote(struct essay *y, const char *ref,
                                const char *text);

/* The same with its first letter a capital one; its own text. */
const char *essay_begin(struct essay_quoted *q);

/* The statistic behind a row or a detail; NULL row when there is none. */
struct essay_source {
    const struct finding *row;
    struct estimate e;
    bool is_detail;
};
struct essay_source essay_find(const struct essay *y, const char *ref);
/* Its estimate alone; NaN when there is none. */
double essay_estimate(const struct essay *y, const char *ref);

/* ---- sentences (essay.c) ------------------------------------------------ */

/* Opens a paragraph; one without sentences is dropped when the next opens. */
void essay_open(struct essay *y, const char *title, unsigned figures);

/* A sentence of each kind; `rows` are ids with blanks between.  True when it
 * was taken. */
bool essay_say(struct essay *y, const char *rows, const char *fmt, ...)
    ERR_PRINTF(3, 4);
bool essay_deny(struct essay *y, const char *rows, const char *fmt, ...)
    ERR_PRINTF(3, 4);
bool essay_lack(struct essay *y, const char *rows, const char *fmt, ...)
    ERR_PRINTF(3, 4);
bool essay_tell(struct essay *y, const char *fmt, ...) ERR_PRINTF(2, 3);
bool essay_advise(struct essay *y, const char *fmt, ...) ERR_PRINTF(2, 3);

/* The explanation of a term, a clause between commas or dashes; "" when it was
 * given before. */
const char *essay_term(struct essay *y, enum essay_term term);

/* Verdicts of rows, by id; a row that is not there is not measurable. */
enum verdict essay_verdict(const struct essay *y, const char *row);
bool essay_is(const struct essay *y, const char *row); // supported
const char *essay_needs(const struct essay *y, const char *row);
/* Does a sentence rest on this row? */
bool essay_has_told(const struct essay *y, const char *row);
/* Which of its two marks S2b stands on: "direct" or "correct". */
const char *essay_mark_of(const struct essay *y); // essay_story.c

/* What the KL that rose did over the second half of the run, by the interval of
 * its slope there. */
enum essay_late {
    LATE_UNKNOWN, // it did not rise, or the slope is not there
    LATE_RISES,
    LATE_LEVEL, // the interval covers none
    LATE_FALLS,
};
enum essay_late essay_late(const struct essay *y); // essay_story.c

/* ---- paragraphs --------------------------------------------------------- */

/* is_whole: also what rests on log-probabilities, and the gates. */
void essay_observed(struct essay *y, bool is_whole); // essay_story.c
void essay_reward(struct essay *y);                  // (a), essay_why.c
void essay_optimiser(struct essay *y);               // (b)
void essay_penalty(struct essay *y);                 // (c)
void essay_formula(struct essay *y); // the textbook's, essay_formula.c
/* Explanations, essay_rivals.c: of one its title, and what a bug spoils (NULL:
 * none); then sentences about the first, behind a lead; those that are
 * supported beside it; those still in the running; and how many fell. */
const char *essay_rival_title(const char *id);
const char *essay_rival_spoils(const char *id);
void essay_rival_first(struct essay *y, const char *lead);
void essay_rivals_beside(struct essay *y);
void essay_rivals_running(struct essay *y);
void essay_rivals_count(struct essay *y);
void essay_changes(struct essay *y);  // essay_remedies.c
void essay_shipping(struct essay *y); // essay_remedies.c
void essay_unknown(struct essay *y);  // essay_shapes.c
void essay_shape(struct essay *y);    // essay_shapes.c: all of it

/* ---- another trainer's run (essay_source.c) ----------------------------- */

/* Whose run it is and what was understood of it; what part of the evidence
 * tells.  Nothing is said of a run of Plumb's. */
void essay_source(struct essay *y);
void essay_partial(struct essay *y);

#endif
