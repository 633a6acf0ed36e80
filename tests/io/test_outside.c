/*
 * test_outside.c - small shell programs as reward models and policies: good
 * ones, slow ones and hostile ones.
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
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/outside.h"

/* Answers each line at once: its id and a half. */
#define EACH "sed -u 's/^{\"id\":\\([0-9]*\\),.*/{\"id\":\\1,\"score\":\\1.5}/'"

#define REQUESTS 1000
#define TIMEOUT 20 // seconds; no test comes near it that is not about it

/* What was told of the child's standard error. */
static char told[4096];

static void listen(void *ctx, const struct event *event)
{
    (void)ctx;
    size_t n = strlen(told);
    (void)snprintf(told + n, sizeof told - n, "%s%s\n",
                   event->kind == EVENT_WARNING ? "warning: " : "",
                   event->text);
}

static volatile sig_atomic_t stop;
static struct context context = {.sink = listen, .stop = &stop};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* n requests whose texts have `bytes` bytes. */
static struct outside_request *make(size_t n, size_t bytes)
{
    static char *text;
    static struct outside_request request[REQUESTS];
    free(text);
    text = calloc(1, bytes + 1);
    assert_non_null(text);
    memset(text, 'x', bytes);
    for (size_t i = 0; i < n; i++)
        request[i] = (struct outside_request){
            .prompt = "p", .response = text, .top_p = 1};
    return request;
}

static struct outside_answer answer[REQUESTS];

/* Ask a command n times; "" or what went wrong. */
static const char *ask(enum outside_kind kind, const char *command, size_t n,
                       size_t bytes, int64_t batch, double timeout)
{
    static char text[ERR_TEXT_MAX + 16];
    struct err err = {OK, ""};
    struct outside *o;
    const struct outside_config c = {command, timeout, batch};
    told[0] = '\0';
    if (outside_open(&o, kind, &c, &context, &err) == OK) {
        if (outside_ask(answer, o, make(n, bytes), n, &err) == OK)
            assert_int_equal(err.code, OK);
        outside_close(o);
    }
    if (err.code != OK && err.code != ERR_MISSING && err.code != ERR_STOPPED)
        assert_int_equal(err.code, ERR_FORMAT);
    if (err.code != OK)
        assert_non_null(strstr(err.text, " command '"));
    (void)snprintf(text, sizeof text, "%s%s",
                   err.code == ERR_MISSING   ? "missing: "
                   : err.code == ERR_STOPPED ? "stopped: "
                                             : "",
                   err.text);
    return text;
}

static const char *score(const char *command, size_t n)
{
    return ask(OUTSIDE_REWARD, command, n, 3, 8, TIMEOUT);
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("'%s' is not in: %s", part, text);
}

static void free_answers(size_t n)
{
    for (size_t i = 0; i < n; i++)
        outside_answer_free(&answer[i]);
}

static void test_scores(void **state)
{
    (void)state;
    assert_string_equal(score(EACH, 20), "");
    for (size_t i = 0; i < 20; i++)
        assert_true(answer[i].score == (double)i + 0.5);
    assert_string_equal(told, "");
    free_answers(20);
}

/* Batches as PLUMB_BATCH says, told apart by "left"; answers backwards. */
static void test_batches(void **state)
{
    (void)state;
    static const char command[] =
        "all=; while read -r line; do id=${line#*:}; id=${id%%,*};"
        "all=\"{\\\"id\\\":$id,\\\"score\\\":$PLUMB_BATCH}\n$all\";"
        "case $line in *'\"left\":0'*) printf %s \"$all\"; all=;; esac; done";
    assert_string_equal(ask(OUTSIDE_REWARD, command, 21, 3, 8, TIMEOUT), "");
    for (size_t i = 0; i < 21; i++)
        assert_true(answer[i].score == 8);
    free_answers(21);
}

/* Asked several times, one process, whose ids go on. */
static void test_asked_again(void **state)
{
    (void)state;
    struct outside *o;
    struct err err = {OK, ""};
    const struct outside_config c = {EACH, TIMEOUT, 4};
    assert_int_equal(outside_open(&o, OUTSIDE_REWARD, &c, &context, &err), OK);
    assert_string_equal(outside_command(o), EACH);
    for (size_t k = 0; k < 3; k++) {
        assert_int_equal(outside_ask(answer, o, make(5, 1), 5, &err), OK);
        for (size_t i = 0; i < 5; i++)
            assert_true(answer[i].score == (double)(5 * k + i) + 0.5);
        free_answers(5);
    }
    assert_int_equal(outside_ask(answer, o, make(1, 1), 0, &err), OK);
    outside_close(o);
}

