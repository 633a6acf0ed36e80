/*
 * hall.h - a project with pools of every kind of item, a labelling server
 * over it, and people with browsers.
 */
#ifndef PLUMB_TESTS_SERVE_HALL_H
#define PLUMB_TESTS_SERVE_HALL_H

#include "serve/client.h"
#include "serve/label.h"
#include "store/rig.h"

#define HALL_PAIRS 6 // normal pairs of the spot-check, and placebos

struct hall {
    struct rig rig;
    struct label *label;
    unsigned port;
    int64_t spot, ranking; // pools
    struct reply reply;    // of the last question
};

struct person {
    char cookie[160], csrf[64];
    int64_t judge;
};

/* The server's clock. */
extern _Atomic int64_t hall_now;

/* The last warning of the server, "" when there was none. */
extern char hall_warning[ERR_TEXT_MAX];

/* What no judge may read in any answer, NULL at the end: every item, run,
 * step, score and so on of hall_fill() has a word of these in it. */
extern const char *const hall_secrets[];

/* A project with items, and without a server. */
void hall_prepare(struct hall *h, int64_t overlap);
void hall_open(struct hall *h, int64_t overlap);
void hall_close(struct hall *h);

/* Start a server on h->rig's open database. */
void hall_serve(struct hall *h);

/* Invite, and sign in. */
struct person hall_enter(struct hall *h, const char *name,
                         enum judge_role role);
struct person hall_sign_in(struct hall *h, const char *token);

/* A request; the status, and the answer in h->reply.  NULL: of nobody. */
int hall_ask(struct hall *h, const struct person *p, const char *method,
             const char *path, const char *body);
int hall_askf(struct hall *h, const struct person *p, const char *method,
              const char *body, const char *path, ...) ERR_PRINTF(5, 6);

/* A number of the last answer, at "a.b" or "items.0.assignment"; -1 when it
 * is not there.  A text, "" when not. */
int64_t hall_int(const struct hall *h, const char *path);
const char *hall_text(const struct hall *h, const char *path);

/* The judge's next item, or 0. */
int64_t hall_next(struct hall *h, const struct person *p, int64_t pool);

/* Send an act and give the status: a spot-check's vote for `overall`, a
 * ranking of K in the order shown, a skip or an undo. */
int hall_vote(struct hall *h, const struct person *p, int64_t assignment,
              const char *overall, const char *key, int64_t supersedes);
int hall_rank(struct hall *h, const struct person *p, int64_t assignment,
              size_t K, const char *key, int64_t supersedes);
int hall_act(struct hall *h, const struct person *p, int64_t assignment,
             const char *act, const char *key, int64_t supersedes);

#endif
