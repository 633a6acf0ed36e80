/*
 * test_label.c - people judge over a socket: whole sessions of both tasks,
 * acts sent again, undone and in conflict, leases, two judges, rights, and
 * that nothing tells which side is which.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "serve/hall.h"
#include "serve/label_internal.h"
#include "store/audit.h"

static struct hall hall;

static int set_up(void **state)
{
    hall_open(&hall, 1);
    *state = &hall;
    return 0;
}

static int set_up_twice(void **state)
{
    hall_open(&hall, 2);
    *state = &hall;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hall_close(&hall);
    return 0;
}

static void check_audit(struct hall *h, int64_t votes)
{
    struct audit_report report;
    struct err err = {OK, ""};
    if (audit_verify(&report, h->rig.db, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(report.votes, votes);
}

/* No word that tells anything is in the whole answer, headers included. */
static void check_blind(const struct hall *h)
{
    for (size_t i = 0; hall_secrets[i] != NULL; i++)
        if (strstr(h->reply.text, hall_secrets[i]) != NULL)
            fail_msg("'%s' in: %s", hall_secrets[i], h->reply.text);
}

/* Ask for the pools until the first one has so many votes: counts that took
 * long are kept for a while. */
static void wait_for_votes(struct hall *h, const struct person *p, int64_t n)
{
    const struct timespec pause = {0, 10000000};
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(hall_ask(h, p, "GET", "/api/pools", NULL), 200);
        if (hall_int(h, "pools.0.votes") == n)
            return;
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("%s", h->reply.text);
}

/* ---- whole sessions ----------------------------------------------------- */

static void test_spotcheck(void **state)
{
    struct hall *h = *state;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    char key[32];
    int64_t assignment, n = 0;
    assert_int_equal(hall_ask(h, &ada, "GET", "/api/pools", NULL), 200);
    check_blind(h);
    assert_string_equal(hall_text(h, "pools.0.task"), "spotcheck");
    assert_int_equal(hall_int(h, "pools.0.votes"), 0);
    int64_t wanted = hall_int(h, "pools.0.wanted");
    assert_int_equal(wanted, 2 * HALL_PAIRS + 3);
    while ((assignment = hall_next(h, &ada, h->spot)) != 0) {
        check_blind(h);
        assert_int_equal(strlen(hall_text(h, "items.0.commitment")), 64);
        assert_string_equal(hall_text(h, "items.0.state"), "leased");
        assert_string_equal(hall_text(h, "items.0.messages.0.content"),
                            "What?");
        assert_int_equal(hall_int(h, "items.0.standing"), 0);
        assert_non_null(strstr(hall_text(h, "items.0.prompt"), "<b>"));
        (void)snprintf(key, sizeof key, "k%lld", (long long)n++);
        hall_now += 5000;
        assert_int_equal(hall_vote(h, &ada, assignment, "A", key, 0), 200);
        check_blind(h);
        assert_string_equal(hall_text(h, "is_new"), "true");
        assert_string_equal(hall_text(h, "state"), "voted");
        assert_int_equal(hall_int(h, "act"), hall_int(h, "standing"));
        /* Whatever the item was, the counts change by one. */
        wait_for_votes(h, &ada, n);
        assert_int_equal(hall_int(h, "pools.0.wanted"), wanted - n);
        assert_int_equal(hall_int(h, "pools.0.mine.voted"), n);
    }
    assert_int_equal(n, wanted);
    check_audit(h, n);
    assert_int_equal(rig_number(&h->rig, "SELECT count(*) FROM vote WHERE "
                                         "voted_ms - shown_ms = 2500"),
                     n);
}

static void test_ranking(void **state)
{
    struct hall *h = *state;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    char key[32];
    int64_t assignment, n = 0;
    while ((assignment = hall_next(h, &ada, h->ranking)) != 0) {
        size_t K = hall_text(h, "items.0.answers.2")[0] != '\0' ? 4 : 2;
        check_blind(h);
        (void)snprintf(key, sizeof key, "k%lld", (long long)n++);
        assert_int_equal(hall_rank(h, &ada, assignment, K, key, 0), 200);
        check_blind(h);
    }
    assert_int_equal(n, 4);
    check_audit(h, n);
    assert_int_equal(
        rig_number(&h->rig, "SELECT count(*) FROM vote WHERE strength = 2"), 2);
}

