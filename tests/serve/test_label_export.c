/*
 * test_label_export.c - a pool's judgements as a file, over HTTP.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "serve/hall.h"
#include "serve/label_internal.h"

static struct hall hall;

static int set_up(void **state)
{
    hall_open(&hall, 1);
    *state = &hall;
    return 0;
}

static int tear_down(void **state)
{
    hall_close(*state);
    return 0;
}

/* Everything comes out over HTTP as it does on the command line. */
static void test_export(void **state)
{
    struct hall *h = *state;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    struct person root = hall_enter(h, "root", JUDGE_ADMIN);
    char value[1024];
    int64_t id;
    for (int i = 0; (id = hall_next(h, &ada, h->spot)) != 0; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(hall_vote(h, &ada, id, "A", key, 0), 200);
    }
    assert_int_equal(
        hall_ask(h, &root, "GET", "/api/pools/1/export?format=spotcheck", NULL),
        200);
    assert_string_equal(client_header(&h->reply, "Content-Type", value),
                        "application/x-ndjson");
    assert_non_null(strstr(h->reply.body, "plumb.spotcheck/1"));
    assert_non_null(strstr(h->reply.body, "\"judge\":\"ada\""));
    assert_int_equal(hall_ask(h, &root, "GET",
                              "/api/pools/1/export?format=spotcheck&redact=1",
                              NULL),
                     200);
    assert_non_null(strstr(h->reply.body, "plumb.spotcheck/1"));
    assert_null(strstr(h->reply.body, "\"judge\":\"ada\""));
    static const struct {
        const char *path;
        int status;
    } asked[] = {{"/api/pools/1/export", 200},
                 {"/api/pools/1/export?format=comparator", 200},
                 {"/api/pools/1/export?format=csv", 400},
                 {"/api/pools/1/export?redact=yes", 400},
                 {"/api/pools/999/export", 404}};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
        assert_int_equal(hall_ask(h, &root, "GET", asked[i].path, NULL),
                         asked[i].status);
}

/* Whoever judges in an open pool is told no more by a file than by how it
 * stands; who takes it all the same is in the log, with the export. */
static void test_bound(void **state)
{
    static const char exports[] =
        "SELECT count(*) FROM audit WHERE event = 'export'";
    static const char looks[] =
        "SELECT count(*) FROM audit WHERE event = 'unblind'";
    struct hall *h = *state;
    struct person root = hall_enter(h, "root", JUDGE_ADMIN);
    struct person other = hall_enter(h, "other", JUDGE_ADMIN);
    char path[100], look[120];
    (void)snprintf(path, sizeof path, "/api/pools/%lld/export?format=canonical",
                   (long long)h->spot);
    (void)snprintf(look, sizeof look, "%s&unblind=1", path);
    int64_t a = hall_next(h, &root, h->spot);
    assert_int_equal(hall_vote(h, &root, a, "A", "k", 0), 200);
    assert_int_equal(hall_ask(h, &root, "GET", path, NULL), 403);
    assert_null(strstr(h->reply.body, "\"source\""));
    assert_int_equal(hall_askf(h, &root, "GET", NULL, "%s&unblind=0", path),
                     400);
    assert_int_equal(rig_number(&h->rig, exports), 0);
    assert_int_equal(rig_number(&h->rig, looks), 0);
    /* Refusing leaves the way free, and who does not judge is not held. */
    assert_int_equal(hall_ask(h, &other, "GET", path, NULL), 200);
    assert_int_equal(hall_ask(h, &other, "GET", look, NULL), 200);
    assert_int_equal(rig_number(&h->rig, looks), 0);
    assert_int_equal(hall_ask(h, &root, "GET", look, NULL), 200);
    assert_int_equal(hall_ask(h, &root, "GET", look, NULL), 200);
    assert_int_equal(rig_number(&h->rig, exports), 4);
    assert_int_equal(rig_number(&h->rig, looks), 1);
    assert_int_equal(hall_ask(h, &root, "GET", path, NULL), 403);
    assert_int_equal(items_close_pool(h->rig.db, h->spot, 0, RIG_NOW, NULL),
                     OK);
    assert_int_equal(hall_ask(h, &root, "GET", path, NULL), 200);
    assert_non_null(strstr(h->reply.body, "\"source\""));
}

static const char *file_of(struct hall *h, const struct person *p,
                           const char *path)
{
    static char value[1024];
    if (hall_ask(h, p, "GET", path, NULL) != 200)
        fail_msg("%s: %s", path, h->reply.text);
    return client_header(&h->reply, "Content-Disposition", value);
}

/* A file is named after what is in it, whatever bytes the pool's name has. */
static void test_names(void **state)
{
    struct hall *h = *state;
    struct person root = hall_enter(h, "root", JUDGE_ADMIN);
    char path[100];
    int64_t odd =
        rig_pool(&h->rig, "../caf\xc3\xa9 \"x\"; a=%41\\", POOL_RANKING, 1, 1);
    (void)snprintf(path, sizeof path, "/api/pools/%lld/export?format=trl",
                   (long long)h->ranking);
    assert_string_equal(file_of(h, &root, path),
                        "attachment; filename=\"second.trl.jsonl\"; "
                        "filename*=UTF-8''second.trl.jsonl");
    (void)snprintf(path, sizeof path,
                   "/api/pools/%lld/export?format=comparator&redact=1",
                   (long long)h->spot);
    assert_non_null(
        strstr(file_of(h, &root, path), "first.comparator-redacted.json\";"));
    (void)snprintf(path, sizeof path, "/api/pools/%lld/export", (long long)odd);
    assert_string_equal(
        file_of(h, &root, path),
        "attachment; filename=\"___caf____x___a__41_.canonical.jsonl\"; "
        "filename*=UTF-8''___caf%C3%A9%20_x__%20a%3D_41_.canonical.jsonl");
}

/* A second one waits until the first was sent; one that failed leaves the way
 * free, and what was asked for is in the log. */
static void test_one_at_a_time(void **state)
{
    struct hall *h = *state;
    struct person root = hall_enter(h, "root", JUDGE_ADMIN);
    static const char *const path = "/api/pools/1/export";
    static const char count[] =
        "SELECT count(*) FROM audit WHERE event = 'export'";
    atomic_store(&h->label->is_exporting, true);
    assert_int_equal(hall_ask(h, &root, "GET", path, NULL), 503);
    assert_non_null(strstr(hall_text(h, "error"), "is being written"));
    assert_int_equal(rig_number(&h->rig, count), 0);
    atomic_store(&h->label->is_exporting, false);
    assert_int_equal(
        hall_ask(h, &root, "GET", "/api/pools/1/export?format=csv", NULL), 400);
    assert_int_equal(hall_ask(h, &root, "GET", path, NULL), 200);
    assert_int_equal(hall_ask(h, &root, "GET", path, NULL), 200);
    assert_int_equal(rig_number(&h->rig, count), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_export, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_at_a_time, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
