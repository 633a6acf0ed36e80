/*
 * tokenizer.h - text to token ids and back, from Hugging Face's tokenizer.json
 * or a GGUF file.
 *
 * The kind of model (WordLevel, BPE) is hidden behind these calls.  A file
 * whose model, normaliser, pre-tokenizer, post-processor or decoder is not
 * implemented is refused by name, never approximated; what is implemented
 * gives the ids and the text that Hugging Face's library gives.  A tokenizer
 * is immutable after opening and may be shared by threads.
 */
#ifndef PLUMB_IO_TOKENIZER_H
#define PLUMB_IO_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "io/ids.h"

struct tokenizer;

/* Open DIR/tokenizer.json, such a file, or a GGUF file (whose tokenizer is
 * turned into one, io/tokenizer_gguf.h); ERR_MISSING when absent.  The template
 * in a chat_template.jinja beside it becomes part of the config. */
enum status tokenizer_open(struct tokenizer **out, const char *path,
                           struct err *err) MUST_CHECK;
/* From the bytes of a tokenizer.json (copied) and of the tokenizer_config.json
 * beside it (copied; NULL if none). */
enum status tokenizer_parse(struct tokenizer **out, const char *json,
                            size_t len, const char *config_json,
                            size_t len_config, const char *name,
                            struct err *err) MUST_CHECK;
/* From a GGUF file that is open. */
struct gguf;
enum status tokenizer_from_gguf(struct tokenizer **out, const struct gguf *g,
                                struct err *err) MUST_CHECK;
void tokenizer_free(struct tokenizer *t);

/*
 * Ids run from 0 to size-1: one more than the highest.  Not every one need
 * have a token (a BPE vocabulary may have gaps), and a model may have more
 * rows than this.
 */
size_t tokenizer_size(const struct tokenizer *t);

/* Id of a token as it stands in the vocabulary, or -1. */
int32_t tokenizer_id(const struct tokenizer *t, const char *token);
/* The token of an id as it stands in the vocabulary; NULL when it has none. */
const char *tokenizer_token(const struct tokenizer *t, int32_t id);
bool tokenizer_is_special(const struct tokenizer *t, int32_t id);

/* The token that the file puts before (bos) or behind (eos) a text which no
 * chat template has wrapped, or -1.  tokenizer_encode() adds neither. */
int32_t tokenizer_bos(const struct tokenizer *t);
int32_t tokenizer_eos(const struct tokenizer *t);

/*
 * Append the ids of `text`.  With `special`, added special tokens written in
 * the text (<eos>) become their ids; without, they are ordinary text, which
 * is what user input wants.  Added tokens that are not special (Qwen3's
 * <think>) are found either way, as Hugging Face's library does.
 *
 * A WordLevel vocabulary that lacks a word: ERR_MISMATCH names it.  What a BPE
 * vocabulary lacks becomes byte tokens or unk_token if the file has them, else
 * nothing (io/bpe.h).  Takes O(n log n) for n bytes.
 */
enum status tokenizer_encode(const struct tokenizer *t, const char *text,
                             size_t len, bool special, struct ids *out,
                             struct err *err) MUST_CHECK;

/* Append the text of ids; special tokens are left out when skip_special, which
 * gives a text for people and files: a byte 0 becomes U+FFFD there, like bytes
 * that are no UTF-8.  An
 * id without a token gives nothing; ERR_MISMATCH for a negative one. */
enum status tokenizer_decode(const struct tokenizer *t, const int32_t *id,
                             size_t n, bool skip_special, struct buf *out,
                             struct err *err) MUST_CHECK;

/* A tokenizer_config.json (NULL: none) with another chat template, or without
 * one when `source` is NULL; appended. */
enum status tokenizer_config_join(struct buf *out, const char *config,
                                  size_t len, const char *source, size_t n,
                                  struct err *err) MUST_CHECK;

/* The files as they were read or made, for copying into a checkpoint; the
 * config may be NULL. */
const char *tokenizer_json(const struct tokenizer *t, size_t *len);
const char *tokenizer_config_json(const struct tokenizer *t, size_t *len);

#endif
