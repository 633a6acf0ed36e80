/*
 * chat_install.h - a model takes the chat template it is trained with along.
 */
#ifndef PLUMB_IO_CHAT_INSTALL_H
#define PLUMB_IO_CHAT_INSTALL_H

#include "io/chat.h"

/*
 * Make `name` (NULL, "auto": nothing is done) the template that the tokenizer's
 * tokenizer_config.json carries, so that whoever reads a checkpoint of the
 * model lays prompts out as its training did; *t becomes another tokenizer with
 * the same tokens.  A tokenizer that has the template already, or no files, is
 * left alone.  ERR_ARG: no such template.  On failure *t is as it was.
 */
enum status chat_install(struct tokenizer **t, const char *name,
                         struct err *err) MUST_CHECK;

#endif
