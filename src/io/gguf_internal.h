/*
 * gguf_internal.h - what an open GGUF file is made of: gguf.c fills it in,
 * gguf_values.c answers from it, gguf_write.c keeps to its bounds.
 */
#ifndef PLUMB_IO_GGUF_INTERNAL_H
#define PLUMB_IO_GGUF_INTERNAL_H

#include "base/arena.h"
#include "base/file.h"
#include "io/gguf.h"

/* Bytes of metadata and descriptions of tensors that a file may have. */
#define GGUF_HEAD_MAX ((size_t)256 << 20)

/* A key and its value, which is kept as an array, of one item when the file
 * has a scalar. */
struct gguf_pair {
    struct gguf_text key;
    bool is_array;
    struct gguf_array value;
    size_t *end;      // value.end, owned; NULL unless items are texts
    const char *past; // behind the value's last byte
};

/* Places in an order other than the file's. */
struct gguf_pair_slot {
    const struct gguf_pair *pair;
};
struct gguf_tensor_slot {
    const struct tensor_view *tensor;
};

struct gguf {
    struct file_map map; // empty after gguf_parse()
    char *name;
    struct gguf_pair *pair; // in file order
    size_t n_pair;
    struct gguf_pair_slot *by_key; // sorted
    struct tensor_view *tensor;    // in file order
    size_t n_tensor;
    struct gguf_tensor_slot *by_name; // sorted
    struct arena names;               // of tensors, each with its NUL
};

/* Bytes an item takes, 0 for texts and arrays. */
size_t gguf_item_bytes(enum gguf_type type);
enum gguf_kind gguf_item_kind(enum gguf_type type);

/* Order of keys, as memcmp and then by length. */
int gguf_compare_keys(struct gguf_text a, struct gguf_text b);

#endif
