/*
 * postprocessor.h - the tokens that tokenizer.json puts around a text.
 *
 *     null, {"type":"ByteLevel"}     none
 *     {"type":"TemplateProcessing","single":[...],"special_tokens":{...}}
 *         at most one token before and one behind the text
 *     {"type":"Sequence","processors":[...]}   of those
 */
#ifndef PLUMB_IO_POSTPROCESSOR_H
#define PLUMB_IO_POSTPROCESSOR_H

#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "io/vocab.h"

struct postprocessor {
    int32_t before, behind; // ids, or -1
};

/* `node` is the file's "post_processor"; `name` the file.  ERR_MISMATCH names
 * what is not supported, ERR_FORMAT an id that is not in the vocabulary. */
enum status postprocessor_parse(struct postprocessor *out,
                                const struct json *node, const struct vocab *v,
                                const char *name, struct err *err) MUST_CHECK;

#endif
