/*
 * rig.h - tickets made by hand, and the bounds of the statistical tests.
 *
 * Bounds are 4.5 standard errors of the quantity under the law, so that one
 * check in 150 000 of a right program would fail; the seeds are fixed anyway.
 */
#ifndef TESTS_WORLD_RIG_H
#define TESTS_WORLD_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "world/judge.h"
#include "world/tickets.h"

#define RIG_SIGMAS 4.5

/* A ticket whose right resolution is r: order #Q4, the lamp, $35, first
 * wording, no opening, no tail. */
struct ticket rig_ticket(enum resolution r);

/* Is a count of k in n compatible with probability p? */
#define RIG_RATE(k, n, p)                                                      \
    rig_rate((double)(k), (double)(n), (p), __FILE__, __LINE__)
void rig_rate(double k, double n, double p, const char *file, int line);

/* Is a mean of n values with standard deviation sd compatible with mu? */
#define RIG_MEAN(mean, sd, n, mu)                                              \
    rig_mean((mean), (sd), (double)(n), (mu), __FILE__, __LINE__)
void rig_mean(double mean, double sd, double n, double mu, const char *file,
              int line);

/* Equal to 1e-12. */
#define RIG_EQUAL(a, b) rig_equal((a), (b), __FILE__, __LINE__)
void rig_equal(double a, double b, const char *file, int line);

/* The judgement of a reply; fails the test when there is none. */
struct judgement rig_judge(const struct ticket *t, const char *reply,
                           bool is_eos);

#endif
