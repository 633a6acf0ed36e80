/*
 * config.h - the shape of a model, from and to Hugging Face's config.json.
 */
#ifndef PLUMB_MODEL_CONFIG_H
#define PLUMB_MODEL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

enum model_head {
    HEAD_LM,    // next-token logits: lm_head.weight, or the embedding if tied
    HEAD_SCORE, // one number: score.weight [1,C] (reward and value models)
};

struct model_config {
    size_t V, C, L, H, G, D, F; // legend in nn/tensor.h
    size_t T_max;               // max_position_embeddings
    double rope_theta;
    double norm_eps;
    bool tied; // lm_head shares the embedding
    enum model_head head;
    int32_t bos, eos, pad; // -1 where the model has none
};

/* Read and validate; ERR_FORMAT or ERR_MISMATCH naming the key.  Both
 * transformers v4 and v5 spellings are read.  `what` names the file. */
enum status model_config_parse(struct model_config *out,
                               const struct json *json, const char *what,
                               struct err *err) MUST_CHECK;

/* A token id of config.json or generation_config.json: an id, a list of one
 * id, or null or absent (-1). */
enum status model_config_parse_token(int32_t *out, const struct json *json,
                                     const char *key, const char *what,
                                     struct err *err) MUST_CHECK;

/* Write as LlamaForCausalLM or LlamaForSequenceClassification (num_labels
 * 1), with v4 names for old readers. */
void model_config_write(struct buf *out, const struct model_config *c);

/* Every bound the code relies on, checked: ERR_ARG naming the value. */
enum status model_config_check(const struct model_config *c,
                               struct err *err) MUST_CHECK;

#endif