/* Several in hand at once; those that are held come again. */
static void test_prefetch(void **state)
{
    struct hall *h = *state;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    int64_t id[3];
    for (int again = 0; again < 2; again++) {
        assert_int_equal(hall_askf(h, &ada, "POST", "{\"want\":3}",
                                   "/api/pools/%lld/next", (long long)h->spot),
                         200);
        check_blind(h);
        assert_int_equal(hall_int(h, "now"), hall_now);
        for (int i = 0; i < 3; i++) {
            char path[40];
            (void)snprintf(path, sizeof path, "items.%d.assignment", i);
            if (again == 0)
                id[i] = hall_int(h, path);
            assert_int_equal(hall_int(h, path), id[i]);
        }
        assert_int_equal(hall_int(h, "items.3.assignment"), -1);
    }
    /* Nothing asked for is one item. */
    assert_int_equal(hall_askf(h, &ada, "POST", "{}", "/api/pools/%lld/next",
                               (long long)h->spot),
                     200);
    assert_int_equal(hall_int(h, "items.0.assignment"), id[0]);
    assert_int_equal(hall_int(h, "items.1.assignment"), -1);
}

/* ---- acts --------------------------------------------------------------- */

static void test_sent_again(void **state)
{
    struct hall *h = *state;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    int64_t a = hall_next(h, &ada, h->spot);
    char body[300];
    /* The page's clock is ahead: what was shown lies in the future. */
    (void)snprintf(body, sizeof body,
                   "{\"key\":\"one\",\"act\":\"vote\",\"overall\":\"B\","
                   "\"shown_at\":%lld}",
                   (long long)hall_now + 60000);
    assert_int_equal(
        hall_askf(h, &ada, "POST", body, "/api/items/%lld/act", (long long)a),
        200);
    int64_t act = hall_int(h, "act");
    /* Again, at once and when that future is past. */
    for (int i = 0; i < 3; i++) {
        hall_now += 50000;
        assert_int_equal(hall_askf(h, &ada, "POST", body, "/api/items/%lld/act",
                                   (long long)a),
                         200);
        assert_int_equal(hall_int(h, "act"), act);
        assert_string_equal(hall_text(h, "is_new"), "false");
        assert_string_equal(hall_text(h, "state"), "voted");
    }
    /* One from before the lease began is brought to it. */
    int64_t b = hall_next(h, &ada, h->spot);
    for (int i = 0; i < 2; i++) {
        hall_now += 1000;
        assert_int_equal(
            hall_askf(h, &ada, "POST",
                      "{\"key\":\"two\",\"act\":\"vote\",\"overall\":\"B\","
                      "\"shown_at\":5}",
                      "/api/items/%lld/act", (long long)b),
            200);
    }
    assert_int_equal(rig_number(&h->rig, "SELECT count(*) FROM vote"), 2);
    assert_int_equal(
        rig_number(&h->rig,
                   "SELECT count(*) FROM vote AS v JOIN assignment AS a ON "
                   "a.id = v.assignment_id WHERE v.key = 'two' AND "
                   "v.shown_ms = a.leased_ms"),
        1);
    check_audit(h, 2);
}

static void test_key_with_other_content(void **state)
{
    struct hall *h = *state;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    int64_t a = hall_next(h, &ada, h->spot);
    assert_int_equal(hall_vote(h, &ada, a, "A", "one", 0), 200);
    int64_t act = hall_int(h, "act");
    assert_int_equal(hall_vote(h, &ada, a, "B", "one", 0), 409);
    assert_int_equal(hall_int(h, "standing"), act);
    assert_int_equal(hall_act(h, &ada, a, "undo", "one", act), 409);
    check_blind(h);
    assert_int_equal(rig_number(&h->rig, "SELECT count(*) FROM vote"), 1);
}

