/*
 * essays.h - constructed diagnoses: rows with known numbers, all supported
 * unless a test says otherwise.
 */
#ifndef PLUMB_TESTS_REPORT_ESSAYS_H
#define PLUMB_TESTS_REPORT_ESSAYS_H

#include "diagnose/diagnose.h"

/* Every row supported but edit_trim, which is refuted; `first` is the first
 * rival and supported, unless nothing is concluded.  Free its leads with
 * leads_free(). */
void essays_make(struct diagnosis *d, enum diagnosis_verdict v,
                 const char *first);

/* Another remedy, re-run with so many seeds. */
void essays_add_remedy(struct diagnosis *d, size_t seeds, const char *claim);

/* A row by its id; NULL when there is none. */
struct finding *essays_find(struct diagnosis *d, const char *id);

/* The i-th row of all; NULL behind the last. */
struct finding *essays_row(struct diagnosis *d, size_t i);

/* Not measurable, and without the numbers. */
void essays_lose(struct finding *f);

#endif
