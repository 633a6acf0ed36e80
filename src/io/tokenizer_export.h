/*
 * tokenizer_export.h - a tokenizer as the metadata of a GGUF file.
 *
 *     tokenizer.ggml.model       "gpt2" (byte-level BPE) or "llama"
 *                                (SentencePiece's BPE)
 *     tokenizer.ggml.pre         how text is cut, by llama.cpp's name
 *     tokenizer.ggml.tokens      by id; ids without a token are "[PADn]"
 *     tokenizer.ggml.token_type  normal, unknown, control, user-defined,
 *                                unused, byte
 *     tokenizer.ggml.merges      byte-level: "a b", best first
 *     tokenizer.ggml.scores      SentencePiece: the best merge has the highest
 *     tokenizer.ggml.add_bos_token, add_eos_token, add_space_prefix
 *     tokenizer.chat_template
 */
#ifndef PLUMB_IO_TOKENIZER_EXPORT_H
#define PLUMB_IO_TOKENIZER_EXPORT_H

#include "io/gguf_write.h"
#include "io/tokenizer.h"

/*
 * Put what `t` is; the model has `n` rows for tokens, not fewer than `t` has.
 * ERR_MISMATCH names what llama.cpp has no form for: a WordLevel model, a way
 * of cutting text that has no name there.
 */
enum status tokenizer_export(struct gguf_writer *w, const struct tokenizer *t,
                             size_t n, struct err *err) MUST_CHECK;

#endif