static void test_policy(void **state)
{
    (void)state;
    static const char command[] =
        "sed -u 's/^{\"id\":\\([0-9]*\\),.*/{\"response\":\"r\\1\",\"id\":\\1,"
        "\"tokens\":[1],\"logp\":[-1]}/'";
    assert_string_equal(ask(OUTSIDE_POLICY, command, 9, 3, 2, TIMEOUT), "");
    assert_string_equal(answer[8].response, "r8");
    assert_int_equal(answer[8].n, 1);
    free_answers(9);
}

/* More than any pipe holds in both directions, at once: the child writes as
 * much as it reads and looks at neither end. */
static void test_full_pipes(void **state)
{
    (void)state;
    static const char echo[] =
        "sed -u "
        "'s/^{\"id\":\\([0-9]*\\),\\(.*\\)/{\"id\":\\1,\"score\":1,\\2/'";
    static const char slow[] = "sleep 0.5; " EACH;
    assert_string_equal(ask(OUTSIDE_REWARD, echo, 300, 20000, 300, TIMEOUT),
                        "");
    free_answers(300);
    assert_string_equal(ask(OUTSIDE_REWARD, slow, 100, 20000, 100, TIMEOUT),
                        "");
    free_answers(100);
    /* Standard error, too, of which nothing is lost but its length. */
    assert_string_equal(score("head -c 300000 /dev/zero | tr '\\0' y >&2; "
                              "echo >&2 ready; " EACH,
                              3),
                        "");
    assert_has(told, "yyyy");
    free_answers(3);
}

static void test_standard_error(void **state)
{
    (void)state;
    assert_string_equal(
        score("echo hello >&2; printf 'wor\\tld' >&2; " EACH, 1), "");
    assert_has(told, "hello\n");
    assert_has(told, "wor\tld\n");
    free_answers(1);
}

/* Signals that this program ignores are a shell's own again for the child. */
static void test_signals(void **state)
{
    (void)state;
    struct sigaction ignore, before;
    memset(&ignore, 0, sizeof ignore);
    ignore.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &ignore, &before);
    (void)sigaction(SIGXFSZ, &ignore, NULL);
    assert_string_equal(score("grep SigIgn /proc/self/status >&2; " EACH, 1),
                        "");
    (void)sigaction(SIGPIPE, &before, NULL);
    (void)sigaction(SIGXFSZ, &before, NULL);
    const char *mask = strstr(told, "SigIgn:");
    assert_non_null(mask);
    unsigned long long ignored = strtoull(mask + 7, NULL, 16);
    assert_int_equal(ignored >> (SIGPIPE - 1) & 1, 0);
    assert_int_equal(ignored >> (SIGXFSZ - 1) & 1, 0);
    free_answers(1);
}

/* A second child has no end of the first one's pipes: that one sees its input
 * end and goes by itself. */
static void test_two_children(void **state)
{
    (void)state;
    struct outside *o, *other;
    const struct outside_config c = {EACH "; echo bye >&2", TIMEOUT, 4};
    told[0] = '\0';
    assert_int_equal(outside_open(&o, OUTSIDE_REWARD, &c, &context, NULL), OK);
    assert_int_equal(outside_open(&other, OUTSIDE_REWARD, &c, &context, NULL),
                     OK);
    assert_int_equal(outside_ask(answer, o, make(5, 1), 5, NULL), OK);
    free_answers(5);
    double began = now();
    outside_close(o);
    assert_true(now() - began < 1.5);
    assert_string_equal(told, "bye\n");
    assert_int_equal(outside_ask(answer, other, make(5, 1), 5, NULL), OK);
    free_answers(5);
    outside_close(other);
}

static void test_cannot_start(void **state)
{
    (void)state;
    assert_has(score("/nowhere/at/all --x", 2), "missing: the reward command");
    assert_has(score("/nowhere/at/all", 2), "not found");
    assert_has(score("/etc/passwd", 2), "cannot be started");
    /* As late as that. */
    assert_has(score("sleep 0.3; exec /nowhere", 2), "cannot be started");
}

