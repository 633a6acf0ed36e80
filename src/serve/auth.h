/*
 * auth.h - who is it, and may they: links, sessions, and what protects both.
 *
 * A judge is given a link, URL/#token=TOKEN.  What stands behind '#' is never
 * sent by browsers, so no log, proxy or Referer has it; the page posts it
 * once, and gets a session in a cookie that scripts cannot read and other
 * sites' pages cannot make the browser send (HttpOnly, SameSite=Strict, Secure
 * and "__Host-" behind TLS; else its name has the port in it, since browsers
 * do not keep the ports of one host apart).
 *
 * Tokens are of 24 random bytes, sessions of 32; the database has hashes of
 * both (store/judges.h), found by index, so no comparison tells how much of a
 * guess was right.  A token begins with what it is and is hashed with that:
 *
 *     'r'  good until it is replaced or the judge is revoked
 *     'o'  good once: signing in ends it, and the judge's other sessions
 *
 * Every request is looked up: who was revoked is refused from the next one on,
 * and streams that are open end within HTTP_BEAT_MS, or at once where this
 * process did it.
 *
 * A request that may change something (not GET) needs, besides the cookie,
 *     - an Origin that is this server's, as Host names it; without the header
 *       no Sec-Fetch-Site that says another: browsers send one of them
 *     - in X-Plumb-CSRF the session's token, which is
 *           BLAKE2b-256(key = session, "plumb.csrf/1") in base64url
 *       compared in constant time.  Only who knows the session can make it,
 *       and only answers to the session itself tell it.
 * Signing in needs the first.
 *
 *     POST   /api/session {"token": "..."}  auth_sign_in   HTTP_ANYONE
 *     GET    /api/session                   auth_show      HTTP_VIEWER
 *     DELETE /api/session                   auth_sign_out  HTTP_VIEWER
 * The first two answer {"judge", "name", "role", "csrf", "now"}.
 *
 * THREADS.  The functions with a request are for handlers (serve/http.h);
 * those with a database are a caller's own, or a write's (store/writer.h).
 */
#ifndef PLUMB_SERVE_AUTH_H
#define PLUMB_SERVE_AUTH_H

#include "serve/http.h"
#include "store/writer.h"

#define AUTH_TOKEN_LEN 33
#define AUTH_TOKEN_TEXT (AUTH_TOKEN_LEN + 1)
#define AUTH_LINK_TEXT 512
#define AUTH_BODY_MAX 1024 // for the route of auth_sign_in()

enum auth_kind {
    AUTH_REUSABLE,
    AUTH_ONCE,
};

struct auth; // opaque: the server's side

struct auth_config {
    int64_t session_ms; // how long a session lasts; 0: two weeks
    /* Told, on the server's thread, when the database cannot say who asks; may
     * be NULL. */
    const struct context *context;
};

/* On a connection of its own to what `first` is open on.  The writer must last
 * until http_stop() has returned. */
enum status auth_open(struct auth **out, const struct db *first,
                      struct writer *writer, const struct auth_config *c,
                      struct err *err) MUST_CHECK;
void auth_close(struct auth *auth); // after http_stop(); fine on NULL

/* For http_config; lasts as long as `auth`. */
struct http_guard auth_guard(struct auth *auth);

/* ---- handlers ------------------------------------------------------------ */

void auth_sign_in(struct auth *auth, struct http_request *r);
void auth_show(struct auth *auth, struct http_request *r);
void auth_sign_out(struct auth *auth, struct http_request *r);

/* Revoke a judge and end their streams; answers 204, or 404, or 409 where it
 * is the one who asks, who would be locked out. */
void auth_revoke(struct auth *auth, struct http_request *r, int64_t judge);

/* ---- links --------------------------------------------------------------- */

/* A new judge with a link; as judges_check_name() and judges_add(). */
enum status auth_invite(char token[AUTH_TOKEN_TEXT], int64_t *judge,
                        struct db *db, const char *name, enum judge_role role,
                        enum auth_kind kind, int64_t actor, int64_t now,
                        struct err *err) MUST_CHECK;

/* A new link for a judge; the old one and all sessions end; as
 * judges_set_token(). */
enum status auth_renew(char token[AUTH_TOKEN_TEXT], struct db *db,
                       int64_t judge, enum auth_kind kind, int64_t actor,
                       int64_t now, struct err *err) MUST_CHECK;

/* For one person on this machine: a link, good once, for the administrator
 * "local", who is added when absent.  A browser that is signed in stays so
 * until the link is used: a server that was started again is no reason to
 * sign in again.  ERR_MISSING when it was revoked. */
enum status auth_local(char token[AUTH_TOKEN_TEXT], struct db *db, int64_t now,
                       struct err *err) MUST_CHECK;

/* "URL/#token=TOKEN"; ERR_LIMIT when it does not fit. */
enum status auth_link(char out[AUTH_LINK_TEXT], const char *url,
                      const char token[AUTH_TOKEN_TEXT],
                      struct err *err) MUST_CHECK;

#endif
