/*
 * grade.h - what was planted against what was diagnosed (docs/exam.md).
 *
 *     struct exam e;
 *     TRY(exam_read(&e, "build/exam", err));
 *     exam_print(&text, &e);
 *     exam_write(&writer, &e);          // exam.json
 *     exam_free(&e);
 *
 * Reads of OUT
 *     cases.tsv        the page's table: case, base, planted, accepted,
 *                      verdicts, counts, what is expected
 *     list             the runs asked for: set, case, chain, run
 *     runs/ID          of a run that was made: set, case, chain, run, seed,
 *                      blind name, stages
 *     blind/NAME/diagnosis.json
 *     placebo/ID.json  permutations, where they were made (placebo.h)
 *     early_warning.json  alarms as if live, where they were told (warn.h)
 *     whatif/ID        what-ifs, where they were tried (cover.h)
 *
 * A run is right when its first explanation is one of the accepted ones (the
 * word "none": the verdict is inconclusive) and its verdict is one of those
 * that fit.  A run that was not made or not diagnosed is never right.
 */
#ifndef PLUMB_TESTS_EXAM_GRADE_H
#define PLUMB_TESTS_EXAM_GRADE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/names.h"
#include "exam/cover.h"
#include "stat/summary.h"

enum {
    EXAM_CASES = 64,  // at most
    EXAM_ANSWERS = 18 // R0..R15, none, missing
};
#define EXAM_NONE 16
#define EXAM_MISSING 17

struct exam_case {
    const char *id, *base, *planted, *accepted, *verdicts, *counts;
};

struct exam_run {
    const char *id, *set; // "R4-3.1", "graded"
    size_t at;            // in exam.item
    int chain, run;
    bool is_diagnosed;
    const char *blind, *verdict, *top, *tied; // tied: NULL, with none
    const char *ppo;                          // stage, beside which eval/ lies
    size_t answer;                            // 0..EXAM_ANSWERS-1
    double *estimate;                         // [exam.row.n], NaN: not there
    size_t n_estimate;
};

struct exam {
    struct arena arena; // of texts
    struct exam_case item[EXAM_CASES];
    size_t n_cases;
    struct exam_run *run;
    size_t n_runs, room_runs;
    struct names row; // ids of rows of diagnoses
    struct json *placebo[EXAM_CASES];
    const char *placebo_set[EXAM_CASES];
    size_t n_placebo;
    struct json *early_warning; // what warn.h wrote; NULL: nothing yet
    struct cover cover;         // what-ifs
};

/* ERR_MISSING, ERR_FORMAT naming file and line, ERR_MEMORY. */
enum status exam_read(struct exam *out, const char *dir,
                      struct err *err) MUST_CHECK;
void exam_free(struct exam *e);

bool exam_is_right(const struct exam *e, const struct exam_run *r);
/* The first explanation alone is an accepted one. */
bool exam_is_first(const struct exam *e, const struct exam_run *r);
/* A verdict that says something is wrong. */
bool exam_is_alarm(const struct exam_run *r);
/* The answer blames a liking for length: R1, R2 or R10. */
bool exam_blames_length(const struct exam_run *r);

/* "R4", "none", "missing". */
const char *exam_answer(size_t answer);

/*
 * k of n as a share with Wilson's (1927) interval at 95 %,
 *     (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)
 * which stays inside [0, 1] and has a width at k = 0 and k = n too.  Nothing
 * of n = 0.
 */
struct estimate exam_wilson(size_t k, size_t n);

/*
 * How well one number tells two groups apart: the share of pairs of one of
 * each in which a's is the larger, ties a half (Mann-Whitney's U over its
 * largest value).  0.5 is not at all; NaN when a group has no finite one.
 */
double exam_auc(const double *a, size_t n_a, const double *b, size_t n_b);

/* exam.json, and what is printed; one document, so they cannot differ in what
 * they count.  ERR_MEMORY. */
enum status exam_write(struct json_writer *w, const struct exam *e,
                       struct err *err) MUST_CHECK;
enum status exam_print(struct buf *out, const struct exam *e,
                       struct err *err) MUST_CHECK;

#endif
