/*
 * test_label_hostile.c - what a page never sends: every member of every body
 * as every wrong type, out of range, unknown, oversized and unprintable;
 * replayed keys, forged assignments, requests of other origins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serve/hall.h"
#include "store/audit.h"

static struct hall hall;

static int set_up(void **state)
{
    hall_open(&hall, 1);
    *state = &hall;
    return 0;
}

static int tear_down(void **state)
{
    struct audit_report report;
    struct err err = {OK, ""};
    (void)state;
    /* Whatever was sent, the log holds. */
    if (audit_verify(&report, hall.rig.db, &err) != OK)
        fail_msg("%s", err.text);
    hall_close(&hall);
    return 0;
}

/* A body and a word that the refusal must have in it. */
struct wrong {
    const char *body, *word;
};

static void refuse_all(struct hall *h, const struct person *p, const char *path,
                       const struct wrong *list)
{
    for (size_t i = 0; list[i].body != NULL; i++) {
        int status = hall_ask(h, p, "POST", path, list[i].body);
        if (status != 400 ||
            strstr(hall_text(h, "error"), list[i].word) == NULL)
            fail_msg("%s %s: %s", path, list[i].body, h->reply.text);
    }
}

#define K "{\"key\":\"k\",\"act\":\"vote\",\"overall\":\"A\","
static const struct wrong wrong_acts[] = {
    {"{}", "act"},
    {"{\"act\":\"skip\"}", "key"},
    {"{\"key\":\"k\"}", "act"},
    {"{\"key\":7,\"act\":\"skip\"}", "key"},
    {"{\"key\":\"\",\"act\":\"skip\"}", "key"},
    {"{\"key\":\"a b\",\"act\":\"skip\"}", "key"},
    {"{\"key\":\"\\u00e4\",\"act\":\"skip\"}", "key"},
    {"{\"key\":\"k\",\"act\":\"SKIP\"}", "act"},
    {"{\"key\":\"k\",\"act\":[\"skip\"]}", "act"},
    {"{\"key\":\"k\",\"act\":\"vote\"}", "overall"},
    {"{\"key\":\"k\",\"act\":\"undo\"}", "undo"},
    {"{\"key\":\"k\",\"act\":\"skip\",\"overall\":\"A\"}", "skip"},
    {"{\"key\":\"k\",\"act\":\"skip\",\"ranks\":[1,2]}", "ranks"},
    {K "\"ranks\":[1,2]}", "ranks"},
    {K "\"ranks\":{}}", "ranks"},
    {K "\"ranks\":[]}", "ranks"},
    {K "\"ranks\":[1,1e300]}", "ranks"},
    {K "\"ranks\":[1,99999999999999999999]}", "ranks"},
    {K "\"ranks\":[-1,\"2\"]}", "ranks"},
    {K "\"ranks\":[0,1]}", "ranks"},
    {K "\"strength\":0}", "strength"},
    {K "\"strength\":4}", "strength"},
    {K "\"strength\":1.5}", "strength"},
    {K "\"marks\":{}}", "marks"},
    {K "\"marks\":[]}", "marks"},
    {K "\"marks\":[{}]}", "marks"},
    {K "\"marks\":[{},{},{}]}", "marks"},
    {K "\"marks\":[{},1]}", "marks"},
    {K "\"marks\":[{\"direct\":5},{}]}", "direct"},
    {K "\"marks\":[{\"direct\":-1},{}]}", "direct"},
    {K "\"marks\":[{},{\"helpful\":\"4\"}]}", "helpful"},
    {K "\"marks\":[{},{\"correct\":\"maybe\"}]}", "correct"},
    {K "\"marks\":[{},{\"length\":3}]}", "length"},
    {K "\"marks\":[{\"source\":1},{}]}", "source"},
    {K "\"supersedes\":-1}", "supersedes"},
    {K "\"supersedes\":\"1\"}", "supersedes"},
    {K "\"supersedes\":1e18}", "supersedes"},
    {K "\"reason\":7}", "reason"},
    {K "\"render\":\"html\"}", "render"},
    {K "\"shown_at\":\"now\"}", "shown_at"},
    {K "\"shown_at\":-5}", "shown_at"},
    {K "\"judge\":1}", "judge"},
    {K "\"constructor\":1}", "constructor"},
    {K "\"\":1}", "unknown member"},
    {"{\"key\":\"k\",\"act\":\"vote\",\"overall\":\"C\"}", "overall"},
    {"[]", "object"},
    {"null", "object"},
    {"{\"key\":\"k\",\"key\":\"k\",\"act\":\"skip\"}", "duplicate"},
    {"{\"key\":\"k\",\"act\":\"skip\"", "body"},
    {K "\"reason\":\"\\u0000\"}", "body"},
    {NULL, NULL}};

