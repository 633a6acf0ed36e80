/*
 * test_hub.c - a made-up cache: what is found in it, what is said of what is
 * not, and that no name and no file of refs/ leads out of it.
 */
#define _XOPEN_SOURCE 700

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/hub.h"
#include "io/run.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define OTHER "89abcdef0123456789abcdef0123456789abcdef"

static char root[FILE_PATH_MAX];

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

/* A folder with a model, one with GGUF files only, and one without weights. */
static int set_up(void **state)
{
    (void)state;
    char dir[] = "/tmp/plumb-test-XXXXXX";
    if (!mkdtemp(dir) || file_join(root, "", dir, NULL) != OK)
        return -1;
    put("hub/models--org--m/refs/main", COMMIT);
    put("hub/models--org--m/refs/v2", OTHER "\n");
    put("hub/models--org--m/refs/bad", "../../../../secret");
    put("hub/models--org--m/refs/long", COMMIT COMMIT COMMIT COMMIT);
    put("hub/models--org--m/refs/gone",
        "ffffffffffffffffffffffffffffffffffffffff");
    put("hub/models--org--m/snapshots/" COMMIT "/config.json", "{}");
    put("hub/models--org--m/blobs/1", "weights");
    if (symlink("../../blobs/1", at("hub/models--org--m/snapshots/" COMMIT
                                    "/model.safetensors")) != 0)
        return -1;
    put("hub/models--org--m/snapshots/" OTHER "/tokenizer.json", "{}");
    put("hub/models--gpt2/refs/main", COMMIT);
    put("hub/models--gpt2/snapshots/" COMMIT "/one.gguf", "GGUF");
    put("hub/models--org--q/refs/main", COMMIT);
    put("hub/models--org--q/snapshots/" COMMIT "/a-q8.gguf", "GGUF");
    put("hub/models--org--q/snapshots/" COMMIT "/b-q4.gguf", "GGUF");
    return setenv("HF_HUB_CACHE", at("hub"), 1);
}

static int tear_down(void **state)
{
    (void)state;
    unsetenv("HF_HUB_CACHE");
    return file_remove(root, NULL) == OK ? 0 : -1;
}

/* A name is found at `wanted`, a path below the cache. */
static void finds(const char *name, const char *wanted)
{
    char out[FILE_PATH_MAX] = "";
    struct err err = {OK, ""};
    if (run_find_model(out, name, NULL, &err) != OK)
        fail_msg("%s: %s", name, err.text);
    char path[FILE_PATH_MAX];
    assert_int_equal(file_join(path, at("hub"), wanted, NULL), OK);
    assert_string_equal(out, path);
}

/* A name is refused, with `text` at the end of what is said. */
static void refuses(const char *name, enum status code, const char *text)
{
    char out[FILE_PATH_MAX] = "untouched";
    struct err err = {OK, ""};
    enum status status = run_find_model(out, name, NULL, &err);
    if (status != code)
        fail_msg("%s: status %d, '%s'", name, (int)status, err.text);
    size_t n = strlen(err.text), m = strlen(text);
    if (n < m || strcmp(err.text + n - m, text) != 0)
        fail_msg("'%s' does not end in '%s'", err.text, text);
    assert_string_equal(out, "untouched");
}

static void test_found(void **state)
{
    (void)state;
    finds("org/m", "models--org--m/snapshots/" COMMIT);
    finds("hf:org/m", "models--org--m/snapshots/" COMMIT);
    finds("hf:org/m@" COMMIT, "models--org--m/snapshots/" COMMIT);
    finds("hf:gpt2", "models--gpt2/snapshots/" COMMIT "/one.gguf");
    finds("hf:org/q:b-q4.gguf",
          "models--org--q/snapshots/" COMMIT "/b-q4.gguf");
    char out[FILE_PATH_MAX];
    assert_int_equal(run_find_tokenizer(out, "hf:org/m@v2", NULL), OK);
    assert_string_equal(out, at("hub/models--org--m/snapshots/" OTHER));
}

