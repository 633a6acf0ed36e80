/*
 * utf8.h - where a character of UTF-8 ends.
 */
#ifndef PLUMB_BASE_UTF8_H
#define PLUMB_BASE_UTF8_H

#include <stddef.h>

/*
 * Bytes of the character that text[0..len), len > 0, starts with; 0 when it
 * starts with none (Unicode 15, table 3-7: stray, cut short, overlong, a
 * surrogate or past U+10FFFF).
 *
 *   bad  out  with 0: how many bytes one U+FFFD stands for, the longest that
 *             could have begun a character, at least 1; or NULL
 *
 * Cannot fail, keeps no state.
 */
size_t utf8_length(const char *text, size_t len, size_t *bad);

#endif
