/*
 * test_essay.c - the essay of constructed diagnoses: the shape of each verdict,
 * that no sentence stands without its rows, that every number is its row's, and
 * what hostile texts become.
 */
#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "essays.h"
#include "report/essay.h"
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

static bool has_title(const struct essay *y, const char *title)
{
    for (size_t i = 0; i < y->n_paragraphs; i++)
        if (y->paragraph[i].title != NULL &&
            strcmp(y->paragraph[i].title, title) == 0)
            return true;
    return false;
}

static bool says(const struct essay *y, const char *text)
{
    return strstr(buf_text(&y->text), text) != NULL;
}

static size_t words(const struct essay *y)
{
    size_t n = 0;
    for (size_t i = 0; i < y->n_sentences; i++) {
        struct essay_piece p;
        size_t at = 0;
        while (essay_next(&p, y, &y->sentence[i], &at))
            for (size_t k = 0; k < p.text_len; k++)
                n += k > 0 && p.text[k] == ' ';
    }
    return n + y->n_sentences;
}

/* ---- what every essay keeps to ----------------------------------------- */

/* The number that is shown, in its row's unit; how coarse it is. */
static double shown(const struct essay_piece *p, double *step)
{
    char text[64] = "";
    size_t n = 0, decimals = 0;
    bool is_minus = false, is_after = false;
    for (size_t i = 0; i < p->text_len && n < sizeof text - 1; i++) {
        char c = p->text[i];
        if (memcmp(p->text + i, "\xE2\x88\x92", 3) == 0) {
            is_minus = n == 0;
            i += 2;
        } else if (isdigit((unsigned char)c) || c == '.') {
            text[n++] = c;
            decimals += is_after;
            is_after = is_after || c == '.';
        } else if (n > 0) {
            break;
        }
    }
    text[n] = '\0';
    assert_true(n > 0);
    bool is_percent = false;
    for (size_t i = 0; i < p->text_len; i++)
        is_percent = is_percent || p->text[i] == '%' ||
                     strncmp(p->text + i, "points", 6) == 0;
    double scale = is_percent ? 0.01 : 1;
    *step = scale * pow(10, -(double)decimals);
    return (is_minus ? -scale : scale) * strtod(text, NULL);
}

/* The row and the value that a reference names; NULL: it is no row's. */
static const struct finding *referred(double *value, struct diagnosis *d,
                                      const struct essay_piece *p)
{
    char ref[64];
    (void)snprintf(ref, sizeof ref, "%.*s", (int)p->ref_len, p->ref);
    char *dot = strchr(ref, '.');
    if (dot != NULL)
        *dot = '\0';
    const struct finding *f = essays_find(d, ref);
    *value = (double)NAN;
    if (f == NULL)
        return NULL;
    *value = dot == NULL ? f->e.estimate
                         : measures_find(&f->detail, dot + 1).estimate;
    return f;
}

static void check_piece(struct diagnosis *d, const struct essay_sentence *s,
                        const struct essay_piece *p)
{
    double value, step;
    const struct finding *f = referred(&value, d, p);
    if (f == NULL)
        return;
    if (s->kind == ESSAY_SUPPORTED && f->verdict != VERDICT_SUPPORTED)
        fail_msg("a supported sentence of '%s' has a number of %s", s->rows,
                 f->id);
    double number = shown(p, &step);
    if (isnan(value)) // counts of rows have no value of a row
        return;
    if (!(fabs(fabs(number) - fabs(value)) <= step / 2 * 1.000001) &&
        s->kind != ESSAY_UNTESTED)
        fail_msg("%s: %.*s is shown, it is %.17g", f->id, (int)p->text_len,
                 p->text, value);
}

/* Digits outside marks belong to words like R2, k3 and to commands. */
static void check_digits(const struct essay_piece *p)
{
    bool is_code = false;
    for (size_t i = 0; i < p->text_len; i++) {
        is_code = is_code != (p->text[i] == '`');
        if (is_code || !isdigit((unsigned char)p->text[i]))
            continue;
        if (i == 0 || !isalnum((unsigned char)p->text[i - 1]))
            fail_msg("a number without a row: %.*s", (int)p->text_len, p->text);
    }
}

