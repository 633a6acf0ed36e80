/*
 * adapter.h - adapters on disk, in the format of Hugging Face's PEFT.
 *
 *     adapter_config.json        rank, alpha, targets, the base's name
 *     adapter_model.safetensors  lora_A, lora_B of each module, score.weight
 *     base.json                  Plumb's: the way to the base from here, so
 *                                that a project can be moved; what a
 *                                reward model's scores owe to length
 *                                (io/score_length.h)
 *
 * What PEFT knows and we do not (DoRA, rank patterns, biases, other methods)
 * is refused by name.
 */
#ifndef PLUMB_MODEL_ADAPTER_H
#define PLUMB_MODEL_ADAPTER_H

#include "base/file.h"
#include "model/model.h"

/* Is there an adapter in this folder, and no whole model? */
bool adapter_is(const char *dir);

/* Write the three files for m, which has an adapter.  `base` is the folder or
 * file its parameters came from, `home` where the folder will stand in the
 * end. */
enum status adapter_write(const char *dir, const struct model *m,
                          const char *base, const char *home,
                          struct err *err) MUST_CHECK;

/* Where the base of an adapter is: by base.json, else by the name that
 * adapter_config.json gives it.  ERR_MISSING names both. */
enum status adapter_find_base(char out[FILE_PATH_MAX], const char *dir,
                              struct err *err) MUST_CHECK;

/* Does the folder's adapter belong to a reward model (task SEQ_CLS)? */
enum status adapter_head(enum model_head *out, const char *dir,
                         struct err *err) MUST_CHECK;

/* What the scores of a folder's reward model owe to length, where base.json
 * says it: then that goes into c.  Errors of score_length_parse(). */
enum status adapter_read_length(struct model_config *c, const char *dir,
                                struct err *err) MUST_CHECK;

/*
 * Put the folder's adapter on m, which has none, or (adapter_reload) its
 * values into the one m has, which must be of the same shape.  ERR_FORMAT or
 * ERR_MISMATCH name the file and the key or tensor: absent, extra, of another
 * shape or type, not finite.
 */
enum status adapter_read(struct model *m, const char *dir,
                         struct err *err) MUST_CHECK;
enum status adapter_reload(struct model *m, const char *dir,
                           struct err *err) MUST_CHECK;

#endif
