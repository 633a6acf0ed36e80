/*
 * remedy_value.h - a change made concrete: does it apply to this run, with
 * which value, as which lines of configuration, for which reasons.
 */
#ifndef PLUMB_DIAGNOSE_REMEDY_VALUE_H
#define PLUMB_DIAGNOSE_REMEDY_VALUE_H

#include "diagnose/remedy_predict.h"

/*
 * Is the change of use here?  Not when its condition fails, the run has the
 * setting already, or no value can be found for it.  `value` is its number (NaN
 * without one), `text` the same as plumb whatif takes it ("" without one).
 * Two or three digits: a change is named by its value.
 *
 *     price   p(d) of remedy_path.h at the KL wanted, where the curve explains
 *             half of the score's rise or more; else sd / sqrt(2 KL), the price
 *             at which normal scores with the deviation that replies to a
 *             prompt have would rest there (stat/klprice.h); in any case more
 *             than beta is now
 *     token   slope of the score on tokens among the reference's replies to one
 *             prompt
 *     epoch   that of the last checkpoint of fine-tuning in its first half,
 *             else of its first one
 *     cap     95 % quantile of the reference's tokens
 *
 * ERR_MEMORY is the only failure.
 */
enum status remedy_value_find(bool *applies, double *value, char text[32],
                              const struct remedy_row *row,
                              const struct remedy_sources *s,
                              struct err *err) MUST_CHECK;

/* Why that value: the numbers in words, after r->why; "" when it is fixed. */
void remedy_value_say(struct remedy *r, const struct remedy_row *row,
                      double value, const struct remedy_sources *s);

/* name, change and command of a remedy; `text` as above. */
void remedy_value_write(struct remedy *r, const struct remedy_row *row,
                        const char *text, const struct evidence *e);

/* Text behind what out[room] has already; what does not fit is cut. */
void remedy_value_append(char *out, size_t room, const char *fmt, ...)
    ERR_PRINTF(3, 4);

/* A path as a word of a shell's command, into out[FILE_PATH_MAX], without
 * slashes at its end. */
const char *remedy_value_quote(char *out, const char *path);

#endif
