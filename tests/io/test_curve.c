/*
 * test_curve.c - a log that grows, is cut and is replaced, and its index.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "io/curve.h"

static char dir[] = "/tmp/test_curve.XXXXXX";
static char log_path[FILE_PATH_MAX], index_path[FILE_PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(file_join(log_path, dir, "metrics.jsonl", NULL), OK);
    assert_int_equal(file_join(index_path, dir, ".plumb-index", NULL), OK);
    unlink(log_path);
    unlink(index_path);
    return 0;
}

static void append(const char *text)
{
    FILE *f = fopen(log_path, "a");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* The metrics of a step: one that rises, one with a spike at 777, one that is
 * there on odd steps only. */
static void append_rows(int64_t from, int64_t to)
{
    FILE *f = fopen(log_path, "a");
    assert_non_null(f);
    for (int64_t i = from; i <= to; i++)
        assert_true(fprintf(f,
                            "{\"step\":%lld,\"up\":%lld.5,\"spike\":%d,"
                            "\"odd\":%s}\n",
                            (long long)i, (long long)i, i == 777 ? 1000 : 1,
                            i % 2 ? "1" : "null") > 0);
    assert_int_equal(fclose(f), 0);
}

static struct curve *open_curve(const char *index)
{
    struct curve *c = NULL;
    assert_int_equal(curve_open(&c, log_path, index, NULL), OK);
    return c;
}

/* Read all there is; returns what happened on the way. */
static unsigned poll_all(struct curve *c)
{
    unsigned all = 0, what;
    do {
        assert_int_equal(curve_poll(c, 65536, &what, NULL), OK);
        all |= what;
    } while (what & CURVE_MORE);
    return all & ~CURVE_MORE;
}

static struct curve_facts facts(const struct curve *c)
{
    struct curve_facts f;
    curve_facts(&f, c);
    return f;
}

static void test_tail(void **state)
{
    (void)state;
    struct curve *c = open_curve(NULL);
    assert_int_equal(poll_all(c), 0); // not there yet
    append(
        "{\"step\":1,\"a\":2,\"text\":\"x\",\"b\":[1,{}]}\n{\"step\":2,\"a\"");
    assert_int_equal(poll_all(c), CURVE_ROWS);
    assert_int_equal(facts(c).rows, 1);
    assert_int_equal(facts(c).n, 1);
    assert_true(curve_now(c, curve_find(c, "a")) == 2);
    assert_int_equal(poll_all(c), 0); // half a line waits
    append(":3}\n");
    assert_int_equal(poll_all(c), CURVE_ROWS);
    assert_int_equal(facts(c).rows, 2);
    assert_int_equal(facts(c).skipped, 0);
    assert_true(curve_now(c, 0) == 3);
    append("{\"step\":3,\"a\":null}\n");
    assert_int_equal(poll_all(c), CURVE_ROWS);
    assert_true(isnan(curve_now(c, 0)));
    curve_close(c);
}

static void test_hostile_lines(void **state)
{
    (void)state;
    struct curve *c = open_curve(NULL);
    char *long_line = mem_calloc(CURVE_LINE_MAX * 3 + 2, 1);
    assert_non_null(long_line);
    memset(long_line, 'x', CURVE_LINE_MAX * 3);
    long_line[CURVE_LINE_MAX * 3] = '\n';
    append("{\"step\":1,\"a\":1}\n\nnot json\n[1]\n{\"a\":5}\n{\"step\":-4}\n");
    append("{\"step\":1,\"a\":9}\n{\"step\":1e300,\"evil\":9}\n{\"step\":\"2\"}"
           "\n");
    append(long_line);
    append("{\"step\":2,\"a\":2}\n");
    mem_free(long_line);
    poll_all(c);
    assert_int_equal(facts(c).rows, 2);
    assert_int_equal(facts(c).skipped, 8);
    assert_int_equal(facts(c).n, 1); // what a bad line names is not known
    assert_true(curve_now(c, 0) == 2);
    curve_close(c);
}

static void test_many_names(void **state)
{
    (void)state;
    struct curve *c = open_curve(NULL);
    FILE *f = fopen(log_path, "a");
    for (int i = 0; i < 3; i++) {
        fprintf(f, "{\"step\":%d", i + 1);
        for (int k = 0; k < 1000; k++)
            fprintf(f, ",\"metric/%d\":%d", k, k + i);
        fprintf(f, "}\n");
    }
    fclose(f);
    poll_all(c);
    assert_int_equal(facts(c).n, CURVE_NAMES_MAX);
    assert_true(curve_now(c, 255) == 257);
    curve_close(c);
}

