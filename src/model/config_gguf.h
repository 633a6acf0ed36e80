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
 * of positions by the factors in rope_freqs.weight.
 */
#ifndef PLUMB_MODEL_CONFIG_GGUF_H
#define PLUMB_MODEL_CONFIG_GGUF_H

#include "io/weights.h"
#include "model/config.h"

/* ERR_FORMAT naming file and key; ERR_MISMATCH for what is not supported. */
enum status model_config_gguf(struct model_config *out, const struct weights *w,
                              struct err *err) MUST_CHECK;

#endif
