/* How a pool stands: counted by hand, against plumb diagnose on the same
 * votes, and how many pairs an excess needs. */
#include "serve/standing.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "diagnose/diagnose.h"
#include "diagnose/observations.h"
#include "serve/stands.h"
#include "stat/distribution.h"
#include "store/export.h"

static struct err err;

static void must(enum status status)
{
    stands_must(status, &err);
}

static void assert_share(const struct standing_value *v, double yes, double n)
{
    if (v->reason != NULL)
        fail_msg("undefined: %s", v->reason);
    stands_near(v->e.estimate, yes / n, 1e-12);
}

/* ---- by hand ------------------------------------------------------------ */

static const char *const names[] = {"n0",      "n1",    "n2",   "n3",
                                    "placebo", "ident", "gold", "again"};
enum {
    ITEMS = sizeof names / sizeof *names
};

/* [item][judge]; win -1: skipped */
static const struct stands_said table[ITEMS][2] = {
    {{1, 1, 3}, {1, 2, 2}},  {{0, 1, 3}, {1, 3, 1}}, {{0.5, 2, 2}, {0, 0, 4}},
    {{1, 3, 3}, {-1, 0, 0}}, {{1, 1, 2}, {0, 2, 2}}, {{0.5, 2, 2}, {1, 2, 2}},
    {{0, 2, 2}, {1, 2, 2}},  {{1, 2, 2}, {0, 2, 2}}};

static size_t item_of(struct rig *r, int64_t assignment)
{
    struct arena a = {0};
    struct assignment x;
    struct item item;
    size_t i = 0;
    must(assign_read(&x, r->db, assignment, &err));
    must(items_read(&item, &a, r->db, x.item, &err));
    while (strcmp(names[i], item.name) != 0)
        i++;
    arena_free(&a);
    return i;
}

/* One judge does all there is; returns wins of the left and decided pairs of
 * first visits. */
static void work(struct rig *r, int64_t pool, int64_t judge, size_t who,
                 double left[2])
{
    int64_t now = RIG_NOW, id;
    while ((id = rig_next(r, judge, pool, now)) != 0) {
        size_t i = item_of(r, id);
        const struct stands_said *s = &table[i][who];
        struct assignment x;
        must(assign_read(&x, r->db, id, &err));
        now += 10000;
        if (s->win < 0) {
            rig_act(r, judge, id, VOTE_SKIP, 0, "skip", now);
            continue;
        }
        if (i == 1 && who == 0) {
            /* Said the other way first, and taken back. */
            const struct stands_said wrong = {1, 4, 0};
            int64_t vote = stands_say(r, judge, id, &wrong, "k", 0, 5000, now);
            int64_t undo = rig_act(r, judge, id, VOTE_UNDO, vote, "u", now);
            (void)stands_say(r, judge, id, s, "again", undo, 5000, now);
        } else {
            (void)stands_say(r, judge, id, s, "k", 0, who == 0 ? 5000 : 100,
                             now);
        }
        if (s->win != 0.5 && i != 7) {
            left[0] += (s->win == 1) == (x.order.place[0] == 0);
            left[1]++;
        }
    }
}

static const struct standing_agreement *
agreement(const struct standing *s, const char *name, const char *of)
{
    for (size_t i = 0; i < s->n_agreement; i++)
        if (strcmp(s->agreement[i].name, name) == 0 &&
            strcmp(s->agreement[i].of, of) == 0)
            return &s->agreement[i];
    fail_msg("no %s of %s", name, of);
    return NULL;
}

