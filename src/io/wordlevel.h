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

#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"
#include "io/bpe_merge.h"
#include "io/ids.h"
#include "io/vocab.h"

struct wordlevel {
    const struct vocab *v;
    int32_t unknown; // id of unk_token, -1 when it is not in the vocabulary
};

/* Read what is the model's own; the vocabulary is complete by then and
 * outlives the model.  ERR_MISMATCH behind a ByteLevel pre-tokenizer. */
enum status wordlevel_parse(void **out, const struct json *model,
                            const struct vocab *v, bool is_byte_level,
                            const char *name, struct err *err) MUST_CHECK;
void wordlevel_free(void *model);

/* Append the id of one piece of text; `work` is not used. */
enum status wordlevel_encode(const void *model, struct bpe_work *work,
                             const char *text, size_t len, struct ids *out,
                             struct err *err) MUST_CHECK;

#endif
