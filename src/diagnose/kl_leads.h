/*
 * kl_leads.h - the ledger of the penalty: where it falls, what it pays for, and
 * what the KL is told by.
 *
 *     ledger        share of the policy's exact KL by class of token; is most
 *                   of it where a sentence has ended, at the decision to stop?
 *     concentrated  Gini and the shares of the top 5 % and 20 % of tokens
 *     eos_paid      what the penalty pays an EOS token, on average: a policy
 *                   that stops less than its reference is paid for stopping.
 *                   Second half; unit: iterations, in blocks (stat/blocks.h)
 *     paid          what the penalty pays back, where a token is less likely
 *                   than under the reference, over what it charges; and where
 *                   along a response the difference falls, in tenths.  Units as
 *                   of eos_paid
 *     beta_path     beta at the last iteration over that at the first, in units
 *                   of the reward model's output: settings as they are
 *                   recorded, so there is no interval; from 1/2 down
 *     estimators    k3 over the exact KL of the last quarter's responses, off
 *                   by a fifth; k1 is gate V5
 *     forward       KL of the reference to the policy on given prefixes, over
 *                   the reverse: large when what the reference says was lost
 *
 * What length costs and what the price buys is in diagnose/price_leads.h.  A
 * row whose unit is not said has the prompt.
 */
#ifndef PLUMB_DIAGNOSE_KL_LEADS_H
#define PLUMB_DIAGNOSE_KL_LEADS_H

#include "diagnose/mechanisms.h"
#include "diagnose/push.h"

enum status kl_leads(struct leads *leads, const struct evidence *e,
                     const struct push *p, struct err *err) MUST_CHECK;

#endif
