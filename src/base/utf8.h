/*
 * utf8.h - where a character of UTF-8 ends, and which one it is.
 */
#ifndef PLUMB_BASE_UTF8_H
#define PLUMB_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

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

/* Bytes of the longest beginning of a text that is UTF-8: `len` when all is. */
size_t utf8_valid(const char *text, size_t len);

/* Characters of a text; a byte that begins none counts as one. */
size_t utf8_count(const char *text, size_t len);

/* The code point that valid UTF-8 starts with, and how many bytes it has. */
uint32_t utf8_decode(const char *text, size_t *len);

/* Write a code point (no surrogate) into out[4]; how many bytes it has. */
size_t utf8_encode(char out[4], uint32_t code);

#endif
