/*
 * added.h - added tokens: those found in the text itself, before the model
 * sees it.
 *
 *     {"id":n, "content":s, "special":b, "normalized":b, "lstrip":b,
 *      "rstrip":b, "single_word":false}
 *
 * They are looked for twice: those not normalized in the text as it came, the
 * normalized ones (their content normalised, too) in normalised text.  The
 * leftmost is found first, of several there the longest.  One with lstrip or
 * rstrip takes the white space before or behind it with it.
 */
#ifndef PLUMB_IO_ADDED_H
#define PLUMB_IO_ADDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "io/ids.h"
#include "io/normalizer.h"
#include "io/vocab.h"

struct added_token {
    char *text; // what is looked for; owned
    size_t len;
    int32_t id;
    bool is_special, lstrip, rstrip;
};

/* The tokens of one round, sorted by their bytes. */
struct added_round {
    struct added_token *token;
    size_t n;
    size_t first[257]; // token[first[c]..first[c+1]) start with byte c
};

struct added {
    struct added_round raw, normalized;
};

/*
 * Read the file's "added_tokens" (NULL: none).  The vocabulary gets those that
 * the model does not have, and learns which are special.  ERR_MISMATCH names a
 * flag that is not supported, ERR_FORMAT and ERR_LIMIT the token.
 */
enum status added_parse(struct added *out, const struct json *list,
                        struct vocab *v, const struct normalizer *z,
                        const char *name, struct err *err) MUST_CHECK;
void added_free(struct added *a);

/*
 * Append the ids of the added tokens in text[0..len) and hand what is between
 * them, never empty, to fn.  Without `special` the special ones are text.
 */
typedef enum status (*added_fn)(void *ctx, const char *text, size_t len,
                                struct err *err);
enum status added_split(const struct added_round *r, const char *text,
                        size_t len, bool special, struct ids *out, added_fn fn,
                        void *ctx, struct err *err) MUST_CHECK;

#endif
