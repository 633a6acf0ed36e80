/*
 * test_auth.c - signing in and out, what is asked of every request, and what
 * somebody without the right to it gets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serve/auth.h"
#include "serve/client.h"
#include "serve/events.h"
#include "store/rig.h"

#define JSON "Content-Type: application/json\r\n"
#define HOUR 3600000

static struct rig rig;
static struct writer *writer;
static struct auth *auth;
static struct events *hub;
static struct http *http;
static struct http_guard guard;
static struct context context;
static _Atomic int64_t now; // the server's clock
static _Atomic int voted;
static struct reply reply;

static double read_clock(void)
{
    return (double)now / 1000.0;
}

static void sign_in(void *ctx, struct http_request *r)
{
    (void)ctx;
    auth_sign_in(auth, r);
}

static void show(void *ctx, struct http_request *r)
{
    (void)ctx;
    auth_show(auth, r);
}

static void sign_out(void *ctx, struct http_request *r)
{
    (void)ctx;
    auth_sign_out(auth, r);
}

static void revoke(void *ctx, struct http_request *r)
{
    (void)ctx;
    auth_revoke(auth, r, http_arg_int(r, 0));
}

static void vote(void *ctx, struct http_request *r)
{
    (void)ctx;
    voted++;
    http_reply_empty(r);
}

static void watch(void *ctx, struct http_request *r)
{
    (void)ctx;
    events_reply(hub, r);
}

static const struct http_route routes[] = {
    {HTTP_POST, "/api/session", HTTP_ANYONE, AUTH_BODY_MAX, sign_in},
    {HTTP_GET, "/api/session", HTTP_VIEWER, 0, show},
    {HTTP_DELETE, "/api/session", HTTP_VIEWER, 0, sign_out},
    {HTTP_POST, "/api/vote", HTTP_JUDGE, 1024, vote},
    {HTTP_DELETE, "/api/judges/{int}", HTTP_ADMIN, 0, revoke},
    {HTTP_GET, "/api/events", HTTP_VIEWER, 0, watch},
};

static void start(bool is_tls, double session_burst)
{
    struct err err = {OK, ""};
    const struct writer_config w = {.wait_us = 0};
    const struct auth_config a = {.session_ms = HOUR};
    rig_open(&rig);
    now = RIG_NOW;
    voted = 0;
    context = (struct context){.clock = read_clock};
    assert_int_equal(writer_start(&writer, rig.db, &w, &err), OK);
    assert_int_equal(auth_open(&auth, rig.db, writer, &a, &err), OK);
    assert_int_equal(events_create(&hub, &(struct events_config){0}, &err), OK);
    guard = auth_guard(auth);
    const struct http_config c = {
        .route = routes,
        .n_route = sizeof routes / sizeof *routes,
        .guard = &guard,
        .is_tls = is_tls,
        .limits = {.address_per_s = 0.001,
                   .address_burst = 60,
                   .session_per_s = 0.001,
                   .session_burst = session_burst},
        .context = &context,
    };
    if (http_start(&http, &c, &err) != OK)
        fail_msg("%s", err.text);
    events_attach(hub, http);
}

static int set_up(void **state)
{
    (void)state;
    start(false, 500);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    events_detach(hub);
    http_stop(http);
    events_destroy(hub);
    auth_close(auth);
    writer_stop(writer);
    rig_close(&rig);
    return 0;
}

/* What a browser has after signing in. */
struct browser {
    char cookie[160]; // "name=value"
    char csrf[64];
    int64_t judge;
};

static int64_t invite(char token[AUTH_TOKEN_TEXT], const char *name,
                      enum judge_role role, enum auth_kind kind)
{
    int64_t id = 0;
    struct err err = {OK, ""};
    if (auth_invite(token, &id, rig.db, name, role, kind, 0, RIG_NOW, &err) !=
        OK)
        fail_msg("%s", err.text);
    return id;
}

