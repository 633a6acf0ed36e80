/*
 * A disk that is full at any byte: writing says so, and what was on the disk
 * before is still there and whole.
 *
 * The disk is a limit on the size of a file (RLIMIT_FSIZE) in a child process:
 * with SIGXFSZ ignored, write() comes back short and then fails with EFBIG, as
 * it does with ENOSPC when no block is left.
 */
#include "rig.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "io/run.h"
#include "io/trace.h"
#include "model/checkpoint.h"

#define CONFIG "seed: 1\n"
#define EVENTS "run/events.out.tfevents.0000000001.plumb"

struct fixture {
    char root[64];
    struct model before, after; // checkpoint 1 holds `before`
};

/* What a child does on the full disk. */
typedef enum status (*work_fn)(const struct fixture *f, struct err *err);

static void path_of(char out[FILE_PATH_MAX], const struct fixture *f,
                    const char *name)
{
    struct err err = {0};

    assert_int_equal(file_join(out, f->root, name, &err), OK);
}

/* The bytes of a file, as many as there are. */
static size_t size_of(const struct fixture *f, const char *name)
{
    struct file_map map;
    struct err err = {0};
    char path[FILE_PATH_MAX];
    size_t len;

    path_of(path, f, name);
    if (file_map(&map, path, &err) != OK)
        fail_msg("%s", err.text);
    len = map.len;
    file_unmap(&map);
    return len;
}

static enum status open_run(struct run *r, const struct fixture *f,
                            enum run_mode mode, struct err *err)
{
    char path[FILE_PATH_MAX];

    path_of(path, f, "run");
    return run_open(r, path, mode, CONFIG, NULL, err);
}

static enum status log_step(struct run *r, int64_t step, struct err *err)
{
    const struct metric m[] = {{"objective/kl", 0.125}, {"loss", -1.5}};

    return run_metrics(r, step, m, 2, 0.5, 16, err);
}

static enum status write_model(const struct fixture *f, const char *name,
                               const struct model *m, struct err *err)
{
    struct checkpoint c = {.model = m, .trainer_json = "{\"step\":1}\n"};
    char path[FILE_PATH_MAX];

    path_of(path, f, name);
    return checkpoint_write(path, &c, err);
}

/* A run of one step with its checkpoint. */
static int set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);
    struct model_config c = rig_config();
    struct run r = {0};
    struct err err = {0};

    assert_non_null(f);
    (void)snprintf(f->root, sizeof f->root, "/tmp/plumb_disk_full_XXXXXX");
    assert_non_null(mkdtemp(f->root));
    rig_model(&f->before, &c, 40);
    rig_model(&f->after, &c, 41);
    if (open_run(&r, f, RUN_NEW, &err) != OK || log_step(&r, 1, &err) != OK ||
        run_flush(&r, &err) != OK ||
        write_model(f, "run/checkpoints/000001", &f->before, &err) != OK)
        fail_msg("%s", err.text);
    run_close(&r);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};

    assert_int_equal(file_remove(f->root, &err), OK);
    model_free(&f->before);
    model_free(&f->after);
    mem_free(f);
    return 0;
}

/* Checkpoint 1 holds the weights of `want` and nothing stands beside it. */
static void check_checkpoint(const struct fixture *f, const struct model *want)
{
    char path[FILE_PATH_MAX];
    struct file_list list;
    struct model back;
    struct err err = {0};

    path_of(path, f, "run/checkpoints/000001");
    if (checkpoint_read(&back, path, HEAD_LM, &err) != OK)
        fail_msg("%s", err.text);
    assert_memory_equal(back.params, want->params,
                        params_count(&want->config) * sizeof(float));
    model_free(&back);
    path_of(path, f, "run/checkpoints");
    assert_int_equal(file_list(&list, path, &err), OK);
    assert_int_equal(list.n, 1);
    assert_string_equal(list.name[0], "000001");
    file_list_free(&list);
}

/*
 * Do the work in a process whose files end at `limit` bytes.  True: it was
 * done.  False: it failed, and its words name `name` and the reason.
 */
