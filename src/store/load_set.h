/*
 * load_set.h - what load.c makes items of, the records of a file as load.h
 * describes them, and the pool that it puts them into.
 */
#ifndef PLUMB_STORE_LOAD_SET_H
#define PLUMB_STORE_LOAD_SET_H

#include "base/file.h"
#include "base/names.h"
#include "store/load.h"

struct load_list {
    struct candidate *reply; // [n]
    size_t n, room;
};

struct load_record {
    const char *id, *prompt;
    const char *messages, *extra; // or NULL
    const char *expected;         // of gold
    double priority;              // NaN: none
    size_t line;
    /* Of a spot-check the policy's and the reference's; of a ranking or gold
     * all are in the first. */
    struct load_list side[2];
};

struct load_set {
    const char *path;
    enum pool_task task;
    bool is_gold;
    struct arena texts;
    struct names ids; // index: of the record
    struct load_record *record;
    size_t n, room;
};

/* What a path stands for: itself or, of a folder, a file in it or, of a
 * stage's, beside it. */
enum status load_set_find(char out[FILE_PATH_MAX], const char *path,
                          enum pool_task task, struct err *err) MUST_CHECK;

/* Read all records, each of which has what its task shows.  `path` is kept;
 * `s` is to be freed whatever comes back. */
enum status load_set_read(struct load_set *s, const char *path,
                          enum pool_task task, bool is_gold,
                          struct err *err) MUST_CHECK;
void load_set_free(struct load_set *s);

/* What a spot-check's pool held before. */
struct load_pool {
    int64_t pairs, placebos; // the latter are of the former
};

/* The pool of a configuration, made when absent; its texts are of the arena.
 * ERR_MISMATCH when it has other settings. */
enum status load_pool_find(struct pool *out, struct load_pool *was,
                           struct arena *a, struct db *db,
                           const struct load_config *c,
                           struct err *err) MUST_CHECK;

/* No gold is told by its looks; ERR_MISMATCH "PATH: ...". */
enum status load_pool_check_forms(const struct pool *pool, struct db *db,
                                  const char *path, struct err *err) MUST_CHECK;

#endif
