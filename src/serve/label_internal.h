/*
 * label_internal.h - what the files of the labelling server share.
 *
 *     label.c         the table of routes, the beginning and the end
 *     label_page.c    the page's files
 *     label_read.c    bodies, member by member
 *     label_job.c     writes that a request waits for
 *     label_work.c    pools, the next items, an item, one's own history
 *     label_act.c     votes, skips, undoing, remarks
 *     label_people.c  judges and their links
 *     label_export.c  judgements as a file
 *     label_tell.c    events: who watches is told of votes
 *     label_standing.c  how a pool stands
 *     label_thread.c  the threads of these two
 *
 * A handler is label_NAME(struct label *, struct http_request *) and stands in
 * the table of label.c alone.
 */
#ifndef PLUMB_SERVE_LABEL_INTERNAL_H
#define PLUMB_SERVE_LABEL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "serve/auth.h"
#include "serve/events.h"
#include "serve/label.h"
#include "store/progress.h"
#include "store/votes.h"

/* Bytes of an answer with items, of which one is of 8 MiB at most in a file,
 * and six times that in JSON at the worst. */
#define LABEL_OUT_MAX ((size_t)128 << 20)

struct label_teller;
struct label_stander;

/* A pool's counts, and until when they are good enough (monotonic ms). */
struct label_tally {
    int64_t pool, until;
    struct progress_brief brief;
};

struct label {
    struct http *http;
    struct auth *auth;
    struct writer *writer;
    struct events *hub;
    struct db *db; // the server's thread's, to read
    struct label_teller *teller;
    struct label_stander *stander;
    struct label_tally *tally; // [n_tally], the server's thread's
    size_t n_tally;
    bool is_loss_told; // the writer's thread's
    atomic_bool is_exporting;
    struct http_guard guard;
    struct context context; // warnings of any thread, one at a time
    const struct context *outer;
    pthread_mutex_t sink_lock;
};

/* ---- bodies (label_read.c) ---------------------------------------------- */

/* ERR_ARG naming the first member that is none of the words in `known`, which
 * have blanks between. */
enum status label_check_members(const struct json *body, const char *known,
                                struct err *err) MUST_CHECK;

/* A member that may be absent or null, *out being left alone then; ERR_ARG
 * naming it where it is of another type or out of range. */
enum status label_take_text(const char **out, const struct json *body,
                            const char *name, struct err *err) MUST_CHECK;
enum status label_take_int(int64_t *out, const struct json *body,
                           const char *name, int64_t low, int64_t high,
                           struct err *err) MUST_CHECK;
enum status label_take_bool(bool *out, const struct json *body,
                            const char *name, struct err *err) MUST_CHECK;
/* One of a choice's words, as its value. */
enum status label_take_word(int *out, const struct json *body, const char *name,
                            const struct choice *c, struct err *err) MUST_CHECK;

/* An act of an assignment of K answers, as votes.h wants it.  *v has the
 * assignment already; `shown` is INT64_MAX when not told. */
enum status label_read_act(struct vote *v, const struct json *body,
                           struct err *err) MUST_CHECK;

/* ---- writes (label_job.c) ----------------------------------------------- */

struct label_job;

/* Runs on the writer's thread, inside a transaction; puts the answer into
 * job->out.  With a failure and a non-empty `out`, that is the answer, with
 * the failure's code. */
typedef enum status (*label_job_fn)(struct label_job *job, struct db *db,
                                    struct err *err);

struct label_job {
    struct write w;
    struct label *label;
    struct http_request *request; // its body lasts until it is answered
    label_job_fn fn;
    int64_t actor; // the judge who asks
    int64_t id;    // the route's {int}, or 0
    int64_t now;
    struct vote vote;
    struct remark remark;
    size_t want;
    const char *name;
    enum judge_role role;
    enum auth_kind kind;
    struct buf out;
    bool is_vote;   // tell who watches
    bool is_ending; // sessions end: look at open streams again
};

/* A job for a request, or NULL when that was answered for lack of memory. */
struct label_job *label_job_new(struct label *label, struct http_request *r);

/* Answer at once that the request cannot be taken, and free the job. */
void label_job_refuse(struct label_job *job, enum status status,
                      const struct err *err);

/* Give the job to the writer, which answers and frees it. */
void label_job_queue(struct label_job *job, label_job_fn fn);

/* ---- items (label_work.c) ----------------------------------------------- */

/* "standing" and "state" of an assignment, into an object that is open. */
enum status label_write_state(struct json_writer *w, struct db *db,
                              int64_t assignment, int64_t now,
                              struct err *err) MUST_CHECK;

/* ---- threads beside the server's (label_thread.c) ----------------------- */

struct label_thread {
    struct db *db; // to read, the thread's own
    pthread_t thread;
    pthread_mutex_t lock; // of the next, and of what its owner shares with it
    bool is_stopping;
    pthread_cond_t changed; // what is shared, or is_stopping
};

/* Run on a thread of its own, which ends once is_stopping.  Of a failure
 * nothing is left; `what` it does stands in the message. */
enum status label_thread_start(struct label_thread *t, const struct db *first,
                               const char *what, void *(*run)(void *),
                               void *ctx, struct err *err) MUST_CHECK;
/* Tell it to end, and wait for that. */
void label_thread_stop(struct label_thread *t);

/* ---- events (label_tell.c) ---------------------------------------------- */

enum status label_teller_start(struct label *label, const struct db *first,
                               struct err *err) MUST_CHECK;
void label_teller_stop(struct label *label); // fine without one
/* Something was voted. [any] */
void label_tell(struct label *label);
/* Tell who watches of a pool's votes, whatever was told before. [any] */
enum status label_tell_pool(struct label *label, struct db *db, int64_t pool,
                            struct err *err) MUST_CHECK;

/* The table of label.c; tests go through all of it. */
const struct http_route *label_routes(size_t *n);

/* ---- the standing (label_standing.c) ------------------------------------ */

enum status label_stander_start(struct label *label, const struct db *first,
                                struct err *err) MUST_CHECK;
void label_stander_stop(struct label *label); // fine without one

/* ---- who may see how it stands ------------------------------------------ */

/* A judge may not, whom it would sway: answers 403 and is false. */
bool label_may_watch(struct http_request *r);

/* ---- handlers ----------------------------------------------------------- */

void label_pools(struct label *label, struct http_request *r);
void label_next(struct label *label, struct http_request *r);
void label_item(struct label *label, struct http_request *r);
void label_history(struct label *label, struct http_request *r);
void label_act(struct label *label, struct http_request *r);
void label_remark(struct label *label, struct http_request *r);
void label_judges(struct label *label, struct http_request *r);
void label_judge_add(struct label *label, struct http_request *r);
void label_judge_link(struct label *label, struct http_request *r);
void label_judge_revoke(struct label *label, struct http_request *r);
void label_export(struct label *label, struct http_request *r);
void label_events(struct label *label, struct http_request *r);
void label_stands(struct label *label, struct http_request *r);

#endif
