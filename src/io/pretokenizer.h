/*
 * pretokenizer.h - the pieces of a text that a tokenizer's model sees.
 *
 *     null                             the text as it is
 *     {"type":"WhitespaceSplit"}       what is between white space
 *     {"type":"Whitespace"}            words, and runs of other signs
 *     {"type":"Split", "pattern":{"Regex":r} or {"String":s},
 *      "behavior":"Removed" or "Isolated", "invert":bool}
 *     {"type":"Digits","individual_digits":b}   numbers apart from the rest,
 *                                               each by itself if b
 *     {"type":"ByteLevel","add_prefix_space":b,"use_regex":b}   GPT-2's words;
 *                                               the model sees bytes
 *     {"type":"Metaspace","replacement":c,"prepend_scheme":"always", "first"
 *      or "never","split":b}           c for a space, and c before the text;
 *                                      words begin with c if split
 *     {"type":"Sequence","pretokenizers":[...]}   one after the other
 *
 * Split: matches are dropped (Removed) or are pieces of their own (Isolated),
 * and what lies between them is a piece; `invert` lets the two change places.
 * ByteLevel must be the last step.
 */
#ifndef PLUMB_IO_PRETOKENIZER_H
#define PLUMB_IO_PRETOKENIZER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "io/pattern.h"

#define PRETOKENIZER_STEPS_MAX 8

enum pretokenizer_prefix {
    PREFIX_NEVER,
    PREFIX_FIRST, // before a piece that the text begins with
    PREFIX_ALWAYS // before every piece
};

struct pretokenizer_step {
    /* First: a space (ByteLevel) or `replacement` (Metaspace) in front, where
     * there is none yet. */
    enum pretokenizer_prefix prefix;
    char replacement[5]; // of a space; "": none
    /* Then: cut. */
    struct pattern *pattern; // NULL: one piece
    bool keeps_match;
    bool keeps_gap;
};

struct pretokenizer {
    struct pretokenizer_step step[PRETOKENIZER_STEPS_MAX];
    size_t n;
    bool is_byte_level;
};

/* `node` is the file's "pre_tokenizer"; `name` the file.  ERR_MISMATCH names
 * what is not supported. */
enum status pretokenizer_parse(struct pretokenizer *out,
                               const struct json *node, const char *name,
                               struct err *err) MUST_CHECK;
void pretokenizer_free(struct pretokenizer *p);

/* What cutting needs of its own; for one thread. */
struct pretokenizer_run {
    const struct pretokenizer *p;
    struct pattern_scan scan[PRETOKENIZER_STEPS_MAX];
    struct buf text[PRETOKENIZER_STEPS_MAX];
};
enum status pretokenizer_run_init(struct pretokenizer_run *r,
                                  const struct pretokenizer *p,
                                  struct err *err) MUST_CHECK;
void pretokenizer_run_free(struct pretokenizer_run *r);

/*
 * Hand every piece, in order, none of them empty, to fn; text is valid
 * UTF-8.  Stops at the first failure.
 *
 *   is_first  whether the text is the beginning of what the user gave
 */
typedef enum status (*pretokenizer_fn)(void *ctx, const char *piece, size_t len,
                                       struct err *err);
enum status pretokenizer_split(struct pretokenizer_run *r, const char *text,
                               size_t len, bool is_first, pretokenizer_fn fn,
                               void *ctx, struct err *err) MUST_CHECK;

#endif