static void check_judges(const struct standing *s, double left[2][2])
{
    const struct standing_judge *ada = &s->judge[0], *bob = &s->judge[1];
    assert_int_equal(s->n_judges, 2);
    assert_string_equal(ada->judge.name, "ada");
    assert_int_equal(ada->votes, 8);
    assert_int_equal(ada->undone, 1);
    assert_int_equal(ada->skips, 0);
    assert_int_equal(bob->votes, 7);
    assert_int_equal(bob->skips, 1);
    stands_near(ada->median_ms, 5000, 0);
    stands_near(bob->median_ms, 100, 0);
    /* Prompt and replies are 12 words at least: 720 ms. */
    assert_int_equal(ada->too_fast, 0);
    assert_int_equal(bob->too_fast, 7);
    assert_share(&ada->left, left[0][0], left[0][1]);
    assert_share(&bob->left, left[1][0], left[1][1]);
    assert_share(&ada->longer, 3, 4);
    assert_share(&bob->longer, 2, 4);
    assert_share(&ada->consistency, 1, 1);
    assert_share(&bob->consistency, 0, 1);
    assert_share(&ada->gold, 1, 1);
    assert_share(&bob->gold, 0, 1);
    assert_share(&ada->identical, 1, 1);
    assert_share(&bob->identical, 0, 1);
    stands_near(ada->weight, 1, 1e-9);
    stands_near(bob->weight, 1, 1e-9);
}

static void check_document(const struct standing *s)
{
    struct buf text;
    struct json_writer w;
    struct json *node;
    buf_init(&text, 1 << 20);
    json_writer_init(&w, &text, false);
    standing_write(&w, s);
    must(buf_status(&text, &err));
    must(json_parse(&node, buf_text(&text), text.len, "standing", &err));
    assert_string_equal(json_text(json_get(node, "schema"), ""),
                        "plumb.standing/1");
    const struct json *judge = json_at(json_get(node, "judges"), 1);
    stands_near(json_number(json_get(json_get(judge, "gold"), "value"), 9), 0,
                0);
    const struct json *q = json_get(node, "sequential");
    assert_int_equal(json_int(json_get(q, "wins"), -1), 1);
    assert_true(json_is_null(json_get(q, "more")));
    assert_int_equal(json_size(json_get(node, "marks")), STANDING_MARKS);
    const struct json *helpful = json_at(json_get(node, "marks"), 1);
    assert_true(
        json_is_string(json_get(json_get(helpful, "policy"), "undefined")));
    json_free(node);
    buf_clear(&text);
    standing_text(&text, s);
    must(buf_status(&text, &err));
    assert_non_null(strstr(buf_text(&text), "not measurable, "));
    buf_free(&text);
}

static void test_by_hand(void **state)
{
    (void)state;
    static const enum item_kind kind[ITEMS - 1] = {
        ITEM_NORMAL,  ITEM_NORMAL,    ITEM_NORMAL, ITEM_NORMAL,
        ITEM_PLACEBO, ITEM_IDENTICAL, ITEM_GOLD};
    struct rig r;
    struct standing s;
    double left[2][2] = {{0, 0}, {0, 0}};
    rig_open(&r);
    int64_t pool = rig_pool(&r, "spot", POOL_SPOTCHECK, 2, 1);
    for (size_t i = 0; i < ITEMS - 1; i++)
        stands_pair(&r, pool, names[i], kind[i]);
    rig_repeat(&r, pool, "again", "n0", 1);
    must(standing_make(&s, r.db, pool, RIG_NOW, &err));
    assert_string_equal(s.says[0], "Nobody has voted yet.");
    standing_free(&s);
    int64_t ada = rig_judge(&r, "ada"), bob = rig_judge(&r, "bob");
    work(&r, pool, ada, 0, left[0]);
    work(&r, pool, bob, 1, left[1]);
    must(standing_make(&s, r.db, pool, RIG_NOW, &err));
    check_judges(&s, left);
    /* Both said something of n0, n1, n2 and the placebo, the same of n0.
     * Chance: shares of 1, 1/2, 0 are 2 1 1 and 2 0 2 of four. */
    assert_share(&agreement(&s, "raw", "overall")->value, 1, 4);
    stands_near(agreement(&s, "cohen", "overall")->value.e.estimate,
                (0.25 - 0.375) / (1 - 0.375), 1e-12);
    /* Of eight codes 4, 1 and 3: Do = 6/8, De = (64 - 16 - 1 - 9)/56. */
    stands_near(agreement(&s, "alpha_nominal", "overall")->value.e.estimate,
                1 - 0.75 / (38.0 / 56), 1e-12);
    assert_non_null(agreement(&s, "alpha_ordinal", "helpful")->value.reason);
    /* n0 1 1, n1 0 1, n2 1/2 0, n3 1. */
    assert_share(&s.win, 4.5, 7);
    /* n0 is won, n1 a tie, n2 lost; n3 waits for a second vote. */
    assert_int_equal(s.sequential.wins, 1);
    assert_int_equal(s.sequential.losses, 1);
    assert_int_equal(s.sequential.ties, 1);
    assert_int_equal(s.waiting, 1);
    assert_true(isinf(s.more));
    /* Less direct: ada n0 n1, bob n2, of seven; ada of two placebo votes. */
    stands_near(s.mark[0].share.policy.estimate, 3.0 / 7, 1e-12);
    stands_near(s.mark[0].share.placebo.estimate, 0.5, 1e-12);
    assert_int_equal(s.mark[0].pairs, 4);
    assert_int_equal(s.mark[0].placebos, 1);
    assert_false(s.mark[0].is_measurable);
    check_document(&s);
    standing_free(&s);
    rig_close(&r);
}

