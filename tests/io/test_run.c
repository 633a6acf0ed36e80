/*
 * test_run.c - modes and locks, and that a run killed anywhere and resumed
 * leaves the bytes of one that was not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/run.h"

#define CONFIG "seed: 1\nlr: 1.0e-5\n"
#define EVENTS "events.out.tfevents.0000000001.plumb"

static char root[FILE_PATH_MAX];
static double fake_time;

static double fake_clock(void)
{
    return fake_time;
}

static int set_up(void **state)
{
    (void)state;
    char dir[] = "/tmp/plumb-test-XXXXXX";
    if (mkdtemp(dir) == NULL)
        return -1;
    return file_join(root, "", dir, NULL) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return file_remove(root, NULL) == OK ? 0 : -1;
}

static const char *at(const char *name)
{
    static char path[4][FILE_PATH_MAX];
    static int next;
    next = (next + 1) % 4;
    assert_int_equal(file_join(path[next], root, name, NULL), OK);
    return path[next];
}

static void put(const char *name, const char *text)
{
    char dir[FILE_PATH_MAX];
    assert_int_equal(file_dirname(dir, at(name), NULL), OK);
    assert_int_equal(file_make_dir(dir, NULL), OK);
    assert_int_equal(file_write(at(name), text, strlen(text), NULL), OK);
}

static void open_run(struct run *r, const char *dir, enum run_mode mode)
{
    struct err err = {0};
    fake_time = 0;
    enum status status = run_open(r, at(dir), mode, CONFIG, fake_clock, &err);
    if (status != OK)
        print_error("%s\n", err.text);
    assert_int_equal(status, OK);
}

/* One step as a trainer does it: rollouts, metrics, now and then a flush and
 * a checkpoint. */
static void do_step(struct run *r, int64_t step)
{
    char path[FILE_PATH_MAX];
    fake_time = 1000.0 + (double)step;
    assert_int_equal(run_rollout_path(path, r, step, NULL), OK);
    assert_int_equal(file_write(path, &step, sizeof step, NULL), OK);
    struct metric m[] = {
        {"objective/kl", (double)step / 8},
        {"loss", step == 3 ? (double)NAN : -1.0 / (double)step},
    };
    assert_int_equal(run_metrics(r, step, m, 2, 0.5, 16, NULL), OK);
}

static void checkpoint(struct run *r, int64_t step)
{
    char dir[FILE_PATH_MAX], path[FILE_PATH_MAX];
    assert_int_equal(run_flush(r, NULL), OK);
    assert_int_equal(run_checkpoint_path(dir, r, step, NULL), OK);
    assert_int_equal(file_make_dir(dir, NULL), OK);
    assert_int_equal(file_join(path, dir, "config.json", NULL), OK);
    assert_int_equal(file_write(path, "{}", 2, NULL), OK);
    assert_int_equal(file_join(path, dir, "model.safetensors", NULL), OK);
    assert_int_equal(file_write(path, "w", 1, NULL), OK);
}

static void check_same(const char *a, const char *b)
{
    struct buf x, y;
    buf_init(&x, 1000000);
    buf_init(&y, 1000000);
    assert_int_equal(file_read(&x, at(a), NULL), OK);
    assert_int_equal(file_read(&y, at(b), NULL), OK);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);
    buf_free(&x);
    buf_free(&y);
}

