/*
 * checkpoint.h - models on disk as Hugging Face folders.
 *
 *     config.json             shape, head, special tokens
 *     model.safetensors       parameters under Hugging Face's names
 *     generation_config.json  eos, suppress_tokens
 *     tokenizer.json  tokenizer_config.json   copied bytes
 *     adapter_config.json  adapter_model.safetensors   model/adapter.h, in
 *                             place of config and model of a model with an
 *                             adapter
 *     trainer.json  trainer.safetensors       Plumb's state, to go on training
 *
 * A folder is written under a temporary name beside its own, flushed, and
 * renamed: it exists whole or not at all.  Replacing one takes two renames;
 * killed between them, the former folder stands whole under ".NAME.old" beside
 * its place, and reading says so.
 */
#ifndef PLUMB_MODEL_CHECKPOINT_H
#define PLUMB_MODEL_CHECKPOINT_H

#include "base/comm.h"
#include "io/tokenizer.h"
#include "model/transformer.h"

/*
 * A named array of n floats in trainer.safetensors.  With several ranks it may
 * be in parts: part p is [part[p], part[p+1]), rank p % ranks has it, and a
 * rank's `data` are its parts one after the other.  part NULL: `data` is all.
 */
struct checkpoint_array {
    const char *name;
    float *data;
    size_t n;
    const size_t *part; // [n_part + 1], or NULL
    size_t n_part;
};

struct checkpoint {
    const struct model *model;
    const char *base; // where the parameters of a model with an adapter are
    enum tensor_type type;             // of parameters: F32 (0), F16 or BF16
    const struct tokenizer *tokenizer; // NULL: no tokenizer files
    const char *trainer_json;          // NULL: a model only, no trainer state
    const struct checkpoint_array *array;
    size_t n_array;
    struct comm *comm; // NULL: one process
};

/*
 * Write the folder `dir` (replacing one that is there).  With several ranks a
 * collective call: rank 0 writes, and is sent the parts of arrays piece by
 * piece; all come back when the folder stands.
 */
enum status checkpoint_write(const char *dir, const struct checkpoint *c,
                             struct err *err) MUST_CHECK;

/*
 * Read a model from a Hugging Face folder, a GGUF file, or an adapter's folder,
 * which gives its base with the adapter folded in.
 * ERR_MISSING: no such path.  ERR_FORMAT: corrupt file.
 * ERR_MISMATCH: a tensor is absent, extra, of another shape or type, or not
 * finite; the text names it.  A score head is wanted when `head` is
 * HEAD_SCORE, and likewise a language model.
 */
enum status checkpoint_read(struct model *out, const char *path,
                            enum model_head head, struct err *err) MUST_CHECK;

/* The same with the parameters kept as `precision` says.  (An adapter's folder
 * is folded together in float first, so that it takes more on the way.) */
enum status checkpoint_read_as(struct model *out, const char *path,
                               enum model_head head,
                               enum model_precision precision,
                               struct err *err) MUST_CHECK;

/*
 * The shape of a model and nothing else, whichever head it has: of a folder,
 * of a GGUF file, of an adapter's folder with its base.  Fails as
 * checkpoint_read() does.
 */
enum status checkpoint_read_shape(struct model_config *out, const char *path,
                                  struct err *err) MUST_CHECK;

/* Read back what checkpoint_write put beside the model: the JSON text and the
 * arrays, whose names and sizes must match exactly and whose values must be
 * finite.  Of an array in parts a rank reads its own: every rank calls. */
enum status checkpoint_read_trainer(struct buf *trainer_json,
                                    struct checkpoint_array *array,
                                    size_t n_array, const struct comm *comm,
                                    const char *dir,
                                    struct err *err) MUST_CHECK;

/*
 * Open the tokenizer of a model's folder or GGUF file: what lies there, else,
 * for an adapter as PEFT writes it, its base's.  Errors as tokenizer_open()
 * and adapter_find_base() have them.
 */
enum status checkpoint_tokenizer(struct tokenizer **out, const char *path,
                                 struct err *err) MUST_CHECK;

/* Does the tokenizer fit the model?  ERR_MISMATCH saying both sizes. */
enum status checkpoint_check_tokenizer(const struct model *m,
                                       const struct tokenizer *t,
                                       const char *dir,
                                       struct err *err) MUST_CHECK;

#endif
