/* test_settings.c - the YAML that is taken, and everything that is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "io/settings.h"

/* "key=text@origin;" of every setting. */
static enum status collect(void *ctx, const char *key, const char *text,
                           const char *origin, struct err *err)
{
    (void)err;
    buf_printf(ctx, "%s=%s@%s;", key, text ? text : "(null)", origin);
    return OK;
}

static enum status parse(struct buf *out, const char *yaml, struct err *err)
{
    buf_clear(out);
    return settings_parse(yaml, strlen(yaml), "f", collect, out, err);
}

static void test_taken(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},
        {"# nothing\n", ""},
        {"---\n...\n", ""},
        {"seed: 7\n", "seed=7@f:1;"},
        {"ppo:\n  beta: 0.1\n\n  model: \"a b\"\n",
         "ppo.beta=0.1@f:2;ppo.model=a b@f:4;"},
        {"ppo.beta: 1\n", "ppo.beta=1@f:1;"},
        {"ppo: {beta: 1, lr: 2}\n", "ppo.beta=1@f:1;ppo.lr=2@f:1;"},
        {"a: null\nb: ~\nc:\nd: 'null'\n",
         "a=(null)@f:1;b=(null)@f:2;c=(null)@f:3;d=null@f:4;"},
        {"ppo: {}\n", "ppo=(null)@f:1;"},
        {"a:\n  b:\n    c:\n      d: 1\n", "a.b.c.d=1@f:4;"},
    };
    struct buf out;
    buf_init(&out, 10000);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {OK, ""};
        if (parse(&out, cases[i][0], &err) != OK)
            fail_msg("'%s': %s", cases[i][0], err.text);
        assert_string_equal(buf_text(&out), cases[i][1]);
    }
    buf_free(&out);
}

static void test_refused(void **state)
{
    (void)state;
    /* the text, and a part of the message */
    static const char *const cases[][2] = {
        {"a: 1\na: 2\n", "f:2: 'a' is there twice"},
        {"ppo:\n  beta: 1\nppo.beta: 2\n", "f:3: 'ppo.beta' is there twice"},
        {"ppo: {}\nppo: {}\n", "f:2: 'ppo' is there twice"},
        {"a: &x 1\n", "f:1: anchors"},
        {"a: &x 1\nb: *x\n", "anchors"},
        {"a: *x\n", "f:1: aliases"},
        {"a: !!str 1\n", "f:1: tags"},
        {"a: &x {b: 1}\n", "anchors"},
        {"a: !t {b: 1}\n", "tags"},
        {"a: [1, 2]\n", "f:1: one value is wanted, not a list"},
        {"a:\n  - 1\n", "f:2: one value is wanted, not a list"},
        {"- a\n", "f:1: lines of 'key: value'"},
        {"word\n", "f:1: lines of 'key: value'"},
        {"[a]: 1\n", "f:1: a key must be a word"},
        {"a: 1\n---\nb: 2\n", "f:2: a second document"},
        {"a:\n  b:\n    c:\n      d:\n        e: 1\n", "nested too deeply"},
        {"a: \"x\\0y\"\n", "f:1: a NUL byte"},
        {"a: {b: 1\n", "not YAML"},
        {"a: 1\n b: 2\n", "not YAML"},
        {"a: \"open\n", "not YAML"},
        {"\xff\xfe\xff: 1\n", "not YAML"},
    };
    struct buf out;
    buf_init(&out, 10000);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {OK, ""};
        enum status status = parse(&out, cases[i][0], &err);
        if (status != ERR_ARG || !strstr(err.text, cases[i][1]))
            fail_msg("'%s': status %d, '%s'", cases[i][0], (int)status,
                     err.text);
    }
    buf_free(&out);
}

/* Deep nesting must not reach the stack's end. */
static void test_depth(void **state)
{
    (void)state;
    struct buf yaml, out;
    struct err err = {OK, ""};
    buf_init(&yaml, 1000000);
    buf_init(&out, 1000000);
    for (int i = 0; i < 100000; i++)
        buf_puts(&yaml, "{a: ");
    assert_int_equal(parse(&out, buf_text(&yaml), &err), ERR_ARG);
    buf_clear(&yaml);
    for (int i = 0; i < 100000; i++)
        buf_puts(&yaml, "[");
    assert_int_equal(parse(&out, buf_text(&yaml), &err), ERR_ARG);
    buf_free(&yaml);
    buf_free(&out);
}

static enum status refuse(void *ctx, const char *key, const char *text,
                          const char *origin, struct err *err)
{
    (void)ctx;
    (void)text;
    return err_set(err, ERR_LIMIT, "%s %s", origin, key);
}

/* What the receiver says ends the reading. */
static void test_receiver(void **state)
{
    (void)state;
    struct err err = {OK, ""};
    const char *yaml = "ppo:\n  a: 1\n  b: 2\n";
    assert_int_equal(
        settings_parse(yaml, strlen(yaml), "f", refuse, NULL, &err), ERR_LIMIT);
    assert_string_equal(err.text, "f:2 ppo.a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_receiver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