static void check_names(const char *dir, const char *const *want, size_t n)
{
    struct file_list list;
    assert_int_equal(file_list(&list, at(dir), NULL), OK);
    assert_int_equal(list.n, n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(list.name[i], want[i]);
    file_list_free(&list);
}

/* Steps 1..6 with a checkpoint every second one. */
static void whole_run(const char *dir)
{
    struct run r = {0};
    open_run(&r, dir, RUN_NEW);
    for (int64_t step = 1; step <= 6; step++) {
        do_step(&r, step);
        if (step % 2 == 0)
            checkpoint(&r, step);
    }
    run_close(&r);
}

static void test_log_bytes(void **state)
{
    (void)state;
    whole_run("a");
    struct buf text;
    buf_init(&text, 10000);
    assert_int_equal(file_read(&text, at("a/metrics.jsonl"), NULL), OK);
    static const char rows[] =
        "{\"step\":1,\"objective/kl\":0.125,\"loss\":-1}\n"
        "{\"step\":2,\"objective/kl\":0.25,\"loss\":-0.5}\n"
        "{\"step\":3,\"objective/kl\":0.375,\"loss\":null}\n";
    assert_true(text.len > sizeof rows);
    assert_memory_equal(text.data, rows, sizeof rows - 1);
    buf_clear(&text);
    assert_int_equal(file_read(&text, at("a/timing.jsonl"), NULL), OK);
    static const char time[] =
        "{\"step\":1,\"time\":1001,\"seconds\":0.5,\"eps\":32}\n";
    assert_true(text.len > sizeof time);
    assert_memory_equal(text.data, time, sizeof time - 1);
    buf_free(&text);
    static const char *const names[] = {
        "LOCK",          "checkpoints", "config.yaml", EVENTS,
        "metrics.jsonl", "rollouts",    "timing.jsonl"};
    check_names("a", names, 7);
}

/* Killed after `steps` steps with a torn row and other leftovers, then
 * resumed and finished: the same bytes as a run in one go. */
static void kill_and_resume(const char *dir, int64_t steps)
{
    struct run r = {0};
    open_run(&r, dir, RUN_NEW);
    for (int64_t step = 1; step <= steps; step++) {
        do_step(&r, step);
        if (step % 2 == 0)
            checkpoint(&r, step);
    }
    assert_true(fputs("{\"step\":7,\"obj", r.metrics) >= 0);
    assert_true(fputs("{\"st", r.timing) >= 0);
    run_close(&r);
    char name[FILE_PATH_MAX];
    static const char *const left[] = {
        "checkpoints/.000008.tmp/config.json", "checkpoints/000009/config.json",
        "rollouts/.000007.jsonl.zst.tmp", ".result.json.tmp"};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        assert_int_equal(file_join(name, dir, left[i], NULL), OK);
        put(name, "x");
    }

    open_run(&r, dir, RUN_RESUME);
    assert_int_equal(r.checkpoint, steps < 2 ? -1 : steps / 2 * 2);
    assert_false(r.is_complete);
    for (int64_t step = r.checkpoint < 0 ? 1 : r.checkpoint + 1; step <= 6;
         step++) {
        do_step(&r, step);
        if (step % 2 == 0)
            checkpoint(&r, step);
    }
    run_close(&r);
}

static void test_resume(void **state)
{
    (void)state;
    whole_run("a");
    for (int64_t steps = 0; steps <= 6; steps++) {
        char dir[] = "b0";
        dir[1] = (char)('0' + steps);
        kill_and_resume(dir, steps);
        static const char *const files[] = {"metrics.jsonl", "timing.jsonl",
                                            EVENTS, "config.yaml"};
        for (size_t i = 0; i < 4; i++) {
            char a[FILE_PATH_MAX], b[FILE_PATH_MAX];
            assert_int_equal(file_join(a, "a", files[i], NULL), OK);
            assert_int_equal(file_join(b, dir, files[i], NULL), OK);
            check_same(a, b);
        }
        char sub[FILE_PATH_MAX];
        static const char *const points[] = {"000002", "000004", "000006"};
        assert_int_equal(file_join(sub, dir, "checkpoints", NULL), OK);
        check_names(sub, points, 3);
        static const char *const names[] = {
            "LOCK",          "checkpoints", "config.yaml", EVENTS,
            "metrics.jsonl", "rollouts",    "timing.jsonl"};
        check_names(dir, names, 7);
        assert_int_equal(file_join(sub, dir, "rollouts", NULL), OK);
        struct file_list list;
        assert_int_equal(file_list(&list, at(sub), NULL), OK);
        assert_int_equal(list.n, 6);
        file_list_free(&list);
    }
}

