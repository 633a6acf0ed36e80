#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "serve/program.h"
#include "store/audit.h"

/* ---- the program -------------------------------------------------------- */

const char program_script[] =
    "</script><script>alert(1)</script>\"'`\\<img src=x onerror=alert(1)>"
    "<!-- ]]> &lt;b&gt; javascript:alert(1) \xe2\x80\xa8 \xe2\x80\xae {{7*7}} "
    "${7} \r\n\r\nHTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\n\r\n<b>";

static void add_scripts(struct hall *h)
{
    struct err err = {OK, ""};
    for (int i = 0; i < PROGRAM_PAIRS; i++) {
        char name[32], text[2][600];
        int64_t id;
        bool is_new;
        (void)snprintf(name, sizeof name, "script-%d", i);
        (void)snprintf(text[0], sizeof text[0], "one %d %s", i, program_script);
        (void)snprintf(text[1], sizeof text[1], "two %d %s", i, program_script);
        const struct candidate c[] = {{.text = text[0], .source = "policy"},
                                      {.text = text[1], .source = "reference"}};
        const struct item x = {.pool = h->spot,
                               .name = name,
                               .arm = ITEM_RANDOM,
                               .prompt_id = name,
                               .prompt = program_script,
                               .candidate = c,
                               .n = 2};
        if (items_add(&id, &is_new, h->rig.db, &x, 0, RIG_NOW, &err) != OK)
            fail_msg("%s", err.text);
    }
}

static void run_program(const char *path, int out, const char *errors)
{
    int log = open(errors, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    (void)signal(SIGXFSZ, SIG_IGN); // a full disk is an error, no death
    (void)dup2(out, STDOUT_FILENO);
    (void)dup2(log, STDERR_FILENO);
    (void)execl(PLUMB, PLUMB, "label", path, "--port", "0", "--json",
                (char *)NULL);
    _exit(99);
}

/* Read its first line, which has the port. */
static void read_line(struct program *p, int from)
{
    size_t len = 0;
    ssize_t n = 0;
    while (strchr(p->said, '\n') == NULL &&
           (n = read(from, p->said + len, sizeof p->said - 1 - len)) > 0) {
        len += (size_t)n;
        p->said[len] = '\0';
    }
    const char *port = strstr(p->said, "\"port\"");
    assert_non_null(port);
    p->hall.port =
        (unsigned)strtoul(port + 6 + strspn(port + 6, ": "), NULL, 10);
    assert_in_range(p->hall.port, 1, 65535);
}

int program_set_up(void **state)
{
    static struct program program;
    struct hall *h = &program.hall;
    int out[2];
    memset(program.said, 0, sizeof program.said);
    rig_open(&h->rig);
    h->label = NULL;
    hall_now = RIG_NOW; // when an item was shown; the server puts it right
    h->spot = rig_pool(&h->rig, "first", POOL_SPOTCHECK, 3, 1);
    add_scripts(h);
    assert_int_equal(pipe(out), 0);
    program.pid = fork();
    assert_true(program.pid >= 0);
    if (program.pid == 0)
        run_program(h->rig.path, out[1], rig_path(&h->rig, "errors"));
    (void)close(out[1]);
    read_line(&program, out[0]);
    (void)close(out[0]);
    *state = &program;
    return 0;
}

int program_tear_down(void **state)
{
    struct program *p = *state;
    struct hall *h = &p->hall;
    struct audit_report report;
    struct err err = {OK, ""};
    struct buf text;
    int status = 0;
    assert_int_equal(waitpid(p->pid, &status, WNOHANG), 0);
    assert_int_equal(kill(p->pid, SIGTERM), 0);
    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    buf_init(&text, 1 << 20);
    assert_int_equal(file_read(&text, rig_path(&h->rig, "errors"), &err), OK);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 143 ||
        strstr(buf_text(&text), "Sanitizer") != NULL ||
        strstr(buf_text(&text), "runtime error") != NULL)
        fail_msg("%d: %s", status, buf_text(&text));
    buf_free(&text);
    if (audit_verify(&report, h->rig.db, &err) != OK)
        fail_msg("%s", err.text);
    rig_close(&h->rig);
    return 0;
}

/* ---- headers ------------------------------------------------------------ */

void program_check_headers(const struct reply *r, const char *what)
{
    static const char *const wanted[][2] = {
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "same-origin"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"}};
    char value[1024];
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (client_header(r, wanted[i][0], value) == NULL ||
            strcmp(value, wanted[i][1]) != 0)
            fail_msg("%s without %s: %s", what, wanted[i][0], r->text);
    if (client_header(r, "Content-Security-Policy", value) == NULL ||
        strstr(value, "default-src 'none'") == NULL ||
        strstr(value, "unsafe") != NULL)
        fail_msg("%s has no policy: %s", what, r->text);
    if (client_header(r, "Cache-Control", value) == NULL ||
        client_header(r, "Access-Control-Allow-Origin", value) != NULL)
        fail_msg("%s may be read elsewhere: %s", what, r->text);
    if (r->status >= 400 && (client_header(r, "Content-Type", value) == NULL ||
                             strcmp(value, "application/json") != 0 ||
                             strncmp(r->body, "{\"error\":\"", 10) != 0))
        fail_msg("%s: %s", what, r->text);
}