static void test_acts(void **state)
{
    struct hall *h = *state;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    int64_t a = hall_next(h, &ada, h->spot);
    char path[64];
    (void)snprintf(path, sizeof path, "/api/items/%lld/act", (long long)a);
    refuse_all(h, &ada, path, wrong_acts);
    /* Of a ranking: ranks that are none, and a spot-check's answers. */
    static const struct wrong ranks[] = {
        {"{\"key\":\"k\",\"act\":\"vote\"}", "ranks"},
        {"{\"key\":\"k\",\"act\":\"vote\",\"ranks\":[1]}", "ranks"},
        {"{\"key\":\"k\",\"act\":\"vote\",\"ranks\":[1,2,3]}", "ranks"},
        {"{\"key\":\"k\",\"act\":\"vote\",\"ranks\":[2,2,2,2]}", "rank"},
        {"{\"key\":\"k\",\"act\":\"vote\",\"ranks\":[2,2]}", "rank"},
        {K "\"ranks\":[1,2]}", "rank"},
        {NULL, NULL}};
    int64_t r = hall_next(h, &ada, h->ranking);
    (void)snprintf(path, sizeof path, "/api/items/%lld/act", (long long)r);
    refuse_all(h, &ada, path, ranks);
    assert_int_equal(rig_number(&h->rig, "SELECT count(*) FROM vote"), 0);
    /* And the item is untouched: a right one goes through. */
    assert_int_equal(hall_vote(h, &ada, a, "A", "k", 0), 200);
}
#undef K

static void test_other_bodies(void **state)
{
    static const struct wrong next[] = {
        {"{\"want\":0}", "want"},
        {"{\"want\":17}", "want"},
        {"{\"want\":\"3\"}", "want"},
        {"{\"want\":-9223372036854775808}", "want"},
        {"{\"pool\":2}", "pool"},
        {NULL, NULL}};
    static const struct wrong remarks[] = {
        {"{}", "kind"},
        {"{\"key\":\"k\",\"kind\":\"comment\"}", "text"},
        {"{\"key\":\"k\",\"kind\":\"comment\",\"text\":[]}", "text"},
        {"{\"key\":\"k\",\"kind\":\"praise\",\"text\":\"x\"}", "kind"},
        {"{\"kind\":\"flag\",\"text\":\"x\"}", "key"},
        {"{\"key\":\"k\",\"kind\":\"flag\",\"at\":7}", "at"},
        {NULL, NULL}};
    static const struct wrong judges[] = {
        {"{}", "role"},
        {"{\"name\":\"x\"}", "role"},
        {"{\"role\":\"judge\"}", "name"},
        {"{\"name\":\"\",\"role\":\"judge\"}", "name"},
        {"{\"name\":\"a\\nb\",\"role\":\"judge\"}", "name"},
        {"{\"name\":{},\"role\":\"judge\"}", "name"},
        {"{\"name\":\"x\",\"role\":\"god\"}", "role"},
        {"{\"name\":\"x\",\"role\":\"judge\",\"once\":1}", "once"},
        {"{\"name\":\"x\",\"role\":\"judge\",\"token\":\"t\"}", "token"},
        {NULL, NULL}};
    static const struct wrong link[] = {{"{\"once\":\"yes\"}", "once"},
                                        {"{\"name\":\"x\"}", "name"},
                                        {NULL, NULL}};
    struct hall *h = *state;
    struct person root = hall_enter(h, "root", JUDGE_ADMIN);
    int64_t a = hall_next(h, &root, h->spot);
    char path[64];
    (void)snprintf(path, sizeof path, "/api/pools/%lld/next",
                   (long long)h->spot);
    refuse_all(h, &root, path, next);
    (void)snprintf(path, sizeof path, "/api/items/%lld/remark", (long long)a);
    refuse_all(h, &root, path, remarks);
    refuse_all(h, &root, "/api/judges", judges);
    refuse_all(h, &root, "/api/judges/999/link", link);
    assert_int_equal(hall_askf(h, &root, "POST", "{}", "/api/pools/999/next"),
                     404);
    static const char *const queries[] = {
        "/api/history?max=0",   "/api/history?max=501",
        "/api/history?max=-1",  "/api/history?max=",
        "/api/history?max=1e3", "/api/history?max=99999999999999999999"};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        assert_int_equal(hall_ask(h, &root, "GET", queries[i], NULL), 400);
    assert_int_equal(hall_ask(h, &root, "GET", "/api/history?max=500", NULL),
                     200);
    assert_int_equal(rig_number(&h->rig, "SELECT count(*) FROM remark"), 0);
    assert_int_equal(rig_number(&h->rig, "SELECT count(*) FROM judge"), 1);
}

