/*
 * test_label_gone.c - a database that goes away under the server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "serve/hall.h"

static int set_up(void **state)
{
    static struct hall h;
    hall_open(&h, 1);
    *state = &h;
    return 0;
}

static int tear_down(void **state)
{
    hall_close(*state);
    return 0;
}

/* A file that is gone from its place, or another's, keeps nothing: every write
 * is refused in words, who runs the server is told once, and when the file is
 * put back the same votes are taken. */
static void test_file_gone(void **state)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    struct hall *h = *state;
    struct person ada = hall_enter(h, "ada", JUDGE_JUDGE);
    char path[200], away[220];
    int64_t standing = 0;
    int told = 0;
    int64_t a = hall_next(h, &ada, h->spot);
    for (size_t i = 0; i < 6; i++) {
        char key[16];
        (void)snprintf(path, sizeof path, "%s%s", h->rig.path, endings[i / 2]);
        (void)snprintf(away, sizeof away, "%s.away", path);
        (void)snprintf(key, sizeof key, "k%zu", i);
        assert_int_equal(rename(path, away), 0);
        if (i % 2 == 1)
            assert_int_equal(file_write(path, "x", 1, NULL), OK);
        for (int again = 0; again < 2; again++) {
            assert_int_equal(hall_vote(h, &ada, a, "A", key, standing), 503);
            assert_non_null(strstr(hall_text(h, "error"), "gone"));
            assert_null(strstr(h->reply.text, h->rig.path));
            told += hall_warning[0] != '\0';
            hall_warning[0] = '\0';
        }
        assert_int_equal(hall_askf(h, &ada, "POST", "{\"want\":3}",
                                   "/api/pools/%lld/next", (long long)h->spot),
                         503);
        assert_int_equal(rename(away, path), 0);
        assert_int_equal(hall_vote(h, &ada, a, "A", key, standing), 200);
        standing = hall_int(h, "standing");
    }
    assert_int_equal(told, 1);
    assert_int_equal(rig_number(&h->rig, "SELECT count(*) FROM vote"), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file_gone, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