/* Every sentence's kind is what its rows say. */
static void check(const struct essay *y, struct diagnosis *d)
{
    static const enum verdict wanted[] = {
        [ESSAY_SUPPORTED] = VERDICT_SUPPORTED,
        [ESSAY_REFUTED] = VERDICT_NOT_SUPPORTED,
        [ESSAY_UNTESTED] = VERDICT_NOT_MEASURABLE,
    };
    for (size_t i = 0; i < y->n_sentences; i++) {
        const struct essay_sentence *s = &y->sentence[i];
        char rows[ESSAY_ROWS_MAX], *rest = rows;
        memcpy(rows, s->rows, sizeof rows);
        for (char *id = rows; s->kind <= ESSAY_UNTESTED && *id != '\0';
             id = rest) {
            rest = strchr(id, ' ');
            if (rest != NULL)
                *rest++ = '\0';
            else
                rest = id + strlen(id);
            const struct finding *f = essays_find(d, id);
            if (f != NULL)
                assert_int_equal(f->verdict, wanted[s->kind]);
        }
        struct essay_piece p;
        size_t at = 0;
        while (essay_next(&p, y, s, &at)) {
            if (p.ref != NULL)
                check_piece(d, s, &p);
            else if (s->kind != ESSAY_UNTESTED)
                check_digits(&p);
        }
        assert_int_equal(at, s->len);
    }
    for (size_t i = 0; i < y->n_paragraphs; i++)
        assert_true(y->paragraph[i].n > 0);
}

/* ---- shapes ------------------------------------------------------------ */

static void test_paradox(void **state)
{
    (void)state;
    static const char *const titles[] = {
        "What happened",
        "(a) Why the reward model asks for it",
        "(b) Why the optimiser obeys",
        "(c) Why the penalty does not stop it",
        "The formula, taken literally",
        "Two changes",
        "What is not known",
    };
    struct diagnosis d;
    struct essay y;
    essays_make(&d, DIAGNOSIS_PARADOX, "R1");
    essays_add_remedy(&d, 0, NULL);
    essays_add_remedy(&d, 0, NULL);
    build(&y, &d);
    check(&y, &d);
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        assert_true(has_title(&y, titles[i]));
    assert_in_range(words(&y), 500, 1200);
    assert_true(says(&y, "consistent with"));
    assert_false(says(&y, "caused by"));
    /* Terms are explained once, where they first stand. */
    const char *text = buf_text(&y.text);
    const char *first = strstr(text, "the network that learnt");
    assert_non_null(first);
    assert_null(strstr(first + 1, "the network that learnt"));
    assert_true(strstr(text, "in nats") != NULL);
    essay_free(&y);
    leads_free(&d.leads);
}

static void test_healthy(void **state)
{
    (void)state;
    static const char *const absent[] = {"S2b", "G",  "worse", "a2",
                                         "a3",  "b1", "c2",    "edit_pad"};
    struct diagnosis d;
    struct essay y;
    essays_make(&d, DIAGNOSIS_HEALTHY, "R0");
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        essays_find(&d, absent[i])->verdict = VERDICT_NOT_SUPPORTED;
    build(&y, &d);
    check(&y, &d);
    assert_true(has_title(&y, "What was looked for and not found"));
    assert_false(has_title(&y, "(a) Why the reward model asks for it"));
    /* With the numbers that exclude it. */
    assert_true(says(&y, "the excess is"));
    assert_true(says(&y, "17 [11, 24]"));
    essay_free(&y);
    leads_free(&d.leads);
}

static void test_bugs(void **state)
{
    (void)state;
    static const char *const bugs[] = {"R4", "R7", "R8", "R15"};
    for (size_t i = 0; i < sizeof bugs / sizeof *bugs; i++) {
        struct diagnosis d;
        struct essay y;
        essays_make(&d, DIAGNOSIS_BUG, bugs[i]);
        essays_find(&d, "V7")->verdict = VERDICT_NOT_SUPPORTED;
        build(&y, &d);
        check(&y, &d);
        assert_string_equal(y.paragraph[0].title, "What is wrong");
        assert_true(has_title(&y, "What it spoils"));
        assert_false(has_title(&y, "(c) Why the penalty does not stop it"));
        assert_false(says(&y, "KL divergence from the reference"));
        essay_free(&y);
        leads_free(&d.leads);
    }
}

static void test_others(void **state)
{
    (void)state;
    char id[16];
    for (int i = 1; i < RIVALS; i++) {
        struct diagnosis d;
        struct essay y;
        (void)snprintf(id, sizeof id, "R%d", i);
        essays_make(&d, DIAGNOSIS_OTHER, id);
        build(&y, &d);
        check(&y, &d);
        assert_true(strlen(y.title) > 10);
        assert_true(has_title(&y, "What happened"));
        essay_free(&y);
        leads_free(&d.leads);
    }
}

