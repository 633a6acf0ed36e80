/*
 * chat.h - how a prompt is laid out before the model answers.
 *
 * Templates are known by name and recognised by the fingerprint of the
 * `chat_template` in tokenizer_config.json; an unknown one is refused with the
 * list of known ones.  (One user turn, one response: what preference data
 * has.)
 */
#ifndef PLUMB_IO_CHAT_H
#define PLUMB_IO_CHAT_H

#include "io/tokenizer.h"

enum chat_template {
    CHAT_NONE,    // prompt text as it is
    CHAT_SUPPORT, // <cust> prompt <agent>, the support desk's
    CHAT_TEMPLATES
};

/* "none", "support", ... */
const char *chat_name(enum chat_template t);
enum status chat_find(enum chat_template *out, const char *name,
                      struct err *err) MUST_CHECK;

/* The Jinja text that tokenizer_config.json carries for a template. */
const char *chat_source(enum chat_template t);

/* Which template a tokenizer's config asks for (none when it has none). */
enum status chat_detect(enum chat_template *out, const struct tokenizer *t,
                        struct err *err) MUST_CHECK;

/* First 16 hex digits of the SHA-256 of the template's source. */
void chat_hash(char out[17], enum chat_template t);

/* Append the ids of a prompt, ready for the response to follow. */
enum status chat_encode_prompt(const struct tokenizer *t, enum chat_template c,
                               const char *prompt, struct ids *out,
                               struct err *err) MUST_CHECK;

/* Append the ids of a response and the token that ends it (`eos`, unless
 * negative). */
enum status chat_encode_response(const struct tokenizer *t,
                                 enum chat_template c, const char *response,
                                 int32_t eos, struct ids *out,
                                 struct err *err) MUST_CHECK;

#endif
