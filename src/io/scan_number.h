/*
 * scan_number.h - the decimal numbers of scan.c.
 *
 * A number is split into digits and a power of ten first and rounded after
 * that, because what it is rounded to differs: double, float or an integer.
 */
#ifndef PLUMB_IO_SCAN_NUMBER_H
#define PLUMB_IO_SCAN_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* (-1)^is_negative * digits * 10^power */
struct scan_decimal {
    const char *first, *last; // the digits, a '.' among them; [first, last)
    uint64_t digits;          // their value while is_short
    int64_t power;
    bool is_negative;
    bool is_short;   // 19 significant digits at most: `digits` holds them
    bool is_integer; // neither point nor exponent was written
};

/* Read JSON's number from text[0..end), end > text; the byte behind it, or
 * NULL when there is none. */
const char *scan_number_read(struct scan_decimal *out, const char *text,
                             const char *end);

/* The nearest double or float, ties to even; beyond the largest an infinity.
 * An integer of -0 is 0. */
double scan_number_double(const struct scan_decimal *d);
float scan_number_float(const struct scan_decimal *d);

/*
 * A fast way through arrays of plain numbers: ",number" again and again from
 * *at on, without blanks, the number one whose digits fit a double and whose
 * power of ten does (Clinger's case), and a ',' or ']' behind it.  Reads at
 * most `room` of them, stops in front of the first that is anything else, and
 * leaves *at behind the last that was read; the values are those of
 * scan_number_float() and scan_number_int().  Returns how many.
 */
size_t scan_number_floats(float *out, size_t room, const char **at,
                          const char *end);
size_t scan_number_ints(int32_t *out, size_t room, const char **at,
                        const char *end);

/* The integer it is exactly; false when it has a fraction (as a double) or
 * does not fit. */
bool scan_number_int(int64_t *out, const struct scan_decimal *d);

#endif