static int try_token(const char *token)
{
    char body[128];
    (void)snprintf(body, sizeof body, "{\"token\":\"%s\"}", token);
    client_ask(&reply, http, "POST", "/api/session", JSON, body);
    return reply.status;
}

static struct browser enter(const char *token)
{
    struct browser b = {"", "", 0};
    char cookie[1024];
    if (try_token(token) != 200)
        fail_msg("%s", reply.text);
    assert_non_null(client_header(&reply, "Set-Cookie", cookie));
    (void)snprintf(b.cookie, sizeof b.cookie, "%.*s", (int)strcspn(cookie, ";"),
                   cookie);
    const char *csrf = strstr(reply.body, "\"csrf\":\"");
    assert_non_null(csrf);
    (void)snprintf(b.csrf, sizeof b.csrf, "%.*s", 43, csrf + 8);
    return b;
}

static struct browser person(const char *name, enum judge_role role)
{
    char token[AUTH_TOKEN_TEXT];
    int64_t id = invite(token, name, role, AUTH_REUSABLE);
    struct browser b = enter(token);
    b.judge = id;
    return b;
}

static int ask(const struct browser *b, const char *method, const char *path,
               const char *more, const char *body)
{
    char headers[1024];
    (void)snprintf(headers, sizeof headers,
                   "Cookie: %s\r\nX-Plumb-CSRF: %s\r\n%s%s", b->cookie, b->csrf,
                   body != NULL ? JSON : "", more != NULL ? more : "");
    client_ask(&reply, http, method, path, headers, body);
    return reply.status;
}

static void test_sign_in(void **state)
{
    char token[AUTH_TOKEN_TEXT], cookie[1024], name[32], link[AUTH_LINK_TEXT];
    struct err err = {OK, ""};
    (void)state;
    (void)invite(token, "anna", JUDGE_JUDGE, AUTH_REUSABLE);
    assert_int_equal(strlen(token), AUTH_TOKEN_LEN);
    assert_int_equal(auth_link(link, http_url(http), token, &err), OK);
    assert_non_null(strstr(link, "/#token=r"));
    assert_int_equal(try_token(token), 200);
    assert_non_null(strstr(reply.body, "\"name\":\"anna\",\"role\":\"judge\""));
    assert_non_null(client_header(&reply, "Set-Cookie", cookie));
    (void)snprintf(name, sizeof name, "plumb_%u=", http_port(http));
    assert_ptr_equal(strstr(cookie, name), cookie);
    assert_non_null(strstr(cookie, "; HttpOnly"));
    assert_non_null(strstr(cookie, "; SameSite=Strict"));
    assert_null(strstr(cookie, "Secure"));
    assert_null(strstr(reply.body, token));
    struct browser b = enter(token); // again: it is reusable
    assert_int_equal(ask(&b, "GET", "/api/session", NULL, NULL), 200);
    assert_non_null(strstr(reply.body, b.csrf));
    assert_int_equal(ask(&b, "POST", "/api/vote", NULL, "{}"), 204);
    assert_int_equal(voted, 1);
    /* Nothing that signs anybody in is in the database. */
    assert_int_equal(
        rig_number(&rig, "SELECT count(*) FROM session WHERE length(hash)=32"),
        2);
}

static void test_wrong_tokens(void **state)
{
    char token[AUTH_TOKEN_TEXT];
    (void)state;
    (void)invite(token, "anna", JUDGE_JUDGE, AUTH_ONCE);
    assert_int_equal(try_token(""), 401);
    assert_int_equal(try_token("o"), 401);
    token[5] ^= 1;
    assert_int_equal(try_token(token), 401);
    token[5] ^= 1;
    token[0] = 'r'; // one that is good once does not become better by that
    assert_int_equal(try_token(token), 401);
    token[0] = 'o';
    assert_int_equal(try_token(token), 200);
    assert_int_equal(try_token(token), 401); // replayed
    client_ask(&reply, http, "POST", "/api/session", JSON, "{\"token\":7}");
    assert_int_equal(reply.status, 401);
}

