/*
 * price_leads.h - what length costs, and how far the price of KL lets a policy
 * go.
 *
 *     length_share  of the rise of KL since the first checkpoint behind the
 *                   start, the part that is more tokens and not more KL a token
 *                   (Kitagawa); beside it the KL of the first tokens alone
 *     limit         the limit on a response's length rose over training, by
 *                   PRICE_LEADS_LIMIT at least: then KL a response rises in the
 *                   training log whatever the policy does.  Read off the
 *                   rollouts and not estimated: a response longer than a limit
 *                   at which another was cut shows that it rose.  Refuted when
 *                   there is no such response, or when none of the first
 *                   quarter was cut, so that nothing was held back.  Beside it
 *                   the shares of responses that were cut, and that the first
 *                   limit would have cut in the last quarter
 *     length_price  what the observed lengthening costs by the stop decision
 *                   alone, rho - 1 - ln rho, and the least cost for the
 *                   reference's own lengths.  Supported when the interval of
 *                   the first less a quarter of the whole KL is below 0, not
 *                   supported above; share_of_kl is their ratio
 *     price         KL* from weighted samples, with its ceiling, beside the
 *                   Gaussian one
 */
#ifndef PLUMB_DIAGNOSE_PRICE_LEADS_H
#define PLUMB_DIAGNOSE_PRICE_LEADS_H

#include "diagnose/mechanisms.h"
#include "diagnose/push.h"

#define PRICE_LEADS_LIMIT 1.25

enum status price_leads(struct leads *leads, const struct evidence *e,
                        const struct push *p, struct err *err) MUST_CHECK;

#endif
