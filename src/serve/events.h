/*
 * events.h - what happens, told to everybody who watches: server-sent events.
 *
 *     struct events *hub;
 *     TRY(events_create(&hub, &(struct events_config){0}, err));
 *     ... a route's handler:       events_reply(hub, request);
 *     ... anybody, on any thread:  events_publish(hub, "step", json, len);
 *
 * There is one ring of the latest events for all viewers, and each viewer has
 * only a place in it.  So publishing costs the same for any number of viewers,
 * waits for none of them, and memory is bounded.  A viewer that is behind by
 * more than the ring is cut; its browser comes back by itself and says, in
 * Last-Event-ID, what it saw last.  It goes on from there, or, where that is
 * no longer in the ring or was another hub's, gets the event "reset" first:
 * reload what you show.  A viewer that says nothing begins with what comes
 * next, and is told where that is.
 *
 * Ids are "EPOCH-NUMBER": a random word of this hub's, then 2, 3, ...  While
 * nothing happens a comment is sent every EVENTS_BEAT_MS, so that proxies and
 * dead connections are found out.
 */
#ifndef PLUMB_SERVE_EVENTS_H
#define PLUMB_SERVE_EVENTS_H

#include "serve/http.h"

#define EVENTS_BEAT_MS 15000

struct events; // opaque: a hub

struct events_config {
    size_t count;   // events in the ring; 0: 1024
    size_t bytes;   // of all of them; 0: 1 MiB
    size_t viewers; // at once; 0: 128
};

enum status events_create(struct events **out, const struct events_config *c,
                          struct err *err) MUST_CHECK;

/* After http_stop().  Fine on NULL. */
void events_destroy(struct events *hub);

/* Which server to wake; once, after http_start().  What was published before
 * is seen within HTTP_BEAT_MS. */
void events_attach(struct events *hub, struct http *http);

/* No server to wake any more; before http_stop(), where somebody may still
 * publish. */
void events_detach(struct events *hub);

/*
 * Tell everybody; on any thread.  `name` is 1 to 32 letters, `data` one line
 * of text (JSON).  ERR_ARG when they are not, ERR_LIMIT when it is larger than
 * a quarter of the ring, ERR_MEMORY; then nothing was told.
 */
enum status events_publish(struct events *hub, const char *name,
                           const char *data, size_t len,
                           struct err *err) MUST_CHECK;

/* Answer a request with the stream; 503 when there are too many viewers. */
void events_reply(struct events *hub, struct http_request *r);

/* Viewers now, and those that were cut because they fell behind. */
struct events_counts {
    size_t viewers;
    uint64_t cut;
};
struct events_counts events_counts(struct events *hub);

#endif
