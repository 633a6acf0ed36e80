/*
 * reliability.h - how far each judge can be believed, from agreement alone.
 *
 * A unit is a pair of answers of which one is taken to be better, z = 1 (the
 * first) or 0, before any vote either with probability 1/2.  Judge j names the
 * better one with a probability p[j] of the judge's own, the same for all
 * units and whatever the others say: Dawid and Skene's (1979) model of raters
 * with one coin for each,
 *
 *     P(said | z) = p[j] if said = z, else 1 - p[j]
 *
 * p is found by their EM algorithm, begun at the majority's choices:
 *
 *     q[u] = P(z[u] = 1 | votes)
 *          = sigma(sum over votes k on u of +-log(p[j] / (1 - p[j])))
 *     p[j] = (6 + sum over the judge's votes of P(z[u] = said))
 *            / (8 + their number)
 *
 * which climbs to a maximum of the posterior under a Beta(7, 3) prior: as if
 * every judge had cast eight votes before, six of them right.  People agree on
 * 60 to 77 % of pairs of replies, which is what two judges with p of .72 to .87
 * do.  The prior decides where votes are few, where two judges alone cannot be
 * told apart, and which of the two mirror images (all p, all 1 - p) is meant.
 *
 * Ties are no votes here, nor is a unit with one vote: it agrees with itself.
 *
 * The weight of a vote is the log odds by which the model lets it count (Nitzan
 * and Paroush 1982: the best majority rule),
 *
 *     w[j] = log(c / (1 - c)), c = p[j] brought into [0.55, 0.95]
 *
 * divided by the mean over the judges who have one.  So none counts more than
 * fifteen times another, and none counts for nothing or against.
 *
 * What it cannot see: units that differ in difficulty, and a taste that judges
 * share.  If most like long answers, those who do not look unreliable.
 */
#ifndef PLUMB_STAT_RELIABILITY_H
#define PLUMB_STAT_RELIABILITY_H

#include <stddef.h>

#include "base/err.h"

/* A decided vote. */
struct reliability_vote {
    size_t judge, unit;
    int said; // 1: the first answer is better, 0: the second
};

struct reliability {
    size_t n;      // votes on units with others' votes
    double p;      // NaN when n is 0
    double weight; // mean 1 over those with votes; NaN when n is 0
};

/* out [n_judges]; at most one vote of a judge on a unit.  ERR_MEMORY is the
 * only failure. */
enum status reliability_fit(struct reliability *out,
                            const struct reliability_vote *vote, size_t n,
                            size_t n_judges, size_t n_units,
                            struct err *err) MUST_CHECK;

#endif