/* ---- rankings ----------------------------------------------------------- */

/* Two orders and one that is their reverse, of two prompts. */
static void test_ranking(void **state)
{
    (void)state;
    static const char *const who[] = {"ada", "bob", "eve"};
    struct rig r;
    struct standing s;
    rig_open(&r);
    int64_t pool = rig_pool(&r, "rank", POOL_RANKING, 3, 1);
    rig_ranking(&r, pool, "x", 3);
    rig_ranking(&r, pool, "y", 3);
    for (size_t j = 0; j < 3; j++) {
        int64_t judge = rig_judge(&r, who[j]), id, vote;
        while ((id = rig_next(&r, judge, pool, RIG_NOW)) != 0) {
            struct assignment a;
            bool is_new;
            must(assign_read(&a, r.db, id, &err));
            struct vote v = {.assignment = id,
                             .key = "k",
                             .act = VOTE_CAST,
                             .K = 3,
                             .marks = {votes_no_marks(), votes_no_marks()},
                             .shown = RIG_NOW,
                             .voted = RIG_NOW};
            for (size_t k = 0; k < 3; k++)
                v.rank[k] = j < 2 ? 1 + a.order.place[k] : 3 - a.order.place[k];
            must(votes_cast(&vote, &is_new, r.db, judge, &v, &err));
        }
    }
    must(standing_make(&s, r.db, pool, RIG_NOW, &err));
    assert_share(&agreement(&s, "raw", "ranking")->value, 1, 3);
    /* P = 1/3, Pe = (2/3)^2 + (1/3)^2. */
    stands_near(agreement(&s, "fleiss", "ranking")->value.e.estimate,
                (1.0 / 3 - 5.0 / 9) / (4.0 / 9), 1e-12);
    /* Eighteen codes, six of each, whose midranks are 3, 9 and 15: first and
     * last are 144 apart, the others 36.  Replies 0 and 2 of a prompt have
     * four ordered pairs that differ by 144, over the other 2 codes. */
    stands_near(agreement(&s, "alpha_ordinal", "ranks")->value.e.estimate,
                1 - (4 * 2 * 2 * 144 / 2.0 / 18) /
                        (2 * 36.0 * (36 + 36 + 144) / (18 * 17)),
                1e-12);
    assert_true(s.judge[2].weight < s.judge[0].weight);
    stands_near(s.judge[1].weight, s.judge[0].weight, 1e-9);
    /* All replies are of one length. */
    assert_non_null(s.longer.reason);
    standing_free(&s);
    rig_close(&r);
}

/* ---- how many pairs ----------------------------------------------------- */

