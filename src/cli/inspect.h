/*
 * inspect.h - what lies at a path, as a JSON document.
 */
#ifndef PLUMB_CLI_INSPECT_H
#define PLUMB_CLI_INSPECT_H

#include "base/json.h"
#include "cli/options.h"
#include "io/tensors.h"

/*
 * Each writes the members of an open object.  ERR_FORMAT and the like name
 * the file.
 */

/* A model folder: shape, parameters, head, tokenizer. */
enum status inspect_model(struct json_writer *w, const char *dir,
                          struct err *err) MUST_CHECK;

/* The largest logits for the token after a prompt (inspect.logits). */
enum status inspect_logits(struct json_writer *w, const struct options *o,
                           struct err *err) MUST_CHECK;

/* An adapter's folder: rank, targets, base. */
enum status inspect_adapter(struct json_writer *w, const char *dir,
                            struct err *err) MUST_CHECK;

/* A run directory: settings, last metrics, checkpoints. */
enum status inspect_run(struct json_writer *w, const char *dir,
                        struct err *err) MUST_CHECK;

/* A .safetensors file: its tensors. */
enum status inspect_tensors(struct json_writer *w, const char *path,
                            struct err *err) MUST_CHECK;

/* A .gguf file: architecture, tokenizer, metadata, tensors. */
enum status inspect_gguf(struct json_writer *w, const char *path,
                         struct err *err) MUST_CHECK;

/* One tensor, as an object; the two above list their own. */
void inspect_put_tensor(struct json_writer *w, const struct tensor_view *t);

/* A JSON Lines file, .zst or not: rows, and how often each field is there. */
enum status inspect_rows(struct json_writer *w, const char *path,
                         struct err *err) MUST_CHECK;

#endif
