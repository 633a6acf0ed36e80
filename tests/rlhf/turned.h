/*
 * turned.h - a reward model with the desk's vocabulary in reverse: token v of
 * one is token V-1-v of the other, in the tokenizer as in the embedding.  Both
 * say the same of the same text, and nothing sensible of each other's ids.
 */
#ifndef PLUMB_TESTS_RLHF_TURNED_H
#define PLUMB_TESTS_RLHF_TURNED_H

#include "desk.h"

/* Read the model `from` (a run or folder under the desk's directory) and write
 * the folder `to`.  NULL template: the desk's own; else the Jinja text that its
 * tokenizer_config.json gets ("" for none). */
void turned_write(const struct desk *d, const char *from, const char *to,
                  const char *template);

#endif
