/* test_file.c - whole files in and out, trees, paths, hashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

static char root[FILE_PATH_MAX];

static const char *at(const char *name)
{
    static char path[4][FILE_PATH_MAX];
    static int next;
    next = (next + 1) % 4;
    assert_int_equal(file_join(path[next], root, name, NULL), OK);
    return path[next];
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

static void test_write_then_read(void **state)
{
    (void)state;
    const char *path = at("data");
    assert_int_equal(file_write(path, "a\0bc", 4, NULL), OK);
    assert_int_equal(file_write(path, "other", 5, NULL), OK);
    struct file_map map;
    assert_int_equal(file_map(&map, path, NULL), OK);
    assert_int_equal(map.len, 5);
    assert_memory_equal(map.data, "other", 5);
    file_unmap(&map);
    assert_null(map.data);

    struct buf b;
    buf_init(&b, 8);
    buf_puts(&b, "x:");
    assert_int_equal(file_read(&b, path, NULL), OK);
    assert_string_equal(b.data, "x:other");
    struct err err = {0};
    assert_int_equal(file_read(&b, path, &err), ERR_LIMIT);
    buf_free(&b);

    /* No temporary file is left, whether writing works or not. */
    struct file_list list;
    assert_int_equal(file_list(&list, root, NULL), OK);
    assert_int_equal(list.n, 1);
    file_list_free(&list);
    assert_int_equal(file_make_dir(at("dir"), NULL), OK);
    assert_int_equal(file_write(at("dir"), "x", 1, &err), ERR_IO);
    assert_false(file_exists(at(".dir.tmp")));
    assert_int_equal(file_write(at("none/x"), "x", 1, &err), ERR_IO);
    assert_non_null(strstr(err.text, "No such file"));
}