static bool with_limit(const struct fixture *f, size_t limit, work_fn work,
                       const char *name)
{
    struct err err = {0};
    int pipe_fd[2];
    int code = -1;
    pid_t child;

    assert_int_equal(pipe(pipe_fd), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit end = {.rlim_cur = limit, .rlim_max = limit};
        enum status status;

        if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR ||
            setrlimit(RLIMIT_FSIZE, &end) != 0)
            _exit(99);
        status = work(f, &err);
        /* A pipe is no file: the limit does not hold for it. */
        if (write(pipe_fd[1], err.text, sizeof err.text) < 0)
            _exit(98);
        _exit((int)status);
    }
    close(pipe_fd[1]);
    assert_int_equal(read(pipe_fd[0], err.text, sizeof err.text),
                     sizeof err.text);
    close(pipe_fd[0]);
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code));
    if (WEXITSTATUS(code) == OK)
        return true;
    if (WEXITSTATUS(code) != ERR_IO || strstr(err.text, name) == NULL ||
        strstr(err.text, strerror(EFBIG)) == NULL)
        fail_msg("limit %zu: status %d, \"%s\"", limit, WEXITSTATUS(code),
                 err.text);
    return false;
}

static enum status replace_checkpoint(const struct fixture *f, struct err *err)
{
    return write_model(f, "run/checkpoints/000001", &f->after, err);
}

/* Wherever the weights end, the former checkpoint loads; with room for all of
 * them the new one does. */
static void test_checkpoint(void **state)
{
    struct fixture *f = *state;
    size_t whole = size_of(f, "run/checkpoints/000001/model.safetensors");

    for (size_t limit = 0; limit < whole; limit += 1 + whole / 16) {
        assert_false(
            with_limit(f, limit, replace_checkpoint, "checkpoints/.000001"));
        check_checkpoint(f, &f->before);
    }
    assert_false(
        with_limit(f, whole - 1, replace_checkpoint, "model.safetensors"));
    check_checkpoint(f, &f->before);
    assert_true(with_limit(f, whole, replace_checkpoint, ""));
    check_checkpoint(f, &f->after);
}

/* Two more steps on the run that is there. */
static enum status go_on(const struct fixture *f, struct err *err)
{
    struct run r = {0};
    enum status status;

    TRY(open_run(&r, f, RUN_RESUME, err));
    status = log_step(&r, 2, err);
    if (status == OK)
        status = log_step(&r, 3, err);
    if (status == OK)
        status = run_finish(&r, "{}", err);
    run_close(&r);
    return status;
}

/* A log that ends within a row, whichever log and row that is: an error, and
 * the run is resumed from its checkpoint. */
static void test_logs(void **state)
{
    struct fixture *f = *state;
    size_t limit = 0;
    size_t failures = 0;

    for (; !with_limit(f, limit, go_on, "run/"); limit += 3, failures++) {
        struct run r = {0};
        struct err err = {0};

        check_checkpoint(f, &f->before);
        if (open_run(&r, f, RUN_RESUME, &err) != OK)
            fail_msg("limit %zu: %s", limit, err.text);
        assert_int_equal(r.checkpoint, 1);
        assert_false(r.is_complete);
        run_close(&r);
    }
    /* Enough room for the longest, and only just. */
    assert_true(limit >= size_of(f, EVENTS));
    assert_true(limit < size_of(f, EVENTS) + 3);
    assert_true(failures > 100);
}

static enum status write_trace(const struct fixture *f, struct err *err)
{
    char path[FILE_PATH_MAX];
    struct buf text;
    enum status status;

    path_of(path, f, "run/000001.jsonl.zst");
    buf_init(&text, 10000);
    for (int i = 0; i < 200; i++)
        buf_printf(&text, "{\"step\":%d,\"value\":%d}\n", i, i * i * 7919);
    status = trace_write_file(path, &text, err);
    buf_free(&text);
    return status;
}

/* Half a trace never takes the place of a whole one. */
static void test_trace(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    char path[FILE_PATH_MAX];
    size_t whole;

    assert_int_equal(write_trace(f, &err), OK);
    whole = size_of(f, "run/000001.jsonl.zst");
    for (size_t limit = 0; limit < whole; limit += 1 + whole / 8) {
        assert_false(with_limit(f, limit, write_trace, "000001.jsonl.zst"));
        assert_int_equal(size_of(f, "run/000001.jsonl.zst"), whole);
    }
    path_of(path, f, "run/.000001.jsonl.zst.tmp");
    assert_false(file_exists(path));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_checkpoint),
        CASE(test_logs),
        CASE(test_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
