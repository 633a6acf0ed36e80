/*
 * weak_gold.h - may a second reward model judge what the first one rewarded?
 */
#ifndef PLUMB_CLI_WEAK_GOLD_H
#define PLUMB_CLI_WEAK_GOLD_H

#include "base/err.h"

/*
 * ERR_ARG when both models are known to come from the same preference data: a
 * model that learnt from the same pairs errs where the other does.  Known is
 * what their runs recorded (config.yaml, reward.data's hash); a model from
 * elsewhere is taken at the user's word.
 */
enum status weak_gold_check(const char *reward_model, const char *gold_model,
                            struct err *err) MUST_CHECK;

#endif