static void test_undo(void **state)
{
    struct hall *h = *state;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    int64_t a = hall_next(h, &ada, h->spot);
    assert_int_equal(hall_vote(h, &ada, a, "A", "one", 0), 200);
    int64_t first = hall_int(h, "act");
    assert_int_equal(hall_act(h, &ada, a, "undo", "two", first), 200);
    assert_string_equal(hall_text(h, "state"), "leased");
    int64_t undo = hall_int(h, "standing");
    assert_int_equal(hall_act(h, &ada, a, "undo", "three", undo), 409);
    assert_int_equal(hall_next(h, &ada, h->spot), a); // in hand again
    assert_int_equal(hall_vote(h, &ada, a, "both_good", "four", undo), 200);
    int64_t second = hall_int(h, "act");
    /* A vote is changed without an undo, too. */
    assert_int_equal(hall_vote(h, &ada, a, "both_bad", "five", second), 200);
    int64_t third = hall_int(h, "act");
    assert_int_equal(
        hall_askf(h, &ada, "GET", NULL, "/api/items/%lld", (long long)a), 200);
    check_blind(h);
    assert_int_equal(hall_int(h, "standing"), third);
    assert_int_equal(hall_int(h, "acts.0.id"), first);
    assert_string_equal(hall_text(h, "acts.1.act"), "undo");
    assert_int_equal(hall_int(h, "acts.1.supersedes"), first);
    assert_string_equal(hall_text(h, "acts.3.overall"), "both_bad");
    assert_int_equal(hall_int(h, "acts.3.marks.1.direct"), 1);
    assert_string_equal(hall_text(h, "acts.3.marks.0.correct"), "yes");
    assert_string_equal(hall_text(h, "acts.3.render"), "markdown");
    assert_int_equal(hall_ask(h, &ada, "GET", "/api/history", NULL), 200);
    check_blind(h);
    assert_int_equal(hall_int(h, "items.0.assignment"), a);
    assert_int_equal(hall_int(h, "items.0.standing"), third);
    check_audit(h, 4);
}

/* Two windows: the second is told what stands. */
static void test_conflict(void **state)
{
    struct hall *h = *state;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    int64_t a = hall_next(h, &ada, h->spot);
    assert_int_equal(hall_vote(h, &ada, a, "A", "one", 0), 200);
    int64_t act = hall_int(h, "act");
    assert_int_equal(hall_vote(h, &ada, a, "B", "two", 0), 409);
    assert_int_equal(hall_int(h, "standing"), act);
    assert_string_equal(hall_text(h, "state"), "voted");
    assert_true(hall_text(h, "error")[0] != '\0');
    assert_int_equal(hall_vote(h, &ada, a, "B", "three", act), 200);
}

static void test_skip_and_remark(void **state)
{
    struct hall *h = *state;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    int64_t a = hall_next(h, &ada, h->spot);
    assert_int_equal(hall_act(h, &ada, a, "skip", "one", 0), 200);
    assert_string_equal(hall_text(h, "state"), "skipped");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            hall_askf(h, &ada, "POST",
                      "{\"key\":\"r\",\"kind\":\"flag\",\"text\":\"cut\"}",
                      "/api/items/%lld/remark", (long long)a),
            200);
        assert_string_equal(hall_text(h, "is_new"), i == 0 ? "true" : "false");
    }
    assert_int_equal(
        hall_askf(h, &ada, "POST",
                  "{\"key\":\"r\",\"kind\":\"flag\",\"text\":\"else\"}",
                  "/api/items/%lld/remark", (long long)a),
        409);
    assert_int_equal(
        hall_askf(h, &ada, "GET", NULL, "/api/items/%lld", (long long)a), 200);
    assert_string_equal(hall_text(h, "remarks.0.text"), "cut");
    assert_int_not_equal(hall_next(h, &ada, h->spot), a);
}

/* ---- several people ----------------------------------------------------- */

