/*
 * test_essay.c - the essay of constructed diagnoses: the shape of each verdict,
 * that no sentence stands without its rows, and that every number is its row's.
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paradox),      cmocka_unit_test(test_healthy),
        cmocka_unit_test(test_bugs),         cmocka_unit_test(test_others),
        cmocka_unit_test(test_inconclusive), cmocka_unit_test(test_every_row),
        cmocka_unit_test(test_hole),         cmocka_unit_test(test_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
