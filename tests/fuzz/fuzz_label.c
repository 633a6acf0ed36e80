/*
 * fuzz_label.c - any bytes as the body of any request to the labelling server:
 * refused or done, answered once and in JSON, never as a failure inside, and
 * without a word that tells a side.
 *
 * Byte 0 chooses the route, byte 1 who asks, byte 2 the {int} of the path; the
 * rest is the body, or the value of ?max=.  Handlers and store are the real
 * ones; what libmicrohttpd does with bytes is fuzz_http.c's and test_http.c's.
 * Acts pile up in a project that is made anew, and verified, every RENEW
 * inputs.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "fuzz.h"
#include "serve/http_internal.h"
#include "serve/label_internal.h"
#include "store/audit.h"
#include "store/load.h"

#define RENEW 1000
#define BODY_MAX 8192
#define NOW 1700000000000

static struct label label;
static struct http http;
static struct db *db;
static char dir[64], path[96];
static int64_t now = NOW;
static int inputs;
static bool is_open;

static const char items[] =
    "{\"id\":\"ITEMNAME\",\"prompt\":\"one?\",\"policy\":[\"a\",\"b\"],"
    "\"reference\":[{\"text\":\"c\",\"run\":\"RUNNAME\"},\"d\",\"e\"]}\n"
    "{\"id\":\"ITEMNAME2\",\"prompt\":\"two?\",\"policy\":[\"f\"],"
    "\"reference\":[\"g\",\"h\"]}\n";
static const char sets[] =
    "{\"id\":\"ITEMNAME3\",\"prompt\":\"three?\",\"samples\":[{\"text\":\"a\","
    "\"source\":\"MODELNAME\"},{\"text\":\"b\",\"step\":31337313}]}\n"
    "{\"id\":\"ITEMNAME4\",\"prompt\":\"four?\",\"responses\":[\"a\",\"b\","
    "\"c\",\"d\"],\"priority\":3}\n";
static const char *const secrets[] = {"ITEMNAME", "RUNNAME",   "MODELNAME",
                                      "31337313", "reference", "placebo"};

#define MUST(call) FUZZ_CHECK((call) == OK)

static void load(enum pool_task task, const char *text)
{
    struct load_counts n;
    const struct load_config c = {.pool =
                                      task == POOL_RANKING ? "second" : "first",
                                  .task = task,
                                  .overlap = 2,
                                  .placebo = 0.5,
                                  .repeats = 0.5,
                                  .identical = 0.5,
                                  .gap = 1,
                                  .random_share = 0.5,
                                  .now = NOW};
    char file[128];
    (void)snprintf(file, sizeof file, "%s/in.jsonl", dir);
    MUST(file_write(file, text, strlen(text), NULL));
    MUST(load_file(&n, db, &c, file, NULL));
}

static void begin(void)
{
    static const unsigned char key[32] = "a fuzzed project";
    const struct project_new made = {.seed = 7, .order_key = key, .now = NOW};
    int64_t id;
    bool is_shm = file_is_dir("/dev/shm");
    (void)snprintf(dir, sizeof dir, "%s/plumb-fuzz-XXXXXX",
                   is_shm ? "/dev/shm" : "/tmp");
    FUZZ_CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(path, sizeof path, "%s/p.db", dir);
    MUST(project_open(&db, path, DB_CREATE, &made, NULL));
    load(POOL_SPOTCHECK, items);
    load(POOL_RANKING, sets);
    MUST(judges_add(&id, db, "root", JUDGE_ADMIN, NULL, 0, NOW, NULL));
    MUST(judges_add(&id, db, "ada", JUDGE_JUDGE, NULL, 0, NOW, NULL));
    MUST(judges_add(&id, db, "bob", JUDGE_JUDGE, NULL, 0, NOW, NULL));
    label = (struct label){.http = &http};
    (void)pthread_mutex_init(&label.sink_lock, NULL);
    MUST(db_open_again(&label.db, db, DB_READ, NULL));
    MUST(writer_start(&label.writer, db, &(struct writer_config){0}, NULL));
    MUST(auth_open(&label.auth, db, label.writer, &(struct auth_config){0},
                   NULL));
    MUST(events_create(&label.hub, &(struct events_config){0}, NULL));
    MUST(label_teller_start(&label, db, NULL));
    is_open = true;
}

static void end(void)
{
    struct audit_report report;
    if (!is_open)
        return;
    is_open = false;
    writer_stop(label.writer);
    label_teller_stop(&label);
    events_destroy(label.hub);
    auth_close(label.auth);
    db_close(label.db);
    mem_free(label.tally);
    (void)pthread_mutex_destroy(&label.sink_lock);
    MUST(audit_verify(&report, db, NULL));
    db_close(db);
    MUST(file_remove(dir, NULL));
}

/* A server without sockets: its thread is the fuzzer's. */
static double read_clock(void)
{
    return (double)now / 1000.0;
}

