/*
 * crowd.h - people at the labelling page, as a program: each votes at a steady
 * pace over connections that stay open, as browsers' do.
 *
 * Each judge has one connection for votes, of which one is under way at a
 * time, and one for the next items, of which three are kept ahead: what the
 * page does (src/serve/ui/label).  Beside them an administrator's page watches
 * /api/events.  One thread drives all of it with epoll.
 *
 * A vote's time runs from when it was due, not from when it was sent: a judge
 * who waits for the vote before, or for an item, would have liked to vote
 * already, and leaving that out would hide just the bad moments.  All judges
 * vote on, whatever it took before.
 */
#ifndef PLUMB_BENCH_CROWD_H
#define PLUMB_BENCH_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct crowd_config {
    uint16_t port;            // on 127.0.0.1
    int64_t pool;             // a spot-check
    size_t n;                 // judges
    const char *const *token; // [n], and of an administrator behind them
    double rate;              // votes a second of each
    double seconds;
    /* Looked at all the time; set by a signal, it ends the run early. */
    const volatile bool *stop;
};

struct crowd_vote {
    size_t judge;
    int64_t assignment;
    int64_t act;  // as it was acknowledged, 0: it was not
    char key[48]; // what it was sent under
    double took;  // seconds from when it was due to its acknowledgement
};

struct crowd_result {
    struct crowd_vote *vote; // [n] that were due; the caller's to free()
    size_t n;
    size_t refused; // answers other than 200
    size_t events;  // that the administrator's page was told
    double seconds; // of voting
    double cpu;     // seconds of this process meanwhile
};

/* Ends the program with a message when there is no server. */
void crowd_run(struct crowd_result *out, const struct crowd_config *c);

#endif
