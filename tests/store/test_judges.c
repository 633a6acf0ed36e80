/* test_judges.c - people, tokens, sessions; and the words of every enum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "store/audit.h"
#include "store/rig.h"

static int set_up(void **state)
{
    static struct rig rig;
    rig_open(&rig);
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    rig_close(*state);
    return 0;
}

static enum status join_name(void *ctx, const struct judge *j, struct err *err)
{
    (void)err;
    buf_printf(ctx, "%s=%s;", j->name, choice_word(&choice_role, (int)j->role));
    return OK;
}

/* Names that look like another are nobody's. */
static void test_names(void **state)
{
    static const struct {
        const char *name;
        enum status status;
    } name[] = {
        {"ada", OK},
        {"ada lovelace", OK},
        {"\xe5\xa5\xb3", OK},
        {"", ERR_ARG},
        {" ", ERR_ARG},
        {"ada ", ERR_ARG},
        {" ada", ERR_ARG},
        {"ada\xc2\xa0", ERR_ARG}, // a blank that does not break
        {"\xe3\x80\x80"
         "ada",
         ERR_ARG},                    // as wide as an ideogram
        {"ada\xe2\x80\x8b", ERR_ARG}, // of no width
        {"ada\t", ERR_ARG},
        {"\xff", ERR_ARG},
    };
    (void)state;
    for (size_t i = 0; i < sizeof name / sizeof *name; i++)
        if (judges_check_name(name[i].name, NULL) != name[i].status)
            fail_msg("'%s'", name[i].name);
}

static void test_admins(void **state)
{
    struct rig *r = *state;
    int64_t n = -1, ada, eve;
    rig_judge(r, "zoe");
    assert_int_equal(judges_admins(&n, r->db, NULL), OK);
    assert_int_equal(n, 0);
    assert_int_equal(
        judges_add(&ada, r->db, "ada", JUDGE_ADMIN, NULL, 0, RIG_NOW, NULL),
        OK);
    assert_int_equal(
        judges_add(&eve, r->db, "eve", JUDGE_ADMIN, NULL, 0, RIG_NOW, NULL),
        OK);
    assert_int_equal(judges_admins(&n, r->db, NULL), OK);
    assert_int_equal(n, 2);
    assert_int_equal(judges_revoke(r->db, ada, 0, RIG_NOW, NULL), OK);
    assert_int_equal(judges_admins(&n, r->db, NULL), OK);
    assert_int_equal(n, 1);
}