static void test_lease(void **state)
{
    struct hall *h = *state;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    struct person bob = hall_enter(h, "bob", JUDGE_JUDGE);
    int64_t a = hall_next(h, &ada, h->ranking), n = 0;
    hall_now += RIG_LEASE + 1;
    assert_int_equal(
        hall_askf(h, &ada, "GET", NULL, "/api/items/%lld", (long long)a), 200);
    assert_string_equal(hall_text(h, "state"), "expired");
    /* Bob gets all of them, ada's too. */
    assert_int_equal(hall_askf(h, &bob, "POST", "{\"want\":16}",
                               "/api/pools/%lld/next", (long long)h->ranking),
                     200);
    for (char path[40]; n < 16; n++) {
        (void)snprintf(path, sizeof path, "items.%d.assignment", (int)n);
        if (hall_int(h, path) < 0)
            break;
    }
    assert_int_equal(n, 4);
    assert_int_equal(hall_next(h, &ada, h->ranking), 0);
    /* Her vote counts all the same. */
    assert_int_equal(
        hall_askf(h, &ada, "GET", NULL, "/api/items/%lld", (long long)a), 200);
    size_t K = hall_text(h, "answers.2")[0] != '\0' ? 4 : 2;
    assert_int_equal(hall_rank(h, &ada, a, K, "late", 0), 200);
    check_audit(h, 1);
}

static void test_two_judges(void **state)
{
    struct hall *h = *state;
    struct person who[2] = {hall_enter(h, "ada", JUDGE_JUDGE),
                            hall_enter(h, "bob", JUDGE_JUDGE)};
    bool is_left[2] = {true, true};
    int64_t n = 0;
    char key[32];
    while (is_left[0] || is_left[1]) {
        for (int i = 0; i < 2; i++) {
            int64_t a = hall_next(h, &who[i], h->spot);
            is_left[i] = a != 0;
            if (a == 0)
                continue;
            /* The other one can neither see nor touch it. */
            const struct person *other = &who[1 - i];
            assert_int_equal(hall_askf(h, other, "GET", NULL, "/api/items/%lld",
                                       (long long)a),
                             404);
            assert_int_equal(hall_vote(h, other, a, "A", "x", 0), 404);
            assert_int_equal(hall_askf(h, other, "POST",
                                       "{\"key\":\"r\",\"kind\":\"flag\"}",
                                       "/api/items/%lld/remark", (long long)a),
                             404);
            (void)snprintf(key, sizeof key, "k%lld", (long long)n++);
            assert_int_equal(hall_vote(h, &who[i], a, "A", key, 0), 200);
            assert_int_equal(hall_vote(h, other, a, "A", key, 0), 404);
        }
    }
    assert_int_equal(n, 2 * (2 * HALL_PAIRS + 3));
    check_audit(h, n);
}

/* ---- rights ------------------------------------------------------------- */

/* What nobody, a viewer, a judge and an administrator get. */
static const struct {
    const char *method, *pattern, *path, *body;
    int status[4];
} rights[] = {
    {"GET", "/api/session", NULL, NULL, {401, 200, 200, 200}},
    {"GET", "/api/pools", NULL, NULL, {401, 200, 200, 200}},
    {"POST",
     "/api/pools/{int}/next",
     "/api/pools/1/next",
     "{}",
     {401, 403, 200, 200}},
    {"GET", "/api/items/{int}", "/api/items/999", NULL, {401, 403, 404, 404}},
    {"POST",
     "/api/items/{int}/act",
     "/api/items/999/act",
     "{\"key\":\"k\",\"act\":\"skip\"}",
     {401, 403, 404, 404}},
    {"POST",
     "/api/items/{int}/remark",
     "/api/items/999/remark",
     "{\"key\":\"k\",\"kind\":\"flag\"}",
     {401, 403, 404, 404}},
    {"GET", "/api/history", NULL, NULL, {401, 403, 200, 200}},
    {"GET", "/api/judges", NULL, NULL, {401, 403, 403, 200}},
    {"POST",
     "/api/judges",
     NULL,
     "{\"name\":\"new\",\"role\":\"viewer\"}",
     {401, 403, 403, 200}},
    {"POST",
     "/api/judges/{int}/link",
     "/api/judges/999/link",
     "{}",
     {401, 403, 403, 404}},
    {"DELETE",
     "/api/judges/{int}",
     "/api/judges/999",
     NULL,
     {401, 403, 403, 404}},
    {"GET",
     "/api/pools/{int}/export",
     "/api/pools/1/export?format=arena&unblind=1",
     NULL,
     {401, 403, 403, 200}},
    /* Whom it would sway gets no events; the others a stream without end,
     * which test_events() reads. */
    {"GET", "/api/events", NULL, NULL, {401, 0, 403, 0}},
    {"GET",
     "/api/pools/{int}/standing",
     "/api/pools/1/standing",
     NULL,
     {401, 200, 403, 200}},
    {"POST", "/api/session", NULL, "{}", {401, 401, 401, 401}},
    {"DELETE", "/api/session", NULL, NULL, {401, 204, 204, 204}},
};