static void test_dies(void **state)
{
    (void)state;
    assert_has(score("exit 3", 2),
               " ended with exit status 3 after line 0, before all answers "
               "were there");
    assert_has(score("head -1 | " EACH "; echo no memory >&2; exit 9", 3),
               " ended with exit status 9 after line 1, before all answers "
               "were there: no memory");
    assert_has(score("kill -9 $$", 2), " ended with signal 9 after line 0");
    /* Once it has answered, an end like that of a missing command is one of
     * its own. */
    assert_has(score("head -1 | " EACH "; exit 127", 3),
               "ended with exit status 127 after line 1");
    /* Between two batches. */
    assert_has(score("head -8 | " EACH, 16), "exit status 0 after line 8");
}

static void test_closes_early(void **state)
{
    (void)state;
    double began = now();
    assert_has(score("exec >&-; cat >/dev/null", 2),
               " closed its output after line 0");
    assert_true(now() - began < TIMEOUT / 2);
    /* Reads nothing, but has the answers. */
    assert_string_equal(
        ask(OUTSIDE_REWARD,
            "exec <&-; echo '{\"id\":0,\"score\":1}'; sleep 0.2; echo "
            "'{\"id\":1,\"score\":2}'; sleep 0.2",
            2, 300000, 8, TIMEOUT),
        "");
    free_answers(2);
    /* An end in place of the last line's. */
    assert_string_equal(score("printf '{\"id\":0,\"score\":1}'", 1), "");
    free_answers(1);
}

static void test_answers_nothing(void **state)
{
    (void)state;
    double began = now();
    assert_has(
        ask(OUTSIDE_REWARD, "sleep 60", 2, 3, 8, 0.5),
        " has not answered for 0.5 s after line 0 (outside.command_timeout)");
    assert_true(now() - began < 10);
    /* Blanks are no answers. */
    assert_has(
        ask(OUTSIDE_REWARD, "while :; do echo; sleep 0.05; done", 2, 3, 8, 0.5),
        " has not answered for 0.5 s");
    /* Nor does it end when it is told to. */
    began = now();
    assert_has(ask(OUTSIDE_REWARD, "trap '' TERM; while :; do sleep 1; done", 2,
                   3, 8, 0.3),
               " has not answered");
    assert_true(now() - began < 10);
}

static void test_bad_lines(void **state)
{
    (void)state;
    assert_has(score("echo starting; " EACH, 2),
               ", line 1 ('starting'): answer: byte 0");
    assert_has(score("head -1 | " EACH "; echo '{\"id\":1,\"score\":NaN}'", 2),
               ", line 2 ('{\"id\":1,\"score\":NaN}'): the score is nan");
    assert_has(score("echo '{\"id\":5,\"score\":1}'; cat >&2", 2),
               "): nobody asked with id 5");
    assert_has(score("echo '{\"id\":-1,\"score\":1}'; cat >&2", 2),
               "): nobody asked with id -1");
    assert_has(score("echo '{\"id\":0,\"score\":1}'; echo "
                     "'{\"id\":0,\"score\":1}'; cat >&2",
                     2),
               ", line 2 ('{\"id\":0,\"score\":1}'): id 0 was answered before");
    assert_has(score("head -c 100000 /dev/urandom", 2), ", line 1 (");
    /* The answer of a batch that is over. */
    assert_has(ask(OUTSIDE_REWARD,
                   "read -r a; echo '{\"id\":0,\"score\":1}'; read -r a; echo "
                   "'{\"id\":0,\"score\":1}'; cat >&2",
                   2, 3, 1, TIMEOUT),
               "): id 0 was answered before");
    /* More than was asked for, in one piece. */
    assert_has(score("read -r a; printf '{\"id\":0,\"score\":1}\\n{\"id\":1,"
                     "\"score\":1}\\n'; sleep 5",
                     1),
               "): more lines than requests");
    assert_has(ask(OUTSIDE_POLICY, EACH, 1, 3, 8, TIMEOUT),
               "): no \"response\"");
}

