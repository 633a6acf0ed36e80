/*
 * load_set.h - the records of a file, as load.h describes them: what
 * load_read.c reads and load.c makes items of.
 */
#ifndef PLUMB_STORE_LOAD_SET_H
#define PLUMB_STORE_LOAD_SET_H

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

/* Read all records.  `s` is to be freed whatever comes back. */
enum status load_set_read(struct load_set *s, const char *path,
                          enum pool_task task, bool is_gold,
                          struct err *err) MUST_CHECK;
void load_set_free(struct load_set *s);

#endif
