/*
 * bytelevel.h - the printable alphabet that byte-level BPE writes bytes in.
 *
 * Bytes 33..126, 161..172 and 174..255 are the characters of those numbers;
 * the other 68, in order, are U+0100 and on.  (A space is U+0120.)
 */
#ifndef PLUMB_IO_BYTELEVEL_H
#define PLUMB_IO_BYTELEVEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Write the character of a byte; how many bytes it has. */
size_t bytelevel_write(char out[4], unsigned char byte);

/* Append the bytes that a token (valid UTF-8) stands for.  False, and nothing
 * appended, when a character is not of the alphabet. */
bool bytelevel_read(struct buf *out, const char *token, size_t len);

#endif
