#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "serve/watch_internal.h"

/* Tokens and sessions are of 32 random bytes and live in memory alone.  A
 * session is known by its hash, so that no comparison tells how much of a guess
 * was right. */
#define BYTES 32
#define TEXT WATCH_TOKEN
#define SESSIONS 256 // at once; the oldest one goes
#define BASE64 sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define WEEK_S (7L * 24 * 3600)

struct session {
    bool is_used, may_queue;
    unsigned char hash[BYTES];
    char csrf[TEXT];
};

struct watch_guard {
    bool needs_link;
    char token[2][TEXT]; // to look, to queue
    char csrf[TEXT];     // of those who need no link
    struct session session[SESSIONS];
    size_t next;
};

static void draw(char out[TEXT], unsigned char byte[BYTES])
{
    randombytes_buf(byte, BYTES);
    (void)sodium_bin2base64(out, TEXT, byte, BYTES, BASE64);
}

enum status watch_guard_create(struct watch_guard **out, bool needs_link,
                               struct err *err)
{
    struct watch_guard *g;
    unsigned char byte[BYTES];
    if (sodium_init() < 0)
        return err_set(err, ERR_IO, "no random numbers from the system");
    TRY(MEM_NEW(g, 1, err));
    g->needs_link = needs_link;
    draw(g->token[0], byte);
    draw(g->token[1], byte);
    draw(g->csrf, byte);
    *out = g;
    return OK;
}

void watch_guard_free(struct watch_guard *g)
{
    mem_free(g);
}

const char *watch_guard_token(const struct watch_guard *g, bool may_queue)
{
    return g->needs_link ? g->token[may_queue] : NULL;
}

/* ---- sessions ----------------------------------------------------------- */

static void hash_of(unsigned char out[BYTES], const char *text, size_t len)
{
    (void)crypto_generichash(out, BYTES, (const unsigned char *)text, len, NULL,
                             0);
}

static void cookie_name(char out[32], const struct http *http)
{
    if (http_is_tls(http))
        (void)snprintf(out, 32, "__Host-plumb-watch");
    else
        (void)snprintf(out, 32, "plumb_watch_%u", http_port(http));
}

static struct session *find_session(struct watch_guard *g,
                                    const struct http_request *r)
{
    char name[32];
    unsigned char hash[BYTES];
    const char *header = http_header(r, "Cookie"), *text = NULL;
    size_t len = 0;
    cookie_name(name, http_server(r));
    if (header == NULL || !parse_cookie(&text, &len, header, name))
        return NULL;
    hash_of(hash, text, len);
    for (size_t i = 0; i < SESSIONS; i++)
        if (g->session[i].is_used &&
            sodium_memcmp(g->session[i].hash, hash, BYTES) == 0)
            return &g->session[i];
    return NULL;
}

static struct session *begin_session(struct watch_guard *g,
                                     struct http_request *r, bool may_queue)
{
    char name[32], text[TEXT], cookie[256];
    unsigned char byte[BYTES];
    struct session *s = &g->session[g->next];
    g->next = (g->next + 1) % SESSIONS;
    draw(text, byte);
    *s = (struct session){.is_used = true, .may_queue = may_queue};
    hash_of(s->hash, text, TEXT - 1);
    draw(s->csrf, byte);
    cookie_name(name, http_server(r));
    (void)snprintf(cookie, sizeof cookie,
                   "%s=%s; Path=/; Max-Age=%ld; HttpOnly; SameSite=Strict%s",
                   name, text, WEEK_S,
                   http_is_tls(http_server(r)) ? "; Secure" : "");
    http_add_header(r, "Set-Cookie", cookie);
    return s;
}

/* ---- the guard ---------------------------------------------------------- */

/* A write comes from a page of this server's: it names it as its origin, or,
 * where a program sends no such header, no browser is at work. */
static bool is_ours(const struct http_request *r)
{
    const char *host = http_header(r, "Host");
    const char *origin = http_header(r, "Origin");
    const char *site = http_header(r, "Sec-Fetch-Site");
    if (site != NULL && strcmp(site, "same-origin") != 0)
        return false;
    return origin == NULL ||
           parse_origin_is(origin,
                           http_is_tls(http_server(r)) ? "https" : "http",
                           host != NULL ? host : "");
}

static bool has_csrf(const struct http_request *r, const char *csrf)
{
    const char *given = http_header(r, "X-Plumb-CSRF");
    return given != NULL && strlen(given) == TEXT - 1 &&
           sodium_memcmp(given, csrf, TEXT - 1) == 0;
}

static unsigned admit(void *ctx, struct http_request *r,
                      const struct http_route *route, struct http_who *who,
                      const char **why)
{
    struct watch_guard *g = ctx;
    bool is_write = http_is_write(r);
    if (is_write && !is_ours(r)) {
        *why = "it comes from another site";
        return 403;
    }
    if (route->need == HTTP_ANYONE)
        return 0;
    struct session *s = g->needs_link ? find_session(g, r) : NULL;
    if (g->needs_link && s == NULL) {
        *why = "open the link that plumb watch printed";
        return 401;
    }
    if (s != NULL) {
        who->is_known = true;
        who->judge.role = s->may_queue ? JUDGE_ADMIN : JUDGE_VIEWER;
        memcpy(who->session, s->hash, sizeof who->session);
    }
    if (is_write && !has_csrf(r, s != NULL ? s->csrf : g->csrf)) {
        *why = "without X-Plumb-CSRF";
        return 403;
    }
    if (route->need == HTTP_ADMIN && s != NULL && !s->may_queue) {
        *why = "this link is for looking";
        return 403;
    }
    return 0;
}

static bool still(void *ctx, const struct http_who *who, int64_t now)
{
    (void)ctx;
    (void)who;
    (void)now;
    return true;
}

struct http_guard watch_guard_http(struct watch_guard *g)
{
    return (struct http_guard){.admit = admit, .still = still, .ctx = g};
}

/* ---- handlers ----------------------------------------------------------- */

static void reply(struct http_request *r, const char *csrf, bool may_queue)
{
    struct buf out;
    struct json_writer j;
    buf_init(&out, 1024);
    json_writer_init(&j, &out, false);
    json_open(&j, '{');
    json_field_text(&j, "role", may_queue ? "admin" : "viewer");
    json_field_text(&j, "csrf", csrf);
    json_close(&j, '}');
    http_reply_json(r, 200, &out);
    buf_free(&out);
}

void watch_guard_show(void *ctx, struct http_request *r)
{
    struct watch_guard *g = ((struct watch *)ctx)->guard;
    const struct session *s = g->needs_link ? find_session(g, r) : NULL;
    if (s != NULL)
        reply(r, s->csrf, s->may_queue);
    else
        reply(r, g->csrf, true);
}

void watch_guard_sign_in(void *ctx, struct http_request *r)
{
    struct watch_guard *g = ((struct watch *)ctx)->guard;
    const char *given = json_text(json_get(http_body(r), "token"), "");
    for (int i = 0; g->needs_link && i < 2; i++)
        if (strlen(given) == TEXT - 1 &&
            sodium_memcmp(given, g->token[i], TEXT - 1) == 0) {
            const struct session *s = begin_session(g, r, i == 1);
            reply(r, s->csrf, s->may_queue);
            return;
        }
    http_reply_error(r, 401, "no such link");
}
