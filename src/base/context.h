/*
 * context.h - what a long computation is given besides its inputs: workers,
 * other ranks, somewhere to send events, a clock and a request to stop.
 *
 * Library code never prints: it sends events to the sink, and src/cli draws
 * them.  A NULL context or sink is silent.
 */
#ifndef PLUMB_BASE_CONTEXT_H
#define PLUMB_BASE_CONTEXT_H

#include <signal.h>
#include <stdbool.h>

#include "base/comm.h"
#include "base/err.h"
#include "base/parallel.h"

enum event_kind {
    EVENT_STAGE,    // a stage begins: text is its title
    EVENT_PROGRESS, // done of total units; text is a short status or NULL
    EVENT_INFO,     // something worth a line
    EVENT_WARNING,
};

struct event {
    enum event_kind kind;
    const char *stage; // "sft", "reward", "ppo", ...
    const char *text;
    double done, total;
    const char *unit; // "step", "iteration", "token"
};

typedef void (*event_fn)(void *ctx, const struct event *event);

struct context {
    struct team *team;
    struct comm *comm; // the ranks; NULL: one process
    event_fn sink;     // may be NULL, and is on all ranks but the first
    void *sink_ctx;
    const char *stage;                 // put into every event
    double (*clock)(void);             // seconds since the epoch
    const volatile sig_atomic_t *stop; // nonzero: stop at the next safe point
};

void context_stage(struct context *c, const char *stage, const char *title);
void context_progress(const struct context *c, double done, double total,
                      const char *unit, const char *text);
void context_info(const struct context *c, const char *fmt, ...)
    ERR_PRINTF(2, 3);
void context_warn(const struct context *c, const char *fmt, ...)
    ERR_PRINTF(2, 3);

/*
 * Run fn for those of the items 0..n-1 that this rank has (comm_own), and wait
 * for the others to have run theirs.  Collective.  The failure of the
 * lowest-numbered item of all is returned on every rank.
 */
enum status context_deal(const struct context *c, size_t n, team_fn fn,
                         void *ctx, struct err *err) MUST_CHECK;

/* Was a stop asked for? */
bool context_stopped(const struct context *c);

/* The same, of any rank: collective, and the answer is one for all.  Where a
 * loop over steps asks. */
enum status context_agree_stop(bool *out, const struct context *c,
                               struct err *err) MUST_CHECK;

/* The clock, or 0 when there is none. */
double context_time(const struct context *c);

#endif