struct filling {
    struct rig *r;
    int64_t pool, judge;
    size_t pairs; // half of them placebo
    double policy, placebo;
    uint64_t seed;
};

/* As many votes in one transaction; a judge finds the policy's reply less
 * direct at one rate, a placebo at another. */
static enum status fill(struct db *db, void *ctx, struct err *e)
{
    struct filling *f = ctx;
    struct rng rng;
    int64_t id, now = RIG_NOW;
    (void)db;
    (void)e;
    rng_init(&rng, f->seed, RNG_TEST, 0, 0);
    for (size_t i = 0; i < f->pairs; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "%s-%04zu",
                       i % 2 == 0 ? "policy" : "placebo", i);
        stands_pair(f->r, f->pool, name,
                    i % 2 == 0 ? ITEM_NORMAL : ITEM_PLACEBO);
    }
    while ((id = rig_next(f->r, f->judge, f->pool, now)) != 0) {
        struct arena a = {0};
        struct assignment x;
        struct item item;
        must(assign_read(&x, f->r->db, id, &err));
        must(items_read(&item, &a, f->r->db, x.item, &err));
        double rate = item.kind == ITEM_PLACEBO ? f->placebo : f->policy;
        const struct stands_said s = {rng_uniform(&rng) < 0.5,
                                      rng_uniform(&rng) < rate ? 1 : 3, 2};
        (void)stands_say(f->r, f->judge, id, &s, "k", 0, 9000, ++now);
        arena_free(&a);
    }
    return OK;
}

static void fill_pool(struct rig *r, size_t pairs, double policy,
                      double placebo, uint64_t seed, int64_t *pool)
{
    rig_open(r);
    *pool = rig_pool(r, "spot", POOL_SPOTCHECK, 1, 1);
    struct filling f = {r,       *pool, rig_judge(r, "ada"), pairs, policy,
                        placebo, seed};
    must(db_transact(r->db, fill, &f, &err));
}

/* 100 pairs never do, 320 with half placebo always: at the shares behind it
 * (30 and 45 %) and at those of the largest variance. */
