/*
 * course.h - how a number went over the iterations of a run: a column of the
 * training log, means over the responses of each iteration, or a KL curve whose
 * meaning is known (diagnose/imported.h).
 *
 *     struct course c;
 *     TRY(course_of_metric(&c, e, names, err));
 *     if (c.m >= TREND_MIN) ...
 *     course_free(&c);
 *
 * Iterations without the number are left out.  A KL of another trainer is read
 * only where it is known what it is; one that is a mean over tokens is a KL of
 * responses only together with their lengths in tokens: their product, as if
 * every response of an iteration had the mean length.
 */
#ifndef PLUMB_DIAGNOSE_COURSE_H
#define PLUMB_DIAGNOSE_COURSE_H

#include "diagnose/imported.h"

struct course {
    double *t, *y;                // [m], t ascending
    size_t m;                     // 0: there is none
    const char *name;             // the column, or what was averaged
    const char *data;             // "ppo/metrics.jsonl"
    const struct imported_kl *kl; // of a KL curve, else NULL
    bool is_product;              // token mean times mean length
    enum evidence_unit unit;      // of a length
};

/* Fine on a zeroed struct. */
void course_free(struct course *c);

/* The first of names (ended by NULL) that the log has. */
enum status course_of_metric(struct course *out, const struct evidence *e,
                             const char *const *names,
                             struct err *err) MUST_CHECK;

/* The mean of fn over each iteration's responses, without those where it is
 * NaN; `which` is handed on to it. */
typedef double (*course_fn)(const struct evidence_rollout *r, size_t which);
enum status course_of_rollouts(struct course *out, const struct evidence *e,
                               const char *name, course_fn fn, size_t which,
                               struct err *err) MUST_CHECK;

/* What was logged under a canonical name (docs/metrics.md), else what the
 * rollouts have: mean score; mean length, whose unit is told. */
enum status course_of_score(struct course *out, const struct evidence *e,
                            struct err *err) MUST_CHECK;
enum status course_of_length(struct course *out, const struct evidence *e,
                             struct err *err) MUST_CHECK;

/*
 * The best KL curve of this kind that an import names: a sum over responses
 * before a mean over tokens before what is neither; a known estimator before an
 * unknown one.  A KL with policy and reference exchanged is none.
 */
enum status course_of_kl(struct course *out, const struct evidence *e,
                         enum imported_kind kind, struct err *err) MUST_CHECK;

/*
 * The KL to the reference in nats a response, of an import: as course_of_kl()
 * where that is a sum by a known estimator, times the lengths where it is a
 * mean over tokens.  Without one *why says so; it is a literal.
 */
enum status course_of_response_kl(struct course *out, const char **why,
                                  const struct evidence *e,
                                  struct err *err) MUST_CHECK;

/* Means of the first and of the last tenth of the points, one at least. */
double course_start(const struct course *c);
double course_end(const struct course *c);

#endif
