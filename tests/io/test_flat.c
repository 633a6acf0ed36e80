/* test_flat.c - one list of settings from JSON, YAML and command lines, and
 * files that are none of these. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "io/flat.h"

/* "key=text@line;", "?" for unknown, "~" for null, "|words|" of a group. */
static void print(struct buf *out, const struct flat *f)
{
    size_t group = SIZE_MAX;
    buf_clear(out);
    for (size_t i = 0; i < f->n; i++) {
        const struct flat_entry *e = &f->entry[i];
        assert_true(e->group < f->n_groups);
        if (e->group != group && f->syntax == FLAT_COMMAND)
            buf_printf(out, "|%s|", f->group[e->group].words);
        group = e->group;
        buf_printf(out, "%s=%s@%zu;", e->key,
                   e->is_unknown ? "?"
                   : e->text     ? e->text
                                 : "~",
                   e->line);
    }
}

static void check(const char *name, const char *text, const char *want)
{
    struct flat f;
    struct err err = {OK, ""};
    struct buf out;
    buf_init(&out, 1 << 20);
    if (flat_parse(&f, text, strlen(text), name, &err) != OK)
        fail_msg("'%s': %s", text, err.text);
    print(&out, &f);
    if (strcmp(buf_text(&out), want) != 0)
        fail_msg("'%s': '%s', wanted '%s'", text, buf_text(&out), want);
    flat_free(&f);
    buf_free(&out);
}

