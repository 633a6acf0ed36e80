/*
 * tokenizer_gguf.h - the tokenizer of a GGUF file as the files that Hugging
 * Face's library reads.
 *
 *     tokenizer.ggml.model  "gpt2": byte-level BPE; tokenizer.ggml.pre names
 *                           the pre-tokenizer: gpt-2, llama-bpe (llama3,
 *                           llama-v3), qwen2, smollm
 *                           "llama": SentencePiece's BPE, its scores turned
 *                           into merges (io/tokenizer_spm.h)
 *
 * Any other model or pre-tokenizer is refused by name.  Control and unknown
 * tokens become special added tokens, user-defined ones added tokens; BOS and
 * EOS go into the post-processor when the file, or llama.cpp's rule for this
 * kind of file, adds them.  tokenizer_config.json gets the chat template and
 * the names of bos, eos, unk and pad.
 */
#ifndef PLUMB_IO_TOKENIZER_GGUF_H
#define PLUMB_IO_TOKENIZER_GGUF_H

#include "base/buf.h"
#include "base/err.h"
#include "io/gguf.h"

/*
 * Append tokenizer.json and tokenizer_config.json.  ERR_MISMATCH names what is
 * not supported; ERR_FORMAT and ERR_LIMIT the file and the key.
 */
enum status tokenizer_gguf_convert(struct buf *json, struct buf *config,
                                   const struct gguf *g,
                                   struct err *err) MUST_CHECK;

#endif
