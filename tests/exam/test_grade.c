#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "diagnose/toy.h"
#include "eval/files.h"
#include "exam/grade_internal.h"
#include "exam/placebo.h"

static void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%.9g, wanted %.9g within %g", got, want, tolerance);
}

/* Wilson's interval in closed form at k = 0: high = z^2 / (n + z^2); and the
 * textbook's 8 of 10, [0.4902, 0.9433] to four places. */
static void test_wilson(void **state)
{
    (void)state;
    struct estimate e = exam_wilson(8, 10);
    near(e.estimate, 0.8, 1e-15);
    near(e.low, 0.4902, 5e-5);
    near(e.high, 0.9433, 5e-5);
    e = exam_wilson(0, 30);
    const double zz = 1.959963984540054 * 1.959963984540054;
    near(e.low, 0, 1e-15);
    near(e.high, zz / (30 + zz), 1e-12);
    e = exam_wilson(30, 30);
    near(e.low, 30 / (30 + zz), 1e-12);
    near(e.high, 1, 1e-12);
    assert_true(isnan(exam_wilson(0, 0).estimate));
}

static void test_auc(void **state)
{
    const double a[] = {3, 5, (double)NAN}, b[] = {1, 3, 4};
    (void)state;
    /* 3 beats 1 and ties 3; 5 beats all: 1 + 1/2 + 3 of 6 pairs. */
    near(exam_auc(a, 3, b, 3), 4.5 / 6, 1e-15);
    near(exam_auc(b, 3, a, 2), 1 - 4.5 / 6, 1e-15);
    assert_true(isnan(exam_auc(a + 2, 1, b, 3)));
}

/* ---- constructed diagnoses ---------------------------------------------- */

static void put(const char *dir, const char *name, const char *text)
{
    char path[FILE_PATH_MAX];
    struct err err;
    files_must(file_join(path, dir, name, &err), &err);
    *strrchr(path, '/') = '\0';
    files_must(file_make_dir(path, &err), &err);
    files_must(file_join(path, dir, name, &err), &err);
    files_must(file_write(path, text, strlen(text), &err), &err);
}

/* A run that was made, and what was said of it. */
static void put_run(const char *dir, const char *id, const char *verdict,
                    const char *top, double s1)
{
    char name[128], text[512];
    (void)snprintf(name, sizeof name, "runs/%s", id);
    (void)snprintf(text, sizeof text, "set case 1 1 101 blind%s sft-0\n", id);
    put(dir, name, text);
    (void)snprintf(name, sizeof name, "blind/blind%s/diagnosis.json", id);
    (void)snprintf(text, sizeof text,
                   "{\"verdict\":\"%s\",\"top_rival\":\"%s\","
                   "\"observations\":[{\"id\":\"S1\",\"estimate\":%g}],"
                   "\"rivals\":[{\"id\":\"%s\",\"tied_with\":\"R9\"}]}",
                   verdict, top, s1, top);
    put(dir, name, text);
}

static void put_exam(const char *dir)
{
    put(dir, "cases.tsv",
        "healthy\tb\t\tR0\thealthy inconclusive\thealthy\tsilence\n"
        "R1\tb\treward.length_gain=1\tR1 R2\tparadox\ttop1\tlonger\n"
        "R12\tb\tworld.mix_shift=1\tR12\tother_pathology\ttop1\tdrift\n"
        "short\tb\trater.length_taste=-1\tnone R3\tinconclusive "
        "other_pathology\tguard\tshorter\n");
    put(dir, "list",
        "graded healthy 3 1\ngraded healthy 3 2\ngraded healthy 3 3\n"
        "graded R1 3 1\ngraded R1 4 1\ngraded R1 5 1\n"
        "graded R12 3 1\ngraded short 3 1\ngraded short 4 1\n"
        "calibration R1 1 1\n");
    put_run(dir, "healthy-3.1", "healthy", "R0", 1);
    put_run(dir, "healthy-3.2", "inconclusive", "R5", 2);
    put_run(dir, "healthy-3.3", "bug", "R15", 3);
    put_run(dir, "R1-3.1", "paradox", "R2", 4);
    put_run(dir, "R1-4.1", "other_pathology", "R1", 5);
    /* R1-5.1 was not made. */
    /* "R1" must not be found inside "R12". */
    put_run(dir, "R12-3.1", "other_pathology", "R1", 6);
    put_run(dir, "short-3.1", "inconclusive", "R1", 7);
    put_run(dir, "short-4.1", "paradox", "R1", 8);
    put_run(dir, "R1-1.1", "paradox", "R1", 9);
    put(dir, "placebo/healthy-3.1.json",
        "{\"permutations\":40,\"false_findings\":3,\"false_verdicts\":1}");
}

static const struct exam_run *find(const struct exam *e, const char *id)
{
    for (size_t i = 0; i < e->n_runs; i++)
        if (strcmp(e->run[i].id, id) == 0)
            return &e->run[i];
    fail_msg("no run %s", id);
    return NULL;
}