static void test_pairs_needed(void **state)
{
    (void)state;
    static const struct {
        size_t pairs;
        double policy, placebo;
        bool is_measurable;
    } cases[] = {{100, 0.45, 0.3, false}, {100, 0.1, 0.05, false},
                 {320, 0.45, 0.3, true},  {320, 0.5, 0.5, true},
                 {199, 0, 0, false},      {240, 0.3, 0.2, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig r;
        struct standing s;
        int64_t pool;
        fill_pool(&r, cases[i].pairs, cases[i].policy, cases[i].placebo,
                  100 + i, &pool);
        must(standing_make(&s, r.db, pool, RIG_NOW, &err));
        const struct standing_mark *m = &s.mark[0];
        assert_int_equal(m->pairs + m->placebos, cases[i].pairs);
        if (m->is_measurable != cases[i].is_measurable)
            fail_msg("%zu pairs: %zu more", cases[i].pairs, m->more_pairs);
        double se = (m->share.excess.high - m->share.excess.low) / 3.919928;
        double z = distribution_normal_quantile(0.975) +
                   distribution_normal_quantile(0.8);
        double n = ceil((double)cases[i].pairs * pow(z * se * 6, 2));
        double more = fmax(n, STANDING_PAIRS_MIN) - (double)cases[i].pairs;
        /* The quantile has seven digits above: one pair by rounding. */
        stands_near((double)m->more_pairs, fmax(more, 0), 1);
        char words[64];
        (void)snprintf(words, sizeof words, "not measurable, %zu more pair",
                       m->more_pairs);
        assert_true(m->is_measurable == (strstr(s.says[0], words) == NULL));
        standing_free(&s);
        rig_close(&r);
    }
}

/* ---- the same numbers everywhere ---------------------------------------- */

static void assert_same(const struct estimate *a, const struct estimate *b)
{
    assert_true(isfinite(a->low));
    stands_near(a->estimate, b->estimate, 0);
    stands_near(a->low, b->low, 0);
    stands_near(a->high, b->high, 0);
    assert_int_equal(a->n, b->n);
}

/* plumb diagnose on a project: S2b of the votes it finds there, or in
 * `human`. */
static void check_diagnosis(const struct standing *s, const char *project,
                            const char *human)
{
    /* As the command has it by default. */
    const struct bootstrap plan = {.seed = 1, .resamples = 2000};
    struct evidence e;
    struct diagnosis d;
    must(evidence_read_with(&e, project, human, NULL, &plan, &err));
    must(diagnose(&d, &e, &err));
    const struct finding *f = &d.observed[OBSERVED_LESS_DIRECT];
    struct estimate excess = measures_find(&f->detail, "less_direct_excess");
    struct estimate policy = measures_find(&f->detail, "less_direct");
    struct estimate placebo = measures_find(&f->detail, "less_direct_placebo");
    struct estimate win = measures_find(&f->detail, "win_rate");
    assert_same(&excess, &s->mark[0].share.excess);
    assert_same(&policy, &s->mark[0].share.policy);
    assert_same(&placebo, &s->mark[0].share.placebo);
    assert_same(&win, &s->win.e);
    diagnose_free(&d);
    evidence_free(&e);
}

static void test_as_diagnosed(void **state)
{
    (void)state;
    const struct export_config c = {.format = EXPORT_SPOTCHECK};
    struct rig r;
    struct standing s;
    int64_t pool, lines;
    char pooled[256];
    fill_pool(&r, 120, 0.5, 0.3, 7, &pool);
    must(standing_make(&s, r.db, pool, RIG_NOW, &err));
    /* From the export, */
    must(file_make_dir(rig_path(&r, "D/human"), &err));
    must(export_save(&lines, r.db, &c, rig_path(&r, "D/human/spotcheck.jsonl"),
                     0, RIG_NOW, &err));
    check_diagnosis(&s, rig_path(&r, "D"), NULL);
    /* from a database that is named, or a pool of it, */
    check_diagnosis(&s, rig_path(&r, "D"), r.path);
    (void)snprintf(pooled, sizeof pooled, "%s#spot", r.path);
    check_diagnosis(&s, rig_path(&r, "D"), pooled);
    /* from one that lies in the project, while it is open elsewhere, */
    must(file_make_dir(rig_path(&r, "E/human"), &err));
    struct db *other;
    const struct project_new made = {.seed = 7, .now = RIG_NOW};
    struct records_counts n;
    const struct export_config all = {.format = EXPORT_CANONICAL};
    must(export_save(&lines, r.db, &all, rig_path(&r, "all.jsonl"), 0, RIG_NOW,
                     &err));
    must(project_open(&other, rig_path(&r, "E/human/project.db"), DB_CREATE,
                      &made, &err));
    must(records_restore(&n, other, rig_path(&r, "all.jsonl"), 0, RIG_NOW,
                         &err));
    check_diagnosis(&s, rig_path(&r, "E"), NULL);
    db_close(other);
    /* and what is not there is an error, not a finding. */
    struct evidence e;
    const struct bootstrap plan = {.seed = 1};
    (void)snprintf(pooled, sizeof pooled, "%s#other", r.path);
    assert_int_equal(
        evidence_read_with(&e, rig_path(&r, "E"), pooled, NULL, &plan, &err),
        ERR_MISSING);
    assert_int_equal(
        evidence_read_with(&e, rig_path(&r, "E"), "no.db", NULL, &plan, &err),
        ERR_MISSING);
    standing_free(&s);
    rig_close(&r);
}

static void test_missing(void **state)
{
    (void)state;
    struct rig r;
    struct standing s;
    rig_open(&r);
    assert_int_equal(standing_make(&s, r.db, 99, RIG_NOW, &err), ERR_MISSING);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_ranking),
        cmocka_unit_test(test_pairs_needed),
        cmocka_unit_test(test_as_diagnosed),
        cmocka_unit_test(test_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
