/*
 * whatif_make.h - what some changes need made first: labels, a mixed policy.
 */
#ifndef PLUMB_CLI_WHATIF_MAKE_H
#define PLUMB_CLI_WHATIF_MAKE_H

#include "cli/whatif_arm.h"

/*
 * Rankings by the support desk's careful raters, once for all seeds: of the
 * replies that the reward model was trained on, or (WHATIF_FRESH_LABELS) of
 * replies that the run's own policy gives to fresh tickets.
 */
enum status whatif_make_labels(const struct whatif_project *p,
                               const struct whatif_place *arm,
                               struct session *s, struct err *err) MUST_CHECK;

/* DIR/policy: (1 - x) reference + x policy, parameter by parameter. */
enum status whatif_make_policy(const struct whatif_project *p,
                               const struct whatif_place *arm,
                               struct session *s, struct err *err) MUST_CHECK;

#endif
