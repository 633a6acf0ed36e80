/*
 * cover.h - what recommended changes were predicted to do against what they
 * did (docs/exam.md, "What-ifs").
 *
 * Reads of OUT, for each run of struct exam
 *     whatif/ID                  lines "STAGE CHANGE": what was run again; no
 *                                file: the step has not been run for it
 *     blind/NAME/diagnosis.json  both remedies and their 90 % intervals
 *     stages/STAGE/whatif/result.json   what plumb whatif saw, of one seed
 *     stages/STAGE/failed        why there is no result, in its place
 *
 * Effects are those of diagnose/remedies.h and are read as the diagnosis itself
 * reads them (diagnose/remedy_verified.h).  A prediction is inside when the
 * observed change lies in its interval, ends included.  An interval without
 * width (tokens drawn where nothing is trained) is so by definition and is not
 * counted; neither is what one of the two sides does not say.
 *
 * Widths are high - low in the unit of the measure; relative ones are over the
 * size of the observed change, |x|, of ratios |x - 1|, which makes them large
 * where nothing has changed: medians are told.  `error` is observed less
 * predicted.
 */
#ifndef PLUMB_TESTS_EXAM_COVER_H
#define PLUMB_TESTS_EXAM_COVER_H

#include "diagnose/remedies.h"

struct exam;

enum cover_state {
    COVER_TRIED,
    COVER_UNPREDICTED, // the run says nothing of what it would do
    COVER_MEASUREMENT, // it changes nothing
    COVER_FAILED,
    COVER_UNTRIED // another program recommended it than the one that was tried
};
const char *cover_state_name(enum cover_state s);

struct cover_item {
    const char *run, *set;      // the exam's
    char id[REMEDY_NAME_MAX];   // "beta"
    char name[REMEDY_NAME_MAX]; // "beta=0.38"; "" of a measurement
    enum cover_state state;
    char reason[256]; // unless tried
    struct remedy_effect effect[REMEDY_MEASURES];
};

struct cover {
    struct cover_item *item; // [n]
    size_t n, room;
};

/* Fine without a whatif/ in `dir`: n is 0.  ERR_FORMAT, ERR_MISSING and
 * ERR_MEMORY. */
enum status cover_read(struct cover *out, const struct exam *e, const char *dir,
                       struct err *err) MUST_CHECK;
void cover_free(struct cover *c);

/* Is this effect one of those that are counted? */
bool cover_is_counted(const struct cover_item *i, enum remedy_measure m);

/* Of a set; of one measure, or of all with REMEDY_MEASURES; of one change's id,
 * or of all with NULL. */
struct cover_count {
    size_t inside, n;
    double width, relative, error; // medians, NaN of nothing
};
enum status cover_count(struct cover_count *out, const struct cover *c,
                        const char *set, enum remedy_measure m, const char *id,
                        struct err *err) MUST_CHECK;

/* The set's coverage as an object; null when no run of it was tried. */
enum status cover_write(struct json_writer *w, const struct cover *c,
                        const char *set, struct err *err) MUST_CHECK;
enum status cover_print(struct buf *out, const struct cover *c, const char *set,
                        struct err *err) MUST_CHECK;

/* Were any of the set tried? */
bool cover_has(const struct cover *c, const char *set);

#endif
