/*
 * seat.h - a program's seat at the page where people judge: the same
 * addresses, the same rights, on libcurl.
 *
 *     struct seat *c;
 *     TRY(seat_open(&c, "http://127.0.0.1:8071/#token=...", &config, err));
 *     TRY(seat_call(c, &answer, SEAT_POST, "/api/pools/1/next", body, err));
 *     ... json_free(answer) ... seat_close(c) ...
 *
 * docs/label-http.md says what may be asked.  Opening signs in with the link's
 * token, as a browser does; the session's cookie and token for writes are kept
 * and sent along.
 *
 * What fails on the way (no connection, a connection that ends, 429, 503) is
 * tried again, 50 ms later and then twice as long each time up to 2 s or as the
 * server's Retry-After says, until `patience` is over.  A server that is away
 * is told to the context as a warning, once.  A request may so arrive
 * twice: what may not happen twice carries a key of its own (store/votes.h).
 *
 * One thread at a time.  An answer larger than SEAT_ANSWER_MAX is refused.
 */
#ifndef PLUMB_SERVE_SEAT_H
#define PLUMB_SERVE_SEAT_H

#include "base/context.h"
#include "base/json.h"

#define SEAT_ANSWER_MAX ((size_t)64 << 20)
#define SEAT_URL_MAX 512

struct seat; // opaque

struct seat_config {
    double patience;               // seconds; 0: 30
    const struct context *context; // asked to stop, told of waits; may be NULL
};

/* ERR_ARG when the link is none; ERR_MISSING when the server does not know the
 * token; ERR_IO when there is no server. */
enum status seat_open(struct seat **out, const char *link,
                      const struct seat_config *c, struct err *err) MUST_CHECK;
void seat_close(struct seat *c); // fine on NULL

/* Who this is: a judge's name, and the server's clock less ours when it was
 * asked, in ms. */
const char *seat_name(const struct seat *c);
int64_t seat_clock(const struct seat *c);

enum seat_method {
    SEAT_GET,
    SEAT_POST,
    SEAT_DELETE
};

/*
 * Ask, and wait for the answer: *out is a document to json_free(), NULL when
 * there was no content.  `body` is JSON text, or NULL.
 *
 * A refusal is ERR_MISMATCH for 409, ERR_MISSING for 401, 403 and 404, ERR_FULL
 * for 507, ERR_ARG for what else begins with 4, ERR_IO from 500 on, with the
 * server's words.  ERR_STOPPED when the context was asked to stop while waiting
 * to try again.
 */
enum status seat_call(struct seat *c, struct json **out,
                      enum seat_method method, const char *path,
                      const char *body, struct err *err) MUST_CHECK;

#endif
