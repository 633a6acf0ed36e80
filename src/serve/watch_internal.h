/*
 * watch_internal.h - what the files of the watch share.
 *
 *     watch.c         opening, threads, the end
 *     watch_find.c    runs in a directory, and what they say of themselves
 *     watch_run.c     how far a run is, and its numbers
 *     watch_tell.c    runs and series as JSON
 *     watch_sources.c files of replies
 *     watch_rows.c    lists of them, and one with its tokens
 *     watch_history.c all replies to one prompt; held-out points
 *     watch_row.c     one line of such a file
 *     watch_held.c    replies that are being judged, held back
 *     watch_judge.c   alarms
 *     watch_check.c   a spot-check into the database
 *     watch_http.c    routes
 *     watch_guard.c   who may
 *
 * watch.lock is of everything in struct watch but what is said to be one
 * thread's.
 */
#ifndef PLUMB_SERVE_WATCH_INTERNAL_H
#define PLUMB_SERVE_WATCH_INTERNAL_H

#include <pthread.h>

#include "base/file.h"
#include "base/json.h"
#include "base/names.h"
#include "io/curve.h"
#include "io/tokenizer.h"
#include "serve/events.h"
#include "serve/parse.h"
#include "serve/watch.h"
#include "serve/watch_row.h"

#define WATCH_DOCUMENT_MAX ((size_t)64 << 20)
#define WATCH_TEXT_MAX ((size_t)256 << 20) // of a file of rollouts, expanded
#define WATCH_KEY 200
#define WATCH_PEOPLE 64 // points of what people said

enum watch_stage {
    WATCH_OTHER,
    WATCH_SFT,
    WATCH_REWARD,
    WATCH_PPO
};

enum watch_state {
    WATCH_WAITING, // no row yet
    WATCH_RUNNING,
    WATCH_STOPPED, // nobody writes, and it is not finished
    WATCH_FINISHED
};

struct watch_run {
    int64_t id;                  // from 1
    char path[FILE_PATH_MAX];    // as it was found
    char project[FILE_PATH_MAX]; // that it is a stage of, "" without
    char name[WATCH_KEY];        // below the directory that is watched
    char whole[FILE_PATH_MAX];   // the absolute path, links followed
    enum watch_stage stage;
    enum watch_state state;
    double total, epochs, kl_target, beta; // settings; NaN
    struct curve *metrics, *timing;
    char warned[ERR_TEXT_MAX]; // of what nobody is told again
    bool is_read;              // all that was there at first
    int64_t moved;       // when rows came since, ms of http_tick(); 0: none
    uint64_t told;       // rows when the page was told of one last
    int64_t first, last; // iterations with rollouts; -1
    size_t iterations;
    int64_t judged;              // step of the alarms below; -1
    int64_t files, judged_files; // sum of changes of what is judged besides
    struct alarm alarm[ALARMS];
    struct alarm blind;  // the paradox alarm, to those who may be judging
    bool is_open;        // people are judging what tells of this run
    size_t asked, voted; // of the spot-check that was queued
    struct alarm_point people[WATCH_PEOPLE];
    size_t n_people;
    char trouble[ERR_TEXT_MAX]; // why what they said cannot be read, or ""
};

/* A request that is answered by the thread that reads. */
struct watch_job {
    void (*fn)(struct watch *w, struct watch_job *job);
    struct http_request *request;
    int64_t run, row;
    char name[PARSE_NAME_MAX + 1];
    struct watch_job *next;
};

struct watch_guard;

struct watch {
    char path[FILE_PATH_MAX], judgements[FILE_PATH_MAX];
    bool no_index;
    int64_t poll_ms;
    const struct context *context;

    pthread_mutex_t lock;
    struct watch_run **run;
    size_t n, room;
    uint64_t found; // changes of the list of runs

    int64_t judge_after; // ms of http_tick(): alarms are not judged before
    size_t judge_next;   // place in `run` of whose turn it is

    struct events *hub;
    struct http *http;
    struct watch_guard *guard;
    struct http_guard admission; // the server points to it
    pthread_t poller, reader, judge;
    bool is_polling, is_reading, is_judging; // threads that were started
    _Atomic bool is_stopping;

    pthread_mutex_t jobs; // of the queue
    pthread_cond_t some;
    struct watch_job *first, *last;
    size_t queued;
    bool reader_may_end;

    /* The reader's own: the file and the tokenizer that were asked for last. */
    struct {
        char path[FILE_PATH_MAX];
        int64_t size, s, ns;
        struct buf text;
    } held;
    struct {
        struct buf stamp; // of the databases that the names were read from
        struct names names;
        _Atomic size_t reads;
    } hidden; // prompts that are held back
    struct tokenizer *tokenizer;
    char tokenizer_of[FILE_PATH_MAX];
};

/* ---- watch_find.c, watch_run.c ------------------------------------------ */

/* Add the runs that are not there yet. */
enum status watch_find(struct watch *w, struct err *err) MUST_CHECK;
void watch_run_free(struct watch_run *r);
/* Read what is new of its logs; *what as curve_poll(). */
enum status watch_run_poll(struct watch_run *r, size_t budget, unsigned *what,
                           struct err *err) MUST_CHECK;
/* Look at the other files: is it finished, which rollouts are there.  True when
 * something changed. */
