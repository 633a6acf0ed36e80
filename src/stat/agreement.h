/*
 * agreement.h - how far raters agree: raw, beyond chance, and with gaps.
 *
 * Codes of R raters on U units (replies or pairs), NaN where a rater did not
 * code a unit.  Units are grouped by prompt, and the interval resamples
 * prompts (stat/summary.h).  With m[u] codes in unit u, n[u,c] of them equal to
 * c, and n = sum of m[u] over units with at least two codes:
 *
 *   raw      share of the pairs of codes of one unit that are equal
 *   cohen    (po - pe) / (1 - pe), two raters, units that both coded
 *                po  share of the units they agree on
 *                pe  sum over c of p1[c] p2[c], their own shares of code c
 *            (Cohen 1960)
 *   fleiss   (P - Pe) / (1 - Pe), the same number m of codes in every unit
 *                P   mean over units of (sum_c n[u,c]^2 - m) / (m (m - 1))
 *                Pe  sum over c of (n[c] / (U m))^2
 *            (Fleiss 1971); units nobody coded are left out
 *   alpha    1 - Do / De, any gaps; units with one code are left out
 *                Do  (1/n) sum_u sum_{i != j} d(c_i, c_j) / (m[u] - 1)
 *                De  1/(n (n-1)) sum_{c,k} n[c] n[k] d(c,k)
 *            (Krippendorff 2011, Computing Krippendorff's alpha-reliability)
 *                nominal   d = 0 when equal, else 1
 *                ordinal   d = (n[c]/2 + n[c+1] + ... + n[k]/2)^2: the squared
 *                          distance of midranks
 *                interval  d = (c - k)^2
 *                ratio     d = ((c - k) / (c + k))^2, codes >= 0
 *
 * For two equally frequent codes alpha is about 2 raw - 1, so that .2 to .5 is
 * usual for preferences between two replies: low alpha is noise to be reckoned
 * with, not a reason to drop data.
 */
#ifndef PLUMB_STAT_AGREEMENT_H
#define PLUMB_STAT_AGREEMENT_H

#include "stat/summary.h"

enum agreement_kind {
    AGREEMENT_RAW,
    AGREEMENT_COHEN,
    AGREEMENT_FLEISS,
    AGREEMENT_ALPHA_NOMINAL,
    AGREEMENT_ALPHA_ORDINAL,
    AGREEMENT_ALPHA_INTERVAL,
    AGREEMENT_ALPHA_RATIO,
    AGREEMENT_KINDS
};

/* Distinct codes are sought among at most this many codes of the ratio
 * metric, whose chance disagreement takes the square of their number. */
#define AGREEMENT_RATIO_MAX 512

struct agreement_codes {
    const double *code; // [raters * units], rater by rater; NaN: not coded
    size_t raters, units;
    const size_t *prompt; // [units] < n_prompts; NULL: a unit is a prompt
    size_t n_prompts;     // with `prompt`
};

struct agreement {
    struct estimate e;  // n: prompts with a unit that counts
    const char *reason; // NULL; or why the estimate is undefined (NaN)
};

/* "raw", "cohen", "fleiss", "alpha_nominal", ... */
const char *agreement_name(enum agreement_kind kind);

/*
 * A measure that does not exist is no failure: `reason` says why.  ERR_MEMORY;
 * ERR_NUMERIC for an infinite code; ERR_LIMIT for more than AGREEMENT_RATIO_MAX
 * different codes with the ratio metric.
 */
enum status agreement_measure(struct agreement *out,
                              const struct agreement_codes *codes,
                              enum agreement_kind kind,
                              const struct bootstrap *plan,
                              struct err *err) MUST_CHECK;

#endif
