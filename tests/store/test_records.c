/*
 * test_records.c - out, in, and out again to the same bytes; what training and
 * diagnosis are given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "io/dataset.h"
#include "io/jsonl.h"
#include "store/audit.h"
#include "store/export.h"
#include "store/rig.h"
#include "store/unblind.h"

static struct {
    struct rig rig;
    int64_t pairs, ranks, anna, bert;
} at;

/* Two pools, two judges, votes of every sort. */
static int set_up(void **state)
{
    struct rig *r = &at.rig;
    rig_open(r);
    at.pairs = rig_pool(r, "pairs", POOL_SPOTCHECK, 2, 0.5);
    at.ranks = rig_pool(r, "ranks", POOL_RANKING, 1, 1);
    at.anna = rig_judge(r, "anna");
    at.bert = rig_judge(r, "bert");
    rig_pair(r, at.pairs, "policy-0", ITEM_NORMAL, ITEM_ADAPTIVE, 3);
    rig_pair(r, at.pairs, "placebo-0", ITEM_PLACEBO, ITEM_RANDOM, 0);
    rig_pair(r, at.pairs, "policy-1", ITEM_NORMAL, ITEM_RANDOM, 0);
    rig_repeat(r, at.pairs, "again-0", "policy-0", 1);
    rig_ranking(r, at.ranks, "rank-0", 3);
    rig_ranking(r, at.ranks, "rank-1", 2);
    *state = r;
    return 0;
}

static void fill(struct rig *r)
{
    const int64_t judge[2] = {at.anna, at.bert};
    for (int j = 0; j < 2; j++) {
        int64_t id;
        for (int i = 0; (id = rig_next(r, judge[j], at.pairs, RIG_NOW)) != 0;
             i++) {
            char key[32];
            (void)snprintf(key, sizeof key, "k%d", i);
            int64_t vote = rig_vote(
                r, judge[j], id, (enum vote_overall)(1 + i % 4), key, RIG_NOW);
            if (i != 1)
                continue;
            int64_t undo =
                rig_act(r, judge[j], id, VOTE_UNDO, vote, "u", RIG_NOW + 1);
            rig_act(r, judge[j], id, VOTE_SKIP, undo, "s", RIG_NOW + 2);
            const struct remark x = {.assignment = id,
                                     .key = "r",
                                     .kind = REMARK_FLAG,
                                     .text = "neither\nof them",
                                     .at = RIG_NOW + 3};
            bool is_new;
            assert_int_equal(
                votes_remark(&id, &is_new, r->db, judge[j], &x, NULL), OK);
        }
    }
    int64_t id;
    while ((id = rig_next(r, at.anna, at.ranks, RIG_NOW)) != 0) {
        struct assignment x;
        assert_int_equal(assign_read(&x, r->db, id, NULL), OK);
        rig_rank(r, at.anna, id, x.order.K, "k", RIG_NOW);
    }
}

static int tear_down(void **state)
{
    rig_close(*state);
    return 0;
}

static int64_t save(struct rig *r, enum export_format format, bool is_redact,
                    const char *path)
{
    const struct export_config c = {.format = format, .is_redact = is_redact};
    struct err err = {OK, ""};
    int64_t lines = 0;
    if (export_save(&lines, r->db, &c, path, 0, RIG_NOW, &err) != OK)
        fail_msg("%s", err.text);
    return lines;
}

static char *read_all(const char *path)
{
    static struct buf b[4];
    static int next;
    struct buf *out = &b[next++ % 4];
    buf_free(out);
    buf_init(out, 1 << 24);
    assert_int_equal(file_read(out, path, NULL), OK);
    buf_putc(out, '\0');
    return out->data;
}

