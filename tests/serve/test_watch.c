/*
 * test_watch.c - a run that is watched over a socket: what the page is given,
 * how soon, who may, and that the trainer cannot tell.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "serve/client.h"
#include "serve/watch.h"
#include "serve/watch_internal.h"
#include "store/items.h"
#include "store/slices.h"

static char dir[64];
static struct watch *watch;
static struct reply reply;

static void write_file(const char *name, const char *text, const char *mode)
{
    char path[FILE_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, mode);
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void append_rows(int from, int to)
{
    char row[256];
    for (int i = from; i <= to; i++) {
        (void)snprintf(
            row, sizeof row,
            "{\"step\":%d,\"objective/scores\":%g,\"kl/sequence\":%g,"
            "\"response/length\":30,\"policy/entropy_avg\":0.3}\n",
            i, 0.1 * i, 0.2 * i);
        write_file("project/ppo/metrics.jsonl", row, "a");
        (void)snprintf(row, sizeof row,
                       "{\"step\":%d,\"time\":%d,\"seconds\":2,\"eps\":32}\n",
                       i, 1000 + 2 * i);
        write_file("project/ppo/timing.jsonl", row, "a");
    }
}

/* A project whose ppo stage has left three rows and two iterations. */
static void make_project(void)
{
    static const char *const folders[] = {"project", "project/ppo",
                                          "project/ppo/rollouts", "project/sft",
                                          "project/eval"};
    char path[FILE_PATH_MAX];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, folders[i]);
        assert_int_equal(mkdir(path, 0777), 0);
    }
    write_file("project/ppo/config.yaml",
               "seed: 1\nppo:\n  iterations: 10\n  beta: 0.1\n", "w");
    write_file("project/sft/metrics.jsonl", "{\"step\":5,\"loss\":2}\n", "w");
    append_rows(1, 3);
    write_file(
        "project/ppo/rollouts/000003.jsonl",
        "{\"step\":3,\"prompt_id\":\"p/1\",\"sample\":0,\"prompt\":\"hi\","
        "\"response\":\"<b>low</b>\",\"finish\":\"eos\",\"score\":-1,"
        "\"tags\":{\"kind\":\"a\"},\"tokens\":[5,6],\"logp\":[-1,-2],"
        "\"logp_ref\":[-1.5,-2],\"value\":[0.5,NaN],\"kl\":[0.25,0.5]}\n"
        "not a row\n"
        "{\"step\":3,\"prompt_id\":\"p/2\",\"sample\":0,\"prompt\":\"ho\","
        "\"response\":\"high\",\"finish\":\"length\",\"score\":2,"
        "\"tags\":{\"kind\":\"b\"},\"tokens\":[7],\"kl\":[1]}\n",
        "w");
}

static int set_up(void **state)
{
    (void)state;
    (void)strcpy(dir, "/tmp/test_watch.XXXXXX");
    assert_non_null(mkdtemp(dir));
    make_project();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    watch_close(watch);
    watch = NULL;
    return file_remove(dir, NULL) == OK ? 0 : -1;
}

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void open_watch(void)
{
    char path[FILE_PATH_MAX];
    struct err err = {OK, ""};
    (void)snprintf(path, sizeof path, "%s/project", dir);
    const struct watch_config c = {.path = path};
    if (watch_open(&watch, &c, &err) != OK)
        fail_msg("%s", err.text);
}

static void start(bool is_tls)
{
    struct err err = {OK, ""};
    static const struct http_file page = {"/", "text/html", "x", 1};
    const struct watch_serve s = {.is_tls = is_tls, .file = &page, .n_file = 1};
    open_watch();
    if (watch_load_curves(watch, &err) != OK ||
        watch_start(watch, &s, &err) != OK)
        fail_msg("%s", err.text);
}

static void get(const char *path, const char *headers, int status)
{
    client_ask(&reply, watch_http(watch), "GET", path, headers, NULL);
    if (reply.status != status)
        fail_msg("%s: %d %s", path, reply.status, reply.text);
}

static void has(const char *text)
{
    if (strstr(reply.body, text) == NULL)
        fail_msg("no %s in %s", text, reply.body);
}

/* ---- finding ------------------------------------------------------------ */

static void test_found(void **state)
{
    (void)state;
    struct err err = {OK, ""};
    struct watch *none;
    open_watch();
    assert_int_equal(watch_load(watch, &err), OK);
    assert_int_equal(watch_count(watch), 2);
    struct watch_look r;
    watch_look(&r, watch, 0);
    assert_string_equal(r.name, "ppo");
    assert_string_equal(r.stage, "ppo");
    assert_string_equal(r.state, "stopped");
    assert_int_equal(r.step, 3);
    assert_true(r.total == 10 && r.seconds == 2);
    assert_true(r.tokens_per_s == 32 * 30);
    const struct watch_config missing = {.path = "/nonexistent/run"};
    assert_int_equal(watch_open(&none, &missing, &err), ERR_MISSING);
    assert_non_null(strstr(err.text, "no such directory"));
    const struct watch_config empty = {.path = "/proc/self/fdinfo"};
    assert_int_equal(watch_open(&none, &empty, &err), ERR_MISSING);
    assert_non_null(strstr(err.text, "holds no run"));
}

