/*
 * curve_internal.h - what the files of the curves share.
 *
 *     curve.c        tailing: from bytes to rows
 *     curve_level.c  rows in buckets, and views of them
 *     curve_index.c  the file beside the run
 */
#ifndef PLUMB_IO_CURVE_INTERNAL_H
#define PLUMB_IO_CURVE_INTERNAL_H

#include "base/buf.h"
#include "base/file.h"
#include "io/curve.h"

#define CURVE_LEVELS 2
#define CURVE_PRINT 256 // bytes that a log is known by, at either end

enum curve_of {
    CURVE_LOW,
    CURVE_HIGH,
    CURVE_LAST,
    CURVE_OF
};

struct curve_bucket {
    int64_t last;    // step of its last row
    uint64_t offset; // of its first row in the log
};

struct curve_level {
    size_t cap;    // buckets at most, an even number; 0: no such level
    size_t stride; // rows of a bucket, a power of two
    size_t filled; // rows in the last bucket
    size_t n, room;
    struct curve_bucket *bucket; // [room]
    float *value;                // [room, names, CURVE_OF]
    size_t names;                // of a bucket's values
};

struct curve_print {
    size_t len;
    unsigned char byte[CURVE_PRINT];
};

struct curve {
    char log[FILE_PATH_MAX], index[FILE_PATH_MAX]; // index: "" for none
    struct curve_facts facts;
    char (*name)[CURVE_NAME_MAX + 1]; // [room_names]
    double *now, *row;                // [room_names]
    size_t room_names;
    struct curve_level level[CURVE_LEVELS];
    struct curve_print head, tail;
    int64_t from, to;  // other steps are passed over, uncounted
    bool is_skipping;  // in the middle of a line that is too long
    uint64_t saved;    // facts.bytes of the index
    int64_t seen_size; // of the log when it was last looked at
    int64_t seen_s, seen_ns;
};

/* Forget all that was read. */
void curve_clear(struct curve *c);

/* Room for so many names. */
enum status curve_make_names(struct curve *c, size_t n,
                             struct err *err) MUST_CHECK;

/* Room for n buckets of so many names. */
enum status curve_level_make(struct curve_level *l, size_t n, size_t names,
                             struct err *err) MUST_CHECK;
void curve_level_clear(struct curve_level *l);

/* A row into a level: value [names]. */
enum status curve_level_add(struct curve_level *l, int64_t step,
                            uint64_t offset, const double *value, size_t names,
                            struct err *err) MUST_CHECK;

#endif
