#include "rlhf/ensemble.h"

#include <assert.h>
#include <string.h>

enum status ensemble_open(struct ensemble *out, const char *const *path,
                          size_t n, const struct outside_config *command,
                          const struct reward_policy *policy, int precision,
                          const struct context *context, struct err *err)
{
    struct ensemble e = {.n = 0};
    assert(n >= 1 && n <= ENSEMBLE_MAX);
    while (e.n < n) {
        struct reward_reader *member = &e.member[e.n];
        enum status status =
            path[e.n] != NULL
                ? reward_reader_open(member, path[e.n], policy, precision, err)
                : reward_reader_open_command(member, command, policy, context,
                                             err);
        if (status != OK) {
            ensemble_close(&e);
            return status;
        }
        e.scale[e.n++] = (struct score_scale){.mean = 0, .sd = 1};
    }
    *out = e;
    return OK;
}

void ensemble_close(struct ensemble *e)
{
    for (size_t m = 0; m < e->n; m++)
        reward_reader_close(&e->member[m]);
    memset(e, 0, sizeof *e);
}

enum status ensemble_read(double *raw, const struct ensemble *e,
                          const struct reward_replies *replies,
                          const struct context *context, struct err *err)
{
    for (size_t m = 0; m < e->n; m++)
        TRY(reward_reader_score(raw + m * replies->n, &e->member[m], replies,
                                context, err));
    return OK;
}

void ensemble_calibrate(struct ensemble *e, const double *raw, size_t n)
{
    for (size_t m = 0; m < e->n; m++)
        e->scale[m] = scorer_scale(raw + m * n, n);
}

static double combine(double *sd, const struct ensemble *e, const double *z)
{
    double least = z[0];
    for (size_t m = 1; m < e->n; m++)
        if (z[m] < least)
            least = z[m];
    /* Members of one opinion deviate by 0, not by a unit for want of one. */
    struct score_scale s = scorer_scale(z, e->n);
    bool is_one = true;
    for (size_t m = 1; m < e->n; m++)
        is_one = is_one && z[m] == z[0];
    *sd = is_one ? 0 : s.sd;
    switch ((enum ensemble_rule)e->rule) {
    case ENSEMBLE_MIN:
        return least;
    case ENSEMBLE_MEAN_MINUS_SD:
        return s.mean - e->lambda * *sd;
    case ENSEMBLE_MEAN:
        break;
    }
    return s.mean;
}

void ensemble_combine(double *score, double *sd, const struct ensemble *e,
                      const double *raw, size_t n)
{
    double z[ENSEMBLE_MAX];
    assert(e->n >= 1 && e->n <= ENSEMBLE_MAX);
    for (size_t i = 0; i < n; i++) {
        if (e->n == 1) {
            score[i] = raw[i];
            sd[i] = 0;
            continue;
        }
        for (size_t m = 0; m < e->n; m++)
            z[m] = (raw[m * n + i] - e->scale[m].mean) / e->scale[m].sd;
        score[i] = combine(&sd[i], e, z);
    }
}
