/*
 * test_essay_page.c - the essay and the tables behind it as pages, HTML and
 * Markdown: links, notes, boxes, and what hostile texts become.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "essays.h"
#include "report/essay_page.h"
#include "report/evidence_tables.h"
#include "report/report.h"

static struct err err;

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s", err.text);
}

static const struct evidence empty;

static void build(struct essay *y, const struct diagnosis *d)
{
    must(essay_build(y, d, &empty, &err));
}

static void write_html(struct buf *out, const struct essay *y,
                       const struct diagnosis *d)
{
    struct html h;
    buf_init(out, (size_t)1 << 22);
    html_init(&h, out);
    must(essay_page_html(&h, y, NULL, &err));
    evidence_tables_remedies(&h, d);
    evidence_tables_rows(&h, y);
    evidence_tables_rivals(&h, d);
    evidence_tables_mind(&h, d);
    evidence_tables_tags(&h, d);
    evidence_tables_ship(&h, d);
    assert_int_equal(h.depth, 0);
    must(buf_status(out, &err));
}

/* Each link points at a row that is on the page. */
static void test_links(void **state)
{
    (void)state;
    struct diagnosis d;
    struct essay y;
    struct buf page;
    size_t links = 0;
    essays_make(&d, DIAGNOSIS_PARADOX, "R1");
    essays_add_remedy(&d, 3, "caused by");
    build(&y, &d);
    write_html(&page, &y, &d);
    for (const char *at = buf_text(&page);
         (at = strstr(at, "href=\"#row-")) != NULL; at++) {
        char id[64];
        const char *name = at + strlen("href=\"#");
        (void)snprintf(id, sizeof id, "id=\"%.*s\"", (int)strcspn(name, "\""),
                       name);
        /* The evaluation's page has the settings. */
        if (strcmp(id, "id=\"row-set\"") != 0 &&
            strstr(buf_text(&page), id) == NULL)
            fail_msg("%s is on no row", id);
        links++;
    }
    assert_true(links > 30);
    buf_free(&page);
    essay_free(&y);
    leads_free(&d.leads);
}

static void count(size_t *n, const char *text, const char *what)
{
    *n = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        ++*n;
}

/* A table scrolls in a box of its own, so that the page never does sideways;
 * a row that is stacked on a narrow screen names its numbers. */
static void test_boxes(void **state)
{
    (void)state;
    static const char box[] = "<div class=\"wide\">";
    struct diagnosis d;
    struct essay y;
    struct buf page;
    size_t tables = 0, stacked, named, rows = GATES + OBSERVED + MECHANISMS;
    essays_make(&d, DIAGNOSIS_PARADOX, "R1");
    essays_add_remedy(&d, 3, "caused by");
    build(&y, &d);
    write_html(&page, &y, &d);
    const char *text = buf_text(&page);
    for (const char *at = text; (at = strstr(at, "<table")) != NULL; at++) {
        const char *end = at;
        while (end > text && end[-1] == '\n')
            end--;
        assert_true((size_t)(end - text) >= strlen(box));
        assert_memory_equal(end - strlen(box), box, strlen(box));
        tables++;
    }
    assert_true(tables >= 7);
    count(&stacked, text, "<table class=\"stack");
    assert_int_equal(stacked, 6); // gates, what, why, two of leads, rivals
    count(&named, text, "data-k=\"Estimate\"");
    assert_int_equal(named, rows + d.leads.n);
    count(&named, text, "data-k=\"Against\"");
    assert_int_equal(named, RIVALS);
    buf_free(&page);
    essay_free(&y);
    leads_free(&d.leads);
}

/* Every footnote has one note, every note a footnote. */
static void test_footnotes(void **state)
{
    (void)state;
    struct diagnosis d;
    struct essay y;
    struct buf text;
    size_t notes = 0;
    essays_make(&d, DIAGNOSIS_PARADOX, "R1");
    essays_add_remedy(&d, 0, NULL);
    build(&y, &d);
    buf_init(&text, (size_t)1 << 20);
    essay_page_markdown(&text, &y);
    must(buf_status(&text, &err));
    for (const char *at = buf_text(&text); (at = strstr(at, "[^")) != NULL;
         at++) {
        char label[64], note[80];
        size_t n, len = strcspn(at, "]") + 1;
        assert_true(len < sizeof label);
        (void)snprintf(label, sizeof label, "%.*s", (int)len, at);
        (void)snprintf(note, sizeof note, "\n%s: ", label);
        count(&n, buf_text(&text), note);
        assert_int_equal(n, 1);
        count(&n, buf_text(&text), label);
        assert_true(n >= 2);
        notes++;
    }
    assert_true(notes > 40);
    assert_true(strncmp(buf_text(&text), "# The reward model pays", 23) == 0);
    assert_null(strchr(buf_text(&text), '\1'));
    buf_free(&text);
    essay_free(&y);
    leads_free(&d.leads);
}

