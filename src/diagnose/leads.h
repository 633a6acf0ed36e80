/*
 * leads.h - exploratory rows of a diagnosis: slopes of features, ledgers,
 * trends, each without a verdict-bearing test of its own.
 */
#ifndef PLUMB_DIAGNOSE_LEADS_H
#define PLUMB_DIAGNOSE_LEADS_H

#include "diagnose/finding.h"

/* Exploratory rows, in the order they were made. */
struct leads {
    struct finding *row;
    size_t n, room;
};

/* *out is a new lead, marked as one, and lasts until the next is added.
 * ERR_MEMORY is the only failure. */
enum status leads_add(struct finding **out, struct leads *l, const char *id,
                      const char *claim, const char *unit, const char *data,
                      struct err *err) MUST_CHECK;
void leads_free(struct leads *l);

#endif