static void test_absent(void **state)
{
    (void)state;
    refuses("org/none", ERR_MISSING, "; hf download org/none");
    refuses("hf:none", ERR_MISSING, "; hf download none");
    refuses("hf:org/m@v3", ERR_MISSING, "; hf download org/m --revision v3");
    refuses("hf:org/m@" OTHER "0", ERR_MISSING,
            "; hf download org/m --revision " OTHER "0");
    refuses("hf:org/m@gone", ERR_MISSING,
            "; hf download org/m --revision gone");
    /* A snapshot that was fetched in part. */
    refuses("hf:org/m@v2", ERR_MISSING, "; hf download org/m --revision v2");
    refuses("hf:org/q:c.gguf", ERR_MISSING, "; hf download org/q c.gguf");
    refuses("org/q", ERR_ARG,
            "holds 2 GGUF files (a-q8.gguf, b-q4.gguf); write "
            "hf:org/q:FILE.gguf");
    refuses("nowhere", ERR_MISSING, "does not exist");
    assert_int_equal(file_remove(at("hub/models--org--m/blobs/1"), NULL), OK);
    refuses("org/m", ERR_MISSING, "; hf download org/m");
    put("hub/models--org--m/blobs/1", "weights");
}

static void test_hostile(void **state)
{
    (void)state;
    refuses("hf:org/m@bad", ERR_FORMAT, "refs/bad does not hold a commit");
    refuses("hf:org/m@long", ERR_FORMAT, "refs/long does not hold a commit");
    static const char *const wrong[] = {
        "hf:",
        "hf:/",
        "hf:../m",
        "hf:org/..",
        "hf:org/m@",
        "hf:org/m@../x",
        "hf:org/m@a/b",
        "hf:a/b/c",
        "hf:org--x/m",
        "hf:org/m:x",
        "hf:org/m:../x.gguf",
        "hf:org/m:/x.gguf",
        "hf:org/.m",
        "hf:org/m.",
        "hf:org/m m",
        "hf:org/a..b",
        "hf:org/m@a..b",
        "hf:-org/m",
    };
    struct hub_name name;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (hub_parse(&name, wrong[i], NULL) != ERR_ARG)
            fail_msg("%s is taken for a name", wrong[i]);
    char text[400] = "hf:";
    memset(text + 3, 'a', 96);
    assert_int_equal(hub_parse(&name, text, NULL), OK);
    text[3 + 96] = 'a';
    assert_int_equal(hub_parse(&name, text, NULL), ERR_ARG);
}

/* The longest names leave the command whole. */
static void test_long_message(void **state)
{
    (void)state;
    char part[HUB_PART_MAX] = "", text[HUB_TEXT_MAX], end[HUB_TEXT_MAX];
    memset(part, 'a', HUB_PART_MAX - 1);
    snprintf(text, sizeof text, "hf:%s/%s@%s", part, part, part);
    snprintf(end, sizeof end, "; hf download %s/%s --revision %s", part, part,
             part);
    refuses(text, ERR_MISSING, end);
}

/* A path that is there wins over a repository; ORG/NAME below a folder that
 * is there is a path too. */
static void test_paths(void **state)
{
    (void)state;
    assert_true(hub_is_meant("", "org/m"));
    assert_true(hub_is_meant(root, "hf:org/m"));
    assert_false(hub_is_meant("", "org"));
    assert_false(hub_is_meant("", "./org/m"));
    assert_false(hub_is_meant("", "/org/m"));
    assert_false(hub_is_meant("", "org/m/x"));
    assert_false(hub_is_meant(root, "hub/models--gpt2"));
    put("here/x", "");
    assert_false(hub_is_meant(root, "here/none"));
    assert_false(hub_is_meant(root, "here/x"));
    assert_true(hub_is_meant("", "here/x"));
}

static void test_print(void **state)
{
    (void)state;
    static const char *const names[] = {"hf:gpt2", "hf:org/m@v2",
                                        "hf:org/m@v2:x.gguf", "hf:m:x.gguf"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct hub_name name;
        char text[HUB_TEXT_MAX];
        assert_int_equal(hub_parse(&name, names[i], NULL), OK);
        hub_print(text, &name);
        assert_string_equal(text, names[i]);
    }
}

/* Which variable says where the cache is. */
static void test_cache(void **state)
{
    (void)state;
    static const char *const variable[] = {"HF_HUB_CACHE", "HF_HOME",
                                           "XDG_CACHE_HOME", "HOME"};
    static const char *const wanted[] = {"/c", "/h/hub", "/x/huggingface/hub",
                                         "/u/.cache/huggingface/hub"};
    static const char *const value[] = {"/c", "/h", "/x", "/u"};
    char old[4][FILE_PATH_MAX] = {"", "", "", ""}, out[FILE_PATH_MAX];
    for (size_t i = 0; i < 4; i++) {
        const char *now = getenv(variable[i]);
        snprintf(old[i], sizeof old[i], "%s", now ? now : "");
        setenv(variable[i], value[i], 1);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(hub_cache(out, NULL), OK);
        assert_string_equal(out, wanted[i]);
        setenv(variable[i], "", 1); // as good as unset
    }
    assert_int_equal(hub_cache(out, NULL), ERR_MISSING);
    for (size_t i = 0; i < 4; i++)
        setenv(variable[i], old[i], 1);
}

