/* What a spot-check says in one sentence: the sequential test, what it wants
 * more, and judges who disagree. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "serve/standing_internal.h"
#include "serve/stands.h"

static struct err err;

static void must(enum status status)
{
    stands_must(status, &err);
}

/* ---- one vote a prompt -------------------------------------------------- */

enum {
    TWICE = 24 // prompts with two pairs
};

/* What is expected of the test, and what it says. */
static void check_sequential(struct rig *r, int64_t pool, size_t wins,
                             size_t losses)
{
    struct standing s;
    must(standing_make(&s, r->db, pool, RIG_NOW, &err));
    assert_int_equal(s.sequential.wins, wins);
    assert_int_equal(s.sequential.losses, losses);
    assert_int_equal(s.sequential.ties, 0);
    assert_int_equal(s.waiting, TWICE - wins - losses);
    standing_free(&s);
}

/* Every prompt has a pair that is won or lost and a second one with the
 * opposite outcome, met in any order: a prompt counts with its first pair, and
 * what is said of the second changes nothing.  A retired pair is none. */
static void test_vote_a_prompt(void **state)
{
    (void)state;
    struct rig r;
    int64_t item[2][TWICE], id, now = RIG_NOW;
    size_t wins = 0, losses = 0, second_first = 0;
    bool is_met[TWICE] = {false};
    rig_open(&r);
    int64_t pool = rig_pool(&r, "spot", POOL_SPOTCHECK, 1, 1);
    int64_t ada = rig_judge(&r, "ada");
    for (size_t round = 0; round < 2; round++) {
        for (size_t p = 0; p < TWICE; p++) {
            char name[32], prompt[32];
            (void)snprintf(name, sizeof name, "%zu~r%zu", p, round);
            (void)snprintf(prompt, sizeof prompt, "%zu", p);
            item[round][p] =
                stands_pair_of(&r, pool, name, prompt, ITEM_NORMAL);
        }
    }
    while ((id = rig_next(&r, ada, pool, now)) != 0) {
        struct assignment x;
        size_t at = 0;
        must(assign_read(&x, r.db, id, &err));
        while (item[at / TWICE][at % TWICE] != x.item)
            at++;
        size_t round = at / TWICE, p = at % TWICE;
        const struct stands_said what = {(p % 3 == 0) == (round == 0) ? 1 : 0,
                                         2, 2};
        (void)stands_say(&r, ada, id, &what, "k", 0, 9000, ++now);
        wins += round == 0 && what.win == 1;
        losses += round == 0 && what.win == 0;
        second_first += round == 1 && !is_met[p];
        is_met[p] = true;
        check_sequential(&r, pool, wins, losses);
    }
    assert_int_equal(wins, TWICE / 3);
    assert_int_equal(losses, TWICE - TWICE / 3);
    assert_in_range(second_first, 4, TWICE - 4); // both orders were met
    must(items_retire(r.db, item[0][0], "a mistake", 0, now, &err));
    check_sequential(&r, pool, wins - 1, losses + 1);
    /* Two votes on a prompt are one observation of their judge. */
    struct standing s;
    must(standing_make(&s, r.db, pool, RIG_NOW, &err));
    stands_near(s.judge[0].win.e.estimate, 0.5, 1e-12);
    assert_int_equal(s.judge[0].win.e.n, TWICE);
    standing_free(&s);
    rig_close(&r);
}

/* As many placebos as pairs, and two votes on each: four votes for every pair
 * that is wanted still, whatever the order in which they are handed out. */
static void test_more(void **state)
{
    (void)state;
    enum {
        PAIRS = 40
    };
    static const char *const who[] = {"ada", "bob"};
    struct rig r;
    struct standing s;
    rig_open(&r);
    int64_t pool = rig_pool(&r, "spot", POOL_SPOTCHECK, 2, 1);
    for (size_t i = 0; i < 2 * PAIRS; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "%zu", i);
        stands_pair(&r, pool, name, i < PAIRS ? ITEM_NORMAL : ITEM_PLACEBO);
    }
    for (size_t j = 0; j < 2; j++) {
        int64_t judge = rig_judge(&r, who[j]), now = RIG_NOW;
        for (size_t i = 0; i < 40; i++) {
            const struct stands_said what = {i % 3 == 0 ? 0 : 1, 2, 2};
            int64_t id = rig_next(&r, judge, pool, now);
            (void)stands_say(&r, judge, id, &what, "k", 0, 9000, ++now);
        }
    }
    must(standing_make(&s, r.db, pool, RIG_NOW, &err));
    assert_int_equal(s.sequential.wins + s.sequential.losses +
                         s.sequential.ties + (size_t)s.waiting,
                     PAIRS);
    assert_true(isfinite(s.more) && s.more > 0);
    stands_near(s.more, sequential_more(&s.sequential), 0);
    stands_near(s.more_votes, 4 * s.more, 0);
    char words[64];
    (void)snprintf(words, sizeof words,
                   "about %.0f more policy pairs, %.0f "
                   "votes",
                   s.more, s.more_votes);
    assert_non_null(strstr(s.says[1], words));
    standing_free(&s);
    rig_close(&r);
}