static void *race(void *arg)
{
    struct reply *r = calloc(1, sizeof *r);
    char body[128];
    (void)snprintf(body, sizeof body, "{\"token\":\"%s\"}", (char *)arg);
    client_ask(r, http, "POST", "/api/session", JSON, body);
    int *status = calloc(1, sizeof *status);
    *status = r->status;
    free(r);
    return status;
}

/* A link that is good once, used by four at once: one gets in. */
static void test_once_means_once(void **state)
{
    char token[AUTH_TOKEN_TEXT];
    pthread_t thread[4];
    int in = 0;
    (void)state;
    (void)invite(token, "anna", JUDGE_JUDGE, AUTH_ONCE);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, race, token), 0);
    for (int i = 0; i < 4; i++) {
        void *status;
        (void)pthread_join(thread[i], &status);
        in += *(int *)status == 200;
        free(status);
    }
    assert_int_equal(in, 1);
}

static void test_forged_cookies(void **state)
{
    struct browser b = person("anna", JUDGE_JUDGE), forged = b;
    (void)state;
    forged.cookie[strlen(forged.cookie) - 5] ^= 1;
    assert_int_equal(ask(&forged, "GET", "/api/session", NULL, NULL), 401);
    assert_int_equal(ask(&forged, "POST", "/api/vote", NULL, "{}"), 401);
    forged = b;
    forged.cookie[strlen(forged.cookie) - 1] = '\0';
    assert_int_equal(ask(&forged, "GET", "/api/session", NULL, NULL), 401);
    (void)snprintf(forged.cookie, sizeof forged.cookie,
                   "plumb_%u=", http_port(http));
    assert_int_equal(ask(&forged, "GET", "/api/session", NULL, NULL), 401);
    (void)snprintf(forged.cookie, sizeof forged.cookie, "plumb_1%s",
                   strchr(b.cookie, '='));
    assert_int_equal(ask(&forged, "GET", "/api/session", NULL, NULL), 401);
    (void)snprintf(forged.cookie, sizeof forged.cookie, "%.70s; %.70s",
                   b.cookie,
                   b.cookie); // one of them was planted
    assert_int_equal(ask(&forged, "GET", "/api/session", NULL, NULL), 401);
    client_ask(&reply, http, "GET", "/api/session", NULL, NULL);
    assert_int_equal(reply.status, 401);
    assert_int_equal(voted, 0);
}

static void test_csrf(void **state)
{
    struct browser anna = person("anna", JUDGE_JUDGE);
    struct browser bert = person("bert", JUDGE_JUDGE), mixed = anna;
    char headers[400];
    (void)state;
    (void)snprintf(mixed.csrf, sizeof mixed.csrf, "%s", bert.csrf);
    assert_int_equal(ask(&mixed, "POST", "/api/vote", NULL, "{}"), 403);
    mixed.csrf[0] = '\0';
    assert_int_equal(ask(&mixed, "POST", "/api/vote", NULL, "{}"), 403);
    assert_int_equal(ask(&mixed, "DELETE", "/api/session", NULL, NULL), 403);
    assert_int_equal(ask(&mixed, "GET", "/api/session", NULL, NULL), 200);
    (void)snprintf(headers, sizeof headers, "Cookie: %s\r\n" JSON, anna.cookie);
    client_ask(&reply, http, "POST", "/api/vote", headers, "{}");
    assert_int_equal(reply.status, 403);
    assert_int_equal(voted, 0);
    assert_int_equal(ask(&anna, "POST", "/api/vote", NULL, "{}"), 204);
}

