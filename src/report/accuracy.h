/*
 * accuracy.h - how well the reward model orders the pairs it was not trained
 * on, beside the rule that the longer response is better.
 */
#ifndef PLUMB_REPORT_ACCURACY_H
#define PLUMB_REPORT_ACCURACY_H

#include "report/html.h"
#include "report/inputs.h"

/* "reward_heldout" of heldout.json as a section, or that it is not known. */
void accuracy_write(struct html *h, const struct inputs *in);

/* Its verdict as sentences inside a paragraph; nothing when not known. */
void accuracy_sentence(struct html *h, const struct inputs *in);

#endif
