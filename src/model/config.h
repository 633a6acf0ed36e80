/*
 * config.h - the shape of a model, from and to Hugging Face's config.json.
 * What an architecture brings along is in model/arch.h.
 */
#ifndef PLUMB_MODEL_CONFIG_H
#define PLUMB_MODEL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "io/score_length.h"
#include "io/tensors.h"
#include "model/arch.h"
#include "nn/rope.h"

enum model_head {
    HEAD_LM,    // next-token logits: lm_head.weight, or the embedding if tied
    HEAD_SCORE, // one number: score.weight [1,C] (reward and value models)
};

#define MODEL_STOPS_MAX 8

struct model_config {
    size_t arch;                // row of model/arch.h; 0 is llama
    size_t V, C, L, H, G, D, F; // legend in nn/tensor.h
    size_t T_max;               // max_position_embeddings
    double rope_theta;
    struct rope_stretch stretch; // of the rotary positions
    double norm_eps;
    bool tied;           // lm_head shares the embedding
    bool attention_bias; // on q, k, v and o, where the architecture leaves it
                         // to the configuration
    enum model_head head;
    struct score_length length;    // HEAD_SCORE: what its scores owe to length
    int32_t bos, eos, pad;         // -1 where the model has none
    int32_t stop[MODEL_STOPS_MAX]; // other tokens that end a response
    size_t n_stop;
};

/* Read and validate; ERR_FORMAT or ERR_MISMATCH naming the key.  Both
 * transformers v4 and v5 spellings are read.  `what` names the file. */
enum status model_config_parse(struct model_config *out,
                               const struct json *json, const char *what,
                               struct err *err) MUST_CHECK;

/* A token id, null or absent (-1). */
enum status model_config_parse_token(int32_t *out, const struct json *json,
                                     const char *key, const char *what,
                                     struct err *err) MUST_CHECK;

/*
 * The tokens that end a response, an id or a list of ids: from config.json,
 * then from generation_config.json, whose word counts.  The first of a list is
 * c->eos, but the one of config.json stays when the list of
 * generation_config.json has it, too; the others go to c->stop.  Absent or
 * null changes nothing.
 */
enum status model_config_parse_eos(struct model_config *c,
                                   const struct json *json, const char *what,
                                   struct err *err) MUST_CHECK;

/* Does this token end a response? */
bool model_config_stops(const struct model_config *c, int32_t token);

/* Write under the architecture's class for language models or for sequence
 * classification (num_labels 1), with the names of v4, which v5 reads too.
 * `type` is what the parameters are stored as. */
void model_config_write(struct buf *out, const struct model_config *c,
                        enum tensor_type type);

/* eos_token_id: one id, a list where others end a response too, or null. */
void model_config_put_eos(struct json_writer *w, const struct model_config *c);

/* Every bound the code relies on, checked: ERR_ARG naming the value. */
enum status model_config_check(const struct model_config *c,
                               struct err *err) MUST_CHECK;

#endif
