#include "rlhf/schedule.h"

#include <assert.h>
#include <math.h>

static const double pi = 3.14159265358979323846;

double schedule_factor(enum schedule kind, int64_t t, int64_t total,
                       int64_t warmup, double low)
{
    assert(t >= 1 && warmup >= 0);
    if (t <= warmup)
        return (double)t / (double)warmup;
    if (kind == SCHEDULE_CONSTANT)
        return 1.0;

    /* An update past the planned end keeps the last factor. */
    double done = 1.0;
    if (t < total)
        done = (double)(t - warmup) / (double)(total - warmup);
    double left =
        kind == SCHEDULE_LINEAR ? 1.0 - done : 0.5 * (1.0 + cos(pi * done));
    return low + (1.0 - low) * left;
}

double schedule_line(double from, double to, int64_t i, int64_t n)
{
    return n > 1 ? from + (to - from) * (double)i / (double)(n - 1) : from;
}
