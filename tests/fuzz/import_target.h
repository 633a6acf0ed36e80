/*
 * import_target.h - any bytes as a source file of one family of formats, read
 * by each of its kinds: rows and values that hold together, or a refusal.
 */
#ifndef PLUMB_FUZZ_IMPORT_TARGET_H
#define PLUMB_FUZZ_IMPORT_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* One input for the formats of these names, separated by blanks. */
void import_target(const char *formats, const uint8_t *data, size_t len);

#endif
