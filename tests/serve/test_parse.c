/*
 * test_parse.c - the pieces of a request, well and badly formed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "serve/parse.h"

static bool path_ok(const char *path)
{
    return parse_path_ok(path, strlen(path));
}

static void test_paths(void **state)
{
    static const char *const bad[] = {
        "",          "a",      "//",       "/a//b",   "/../x",     "/a/..",
        "/.",        "/a/./b", "/%2e%2e/", "/a%00",   "/a b",      "/a\\b",
        "/\xc3\xa9", "*",      "/a;b",     "/a\r\nb", "http://x/",
    };
    (void)state;
    assert_true(path_ok("/"));
    assert_true(path_ok("/a/b_c-d.js"));
    assert_true(path_ok("/a/"));
    assert_true(path_ok("/..a"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (path_ok(bad[i]))
            fail_msg("%s is a path", bad[i]);
}

static bool match(struct parse_arg arg[PARSE_ARGS_MAX], const char *pattern,
                  const char *path)
{
    return parse_match(arg, pattern, path, strlen(path));
}

static void test_patterns(void **state)
{
    struct parse_arg arg[PARSE_ARGS_MAX];
    char name[80];
    (void)state;
    assert_true(match(arg, "/", "/"));
    assert_true(match(arg, "/a/b", "/a/b"));
    assert_false(match(arg, "/a/b", "/a"));
    assert_false(match(arg, "/a", "/a/b"));
    assert_false(match(arg, "/a", "/a/"));
    assert_false(match(arg, "/a", "/ab"));
    assert_true(match(arg, "/i/{int}/v", "/i/9223372036854775807/v"));
    assert_true(arg[0].number == INT64_MAX);
    assert_string_equal(arg[0].name, "9223372036854775807");
    static const char *const no_int[] = {"/i/0/v",  "/i/01/v",
                                         "/i/-1/v", "/i//v",
                                         "/i/1x/v", "/i/9223372036854775808/v"};
    for (size_t i = 0; i < sizeof no_int / sizeof *no_int; i++)
        assert_false(match(arg, "/i/{int}/v", no_int[i]));
    assert_true(match(arg, "/p/{name}/{int}", "/p/a.b-c/7"));
    assert_string_equal(arg[0].name, "a.b-c");
    assert_int_equal(arg[1].number, 7);
    assert_false(match(arg, "/p/{name}", "/p/.hidden"));
    (void)snprintf(name, sizeof name, "/p/%064d", 1);
    assert_true(match(arg, "/p/{name}", name));
    (void)snprintf(name, sizeof name, "/p/%065d", 1);
    assert_false(match(arg, "/p/{name}", name));
    assert_true(parse_pattern_ok("/a/{int}/{name}/b"));
    assert_false(parse_pattern_ok("/a/{text}"));
    assert_false(parse_pattern_ok("/a/x{int}"));
    assert_false(parse_pattern_ok("/{int}/{int}/{int}/{int}/{int}"));
    assert_false(parse_pattern_ok("a"));
}

static bool query(struct parse_query *q, const char *text)
{
    static char copy[512];
    (void)snprintf(copy, sizeof copy, "%s", text);
    return parse_query(q, copy);
}

static void test_queries(void **state)
{
    static const char *const bad[] = {
        "a",
        "=1",
        "a=1&",
        "a=1&a=2",
        "&a=1",
        "a=%",
        "a=%4",
        "a=%zz",
        "a=%00",
        "a=%0a",
        "a=%ff",
        "a=%c0%80",
        "a=\x7f",
        "a=1&&b=2",
        "a=%ed%a0%80",
        "%61=1&a=2",
        "a=&b=&c=&d=&e=&f=&g=&h=&i=&j=&k=&l=&m=&n=&o=&p=&q=",
    };
    struct parse_query q;
    (void)state;
    assert_true(query(&q, ""));
    assert_int_equal(q.n, 0);
    assert_true(query(&q, "a=1&b=x%20y+z&c=%C3%A9&d=a=b"));
    assert_string_equal(parse_query_find(&q, "a"), "1");
    assert_string_equal(parse_query_find(&q, "b"), "x y z");
    assert_string_equal(parse_query_find(&q, "c"), "\xc3\xa9");
    assert_string_equal(parse_query_find(&q, "d"), "a=b");
    assert_null(parse_query_find(&q, "e"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (query(&q, bad[i]))
            fail_msg("%s is a query", bad[i]);
}

static void test_cookies(void **state)
{
    const char *value = NULL;
    size_t len = 0;
    (void)state;
    assert_true(parse_cookie(&value, &len, "a=1; plumb=xyz ; b=2", "plumb"));
    assert_int_equal(len, 3);
    assert_memory_equal(value, "xyz", 3);
    assert_true(parse_cookie(&value, &len, "plumb=", "plumb"));
    assert_int_equal(len, 0);
    assert_false(parse_cookie(&value, &len, "xplumb=1", "plumb"));
    assert_false(parse_cookie(&value, &len, "plumb", "plumb"));
    assert_false(parse_cookie(&value, &len, "", "plumb"));
    assert_false(parse_cookie(&value, &len, ";;; ;", "plumb"));
    assert_false(parse_cookie(&value, &len, "plumb=1; plumb=2", "plumb"));
}

static void test_hosts(void **state)
{
    static const char *const bad[] = {
        "",         ":80",  "a:",  "a:0",   "a:65536",   "a:8x",
        "a:123456", "[::1", "a b", "a/b",   "a@b",       "[::1]x",
        "a,b",      "[x]",  "[]x", "a:1:2", "a\xc3\xa9",
    };
    char host[PARSE_HOST_MAX + 1];
    uint16_t port;
    (void)state;
    assert_true(parse_host(host, &port, "LocalHost:8080"));
    assert_string_equal(host, "localhost");
    assert_int_equal(port, 8080);
    assert_true(parse_host(host, &port, "[::1]"));
    assert_string_equal(host, "[::1]");
    assert_int_equal(port, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (parse_host(host, &port, bad[i]))
            fail_msg("%s is a host", bad[i]);
    char longest[PARSE_HOST_MAX + 2];
    memset(longest, 'a', sizeof longest);
    longest[PARSE_HOST_MAX + 1] = '\0';
    assert_false(parse_host(host, &port, longest));
    longest[PARSE_HOST_MAX] = '\0';
    assert_true(parse_host(host, &port, longest));
}

static void test_other_headers(void **state)
{
    (void)state;
    assert_true(parse_origin_is("http://a:1", "http", "a:1"));
    assert_true(parse_origin_is("http://A:1", "http", "a:1"));
    assert_false(parse_origin_is("https://a:1", "http", "a:1"));
    assert_false(parse_origin_is("http://a:1/", "http", "a:1"));
    assert_false(parse_origin_is("http://a", "http", "a:1"));
    assert_false(parse_origin_is("null", "http", "a:1"));
    assert_false(parse_origin_is("", "http", "a:1"));
    assert_true(parse_type_is_json("application/json"));
    assert_true(parse_type_is_json("application/json; charset=UTF-8"));
    assert_false(parse_type_is_json("application/json; charset=latin1"));
    assert_false(parse_type_is_json("application/jsonp"));
    assert_false(parse_type_is_json("text/plain"));
    assert_false(parse_type_is_json(""));
    assert_true(parse_etag_in("\"a\", W/\"b\"", "\"b\""));
    assert_true(parse_etag_in("*", "\"b\""));
    assert_false(parse_etag_in("\"bb\"", "\"b\""));
    assert_false(parse_etag_in("", "\"b\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),   cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_queries), cmocka_unit_test(test_cookies),
        cmocka_unit_test(test_hosts),   cmocka_unit_test(test_other_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
