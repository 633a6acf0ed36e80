/*
 * chat_templates.h - the table of chat templates, for chat.c.
 */
#ifndef PLUMB_IO_CHAT_TEMPLATES_H
#define PLUMB_IO_CHAT_TEMPLATES_H

#include <stddef.h>

#include "io/chat.h"

struct chat_row {
    const char *name;
    const char *source; // Jinja that lays out what we do
    const char *system; // what stands in for an absent system message, or NULL
    const char *end;    // the token that ends a response; NULL: the model's
};

extern const struct chat_row chat_templates_table[CHAT_TEMPLATES];

/* The template of a published Jinja text; CHAT_TEMPLATES when it is not known.
 * Blanks and line ends behind it do not count. */
enum chat_template chat_templates_recognise(const char *source);

#endif