static void test_origins(void **state)
{
    struct browser b = person("anna", JUDGE_JUDGE);
    char origin[80], token[AUTH_TOKEN_TEXT], body[128];
    (void)state;
    (void)snprintf(origin, sizeof origin, "Origin: http://127.0.0.1:%u\r\n",
                   http_port(http));
    assert_int_equal(ask(&b, "POST", "/api/vote", origin, "{}"), 204);
    static const char *const bad[] = {
        "Origin: http://evil.example\r\n", "Origin: null\r\n",
        "Origin: http://127.0.0.1:1\r\n",  "Origin: \r\n",
        "Sec-Fetch-Site: cross-site\r\n",  "Sec-Fetch-Site: same-site\r\n",
        "Origin: a\r\nOrigin: b\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int status = ask(&b, "POST", "/api/vote", bad[i], "{}");
        if (status != 403 && status != 400)
            fail_msg("%s: %d", bad[i], status);
    }
    assert_int_equal(voted, 1);
    /* Nor can another site sign a browser in as somebody of its choice. */
    (void)invite(token, "eve", JUDGE_JUDGE, AUTH_REUSABLE);
    (void)snprintf(body, sizeof body, "{\"token\":\"%s\"}", token);
    client_ask(&reply, http, "POST", "/api/session",
               JSON "Origin: http://evil.example\r\n", body);
    assert_int_equal(reply.status, 403);
    assert_null(strstr(reply.text, "Set-Cookie"));
}

static void test_roles(void **state)
{
    struct browser admin = person("admin", JUDGE_ADMIN);
    struct browser judge = person("judge", JUDGE_JUDGE);
    struct browser viewer = person("viewer", JUDGE_VIEWER);
    char path[64];
    (void)state;
    assert_int_equal(ask(&viewer, "GET", "/api/session", NULL, NULL), 200);
    assert_int_equal(ask(&viewer, "POST", "/api/vote", NULL, "{}"), 403);
    assert_int_equal(ask(&judge, "POST", "/api/vote", NULL, "{}"), 204);
    assert_int_equal(ask(&admin, "POST", "/api/vote", NULL, "{}"), 204);
    (void)snprintf(path, sizeof path, "/api/judges/%lld",
                   (long long)viewer.judge);
    assert_int_equal(ask(&judge, "DELETE", path, NULL, NULL), 403);
    assert_int_equal(ask(&admin, "DELETE", path, NULL, NULL), 204);
    assert_int_equal(ask(&viewer, "GET", "/api/session", NULL, NULL), 401);
    (void)snprintf(path, sizeof path, "/api/judges/%lld",
                   (long long)admin.judge);
    assert_int_equal(ask(&admin, "DELETE", path, NULL, NULL), 409);
    assert_int_equal(ask(&admin, "DELETE", "/api/judges/999", NULL, NULL), 404);
}

static void test_ends(void **state)
{
    char token[AUTH_TOKEN_TEXT], again[AUTH_TOKEN_TEXT];
    struct err err = {OK, ""};
    (void)state;
    int64_t id = invite(token, "anna", JUDGE_JUDGE, AUTH_REUSABLE);
    struct browser b = enter(token), c = enter(token);
    /* Signing out ends one session, for good. */
    assert_int_equal(ask(&b, "DELETE", "/api/session", NULL, NULL), 204);
    assert_int_equal(ask(&b, "POST", "/api/vote", NULL, "{}"), 401);
    assert_int_equal(ask(&c, "POST", "/api/vote", NULL, "{}"), 204);
    /* So does time. */
    now = RIG_NOW + HOUR - 1;
    assert_int_equal(ask(&c, "POST", "/api/vote", NULL, "{}"), 204);
    now = RIG_NOW + HOUR;
    assert_int_equal(ask(&c, "POST", "/api/vote", NULL, "{}"), 401);
    /* A new link ends the old one and its sessions, another process's too. */
    struct browser d = enter(token);
    assert_int_equal(auth_renew(again, rig.db, id, AUTH_ONCE, 0, now, &err),
                     OK);
    assert_int_equal(ask(&d, "POST", "/api/vote", NULL, "{}"), 401);
    assert_int_equal(try_token(token), 401);
    d = enter(again);
    assert_int_equal(judges_revoke(rig.db, id, 0, now, &err), OK);
    assert_int_equal(ask(&d, "POST", "/api/vote", NULL, "{}"), 401);
    assert_int_equal(try_token(again), 401);
    assert_int_equal(voted, 2);
}

