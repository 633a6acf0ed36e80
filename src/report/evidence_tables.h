/*
 * evidence_tables.h - the rows behind the essay: each with an anchor,
 * #row-ID, that the essay's numbers point at.
 */
#ifndef PLUMB_REPORT_EVIDENCE_TABLES_H
#define PLUMB_REPORT_EVIDENCE_TABLES_H

#include "diagnose/diagnose.h"
#include "report/essay.h"
#include "report/html.h"

/* The two changes: what is changed, predicted, observed, given up. */
void evidence_tables_remedies(struct html *h, const struct diagnosis *d);

/* Gates, observations, mechanisms, leads; what is missing and what contradicts
 * itself.  Leads that the essay has no number of are folded away. */
void evidence_tables_rows(struct html *h, const struct essay *y);

/* The explanations by rank, each with what its signs say. */
void evidence_tables_rivals(struct html *h, const struct diagnosis *d);

/* What would change the verdict: of each row that carries it the opposite
 * result, and experiments. */
void evidence_tables_mind(struct html *h, const struct diagnosis *d);

/* The observations by tag; nothing without tags. */
void evidence_tables_tags(struct html *h, const struct diagnosis *d);

/* Which checkpoint to ship, and what that gives up. */
void evidence_tables_ship(struct html *h, const struct diagnosis *d);

#endif
