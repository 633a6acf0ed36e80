/*
 * test_label_kill.c - the server is killed between an act and its answer, and
 * between any two steps: what was acknowledged is there, what was sent again
 * is there once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "serve/auth.h"
#include "serve/hall.h"
#include "store/audit.h"

#define ROUNDS 12

static struct hall hall;

/* A server in a process of its own, on the project that nobody else has open;
 * its port comes through a pipe. */
static pid_t start_child(struct hall *h)
{
    int pipes[2];
    db_close(h->rig.db);
    h->rig.db = NULL;
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(pipes[0]);
        if (project_open(&h->rig.db, h->rig.path, DB_WRITE, NULL, NULL) != OK)
            _exit(2);
        hall_serve(h);
        if (write(pipes[1], &h->port, sizeof h->port) != sizeof h->port)
            _exit(3);
        for (;;)
            (void)pause();
    }
    (void)close(pipes[1]);
    assert_int_equal(read(pipes[0], &h->port, sizeof h->port), sizeof h->port);
    (void)close(pipes[0]);
    return child;
}

static void kill_child(pid_t child)
{
    int status = 0;
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void rest(long us)
{
    const struct timespec t = {0, us * 1000};
    (void)nanosleep(&t, NULL);
}

/* Send a vote and take its answer, or kill the server some microseconds
 * behind the sending; was it acknowledged? */
static bool vote_and_kill(struct hall *h, const struct person *p, int64_t a,
                          const char *key, long us, pid_t child)
{
    char body[400], text[1200];
    (void)snprintf(body, sizeof body,
                   "{\"key\":\"%s\",\"act\":\"vote\",\"overall\":\"A\","
                   "\"shown_at\":%lld}",
                   key, (long long)hall_now - 1000);
    (void)snprintf(text, sizeof text,
                   "POST /api/items/%lld/act HTTP/1.1\r\n"
                   "Host: 127.0.0.1:%u\r\nCookie: %s\r\nX-Plumb-CSRF: %s\r\n"
                   "Content-Type: application/json\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   (long long)a, h->port, p->cookie, p->csrf, strlen(body),
                   body);
    int fd = client_open_to("127.0.0.1", h->port);
    assert_true(client_send(fd, text));
    rest(us);
    kill_child(child);
    client_read(fd, &h->reply);
    (void)close(fd);
    return h->reply.status == 200;
}

/* The vote again, as a page does it when no answer came. */
static void vote_again(struct hall *h, const struct person *p, int64_t a,
                       const char *key, bool was_told)
{
    char body[400];
    (void)snprintf(body, sizeof body,
                   "{\"key\":\"%s\",\"act\":\"vote\",\"overall\":\"A\","
                   "\"shown_at\":%lld}",
                   key, (long long)hall_now - 1000);
    if (hall_askf(h, p, "POST", body, "/api/items/%lld/act", (long long)a) !=
        200)
        fail_msg("%s", h->reply.text);
    if (was_told)
        assert_string_equal(hall_text(h, "is_new"), "false");
}

static void test_kill(void **state)
{
    struct hall *h = &hall;
    char token[AUTH_TOKEN_TEXT], key[ROUNDS][16];
    int64_t judge = 0, a[ROUNDS];
    int told = 0, lost = 0;
    struct err err = {OK, ""};
    struct audit_report report;
    (void)state;
    hall_prepare(h, 1);
    assert_int_equal(auth_invite(token, &judge, h->rig.db, "ada", JUDGE_JUDGE,
                                 AUTH_REUSABLE, 0, RIG_NOW, &err),
                     OK);
    for (int i = 0; i < ROUNDS; i++) {
        pid_t child = start_child(h);
        struct person p = hall_sign_in(h, token);
        for (int k = 0; k < i; k++)
            vote_again(h, &p, a[k], key[k], true);
        a[i] = hall_next(h, &p, h->spot);
        assert_int_not_equal(a[i], 0);
        (void)snprintf(key[i], sizeof key[i], "k%d", i);
        /* From before the group commit to after the answer. */
        bool was_told = vote_and_kill(h, &p, a[i], key[i], i * 2500L, child);
        told += was_told;
        lost += !was_told;
        child = start_child(h);
        p = hall_sign_in(h, token);
        vote_again(h, &p, a[i], key[i], was_told);
        kill_child(child);
    }
    if (project_open(&h->rig.db, h->rig.path, DB_WRITE, NULL, &err) != OK)
        fail_msg("%s", err.text);
    if (audit_verify(&report, h->rig.db, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(report.votes, ROUNDS);
    assert_int_equal(
        rig_number(&h->rig, "SELECT count(DISTINCT assignment_id) FROM vote"),
        ROUNDS);
    /* Both sorts were met: at 0 us none is told, at 27 ms the most are. */
    assert_true(lost > 0);
    print_message("%d acknowledged, %d not\n", told, lost);
    rig_close(&h->rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