/* ~ and variables in the variable's value, by Python's expanduser() and
 * expandvars(): what is not known stays. */
static void test_expanded(void **state)
{
    (void)state;
    static const struct {
        const char *value, *wanted;
    } row[] = {
        {"~", "/u"},
        {"~/c", "/u/c"},
        {"~c", "~c"},
        {"/a~", "/a~"},
        {"$HOME/c", "/u/c"},
        {"/x${PLUMB_TEST}y$PLUMB_TEST/z", "/xvalyval/z"},
        {"~/$PLUMB_TEST", "/u/val"},
        {"/$PLUMB_TESTY/${PLUMB_NONE}", "/$PLUMB_TESTY/${PLUMB_NONE}"},
        {"/${HOME", "/${HOME"},
        {"/$/${}$", "/$/${}$"},
        {"/$PLUMB_DOLLAR", "/$HOME"}, // once only
    };
    char home[FILE_PATH_MAX], out[FILE_PATH_MAX];
    snprintf(home, sizeof home, "%s", getenv("HOME") ? getenv("HOME") : "");
    setenv("HOME", "/u", 1);
    setenv("PLUMB_TEST", "val", 1);
    setenv("PLUMB_DOLLAR", "$HOME", 1);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        setenv("HF_HUB_CACHE", row[i].value, 1);
        assert_int_equal(hub_cache(out, NULL), OK);
        assert_string_equal(out, row[i].wanted);
    }
    setenv("HF_HUB_CACHE", "", 1);
    setenv("HF_HOME", "~/h", 1);
    assert_int_equal(hub_cache(out, NULL), OK);
    assert_string_equal(out, "/u/h/hub");
    static char far[2 * FILE_PATH_MAX];
    memset(far, 'a', sizeof far - 1);
    setenv("HF_HOME", far, 1);
    assert_int_equal(hub_cache(out, NULL), ERR_LIMIT);
    unsetenv("HF_HOME");
    setenv("HF_HUB_CACHE", at("hub"), 1);
    setenv("HOME", home, 1);
}

static void test_hashes(void **state)
{
    (void)state;
    char hash[65], parts[65], one[65], two[65], both[129];
    put("sharded/config.json", "{}");
    put("sharded/model.safetensors.index.json", "{}");
    put("sharded/model-00001-of-00002.safetensors", "one");
    put("sharded/model-00002-of-00002.safetensors", "two");
    assert_int_equal(run_hash_model(parts, at("sharded"), NULL), OK);
    file_hash_bytes(one, "one", 3);
    file_hash_bytes(two, "two", 3);
    snprintf(both, sizeof both, "%s%s", one, two);
    file_hash_bytes(hash, both, 128);
    assert_string_equal(parts, hash);
    put("sharded/model.safetensors", "one");
    assert_int_equal(run_hash_model(hash, at("sharded"), NULL), OK);
    assert_string_equal(hash, one);
    /* What a score owes to length is part of a reward model. */
    put("sharded/config.json", "{\"plumb_length_gain\":0.25}");
    assert_int_equal(run_hash_model(parts, at("sharded"), NULL), OK);
    snprintf(both, sizeof both, "%s 0.25 0", one);
    file_hash_bytes(two, both, strlen(both));
    assert_string_equal(parts, two);
    put("sharded/config.json", "{\"plumb_length_gain\":0}");
    assert_int_equal(run_hash_model(parts, at("sharded"), NULL), OK);
    assert_string_equal(parts, one);
    file_hash_bytes(two, "two", 3);
    put("x.gguf", "two");
    assert_int_equal(run_hash_model(hash, at("x.gguf"), NULL), OK);
    assert_string_equal(hash, two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),   cmocka_unit_test(test_absent),
        cmocka_unit_test(test_hostile), cmocka_unit_test(test_long_message),
        cmocka_unit_test(test_paths),   cmocka_unit_test(test_print),
        cmocka_unit_test(test_cache),   cmocka_unit_test(test_expanded),
        cmocka_unit_test(test_hashes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
