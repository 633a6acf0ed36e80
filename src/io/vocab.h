/*
 * vocab.h - the two-way table of tokens and ids.
 *
 * The number of ids is known beforehand; ids are below it and used once.
 * Lookup is a hash table with open addressing.
 */
#ifndef PLUMB_IO_VOCAB_H
#define PLUMB_IO_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct vocab_entry {
    char *token; // owned; NULL: id not given yet
    size_t len;
    const char *normal; // what an added token is in normalised text, or NULL
    uint32_t hash;
    bool is_model;   // the model's own vocabulary has it
    bool is_added;   // the list of added tokens has it
    bool is_special; // an added token that stands for no text
};

struct vocab {
    struct vocab_entry *entry; // [n] by id
    size_t n;                  // ids there will be
    size_t n_set;              // ids there are
    int32_t *slot;             // [slots] id or -1; slots is a power of two
    size_t slots;
};

/* A vocabulary of ids below n. */
enum status vocab_init(struct vocab *v, size_t n, struct err *err) MUST_CHECK;
void vocab_free(struct vocab *v);

/* Add a token.  ERR_FORMAT, naming the token: id out of range, id or token
 * already there. */
enum status vocab_add(struct vocab *v, const char *token, int64_t id,
                      struct err *err) MUST_CHECK;

/* Id of text[0..len), or -1. */
int32_t vocab_find(const struct vocab *v, const char *text, size_t len);

#endif