static void test_people(void **state)
{
    struct rig *r = *state;
    struct judge j;
    struct buf names;
    struct err err = {OK, ""};
    int64_t id;
    rig_judge(r, "zoe");
    assert_int_equal(judges_add(&id, r->db, "Anna \xc3\xa9", JUDGE_ADMIN, NULL,
                                0, RIG_NOW, &err),
                     OK);
    assert_int_equal(
        judges_add(&id, r->db, "zoe", JUDGE_ADMIN, NULL, 0, RIG_NOW, &err),
        ERR_MISMATCH);
    assert_non_null(strstr(err.text, "'zoe' already"));
    static const char *const bad[] = {"", "a\nb", "\xff", "del\x7f"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(
            judges_add(&id, r->db, bad[i], JUDGE_JUDGE, NULL, 0, RIG_NOW, NULL),
            ERR_ARG);
    char name[PROJECT_NAME_MAX + 2];
    memset(name, 'n', sizeof name);
    name[PROJECT_NAME_MAX + 1] = '\0';
    assert_int_equal(
        judges_add(&id, r->db, name, JUDGE_JUDGE, NULL, 0, RIG_NOW, NULL),
        ERR_ARG);
    buf_init(&names, 1000);
    assert_int_equal(judges_walk(r->db, join_name, &names, NULL), OK);
    assert_string_equal(buf_text(&names), "Anna \xc3\xa9=admin;zoe=judge;");
    buf_free(&names);
    assert_int_equal(judges_find(&j, r->db, "zoe", NULL), OK);
    assert_int_equal(j.created, RIG_NOW);
    assert_false(j.has_token);
    assert_int_equal(judges_find(&j, r->db, "nobody", NULL), ERR_MISSING);
    assert_int_equal(judges_read(&j, r->db, 99, NULL), ERR_MISSING);
}

static void test_tokens(void **state)
{
    struct rig *r = *state;
    struct judge j;
    unsigned char hash[JUDGES_HASH], other[JUDGES_HASH];
    int64_t id;
    judges_hash(hash, "a secret", 8);
    judges_hash(other, "another", 7);
    assert_memory_not_equal(hash, other, sizeof hash);
    assert_int_equal(
        judges_add(&id, r->db, "anna", JUDGE_JUDGE, hash, 0, RIG_NOW, NULL),
        OK);
    assert_int_equal(judges_find_token(&j, r->db, hash, NULL), OK);
    assert_int_equal(j.id, id);
    assert_true(j.has_token);
    assert_int_equal(judges_find_token(&j, r->db, other, NULL), ERR_MISSING);
    /* A new link ends the old one and what was signed in with it. */
    assert_int_equal(
        judges_open_session(r->db, id, other, RIG_NOW + 100, RIG_NOW, NULL),
        OK);
    assert_int_equal(judges_set_token(r->db, id, other, 0, RIG_NOW + 1, NULL),
                     OK);
    assert_int_equal(judges_find_token(&j, r->db, hash, NULL), ERR_MISSING);
    assert_int_equal(judges_find_token(&j, r->db, other, NULL), OK);
    assert_int_equal(judges_find_session(&j, r->db, other, RIG_NOW + 2, NULL),
                     ERR_MISSING);
    assert_int_equal(judges_set_token(r->db, 99, other, 0, RIG_NOW, NULL),
                     ERR_MISSING);
}

static void test_sessions(void **state)
{
    struct rig *r = *state;
    struct judge j;
    unsigned char one[JUDGES_HASH] = {1}, two[JUDGES_HASH] = {2};
    int64_t id = rig_judge(r, "anna");
    assert_int_equal(
        judges_open_session(r->db, id, one, RIG_NOW, RIG_NOW, NULL), ERR_ARG);
    assert_int_equal(
        judges_open_session(r->db, id, one, RIG_NOW + 50, RIG_NOW, NULL), OK);
    assert_int_equal(
        judges_open_session(r->db, id, two, RIG_NOW + 90, RIG_NOW, NULL), OK);
    assert_int_equal(judges_find_session(&j, r->db, one, RIG_NOW + 49, NULL),
                     OK);
    assert_int_equal(j.id, id);
    assert_int_equal(judges_find_session(&j, r->db, one, RIG_NOW + 50, NULL),
                     ERR_MISSING);
    assert_int_equal(judges_close_session(r->db, two, NULL), OK);
    assert_int_equal(judges_close_session(r->db, two, NULL), OK);
    assert_int_equal(judges_find_session(&j, r->db, two, RIG_NOW, NULL),
                     ERR_MISSING);
    /* Ended ones are swept when somebody signs in. */
    assert_int_equal(
        judges_open_session(r->db, id, two, RIG_NOW + 99, RIG_NOW + 60, NULL),
        OK);
    assert_int_equal(rig_number(r, "SELECT count(*) FROM session"), 1);
    /* Revoked: out, and not in again; twice is fine, and noted once. */
    assert_int_equal(judges_revoke(r->db, id, 0, RIG_NOW + 70, NULL), OK);
    assert_int_equal(judges_revoke(r->db, id, 0, RIG_NOW + 80, NULL), OK);
    assert_int_equal(judges_find_session(&j, r->db, two, RIG_NOW + 71, NULL),
                     ERR_MISSING);
    assert_int_equal(
        judges_open_session(r->db, id, one, RIG_NOW + 99, RIG_NOW + 71, NULL),
        ERR_MISSING);
    assert_int_equal(judges_read(&j, r->db, id, NULL), OK);
    assert_int_equal(j.revoked, RIG_NOW + 70);
    assert_int_equal(
        rig_number(r, "SELECT count(*) FROM audit WHERE event = 'revoke'"), 1);
    assert_int_equal(judges_revoke(r->db, 99, 0, RIG_NOW, NULL), ERR_MISSING);
}

static void test_words(void **state)
{
    static const struct choice *const all[] = {
        &choice_role,   &choice_task,   &choice_kind,    &choice_arm,
        &choice_state,  &choice_act,    &choice_overall, &choice_correct,
        &choice_length, &choice_render, &choice_remark};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        for (int v = 0; v < all[i]->n; v++)
            assert_int_equal(choice_find(all[i], choice_word(all[i], v)), v);
        assert_int_equal(choice_find(all[i], "no such word"), -1);
    }
    assert_int_equal(choice_find(&choice_role, NULL), -1);
    assert_int_equal(choice_find(&choice_length, NULL), VOTE_LENGTH_NONE);
    assert_string_equal(choice_word(&choice_correct, VOTE_CORRECT_UNSURE),
                        "unsure");
    assert_string_equal(choice_word(&choice_kind, ITEM_GOLD), "gold");
    assert_string_equal(choice_word(&choice_overall, VOTE_BOTH_BAD),
                        "both_bad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_admins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_people, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tokens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sessions, set_up, tear_down),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
