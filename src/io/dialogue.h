/*
 * dialogue.h - messages as they come: JSON lists of {"role","content"}, and
 * Anthropic's texts "\n\nHuman: ...\n\nAssistant: ...".
 *
 * Roles are system, user and assistant; any other is ERR_FORMAT, and so is a
 * message with tool calls, which no template here can lay out.
 */
#ifndef PLUMB_IO_DIALOGUE_H
#define PLUMB_IO_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "io/chat.h"

#define DIALOGUE_TURNS_MAX 1024

struct dialogue {
    struct chat_message *turn; // [n]; NULL when there is none
    size_t n;
    char *text; // owns the words
};

void dialogue_free(struct dialogue *d);

/*
 * A list of messages.  A content may also be a list of {"type":"text","text"}
 * parts, which are joined.  `what` names the list in messages.
 */
enum status dialogue_read(struct dialogue *out, const struct json *list,
                          const char *what, struct err *err) MUST_CHECK;

/* Does a text begin as Anthropic's dialogues do ("\n\nHuman:")? */
bool dialogue_is_hh(const char *text);

/*
 * Anthropic's text.  One space behind a "Human:" or "Assistant:" is part of
 * the mark; all else is content, byte for byte.
 */
enum status dialogue_parse_hh(struct dialogue *out, const char *text,
                              struct err *err) MUST_CHECK;

/* Take the last turn off when it is the assistant's: its content, which stays
 * owned by the dialogue; NULL when it is not. */
const char *dialogue_take_reply(struct dialogue *d);

/* The same turns in the same order? */
bool dialogue_equal(const struct dialogue *a, const struct dialogue *b);

/*
 * Where the prompt of two whole texts ends, by TRL's rule: the bytes of their
 * longest common beginning, less a blank at its end, and at least a character
 * short of either text.
 */
size_t dialogue_common_prompt(const char *a, const char *b);

/* For people and traces: the content of a single user turn, else "role:
 * content" with a blank line between turns.  Appended. */
void dialogue_print(struct buf *out, const struct dialogue *d);

/* As a JSON list of messages. */
void dialogue_write(struct json_writer *w, const struct dialogue *d);

#endif
