/*
 * reward_leads.h - what else is known of the reward model and of its judges.
 *
 *     slope_NAME   within prompts, among the reference's replies: slope of the
 *                  score on a feature of the text, per deviation of it
 *     edit_NAME    what an edit that keeps the content brings, in score
 *     split        accuracy on held-out pairs whose better reply is longer,
 *                  minus that where it is shorter: 0 for a model that does not
 *                  look at length
 *     label_taste  people's own slope on length in the rankings, logits a token
 *     judge_taste  taste for length among blind votes at equal quality: phi of
 *                  the length-controlled win rate (stat/lcwin.h)
 *     win_equal    the length-controlled win rate itself
 *     agreement    how often score and people agree on policy pairs, minus on
 *                  placebo pairs
 *     tail         Hill's index of the scores' upper tail
 */
#ifndef PLUMB_DIAGNOSE_REWARD_LEADS_H
#define PLUMB_DIAGNOSE_REWARD_LEADS_H

#include "diagnose/evidence.h"
#include "diagnose/mechanisms.h"

enum status reward_leads(struct leads *leads, const struct evidence *e,
                         struct err *err) MUST_CHECK;

/* Score per added token of an edit, over the reference's replies. */
enum status reward_leads_edit(struct estimate *out, const struct evidence *e,
                              const char *edit, struct err *err) MUST_CHECK;

#endif