static void share(const struct exam_share *s, size_t k, size_t n)
{
    assert_int_equal(s->k, k);
    assert_int_equal(s->n, n);
}

static void test_counts(void **state)
{
    struct exam e;
    struct err err;
    const char *dir = files_dir();
    size_t count[EXAM_ANSWERS];
    (void)state;
    put_exam(dir);
    files_must(exam_read(&e, dir, &err), &err);
    struct exam_counts c = exam_count(&e, "graded");
    assert_int_equal(c.n, 9);
    assert_int_equal(c.diagnosed, 8);
    /* R1-3.1 alone: 4.1 has the wrong verdict, 5.1 none, R12 another answer. */
    share(&c.top1, 1, 4);
    share(&c.first, 2, 4);
    share(&c.alarms, 1, 3);
    /* An inconclusive run accuses nobody, whatever stands first. */
    share(&c.guard, 1, 2);
    share(&c.blamed, 1, 2);
    share(&c.placebo, 3, 40);
    share(&c.placebo_verdict, 1, 40);
    c = exam_count(&e, "calibration");
    share(&c.top1, 1, 1);
    share(&c.placebo, 0, 0);

    assert_int_equal(exam_matrix_row(count, &e, "graded", 1), 3);
    assert_int_equal(count[1], 1);
    assert_int_equal(count[2], 1);
    assert_int_equal(count[EXAM_MISSING], 1);
    assert_int_equal(exam_matrix_row(count, &e, "graded", 0), 3);
    assert_int_equal(count[0] + count[15] + count[EXAM_NONE], 3);
    assert_string_equal(find(&e, "R1-3.1")->tied, "R9");
    assert_false(find(&e, "R1-5.1")->is_diagnosed);

    struct exam_sign sign[2];
    size_t n;
    files_must(exam_signs(sign, 2, &n, &e, "graded", 1, &err), &err);
    assert_int_equal(n, 1);
    assert_string_equal(sign[0].row, "S1");
    near(sign[0].auc, 1, 0); // 4 and 5 above 1, 2 and 3
    near(sign[0].planted, 4.5, 1e-15);
    near(sign[0].healthy, 2, 1e-15);
    exam_free(&e);
    files_remove(dir);
}

static void test_document(void **state)
{
    struct exam e;
    struct err err;
    struct buf text, page;
    struct json_writer w;
    struct json *root;
    const char *dir = files_dir();
    (void)state;
    put_exam(dir);
    files_must(exam_read(&e, dir, &err), &err);
    buf_init(&text, 1 << 20);
    buf_init(&page, 1 << 20);
    json_writer_init(&w, &text, true);
    files_must(exam_write(&w, &e, &err), &err);
    files_must(exam_print(&page, &e, &err), &err);
    files_must(json_parse(&root, buf_text(&text), text.len, "exam", &err),
               &err);
    const struct json *top1 = json_get(root, "top1");
    assert_int_equal(json_int(json_get(top1, "k"), 0), 1);
    near(json_number(json_get(top1, "high"), 0), exam_wilson(1, 4).high, 1e-12);
    assert_true(json_is_object(json_get(root, "false_alarm_rate")));
    assert_int_equal(json_int(json_get(json_get(root, "placebo_rate"), "n"), 0),
                     40);
    assert_int_equal(json_size(json_get(json_get(root, "seeds"), "graded")), 3);
    const struct json *row =
        json_get(json_get(json_get(root, "matrix"), "planted"), "healthy");
    assert_int_equal(json_size(row), EXAM_ANSWERS);
    assert_int_equal(json_int(json_at(row, EXAM_NONE), 0), 1);
    assert_true(json_is_null(json_get(root, "early_warning")));
    assert_int_equal(json_size(json_get(root, "runs")), 10);
    assert_non_null(strstr(buf_text(&page), "R1-3.1"));
    assert_non_null(strstr(buf_text(&page), "1 of   4   25.0 %"));
    json_free(root);
    buf_free(&text);
    buf_free(&page);
    exam_free(&e);
    files_remove(dir);
}

static void test_refuses(void **state)
{
    struct exam e;
    struct err err;
    const char *dir = files_dir();
    (void)state;
    assert_int_equal(exam_read(&e, dir, &err), ERR_MISSING);
    put(dir, "cases.tsv", "one\ttwo\n");
    put(dir, "list", "");
    assert_int_equal(exam_read(&e, dir, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "cases.tsv:1"));
    put_exam(dir);
    put(dir, "list", "graded R77 1 1\n");
    assert_int_equal(exam_read(&e, dir, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "R77"));
    put_exam(dir);
    put(dir, "blind/blindR1-3.1/diagnosis.json", "{\"verdict\":");
    assert_int_equal(exam_read(&e, dir, &err), ERR_FORMAT);
    files_remove(dir);
}

/* ---- permutations ------------------------------------------------------- */

struct permuted {
    struct evidence e, to;
};

