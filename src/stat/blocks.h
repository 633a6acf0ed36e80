/*
 * blocks.h - the interval of a few units that resemble their neighbours:
 * iterations or checkpoints of one run.
 *
 * A percentile bootstrap (stat/summary.h) of a dozen units is too narrow, since
 * it draws from a distribution whose spread is (m - 1)/m of the right one and
 * takes normal tails for Student's; and it believes that neighbours are
 * independent.  Here the m units are cut into k blocks of neighbours, each is
 * left out in turn (the delete-a-block jackknife; Kunsch 1989, and for blocks
 * of different size Busing, Meijer and van der Leeden 1999), and the interval
 * is Student's with k - 1 degrees of freedom:
 *
 *     h_j      m / m_j, m_j units in block j
 *     p_j      h_j x - (h_j - 1) x without block j
 *     x_J      k x - sum over j of (1 - m_j / m) (x without block j)
 *     variance 1/k sum of (p_j - x_J)^2 / (h_j - 1)
 *     interval x +- t sqrt(variance)
 *
 * around the statistic x itself, not around the corrected x_J.  Of a mean of
 * independent normal units, blocks of one, it is the textbook's t-interval.
 * What wanders over more units than a block holds is still underrated.
 */
#ifndef PLUMB_STAT_BLOCKS_H
#define PLUMB_STAT_BLOCKS_H

#include "stat/summary.h"

/* Blocks below which no interval is given, and at most made: more of them add
 * next to nothing to Student's degrees of freedom. */
#define BLOCKS_MIN 3
#define BLOCKS_MOST 64

/* Units a block for m neighbours: round(m^(1/3)), fewer where that would leave
 * less than BLOCKS_MIN blocks, at least 1. */
size_t blocks_length(size_t m);

/*
 * A statistic of units index[0..n-1] < m, ascending and each at most once.
 *   block  units a block; cut into floor(m / block) blocks, BLOCKS_MOST at
 *          most, whose lengths differ by one at most
 *   level  coverage, 0: 0.95
 * The estimate is NaN when the statistic is not finite; the interval also when
 * it is not without one of the blocks, or with fewer than BLOCKS_MIN of them.
 * out->n is m.  ERR_MEMORY is the only failure.
 */
enum status blocks_estimate(struct estimate *out, summary_statistic fn,
                            void *ctx, size_t m, size_t block, double level,
                            struct err *err) MUST_CHECK;

/* sum a / sum b over the units where neither is NaN: out->n of them. */
enum status blocks_ratio(struct estimate *out, const double *a, const double *b,
                         size_t m, size_t block, double level,
                         struct err *err) MUST_CHECK;

#endif
