/*
 * ensemble.h - several reward models whose scores become one.
 *
 * Bradley-Terry leaves a reward model's zero and unit free, so each member is
 * put on one scale first, mean 0 and deviation 1 on samples of the reference:
 *
 *     z_m   = (raw_m - mean_m) / sd_m
 *     mean           mean of z
 *     min            the least z ("WCO", Coste et al. 2023)
 *     mean_minus_sd  mean of z - lambda * sd of z     ("UWO", with the
 *                    deviation in place of the variance)
 *
 * sd of z, over the members (n - 1), says how far they disagree about a
 * response.  What all of them like wrongly stays liked (Eisenstein et al.
 * 2023): disagreement does not show a shared bias.
 *
 * An ensemble of one is that model: its score as it came, deviation 0.
 */
#ifndef PLUMB_RLHF_ENSEMBLE_H
#define PLUMB_RLHF_ENSEMBLE_H

#include "rlhf/reward_reader.h"

#define ENSEMBLE_MAX 5 // four to five are worth their cost (Coste et al.)

enum ensemble_rule {
    ENSEMBLE_MEAN,
    ENSEMBLE_MIN,
    ENSEMBLE_MEAN_MINUS_SD,
};

struct ensemble {
    struct reward_reader member[ENSEMBLE_MAX];
    struct score_scale scale[ENSEMBLE_MAX]; // of each on the reference
    size_t n;
    int rule;      // enum ensemble_rule
    double lambda; // of mean_minus_sd
};

/*
 * Open n models; the scales are still to be found.  path[0] may be NULL: then
 * the first is the program `command`.  On failure `out` is untouched.
 */
enum status ensemble_open(struct ensemble *out, const char *const *path,
                          size_t n, const struct outside_config *command,
                          const struct reward_policy *policy, int precision,
                          const struct context *context,
                          struct err *err) MUST_CHECK;
/* Fine on a zeroed struct. */
void ensemble_close(struct ensemble *e);

/* raw[m * replies->n + i]: what member m says of reply i. */
enum status ensemble_read(double *raw, const struct ensemble *e,
                          const struct reward_replies *replies,
                          const struct context *context,
                          struct err *err) MUST_CHECK;

/* The scales of several members, from what they say of n reference samples. */
void ensemble_calibrate(struct ensemble *e, const double *raw, size_t n);

/* score[i] and the members' deviation sd[i], from raw scores of n replies. */
void ensemble_combine(double *score, double *sd, const struct ensemble *e,
                      const double *raw, size_t n);

#endif
