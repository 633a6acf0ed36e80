/*
 * bpe.h - the BPE model: merging pairs of symbols into tokens.
 *
 *     {"type":"BPE", "vocab":{token: id, ...},
 *      "merges":["a b", ...] or [["a","b"], ...],
 *      "unk_token":token or null, "fuse_unk":b, "byte_fallback":b,
 *      "ignore_merges":b}
 *
 * Behind a ByteLevel pre-tokenizer the symbols of a piece are its bytes, else
 * its characters.  A symbol that the vocabulary lacks becomes, with
 * byte_fallback, the tokens <0xHH> of its bytes; else unk_token (a run of
 * them one unk_token with fuse_unk); else nothing, as Hugging Face's library
 * has it: such a vocabulary cannot say the symbol.  With ignore_merges a piece
 * that is a token becomes that token.
 *
 * A special token is never made from text: merges that end in one are left
 * out, and no symbol or piece is one.  "dropout", "continuing_subword_prefix"
 * and "end_of_word_suffix" are refused unless null, empty or zero.
 */
#ifndef PLUMB_IO_BPE_H
#define PLUMB_IO_BPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "io/bpe_merge.h"
#include "io/ids.h"
#include "io/vocab.h"

/* Read what is the model's own.  The vocabulary is complete by then, outlives
 * the model and stays where it is. */
enum status bpe_parse(void **out, const struct json *model,
                      const struct vocab *v, bool is_byte_level,
                      const char *name, struct err *err) MUST_CHECK;
void bpe_free(void *model);

/* Append the ids of one piece of text (bytes when byte-level). */
enum status bpe_encode(const void *model, struct bpe_work *work,
                       const char *text, size_t len, struct ids *out,
                       struct err *err) MUST_CHECK;

#endif
