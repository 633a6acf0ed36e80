/*
 * wordlevel.h - the WordLevel model: one token per word.
 *
 *     {"type":"WordLevel", "vocab":{word: id, ...}, "unk_token": word}
 *
 * A word that is not in the vocabulary becomes unk_token when the vocabulary
 * has that, else ERR_MISMATCH names it.  The word of a special token counts
 * as unknown: no text can turn into a control token.
 */
#ifndef PLUMB_IO_WORDLEVEL_H
#define PLUMB_IO_WORDLEVEL_H

#include "base/err.h"
#include "base/json.h"
#include "io/tokenizer.h"
#include "io/vocab.h"

struct wordlevel {
    int32_t unknown; // id of unk_token, -1 when it is not in the vocabulary
};

/* Read what is the model's own; the vocabulary is complete by then. */
enum status wordlevel_parse(void **out, const struct json *model,
                            const struct vocab *v, const char *name,
                            struct err *err) MUST_CHECK;
void wordlevel_free(void *model);

/* Append the ids of one piece of text. */
enum status wordlevel_encode(const void *model, const struct vocab *v,
                             const char *text, size_t len, struct ids *out,
                             struct err *err) MUST_CHECK;

#endif
