#include "serve/auth.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "serve/parse.h"
#include "store/choice.h"

#define TOKEN_BYTES 24
#define SESSION_BYTES 32
#define SESSION_TEXT 44 // base64url and a NUL
#define CSRF_TEXT 44
#define WEEKS_2 ((int64_t)14 * 24 * 3600 * 1000)
#define BASE64 sodium_base64_VARIANT_URLSAFE_NO_PADDING

struct auth {
    struct db *db; // the server's thread's
    struct writer *writer;
    int64_t session_ms;
    const struct context *context;
};

enum status auth_open(struct auth **out, const struct db *first,
                      struct writer *writer, const struct auth_config *c,
                      struct err *err)
{
    struct auth *auth;
    if (sodium_init() < 0)
        return err_set(err, ERR_IO, "no random numbers from the system");
    TRY(MEM_NEW(auth, 1, err));
    enum status status = db_open_again(&auth->db, first, DB_READ, err);
    if (status != OK) {
        mem_free(auth);
        return status;
    }
    auth->writer = writer;
    auth->context = c->context;
    auth->session_ms = c->session_ms > 0 ? c->session_ms : WEEKS_2;
    *out = auth;
    return OK;
}

void auth_close(struct auth *auth)
{
    if (auth == NULL)
        return;
    db_close(auth->db);
    mem_free(auth);
}

/* ---- sessions ----------------------------------------------------------- */

static void cookie_name(char out[24], const struct http *http)
{
    if (http_is_tls(http))
        (void)snprintf(out, 24, "__Host-plumb");
    else
        (void)snprintf(out, 24, "plumb_%u", http_port(http));
}

/* The session's secret, as the cookie has it. */
static bool read_cookie(unsigned char session[SESSION_BYTES],
                        const struct http_request *r)
{
    char name[24];
    const char *header = http_header(r, "Cookie"), *text = NULL;
    size_t len = 0, n = 0;
    cookie_name(name, http_server(r));
    return header != NULL && parse_cookie(&text, &len, header, name) &&
           len == SESSION_TEXT - 1 &&
           sodium_base642bin(session, SESSION_BYTES, text, len, NULL, &n, NULL,
                             BASE64) == 0 &&
           n == SESSION_BYTES;
}

static void set_cookie(struct http_request *r, const char *value,
                       int64_t seconds)
{
    char name[24], text[200];
    cookie_name(name, http_server(r));
    (void)snprintf(text, sizeof text,
                   "%s=%s; Path=/; Max-Age=%lld; HttpOnly; SameSite=Strict%s",
                   name, value, (long long)seconds,
                   http_is_tls(http_server(r)) ? "; Secure" : "");
    http_add_header(r, "Set-Cookie", text);
}

static void make_csrf(char out[CSRF_TEXT],
                      const unsigned char session[SESSION_BYTES])
{
    static const char label[] = "plumb.csrf/1";
    unsigned char hash[32];
    (void)crypto_generichash(hash, sizeof hash, (const unsigned char *)label,
                             sizeof label - 1, session, SESSION_BYTES);
    (void)sodium_bin2base64(out, CSRF_TEXT, hash, sizeof hash, BASE64);
}

static void reply_who(struct http_request *r, const struct judge *j,
                      const unsigned char session[SESSION_BYTES], int64_t now)
{
    char csrf[CSRF_TEXT];
    struct buf out;
    struct json_writer w;
    make_csrf(csrf, session);
    buf_init(&out, 8192);
    json_writer_init(&w, &out, false);
    json_open(&w, '{');
    json_field_int(&w, "judge", j->id);
    json_field_text(&w, "name", j->name);
    json_field_text(&w, "role", choice_word(&choice_role, (int)j->role));
    json_field_text(&w, "csrf", csrf);
    json_field_int(&w, "now", now);
    json_close(&w, '}');
    http_reply_json(r, 200, &out);
    buf_free(&out);
}

/* ---- the guard ---------------------------------------------------------- */

static bool may(enum judge_role role, enum http_need need)
{
    switch (need) {
    case HTTP_ANYONE:
    case HTTP_VIEWER:
        return true;
    case HTTP_JUDGE:
        return role == JUDGE_JUDGE || role == JUDGE_ADMIN;
    case HTTP_ADMIN:
        break;
    }
    return role == JUDGE_ADMIN;
}

static bool origin_is_ours(const struct http_request *r)
{
    const char *host = http_header(r, "Host");
    const char *origin = http_header(r, "Origin");
    const char *site = http_header(r, "Sec-Fetch-Site");
    if (site != NULL && strcmp(site, "same-origin") != 0)
        return false;
    if (origin == NULL)
        return true;
    return host != NULL &&
           parse_origin_is(
               origin, http_is_tls(http_server(r)) ? "https" : "http", host);
}

static bool csrf_is_right(const struct http_request *r,
                          const unsigned char session[SESSION_BYTES])
{
    char want[CSRF_TEXT];
    const char *given = http_header(r, "X-Plumb-CSRF");
    make_csrf(want, session);
    return given != NULL && strlen(given) == CSRF_TEXT - 1 &&
           sodium_memcmp(given, want, CSRF_TEXT - 1) == 0;
}

