#include "stat/winrate.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

#include "base/mem.h"
#include "stat/distribution.h"

double winrate_of(double a, double b)
{
    if (isnan(a) || isnan(b))
        return (double)NAN;
    if (a == b)
        return 0.5;
    return a > b ? 1 : 0;
}

enum status winrate_estimate(struct estimate *out, const size_t *prompt,
                             const double *win, size_t n_pairs,
                             size_t n_prompts, const struct bootstrap *plan,
                             struct err *err)
{
    enum status status = OK;
    double *won = NULL;
    double *judged = NULL;
    TRY_DONE(MEM_NEW(won, n_prompts, err));
    TRY_DONE(MEM_NEW(judged, n_prompts, err));
    for (size_t k = 0; k < n_pairs; k++) {
        assert(prompt[k] < n_prompts);
        if (isnan(win[k]))
            continue;
        won[prompt[k]] += win[k];
        judged[prompt[k]] += 1;
    }
    /* A prompt without a judged pair is not an observation of zero. */
    for (size_t i = 0; i < n_prompts; i++)
        if (judged[i] == 0)
            won[i] = (double)NAN;
    TRY_DONE(summary_estimate_ratio(out, won, judged, n_prompts, plan, err));
done:
    mem_free(judged);
    mem_free(won);
    return status;
}

struct estimate winrate_share(double sum, size_t n, double level)
{
    if (n == 0)
        return summary_nothing();
    double z =
        distribution_normal_quantile((1 + (level > 0 ? level : 0.95)) / 2);
    double m = (double)n;
    double share = sum / m;
    double centre = (share + z * z / (2 * m)) / (1 + z * z / m);
    double half = z * sqrt(share * (1 - share) / m + z * z / (4 * m * m)) /
                  (1 + z * z / m);
    /* At 0 and 1 the bound is exact, but for rounding. */
    return (struct estimate){share, share <= 0 ? 0 : centre - half,
                             share >= 1 ? 1 : centre + half, n};
}

/* Mark every system reachable from system 0 along "beat" edges (or along
 * "was beaten by" edges). */
static bool reaches_all(const double *wins, size_t n, bool backwards,
                        bool *seen)
{
    size_t found = 1;
    for (size_t i = 0; i < n; i++)
        seen[i] = i == 0;
    for (bool grew = true; grew;) {
        grew = false;
        for (size_t e = 0; e < n * n; e++) {
            size_t i = backwards ? e % n : e / n;
            size_t j = backwards ? e / n : e % n;
            if (i == j || !seen[i] || seen[j] || !(wins[e] > 0))
                continue;
            seen[j] = true;
            found++;
            grew = true;
        }
    }
    return found == n;
}

/* One round on gamma = exp(strength); returns the largest change of a
 * strength. */
static double improve(double *gamma, const double *wins, size_t n)
{
    double moved = 0;
    for (size_t i = 0; i < n; i++) {
        double won = 0;
        double expected = 0;
        for (size_t j = 0; j < n; j++) {
            if (j == i)
                continue;
            won += wins[i * n + j];
            expected +=
                (wins[i * n + j] + wins[j * n + i]) / (gamma[i] + gamma[j]);
        }
        double next = won / expected;
        moved = fmax(moved, fabs(log(next / gamma[i])));
        gamma[i] = next;
    }
    return moved;
}

enum status winrate_bradley_terry(double *strength, const double *wins,
                                  size_t n, struct err *err)
{
    enum {
        ROUNDS = 100000
    };
    enum status status = OK;
    bool *seen = NULL;
    double *gamma = NULL;
    TRY_DONE(MEM_NEW(seen, n, err));
    TRY_DONE(MEM_NEW(gamma, n, err));
    /* Ford 1957: the maximum exists exactly when every system can be reached
     * from every other along wins. */
    if (n > 0 && (!reaches_all(wins, n, false, seen) ||
                  !reaches_all(wins, n, true, seen))) {
        status = err_set(err, ERR_NUMERIC,
                         "bradley-terry: a group of systems never lost to the "
                         "others, its strength has no maximum");
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        gamma[i] = 1;
    double moved = n > 1 ? 1 : 0;
    for (int round = 0; round < ROUNDS && moved > 1e-13; round++)
        moved = improve(gamma, wins, n);
    if (moved > 1e-9) {
        status =
            err_set(err, ERR_NUMERIC,
                    "bradley-terry: no convergence after %d rounds", ROUNDS);
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        strength[i] = log(gamma[i] / gamma[0]);
done:
    mem_free(gamma);
    mem_free(seen);
    return status;
}
