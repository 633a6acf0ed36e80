/*
 * scan_string.h - the strings of scan.c: where one ends, and whether it may.
 */
#ifndef PLUMB_IO_SCAN_STRING_H
#define PLUMB_IO_SCAN_STRING_H

#include <stdbool.h>

struct scan_string {
    const char *why; // what is wrong with it, or NULL
    bool is_escaped; // it holds backslashes
};

/* Pass over what follows an opening quote; the closing one, or where the
 * string goes wrong, which out->why then tells. */
const char *scan_string_pass(struct scan_string *out, const char *text,
                             const char *end);

#endif