/* Sizes at the limit and beyond it. */
static void test_sizes(void **state)
{
    static char body[200000];
    struct hall *h = *state;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    int64_t a = hall_next(h, &ada, h->spot);
    static const struct {
        size_t reason;
        int status;
    } sizes[] = {{PROJECT_REMARK_MAX + 1, 400},
                 {65536, 413},
                 {150000, 413},
                 {PROJECT_REMARK_MAX, 200}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int n = snprintf(body, sizeof body,
                         "{\"key\":\"k\",\"act\":\"skip\",\"reason\":\"");
        memset(body + n, 'x', sizes[i].reason);
        (void)snprintf(body + n + sizes[i].reason,
                       sizeof body - (size_t)n - sizes[i].reason, "\"}");
        assert_int_equal(hall_askf(h, &ada, "POST", body, "/api/items/%lld/act",
                                   (long long)a),
                         sizes[i].status);
    }
    /* A key of 100 is one, of 101 is none. */
    int64_t b = hall_next(h, &ada, h->spot);
    char key[102];
    memset(key, 'k', 101);
    key[101] = '\0';
    assert_int_equal(hall_act(h, &ada, b, "skip", key, 0), 400);
    key[100] = '\0';
    assert_int_equal(hall_act(h, &ada, b, "skip", key, 0), 200);
    /* Thousands of members, and depth. */
    int n = snprintf(body, sizeof body, "{\"want\":");
    memset(body + n, '[', 100);
    body[n + 100] = '\0';
    assert_int_equal(hall_askf(h, &ada, "POST", body, "/api/pools/%lld/next",
                               (long long)h->spot),
                     400);
}

/* Assignments that are not there, not yours, or no number at all. */
static void test_forged(void **state)
{
    static const char *const none[] = {"/api/items/0/act",
                                       "/api/items/-1/act",
                                       "/api/items/01/act",
                                       "/api/items/1.0/act",
                                       "/api/items/1e1/act",
                                       "/api/items//act",
                                       "/api/items/9223372036854775808/act"};
    struct hall *h = *state;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    struct person eve = hall_enter(h, "eve", JUDGE_JUDGE);
    struct person root = hall_enter(h, "root", JUDGE_ADMIN);
    int64_t a = hall_next(h, &ada, h->spot);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        int status = hall_ask(h, &eve, "POST", none[i],
                              "{\"key\":\"k\",\"act\":\"skip\"}");
        if (status != 404 && status != 400)
            fail_msg("%s", h->reply.text);
    }
    assert_int_equal(hall_act(h, &eve, INT64_MAX, "skip", "k", 0), 404);
    /* Another's is answered as one that is not there, whatever is sent; an
     * administrator may vote no more on it than anybody else. */
    char other[4096], absent[4096];
    for (int k = 0; k < 2; k++) {
        const struct person *p = k == 0 ? &eve : &root;
        assert_int_equal(hall_vote(h, p, a, "A", "k", 0), 404);
        (void)snprintf(other, sizeof other, "%s", h->reply.body);
        assert_int_equal(hall_vote(h, p, a + 1000, "A", "k", 0), 404);
        (void)snprintf(absent, sizeof absent, "%s", h->reply.body);
        assert_string_equal(other, absent);
        assert_int_equal(
            hall_askf(h, p, "GET", NULL, "/api/items/%lld", (long long)a), 404);
        (void)snprintf(other, sizeof other, "%s", h->reply.body);
        assert_string_equal(other, absent);
    }
    /* Nor does her key tell that there is a vote of hers. */
    assert_int_equal(hall_vote(h, &ada, a, "A", "k", 0), 200);
    int64_t act = hall_int(h, "act");
    assert_int_equal(hall_vote(h, &eve, a, "A", "k", 0), 404);
    assert_int_equal(hall_act(h, &eve, a, "undo", "u", act), 404);
    /* An act of another assignment is superseded by nobody. */
    int64_t e = hall_next(h, &eve, h->spot);
    assert_int_equal(hall_vote(h, &eve, e, "A", "k", act), 409);
    assert_int_equal(hall_int(h, "standing"), 0);
    assert_int_equal(rig_number(&h->rig, "SELECT count(*) FROM vote"), 1);
}

