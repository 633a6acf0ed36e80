/*
 * elsewhere.h - advice on a run that another trainer made: what is missing is
 * told with that trainer's own flag, what to change with its own settings, and
 * never with a command of Plumb's or a folder that an import may have made for
 * the moment only.
 */
#ifndef PLUMB_DIAGNOSE_ELSEWHERE_H
#define PLUMB_DIAGNOSE_ELSEWHERE_H

#include "diagnose/imported.h"
#include "diagnose/remedies.h"

/*
 * Rows that are not measurable for what the import lacks say what that is and
 * how their trainer would write it, the cheapest first; rows that have a number
 * and want more of it stay.  Nothing is changed in a run of Plumb's.
 */
void elsewhere_needs(struct finding *row, size_t n, const struct evidence *e);

/* What would tell more of a rival, in words. */
const char *elsewhere_experiment(const char *rival);

/* Its experiment; and R15 renamed where V1, which of an import compares two
 * engines, is refuted.  `v1` may be NULL. */
void elsewhere_rival(struct rival *r, const struct finding *v1);

/*
 * The remedies that were chosen, told of this run: in place of measurements the
 * cheapest things that are missing and would make rows of the first three
 * rivals measurable, as many as there are; in place of commands the trainer's
 * settings where its recorded configuration has them.
 */
void elsewhere_remedies(struct remedy out[REMEDIES], const struct evidence *e,
                        const struct rows *rows, const struct rival *rivals,
                        enum remedy_purpose purpose);

#endif
