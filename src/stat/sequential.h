/*
 * sequential.h - a win rate one may look at after every vote.
 *
 * Testing again and again as votes come in finds differences that are not
 * there.  An e-process does not: under the null its value is a fair bet's
 * capital, and capital 20 is reached with probability 1/20 at most, whenever
 * one stops (Ville's inequality; Robbins 1970; Ramdas et al. 2023).  Against
 * "wins and losses are equally likely", with a uniform mixture over
 * alternatives, after W wins and L losses, n = W + L,
 *
 *     E_n = 2^n B(W+1, L+1),    E_n / E_{n-1} = 2 (W + 1) / (n + 1) on a win
 *
 * where the W of the ratio counts wins before it.  The interval is the set of
 * rates p that the same bet against p has not ruled out,
 *
 *     B(W+1, L+1) / (p^W (1-p)^L) < 1 / (1 - level)
 *
 * and covers the true rate at all times at once with probability `level`.
 *
 * A tie bets nothing: the rate is that of wins among votes that chose.  Votes
 * must be independent given the past, so a prompt has one vote: the majority's
 * if several people judged it.
 */
#ifndef PLUMB_STAT_SEQUENTIAL_H
#define PLUMB_STAT_SEQUENTIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "stat/summary.h"

/* Zero is the state before the first vote. */
struct sequential {
    size_t wins, losses, ties;
    double log_beta;   // ln B(wins + 1, losses + 1)
    double log_e;      // ln E_n
    double log_e_max;  // its largest value so far
    size_t decided_at; // votes, ties included, when E_n first reached
                       // SEQUENTIAL_DECIDED; 0: it has not
    bool is_for_wins;  // which side was ahead then
};

/* Evidence at which the question is decided: false alarms at most 1 in 20. */
#define SEQUENTIAL_DECIDED 20.0

/* Add a vote: above 1/2 a win, below a loss, 1/2 a tie; NaN is no vote. */
void sequential_vote(struct sequential *s, double win);

/*
 * Do all votes so far still say what the question was decided for?  A decision
 * stands as a test, its error is spent when E_n first gets there; but votes
 * that come later can take the evidence back, or turn it, and who reads the
 * rate then must know.  False while nothing is decided.
 */
bool sequential_holds(const struct sequential *s);

/* The win rate with its interval, valid at all times; level in (0, 1), 0 means
 * .95.  n is the number of votes that chose; without one, [0, 1] around NaN. */
struct estimate sequential_rate(const struct sequential *s, double level);

/* What sequential_more() looks ahead at most. */
#define SEQUENTIAL_MORE_MAX 1000000

/*
 * How many more votes until decided, if they keep coming as they did: wins,
 * losses and ties in the present proportion, evenly mixed.  0 when decided;
 * INFINITY when wins and losses are equal or SEQUENTIAL_MORE_MAX is not enough.
 * A forecast, not a promise: half of all sequences take longer.
 */
double sequential_more(const struct sequential *s);

#endif