static void test_endless_line(void **state)
{
    (void)state;
    assert_has(score("tr '\\0' x </dev/zero", 2),
               "('xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
               "xxxxxxxxxxxxxxxxxxx'): more than 8388608 bytes");
    /* An answer may be long. */
    assert_string_equal(
        score("printf '{\"id\":0,\"x\":\"'; head -c 8000000 /dev/zero | tr "
              "'\\0' x; printf '\",\"score\":2}\\n'",
              1),
        "");
    free_answers(1);
}

/* A child that is gone when it is written to raises no signal here, and none
 * is left pending; what another part of the program does with it stays. */
static void test_no_sigpipe(void **state)
{
    (void)state;
    struct sigaction before, after;
    sigset_t pending;
    (void)sigaction(SIGPIPE, NULL, &before);
    assert_true(before.sa_handler == SIG_DFL);
    assert_has(
        ask(OUTSIDE_REWARD, "exec <&-; sleep 0.3", 64, 20000, 64, TIMEOUT),
        " ended with exit status 0");
    (void)sigaction(SIGPIPE, NULL, &after);
    assert_true(after.sa_handler == SIG_DFL);
    assert_int_equal(sigpending(&pending), 0);
    assert_int_equal(sigismember(&pending, SIGPIPE), 0);
}

/* Is there a process whose command line has this word? */
static int count_processes(const char *word)
{
    char command[200];
    int n = -1;
    (void)snprintf(command, sizeof command,
                   "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | "
                   "grep -cx '[%c]%s'",
                   word[0], word + 1);
    FILE *f = popen(command, "r"); // NOLINT(cert-env33-c)
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &n), 1);
    (void)pclose(f);
    return n;
}

/* The child and what it started are gone, whatever it does. */
static void test_nothing_is_left(void **state)
{
    (void)state;
    char word[32], command[300];
    (void)snprintf(word, sizeof word, "1%d.25", (int)getpid());
    (void)snprintf(command, sizeof command, "sleep %s & trap '' TERM; sleep %s",
                   word, word);
    assert_has(ask(OUTSIDE_REWARD, command, 1, 3, 8, 0.3), "has not answered");
    assert_int_equal(count_processes(word), 0);
    /* One that answered and does not end; a job of its own in the back. */
    (void)snprintf(command, sizeof command, "sleep %s & %s; sleep %s", word,
                   EACH, word);
    assert_string_equal(score(command, 2), "");
    assert_int_equal(count_processes(word), 0);
    free_answers(2);
}

static void test_end_is_told(void **state)
{
    (void)state;
    assert_string_equal(score(EACH "; echo bye >&2; exit 4", 2), "");
    assert_has(told, "bye\n");
    assert_has(told, "warning: the reward command '");
    assert_has(told, " ended with exit status 4\n");
    free_answers(2);
}

static void test_stop(void **state)
{
    (void)state;
    double began = now();
    stop = SIGINT;
    assert_has(ask(OUTSIDE_REWARD, "sleep 60", 1, 3, 8, 0), "stopped");
    stop = 0;
    assert_true(now() - began < 15);
}

/* Allocations that fail on the way are an error and leave nothing. */
static void test_memory(void **state)
{
    (void)state;
    for (long k = 0; k < 40; k++) {
        struct err err = {OK, ""};
        struct outside *o = NULL;
        const struct outside_config c = {EACH, TIMEOUT, 4};
        mem_fail_at(k);
        enum status status = outside_open(&o, OUTSIDE_REWARD, &c, NULL, &err);
        if (status == OK)
            status = outside_ask(answer, o, make(6, 10), 6, &err);
        bool is_over = mem_count() <= k;
        mem_fail_at(-1);
        if (status == OK)
            free_answers(6);
        else
            assert_int_equal(status, ERR_MEMORY);
        outside_close(o);
        if (is_over)
            return;
    }
    fail_msg("more allocations than expected");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_asked_again),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_full_pipes),
        cmocka_unit_test(test_standard_error),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_two_children),
        cmocka_unit_test(test_cannot_start),
        cmocka_unit_test(test_dies),
        cmocka_unit_test(test_closes_early),
        cmocka_unit_test(test_answers_nothing),
        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_endless_line),
        cmocka_unit_test(test_no_sigpipe),
        cmocka_unit_test(test_nothing_is_left),
        cmocka_unit_test(test_end_is_told),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
