/*
 * gguf_pre.h - THE table of llama.cpp's names for the ways in which byte-level
 * BPE cuts text ("tokenizer.ggml.pre"), and what tokenizer.json says in their
 * place.
 */
#ifndef PLUMB_IO_GGUF_PRE_H
#define PLUMB_IO_GGUF_PRE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "io/gguf.h"

/* What "tokenizer.ggml.token_type" says of a token. */
enum gguf_token {
    GGUF_TOKEN_NORMAL = 1,
    GGUF_TOKEN_UNKNOWN,
    GGUF_TOKEN_CONTROL,
    GGUF_TOKEN_USER,
    GGUF_TOKEN_UNUSED,
    GGUF_TOKEN_BYTE
};

struct gguf_pre {
    const char *name;
    const char *regex;   // of a Split; NULL: ByteLevel's own
    bool digits;         // one by one, before the rest
    bool nfc;            // the normalizer is NFC; else there is none
    bool ignores_merges; // of the model
    bool adds_bos;       // when the file does not say
};

/* By name, or NULL. */
const struct gguf_pre *gguf_pre_find(struct gguf_text name);

/* The row that a tokenizer.json with a byte-level BPE model asks for, or NULL
 * when llama.cpp has no name for it.  What does not change ids does not matter
 * (trim_offsets). */
const struct gguf_pre *gguf_pre_match(const struct json *tokenizer);

#endif
