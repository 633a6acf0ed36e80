/*
 * grade_internal.h - counts that exam.json and the printed page share.
 */
#ifndef PLUMB_TESTS_EXAM_GRADE_INTERNAL_H
#define PLUMB_TESTS_EXAM_GRADE_INTERNAL_H

#include "exam/grade.h"

/* The sets, in the order in which they are told. */
enum {
    EXAM_SETS = 4
};
extern const char *const exam_sets[EXAM_SETS];

struct exam_share {
    size_t k, n;
};

struct exam_counts {
    struct exam_share top1, first; // cases that count so
    struct exam_share alarms;      // of healthy runs
    struct exam_share right_verdict;
    struct exam_share guard, blamed;
    struct exam_share idle;    // alarms where nothing was learned
    struct exam_share placebo; // permutations with a false finding
    struct exam_share placebo_verdict;
    size_t n, diagnosed; // runs
};
struct exam_counts exam_count(const struct exam *e, const char *set);

/* Of a case in a set: how often each answer was given. */
size_t exam_matrix_row(size_t count[EXAM_ANSWERS], const struct exam *e,
                       const char *set, size_t at);

/* Which rows of a diagnosis tell a case from the healthy runs of a set. */
struct exam_sign {
    const char *row;
    double auc, planted, healthy; // medians
    size_t n_planted, n_healthy;
};
/* The `room` best, by |auc - 1/2|; *n are filled. */
enum status exam_signs(struct exam_sign *out, size_t room, size_t *n,
                       const struct exam *e, const char *set, size_t at,
                       struct err *err) MUST_CHECK;

#endif