/* A link in Markdown, outside `code`. */
static bool has_link(const char *text)
{
    bool is_code = false;
    for (const char *c = text; *c != '\0'; c++) {
        is_code = is_code != (*c == '`');
        if (!is_code && strncmp(c, " [l](", 5) == 0)
            return true;
    }
    return false;
}

/* Texts from files are text, in both writers. */
static void test_hostile(void **state)
{
    (void)state;
    static const char bad[] = "<script>x</script>\1 S1\2 b\3 \" onload=\"y `z` "
                              "[l](javascript:a) \xff";
    struct diagnosis d;
    struct essay y;
    struct buf page, text;
    essays_make(&d, DIAGNOSIS_OTHER, "R9");
    essays_add_remedy(&d, 0, NULL);
    struct remedy *r = &d.remedy[0];
    r->title = bad;
    (void)snprintf(r->tradeoff, sizeof r->tradeoff, "%s", bad);
    (void)snprintf(r->verify, sizeof r->verify, "%s", bad);
    (void)snprintf(r->change, sizeof r->change, "%s", bad);
    for (size_t i = 0; i < OBSERVED; i++) {
        (void)snprintf(d.observed[i].text, FINDING_TEXT_MAX, "%s", bad);
        d.observed[i].data = bad;
    }
    for (size_t i = 0; i < MECHANISMS; i++) {
        d.mechanism[i].verdict = VERDICT_NOT_MEASURABLE;
        (void)snprintf(d.mechanism[i].needs, FINDING_TEXT_MAX, "%s", bad);
    }
    build(&y, &d);
    write_html(&page, &y, &d);
    assert_null(strstr(buf_text(&page), "<script"));
    assert_null(strstr(buf_text(&page), "\" onload"));
    assert_null(strchr(buf_text(&page), '\1'));
    assert_null(strchr(buf_text(&page), '\xff'));
    assert_non_null(strstr(buf_text(&page), "&lt;script&gt;"));
    buf_init(&text, (size_t)1 << 20);
    essay_page_markdown(&text, &y);
    assert_null(strchr(buf_text(&text), '\1'));
    assert_false(has_link(buf_text(&text)));
    buf_free(&text);
    buf_free(&page);
    essay_free(&y);
    leads_free(&d.leads);
}

/* The same diagnosis gives the same bytes. */
static void test_same_bytes(void **state)
{
    (void)state;
    struct buf text[2], page[2];
    for (size_t i = 0; i < 2; i++) {
        struct diagnosis d;
        struct essay y;
        essays_make(&d, DIAGNOSIS_PARADOX, "R1");
        essays_add_remedy(&d, 0, NULL);
        build(&y, &d);
        write_html(&page[i], &y, &d);
        buf_init(&text[i], (size_t)1 << 20);
        essay_page_markdown(&text[i], &y);
        essay_free(&y);
        leads_free(&d.leads);
    }
    assert_string_equal(buf_text(&text[0]), buf_text(&text[1]));
    assert_string_equal(buf_text(&page[0]), buf_text(&page[1]));
    for (size_t i = 0; i < 2; i++) {
        buf_free(&text[i]);
        buf_free(&page[i]);
    }
}

/* A project without an evaluation still has its essay. */
static void test_alone(void **state)
{
    (void)state;
    struct diagnosis d;
    struct buf page;
    essays_make(&d, DIAGNOSIS_PARADOX, "R1");
    buf_init(&page, (size_t)1 << 22);
    must(report_page(&page, "/nowhere/at/all", &d, &empty, &err));
    assert_non_null(strstr(buf_text(&page), "What happened"));
    assert_non_null(strstr(buf_text(&page), "It is not shown"));
    buf_free(&page);
    leads_free(&d.leads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links),      cmocka_unit_test(test_boxes),
        cmocka_unit_test(test_footnotes),  cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_same_bytes), cmocka_unit_test(test_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
