/*
 * save.h - what a model's Hugging Face folder holds, but for how it gets there
 * (model/checkpoint.h).
 */
#ifndef PLUMB_MODEL_SAVE_H
#define PLUMB_MODEL_SAVE_H

#include "io/tokenizer.h"
#include "model/model.h"

/* The parameters as F32, F16 or BF16 under Hugging Face's names and in its
 * orders. */
enum status save_params(const char *path, const struct model *m,
                        enum tensor_type type, struct err *err) MUST_CHECK;

/*
 * The padding token of a reward model.  transformers reads the score at the
 * last token that is not pad_token_id, so padding must be none a text may end
 * with; SmolLM2's is its EOS.  In this order:
 *
 *     the model's own, unless it ends responses
 *     the tokenizer's first special token that does not end them, before the
 *         beginning-of-text token, which is taken for want of another
 *     the token of a NUL byte, which no text has
 *     without a tokenizer, the first id that does not end responses
 *
 * -1 when the vocabulary holds nothing else than ends of responses.
 */
int32_t save_pad(const struct model_config *c, const struct tokenizer *t);

/* tokenizer_config.json with that token for padding, appended to `out`; byte
 * for byte the same when it was so.  `json` is the text of the file, or NULL:
 * there was none. */
enum status save_tokenizer_config(struct buf *out, const char *json, size_t len,
                                  const char *pad, struct err *err) MUST_CHECK;

#endif
