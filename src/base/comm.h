/*
 * comm.h - the processes of one job that compute together, its ranks.
 *
 * All ranks run the same program on the same inputs.  Heavy work is cut into
 * items; each rank does a contiguous block of them (comm_cut) and all get all
 * results (comm_gather), so that what follows is the same on every rank, bit
 * by bit.  A NULL comm is a job of one process: rank 0 of 1, and every call
 * below returns at once.
 *
 *     TRY(comm_open(&c, err));                     // NULL without mpirun
 *     ...
 *     TRY(comm_gather(c, score, begin, err));      // collective
 *     ...
 *     status = comm_agree(c, status, err);         // the end, on every way
 *     code = comm_close(c, code);
 *
 * Which ranks there are is for the build to say: comm_self.c knows of one,
 * comm_mpi.c asks MPI.
 *
 * Errors.  A collective call begins with the ranks telling each other whether
 * all is well.  A rank on which something fails returns from wherever it is,
 * and comes by main() to comm_agree(), which takes its part in the call that
 * the others are waiting in: there they all fail, with the status and the text
 * of the lowest failing rank.  So no rank waits for one that gave up, the user
 * reads what went wrong once, and all exit alike.  After that every collective
 * call fails with the same error.  Nothing may fail on one rank alone between
 * comm_exchange_begin() and comm_exchange_end().
 *
 * A rank that dies is noticed by what started it (mpirun, srun), which ends
 * the others.
 *
 * Collective calls are for the thread that called comm_open(), outside
 * team_run(); an exchange is one thread's at a time, whichever that is.
 */
#ifndef PLUMB_BASE_COMM_H
#define PLUMB_BASE_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct comm; // opaque; NULL: one process

/*
 * Join the job that this process was started in; *out is NULL when it is of
 * one process.  Reads the environment, in which launchers say that there is
 * one.  ERR_ARG where a launcher started several processes of a build that
 * knows of one.
 */
enum status comm_open(struct comm **out, struct err *err) MUST_CHECK;

/* Leave it, all ranks together, after comm_agree(); the largest of the ranks'
 * exit codes comes back. */
int comm_close(struct comm *c, int code);

size_t comm_rank(const struct comm *c);
size_t comm_size(const struct comm *c);

/* May exchanges be another thread's than the one that meets? */
bool comm_is_threaded(const struct comm *c);

/* Part i of n items in `parts` contiguous pieces: [*first, *last).  The first
 * n % parts pieces have one item more. */
void comm_cut(size_t *first, size_t *last, size_t n, size_t parts, size_t i);

/* Which of those pieces item number `item` is in. */
size_t comm_holder(size_t n, size_t parts, size_t item);

/* The part of n items that this rank has. */
void comm_own(size_t *first, size_t *last, const struct comm *c, size_t n);

/* ---- collective calls: every rank makes them, in the same order ---------- */

/* Did it go well on every rank?  The status of the lowest rank where it did
 * not, its text in *err, which otherwise is untouched. */
enum status comm_agree(struct comm *c, enum status status, struct err *err);

/* The largest of the ranks' values. */
enum status comm_max(struct comm *c, int64_t *value,
                     struct err *err) MUST_CHECK;

/* Rank 0's bytes to all. */
enum status comm_broadcast(struct comm *c, void *data, size_t n,
                           struct err *err) MUST_CHECK;

/*
 * Each rank r has filled bytes [begin[r], begin[r+1]) of `base`; afterwards
 * all are filled on all.  `begin` has comm_size() + 1 entries and is the same
 * everywhere.
 */
enum status comm_gather(struct comm *c, void *base, const size_t *begin,
                        struct err *err) MUST_CHECK;

/* The same from neighbour to neighbour in pieces of at most `piece` bytes,
 * as comm_gather() does it where there is much. */
enum status comm_gather_ring(struct comm *c, void *base, const size_t *begin,
                             size_t piece, struct err *err) MUST_CHECK;

/*
 * The same for what was dealt by comm_own(): n rows, in items of `group` rows
 * (the last may have fewer) of which each rank has its block.  Row i is
 * elements offset[i]..offset[i+1]-1 of `base`, or element i with offset NULL;
 * elements have `bytes` bytes.  `base` may be NULL: nothing is shared.
 */
enum status comm_share(struct comm *c, void *base, const size_t *offset,
                       size_t n, size_t group, size_t bytes,
                       struct err *err) MUST_CHECK;

/* Every rank's n bytes, of which each has another number, appended to `all` in
 * the order of ranks. */
enum status comm_concat(struct comm *c, struct buf *all, const void *mine,
                        size_t n, struct err *err) MUST_CHECK;

/* Bytes of rank `owner` to the same place on rank 0. */
enum status comm_bring(struct comm *c, void *data, size_t n, size_t owner,
                       struct err *err) MUST_CHECK;

/* Do all ranks have the same n bytes?  ERR_MISMATCH: "WHAT is not the same on
 * rank R (host) as on rank 0". */
enum status comm_same(struct comm *c, const void *data, size_t n,
                      const char *what, struct err *err) MUST_CHECK;

/* ---- blocks that travel while something else is done --------------------- */

/* What goes to a rank, or comes from it; of less than 1 GiB. */
struct comm_block {
    size_t rank;
    void *data;
    size_t bytes;
};

struct comm_exchange; // opaque: the blocks that are under way

/* Room for `most` blocks at a time, out and in together.  NULL comm: NULL.
 * All ranks create their exchanges in the same order. */
enum status comm_exchange_create(struct comm_exchange **out, struct comm *c,
                                 size_t most, struct err *err) MUST_CHECK;
void comm_exchange_free(struct comm_exchange *x);

/*
 * Start sending and receiving.  Blocks from one rank to another arrive in the
 * order given, and may be shorter than the room for them.  Memory must stay
 * until comm_exchange_end() has waited for all of them, or until
 * comm_exchange_poll(), which lets them move on in between, has said that they
 * are there.
 */
void comm_exchange_begin(struct comm_exchange *x, const struct comm_block *out,
                         size_t n_out, const struct comm_block *in,
                         size_t n_in);
bool comm_exchange_poll(struct comm_exchange *x);
void comm_exchange_end(struct comm_exchange *x);

#endif