static void test_json(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{}", ""},
        {"{\"a\": 1e-6, \"b\": {\n\"c\": true, \"d\": null}}",
         "a=1e-6@1;b.c=true@2;b.d=~@2;"},
        {"{\"a\": [-10, 10], \"b\": []}", "a=-10 10@1;b=@1;"},
        {"{\"a\": [{\"b\": 1}, [2, 3]]}", "a.0.b=1@1;a.1=2 3@1;"},
        {"{\"a\": \"x\\u00e9\\n\"}", "a=x\xc3\xa9\n@1;"},
        {"{\"a\": NaN, \"b\": \"${x}\"}", "a=NaN@1;b=?@1;"},
        {"\xef\xbb\xbf{\"a.b\": 1}\n", "a.b=1@1;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check("f", cases[i][0], cases[i][1]);
}

static void test_yaml(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},
        {"a: 1e-6\nb:\n  c: True\n  d: null\n  e:\n",
         "a=1e-6@1;b.c=True@3;b.d=~@4;b.e=~@5;"},
        {"a: [-10, 10]\nb:\n  - x\n  - y\nc: []\n", "a=-10 10@1;b=x y@3;c=@5;"},
        {"a:\n  - b: 1\n  - [2, 3]\n  - z\n", "a.0.b=1@2;a.1=2 3@3;a=z@2;"},
        {"- a.b=1e-6\n- +c=x y\n- ~d\n- e=null\n- f=${g}\n",
         "a.b=1e-6@1;c=x y@2;e=~@4;f=?@5;"},
        {"a: 'null'\nb: ~\n", "a=null@1;b=~@2;"},
        {"a: ${b.c}\nb: ???\n", "a=?@1;b=?@2;"},
        {"a: !!str 1\nb: &x 2\n", "a=1@1;b=2@2;"},
        {"# c\n---\na: 1\n...\n", "a=1@3;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check("f.yaml", cases[i][0], cases[i][1]);
}

static void test_command(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"python -m x.y --a 1 --b-c=2 --d",
         "|python -m x.y|a=1@1;b_c=2@1;d=true@1;"},
        {"x --range -10 10 --on --lr 1e-6 file",
         "|x file|range=-10 10@1;on=true@1;lr=1e-6@1;"},
        {"x \\\n  --a 'b c' \\\n  --d \"e f\"  # g --h 1\n",
         "|x|a=b c@2;d=e f@3;"},
        {"x a.b=1 +c.d=2 ++e=3 ~f g@h.i=4 j=null\n",
         "|x ~f|a.b=1@1;c.d=2@1;e=3@1;g@h.i=4@1;j=~@1;"},
        {"a.b=1\nc.d=2\n", "||a.b=1@1;c.d=2@2;"},
        {"--a 1\n--b 2\n", "||a=1@1;b=2@2;"},
        {"KL=0.1\nx --kl $KL --m ${KL} --n ${NO:-3} --o \"a${KL}b\"\n",
         "|x|kl=0.1@2;m=0.1@2;n=3@2;o=a0.1b@2;"},
        {"x --a $NO --b $(date) --c `date` --d $1 --e ${A%b}\n",
         "|x|a=?@1;b=?@1;c=?@1;d=?@1;e=?@1;"},
        {"A=1\nif x; then\n  A=2\nfi\ny --a $A\n", "|y|a=?@5;"},
        {"A=( --a 1\n # no\n --b '2 3' )\nx \"${A[@]}\" ${A[*]}\n",
         "|x|a=1@4;b=2 3@4;a=1@4;b=2 3@4;"},
        {"A=\"--a 1 --b 2\"\nx $A \"$A\"\n", "|x --a 1 --b 2|a=1@2;b=2@2;"},
        {"x --a 1; y --b 2 && z --c 3 | tee l\n",
         "|x|a=1@1;|y|b=2@1;|z|c=3@1;"},
        {"export A=5\nB=6 x --a $A --b '$B'\n", "|x|a=5@2;b=$B@2;"},
        {"for A in 1 2; do x --a $A; done\n", "|x|a=?@1;"},
        {"x --a={\\\"b\\\":\\ 1} 2>&1\n", "|x 2|a={\"b\": 1}@1;"},
        {"x --a \\\r\n 1\r\n", "|x|a=1@1;"},
        {"A+=3\nx --a $A --b $A\n", "|x|a=?@2;b=?@2;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check("f.sh", cases[i][0], cases[i][1]);
}

/* Without an end of the name the text decides. */
static void test_choice(void **state)
{
    (void)state;
    check("f", " \n{\"a\": 1}", "a=1@2;");
    check("f", "kl_coef: 0.05\nbeta: 1\n", "kl_coef=0.05@1;beta=1@2;");
    check("f", "trl ppo --kl_coef 0.05\n", "|trl ppo|kl_coef=0.05@1;");
    check("f", "a.b.c=1\nd.e=2\n", "||a.b.c=1@1;d.e=2@2;");
    check("f", "#!/bin/sh\nset -x\nx a.b=1 \\\n  c.d=2\n",
          "|x|a.b=1@3;c.d=2@4;");
}

static void test_find(void **state)
{
    (void)state;
    static const char text[] = "x --a 1 --a 2\ny --a 3\n";
    struct flat f;
    struct err err = {OK, ""};
    assert_int_equal(flat_parse(&f, text, strlen(text), "f.sh", &err), OK);
    assert_string_equal(flat_find(&f, 0, "a")->text, "2");
    assert_string_equal(flat_find(&f, 1, "a")->text, "3");
    assert_null(flat_find(&f, 0, "b"));
    flat_free(&f);
}

static void refuse(const char *name, const char *text, size_t len,
                   const char *want)
{
    struct flat f;
    struct err err = {OK, ""};
    enum status status = flat_parse(&f, text, len, name, &err);
    if ((status != ERR_FORMAT && status != ERR_LIMIT) ||
        strstr(err.text, want) == NULL)
        fail_msg("%.40s: status %d, '%s', wanted '%s'", text, (int)status,
                 err.text, want);
}

/* Weights & Biases' boxes are taken off, and nothing else is. */
static void test_boxes(void **state)
{
    static const char text[] = "a:\n  value:\n    b: 1\nc:\n  value: 2\n"
                               "d:\n  values: 3\nvalue: 4\ne:\n  f:\n"
                               "    value: 5\n";
    struct flat f;
    struct buf out;
    (void)state;
    buf_init(&out, 1 << 20);
    assert_int_equal(flat_parse(&f, text, sizeof text - 1, "x.yaml", NULL), OK);
    assert_int_equal(flat_unbox(&f, NULL), OK);
    print(&out, &f);
    assert_string_equal(buf_text(&out),
                        "a.b=1@3;c=2@5;d.values=3@7;value=4@8;e.f.value=5@11;");
    flat_free(&f);
    buf_free(&out);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"f", "{\"a\": 1", "f:1: byte 7"},
        {"f", "{\"a\":\n 1} 2", "f:2: byte"},
        {"f", "{\"a\": \"\\u0000\"}", "f:1"},
        {"f.json", "[1]", "an object is wanted"},
        {"f.json", "", "f.json:1: byte 0: an object is wanted"},
        {"f.yaml", "a: *x\n", "f.yaml:1: aliases"},
        {"f.yaml", "a: &x 1\nb:\n  <<: *x\n", "f.yaml:3: aliases"},
        {"f.yaml", "a: 1\n---\nb: 2\n", "f.yaml:2: a second document"},
        {"f.yaml", "? [a]\n: 1\n", "f.yaml:1: a key must be a word"},
        {"f.yaml", "a: \"x\\0y\"\n", "f.yaml:1: a NUL byte"},
        {"f.yaml", "- a\n", "f.yaml:1: neither"},
        {"f.yaml", "- a=1\n- b: 2\n", "f.yaml:2: neither"},
        {"f.yaml", "- a=1\n- b\n", "f.yaml:2: neither"},
        {"f.yaml", "just words\n", "f.yaml:1: neither"},
        {"f.yaml", "a: {b: 1\n", "not YAML"},
        {"f.sh", "x\ny --a 'b\n", "f.sh:2: a quotation mark"},
        {"f.sh", "x --a \"b\n", "f.sh:1: a quotation mark"},
        {"f.sh", "x $(a\n", "'$(' is not closed"},
        {"f.sh", "x ${a\n", "'${' is not closed"},
        {"f.sh", "x `a\n", "'`' is not closed"},
        {"f.sh", "A=( b\n", "an array is not closed"},
        {"f", "a: \xff\n", "f:1: not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse(cases[i][0], cases[i][1], strlen(cases[i][1]), cases[i][2]);
    refuse("f", "a: 1\nb: \0\n", 10, "f:2: a NUL byte");
}

static void repeat(struct buf *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_puts(out, text);
}

/* Bombs of every kind end in a refusal, soon and in little memory. */
static void test_bounds(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4 << 20);
    static const char *const deep[][2] = {
        {"{\"a\":", "f.json"}, {"[", "f.yaml"}, {"{a: ", "f.yaml"}};
    for (size_t i = 0; i < sizeof deep / sizeof *deep; i++) {
        buf_clear(&b);
        repeat(&b, deep[i][0], 100000);
        refuse(deep[i][1], buf_text(&b), b.len, "");
    }
    buf_clear(&b);
    buf_puts(&b, "{\"a\":");
    repeat(&b, "[", 40);
    refuse("f", buf_text(&b), b.len, "nested too deeply");
    buf_clear(&b);
    repeat(&b, "k: 1\n", 30000);
    refuse("f.yaml", buf_text(&b), b.len, "more than 20000 settings");
    buf_clear(&b);
    repeat(&b, "x ", 30000);
    refuse("f.sh", buf_text(&b), b.len, "too many words");
    buf_clear(&b);
    repeat(&b, "a", 2 << 20);
    refuse("f", buf_text(&b), b.len, "longer than");
    buf_clear(&b);
    repeat(&b, "a", 300);
    buf_puts(&b, ": 1\n");
    refuse("f.yaml", buf_text(&b), b.len, "a key is too long");
    buf_free(&b);
}

