/*
 * watch.h - runs seen while they train: their curves, rollouts and alarms, as
 * a page's data and for a terminal.
 *
 *     struct watch *w;
 *     TRY(watch_open(&w, &(struct watch_config){.path = "D"}, err));
 *     TRY_DONE(watch_load(w, err));            // all there is, once; or
 *     TRY_DONE(watch_start(w, &serve, err));   // go on reading, and serve it
 *     ... watch_url(w) ...
 *     watch_close(w);
 *
 * WHAT IS WATCHED.  `path` is a run, a project, or a directory with runs and
 * projects in it, to WATCH_DEPTH folders down; WATCH_RUNS_MAX runs at most.  A
 * run is a directory with a metrics.jsonl or a config.yaml of a stage.  Ones
 * that begin later are found.
 *
 * A TRAINER DOES NOT KNOW.  Files are opened for reading, for as long as a read
 * takes, and never locked.  All that is written is the index of a run's curves
 * (io/curve.h), beside it where that may be, and, when somebody asks for it,
 * the database of judgements.  Reading has bounds: WATCH_BUDGET bytes of a log
 * at a time, and while something trains a twentieth of one core for alarms.
 *
 * THREADS.  One looks at the files every `poll_ms` and tells the page by
 * server-sent events; one reads rollouts and series for the page; one judges
 * alarms; the server has its own (serve/http.h).  What they share has one lock,
 * which nobody holds while reading rollouts or evidence.
 *
 * WHO MAY LOOK.  On the loopback address everybody on this machine may, and may
 * queue spot-checks; a write needs a token that only a page of this server can
 * read, so other sites' pages in the browser cannot.  On another address one
 * signs in by a link with a token, of which there are two, to look and to queue
 * as well; they are held in memory and end with the server.  While people judge
 * blind, only the link to queue shows what they judge and what they said.
 *
 *     GET  /api/session  POST /api/session {"token"}   as serve/auth.h has it
 *     GET  /api/watch                        runs, alarms, what can be asked
 *     GET  /api/watch/series?runs=1,2&metrics=a,b&points=400[&from=&to=]
 *     GET  /api/watch/runs/{int}/curve       held-out points with intervals
 *     GET  /api/watch/runs/{int}/sources     where there are replies
 *     GET  /api/watch/runs/{int}/rows/{name}?sort=score&order=desc&tag=k:v&
 *              which=policy&text=&offset=0&limit=50
 *     GET  /api/watch/runs/{int}/rows/{name}/{int}     one with its tokens
 *     GET  /api/watch/runs/{int}/history?prompt=ID
 *     POST /api/watch/runs/{int}/check {"pairs":40}    queue a spot-check
 *     GET  /api/events                       "row", "run", "alarm"
 *
 * docs/watch.md has their members.
 */
#ifndef PLUMB_SERVE_WATCH_H
#define PLUMB_SERVE_WATCH_H

#include "diagnose/alarm.h"
#include "serve/http.h"

#define WATCH_RUNS_MAX 1000
#define WATCH_DEPTH 3
#define WATCH_BUDGET ((size_t)1 << 20)
#define WATCH_POLL_MS 250
#define WATCH_PAIRS 40 // of a spot-check, and as many of placebo
#define WATCH_TOKEN 44 // bytes of a token's text, and a NUL

struct watch; // opaque

struct watch_config {
    const char *path;
    const char *judgements;        // NULL: the project's (store/human.h)
    bool no_index;                 // neither read nor write indexes
    int64_t poll_ms;               // 0: WATCH_POLL_MS
    const struct context *context; // its clock is the time; its sink, warnings
};

/* Find the runs.  ERR_MISSING: there is no such directory, or no run in it. */
enum status watch_open(struct watch **out, const struct watch_config *c,
                       struct err *err) MUST_CHECK;

/* Stop what runs, write indexes that are worth it.  Fine on NULL. */
void watch_close(struct watch *w);

/* Read all there is now, and judge the alarms. */
enum status watch_load(struct watch *w, struct err *err) MUST_CHECK;
/* The same without alarms, and without the rest of the files: the curves. */
enum status watch_load_curves(struct watch *w, struct err *err) MUST_CHECK;
/* Read what is new: of a program that has no thread for it. */
enum status watch_poll(struct watch *w, struct err *err) MUST_CHECK;

struct watch_serve {
    const char *address;     // NULL: the loopback
    uint16_t port;           // 0: any
    const char *const *host; // as http_config has them
    size_t n_host;
    bool is_tls;
    const struct http_file *file; // the page; NULL: the one in the program
    size_t n_file;
};

/* Begin to look and to serve. */
enum status watch_start(struct watch *w, const struct watch_serve *s,
                        struct err *err) MUST_CHECK;
const struct http *watch_http(const struct watch *w);
/* Tokens for the links, NULL where nobody signs in. */
const char *watch_token(const struct watch *w, bool may_queue);

/* ---- what is seen ------------------------------------------------------- */

/* The document of GET /api/watch: schema plumb.watch/1.  The owner of the files
 * reads what people said in any case; others do not while people judge, since
 * they may be among them. */
void watch_write(struct json_writer *j, struct watch *w, bool is_owner);

/* The document of GET /api/watch/series.  `run` are ids, NULL for all; from
 * and to are steps, both included. */
struct watch_ask {
    const int64_t *run;
    size_t n_run;
    const char *const *metric; // "objective/kl"; "timing/eps" of timing.jsonl
    size_t n_metric;
    int64_t from, to;
    size_t points; // of a run and metric, at most
};
enum status watch_write_series(struct json_writer *j, struct watch *w,
                               const struct watch_ask *ask,
                               struct err *err) MUST_CHECK;

/* For a terminal: runs by number, 0 to n - 1. */
struct watch_look {
    int64_t id;
    const char *name, *stage, *state;
    int64_t step;
    double total, eta, tokens_per_s, seconds; // NaN: not known
    uint64_t rows;
    const struct alarm *alarm; // [ALARMS]
    bool has_alarms;           // is it of a stage that has them
};
size_t watch_count(struct watch *w);
void watch_look(struct watch_look *out, struct watch *w, size_t i);
/* A metric's value now, and its last points (its low and high are the same
 * here); NaN and 0 when there is none. */
double watch_now(struct watch *w, size_t i, const char *metric);
enum status watch_points(double *out, size_t *n, size_t room, struct watch *w,
                         size_t i, const char *metric,
                         struct err *err) MUST_CHECK;

/* What a spot-check of a run's slice became: items that were added, and that
 * were there before. */
struct watch_check {
    size_t pairs, placebo, already;
    int64_t step;                 // whose replies
    char database[FILE_PATH_MAX]; // where
};

/* Queue it.  ERR_MISSING says what is not there and which command makes it;
 * ERR_MISMATCH: the run trains no policy. */
enum status watch_check(struct watch_check *out, struct watch *w, int64_t run,
                        size_t pairs, struct err *err) MUST_CHECK;

#endif
