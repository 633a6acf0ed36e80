/*
 * curve.h - the curves of a log that grows: metrics.jsonl read as it is
 * written, kept decimated, and kept beside the run for the next time.
 *
 *     struct curve *c;
 *     bool more;
 *     unsigned what;
 *     TRY(curve_open(&c, "D/ppo/metrics.jsonl", "D/ppo/.plumb-index", err));
 *     do
 *         TRY_DONE(curve_poll(c, 1 << 20, &what, err));
 *     while (what & CURVE_MORE);
 *     TRY_DONE(curve_view(&v, c, &ask, err));
 *
 * TAILING.  curve_poll() reads what was appended since the last time.  A last
 * line without its end waits.  A log that is shorter than what was read, or
 * whose first or last bytes that were read have changed, was replaced or cut
 * (a run that was resumed or begun anew) and is read again from its start.  The
 * log is opened for reading only, for the time of a call, and never locked:
 * whoever writes it does not know.
 *
 * Rows are objects with a "step" that rises; every other member that is a
 * number is a metric of its name, null is NaN.  A line that is none of that,
 * is longer than CURVE_LINE_MAX, or whose step does not rise is passed over
 * and counted.  Members beyond CURVE_NAMES_MAX names, or with names longer than
 * CURVE_NAME_MAX, are left out.
 *
 * DECIMATION.  Rows are gathered in buckets: of every metric the smallest, the
 * largest and the last value in it, so that a spike of one row shows however
 * long the run is.  A level has at most so many buckets; when it is full,
 * neighbours are merged and a bucket stands for twice as many rows.  There are
 * two levels, CURVE_COARSE and, of logs that are longer than CURVE_RAW_MAX,
 * CURVE_FINE.  Each bucket knows where in the log its first row begins, so
 * that a part of CURVE_RAW_MAX bytes or less is read from there, every row.
 *
 * Memory: 12 bytes for a metric and bucket; 45 metrics and 10000 steps take
 * 340 kB.
 *
 * THE INDEX is that, in one file: versioned, with a checksum, and with the
 * first and last bytes of the log that it is of.  One that is damaged, of
 * another version or of another log is as good as none.  It is written whole
 * under another name first, so that readers never see a half one.
 */
#ifndef PLUMB_IO_CURVE_H
#define PLUMB_IO_CURVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CURVE_NAMES_MAX 256
#define CURVE_NAME_MAX 120
#define CURVE_LINE_MAX ((size_t)1 << 20)
#define CURVE_COARSE 1024
#define CURVE_FINE 16384
#define CURVE_RAW_MAX ((uint64_t)32 << 20)
#define CURVE_STEP_MAX ((int64_t)1 << 53)
#define CURVE_POINTS_MAX 4096

struct curve; // opaque: one log

/*
 * Look at a log; it need not be there yet.  `index` is where its index is, or
 * NULL for none.  ERR_MEMORY, ERR_LIMIT (a path that is too long): everything
 * else that is wrong with either file is no failure here.
 */
enum status curve_open(struct curve **out, const char *log, const char *index,
                       struct err *err) MUST_CHECK;
void curve_close(struct curve *c); // fine on NULL

/* What curve_poll() found. */
#define CURVE_ROWS 1U  // new rows
#define CURVE_RESET 2U // the log is another: all that was known is forgotten
#define CURVE_MORE 4U  // the budget is used up, there is more to be read

/* Read what is new, about `budget` bytes at most.  ERR_IO when the log is there
 * and cannot be read; what was known stays. */
enum status curve_poll(struct curve *c, size_t budget, unsigned *what,
                       struct err *err) MUST_CHECK;

/* What is known so far; the texts last until the next poll. */
struct curve_facts {
    size_t n; // metrics
    uint64_t rows, skipped;
    int64_t first, last; // steps; -1: no row yet
    uint64_t bytes;      // of the log that were read
    bool from_index;     // began with an index
};
void curve_facts(struct curve_facts *out, const struct curve *c);
const char *curve_name(const struct curve *c, size_t metric);
size_t curve_find(const struct curve *c, const char *name); // or SIZE_MAX

/* A metric in the last row; NaN when it was not in it. */
double curve_now(const struct curve *c, size_t metric);

/* ---- looking ------------------------------------------------------------ */

struct curve_ask {
    int64_t from, to; // steps, both included
    size_t points;    // at most; 2 to CURVE_POINTS_MAX
    const size_t *metric;
    size_t n; // metrics asked for
};

/*
 * n points in the order of steps, n_metrics rows of each array:
 * last[m * n + i] is the metric's last value in point i, NaN when it has none.
 * `rows` is how many rows the points stand for, at most; where it is 1 the
 * three are the same.
 */
struct curve_view {
    size_t n, n_metrics, rows;
    int64_t *step; // of the last row of each point
    float *low, *high, *last;
};

/* From the buckets. */
enum status curve_view(struct curve_view *out, const struct curve *c,
                       const struct curve_ask *ask, struct err *err) MUST_CHECK;
void curve_view_free(struct curve_view *v); // fine on a zeroed one

/*
 * Does the range have so few buckets, and so few bytes, that it is better read
 * from the log?  Then these bytes of it are what curve_view_log() wants.
 */
struct curve_part {
    uint64_t begin, end;
};
bool curve_wants_log(struct curve_part *part, const struct curve *c,
                     const struct curve_ask *ask);

/*
 * The same view from the log's rows.  It needs no curve, so that it can be done
 * on another thread: `name` are the metrics' names in place of ask->metric.
 */
enum status curve_view_log(struct curve_view *out, const char *log,
                           const struct curve_part *part,
                           const struct curve_ask *ask, const char *const *name,
                           struct err *err) MUST_CHECK;

/* ---- the index ---------------------------------------------------------- */

/* Is so much known that the index lacks that writing it is worth while: 256 KiB
 * of the log, and an eighth of it? */
bool curve_wants_save(const struct curve *c);

/* Write the index.  ERR_IO where that cannot be: a directory that may not be
 * written; nothing is lost but time. */
enum status curve_save(struct curve *c, struct err *err) MUST_CHECK;

/* For tests and fuzzing: take an index from memory for a curve that has read
 * nothing; ERR_FORMAT says what is wrong with it, and then it still has read
 * nothing. */
enum status curve_take_index(struct curve *c, const void *data, size_t len,
                             struct err *err) MUST_CHECK;
/* And read bytes as if they had been appended to the log; the first *used of
 * them were, the others are no whole line. */
enum status curve_take_text(struct curve *c, const char *text, size_t len,
                            size_t *used, struct err *err) MUST_CHECK;

#endif