static void test_round_trip(void **state)
{
    struct rig *r = *state;
    struct rig other;
    struct records_counts n;
    struct err err = {OK, ""};
    fill(r);
    assert_int_equal(unblind_note(r->db, 1, 1, RIG_NOW + 7, NULL), OK);
    char *path = (char *)(uintptr_t)rig_path(r, "out.jsonl");
    int64_t lines = save(r, EXPORT_CANONICAL, false, path);
    assert_non_null(strstr(read_all(path), "\"unblinded_at\":1700000000007"));
    assert_int_equal(lines, rig_number(r, "SELECT (SELECT count(*) FROM vote) "
                                          "+ (SELECT count(*) FROM remark)"));
    rig_open(&other);
    if (records_restore(&n, other.db, path, 0, RIG_NOW + 99, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(n.lines, lines);
    assert_int_equal(n.pools, 2);
    assert_int_equal(n.items, 6);
    assert_int_equal(n.judges, 2);
    assert_int_equal(n.acts + n.remarks, lines);
    save(&other, EXPORT_CANONICAL, false, rig_path(&other, "out.jsonl"));
    assert_string_equal(read_all(path),
                        read_all(rig_path(&other, "out.jsonl")));
    struct audit_report report;
    if (audit_verify(&report, other.db, &err) != OK)
        fail_msg("%s", err.text);
    /* A second time nothing is new. */
    assert_int_equal(records_restore(&n, other.db, path, 0, RIG_NOW + 99, &err),
                     OK);
    assert_int_equal(n.lines, lines);
    assert_int_equal(
        n.pools + n.items + n.judges + n.assignments + n.acts + n.remarks, 0);
    rig_close(&other);
}

/* Lines that were changed are refused, and nothing of the file is kept. */
static void test_bad_lines(void **state)
{
    static const struct {
        const char *from, *to;
        enum status status;
        const char *words;
    } cases[] = {
        {"judgement/1", "judgement/2", ERR_FORMAT, "out.jsonl:1: schema"},
        {"\"shown\":[0,1]", "\"shown\":[1,0]", ERR_MISMATCH, "committed to"},
        {"\"shown\":[1,0]", "\"shown\":[0,1]", ERR_MISMATCH, "committed to"},
        {"\"secret\":\"", "\"secret\":\"x", ERR_FORMAT, "hex"},
        {"\"secret\":\"", "\"secrets\":\"", ERR_FORMAT, "hex"},
        {"\"turn\":0", "\"turn\":5", ERR_FORMAT, "act before this one"},
        {"\"act\":\"vote\"", "\"act\":\"note\"", ERR_FORMAT, "act 'note'"},
        {"\"overall\":\"A\"", "\"overall\":\"C\"", ERR_FORMAT, "overall 'C'"},
        {"\"left_helpful\":3", "\"left_helpful\":7", ERR_ARG, "0 to 4"},
        {"\"task\":\"spotcheck\"", "\"task\":\"ranking\"", ERR_ARG, ""},
        {"good policy-0", "bad policy-0", ERR_MISMATCH, "another item"},
        {"\"kind\":\"placebo\"", "\"kind\":\"normal\"", ERR_ARG, "sources"},
        {"{", "", ERR_FORMAT, "out.jsonl:1"},
    };
    struct rig *r = *state;
    fill(r);
    save(r, EXPORT_CANONICAL, false, rig_path(r, "whole.jsonl"));
    char *whole = read_all(rig_path(r, "whole.jsonl"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig other;
        struct buf text;
        struct records_counts n;
        struct err err = {OK, ""};
        char *found = strstr(whole, cases[i].from);
        if (found == NULL)
            fail_msg("no %s", cases[i].from);
        buf_init(&text, 1 << 24);
        buf_append(&text, whole, (size_t)(found - whole));
        buf_puts(&text, cases[i].to);
        buf_puts(&text, found + strlen(cases[i].from));
        const char *path = rig_path(r, "out.jsonl");
        assert_int_equal(file_write(path, buf_text(&text), text.len, NULL), OK);
        buf_free(&text);
        rig_open(&other);
        enum status status =
            records_restore(&n, other.db, path, 0, RIG_NOW, &err);
        if (status != cases[i].status || !strstr(err.text, cases[i].words) ||
            !strstr(err.text, "out.jsonl:"))
            fail_msg("%s: %d, '%s'", cases[i].to, (int)status, err.text);
        assert_int_equal(rig_number(&other, "SELECT count(*) FROM pool"), 0);
        assert_int_equal(rig_number(&other, "SELECT count(*) FROM vote"), 0);
        rig_close(&other);
    }
}

/* ---- what is in a judge's hands is not told ----------------------------- */

static void test_open_ones(void **state)
{
    struct rig *r = *state;
    int64_t id = rig_next(r, at.anna, at.pairs, RIG_NOW);
    const char *path = rig_path(r, "out.jsonl");
    assert_int_equal(save(r, EXPORT_CANONICAL, false, path), 0);
    int64_t vote = rig_vote(r, at.anna, id, VOTE_A, "k", RIG_NOW);
    assert_int_equal(save(r, EXPORT_CANONICAL, false, path), 1);
    assert_int_equal(save(r, EXPORT_SPOTCHECK, false, path), 1);
    rig_act(r, at.anna, id, VOTE_UNDO, vote, "u", RIG_NOW);
    assert_int_equal(save(r, EXPORT_CANONICAL, false, path), 0);
    assert_int_equal(save(r, EXPORT_SPOTCHECK, false, path), 0);
    assert_int_equal(rig_number(r, "SELECT count(*) FROM audit WHERE event = "
                                   "'export'"),
                     5);
}

static void test_redact(void **state)
{
    struct rig *r = *state;
    fill(r);
    for (int f = EXPORT_CANONICAL; f <= EXPORT_RANKINGS; f++) {
        const char *path = rig_path(r, "out.jsonl");
        assert_true(save(r, (enum export_format)f, true, path) > 0);
        const char *text = read_all(path);
        assert_null(strstr(text, "anna"));
        assert_null(strstr(text, "answers")); // of the reason
        assert_null(strstr(text, "neither")); // of the remark
        assert_non_null(strstr(text, "\"judge-"));
    }
}

/* ---- spot-checks -------------------------------------------------------- */

struct checking {
    struct rig *r;
    int rows, placebo, second, policy_left;
};

static enum status check_row(void *ctx, const struct json *row, size_t line,
                             struct err *err)
{
    struct checking *c = ctx;
    const struct json *left = json_get(row, "left");
    const struct json *right = json_get(row, "right");
    const char *kind = json_text(json_get(row, "kind"), "?");
    const char *pair = json_text(json_get(row, "pair_id"), "?");
    const char *source = json_text(json_get(left, "source"), "?");
    char text[64];
    (void)line;
    (void)err;
    c->rows++;
    c->placebo += strcmp(kind, "placebo") == 0;
    c->second += json_int(json_get(row, "visit"), 0) == 2;
    bool is_tested = strcmp(source, kind) == 0;
    c->policy_left += is_tested;
    assert_string_equal(json_text(json_get(row, "schema"), ""),
                        "plumb.spotcheck/1");
    assert_memory_equal(pair, kind, strlen(kind));
    assert_string_equal(json_text(json_get(row, "shown_left"), "?"), source);
    assert_string_equal(
        json_text(json_get(is_tested ? right : left, "source"), "?"),
        "reference");
    (void)snprintf(text, sizeof text, "%s %s", is_tested ? "good" : "better",
                   pair);
    assert_string_equal(json_text(json_get(left, "response"), ""), text);
    assert_int_equal(json_int(json_get(left, "tokens"), 0),
                     is_tested ? 58 : 31);
    assert_int_equal(json_int(json_get(row, "left_direct"), -1), 4);
    assert_int_equal(json_int(json_get(row, "right_direct"), -1), 1);
    assert_string_equal(json_text(json_get(row, "left_correct"), ""), "yes");
    assert_string_equal(json_text(json_get(row, "right_length"), ""),
                        "too_long");
    assert_null(json_get(row, "right_helpful"));
    return OK;
}

static void test_spotcheck(void **state)
{
    struct rig *r = *state;
    struct checking c = {.r = r};
    const char *path = rig_path(r, "spotcheck.jsonl");
    fill(r);
    int64_t lines = save(r, EXPORT_SPOTCHECK, false, path);
    assert_int_equal(jsonl_read(path, check_row, &c, NULL), OK);
    assert_int_equal(c.rows, lines);
    assert_int_equal(lines,
                     rig_number(r, "SELECT count(*) FROM assignment AS a "
                                   "JOIN item AS i ON i.id = a.item_id "
                                   "WHERE a.state = 'voted' AND "
                                   "i.pool_id = 1"));
    assert_true(c.placebo > 0 && c.placebo < c.rows);
    assert_int_equal(c.second,
                     rig_number(r, "SELECT count(*) FROM assignment AS a JOIN "
                                   "item AS i ON i.id = a.item_id WHERE "
                                   "i.kind = 'repeat' AND a.state = 'voted'"));
}

/* ---- rankings ----------------------------------------------------------- */

static void test_rankings(void **state)
{
    struct rig *r = *state;
    struct dataset d;
    struct err err = {OK, ""};
    const char *path = rig_path(r, "rankings.jsonl");
    fill(r);
    assert_int_equal(save(r, EXPORT_RANKINGS, false, path), 2);
    if (dataset_read(&d, path, DATASET_RANKINGS, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(d.n, 2);
    for (size_t i = 0; i < d.n; i++) {
        const struct record *x = &d.record[i];
        struct assignment a;
        int64_t item;
        assert_int_equal(items_find(&item, r->db, at.ranks, x->id, NULL), OK);
        assert_int_equal(assign_find(&a, r->db, item, at.anna, NULL), OK);
        assert_int_equal(x->n_responses, a.order.K);
        /* Ranked in the order shown: what stood left is the best. */
        for (size_t s = 0; s < a.order.K; s++)
            assert_int_equal(x->ranking[a.order.place[s]], s + 1);
        for (size_t k = 0; k < x->n_responses; k++) {
            char text[64];
            (void)snprintf(text, sizeof text, "reply %zu to %s", k, x->id);
            assert_string_equal(x->responses[k], text);
        }
        assert_non_null(strstr(x->extra, "\"ticket\":{\"n\":3}"));
        assert_non_null(strstr(x->extra, "\"rater\":\"anna\""));
        assert_non_null(strstr(x->extra, "\"arm\":\"random\""));
        assert_non_null(strstr(x->extra, "\"finish\":[\"eos\""));
        if (a.order.K == 2)
            assert_non_null(strstr(x->extra, "\"strength\":2"));
    }
    dataset_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_open_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_redact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spotcheck, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rankings, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