/* ---- judges who disagree ------------------------------------------------ */

/* Two judges on the same pairs: of each four in a row, who says that the policy
 * won. */
static void judge_pairs(struct rig *r, struct standing *s, size_t pairs,
                        const char *ada, const char *bob)
{
    static const char *const who[] = {"ada", "bob"};
    const char *wins[] = {ada, bob};
    rig_open(r);
    int64_t pool = rig_pool(r, "spot", POOL_SPOTCHECK, 2, 1);
    int64_t first = 0;
    for (size_t i = 0; i < pairs; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "%zu", i);
        int64_t item = stands_pair_of(r, pool, name, name, ITEM_NORMAL);
        first = i == 0 ? item : first;
    }
    for (size_t j = 0; j < 2; j++) {
        int64_t judge = rig_judge(r, who[j]), id, now = RIG_NOW;
        while ((id = rig_next(r, judge, pool, now)) != 0) {
            struct assignment x;
            must(assign_read(&x, r->db, id, &err));
            const struct stands_said what = {
                wins[j][(x.item - first) % 4] == '1' ? 1 : 0, 2, 2};
            (void)stands_say(r, judge, id, &what, "k", 0, 9000, ++now);
        }
    }
    must(standing_make(s, r->db, pool, RIG_NOW, &err));
}

/* One in four and three in four, agreeing on half of the pairs: chance gives
 * as much.  No headline of theirs comes before that is said. */
static void test_opposite_views(void **state)
{
    (void)state;
    struct rig r;
    struct standing s;
    struct buf text;
    struct json_writer w;
    struct json *node;
    judge_pairs(&r, &s, 96, "1000", "1011");
    assert_non_null(strstr(s.says[0], "The judges disagree as if by chance"));
    assert_non_null(
        strstr(s.says[0], ": ada prefers the reference (policy wins 25 %"));
    assert_non_null(strstr(s.says[0], ", bob prefers the policy (75 %"));
    stands_near(s.judge[0].win.e.estimate, 0.25, 1e-12);
    assert_int_equal(s.judge[1].win.e.n, 96);
    buf_init(&text, 1 << 20);
    json_writer_init(&w, &text, false);
    standing_write(&w, &s);
    must(buf_status(&text, &err));
    must(json_parse(&node, buf_text(&text), text.len, "standing", &err));
    const struct json *bob = json_at(json_get(node, "judges"), 1);
    stands_near(json_number(json_get(json_get(bob, "win"), "value"), 9), 0.75,
                1e-12);
    json_free(node);
    buf_clear(&text);
    standing_text(&text, &s);
    assert_non_null(strstr(buf_text(&text), "policy wins  "));
    buf_free(&text);
    standing_free(&s);
    rig_close(&r);
    judge_pairs(&r, &s, 48, "1010", "0101");
    assert_non_null(strstr(s.says[0], "disagree more than by chance"));
    assert_non_null(strstr(s.says[0], "ada prefers neither (policy wins 50 %"));
    standing_free(&s);
    rig_close(&r);
}

/* What is said first of judges whose alpha has this interval. */
static const char *words_of(struct standing *s, double low, double high)
{
    const struct estimate e = {
        .estimate = (low + high) / 2, .low = low, .high = high, .n = 60};
    *s = (struct standing){.pool = {.task = POOL_RANKING},
                           .progress = {.votes = 60},
                           .n_agreement = 3,
                           .longer = {.reason = "nothing"}};
    for (size_t i = 0; i < s->n_agreement; i++)
        s->agreement[i].value = (struct standing_value){e, NULL};
    must(standing_say(s, &err));
    assert_true(s->n_says > 0);
    return s->says[0];
}

