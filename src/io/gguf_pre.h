/*
 * gguf_pre.h - llama.cpp's names for the ways byte-level BPE cuts text
 * ("tokenizer.ggml.pre") and what tokenizer.json has in their place.
 */
#ifndef PLUMB_IO_GGUF_PRE_H
#define PLUMB_IO_GGUF_PRE_H

#include <stddef.h>

#include "base/json.h"

struct gguf_pre {
    const char *name;         // "smollm"
    const char *pretokenizer; // the value of "pre_tokenizer", as JSON
    bool is_nfc;              // the normalizer is NFC, else there is none
};

/* The way of that name, or NULL. */
const struct gguf_pre *gguf_pre_find(const char *name);

/* The way that a tokenizer.json asks for, out = NULL when it has no name here.
 * What does not change ids (trim_offsets) does not matter. */
enum status gguf_pre_match(const struct gguf_pre **out,
                           const struct json *tokenizer,
                           struct err *err) MUST_CHECK;

#endif