static void test_inconclusive(void **state)
{
    (void)state;
    struct diagnosis d;
    struct essay y;
    essays_make(&d, DIAGNOSIS_INCONCLUSIVE, "R3");
    for (size_t i = 0; i < OBSERVED; i++)
        essays_lose(&d.observed[i]);
    build(&y, &d);
    check(&y, &d);
    assert_true(has_title(&y, "Who is in the running"));
    assert_true(has_title(&y, "What is not known"));
    assert_true(says(&y, "about 500 more prompts"));
    assert_false(has_title(&y, "What happened") && says(&y, "standard devia"));
    essay_free(&y);
    leads_free(&d.leads);
}

/* ---- rows come and go --------------------------------------------------- */

/* Whatever a row becomes, no sentence says more than it does. */
static void test_every_row(void **state)
{
    (void)state;
    static const enum verdict verdicts[] = {VERDICT_NOT_SUPPORTED,
                                            VERDICT_NOT_MEASURABLE};
    static const enum diagnosis_verdict shapes[] = {
        DIAGNOSIS_PARADOX, DIAGNOSIS_HEALTHY, DIAGNOSIS_OTHER,
        DIAGNOSIS_INCONCLUSIVE, DIAGNOSIS_BUG};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (size_t i = 0;; i++) {
            struct diagnosis d;
            struct essay y;
            essays_make(&d, shapes[s], "R1");
            struct finding *f = essays_row(&d, i / 2);
            if (f == NULL) {
                leads_free(&d.leads);
                break;
            }
            f->verdict = verdicts[i % 2];
            /* What V7 says S3p says too. */
            if (f == &d.gate[GATE_PENALTY])
                d.observed[OBSERVED_PENALTY_ACTS].verdict = f->verdict;
            if (f->verdict == VERDICT_NOT_MEASURABLE)
                (void)snprintf(f->needs, sizeof f->needs, "more of it");
            build(&y, &d);
            check(&y, &d);
            essay_free(&y);
            leads_free(&d.leads);
        }
}

/* A number that is not one takes its sentence along. */
static void test_hole(void **state)
{
    (void)state;
    struct diagnosis d;
    struct essay y;
    essays_make(&d, DIAGNOSIS_PARADOX, "R1");
    build(&y, &d);
    assert_true(says(&y, "Most tokens pay"));
    essay_free(&y);
    essays_find(&d, "ledger")->detail.n = 0;
    essays_find(&d, "c2")->e.estimate = (double)NAN;
    build(&y, &d);
    check(&y, &d);
    assert_false(says(&y, "Most tokens pay"));
    assert_false(says(&y, "nan"));
    essay_free(&y);
    /* Nothing at all: no paragraph that only explains terms. */
    for (size_t i = 0; i < OBSERVED; i++)
        d.observed[i].verdict = VERDICT_NOT_MEASURABLE;
    for (size_t i = 0; i < MECHANISMS; i++)
        d.mechanism[i].verdict = VERDICT_NOT_MEASURABLE;
    for (size_t i = 0; i < GATES; i++)
        d.gate[i].verdict = VERDICT_NOT_MEASURABLE;
    for (size_t i = 0; i < d.leads.n; i++)
        d.leads.row[i].verdict = VERDICT_NOT_MEASURABLE;
    build(&y, &d);
    assert_false(has_title(&y, "(b) Why the optimiser obeys"));
    assert_false(has_title(&y, "The formula, taken literally"));
    essay_free(&y);
    leads_free(&d.leads);
}

/* "Caused by" takes a re-run over three seeds and its word. */
static void test_cause(void **state)
{
    (void)state;
    static const struct {
        size_t seeds;
        const char *claim;
        bool is_cause;
    } cases[] = {
        {3, "caused by", true},
        {2, "caused by", false},
        {3, "consistent with", false},
        {3, "not shown", false},
        {3, NULL, false},
        {0, "caused by", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diagnosis d;
        struct essay y;
        essays_make(&d, DIAGNOSIS_PARADOX, "R1");
        essays_add_remedy(&d, cases[i].seeds, cases[i].claim);
        build(&y, &d);
        assert_int_equal(says(&y, "caused by this change"), cases[i].is_cause);
        assert_int_equal(says(&y, "What they really do"), cases[i].seeds == 0);
        essay_free(&y);
        leads_free(&d.leads);
    }
}

/* ---- writers ------------------------------------------------------------ */

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
        cmocka_unit_test(test_paradox),      cmocka_unit_test(test_healthy),
        cmocka_unit_test(test_bugs),         cmocka_unit_test(test_others),
        cmocka_unit_test(test_inconclusive), cmocka_unit_test(test_every_row),
        cmocka_unit_test(test_hole),         cmocka_unit_test(test_cause),
        cmocka_unit_test(test_links),        cmocka_unit_test(test_footnotes),
        cmocka_unit_test(test_hostile),      cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
