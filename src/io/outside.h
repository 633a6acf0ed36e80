/*
 * outside.h - a reward model or a policy that is somebody else's program: one
 * long-lived child process, asked in batches (docs/commands.md).
 *
 *     struct outside *o;
 *     TRY(outside_open(&o, OUTSIDE_REWARD, &config, context, err));
 *     status = outside_ask(answer, o, request, n, err);
 *     outside_close(o);
 *
 * A batch of requests is written, a line of JSON each, and as many answers are
 * read, in any order.  Ids count the requests from 0, so that every answer of
 * a well-behaved program, and every failure of another, is the same whatever
 * the number of threads: requests go out in the order they are given, from one
 * thread.
 *
 * Among several ranks (base/comm.h) the first one has the child and the others
 * are told what it said: opening and asking are collective calls.
 */
#ifndef PLUMB_IO_OUTSIDE_H
#define PLUMB_IO_OUTSIDE_H

#include "base/context.h"
#include "io/outside_line.h"

struct outside_config {
    const char *command; // for /bin/sh -c; NULL: there is none
    double timeout;      // seconds that an answer is waited for; 0: for ever
    int64_t batch;       // requests of a batch, 1 or more
};

struct outside; // opaque

/* Start it.  The context outlives it.  ERR_MISSING: it cannot be started. */
enum status outside_open(struct outside **out, enum outside_kind kind,
                         const struct outside_config *c,
                         const struct context *context,
                         struct err *err) MUST_CHECK;

/* Close its input and wait for its end; it is ended where it does not come,
 * and at once after a failure.  NULL is fine. */
void outside_close(struct outside *o);

/* What it was started with. */
const char *outside_command(const struct outside *o);

/*
 * answer[i] is that of request[i]; free each with outside_answer_free().  On
 * failure there is nothing to free, and no more can be asked.
 *
 * ERR_FORMAT names the command and its line: outside_line_read(), and an id
 * that was not asked for or is answered twice, no answer for c->timeout, an
 * end.  ERR_STOPPED when asked to stop while it does not answer.
 */
enum status outside_ask(struct outside_answer *answer, struct outside *o,
                        const struct outside_request *request, size_t n,
                        struct err *err) MUST_CHECK;

#endif