static void test_modes(void **state)
{
    (void)state;
    struct run r = {0};
    struct err err = {0};
    whole_run("a");
    assert_int_equal(run_open(&r, at("a"), RUN_NEW, CONFIG, fake_clock, &err),
                     ERR_ARG);
    assert_non_null(strstr(err.text, "use --resume to go on or --overwrite "
                                     "to replace it"));
    assert_true(file_exists(at("a/checkpoints/000006/config.json")));

    assert_int_equal(run_open(&r, at("a"), RUN_RESUME, "seed: 1\nlr: 2.0e-5\n",
                              fake_clock, &err),
                     ERR_MISMATCH);
    assert_non_null(strstr(err.text, "config.yaml:2: the run was started with "
                                     "\"lr: 1.0e-5\", now it is "
                                     "\"lr: 2.0e-5\""));
    assert_int_equal(
        run_open(&r, at("a"), RUN_RESUME, "seed: 1\n", fake_clock, &err),
        ERR_MISMATCH);

    open_run(&r, "a", RUN_OVERWRITE);
    assert_int_equal(r.checkpoint, -1);
    run_close(&r);
    assert_false(file_exists(at("a/checkpoints")));
    assert_false(file_exists(at("a/rollouts")));
    struct buf text;
    buf_init(&text, 0); // the logs are empty
    assert_int_equal(file_read(&text, at("a/metrics.jsonl"), NULL), OK);
    assert_int_equal(file_read(&text, at("a/timing.jsonl"), NULL), OK);
    buf_free(&text);
}

/* A directory of somebody else's loses nothing. */
static void test_strangers(void **state)
{
    (void)state;
    struct run r = {0};
    struct err err = {0};
    struct buf text;
    put("c/mine.tmp", "x");
    put("c/events.out.tfevents.1700000000.host.1.0", "x");
    put("c/theirs", "x");
    assert_int_equal(symlink(at("c/theirs"), at("c/" EVENTS)), 0);
    open_run(&r, "c", RUN_RESUME);
    run_close(&r);
    assert_true(file_exists(at("c/mine.tmp")));
    assert_true(file_exists(at("c/events.out.tfevents.1700000000.host.1.0")));
    buf_init(&text, 100);
    assert_int_equal(file_read(&text, at("c/theirs"), NULL), OK);
    assert_string_equal(text.data, "x");
    put("d/checkpoints/000001/config.json", "x");
    put("d/checkpoints/000001/model.safetensors", "x");
    assert_int_equal(
        run_open(&r, at("d"), RUN_RESUME, CONFIG, fake_clock, &err),
        ERR_MISMATCH);
    assert_int_equal(run_open(&r, at("d"), RUN_NEW, CONFIG, fake_clock, &err),
                     ERR_ARG);
    assert_true(file_exists(at("d/checkpoints/000001/config.json")));

    /* Nor do files of the same names that some other program wrote. */
    put("e/checkpoints/000001/model.safetensors.index.json", "{}");
    put("f/metrics.jsonl", "{\"loss\":1}\n");
    for (int mode = RUN_NEW; mode <= RUN_RESUME; mode++) {
        enum status want = mode == RUN_NEW ? ERR_ARG : ERR_MISMATCH;
        assert_int_equal(run_open(&r, at("e"), (enum run_mode)mode, CONFIG,
                                  fake_clock, &err),
                         want);
        assert_int_equal(run_open(&r, at("f"), (enum run_mode)mode, CONFIG,
                                  fake_clock, &err),
                         want);
    }
    assert_true(
        file_exists(at("e/checkpoints/000001/model.safetensors.index.json")));
    buf_clear(&text);
    assert_int_equal(file_read(&text, at("f/metrics.jsonl"), NULL), OK);
    assert_string_equal(text.data, "{\"loss\":1}\n");
    buf_free(&text);
}

