/*
 * weak_gold.h - may a second reward model judge what the first one rewarded?
 */
#ifndef PLUMB_CLI_WEAK_GOLD_H
#define PLUMB_CLI_WEAK_GOLD_H

#include <stdbool.h>

#include "base/err.h"

/*
 * ERR_ARG when both models are known to have learnt from the same records: a
 * model errs where its twin does.  What they learnt from is what their runs
 * recorded (config.yaml: reward.data), read again and compared record by
 * record, prompts and responses.  *is_disjoint: both files are there, as they
 * were, and share none.  Of a model from elsewhere, or when a file is gone,
 * nothing is known, and false.
 */
enum status weak_gold_check(bool *is_disjoint, const char *reward_model,
                            const char *gold_model, struct err *err) MUST_CHECK;

#endif
