/*
 * export_gguf.h - a language model as one GGUF file, as llama.cpp reads it:
 * shape and special tokens as metadata, the tokenizer and its chat template,
 * tensors under llama.cpp's names.
 *
 * Matrices are of the type asked for; vectors and learned positions are F32
 * in any case, and where rows are no whole blocks of Q8_0, F16 stands in, as
 * llama.cpp's own converter has it.
 */
#ifndef PLUMB_MODEL_EXPORT_GGUF_H
#define PLUMB_MODEL_EXPORT_GGUF_H

#include "io/tensors.h"
#include "io/tokenizer.h"
#include "model/model.h"

/*
 * Write or replace the file.  `type` is F32, F16, BF16 or Q8_0; `name` is what
 * readers show.  The model has no adapter.
 *
 * ERR_MISMATCH: a reward model, whose head llama.cpp has no place for; a
 * tokenizer it has no form for (io/tokenizer_export.h).  ERR_NUMERIC names a
 * tensor with a value that the type has not.
 */
enum status export_gguf(const char *path, const struct model *m,
                        const struct tokenizer *t, enum tensor_type type,
                        const char *name, struct err *err) MUST_CHECK;

#endif
