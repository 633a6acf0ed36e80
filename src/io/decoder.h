/*
 * decoder.h - from tokens back to text, as tokenizer.json says.
 *
 *     null                                        tokens joined by spaces
 *     {"type":"WordPiece","prefix":p,"cleanup":b} a space before every token
 *         but the first; one that starts with p loses p instead; cleanup
 *         takes the space from " .", " ,", " n't" and their like
 *     {"type":"Fuse"}                             all tokens become one
 *     {"type":"Replace","pattern":{"String":s} or {"Regex":r},"content":c}
 *     {"type":"ByteLevel"}                        the bytes that the tokens'
 *         characters stand for; a token with others stays; all become one
 *     {"type":"ByteFallback"}                     <0xHH> tokens become their
 *         bytes; U+FFFD for each of a run that is not UTF-8
 *     {"type":"Metaspace","replacement":c,"prepend_scheme":s}   c becomes a
 *         space, in the first token nothing unless s is "never"
 *     {"type":"Strip","content":c,"start":n,"stop":m}   up to n c off the
 *         beginning of every token, up to m off its end
 *     {"type":"Sequence","decoders":[...]}        one after the other
 *
 * Every step works on each token alone (hence Fuse before a Replace that
 * looks across tokens); the result is what the last step left, joined.
 */
#ifndef PLUMB_IO_DECODER_H
#define PLUMB_IO_DECODER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "io/replace.h"

#define DECODER_STEPS_MAX 16

enum decoder_type {
    DECODER_WORDPIECE,
    DECODER_FUSE,
    DECODER_REPLACE,
    DECODER_BYTE_LEVEL,
    DECODER_BYTE_FALLBACK,
    DECODER_METASPACE,
    DECODER_STRIP
};

struct decoder_step {
    enum decoder_type type;
    char *text;             // WordPiece: prefix; Metaspace, Strip: character
    bool cleanup;           // WordPiece
    bool drops_first;       // Metaspace
    size_t start, stop;     // Strip
    struct replace replace; // Replace
};

struct decoder {
    bool joins; // null: by spaces
    struct decoder_step step[DECODER_STEPS_MAX];
    size_t n;
};

/* `node` is the file's "decoder"; `name` the file.  ERR_MISMATCH names what
 * is not supported. */
enum status decoder_parse(struct decoder *out, const struct json *node,
                          const char *name, struct err *err) MUST_CHECK;
void decoder_free(struct decoder *d);

/* Append the text of n tokens.  ERR_LIMIT when it grows past 64 MiB on the
 * way. */
enum status decoder_run(const struct decoder *d, const char *const *token,
                        size_t n, struct buf *out, struct err *err) MUST_CHECK;

#endif
