/*
 * scan_oracle.h - io/scan.h against Jansson (base/json.h), for its tests and
 * its fuzzer.
 */
#ifndef PLUMB_TESTS_SCAN_ORACLE_H
#define PLUMB_TESTS_SCAN_ORACLE_H

#include <stdbool.h>
#include <stddef.h>

enum scan_oracle {
    ORACLE_SAME,    // refused by both, or read with the same values
    ORACLE_UNKNOWN, // a key twice, on which Jansson is not asked further
    ORACLE_DIFFERENT,
};

/*
 * Read a text in both ways.  Numbers must agree to the last bit, as doubles,
 * integers and, with strtof(), floats; reading must end where skipping does.
 * NaN and the infinities, which Jansson does not know, are put before it as
 * empty arrays, which then must come where the scanner finds such a number.
 *
 *   why          out  what differs, or NULL
 *   is_accepted  out  the scanner reads it; NULL: not wanted
 */
enum scan_oracle scan_oracle(const char **why, bool *is_accepted,
                             const char *text, size_t len);

#endif