static int method_of(const char *name)
{
    return strcmp(name, "GET") == 0      ? HTTP_GET
           : strcmp(name, "POST") == 0   ? HTTP_POST
           : strcmp(name, "DELETE") == 0 ? HTTP_DELETE
                                         : 0;
}

static void test_rights(void **state)
{
    struct hall *h = *state;
    struct person who[] = {hall_enter(h, "vera", JUDGE_VIEWER),
                           hall_enter(h, "ada", JUDGE_JUDGE),
                           hall_enter(h, "root", JUDGE_ADMIN)};
    size_t n = 0;
    const struct http_route *route = label_routes(&n);
    for (size_t i = 0; i < sizeof rights / sizeof *rights; i++) {
        for (int k = 0; k < 4; k++) {
            const char *path =
                rights[i].path != NULL ? rights[i].path : rights[i].pattern;
            if (rights[i].status[k] == 0)
                continue;
            int status = hall_ask(h, k == 0 ? NULL : &who[k - 1],
                                  rights[i].method, path, rights[i].body);
            if (status != rights[i].status[k])
                fail_msg("%s %s as %d: %s", rights[i].method, path, k,
                         h->reply.text);
        }
    }
    /* Every route stands above. */
    for (size_t i = 0; i < n; i++) {
        bool is_there = false;
        for (size_t k = 0; k < sizeof rights / sizeof *rights; k++)
            is_there |= strcmp(rights[k].pattern, route[i].pattern) == 0 &&
                        method_of(rights[k].method) == (int)route[i].method;
        if (!is_there)
            fail_msg("nobody asked %s", route[i].pattern);
    }
}

static void test_people(void **state)
{
    struct hall *h = *state;
    struct person root = hall_enter(h, "root", JUDGE_ADMIN);
    char token[64], path[64];
    assert_int_equal(hall_ask(h, &root, "POST", "/api/judges",
                              "{\"name\":\"eve\",\"role\":\"judge\"}"),
                     200);
    int64_t eve = hall_int(h, "judge");
    (void)snprintf(token, sizeof token, "%.60s", hall_text(h, "token"));
    struct person p = hall_sign_in(h, token);
    assert_int_equal(p.judge, eve);
    assert_int_equal(hall_ask(h, &root, "POST", "/api/judges",
                              "{\"name\":\"eve\",\"role\":\"judge\"}"),
                     409);
    assert_int_equal(hall_ask(h, &root, "GET", "/api/judges", NULL), 200);
    assert_null(strstr(h->reply.text, token));
    assert_string_equal(hall_text(h, "judges.0.name"), "eve");
    assert_string_equal(hall_text(h, "judges.0.has_token"), "true");
    /* A new link ends the old one and the session. */
    (void)snprintf(path, sizeof path, "/api/judges/%lld/link", (long long)eve);
    assert_int_equal(hall_ask(h, &root, "POST", path, "{\"once\":true}"), 200);
    (void)snprintf(token, sizeof token, "%.60s", hall_text(h, "token"));
    assert_int_equal(token[0], 'o');
    assert_int_equal(hall_ask(h, &p, "GET", "/api/session", NULL), 401);
    p = hall_sign_in(h, token);
    int64_t a = hall_next(h, &p, h->spot);
    *strrchr(path, '/') = '\0';
    assert_int_equal(hall_ask(h, &root, "DELETE", path, NULL), 204);
    assert_int_equal(hall_vote(h, &p, a, "A", "k", 0), 401);
    /* Nobody locks out themselves. */
    (void)snprintf(path, sizeof path, "/api/judges/%lld/link",
                   (long long)root.judge);
    assert_int_equal(hall_ask(h, &root, "POST", path, "{}"), 409);
    *strrchr(path, '/') = '\0';
    assert_int_equal(hall_ask(h, &root, "DELETE", path, NULL), 409);
    assert_int_equal(hall_ask(h, &root, "GET", "/api/session", NULL), 200);
}

