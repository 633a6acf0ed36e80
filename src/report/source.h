/*
 * source.h - of a run that another trainer made: what each of its fields
 * became, what its KL curves are, what is missing and the flag that would write
 * it.
 */
#ifndef PLUMB_REPORT_SOURCE_H
#define PLUMB_REPORT_SOURCE_H

#include "diagnose/evidence.h"
#include "report/html.h"

/* A section "source"; nothing of a run of Plumb's. */
void source_write(struct html *h, const struct evidence *e);

#endif
