/*
 * parallel.h - one worker per core, each running its own items.
 *
 * There is no barrier inside an item: a worker takes the next item when it is
 * done with one, so a core taken by another process costs little.  What an
 * item computes may not depend on the worker that runs it or on how many
 * there are; that is what makes results the same for any thread count.
 *
 * A worker (the calling thread included) tells GNU's OpenMP runtime to use
 * one thread, so that libdnnl called from an item stays on that core and
 * gives the same bits whatever the team's size.  Started threads are in the "C"
 * locale and receive no signals, whatever the program around does with both.
 */
#ifndef PLUMB_BASE_PARALLEL_H
#define PLUMB_BASE_PARALLEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct team; // opaque: the threads

/*
 * Do item number `item` of 0..n-1.  `worker` in 0..team_size()-1 picks
 * per-worker scratch.
 */
typedef enum status (*team_fn)(void *ctx, size_t item, size_t worker,
                               struct err *err);

/* Start n >= 1 workers; the caller of team_run() is one of them. */
enum status team_create(struct team **out, size_t n,
                        struct err *err) MUST_CHECK;
void team_destroy(struct team *t);
size_t team_size(const struct team *t);

/*
 * Run fn for items 0..n-1 and wait.  All items run even when one fails; the
 * failure of the lowest-numbered item is returned, so that it does not depend
 * on timing.  Not reentrant: an item may not call team_run().
 */
enum status team_run(struct team *t, size_t n, team_fn fn, void *ctx,
                     struct err *err) MUST_CHECK;

/* Is the calling thread inside an item?  (GEMM asserts it.) */
bool team_inside(void);

/* Processors this process may use, at least 1. */
size_t team_processors(void);

#endif
