/*
 * tokenizer.h - text to token ids and back, from Hugging Face's
 * tokenizer.json.
 *
 * The kind of model (WordLevel here; subword kinds stand beside it) is hidden
 * behind these calls.  A file whose pre-tokenizer, normaliser or decoder is
 * not implemented is refused by name, never approximated.  A tokenizer is
 * immutable after opening and may be shared by threads.
 */
#ifndef PLUMB_IO_TOKENIZER_H
#define PLUMB_IO_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct tokenizer;

/* Growing list of token ids. */
struct ids {
    int32_t *id;
    size_t n, room;
};
enum status ids_push(struct ids *ids, int32_t id, struct err *err) MUST_CHECK;
void ids_free(struct ids *ids);

/* Open DIR/tokenizer.json or a file; ERR_MISSING when absent. */
enum status tokenizer_open(struct tokenizer **out, const char *path,
                           struct err *err) MUST_CHECK;
/* From the bytes of a tokenizer.json (copied) and of the tokenizer_config.json
 * beside it (copied; NULL if none). */
enum status tokenizer_parse(struct tokenizer **out, const char *json,
                            size_t len, const char *config_json,
                            size_t len_config, const char *name,
                            struct err *err) MUST_CHECK;
void tokenizer_free(struct tokenizer *t);

/* Ids run from 0 to size-1. */
size_t tokenizer_size(const struct tokenizer *t);

/* Id of a token as it stands in the vocabulary, or -1. */
int32_t tokenizer_id(const struct tokenizer *t, const char *token);
/* The token of an id as it stands in the vocabulary; NULL out of range. */
const char *tokenizer_token(const struct tokenizer *t, int32_t id);
bool tokenizer_is_special(const struct tokenizer *t, int32_t id);

/*
 * Append the ids of `text`.  With `special`, added special tokens written in
 * the text (<eos>) become their ids; without, they are ordinary text, which
 * is what user input wants.  ERR_MISMATCH names a word the vocabulary lacks.
 */
enum status tokenizer_encode(const struct tokenizer *t, const char *text,
                             size_t len, bool special, struct ids *out,
                             struct err *err) MUST_CHECK;

/* Append the text of ids; special tokens are left out when skip_special.
 * ERR_MISMATCH for an id out of range. */
enum status tokenizer_decode(const struct tokenizer *t, const int32_t *id,
                             size_t n, bool skip_special, struct buf *out,
                             struct err *err) MUST_CHECK;

/* The files as they were read, for copying into a checkpoint; the config may
 * be NULL. */
const char *tokenizer_json(const struct tokenizer *t, size_t *len);
const char *tokenizer_config_json(const struct tokenizer *t, size_t *len);

#endif