/* In pieces: the old bytes stand until the end, and after a failure. */
static void test_writer(void **state)
{
    (void)state;
    struct file_writer w;
    struct err err = {0};
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(file_write(at("x"), "old", 3, NULL), OK);
    assert_int_equal(file_create(&w, at("x"), NULL), OK);
    assert_int_equal(file_put(&w, "ne", 2, NULL), OK);
    assert_int_equal(file_finish(&w, ERR_NUMERIC, &err), ERR_NUMERIC);
    assert_int_equal(err.code, OK); // the caller's failure, the caller's words
    assert_int_equal(file_read(&b, at("x"), NULL), OK);
    assert_string_equal(b.data, "old");
    assert_false(file_exists(at(".x.tmp")));

    assert_int_equal(file_create(&w, at("x"), NULL), OK);
    assert_int_equal(file_put(&w, "n", 1, NULL), OK);
    assert_int_equal(file_put(&w, NULL, 0, NULL), OK);
    assert_int_equal(file_put(&w, "ew", 2, NULL), OK);
    assert_int_equal(file_finish(&w, OK, NULL), OK);
    buf_clear(&b);
    assert_int_equal(file_read(&b, at("x"), NULL), OK);
    assert_string_equal(b.data, "new");

    /* Neither a pipe nor a directory gives way to a file. */
    struct stat st;
    assert_int_equal(mkfifo(at("pipe"), 0600), 0);
    assert_int_equal(file_write(at("pipe"), "x", 1, &err), ERR_IO);
    assert_non_null(strstr(err.text, "no regular file"));
    assert_int_equal(stat(at("pipe"), &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_int_equal(file_write(root, "x", 1, &err), ERR_IO);

    /* A link under the temporary name is not written through. */
    assert_int_equal(symlink(at("x"), at(".y.tmp")), 0);
    assert_int_equal(file_write(at("y"), "other", 5, NULL), OK);
    buf_clear(&b);
    assert_int_equal(file_read(&b, at("x"), NULL), OK);
    assert_string_equal(b.data, "new");
    buf_free(&b);
}

/* A pipe or device in a file's place is refused at once, by whatever reads;
 * the alarm ends a test that waits for a writer. */
static void test_no_file(void **state)
{
    (void)state;
    struct err err = {0};
    struct file_map map;
    struct buf b;
    char hash[65];
    int fd;
    (void)alarm(20);
    assert_int_equal(mkfifo(at("pipe"), 0600), 0);
    assert_int_equal(symlink("/dev/zero", at("device")), 0);
    static const char *const name[] = {"pipe", "device"};
    for (size_t i = 0; i < 2; i++) {
        buf_init(&b, 100);
        assert_int_equal(file_read(&b, at(name[i]), &err), ERR_IO);
        assert_non_null(strstr(err.text, "is not a regular file"));
        assert_non_null(strstr(err.text, name[i]));
        assert_int_equal(b.len, 0);
        assert_int_equal(file_open(&fd, at(name[i]), NULL), ERR_IO);
        assert_int_equal(file_map(&map, at(name[i]), NULL), ERR_IO);
        assert_int_equal(file_hash(hash, at(name[i]), NULL), ERR_IO);
        buf_free(&b);
    }
    assert_int_equal(file_open(&fd, root, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "is a directory"));
    /* What the program was handed may be a pipe. */
    int end[2];
    char path[64];
    assert_int_equal(pipe(end), 0);
    assert_int_equal(write(end[1], "text", 4), 4);
    close(end[1]);
    snprintf(path, sizeof path, "/dev/fd/%d", end[0]);
    buf_init(&b, 100);
    assert_int_equal(file_read(&b, path, NULL), OK);
    assert_string_equal(buf_text(&b), "text");
    buf_free(&b);
    close(end[0]);
    (void)alarm(0);
}

/* Absent is one thing, not to be told another. */
static void test_need(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(file_write(at("x"), "", 0, NULL), OK);
    assert_int_equal(file_need(at("x"), &err), OK);
    assert_int_equal(file_need(root, &err), OK);
    assert_int_equal(file_need(at("y"), &err), ERR_MISSING);
    assert_int_equal(file_need(at("x/y"), &err), ERR_MISSING);
    assert_int_equal(symlink("circle", at("circle")), 0);
    assert_int_equal(file_need(at("circle"), &err), ERR_IO);
    assert_non_null(strstr(err.text, "cannot read"));
    assert_false(file_exists(at("circle")));
    assert_true(file_holds(root, "x") && file_holds("", root));
    assert_false(file_holds(root, "y") || file_holds(at("x"), "x"));
    assert_true(file_ends_with("a.gguf", ".gguf") && file_ends_with("a", ""));
    assert_false(file_ends_with("guf", ".gguf"));
    assert_false(file_ends_with("a.gguf.tmp", ".gguf"));
}

static void test_empty_absent_and_odd(void **state)
{
    (void)state;
    assert_int_equal(file_write(at("empty"), NULL, 0, NULL), OK);
    struct file_map map;
    assert_int_equal(file_map(&map, at("empty"), NULL), OK);
    assert_null(map.data);
    assert_int_equal(map.len, 0);
    file_unmap(&map);
    struct buf b;
    buf_init(&b, 0);
    assert_int_equal(file_read(&b, at("empty"), NULL), OK);
    buf_free(&b);
    struct err err = {0};
    assert_int_equal(file_map(&map, at("absent"), &err), ERR_IO);
    assert_int_equal(file_map(&map, root, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "is a directory, not a file"));
    buf_init(&b, 10);
    assert_int_equal(file_read(&b, root, &err), ERR_FORMAT);
    buf_free(&b);
    char hash[65];
    assert_int_equal(file_hash(hash, at("absent"), &err), ERR_IO);
    assert_int_equal(file_truncate(at("absent"), 3, &err), ERR_IO);
    struct file_list list;
    assert_int_equal(file_list(&list, at("absent"), &err), ERR_IO);
}

static void test_truncate_and_rename(void **state)
{
    (void)state;
    assert_int_equal(file_write(at("a"), "0123456789", 10, NULL), OK);
    assert_int_equal(file_truncate(at("a"), 4, NULL), OK);
    assert_int_equal(file_rename(at("a"), at("b"), NULL), OK);
    assert_false(file_exists(at("a")));
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(file_read(&b, at("b"), NULL), OK);
    assert_string_equal(b.data, "0123");
    buf_free(&b);
    assert_int_equal(file_sync(at("b"), NULL), OK);
    assert_int_equal(file_sync(at("a"), NULL), ERR_IO);
}

static void test_trees(void **state)
{
    (void)state;
    assert_int_equal(file_make_dir(at("t/u/v"), NULL), OK);
    assert_int_equal(file_make_dir(at("t/u/v/"), NULL), OK);
    assert_true(file_is_dir(at("t/u/v")));
    assert_int_equal(file_write(at("t/u/file"), "x", 1, NULL), OK);
    assert_int_equal(file_make_dir(at("t/u/file/w"), NULL), ERR_IO);
    assert_int_equal(file_write(at("kept"), "x", 1, NULL), OK);
    /* A link is removed, not what it points to. */
    assert_int_equal(symlink(at("kept"), at("t/link")), 0);
    assert_int_equal(symlink(root, at("t/up")), 0);
    assert_int_equal(file_remove(at("t"), NULL), OK);
    assert_false(file_exists(at("t")));
    assert_true(file_exists(at("kept")));
    assert_int_equal(file_remove(at("t"), NULL), OK);
}

static void test_list_is_sorted(void **state)
{
    (void)state;
    static const char *const names[] = {"l/b", "l/a", "l/000010", "l/000009",
                                        "l/Z"};
    static const char *const want[] = {"000009", "000010", "Z", "a", "b"};
    assert_int_equal(file_make_dir(at("l"), NULL), OK);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(file_write(at(names[i]), "", 0, NULL), OK);
    struct file_list list;
    assert_int_equal(file_list(&list, at("l"), NULL), OK);
    assert_int_equal(list.n, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(list.name[i], want[i]);
    file_list_free(&list);
    for (long n = 0; n < 6; n++) {
        struct err err = {0};
        mem_fail_at(n);
        assert_int_equal(file_list(&list, at("l"), &err), ERR_MEMORY);
    }
    mem_fail_at(-1);
}

static void test_paths(void **state)
{
    (void)state;
    static const char *const join[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"},
        {"a", "/b", "/b"}, {"/", "b", "/b"},
    };
    char out[FILE_PATH_MAX];
    for (size_t i = 0; i < sizeof join / sizeof *join; i++) {
        assert_int_equal(file_join(out, join[i][0], join[i][1], NULL), OK);
        assert_string_equal(out, join[i][2]);
    }
    static const char *const dir[][2] = {
        {"a/b", "a"},  {"a", "."},    {"/a", "/"}, {"/", "/"},
        {"a//b", "a"}, {"a/b/", "a"}, {"", "."},   {"//a", "/"},
    };
    for (size_t i = 0; i < sizeof dir / sizeof *dir; i++) {
        assert_int_equal(file_dirname(out, dir[i][0], NULL), OK);
        assert_string_equal(out, dir[i][1]);
    }
    char name[FILE_PATH_MAX + 10];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct err err = {0};
    assert_int_equal(file_join(out, "a", name, &err), ERR_LIMIT);
    assert_int_equal(file_make_dir(name, &err), ERR_LIMIT);
    assert_int_equal(file_write(name, "", 0, &err), ERR_LIMIT);
}

static void test_relative(void **state)
{
    (void)state;
    assert_int_equal(file_make_dir(at("D/ppo"), NULL), OK);
    assert_int_equal(symlink(at("D"), at("link")), 0);
    static const char *const cases[][3] = {
        {"D/ppo", "D/sft", "../sft"},
        {"D/ppo", "D/ppo", "."},
        {"D/ppo", "D", ".."},
        {"D", "D/ppo/x/y", "ppo/x/y"},
        {"D/ppo", "D/pp", "../pp"},
        {"D/pp", "D/ppo", "../ppo"},
        {"link/ppo", "D/sft/./a/../b", "../sft/b"},
        {"no/where", "D", "../../D"},
    };
    char out[FILE_PATH_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(
            file_relative(out, at(cases[i][0]), at(cases[i][1]), NULL), OK);
        assert_string_equal(out, cases[i][2]);
    }
    assert_int_equal(file_relative(out, "/", "/tmp", NULL), OK);
    assert_string_equal(out, "tmp");
    assert_int_equal(file_relative(out, "/tmp", "/", NULL), OK);
    assert_string_equal(out, "..");
    assert_int_equal(file_relative(out, ".", "x", NULL), OK);
    assert_string_equal(out, "x");
}

/* FIPS 180-2, appendix B: "abc" and a million times "a". */
static void test_hash(void **state)
{
    (void)state;
    char hash[65];
    file_hash_bytes(hash, "abc", 3);
    assert_string_equal(
        hash,
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    char *many = mem_calloc(1000000, 1);
    assert_non_null(many);
    memset(many, 'a', 1000000);
    assert_int_equal(file_write(at("million"), many, 1000000, NULL), OK);
    mem_free(many);
    assert_int_equal(file_hash(hash, at("million"), NULL), OK);
    assert_string_equal(
        hash,
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write_then_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_writer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_need, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_empty_absent_and_odd, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_truncate_and_rename, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_trees, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_list_is_sorted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_paths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_relative, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hash, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