/* Each variable twice the one before: as text, as words, as arrays. */
static void test_expansion(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    for (size_t k = 0; k < 3; k++) {
        buf_clear(&b);
        buf_puts(&b, "A0=abcdefgh\n");
        for (size_t i = 1; i < 60; i++) {
            if (k == 0)
                buf_printf(&b, "A%zu=$A%zu$A%zu\n", i, i - 1, i - 1);
            else if (k == 1)
                buf_printf(&b, "A%zu=\"$A%zu $A%zu\"\n", i, i - 1, i - 1);
            else
                buf_printf(&b, "A%zu=(${A%zu[@]} ${A%zu[@]})\n", i, i - 1,
                           i - 1);
        }
        refuse("f.sh", buf_text(&b), b.len, k == 2 ? "too many" : "expand");
    }
    buf_free(&b);
}

/* A value too long to be a setting is not kept. */
static void test_long_value(void **state)
{
    (void)state;
    struct buf b;
    struct flat f;
    struct err err = {OK, ""};
    buf_init(&b, 1 << 20);
    buf_puts(&b, "{\"a\": \"");
    repeat(&b, "xy", FLAT_TEXT_MAX);
    buf_puts(&b, "\"}");
    assert_int_equal(flat_parse(&f, buf_text(&b), b.len, "f", &err), OK);
    assert_int_equal(f.n, 1);
    assert_true(f.entry[0].is_unknown);
    assert_null(f.entry[0].text);
    flat_free(&f);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),      cmocka_unit_test(test_yaml),
        cmocka_unit_test(test_command),   cmocka_unit_test(test_choice),
        cmocka_unit_test(test_boxes),     cmocka_unit_test(test_find),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_expansion), cmocka_unit_test(test_long_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
