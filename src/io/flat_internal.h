/*
 * flat_internal.h - what the readers of the single syntaxes share.
 */
#ifndef PLUMB_IO_FLAT_INTERNAL_H
#define PLUMB_IO_FLAT_INTERNAL_H

#include "io/flat.h"

/* A key as it grows while one steps into a document. */
struct flat_path {
    char text[FLAT_KEY_MAX];
    size_t len;
};

/* Step into a member; what flat_path_leave() takes is *before.  False when the
 * key gets too long. */
bool flat_path_enter(struct flat_path *p, const char *name, size_t len,
                     size_t *before);
bool flat_path_index(struct flat_path *p, size_t i, size_t *before);
void flat_path_leave(struct flat_path *p, size_t before);

/* Append a setting of the last group; text NULL is null.  What is too long to
 * be a setting becomes unknown.  ERR_LIMIT when there are too many. */
enum status flat_add(struct flat *f, const char *key, const char *text,
                     size_t len, bool is_unknown, size_t line,
                     struct err *err) MUST_CHECK;

/* Begin a group; `words` is copied. */
enum status flat_add_group(struct flat *f, const char *words, size_t line,
                           struct err *err) MUST_CHECK;

/* A text that stands for a value found elsewhere: "${...}", "???". */
bool flat_is_reference(const char *text);

enum status flat_json(struct flat *f, const char *text, size_t len,
                      const char *name, struct err *err) MUST_CHECK;
enum status flat_yaml(struct flat *f, const char *text, size_t len,
                      const char *name, struct err *err) MUST_CHECK;
enum status flat_command(struct flat *f, const char *text, size_t len,
                         const char *name, struct err *err) MUST_CHECK;

/* ---- a command's words, between the shell's rules and the settings ------ */

struct flat_word {
    const char *text; // "" and more
    bool is_unknown;  // a part of it is not in the file
    size_t line;
};

/* Is it "key=value", "+key=value" or "++key=value"? */
bool flat_is_override(const char *word);

/* The settings of one command, words[0..n) without what the shell took. */
enum status flat_words(struct flat *f, const struct flat_word *words, size_t n,
                       struct err *err) MUST_CHECK;

#endif
