/*
 * value.h - a value of a foreign JSON file, read leniently in one place.
 *
 *     struct value row;
 *     TRY(value_parse(&row, &arena, line, len, err));
 *     double reward = value_number(value_get(&row, "reward"));
 *
 * Trainers write numbers as numbers, as texts ("0.5", "nan"), as null, NaN or
 * Infinity, and some wrap each field of a row in a list of one.  What a reader
 * asks for is given through all of that; what cannot be read so is NaN, NULL
 * or VALUE_NO_INT, never a guess.
 *
 * All memory is the arena's.  Bounds: VALUE_NODES_MAX values in one text and
 * the scanner's depth (io/scan.h); a list of nothing but numbers is one value
 * and 8 bytes a number.
 */
#ifndef PLUMB_IMPORT_VALUE_H
#define PLUMB_IMPORT_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define VALUE_NODES_MAX ((size_t)2 << 20)
#define VALUE_NUMBERS_MAX ((size_t)8 << 20)
#define VALUE_NO_INT INT64_MIN

enum value_kind {
    VALUE_NULL,
    VALUE_BOOL, // number is 0 or 1
    VALUE_NUMBER,
    VALUE_TEXT,
    VALUE_NUMBERS, // a list of numbers, [n]
    VALUE_LIST,
    VALUE_OBJECT,
};

struct value {
    enum value_kind kind;
    size_t n; // bytes of a text, numbers, items or members
    double number;
    const char *text;      // ended by a NUL
    const double *numbers; // null among them is NaN
    struct value *first;   // item or member
    struct value *next;    // behind this one in its list or object
    const char *key;       // of a member
};

/* ERR_FORMAT "byte 12: why", ERR_LIMIT for the bounds, ERR_MEMORY. */
enum status value_parse(struct value *out, struct arena *a, const char *text,
                        size_t len, struct err *err) MUST_CHECK;

/* A member, the last where a key comes twice, or NULL; of a list of one, of its
 * item.  NULL is allowed as `v` here and below. */
const struct value *value_get(const struct value *v, const char *key);

/* The same where "a.b" leads into objects; a member of that very name goes
 * before. */
const struct value *value_path(const struct value *v, const char *path);

/* A list of one stands for its item. */
const struct value *value_only(const struct value *v);

/* A number however written; a bool, in a text too, is 0 or 1; else NaN. */
double value_number(const struct value *v);

/* Was there a number to be read (NaN and null among them)? */
bool value_is_number(const struct value *v);

/* A whole number however written, or VALUE_NO_INT. */
int64_t value_int(const struct value *v);

/* A text, or NULL. */
const char *value_text(const struct value *v);

/* Numbers of a list (of a list of one list, its): NULL and *n == 0 when it is
 * none, or not of numbers only.  An empty list is not NULL. */
const double *value_numbers(const struct value *v, size_t *n);

/* The items of a list that is of numbers or of anything, or 1 for a value that
 * is no list and 0 for none. */
size_t value_count(const struct value *v);

/* A text as it is; of a list of messages {role, content}, the texts behind each
 * other, each behind "ROLE: "; a number as it is written.  Appended; false
 * when it is none of these. */
bool value_put_text(struct buf *out, const struct value *v);

/* As compact JSON, appended; numbers that are not finite are null. */
void value_put_json(struct buf *out, const struct value *v);

/* "True" and "False", as numpy's are written, and in small letters, are 1 and
 * 0; false when it is none of them. */
bool value_text_bool(double *out, const char *text);

/* A number in a text: "0.5", "-inf", "nan"; false when it is none. */
bool value_text_number(double *out, const char *text);

#endif