/* ---- who watches -------------------------------------------------------- */

static void test_events(void **state)
{
    static struct reply stream;
    struct hall *h = *state;
    struct person vera = hall_enter(h, "vera", JUDGE_VIEWER);
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    char text[600];
    int fd = client_open_to("127.0.0.1", h->port);
    (void)snprintf(text, sizeof text,
                   "GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
                   "Cookie: %s\r\n\r\n",
                   h->port, vera.cookie);
    assert_true(client_send(fd, text));
    stream.len = 0;
    assert_true(client_wait_for(fd, &stream, "id: ", 5000));
    int64_t a = hall_next(h, &ada, h->ranking);
    size_t K = hall_text(h, "items.0.answers.2")[0] != '\0' ? 4 : 2;
    assert_int_equal(hall_rank(h, &ada, a, K, "one", 0), 200);
    (void)snprintf(text, sizeof text,
                   "event: vote\r\ndata: "
                   "{\"pool\":%lld,\"votes\":1,\"wanted\":3}",
                   (long long)h->ranking);
    char *cr = strchr(text, '\r');
    memmove(cr, cr + 1, strlen(cr));
    assert_true(client_wait_for(fd, &stream, text, 5000));
    (void)close(fd);
}

/* The page is there for who has not signed in, and runs nothing of its own. */
static void test_page(void **state)
{
    struct hall *h = *state;
    char value[1024];
    assert_int_equal(hall_ask(h, NULL, "GET", "/", NULL), 200);
    assert_non_null(client_header(&h->reply, "Content-Security-Policy", value));
    assert_null(strstr(h->reply.body, "<script>"));
    assert_int_equal(hall_ask(h, NULL, "GET", "/index.htm", NULL), 404);
    /* Whatever a mail program hangs on the link; an interface is exact. */
    assert_int_equal(hall_ask(h, NULL, "GET", "/?x", NULL), 200);
    assert_int_equal(hall_ask(h, NULL, "GET", "/?a=1&a=%zz&", NULL), 200);
    assert_int_equal(hall_ask(h, NULL, "GET", "/api/pools?x", NULL), 400);
}

/* A database that cannot say who asks lets nobody in, and is told of. */
static void test_broken_database(void **state)
{
    struct hall *h = *state;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    int64_t a = hall_next(h, &ada, h->spot);
    assert_string_equal(hall_warning, "");
    assert_int_equal(db_run(h->rig.db, "DROP TABLE session", NULL), OK);
    assert_int_equal(hall_vote(h, &ada, a, "A", "one", 0), 500);
    assert_non_null(strstr(hall_warning, "session"));
    assert_null(strstr(h->reply.text, h->rig.path));
    assert_int_equal(rig_number(&h->rig, "SELECT count(*) FROM vote"), 0);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH(test_spotcheck),
        WITH(test_ranking),
        WITH(test_prefetch),
        WITH(test_sent_again),
        WITH(test_key_with_other_content),
        WITH(test_undo),
        WITH(test_conflict),
        WITH(test_skip_and_remark),
        WITH(test_lease),
        cmocka_unit_test_setup_teardown(test_two_judges, set_up_twice,
                                        tear_down),
        WITH(test_rights),
        WITH(test_people),
        WITH(test_events),
        WITH(test_page),
        WITH(test_broken_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
