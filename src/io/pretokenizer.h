/*
 * pretokenizer.h - the pieces of a text that a tokenizer's model sees.
 *
 *     null                             the text as it is
 *     {"type":"WhitespaceSplit"}       what is between white space
 *     {"type":"Whitespace"}            words, and runs of other signs
 *     {"type":"Split", "pattern":{"Regex":r} or {"String":s},
 *      "behavior":"Removed" or "Isolated", "invert":bool}
 *
 * Split: matches are dropped (Removed) or are pieces of their own (Isolated),
 * and what lies between them is a piece; `invert` lets the two change places.
 */
#ifndef PLUMB_IO_PRETOKENIZER_H
#define PLUMB_IO_PRETOKENIZER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "io/pattern.h"

struct pretokenizer {
    struct pattern *pattern; // NULL: one piece
    bool keeps_match;
    bool keeps_gap;
};

/* `node` is the file's "pre_tokenizer"; `name` the file.  ERR_MISMATCH names
 * what is not supported. */
enum status pretokenizer_parse(struct pretokenizer *out,
                               const struct json *node, const char *name,
                               struct err *err) MUST_CHECK;
void pretokenizer_free(struct pretokenizer *p);

/* Hand every piece, in order, none of them empty, to fn; text is valid
 * UTF-8.  Stops at the first failure. */
typedef enum status (*pretokenizer_fn)(void *ctx, const char *piece, size_t len,
                                       struct err *err);
enum status pretokenizer_split(const struct pretokenizer *p, const char *text,
                               size_t len, pretokenizer_fn fn, void *ctx,
                               struct err *err) MUST_CHECK;

#endif