/* Whose session it is; a database that cannot say is told of. */
static enum status find(struct judge *out, const struct auth *auth,
                        const unsigned char hash[JUDGES_HASH], int64_t now)
{
    struct err err = {OK, ""};
    enum status status = judges_find_session(out, auth->db, hash, now, &err);
    if (status != OK && status != ERR_MISSING)
        context_warn(auth->context, "finding a session: %s", err.text);
    return status;
}

static unsigned admit(void *ctx, struct http_request *r,
                      const struct http_route *route, struct http_who *who,
                      const char **why)
{
    struct auth *auth = ctx;
    unsigned char session[SESSION_BYTES];
    bool has_cookie = read_cookie(session, r);
    if (has_cookie) {
        judges_hash(who->session, session, sizeof session);
        enum status status = find(&who->judge, auth, who->session, http_now(r));
        who->is_known = status == OK;
        if (status != OK && status != ERR_MISSING) {
            *why = "the database cannot be read";
            return 500;
        }
    }
    *why = "not from another site";
    if (http_is_write(r) && !origin_is_ours(r))
        return 403;
    if (route->need == HTTP_ANYONE)
        return 0;
    *why = "sign in first";
    if (!who->is_known)
        return 401;
    *why = "not for your role";
    if (!may(who->judge.role, route->need))
        return 403;
    *why = "the request has no token of this session";
    return http_is_write(r) && !csrf_is_right(r, session) ? 403 : 0;
}

static bool still(void *ctx, const struct http_who *who, int64_t now)
{
    struct judge judge;
    return find(&judge, ctx, who->session, now) == OK;
}

struct http_guard auth_guard(struct auth *auth)
{
    return (struct http_guard){.admit = admit, .still = still, .ctx = auth};
}

/* ---- writes ------------------------------------------------------------- */

/* A write that a request waits for. */
struct job {
    struct write w;
    struct http_request *request;
    unsigned char token_hash[JUDGES_HASH], session_hash[JUDGES_HASH];
    unsigned char session[SESSION_BYTES];
    bool once;
    int64_t now, expires, actor, subject;
    struct judge judge;
};

static void free_job(struct job *job)
{
    sodium_memzero(job, sizeof *job);
    mem_free(job);
}

static void queue(struct auth *auth, struct http_request *r, struct job *job,
                  db_fn fn, void (*done)(struct write *w))
{
    job->request = r;
    job->now = http_now(r);
    job->w = (struct write){.fn = fn, .ctx = job, .done = done};
    http_later(r);
    writer_queue(auth->writer, &job->w);
}

static struct job *new_job(struct http_request *r)
{
    struct job *job = mem_calloc(1, sizeof *job);
    if (job == NULL)
        http_reply_status(r, ERR_MEMORY, NULL);
    return job;
}

static enum status sign_in(struct db *db, void *ctx, struct err *err)
{
    struct job *job = ctx;
    /* Looked up in the write itself: of two that use a link once, one does. */
    TRY(judges_find_token(&job->judge, db, job->token_hash, err));
    if (job->once) {
        unsigned char nobodys[JUDGES_HASH];
        randombytes_buf(nobodys, sizeof nobodys);
        TRY(judges_set_token(db, job->judge.id, nobodys, job->judge.id,
                             job->now, err));
    }
    return judges_open_session(db, job->judge.id, job->session_hash,
                               job->now + job->expires, job->now, err);
}

static void signed_in(struct write *w)
{
    struct job *job = w->ctx;
    struct http_request *r = job->request;
    char text[SESSION_TEXT];
    if (w->status == OK) {
        (void)sodium_bin2base64(text, sizeof text, job->session,
                                sizeof job->session, BASE64);
        set_cookie(r, text, job->expires / 1000);
        reply_who(r, &job->judge, job->session, job->now);
    } else if (w->status == ERR_MISSING) {
        http_reply_error(r, 401, "this link is not valid, or was used");
    } else {
        http_reply_status(r, w->status, &w->err);
    }
    free_job(job);
}

void auth_sign_in(struct auth *auth, struct http_request *r)
{
    const char *token = json_text(json_get(http_body(r), "token"), "");
    if (strlen(token) != AUTH_TOKEN_LEN ||
        (token[0] != 'r' && token[0] != 'o')) {
        http_reply_error(r, 401, "this link is not valid, or was used");
        return;
    }
    struct job *job = new_job(r);
    if (job == NULL)
        return;
    job->once = token[0] == 'o';
    job->expires = auth->session_ms;
    judges_hash(job->token_hash, token, AUTH_TOKEN_LEN);
    randombytes_buf(job->session, sizeof job->session);
    judges_hash(job->session_hash, job->session, sizeof job->session);
    queue(auth, r, job, sign_in, signed_in);
}

void auth_show(struct auth *auth, struct http_request *r)
{
    unsigned char session[SESSION_BYTES];
    (void)auth;
    if (http_who(r)->is_known && read_cookie(session, r))
        reply_who(r, &http_who(r)->judge, session, http_now(r));
    else
        http_reply_error(r, 401, "sign in first");
}