static void test_lock(void **state)
{
    (void)state;
    struct run a = {0}, b = {0};
    open_run(&a, "a", RUN_NEW);
    struct err err = {0};
    assert_int_equal(
        run_open(&b, at("a"), RUN_OVERWRITE, CONFIG, fake_clock, &err),
        ERR_BUSY);
    char want[64];
    int n =
        snprintf(want, sizeof want, "in use by process %ld", (long)getpid());
    assert_true(n > 0 && (size_t)n < sizeof want);
    assert_non_null(strstr(err.text, want));
    run_close(&a);
    open_run(&b, "a", RUN_OVERWRITE);
    run_close(&b);
    run_close(&b);
    struct run zero = {0};
    run_close(&zero); // must not close descriptor 0
    assert_int_equal(lseek(0, 0, SEEK_CUR) == -1 && errno == EBADF, 0);

    /* A link in the lock's place would empty what it points to. */
    put("mine", "precious");
    assert_int_equal(file_remove(at("a/LOCK"), NULL), OK);
    assert_int_equal(symlink(at("mine"), at("a/LOCK")), 0);
    assert_int_equal(
        run_open(&b, at("a"), RUN_RESUME, CONFIG, fake_clock, &err), ERR_IO);
    assert_non_null(strstr(err.text, "a/LOCK: "));
    struct buf text;
    buf_init(&text, 100);
    assert_int_equal(file_read(&text, at("mine"), NULL), OK);
    assert_string_equal(text.data, "precious");
    buf_free(&text);
}

static void test_complete(void **state)
{
    (void)state;
    struct run r = {0};
    open_run(&r, "a", RUN_NEW);
    do_step(&r, 1);
    checkpoint(&r, 1);
    do_step(&r, 2);
    assert_int_equal(run_finish(&r, "{}", NULL), OK);
    assert_true(r.is_complete);
    run_close(&r);
    open_run(&r, "a", RUN_RESUME);
    assert_true(r.is_complete);
    run_close(&r);
    struct run_table t;
    assert_int_equal(run_table_read(&t, at("a/metrics.jsonl"), NULL), OK);
    assert_int_equal(t.n, 2);
    run_table_free(&t);
}

/* A checkpoint that was being replaced comes back; a corrupt log does not
 * pass in silence. */
static void test_recovery(void **state)
{
    (void)state;
    whole_run("a");
    assert_int_equal(file_rename(at("a/checkpoints/000006"),
                                 at("a/checkpoints/.000006.old"), NULL),
                     OK);
    put("a/checkpoints/.000004.old/config.json", "x");
    struct run r = {0};
    open_run(&r, "a", RUN_RESUME);
    assert_int_equal(r.checkpoint, 6);
    run_close(&r);
    static const char *const points[] = {"000002", "000004", "000006"};
    check_names("a/checkpoints", points, 3);

    put("a/metrics.jsonl", "{\"step\":1}\nrubbish\n{\"step\":2}\n");
    struct err err = {0};
    assert_int_equal(
        run_open(&r, at("a"), RUN_RESUME, CONFIG, fake_clock, &err),
        ERR_FORMAT);
    assert_non_null(strstr(err.text, "metrics.jsonl:2: "));
}

static void test_find_model(void **state)
{
    (void)state;
    char out[FILE_PATH_MAX], run[FILE_PATH_MAX];
    struct err err = {0};
    put("hf/config.json", "{}");
    assert_int_equal(run_find_model(out, at("hf"), NULL, &err), ERR_MISSING);
    put("hf/model.safetensors", "");
    assert_int_equal(run_find_model(out, at("hf"), NULL, NULL), OK);
    assert_string_equal(out, at("hf"));

    whole_run("D/ppo");
    put("D/ppo/checkpoints/000010/config.json", ""); // not whole
    put("D/sft/checkpoints/000099/config.json", "");
    put("D/sft/checkpoints/000099/model.safetensors", "");
    put("D/sft/checkpoints/000100/config.json", "");
    put("D/sft/checkpoints/000100/model.safetensors", "");
    assert_int_equal(run_find_model(out, at("D/ppo"), NULL, NULL), OK);
    assert_string_equal(out, at("D/ppo/checkpoints/000006"));
    int64_t step = 0;
    assert_true(run_of_model(run, &step, out));
    assert_int_equal(step, 6);
    assert_true(file_exists(run) && strstr(run, "/D/ppo") != NULL);
    assert_true(run_of_model(run, &step, "merged/"));
    assert_int_equal(step, -1);
    assert_string_equal(run, ".");
    assert_true(run_of_model(run, &step, "checkpoints/000012"));
    assert_int_equal(step, 12);
    assert_false(run_of_model(run, &step, "models/000012"));
    assert_false(run_of_model(run, &step, "checkpoints/last"));
    assert_false(run_of_model(run, &step, "000012"));
    assert_false(run_of_model(run, &step, ""));
    assert_int_equal(run_find_model(out, at("D"), NULL, NULL), OK);
    assert_string_equal(out, at("D/ppo/checkpoints/000006"));
    assert_int_equal(run_find_model(out, at("D"), "sft", NULL), OK);
    assert_string_equal(out, at("D/sft/checkpoints/000100"));
    assert_int_equal(run_find_model(out, at("D"), "reward", &err), ERR_MISSING);
    assert_non_null(strstr(err.text, "reward/checkpoints/"));
    assert_int_equal(run_find_model(out, at("nowhere"), NULL, &err),
                     ERR_MISSING);

    int64_t *steps = NULL;
    size_t n = 0;
    assert_int_equal(run_checkpoints(&steps, &n, at("D/ppo"), NULL), OK);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(steps[i], 2 * (i + 1));
    mem_free(steps);
    assert_int_equal(run_checkpoints(&steps, &n, at("D"), NULL), OK);
    assert_int_equal(n, 0);
    mem_free(steps);
}

