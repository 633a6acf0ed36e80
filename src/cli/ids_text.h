/*
 * ids_text.h - token ids as people and programs write them: "1 2 3",
 * "1,2,3", "[1, 2, 3]".
 */
#ifndef PLUMB_CLI_IDS_TEXT_H
#define PLUMB_CLI_IDS_TEXT_H

#include "io/tokenizer.h"

/* Append the ids of text[0..len); blanks, commas and brackets stand between
 * them.  ERR_FORMAT names what is no id. */
enum status ids_text_read(struct ids *out, const char *text, size_t len,
                          struct err *err) MUST_CHECK;

/* The same for the value of an option: ERR_ARG naming it, also when there is
 * no id in it. */
enum status ids_text_option(struct ids *out, const char *text, const char *key,
                            struct err *err) MUST_CHECK;

#endif
