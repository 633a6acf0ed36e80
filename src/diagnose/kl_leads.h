/*
 * kl_leads.h - the ledger of the penalty: where it falls, what it charges for,
 * what it would take to charge enough.
 *
 *     ledger        share of the policy's exact KL by class of token; is most
 *                   of it where a sentence has ended, at the decision to stop?
 *     concentrated  Gini and the shares of the top 5 % and 20 % of tokens
 *     eos_paid      what the penalty pays an EOS token, on average: a policy
 *                   that stops less than its reference is paid for stopping
 *     paid          what the penalty pays back, where a token is less likely
 *                   than under the reference, over what it charges; and where
 *                   along a response the difference falls, in tenths
 *     length_share  of the rise of KL since the first checkpoint behind the
 *                   start, the part that is more tokens and not more KL a token
 *                   (Kitagawa); beside it the KL of the first tokens alone
 *     limit         the limit on a response's length rose over training, by
 *                   KL_LEADS_LIMIT at least: then KL a response rises in the
 *                   training log whatever the policy does
 *     length_price  what the observed lengthening costs by the stop decision
 *                   alone: rho - 1 - ln rho, and the least cost for the
 *                   reference's own lengths, beside the whole KL
 *     price         KL* from weighted samples, with its ceiling, beside the
 *                   Gaussian one
 *     beta_path     beta at the last iteration over that at the first
 *     estimators    k3 over the exact KL at the end; k1 is gate V5
 *     forward       KL of the reference to the policy on given prefixes, over
 *                   the reverse: large when what the reference says was lost
 */
#ifndef PLUMB_DIAGNOSE_KL_LEADS_H
#define PLUMB_DIAGNOSE_KL_LEADS_H

#include "diagnose/mechanisms.h"
#include "diagnose/push.h"

#define KL_LEADS_LIMIT 1.25

enum status kl_leads(struct leads *leads, const struct evidence *e,
                     const struct push *p, struct err *err) MUST_CHECK;

#endif