static void open_permuted(struct permuted *p, const struct toy *t)
{
    struct err err;
    const struct bootstrap plan = {.resamples = 200};
    toy_write(t);
    files_must(evidence_read(&p->e, t->dir, &plan, &err), &err);
    p->to = p->e;
    files_must(MEM_NEW(p->to.reply, p->e.n_reply, &err), &err);
    files_must(MEM_NEW(p->to.vote, p->e.n_vote, &err), &err);
}

static void close_permuted(struct permuted *p)
{
    mem_free(p->to.reply);
    mem_free(p->to.vote);
    evidence_free(&p->e);
}

/* A vote stays about the two replies it was about, its tested reply is the one
 * that is now the policy's, and what was said of each reply is still said of
 * it. */
static void test_permutation(void **state)
{
    struct permuted p;
    const char *dir = files_dir();
    const struct toy t = toy_paradox(dir);
    size_t turned = 0, kinds = 0, policy = 0;
    (void)state;
    open_permuted(&p, &t);
    placebo_permute(&p.to, &p.e, 7, 3);
    for (size_t i = 0; i < p.e.n_vote; i++) {
        const struct evidence_vote *a = &p.e.vote[i], *b = &p.to.vote[i];
        bool is_turned = a->reply != b->reply;
        assert_int_equal(is_turned ? a->reply_other : a->reply, b->reply);
        assert_int_equal(is_turned ? a->reply : a->reply_other, b->reply_other);
        near(b->win, is_turned ? 1 - a->win : a->win, 0);
        near(b->direct, is_turned ? a->direct_other : a->direct, 0);
        near(b->tokens, is_turned ? a->tokens_other : a->tokens, 0);
        assert_true(b->is_left == (a->is_left != is_turned));
        turned += is_turned;
        kinds += a->is_placebo != b->is_placebo;
        if (a->is_placebo)
            continue;
        policy++;
        assert_true(p.to.reply[b->reply].is_policy);
        assert_false(p.to.reply[b->reply_other].is_policy);
    }
    /* Fair coins over dozens of prompts: far from none and from all. */
    assert_true(policy > 0);
    assert_in_range(turned, p.e.n_vote / 5, 4 * p.e.n_vote / 5);
    assert_in_range(kinds, p.e.n_vote / 5, 4 * p.e.n_vote / 5);

    /* The same permutation again, and another one. */
    struct evidence_reply *kept = p.to.reply;
    struct err err;
    files_must(MEM_NEW(p.to.reply, p.e.n_reply, &err), &err);
    placebo_permute(&p.to, &p.e, 7, 3);
    bool is_same = true;
    for (size_t i = 0; i < p.e.n_reply; i++)
        is_same = is_same && kept[i].is_policy == p.to.reply[i].is_policy;
    assert_true(is_same);
    placebo_permute(&p.to, &p.e, 7, 4);
    for (size_t i = 0; i < p.e.n_reply; i++)
        is_same = is_same && kept[i].is_policy == p.to.reply[i].is_policy;
    assert_false(is_same);
    mem_free(kept);
    close_permuted(&p);
    files_remove(dir);
}

/* A run with everything to find has something found; its permutations do not,
 * but for the chance that Holm's correction grants all of them together: 0.05,
 * so that more than 5 of 20 would happen once in 3,000 times. */
static void test_placebo(void **state)
{
    const char *dir = files_dir();
    const struct toy t = toy_paradox(dir);
    const struct bootstrap plan = {.resamples = 200};
    struct placebo p = {dir, 1, 20, 200};
    struct evidence e;
    struct diagnosis d;
    struct json_writer w;
    struct json *root;
    struct buf text;
    struct err err;
    (void)state;
    toy_write(&t);
    files_must(evidence_read(&e, dir, &plan, &err), &err);
    files_must(diagnose(&d, &e, &err), &err);
    assert_int_equal(d.observed[OBSERVED_REWARD_UP].verdict, VERDICT_SUPPORTED);
    assert_int_equal(d.observed[OBSERVED_LONGER].verdict, VERDICT_SUPPORTED);
    diagnose_free(&d);
    evidence_free(&e);

    buf_init(&text, 1 << 16);
    json_writer_init(&w, &text, false);
    files_must(placebo_run(&w, &p, &err), &err);
    files_must(json_parse(&root, buf_text(&text), text.len, "placebo", &err),
               &err);
    assert_int_equal(json_int(json_get(root, "permutations"), 0), 20);
    assert_in_range(json_int(json_get(root, "false_findings"), 99), 0, 5);
    assert_in_range(json_int(json_get(json_get(root, "rows"), "S2a"), 99), 0,
                    5);
    json_free(root);
    buf_free(&text);
    files_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wilson),  cmocka_unit_test(test_auc),
        cmocka_unit_test(test_counts),  cmocka_unit_test(test_document),
        cmocka_unit_test(test_refuses), cmocka_unit_test(test_permutation),
        cmocka_unit_test(test_placebo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
