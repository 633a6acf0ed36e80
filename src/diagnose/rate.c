#include "diagnose/rate.h"

#include <math.h>

#include "base/mem.h"
#include "stat/blocks.h"

enum status rate_open(struct rate *r, size_t n, struct err *err)
{
    *r = (struct rate){.n = n};
    TRY(MEM_NEW(r->yes, n, err));
    TRY(MEM_NEW(r->asked, n, err));
    rate_clear(r);
    return OK;
}

void rate_close(struct rate *r)
{
    mem_free(r->yes);
    mem_free(r->asked);
    *r = (struct rate){.n = 0};
}

void rate_clear(struct rate *r)
{
    for (size_t p = 0; p < r->n; p++)
        r->yes[p] = r->asked[p] = (double)NAN;
}

void rate_add(struct rate *r, size_t p, double yes, double asked)
{
    if (isnan(yes + asked))
        return;
    if (isnan(r->asked[p]))
        r->yes[p] = r->asked[p] = 0;
    r->yes[p] += yes;
    r->asked[p] += asked;
}

enum status rate_estimate(struct estimate *out, const struct rate *r,
                          const struct bootstrap *plan, struct err *err)
{
    return summary_estimate_ratio(out, r->yes, r->asked, r->n, plan, err);
}

enum status rate_few(struct estimate *out, const struct rate *r, size_t block,
                     double level, struct err *err)
{
    return blocks_ratio(out, r->yes, r->asked, r->n, block, level, err);
}

enum status rate_excess(struct estimate *out, const struct rate *a,
                        const struct rate *b, const struct bootstrap *plan,
                        struct err *err)
{
    return summary_estimate_excess(out, a->yes, a->asked, b->yes, b->asked,
                                   a->n, plan, err);
}
