/*
 * normalizer.h - what is done to a text before it is cut into pieces.
 *
 *     null                                  nothing
 *     {"type":"NFC"}                        Unicode's composed form
 *     {"type":"Prepend","prepend":s}        s before a text that is not empty
 *     {"type":"Replace","pattern":...,"content":c}
 *     {"type":"Sequence","normalizers":[...]}   one after the other
 *
 * NFC is that of Unicode 9, as Hugging Face's library has it: newer characters
 * stay as and where they are.
 */
#ifndef PLUMB_IO_NORMALIZER_H
#define PLUMB_IO_NORMALIZER_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "io/replace.h"

#define NORMALIZER_STEPS_MAX 8

enum normalizer_type {
    NORMALIZER_NFC,
    NORMALIZER_PREPEND,
    NORMALIZER_REPLACE
};

struct normalizer_step {
    enum normalizer_type type;
    char *prepend;
    struct replace replace;
};

struct normalizer {
    struct normalizer_step step[NORMALIZER_STEPS_MAX];
    size_t n; // 0: the text stays as it is
};

/* `node` is the file's "normalizer"; `name` the file.  ERR_MISMATCH names what
 * is not supported. */
enum status normalizer_parse(struct normalizer *out, const struct json *node,
                             const char *name, struct err *err) MUST_CHECK;
void normalizer_free(struct normalizer *z);

/* Append the normalised text; text is valid UTF-8.  ERR_LIMIT when it grows
 * past 64 MiB on the way. */
enum status normalizer_run(const struct normalizer *z, const char *text,
                           size_t len, struct buf *out,
                           struct err *err) MUST_CHECK;

#endif