/* ---- over the socket ---------------------------------------------------- */

static void test_series(void **state)
{
    (void)state;
    start(false);
    get("/api/watch", NULL, 200);
    has("\"schema\":\"plumb.watch/1\"");
    has("\"name\":\"sft\"");
    get("/api/watch/series?runs=1&metrics=kl/sequence,timing/eps,no", NULL,
        200);
    has("\"step\":[1,2,3]");
    has("\"kl/sequence\":{\"last\":[0.2,0.4,0.6]}");
    has("\"timing/eps\":{\"last\":[32,32,32]}");
    get("/api/watch/series?metrics=loss&from=5&to=5", NULL, 200);
    has("\"loss\":{\"last\":[2]}");
    get("/api/watch/series?runs=1,77&metrics=kl/sequence&from=2&to=2", NULL,
        200);
    has("\"step\":[2]");
    get("/api/watch/series", NULL, 400);
    get("/api/watch/runs/99/sources", NULL, 404);
}

static void test_replies(void **state)
{
    (void)state;
    start(false);
    get("/api/watch/runs/1/sources", NULL, 200);
    has("\"iteration-3\"");
    get("/api/watch/runs/1/rows/iteration-3?sort=score&order=desc", NULL, 200);
    has("\"total\":2,\"skipped\":1");
    assert_true(strstr(reply.body, "p/2") < strstr(reply.body, "p/1"));
    has("\"kl\":0.75,\"k1\":0.5");
    get("/api/watch/runs/1/rows/iteration-3?tag=kind:a", NULL, 200);
    has("\"total\":1");
    has("<b>low</b>"); // text as it is, in JSON that is no page
    get("/api/watch/runs/1/rows/iteration-3?text=high", NULL, 200);
    has("\"total\":1");
    get("/api/watch/runs/1/rows/iteration-3/1", NULL, 200);
    has("\"lanes\":{\"logp\":[-1,-2]");
    has("\"value\":[0.5,null]");
    has("\"pieces\":[\"#5\",\"#6\"]"); // no tokenizer is to be found
    get("/api/watch/runs/1/rows/iteration-3/2", NULL, 400);
    get("/api/watch/runs/1/rows/iteration-3/9", NULL, 404);
    get("/api/watch/runs/1/rows/iteration-4", NULL, 404);
    get("/api/watch/runs/1/rows/..%2F..%2Fetc", NULL, 400);
    static const char *const bad[] = {
        "rows/iteration-3?sort=evil",  "rows/iteration-3?order=down",
        "rows/iteration-3?limit=-1",   "rows/iteration-3?offset=x",
        "rows/iteration-3?which=mine", "rows/iteration-3?tag=kind"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "/api/watch/runs/1/%s", bad[i]);
        get(path, NULL, 400);
    }
    get("/api/watch/series?metrics=loss&from=nan", NULL, 400);
    get("/api/watch/series?metrics=loss&points=1e3", NULL, 400);
    get("/api/watch/runs/1/history?prompt=p/2", NULL, 200);
    has("\"source\":\"iteration-3\",\"row\":3");
    assert_null(strstr(reply.body, "p/1"));
}

/* A row that is appended is told of within a second. */
static void test_live(void **state)
{
    (void)state;
    start(false);
    int fd = client_open(watch_http(watch));
    char ask[256];
    (void)snprintf(ask, sizeof ask,
                   "GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n",
                   http_port(watch_http(watch)));
    assert_true(client_send(fd, ask));
    assert_true(client_wait_for(fd, &reply, "\n\n", 5000));
    double slowest = 0;
    for (int i = 4; i < 10; i++) {
        char wanted[32];
        double began = seconds();
        append_rows(i, i);
        (void)snprintf(wanted, sizeof wanted, "\"step\":%d", i);
        assert_true(client_wait_for(fd, &reply, wanted, 5000));
        if (seconds() - began > slowest)
            slowest = seconds() - began;
    }
    assert_true(slowest < 1);
    close(fd);
}

