/*
 * chat.h - how a prompt is laid out before the model answers.
 *
 * Templates are known by name.  A model's own is recognised by the SHA-256 of
 * the `chat_template` in tokenizer_config.json, blanks at its end aside; an
 * unknown one is refused with the list of known ones, never approximated.
 * Jinja is not run: each layout is written out here, and tests compare it with
 * what transformers' apply_chat_template gives.
 *
 *     none      the text as it is; one message only
 *     support   <cust>...<agent>...<eos>: the support desk's
 *     chatml    <|im_start|>ROLE\n...<|im_end|>\n
 *     smollm2   chatml; where no system message comes first, SmolLM2's own
 *     qwen2     the same with Qwen2's
 *     qwen2.5   the same with Qwen2.5's
 *     qwen3     chatml without thinking: the answer begins behind an empty
 *               <think> block, as with enable_thinking=False
 *     llama3    <|start_header_id|>ROLE<|end_header_id|>\n\n...<|eot_id|>
 *     llama3.1  the same (3.1 to 3.3) behind a system turn that always is
 *               there and tells the date
 *     zephyr    <|user|>\n...</s>\n
 *     hh        \n\nHuman: ...\n\nAssistant: ...; a system message stands in
 *               front without a mark
 *
 * A content never becomes a control token: what a user wrote is encoded as
 * ordinary text, which is where this differs from rendering and encoding
 * everything at once.  llama3 strips the blanks around a content as Jinja's
 * trim does (Python's str.strip); all others take it byte for byte.
 */
#ifndef PLUMB_IO_CHAT_H
#define PLUMB_IO_CHAT_H

#include "io/tokenizer.h"

enum chat_template {
    CHAT_NONE,
    CHAT_SUPPORT,
    CHAT_CHATML,
    CHAT_SMOLLM2,
    CHAT_QWEN2,
    CHAT_QWEN25,
    CHAT_QWEN3,
    CHAT_LLAMA3,
    CHAT_LLAMA31,
    CHAT_ZEPHYR,
    CHAT_HH,
    CHAT_TEMPLATES
};

/* What llama3.1 takes for today unless told, as its template does. */
#define CHAT_DATE "26 Jul 2024"

struct chat_message {
    const char *role; // "system", "user", "assistant"
    const char *content;
};

/* A template as it is used. */
struct chat {
    enum chat_template template;
    const char *date; // llama3.1: "26 Jul 2024"; NULL: CHAT_DATE
};

/* "none", "support", ... */
const char *chat_name(enum chat_template t);
/* ERR_ARG with the list of names. */
enum status chat_find(enum chat_template *out, const char *name,
                      struct err *err) MUST_CHECK;

/* A Jinja text for tokenizer_config.json that lays out what we do; "" for
 * none.  chat_detect() knows it again. */
const char *chat_source(enum chat_template t);

/* Which template a tokenizer's config asks for (none when it has none): its
 * `chat_template`, or the one named "default" in a list.  ERR_MISMATCH. */
enum status chat_detect(enum chat_template *out, const struct tokenizer *t,
                        struct err *err) MUST_CHECK;

/* The template of that name, or the tokenizer's own for NULL and "auto". */
enum status chat_open(struct chat *out, const struct tokenizer *t,
                      const char *name, const char *date,
                      struct err *err) MUST_CHECK;

/* First 16 hex digits of the SHA-256 of the template's source. */
void chat_hash(char out[17], enum chat_template t);

/* The token that ends a response: the template's, else the model's `eos`.
 * Negative when there is none. */
int32_t chat_end(const struct chat *c, const struct tokenizer *t, int32_t eos);

/* Append the ids of a prompt of one user message, ready for the response to
 * follow.  On failure (a token the template needs is absent; a message it has
 * no place for) nothing is appended. */
enum status chat_encode_prompt(const struct tokenizer *t, const struct chat *c,
                               const char *prompt, struct ids *out,
                               struct err *err) MUST_CHECK;

/* The same for n messages, the last not the assistant's. */
enum status chat_encode_messages(const struct tokenizer *t,
                                 const struct chat *c,
                                 const struct chat_message *message, size_t n,
                                 struct ids *out, struct err *err) MUST_CHECK;

/* Append the ids of a response and the token that ends it: chat_end(), or
 * negative for a response that was cut. */
enum status chat_encode_response(const struct tokenizer *t,
                                 const struct chat *c, const char *response,
                                 int32_t end, struct ids *out,
                                 struct err *err) MUST_CHECK;

/* Append what the tokenizer puts before a text that no template has wrapped
 * (tokenizer_bos()), if anything: none and hh begin with it. */
enum status chat_encode_start(const struct tokenizer *t, struct ids *out,
                              struct err *err) MUST_CHECK;

/* The response in a text decoded from what followed a prompt: without the
 * blank that hh puts behind "Assistant:".  A part of `text`. */
const char *chat_reply(const struct chat *c, const char *text);

/* That response from its n tokens, in memory of its own (mem_free()), of at
 * most `most` bytes, with U+FFFD in place of each U+0000. */
enum status chat_decode(char **out, const struct chat *c,
                        const struct tokenizer *t, const int32_t *token,
                        size_t n, size_t most, struct err *err) MUST_CHECK;

#endif