static void test_table(void **state)
{
    (void)state;
    put("m.jsonl", "{\"step\":1,\"a\":1.5,\"note\":\"text\"}\n\n"
                   "{\"step\":2,\"b\":-2,\"a\":null}\n"
                   "{\"step\":4,\"c\":3,\"b\":7}\n{\"step\":5,\"a\":");
    struct run_table t;
    assert_int_equal(run_table_read(&t, at("m.jsonl"), NULL), OK);
    assert_int_equal(t.n, 3);
    assert_int_equal(t.columns, 3);
    const double want[3][3] = {{1.5, NAN, NAN}, {NAN, -2, NAN}, {NAN, 7, 3}};
    static const char *const names[] = {"a", "b", "c"};
    static const int64_t steps[] = {1, 2, 4};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(t.step[i], steps[i]);
        assert_int_equal(run_table_find(&t, names[i]), i);
        for (size_t j = 0; j < 3; j++)
            assert_true(isnan(want[i][j]) ? isnan(t.value[i * 3 + j])
                                          : t.value[i * 3 + j] == want[i][j]);
    }
    assert_true(run_table_find(&t, "step") == SIZE_MAX);
    run_table_free(&t);
    struct err err = {0};
    assert_int_equal(run_table_read(&t, at("none"), &err), ERR_MISSING);
    put("bad.jsonl", "{\"step\":1}\n{\"loss\":1}\n");
    assert_int_equal(run_table_read(&t, at("bad.jsonl"), &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "bad.jsonl:2: row: \"step\" is missing"));
    put("empty.jsonl", "");
    assert_int_equal(run_table_read(&t, at("empty.jsonl"), NULL), OK);
    assert_int_equal(t.n, 0);
    run_table_free(&t);
}

/* Whichever allocation of an opening fails, it is said, the lock is given
 * back and a second try succeeds. */
static void test_memory(void **state)
{
    (void)state;
    whole_run("a");
    enum status status = ERR_MEMORY;
    long n = 0;
    for (; status != OK; n++) {
        struct run r = {0};
        struct err err = {0};
        fake_time = 0;
        mem_fail_at(n);
        status = run_open(&r, at("a"), RUN_RESUME, CONFIG, fake_clock, &err);
        mem_fail_at(-1);
        assert_true(status == OK || status == ERR_MEMORY);
        run_close(&r);
    }
    assert_true(n > 30);
    whole_run("b");
    check_same("a/metrics.jsonl", "b/metrics.jsonl");
    check_same("a/" EVENTS, "b/" EVENTS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_log_bytes), TEST(test_resume),     TEST(test_modes),
        TEST(test_strangers), TEST(test_lock),       TEST(test_complete),
        TEST(test_recovery),  TEST(test_find_model), TEST(test_table),
        TEST(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
