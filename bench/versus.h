/*
 * versus.h - what versus.c measures and versus_rows.c tells.
 */
#ifndef PLUMB_BENCH_VERSUS_H
#define PLUMB_BENCH_VERSUS_H

#include <stdbool.h>

#include "base/err.h"

#define PAIRS_MAX 99
#define TRIES_MAX (2 * PAIRS_MAX)
#define ROWS_MAX 4
/* The figure that is measured and not told. */
#define PEAK "peak_mib"

/* What is told of the runs. */
struct row {
    const char *name, *key;
    double target; // NAN: none
    bool less;
};

struct program {
    char **argv;
    char formats[64];
    double figure[ROWS_MAX][TRIES_MAX];
};

/* What was measured: pairs that count come first. */
struct trial {
    int pairs, discarded;
    double noise;     // of the pairs that count: slowest over fastest
    double noise_all; // of those that were discarded, too
    bool is_noisy;
};

struct options {
    const char *against, *json, *absent, *table;
    struct row row[ROWS_MAX];
    int rows;
    bool absolute;
    int pairs;
    int argc;
    char **argv; // the whole command
};

struct spread {
    double min, median, max;
};

/* Of n numbers, no more than TRIES_MAX. */
struct spread spread_of(const double *x, int n);

/* Print a row of what was measured. */
void print_row(const struct options *o, int i, const struct program side[2],
               const struct trial *t);

/* All of them into the list of the file that the options name: in the place of
 * the rows of the same name against the same, or behind the others. */
enum status store_rows(const struct options *o, const struct program side[2],
                       const struct trial *t, struct err *err);

/* Print the rows of a file; the exit status. */
int print_table(const char *path);

#endif
