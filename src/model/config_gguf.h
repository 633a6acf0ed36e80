/*
 * config_gguf.h - the shape of a model from the metadata of a GGUF file.
 *
 *     general.architecture            a row of model/arch.h; prefix of keys
 *     llama.block_count ...           dimensions (arch_gguf_key)
 *     llama.rope.freq_base            rope.scaling.type, rope.scaling.factor
 *     tokenizer.ggml.eos_token_id ... special tokens
 *
 * What a file says by its tensors: the vocabulary by token_embd.weight, a tied
 * head by the lack of output.weight, biases by attn_q.bias, Llama 3's stretch
 * of positions by the factors in rope_freqs.weight.  The parameters of that
 * stretch do not follow from the factors, and llama.cpp, which needs only the
 * latter, has no keys for them; ours are written and read here.
 */
#ifndef PLUMB_MODEL_CONFIG_GGUF_H
#define PLUMB_MODEL_CONFIG_GGUF_H

#include "io/weights.h"
#include "model/config.h"

/* Parameters of Llama 3's stretch, F64; where they are absent, the file is
 * taken for one of a published model. */
#define CONFIG_GGUF_FACTOR "plumb.rope.factor"
#define CONFIG_GGUF_LOW "plumb.rope.low_freq_factor"
#define CONFIG_GGUF_HIGH "plumb.rope.high_freq_factor"
#define CONFIG_GGUF_ORIGINAL "plumb.rope.original_context_length"

/* ERR_FORMAT naming file and key; ERR_MISMATCH for what is not supported. */
enum status model_config_gguf(struct model_config *out, const struct weights *w,
                              struct err *err) MUST_CHECK;

#endif