/* Somebody who never reads, while a trainer writes and takes its lock. */
static void test_trainer_does_not_know(void **state)
{
    (void)state;
    char path[FILE_PATH_MAX], ask[256];
    write_file("project/ppo/LOCK", "", "w");
    start(false);
    int fd = client_open(watch_http(watch));
    (void)snprintf(ask, sizeof ask,
                   "GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n",
                   http_port(watch_http(watch)));
    assert_true(client_send(fd, ask));
    (void)snprintf(path, sizeof path, "%s/project/ppo/LOCK", dir);
    for (int i = 0; i < 50; i++) {
        int lock = open(path, O_RDWR);
        assert_true(lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0);
        append_rows(4 + 20 * i, 3 + 20 * (i + 1));
        close(lock);
    }
    for (int i = 0; i < 100; i++) {
        get("/api/watch", NULL, 200);
        if (strstr(reply.body, "\"step\":1003") != NULL)
            break;
        const struct timespec t = {0, 50000000};
        (void)nanosleep(&t, NULL);
    }
    has("\"step\":1003");
    close(fd);
}

/* ---- who may ------------------------------------------------------------ */

static void find_member(char out[64], const char *key)
{
    const char *at = strstr(reply.body, key);
    assert_non_null(at);
    assert_int_equal(sscanf(at + strlen(key), "\":\"%63[^\"]", out), 1);
}

static void post(const char *path, const char *headers, const char *body,
                 int status)
{
    char all[1024];
    (void)snprintf(all, sizeof all, "Content-Type: application/json\r\n%s",
                   headers);
    client_ask(&reply, watch_http(watch), "POST", path, all, body);
    if (reply.status != status)
        fail_msg("%s: %d %s", path, reply.status, reply.text);
}

/* Another site's page cannot write, since it cannot read the token. */
static void test_loopback(void **state)
{
    (void)state;
    char csrf[64], headers[256];
    start(false);
    assert_null(watch_token(watch, true));
    post("/api/watch/runs/1/check", "", "{}", 403);
    get("/api/session", NULL, 200);
    find_member(csrf, "csrf");
    (void)snprintf(headers, sizeof headers,
                   "X-Plumb-CSRF: %s\r\nOrigin: http://evil.example\r\n", csrf);
    post("/api/watch/runs/1/check", headers, "{}", 403);
    (void)snprintf(headers, sizeof headers, "X-Plumb-CSRF: %s\r\n", csrf);
    post("/api/watch/runs/1/check", headers, "{\"pairs\":0}", 400);
    post("/api/watch/runs/2/check", headers, "{}", 409);
    has("trains no policy");
    post("/api/watch/runs/1/check", headers, "{}", 404);
    has("plumb eval"); // the command that makes what is missing
}

static void sign_in(bool may_queue, char cookie[256], char csrf[64])
{
    char body[128], value[1024];
    (void)snprintf(body, sizeof body, "{\"token\":\"%s\"}",
                   watch_token(watch, may_queue));
    post("/api/session", "", body, 200);
    find_member(csrf, "csrf");
    assert_non_null(client_header(&reply, "Set-Cookie", value));
    assert_non_null(strstr(value, "HttpOnly; SameSite=Strict; Secure"));
    value[strcspn(value, ";")] = '\0';
    (void)snprintf(cookie, 256, "Cookie: %.200s\r\n", value);
}

static void test_links(void **state)
{
    (void)state;
    char cookie[256], csrf[64], headers[512];
    start(true);
    get("/api/watch", NULL, 401);
    get("/api/events", NULL, 401);
    get("/api/session", NULL, 401);
    get("/", NULL, 200); // the page itself is nobody's secret
    post("/api/session", "", "{\"token\":\"guess\"}", 401);
    sign_in(false, cookie, csrf);
    get("/api/watch", cookie, 200);
    (void)snprintf(headers, sizeof headers, "%sX-Plumb-CSRF: %s\r\n", cookie,
                   csrf);
    post("/api/watch/runs/1/check", headers, "{}", 403);
    has("for looking");
    sign_in(true, cookie, csrf);
    post("/api/watch/runs/1/check", cookie, "{}", 403);
    (void)snprintf(headers, sizeof headers, "%sX-Plumb-CSRF: %s\r\n", cookie,
                   csrf);
    post("/api/watch/runs/1/check", headers, "{}", 404);
}

/* ---- a spot-check ------------------------------------------------------- */

static void write_samples(void)
{
    char row[512];
    for (int i = 0; i < 30; i++)
        for (int k = 0; k < 4; k++) {
            (void)snprintf(
                row, sizeof row,
                "{\"prompt_id\":\"h-%d\",\"prompt\":\"say \\\"%d\\\"\","
                "\"which\":\"%s\",\"sample\":%d,\"response\":\"%s %d %d\","
                "\"len\":9,\"finish\":\"eos\",\"score\":%d}\n",
                i, i, k < 2 ? "policy" : "reference", k % 2, k < 2 ? "p" : "r",
                i, k, k);
            write_file("project/eval/samples.jsonl", row, "a");
        }
}

