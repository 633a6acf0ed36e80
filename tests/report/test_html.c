/* Nothing that is passed as text can become markup. */
#include "report/html.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LOST "\xEF\xBF\xBD"

static void assert_text(const char *text, const char *want)
{
    struct buf out;
    struct html h;
    buf_init(&out, 1 << 16);
    html_init(&h, &out);
    html_text(&h, text);
    assert_string_equal(buf_text(&out), want);
    buf_free(&out);
}

static void test_escapes(void **state)
{
    (void)state;
    assert_text("a < b && c > \"d\" 'e'",
                "a &lt; b &amp;&amp; c &gt; &quot;d&quot; &#39;e&#39;");
    assert_text("<script>alert(1)</script>",
                "&lt;script&gt;alert(1)&lt;/script&gt;");
    assert_text("two\nlines\tand tab", "two\nlines\tand tab");
    assert_text("bell\x07, escape\x1B[0m", "bell" LOST ", escape" LOST "[0m");
    assert_text("", "");
    assert_text(NULL, "");
}

/* Examples of what is not UTF-8 from the standard's table 3-7: each bad byte
 * becomes one mark and the rest of the text survives. */
static void test_utf8(void **state)
{
    (void)state;
    assert_text("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80",
                "\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80");
    assert_text("a\x80z", "a" LOST "z");                   // continuation
    assert_text("a\xC0\xAFz", "a" LOST LOST "z");          // overlong
    assert_text("a\xE0\x80\xAFz", "a" LOST LOST LOST "z"); // overlong
    assert_text("a\xED\xA0\x80z", "a" LOST LOST LOST "z"); // surrogate
    assert_text("a\xF4\x90\x80\x80z", "a" LOST LOST LOST LOST "z");
    assert_text("a\xE2\x82", "a" LOST LOST); // cut short
    assert_text("a\xE2\x82<b", "a" LOST LOST "&lt;b");
    assert_text("\xFF\xFE", LOST LOST);
}

static void test_attributes(void **state)
{
    (void)state;
    struct buf out;
    struct html h;
    buf_init(&out, 1 << 16);
    html_init(&h, &out);
    html_open(&h, "b", "title", "\" onclick=\"x", "class", NULL, "id", "<",
              NULL);
    html_printf(&h, "%s %d", "<i>", 7);
    html_close(&h, "b");
    html_void(&h, "br", NULL);
    html_element(&h, "p", NULL, "&");
    html_raw(&h, "<hr>");
    assert_string_equal(buf_text(&out),
                        "<b title=\"&quot; onclick=&quot;x\" id=\"&lt;\">"
                        "&lt;i&gt; 7</b><br/><p>&amp;</p>\n<hr>");
    assert_int_equal(h.depth, 0);
    buf_free(&out);
}

/* A full buffer is told at the end, once. */
static void test_limit(void **state)
{
    (void)state;
    struct buf out;
    struct html h;
    struct err err;
    buf_init(&out, 16);
    html_init(&h, &out);
    for (int i = 0; i < 10; i++)
        html_printf(&h, "%s", "<<<<");
    assert_int_equal(buf_status(&out, &err), ERR_LIMIT);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