/* Cut back to a checkpoint and gone on differently: the same length. */
static void test_replaced(void **state)
{
    (void)state;
    struct curve *c = open_curve(NULL);
    append(
        "{\"step\":1,\"a\":1}\n{\"step\":2,\"a\":2}\n{\"step\":3,\"a\":3}\n");
    assert_int_equal(poll_all(c), CURVE_ROWS | CURVE_RESET * 0);
    assert_int_equal(truncate(log_path, 34), 0);
    assert_int_equal(poll_all(c), CURVE_RESET | CURVE_ROWS);
    assert_int_equal(facts(c).last, 2);
    append("{\"step\":3,\"a\":4}\n");
    assert_int_equal(poll_all(c), CURVE_ROWS);
    assert_true(curve_now(c, 0) == 4);
    assert_int_equal(truncate(log_path, 34), 0);
    append("{\"step\":3,\"a\":5}\n{\"step\":4,\"a\":6}\n");
    assert_int_equal(poll_all(c), CURVE_RESET | CURVE_ROWS);
    assert_int_equal(facts(c).rows, 4);
    assert_true(curve_now(c, 0) == 6);
    unlink(log_path);
    assert_int_equal(poll_all(c), CURVE_RESET);
    assert_int_equal(facts(c).rows, 0);
    curve_close(c);
}

static struct curve_view view(const struct curve *c, int64_t from, int64_t to,
                              size_t points)
{
    struct curve_view v;
    const size_t metric[] = {curve_find(c, "up"), curve_find(c, "spike"),
                             curve_find(c, "odd"), SIZE_MAX};
    const struct curve_ask ask = {from, to, points, metric, 4};
    assert_int_equal(curve_view(&v, c, &ask, NULL), OK);
    assert_true(v.n <= points);
    return v;
}

/* However coarse: the spike shows, the last is the last, no row is lost. */
static void check_views(const struct curve *c, int64_t rows)
{
    for (size_t points = 2; points <= 512; points *= 4) {
        struct curve_view v = view(c, 0, INT64_MAX, points);
        float top = 0, last = -1;
        for (size_t i = 0; i < v.n; i++) {
            top = fmaxf(top, v.high[v.n + i]);
            assert_true(v.low[i] > last); // pieces in order, none overlaps
            last = v.high[i];
            assert_true(v.last[i] == v.high[i]);
            assert_true(isnan(v.last[3 * v.n + i]));
        }
        assert_true(top == 1000);
        assert_int_equal(v.step[v.n - 1], rows);
        assert_true(v.last[v.n - 1] == (float)rows + 0.5F);
        assert_true(v.low[0] == 1.5F);
        curve_view_free(&v);
    }
}

static void test_decimated(void **state)
{
    (void)state;
    struct curve *c = open_curve(NULL);
    append_rows(1, 1000);
    poll_all(c);
    struct curve_view v = view(c, 10, 19, 100);
    assert_int_equal(v.n, 10); // every row while there are few
    assert_int_equal(v.rows, 1);
    assert_int_equal(v.step[0], 10);
    assert_true(isnan(v.last[2 * v.n]) && v.last[2 * v.n + 1] == 1);
    curve_view_free(&v);
    check_views(c, 1000);
    append_rows(1001, 10000);
    poll_all(c);
    check_views(c, 10000);
    assert_int_equal(facts(c).rows, 10000);
    curve_close(c);
}

static void test_zoomed_from_log(void **state)
{
    (void)state;
    struct curve *c = open_curve(NULL);
    static const char *const name[] = {"spike", "no such", "up"};
    const size_t metric[] = {1, SIZE_MAX, 0};
    struct curve_ask ask = {700, 799, 500, metric, 3};
    struct curve_part part;
    struct curve_view v;
    append_rows(1, 20000);
    poll_all(c);
    assert_true(curve_wants_log(&part, c, &ask));
    assert_int_equal(curve_view_log(&v, log_path, &part, &ask, name, NULL), OK);
    assert_int_equal(v.n, 100);
    assert_int_equal(v.rows, 1);
    for (size_t i = 0; i < v.n; i++) {
        assert_int_equal(v.step[i], 700 + (int64_t)i);
        assert_true(v.last[i] == (i == 77 ? 1000 : 1));
        assert_true(isnan(v.last[v.n + i]));
        assert_true(v.low[2 * v.n + i] == 700.5F + (float)i);
    }
    curve_view_free(&v);
    ask.from = 0;
    ask.to = INT64_MAX;
    assert_false(curve_wants_log(&part, c, &ask)); // buckets do
    curve_close(c);
}

static void check_same(const struct curve *a, const struct curve *b)
{
    struct curve_view x = view(a, 0, INT64_MAX, 100);
    struct curve_view y = view(b, 0, INT64_MAX, 100);
    assert_int_equal(x.n, y.n);
    assert_memory_equal(x.step, y.step, x.n * sizeof *x.step);
    assert_memory_equal(x.low, y.low, 3 * x.n * sizeof *x.low);
    assert_memory_equal(x.high, y.high, 3 * x.n * sizeof *x.high);
    assert_memory_equal(x.last, y.last, 3 * x.n * sizeof *x.last);
    curve_view_free(&x);
    curve_view_free(&y);
}