static enum status sign_out(struct db *db, void *ctx, struct err *err)
{
    const struct job *job = ctx;
    return judges_close_session(db, job->session_hash, err);
}

static void signed_out(struct write *w)
{
    struct job *job = w->ctx;
    struct http_request *r = job->request;
    if (w->status == OK) {
        set_cookie(r, "", 0);
        http_recheck(http_server(r));
        http_reply_empty(r);
    } else {
        http_reply_status(r, w->status, &w->err);
    }
    free_job(job);
}

void auth_sign_out(struct auth *auth, struct http_request *r)
{
    struct job *job = new_job(r);
    if (job == NULL)
        return;
    memcpy(job->session_hash, http_who(r)->session, JUDGES_HASH);
    queue(auth, r, job, sign_out, signed_out);
}

static enum status revoke(struct db *db, void *ctx, struct err *err)
{
    const struct job *job = ctx;
    return judges_revoke(db, job->subject, job->actor, job->now, err);
}

static void revoked(struct write *w)
{
    struct job *job = w->ctx;
    struct http_request *r = job->request;
    if (w->status == OK) {
        http_recheck(http_server(r));
        http_reply_empty(r);
    } else {
        http_reply_status(r, w->status, &w->err);
    }
    free_job(job);
}

void auth_revoke(struct auth *auth, struct http_request *r, int64_t judge)
{
    if (http_who(r)->is_known && http_who(r)->judge.id == judge) {
        http_reply_error(r, 409, "you cannot revoke yourself");
        return;
    }
    struct job *job = new_job(r);
    if (job == NULL)
        return;
    job->subject = judge;
    job->actor = http_who(r)->judge.id;
    queue(auth, r, job, revoke, revoked);
}

/* ---- links -------------------------------------------------------------- */

static enum status make_token(char token[AUTH_TOKEN_TEXT],
                              unsigned char hash[JUDGES_HASH],
                              enum auth_kind kind, struct err *err)
{
    unsigned char bytes[TOKEN_BYTES];
    if (sodium_init() < 0)
        return err_set(err, ERR_IO, "no random numbers from the system");
    randombytes_buf(bytes, sizeof bytes);
    token[0] = kind == AUTH_ONCE ? 'o' : 'r';
    (void)sodium_bin2base64(token + 1, AUTH_TOKEN_TEXT - 1, bytes, sizeof bytes,
                            BASE64);
    judges_hash(hash, token, AUTH_TOKEN_LEN);
    return OK;
}

enum status auth_invite(char token[AUTH_TOKEN_TEXT], int64_t *judge,
                        struct db *db, const char *name, enum judge_role role,
                        enum auth_kind kind, int64_t actor, int64_t now,
                        struct err *err)
{
    char text[AUTH_TOKEN_TEXT];
    unsigned char hash[JUDGES_HASH];
    TRY(judges_check_name(name, err));
    TRY(make_token(text, hash, kind, err));
    TRY(judges_add(judge, db, name, role, hash, actor, now, err));
    memcpy(token, text, sizeof text);
    return OK;
}

enum status auth_renew(char token[AUTH_TOKEN_TEXT], struct db *db,
                       int64_t judge, enum auth_kind kind, int64_t actor,
                       int64_t now, struct err *err)
{
    char text[AUTH_TOKEN_TEXT];
    unsigned char hash[JUDGES_HASH];
    TRY(make_token(text, hash, kind, err));
    TRY(judges_set_token(db, judge, hash, actor, now, err));
    memcpy(token, text, sizeof text);
    return OK;
}

enum status auth_local(char token[AUTH_TOKEN_TEXT], struct db *db, int64_t now,
                       struct err *err)
{
    struct judge j;
    int64_t id;
    enum status status = judges_find(&j, db, "local", err);
    if (status == ERR_MISSING)
        return auth_invite(token, &id, db, "local", JUDGE_ADMIN, AUTH_ONCE, 0,
                           now, err);
    TRY(status);
    if (j.role != JUDGE_ADMIN)
        return err_set(err, ERR_MISMATCH,
                       "the judge 'local' is no administrator");
    if (j.revoked != 0)
        return err_set(err, ERR_MISSING, "the judge 'local' was revoked");
    char text[AUTH_TOKEN_TEXT];
    unsigned char hash[JUDGES_HASH];
    TRY(make_token(text, hash, AUTH_ONCE, err));
    TRY(judges_offer_token(db, j.id, hash, 0, now, err));
    memcpy(token, text, sizeof text);
    return OK;
}

enum status auth_link(char out[AUTH_LINK_TEXT], const char *url,
                      const char token[AUTH_TOKEN_TEXT], struct err *err)
{
    size_t len = strlen(url);
    if (len + AUTH_TOKEN_TEXT + 9 > AUTH_LINK_TEXT)
        return err_set(err, ERR_LIMIT, "an address of %zu bytes is too long",
                       len);
    (void)snprintf(out, AUTH_LINK_TEXT, "%s/#token=%s", url, token);
    return OK;
}
