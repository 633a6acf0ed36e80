/*
 * fuzz_http.c - any bytes as each piece of a request: refused, or read into
 * what keeps its promises.
 */
#include <string.h>

#include "base/json.h"
#include "fuzz.h"
#include "serve/parse.h"

#define TEXT_MAX 4096

static void check_path(const char *text, size_t len)
{
    static const char *const patterns[] = {"/", "/{int}", "/{name}",
                                           "/a/{int}/{name}/b"};
    bool ok = parse_path_ok(text, len);
    if (ok) {
        FUZZ_CHECK(text[0] == '/');
        FUZZ_CHECK(memchr(text, '%', len) == NULL);
        FUZZ_CHECK(strstr(text, "/../") == NULL);
        FUZZ_CHECK(strstr(text, "//") == NULL);
    }
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct parse_arg arg[PARSE_ARGS_MAX];
        memset(arg, 0, sizeof arg);
        if (!parse_match(arg, patterns[i], text, len))
            continue;
        FUZZ_CHECK(ok);
        for (size_t k = 0; k < PARSE_ARGS_MAX; k++) {
            FUZZ_CHECK(arg[k].number >= 0 && arg[k].name[0] != '.');
            FUZZ_CHECK(strlen(arg[k].name) <= PARSE_NAME_MAX);
        }
    }
    (void)parse_pattern_ok(text);
}

static void check_query(const char *text)
{
    char copy[TEXT_MAX + 1];
    struct parse_query q;
    memcpy(copy, text, strlen(text) + 1);
    if (!parse_query(&q, copy))
        return;
    FUZZ_CHECK(q.n <= PARSE_QUERY_MAX);
    for (size_t i = 0; i < q.n; i++) {
        FUZZ_CHECK(q.pair[i].key[0] != '\0');
        FUZZ_CHECK(parse_query_find(&q, q.pair[i].key) == q.pair[i].value);
        for (const char *s = q.pair[i].value; *s != '\0'; s++)
            FUZZ_CHECK((unsigned char)*s >= 0x20 && *s != 0x7f);
    }
}

static void check_headers(const char *text)
{
    const char *value = NULL;
    size_t len = 0;
    char host[PARSE_HOST_MAX + 1];
    uint16_t port;
    if (parse_cookie(&value, &len, text, "p"))
        FUZZ_CHECK(value > text && value + len <= text + strlen(text) &&
                   memchr(value, ';', len) == NULL);
    if (parse_host(host, &port, text)) {
        FUZZ_CHECK(host[0] != '\0' && strlen(host) <= PARSE_HOST_MAX);
        FUZZ_CHECK(strpbrk(host, "/@ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL);
    }
    if (parse_origin_is(text, "http", "a:1"))
        FUZZ_CHECK(strlen(text) == 10);
    if (parse_type_is_json(text))
        FUZZ_CHECK(strlen(text) >= 16);
    (void)parse_etag_in(text, "\"a\"");
}

/* As http_check.c does it. */
static void check_body(const char *text, size_t len)
{
    struct json *root = NULL;
    struct err err = {OK, ""};
    if (json_check_shape(text, len, 16, 65536, "body", &err) == OK &&
        json_parse(&root, text, len, "body", &err) == OK)
        json_free(root);
    else
        FUZZ_CHECK(err.code == ERR_FORMAT && err.text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_MAX + 1];
    size_t len = size < TEXT_MAX ? size : TEXT_MAX;
    memcpy(text, data, len);
    text[len] = '\0';
    check_body(text, len);
    len = strlen(text); // the rest of a request is text
    check_path(text, len);
    check_query(text);
    check_headers(text);
    return 0;
}