struct counted {
    struct db *db;
    size_t pairs, placebo;
};

static enum status count_item(void *ctx, int64_t id, struct err *err)
{
    struct counted *c = ctx;
    struct arena a = {0};
    struct item x;
    TRY(items_read(&x, &a, c->db, id, err));
    bool is_pair = x.kind == ITEM_NORMAL;
    c->pairs += is_pair;
    c->placebo += x.kind == ITEM_PLACEBO;
    assert_string_equal(x.candidate[0].source, is_pair ? "policy" : "placebo");
    assert_string_equal(x.candidate[1].source, "reference");
    assert_int_equal(x.candidate[0].text[0], is_pair ? 'p' : 'r');
    assert_memory_equal(x.prompt, "say \"", 5);
    arena_free(&a);
    return OK;
}

static void test_check(void **state)
{
    (void)state;
    struct err err = {OK, ""};
    struct watch_check c;
    struct arena a = {0};
    struct pool pool;
    write_samples();
    open_watch();
    assert_int_equal(watch_load(watch, &err), OK);
    if (watch_check(&c, watch, 1, 10, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(c.pairs, 10);
    assert_int_equal(c.placebo, 10);
    assert_int_equal(c.step, 3);
    struct counted counted = {.db = NULL};
    assert_int_equal(project_open(&counted.db, c.database, DB_READ, NULL, &err),
                     OK);
    char run[FILE_PATH_MAX], name[SLICES_POOL];
    (void)snprintf(run, sizeof run, "%s/project/ppo", dir);
    slices_pool(name, run);
    assert_int_equal(items_find_pool(&pool, &a, counted.db, name, &err), OK);
    assert_int_equal(
        items_walk(counted.db, pool.id, count_item, &counted, &err), OK);
    assert_int_equal(counted.pairs, 10);
    assert_int_equal(counted.placebo, 10);
    db_close(counted.db);
    arena_free(&a);
    /* Asked again, it is there. */
    assert_int_equal(watch_check(&c, watch, 1, 10, &err), OK);
    assert_int_equal(c.pairs + c.placebo, 0);
    assert_int_equal(c.already, 20);
    assert_int_equal(watch_check(&c, watch, 9, 10, &err), ERR_MISSING);
}

static size_t count_of(const char *text)
{
    size_t n = 0;
    for (const char *at = reply.body; (at = strstr(at, text)) != NULL; at++)
        n++;
    return n;
}

/* While people judge them, replies are shown to nobody on this machine, but to
 * whoever has the link to queue. */
static void test_held(void **state)
{
    (void)state;
    static const char all[] = "/api/watch/runs/1/rows/eval?limit=500";
    char cookie[256], csrf[64], path[64];
    struct err err = {OK, ""};
    struct watch_check c;
    write_samples();
    start(false);
    get(all, NULL, 200);
    assert_int_equal(count_of("held back"), 0);
    assert_int_equal(count_of("\"tokens\":9"), 120);
    if (watch_check(&c, watch, 1, 10, &err) != OK)
        fail_msg("%s", err.text);
    get(all, NULL, 200);
    /* 20 prompts with four replies each. */
    assert_int_equal(count_of("\"response\":\"held back"), 80);
    assert_int_equal(count_of("\"tokens\":9"), 40);
    /* Nor are they found by what they say. */
    get("/api/watch/runs/1/rows/eval?limit=500&text=r%201", NULL, 200);
    assert_int_equal(count_of("held back"), 0);
    size_t held = 0;
    for (int i = 0; i < 30; i++) {
        (void)snprintf(path, sizeof path, "/api/watch/runs/1/rows/eval/%d",
                       4 * i + 1);
        get(path, NULL, 200);
        held += count_of("held back");
        (void)snprintf(path, sizeof path,
                       "/api/watch/runs/1/history?prompt=h-%d", i);
        bool is_held = count_of("held back") == 1;
        get(path, NULL, 200);
        assert_int_equal(count_of("held back"), is_held ? 4 : 0);
        assert_int_equal(count_of("\"score\":"), is_held ? 0 : 4);
    }
    assert_int_equal(held, 20);
    /* The databases are opened when they change, not for each question. */
    assert_int_equal(watch->hidden.reads, 1);
    watch_close(watch);
    watch = NULL;
    start(true);
    sign_in(false, cookie, csrf);
    get(all, cookie, 200);
    assert_int_equal(count_of("held back"), 80);
    sign_in(true, cookie, csrf);
    get(all, cookie, 200);
    assert_int_equal(count_of("held back"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_series, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_replies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_live, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trainer_does_not_know, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_loopback, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_links, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_check, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_held, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