bool watch_run_refresh(const struct watch *w, struct watch_run *r);
const char *watch_run_stage(const struct watch_run *r);
const char *watch_run_state(const struct watch_run *r);
int64_t watch_run_step(const struct watch_run *r);
double watch_run_now(const struct watch_run *r, const char *metric);
/* The log of a metric, and its name there. */
struct curve *watch_run_log(const struct watch_run *r, const char **metric);
struct watch_pace {
    double total, eta, seconds, tokens_per_s;
};
struct watch_pace watch_run_pace(const struct watch_run *r);
/* By id, or NULL; under the lock. */
struct watch_run *watch_run_find(struct watch *w, int64_t id);

/* ---- watch_judge.c ------------------------------------------------------ */

/* Judge what changed, run by run; with `all` at once, else, while something
 * trains, not more than a share of time. */
enum status watch_judge(struct watch *w, bool all, struct err *err) MUST_CHECK;
/* Alarms and what people say; the latter is left out while they judge, but for
 * the owner of the files. */
void watch_write_alarms(struct json_writer *j, const struct watch_run *r,
                        bool is_owner);
/* The database of a run's project. */
enum status watch_judgements(char out[FILE_PATH_MAX], const struct watch *w,
                             const struct watch_run *r,
                             struct err *err) MUST_CHECK;

/* ---- watch_rows.c, watch_history.c -------------------------------------- */

void watch_rows_sources(struct watch *w, struct watch_job *job);
void watch_rows_list(struct watch *w, struct watch_job *job);
void watch_rows_one(struct watch *w, struct watch_job *job);
void watch_rows_history(struct watch *w, struct watch_job *job);
void watch_rows_curve(struct watch *w, struct watch_job *job);

/* ---- watch_held.c: the reader's thread's -------------------------------- */

/* Did it come by the link to queue with?  Whoever did knows what was queued,
 * and is told everything; others may be judging. */
bool watch_is_trusted(const struct http_request *r);
/* Prompts whose replies are not shown, since people are judging them blind: of
 * a project's databases, or the one that was named.  None for whoever is
 * trusted.  They stay the watch's, until the next call, and are read anew when
 * one of the databases or their logs is another file, or changed. */
enum status watch_held_read(const struct names **out, struct watch *w,
                            const char *project, const struct http_request *r,
                            struct err *err) MUST_CHECK;
void watch_hidden_free(struct watch *w);
/* Take what a reply says, and all measures of it, out of a row of theirs. */
void watch_held_hide(const struct names *held, struct watch_row *r);

/* ---- watch_sources.c: files of replies; all of it the reader's thread's - */

/* What the run of a request is, copied so that the lock is not held. */
struct watch_place {
    char path[FILE_PATH_MAX], project[FILE_PATH_MAX];
    int64_t id;
};
enum status watch_source_place(struct watch_place *out, struct watch *w,
                               int64_t id, struct err *err) MUST_CHECK;

/* Called with each file of replies, in the order of iterations: its name
 * ("iteration-5", "checkpoint-5", "eval") and the iteration, -1 for "eval". */
typedef enum status (*watch_source_fn)(void *ctx, const char *name,
                                       int64_t step, const char *path,
                                       struct err *err);
enum status watch_source_walk(const struct watch_place *p, watch_source_fn fn,
                              void *ctx, struct err *err) MUST_CHECK;

/* Have a file's text in w->held.text; of a path, or of a job's source. */
enum status watch_source_hold_file(struct watch *w, const char *path,
                                   struct err *err) MUST_CHECK;
enum status watch_source_hold(struct watch *w, const struct watch_job *job,
                              struct watch_place *p,
                              struct err *err) MUST_CHECK;
/* The next line of a text; false at its end. */
bool watch_source_line(const char **line, size_t *len, const char **at,
                       const char *end);
/* Answer a job, and free `out`. */
void watch_source_answer(struct watch_job *job, enum status status,
                         struct buf *out, const struct err *err);

/*
 * A count in the query, `fallback` where it is absent, at most `most`; or one
 * of a NULL-terminated list of words, the first where it is absent.  ERR_ARG
 * names what is neither.
 */
enum status watch_ask_count(int64_t *out, const struct http_request *r,
                            const char *key, int64_t fallback, int64_t most,
                            struct err *err) MUST_CHECK;
enum status watch_ask_word(const char **out, const struct http_request *r,
                           const char *key, const char *const *word,
                           struct err *err) MUST_CHECK;

/* ---- watch_http.c, watch_guard.c ---------------------------------------- */

enum status watch_serve_start(struct watch *w, const struct watch_serve *s,
                              struct err *err) MUST_CHECK;
void *watch_reader(void *arg); // a thread; arg is the struct watch
/* Tell all pages, whoever looks: {"run":ID, ...} with the log's numbers, and
 * nothing that people said. */
void watch_publish(struct watch *w, const char *event, struct watch_run *r);

enum status watch_guard_create(struct watch_guard **out, bool needs_link,
                               struct err *err) MUST_CHECK;
void watch_guard_free(struct watch_guard *g);
struct http_guard watch_guard_http(struct watch_guard *g);
const char *watch_guard_token(const struct watch_guard *g, bool may_queue);
void watch_guard_show(void *ctx, struct http_request *r);
void watch_guard_sign_in(void *ctx, struct http_request *r);

#endif