static void test_local(void **state)
{
    char token[AUTH_TOKEN_TEXT];
    struct err err = {OK, ""};
    (void)state;
    for (int i = 0; i < 2; i++) { // each start of the program
        assert_int_equal(auth_local(token, rig.db, now, &err), OK);
        struct browser b = enter(token);
        assert_int_equal(ask(&b, "GET", "/api/session", NULL, NULL), 200);
        assert_non_null(strstr(reply.body, "\"role\":\"admin\""));
        assert_int_equal(try_token(token), 401);
    }
    assert_int_equal(rig_number(&rig, "SELECT count(*) FROM judge"), 1);
}

/* A stream that is open ends when its viewer is revoked. */
static void test_streams_end(void **state)
{
    static struct reply stream;
    struct browser admin = person("admin", JUDGE_ADMIN);
    struct browser b = person("viewer", JUDGE_VIEWER);
    char text[400];
    struct err err = {OK, ""};
    (void)state;
    int fd = client_open(http);
    (void)snprintf(text, sizeof text,
                   "GET /api/events HTTP/1.1\r\nHost: localhost\r\n"
                   "Cookie: %s\r\n\r\n",
                   b.cookie);
    assert_true(client_send(fd, text));
    assert_true(client_wait_for(fd, &stream, "retry:", 5000));
    assert_int_equal(events_publish(hub, "step", "{}", 2, &err), OK);
    assert_true(client_wait_for(fd, &stream, "event: step", 1000));
    (void)snprintf(text, sizeof text, "/api/judges/%lld", (long long)b.judge);
    assert_int_equal(ask(&admin, "DELETE", text, NULL, NULL), 204);
    assert_true(client_is_closed(fd, 1000));
    (void)close(fd);
}

/* Signed in, a session has a rate of its own; guesses use the address's. */
static void test_rates(void **state)
{
    (void)state;
    (void)tear_down(NULL);
    start(false, 5);
    struct browser anna = person("anna", JUDGE_JUDGE);
    struct browser bert = person("bert", JUDGE_JUDGE);
    for (int i = 0; i < 5; i++)
        assert_int_equal(ask(&anna, "POST", "/api/vote", NULL, "{}"), 204);
    assert_int_equal(ask(&anna, "POST", "/api/vote", NULL, "{}"), 429);
    int status = 0;
    for (int i = 0; i < 61 && status != 429; i++)
        status = try_token("r_a_guess_of_thirty_two_letters__");
    assert_int_equal(status, 429);
    assert_int_equal(ask(&bert, "POST", "/api/vote", NULL, "{}"), 204);
}

static void test_tls(void **state)
{
    char token[AUTH_TOKEN_TEXT], cookie[1024];
    (void)state;
    (void)tear_down(NULL);
    start(true, 100);
    (void)invite(token, "anna", JUDGE_JUDGE, AUTH_REUSABLE);
    struct browser b = enter(token);
    assert_non_null(client_header(&reply, "Set-Cookie", cookie));
    assert_ptr_equal(strstr(cookie, "__Host-plumb="), cookie);
    assert_non_null(strstr(cookie, "; Secure"));
    assert_int_equal(ask(&b, "POST", "/api/vote",
                         "Host: localhost\r\nOrigin: https://localhost\r\n",
                         "{}"),
                     204);
    assert_int_equal(ask(&b, "POST", "/api/vote",
                         "Host: localhost\r\nOrigin: http://localhost\r\n",
                         "{}"),
                     403);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_sign_in),
        TEST(test_wrong_tokens),
        TEST(test_once_means_once),
        TEST(test_forged_cookies),
        TEST(test_csrf),
        TEST(test_origins),
        TEST(test_roles),
        TEST(test_ends),
        TEST(test_local),
        TEST(test_streams_end),
        TEST(test_rates),
        TEST(test_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