static const struct context context = {.clock = read_clock};

static void begin_server(void)
{
    http.config.context = &context;
    http.wake_fd = eventfd(0, EFD_CLOEXEC);
    FUZZ_CHECK(http.wake_fd >= 0);
    (void)pthread_mutex_init(&http.lock, NULL);
    FUZZ_CHECK(atexit(end) == 0);
}

static void wait_for_answer(struct http_request *r)
{
    uint64_t bell;
    for (bool is_there = false; !is_there;) {
        FUZZ_CHECK(read(http.wake_fd, &bell, sizeof bell) == sizeof bell);
        (void)pthread_mutex_lock(&http.lock);
        is_there = http.answered == r;
        if (is_there)
            http.answered = http.answered_last = NULL;
        (void)pthread_mutex_unlock(&http.lock);
    }
    http.later--;
}

/* Routes that handlers of labelling have; not those of auth.c, which read
 * headers, and of streams. */
static const struct http_route *choose(unsigned byte)
{
    size_t n = 0, left = 0;
    const struct http_route *route = label_routes(&n), *list[64];
    for (size_t i = 0; i < n && left < 64; i++)
        if (strncmp(route[i].pattern, "/api/session", 12) != 0 &&
            strcmp(route[i].pattern, "/api/events") != 0)
            list[left++] = &route[i];
    return list[byte % left];
}

static void check_answer(const struct http_request *r)
{
    struct json *root;
    FUZZ_CHECK(r->is_answered);
    FUZZ_CHECK(r->code == 200 || r->code == 204 || r->code == 400 ||
               r->code == 404 || r->code == 409);
    if (r->code == 204)
        return;
    MUST(json_parse(&root, buf_text(&r->out), r->out.len, "answer", NULL));
    FUZZ_CHECK(r->code == 200 || json_is_string(json_get(root, "error")));
    json_free(root);
    /* Where nothing comes back that the fuzzer itself may have sent. */
    if (r->code != 200 || (strncmp(r->route->pattern, "/api/pools", 10) != 0 &&
                           strcmp(r->route->pattern, "/api/history") != 0))
        return;
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        FUZZ_CHECK(strstr(buf_text(&r->out), secrets[i]) == NULL);
}

static void ask(const struct http_route *route, unsigned who, unsigned id,
                const char *body, size_t len)
{
    static char query[BODY_MAX + 16];
    struct http_request r = {.http = &http, .route = route};
    r.method = route->method;
    r.arg[0].number = id;
    /* Reading takes whoever may; the guard's work is done. */
    r.who.is_known = true;
    MUST(judges_read(&r.who.judge, label.db,
                     route->need == HTTP_ADMIN ? 1 : 2 + who % 2, NULL));
    buf_init(&r.out, 1);
    if (route->body_max > 0 &&
        (json_check_shape(body, len, 16, 65536, "body", NULL) != OK ||
         json_parse(&r.body, body, len, "body", NULL) != OK ||
         !json_is_object(r.body)))
        goto done; // http_check.c refuses it
    (void)snprintf(query, sizeof query, "max=%s", body);
    if (route->body_max == 0 && !parse_query(&r.query, query))
        goto done;
    route->fn(&label, &r);
    if (r.is_later)
        wait_for_answer(&r);
    check_answer(&r);
done:
    json_free(r.body);
    buf_free(&r.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char body[BODY_MAX + 1];
    if (size < 3)
        return 0;
    if (http.wake_fd == 0)
        begin_server();
    if (inputs % RENEW == 0)
        begin();
    now += 1000;
    size_t len = size - 3 < BODY_MAX ? size - 3 : BODY_MAX;
    memcpy(body, data + 3, len);
    body[len] = '\0';
    ask(choose(data[0]), data[1], data[2] % 16, body, len);
    if (++inputs % RENEW == 0)
        end();
    return 0;
}