/* From an index and what came since, it is as if all had been read. */
static void test_index(void **state)
{
    (void)state;
    struct curve *c = open_curve(index_path);
    append_rows(1, 12000);
    poll_all(c);
    assert_true(curve_wants_save(c));
    assert_int_equal(curve_save(c, NULL), OK);
    assert_false(curve_wants_save(c));
    curve_close(c);
    append_rows(12001, 12345);
    c = open_curve(index_path);
    assert_true(facts(c).from_index);
    assert_int_equal(facts(c).rows, 12000);
    assert_int_equal(poll_all(c), CURVE_ROWS);
    assert_true(facts(c).from_index);
    struct curve *plain = open_curve(NULL);
    poll_all(plain);
    check_same(c, plain);
    assert_int_equal(facts(c).bytes, facts(plain).bytes);
    curve_close(c);
    curve_close(plain);
}

/* One that is of another log, of another version, or damaged anywhere. */
static void test_index_that_does_not_match(void **state)
{
    (void)state;
    struct curve *c = open_curve(index_path);
    struct buf file;
    append_rows(1, 5000);
    poll_all(c);
    assert_int_equal(curve_save(c, NULL), OK);
    curve_close(c);

    buf_init(&file, 1 << 24);
    assert_int_equal(file_read(&file, index_path, NULL), OK);
    for (size_t i = 0; i < file.len; i += 97) {
        struct curve *d = open_curve(NULL);
        file.data[i] = (char)(file.data[i] ^ 1);
        assert_int_equal(curve_take_index(d, file.data, file.len, NULL),
                         ERR_FORMAT);
        file.data[i] = (char)(file.data[i] ^ 1);
        curve_close(d);
    }
    for (size_t n = 0; n < file.len; n += 1013) {
        struct curve *d = open_curve(NULL);
        assert_int_equal(curve_take_index(d, file.data, n, NULL), ERR_FORMAT);
        curve_close(d);
    }
    buf_free(&file);

    /* Another run of the same length in its place. */
    assert_int_equal(unlink(log_path), 0);
    append_rows(2, 5001);
    c = open_curve(index_path);
    assert_int_equal(poll_all(c), CURVE_RESET | CURVE_ROWS);
    assert_false(facts(c).from_index);
    assert_int_equal(facts(c).first, 2);
    curve_close(c);
}

/* Nothing is locked or written but the index, and that need not be. */
static void test_only_reads(void **state)
{
    (void)state;
    append_rows(1, 9000);
    int fd = open(log_path, O_RDWR);
    struct stat before, after;
    assert_true(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
    assert_int_equal(chmod(log_path, 0400), 0);
    assert_int_equal(fstat(fd, &before), 0);
    /* A file is no folder, whoever asks. */
    char nowhere[FILE_PATH_MAX];
    assert_int_equal(file_join(nowhere, log_path, ".plumb-index", NULL), OK);
    struct curve *c = open_curve(nowhere);
    poll_all(c);
    assert_int_equal(facts(c).rows, 9000);
    assert_int_equal(curve_save(c, NULL), ERR_IO);
    assert_int_equal(fstat(fd, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    /* Whoever wants the lock after us gets it. */
    assert_int_equal(flock(fd, LOCK_UN), 0);
    int other = open(log_path, O_RDONLY);
    assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
    close(other);
    close(fd);
    curve_close(c);
}

/* A log beyond CURVE_RAW_MAX has a second, finer level. */
static void test_long(void **state)
{
    (void)state;
    struct curve *c = open_curve(index_path);
    append_rows(1, 800000);
    poll_all(c);
    assert_true(facts(c).bytes > CURVE_RAW_MAX);
    check_views(c, 800000);
    struct curve_view v = view(c, 100000, 199999, CURVE_POINTS_MAX);
    assert_true(v.n > 1000);
    curve_view_free(&v);
    assert_int_equal(curve_save(c, NULL), OK);
    struct curve *d = open_curve(index_path);
    assert_true(facts(d).from_index);
    check_same(c, d);
    curve_close(c);
    curve_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_tail, set_up),
        cmocka_unit_test_setup(test_hostile_lines, set_up),
        cmocka_unit_test_setup(test_many_names, set_up),
        cmocka_unit_test_setup(test_replaced, set_up),
        cmocka_unit_test_setup(test_decimated, set_up),
        cmocka_unit_test_setup(test_zoomed_from_log, set_up),
        cmocka_unit_test_setup(test_index, set_up),
        cmocka_unit_test_setup(test_index_that_does_not_match, set_up),
        cmocka_unit_test_setup(test_only_reads, set_up),
        cmocka_unit_test_setup(test_long, set_up),
    };
    if (mkdtemp(dir) == NULL)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += file_remove(dir, NULL) != OK;
    return failed;
}
