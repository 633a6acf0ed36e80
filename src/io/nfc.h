/*
 * nfc.h - Unicode's composed form (NFC).
 *
 * Characters are taken apart, marks are put in order, and what can be composed
 * is.  Characters that Unicode 9 does not have take no part: the tokenizers
 * library normalises with its tables.
 */
#ifndef PLUMB_IO_NFC_H
#define PLUMB_IO_NFC_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Append the composed form of valid UTF-8.  The time is O(len), however many
 * marks follow each other.  A full buffer is left to the caller. */
enum status nfc_append(struct buf *out, const char *text, size_t len,
                       struct err *err) MUST_CHECK;

#endif
