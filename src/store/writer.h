/*
 * writer.h - one thread that writes, and commits together what came together.
 *
 * A commit waits for the disk, so committing every vote by itself would make
 * the disk's latency the limit of all judges together.  Instead callers queue
 * their writes; the writer takes all that are there, does each in a savepoint
 * of one transaction, and commits once.  While it waits for the disk the next
 * batch gathers: the longer a commit takes, the more it carries.
 *
 *     struct write w = {.fn = cast_vote, .ctx = &vote};
 *     status = writer_run(writer, &w, err);   // OK: it is on the disk
 *
 * What a caller may rely on.  A write is told done only after its commit.  One
 * that fails (a constraint, an argument) is undone alone and does not touch
 * the others of its batch.  When the commit fails (the disk is full) every
 * write of the batch fails with that and nothing of it was done, and the
 * writer goes on: the next batch may find room.  Writes are done in the order
 * in which they were queued.
 *
 * Before a batch and after its commit the writer looks whether the database
 * still stands under its name.  When it was removed or replaced, every write of
 * the batch fails with ERR_BUSY: nobody is told that something is kept which
 * nobody finds again.
 *
 * fn runs on the writer's thread and connection, and what it fills in through
 * ctx counts only when the write is told OK.
 */
#ifndef PLUMB_STORE_WRITER_H
#define PLUMB_STORE_WRITER_H

#include "store/db.h"

struct writer; // opaque: the thread, its connection and the queue

/* A write; the caller's memory, which must last until it is done. */
struct write {
    db_fn fn;
    void *ctx;
    /* Told on the writer's thread once the write is done, with `status` and
     * `err` set; may free the write, must not block.  NULL for
     * writer_run(). */
    void (*done)(struct write *w);

    enum status status; // the writer's from here on
    struct err err;
    struct write *next;
    bool is_done;
};

#define WRITER_WAIT_MAX 10000 // microseconds

struct writer_config {
    /* How long the first write after a rest waits for company, in
     * microseconds: fewer commits, each of which wakes the disk, for a vote
     * that is told done that much later.  0 to WRITER_WAIT_MAX; 5000 suits a
     * server of people (bench/bench_store.c). */
    uint32_t wait_us;
};

/* Start the writer on one more connection to what `first` is open on. */
enum status writer_start(struct writer **out, const struct db *first,
                         const struct writer_config *c,
                         struct err *err) MUST_CHECK;

/* Do all that was queued, end the thread and close the connection.  Nothing
 * may be queued any more.  Fine on NULL. */
void writer_stop(struct writer *w);

/* Queue a write that has a `done`, and go on.  Never fails, allocates
 * nothing, waits for no commit. */
void writer_queue(struct writer *writer, struct write *w);

/* Queue a write that has none, and wait until it is done. */
enum status writer_run(struct writer *writer, struct write *w,
                       struct err *err) MUST_CHECK;

/* Did the last batch find the database removed or replaced? */
bool writer_is_lost(struct writer *writer);

/* Since the start: transactions committed, and writes that were in them. */
struct writer_counts {
    uint64_t commits, writes;
};
struct writer_counts writer_counts(struct writer *writer);

#endif
