/*
 * reward_judges.h - how much each person's rankings count in training.
 *
 * A record that says who ranked it ("rater", a text) gets that judge's weight:
 * the log odds that the judge names the better of two responses, found from
 * agreement with the others alone and clipped, with mean 1 over the judges
 * (stat/reliability.h).  A unit is a pair of responses to one prompt, known by
 * their texts, so that rankings of other sets that share two responses count
 * too; a judge's second ranking of a pair does not.  Records without a rater,
 * and judges who ranked nothing that others did, have weight 1.
 *
 *     w_x = weight of the record's judge;  all divided by their mean over the
 *           training records, and loss of the record = w_x * its ranking loss
 *
 * Only training records are looked at: what is held out decides nothing.
 */
#ifndef PLUMB_RLHF_REWARD_JUDGES_H
#define PLUMB_RLHF_REWARD_JUDGES_H

#include "io/dataset.h"

/*
 * Multiply weight [n_train] by those of the records' judges.  ERR_FORMAT when
 * no record has a rater; ERR_ARG when no two judges ranked one pair, so that
 * there is nothing to tell them by.
 */
enum status reward_judges_weigh(double *weight, const struct dataset *data,
                                size_t n_train, struct err *err) MUST_CHECK;

#endif
