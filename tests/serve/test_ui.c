/*
 * test_ui.c - the pages in the binary are served, and name nothing outside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "serve/client.h"
#include "serve/ui.h"

static struct reply reply;

/* Is there a text in the bytes of a file? */
static bool has(const struct http_file *f, const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i + len <= f->len; i++)
        if (memcmp((const char *)f->data + i, text, len) == 0)
            return true;
    return false;
}

/* All files of a page, from a server that has only them. */
static void serve(void (*page)(const struct http_file **, size_t *),
                  const char *script)
{
    struct err err = {OK, ""};
    struct http_config c = {0};
    struct http *http = NULL;
    page(&c.file, &c.n_file);
    assert_true(c.n_file >= 5);
    assert_string_equal(c.file[0].path, "/");
    if (http_start(&http, &c, &err) != OK)
        fail_msg("%s", err.text);
    bool is_there = false;
    for (size_t i = 0; i < c.n_file; i++) {
        const struct http_file *f = &c.file[i];
        char type[1024];
        client_ask(&reply, http, "GET", f->path, NULL, NULL);
        assert_int_equal(reply.status, 200);
        assert_string_equal(client_header(&reply, "Content-Type", type),
                            f->type);
        size_t len = reply.len - (size_t)(reply.body - reply.text);
        assert_int_equal(len, f->len);
        assert_memory_equal(reply.body, f->data, f->len);
        is_there |= strcmp(f->path, script) == 0;
    }
    assert_true(is_there);
    assert_true(has(&c.file[0], script));
    http_stop(http);
}

static void test_label_is_served(void **state)
{
    (void)state;
    serve(ui_label, "/label.js");
}

static void test_watch_is_served(void **state)
{
    (void)state;
    serve(ui_watch, "/watch.js");
}

/* No address of another host but the name of SVG, which nothing loads. */
static void test_nothing_leads_outside(void **state)
{
    (void)state;
    void (*const page[])(const struct http_file **, size_t *) = {ui_label,
                                                                 ui_watch};
    for (size_t p = 0; p < 2; p++) {
        const struct http_file *file;
        size_t n;
        page[p](&file, &n);
        for (size_t i = 0; i < n; i++) {
            if (strcmp(file[i].path, "/LICENSES.txt") == 0)
                continue;
            const char *at = file[i].data;
            for (size_t k = 0; k + 8 <= file[i].len; k++) {
                if (memcmp(at + k, "http://", 7) != 0 &&
                    memcmp(at + k, "https://", 8) != 0)
                    continue;
                const char svg[] = "http://www.w3.org/2000/svg";
                if (k + sizeof svg > file[i].len ||
                    memcmp(at + k, svg, sizeof svg - 1) != 0)
                    fail_msg("%s: %.40s", file[i].path, at + k);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_label_is_served),
        cmocka_unit_test(test_watch_is_served),
        cmocka_unit_test(test_nothing_leads_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
