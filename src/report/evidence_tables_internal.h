/*
 * evidence_tables_internal.h - what both halves of the tables are put in.
 */
#ifndef PLUMB_REPORT_EVIDENCE_TABLES_INTERNAL_H
#define PLUMB_REPORT_EVIDENCE_TABLES_INTERNAL_H

#include "report/html.h"

/* A section with a heading; closed as any element. */
void evidence_open_section(struct html *h, const char *id, const char *title);

/* A table that scrolls by itself; `head` is its raw head. */
void evidence_open_table(struct html *h, const char *head);
void evidence_close_table(struct html *h);

#endif
