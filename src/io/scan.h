/*
 * scan.h - a pull scanner over one JSON text in memory, for rows that are too
 * many to build a tree of each.
 *
 *     struct scan s;
 *     struct scan_slice key;
 *     scan_init(&s, line, len);
 *     if (scan_object(&s))
 *         while (scan_member(&s, &key)) {
 *             if (scan_slice_is(&key, "logp"))
 *                 n = scan_floats(&s, logp, room);
 *             else
 *                 scan_skip(&s);
 *         }
 *     TRY(scan_end(&s, "file:7", err));
 *
 * It reads RFC 8259 and refuses what that refuses: commas too many, control
 * characters and bad escapes in strings, halves of surrogate pairs, invalid
 * UTF-8, leading zeros, a number beyond double, anything behind the value.
 * Refused as well: nesting deeper than SCAN_DEPTH_MAX, and \u0000, which no C
 * string can hold.  So far it agrees with base/json.h.  It differs there:
 *
 *     NaN, Infinity and -Infinity are numbers (Python writes them)
 *     where a number is asked for, null is NaN and "1.5", "nan" or "-inf" in
 *         quotes is the number in them
 *     a key that comes twice is given twice
 *
 * Numbers are correctly rounded, to double or straight to float, whatever the
 * locale.
 *
 * Errors stick: the first one is kept with the byte it was found at, and from
 * then on every call answers false, 0 or NaN and moves nothing, so that a
 * reader checks once, in scan_end().  After scan_member() or scan_item() said
 * true, exactly one value is to be read or skipped.
 *
 * Nothing is allocated and no state is shared; `struct scan` may be copied to
 * look ahead.  Room: an array of n numbers takes at least 2n bytes, and a
 * string never grows when it is unescaped, so that room for len / 2 numbers
 * and len + 1 characters always suffices.
 *
 * Checked against base/json.h by tests/io/test_scan.c and by a fuzzer.
 */
#ifndef PLUMB_IO_SCAN_H
#define PLUMB_IO_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SCAN_DEPTH_MAX 64

struct scan {
    const char *text, *end;
    const char *at;    // next byte; `end` after a failure
    const char *fault; // where the first failure is
    const char *why;   // what it is; NULL while all is well
    unsigned depth;    // open brackets
    uint64_t begun;    // a bit each, the innermost lowest: an item was read
};

/* Bytes between the quotes of a string that was found valid. */
struct scan_slice {
    const char *text;
    size_t len;
    bool is_escaped; // holds backslashes
};

enum scan_kind {
    SCAN_NONE, // no value begins here
    SCAN_NULL,
    SCAN_BOOL,
    SCAN_NUMBER, // NaN and the infinities too
    SCAN_TEXT,
    SCAN_ARRAY,
    SCAN_OBJECT,
};

/* text[0..len) must outlive the scan and the slices it gives. */
void scan_init(struct scan *s, const char *text, size_t len);

/* OK when the value is at its end and only blanks follow; else ERR_FORMAT,
 * "name: byte 12: why". */
enum status scan_end(struct scan *s, const char *name,
                     struct err *err) MUST_CHECK;

/* Whether something failed so far. */
bool scan_failed(const struct scan *s);

/* Fail at the next byte for a reason of the caller's, a string that lasts;
 * an earlier failure stays. */
void scan_fail(struct scan *s, const char *why);

/* What the next value is, by its first byte. */
enum scan_kind scan_peek(struct scan *s);

/* ---- structure ---------------------------------------------------------- */

/* Step into an object or array; false when it is none, which is a failure. */
bool scan_object(struct scan *s);
bool scan_array(struct scan *s);

/* Step to the next member's value or the next item; false at the closing
 * bracket, which is then behind us, and on failure. */
bool scan_member(struct scan *s, struct scan_slice *key);
bool scan_item(struct scan *s);

/* Pass over a value, checking it all the same. */
void scan_skip(struct scan *s);

/* The same, and its text from the first byte to the last; never escaped. */
struct scan_slice scan_raw(struct scan *s);

/* ---- values ------------------------------------------------------------- */

bool scan_bool(struct scan *s);

/* null is NaN. */
double scan_number(struct scan *s);

/* An integer, with or without a fraction of zero, that fits 64 bits. */
int64_t scan_int(struct scan *s);

/*
 * An array of numbers into out[room]; returns how many.  More than fit, and
 * integers that do not fit 32 bits, are failures.  What float cannot hold is
 * an infinity of its sign; null is NaN, but no integer.
 */
size_t scan_floats(struct scan *s, float *out, size_t room);
size_t scan_doubles(struct scan *s, double *out, size_t room);
size_t scan_ints(struct scan *s, int32_t *out, size_t room);

/* A string, not unescaped yet. */
struct scan_slice scan_text(struct scan *s);

/* Unescape a slice into out[x->len + 1], ended by a NUL; returns the length
 * without it. */
size_t scan_slice_copy(char *out, const struct scan_slice *x);

/* Does a slice stand for this text? */
bool scan_slice_is(const struct scan_slice *x, const char *text);

#endif
