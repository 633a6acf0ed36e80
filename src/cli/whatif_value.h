/*
 * whatif_value.h - what the settings of a change come to in an arm.
 */
#ifndef PLUMB_CLI_WHATIF_VALUE_H
#define PLUMB_CLI_WHATIF_VALUE_H

#include "cli/whatif_arm.h"

/* Are its data made for it (cli/whatif_make.h), by the support desk's careful
 * raters? */
bool whatif_value_is_made(const struct whatif_change *c);

/* Setting k as text: of a change that is more than settings, what was found,
 * worked out or is made for it. */
enum status whatif_value_find(char out[FILE_PATH_MAX],
                              const struct whatif_project *p,
                              const struct whatif_change *c, size_t k,
                              struct err *err) MUST_CHECK;

/*
 * A stage's recorded settings with the arm's change and seed; free with
 * options_free().  `member` is 1, or the number of an ensemble's further reward
 * model, which has a seed of its own.
 */
enum status whatif_value_options(struct options *out,
                                 const struct whatif_project *p,
                                 const struct whatif_place *arm,
                                 enum option_command stage, size_t member,
                                 struct err *err) MUST_CHECK;

#endif