/* A vote that another site's page makes the browser send. */
static void test_other_sites(void **state)
{
    struct hall *h = *state;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    int64_t a = hall_next(h, &ada, h->spot);
    struct person p = ada;
    (void)snprintf(p.csrf, sizeof p.csrf, "none");
    assert_int_equal(hall_vote(h, &p, a, "A", "k", 0), 403);
    p = ada;
    (void)snprintf(p.cookie, sizeof p.cookie,
                   "%.120s\r\nOrigin: http://evil.org", ada.cookie);
    assert_int_equal(hall_vote(h, &p, a, "A", "k", 0), 403);
    (void)snprintf(p.cookie, sizeof p.cookie,
                   "%.120s\r\nSec-Fetch-Site: cross-site", ada.cookie);
    assert_int_equal(hall_vote(h, &p, a, "A", "k", 0), 403);
    /* A forged cookie is nobody's. */
    p = ada;
    char *end = p.cookie + strlen(p.cookie) - 1;
    end[-1] = end[-1] == 'A' ? 'B' : 'A';
    assert_int_equal(hall_vote(h, &p, a, "A", "k", 0), 401);
    assert_int_equal(rig_number(&h->rig, "SELECT count(*) FROM vote"), 0);
    assert_int_equal(hall_vote(h, &ada, a, "A", "k", 0), 200);
}

/* Reasons come back as text, whatever they hold. */
static void test_script_in_text(void **state)
{
    struct hall *h = *state;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    int64_t a = hall_next(h, &ada, h->spot);
    char value[1024];
    assert_int_equal(hall_askf(h, &ada, "POST",
                               "{\"key\":\"k\",\"act\":\"skip\",\"reason\":"
                               "\"</script><script>alert(1)</script>\"}",
                               "/api/items/%lld/act", (long long)a),
                     200);
    assert_int_equal(
        hall_askf(h, &ada, "GET", NULL, "/api/items/%lld", (long long)a), 200);
    assert_string_equal(client_header(&h->reply, "Content-Type", value),
                        "application/json");
    assert_string_equal(
        client_header(&h->reply, "X-Content-Type-Options", value), "nosniff");
    assert_string_equal(hall_text(h, "acts.0.reason"),
                        "</script><script>alert(1)</script>");
}

/* What is no HTTP is refused by libmicrohttpd, with a page of its own: it has
 * nothing of the request in it, and is the last thing that is said. */
static void test_no_http(void **state)
{
#define MARK "zq<script>MARK</script>qz"
#define LINE " /" MARK " HTTP/1.1\r\n"
#define HOST "Host: localhost\r\n"
    static const char *const wrong[] = {
        "GET" LINE "\r\n",
        "GET" LINE HOST MARK "\r\n\r\n",
        "GET" LINE HOST " " MARK ": 1\r\n\r\n",
        "GET" LINE HOST MARK " : 1\r\n\r\n",
        "GET /" MARK "\r\n\r\n",
        "GET /" MARK " HTTP/2.0\r\n" HOST "\r\n",
        "GET /" MARK " HTTP/0.9\r\n" HOST "\r\n",
        "POST" LINE HOST "Content-Length: " MARK "\r\n\r\n",
        "POST" LINE HOST "Content-Length: 99999999999999999999\r\n\r\n",
        MARK LINE HOST "\r\n",
        "GET" LINE "Host: " MARK "\r\n\r\n",
    };
    static char huge[70000];
    struct hall *h = *state;
    for (size_t i = 0; i <= sizeof wrong / sizeof *wrong; i++) {
        const char *text = huge;
        if (i < sizeof wrong / sizeof *wrong)
            text = wrong[i];
        else
            (void)snprintf(huge, sizeof huge, "GET" LINE HOST "X: %060000d%s",
                           7, MARK "\r\n\r\n");
        int fd = client_open_to("127.0.0.1", h->port);
        assert_true(fd >= 0);
        (void)client_send(fd, text);
        h->reply.len = 0;
        h->reply.text[0] = '\0';
        (void)client_wait_for(fd, &h->reply, "\r\n\r\n", 2000);
        assert_true(h->reply.status == 0 || h->reply.status >= 400);
        assert_null(strstr(h->reply.text, "MARK"));
        assert_true(client_is_closed(fd, 2000));
        (void)close(fd);
    }
#undef HOST
#undef LINE
#undef MARK
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH(test_acts),    WITH(test_other_bodies), WITH(test_sizes),
        WITH(test_forged),  WITH(test_other_sites),  WITH(test_script_in_text),
        WITH(test_no_http),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