/* Chance is claimed only where it could not be what is usual. */
static void test_chance(void **state)
{
    (void)state;
    static const struct {
        double low, high;
        const char *said; // NULL: nothing of it
    } known[] = {{-0.05, 0.45, NULL},      {-0.2, STANDING_ALPHA, NULL},
                 {-0.2, 0.33, "as if"},    {0, 0.1, "as if"},
                 {-0.8, 0.2, "as if"},     {0.01, 0.2, NULL},
                 {-0.8, 0, "as if"},       {-0.5, -0.1, "more than"},
                 {-0.9, -0.1, "more than"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct standing s;
        const char *said = words_of(&s, known[i].low, known[i].high);
        if (known[i].said == NULL)
            assert_null(strstr(said, "disagree"));
        else if (strstr(said, "disagree") == NULL ||
                 strstr(said, known[i].said) == NULL)
            fail_msg("%g to %g: %s", known[i].low, known[i].high, said);
        arena_free(&s.arena);
    }
}

/* What is said last of two judges of `n` prompts each, none of them common. */
static const char *apart(struct standing *s, struct standing_judge judge[2],
                         double low, double high)
{
    const double at[] = {low, high};
    *s = (struct standing){.pool = {.task = POOL_SPOTCHECK},
                           .progress = {.votes = 120},
                           .judge = judge,
                           .n_judges = 2,
                           .win = {.reason = "nothing"},
                           .longer = {.reason = "nothing"}};
    for (size_t i = 0; i < STANDING_AGREEMENTS; i++)
        s->agreement[i].value.reason = "no item was judged twice";
    for (size_t i = 0; i < 2; i++) {
        const struct estimate e = {.estimate = at[i],
                                   .low = at[i] - 0.1,
                                   .high = at[i] + 0.1,
                                   .n = 60};
        judge[i] = (struct standing_judge){.left = {.reason = "nothing"},
                                           .gold = {.reason = "nothing"},
                                           .identical = {.reason = "nothing"},
                                           .win = {e, NULL}};
        (void)snprintf(judge[i].judge.name, sizeof judge[i].judge.name, "%s",
                       i == 0 ? "ada" : "bob");
    }
    must(standing_say(s, &err));
    return s->says[s->n_says - 1];
}

/* Two intervals of .1 to either side: their difference has one of .141. */
static void test_apart(void **state)
{
    (void)state;
    struct standing s;
    struct standing_judge judge[2];
    assert_non_null(strstr(apart(&s, judge, 0.31, 0.87), "For ada the policy "
                                                         "wins 31 %"));
    assert_non_null(strstr(s.says[s.n_says - 1], "for bob 87 %"));
    arena_free(&s.arena);
    assert_non_null(strstr(apart(&s, judge, 0.4, 0.56), "For ada"));
    arena_free(&s.arena);
    assert_null(strstr(apart(&s, judge, 0.4, 0.53), "For ada"));
    arena_free(&s.arena);
}

/* A decision that later votes took back is not told as if they had not. */
static void test_turned(void **state)
{
    (void)state;
    struct standing s;
    struct standing_judge judge[2];
    (void)apart(&s, judge, 0.5, 0.5);
    arena_free(&s.arena);
    s.n_says = 0;
    for (int i = 0; i < 8; i++)
        sequential_vote(&s.sequential, 1);
    must(standing_say(&s, &err));
    assert_non_null(strstr(s.says[1], "Decided: people prefer the policy (8"));
    arena_free(&s.arena);
    s.n_says = 0;
    for (int i = 0; i < 7; i++)
        sequential_vote(&s.sequential, 0);
    must(standing_say(&s, &err));
    assert_non_null(
        strstr(s.says[1], "decided for the policy after 8 prompts"));
    assert_non_null(strstr(s.says[1], "not bear it out: 8 to 7 now"));
    arena_free(&s.arena);
}

/* It is not said of judges who agree, nor where too few pairs could tell. */
static void test_agreed_views(void **state)
{
    (void)state;
    struct rig r;
    struct standing s;
    judge_pairs(&r, &s, 48, "1011", "1011");
    assert_null(strstr(s.says[0], "disagree"));
    assert_non_null(strstr(s.says[1], "Decided: people prefer the policy"));
    standing_free(&s);
    rig_close(&r);
    judge_pairs(&r, &s, 8, "1000", "1011");
    assert_null(strstr(s.says[0], "disagree"));
    standing_free(&s);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vote_a_prompt),  cmocka_unit_test(test_more),
        cmocka_unit_test(test_opposite_views), cmocka_unit_test(test_chance),
        cmocka_unit_test(test_agreed_views),   cmocka_unit_test(test_apart),
        cmocka_unit_test(test_turned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
