/*
 * sink_internal.h - what the parts of sink.c share: rows in sink.c, replies and
 * votes in sink_judged.c.
 */
#ifndef PLUMB_IMPORT_SINK_INTERNAL_H
#define PLUMB_IMPORT_SINK_INTERNAL_H

#include "import/sink.h"

/* The id that was given, or one made of the prompt; the row's number in the
 * file where there is neither.  Valid until the next call. */
const char *sink_id(struct sink *s, const char *id, const char *prompt);

/* Words of a text: what white space parts. */
int64_t sink_words(const char *text);

/* Append a text to the file `name` of the sink once it has more than `least`
 * bytes. */
enum status sink_flush(struct sink *s, const char *name, struct buf *b,
                       size_t least, struct err *err) MUST_CHECK;

#define SINK_HELD ((size_t)1 << 20)

#endif
