/* test_whatif_change.c - every row of the table of changes means settings that
 * exist, and what is typed is read or refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <string.h>

#include "cli/args.h"
#include "cli/whatif_change.h"
#include "diagnose/remedy_table.h"

static struct err err;

static void reads(struct whatif_change *c, const char *text)
{
    if (whatif_change_read(c, text, &err) != OK)
        fail_msg("%s: %s", text, err.text);
}

static void refuses(const char *text, const char *said)
{
    struct whatif_change c = {.n_set = 99};
    assert_int_equal(whatif_change_read(&c, text, &err), ERR_ARG);
    if (strstr(err.text, said) == NULL)
        fail_msg("%s: '%s' does not say '%s'", text, err.text, said);
    assert_int_equal(c.n_set, 99);
}

/* Keys of every row are recorded settings of reward or ppo, and a row whose
 * value is given can be read. */
static void test_rows(void **state)
{
    (void)state;
    assert_true(whatif_remedy_count > 8);
    for (size_t i = 0; i < whatif_remedy_count; i++) {
        const struct whatif_remedy *r = &whatif_remedies[i];
        for (size_t k = i + 1; k < whatif_remedy_count; k++)
            assert_string_not_equal(r->name, whatif_remedies[k].name);
        assert_true(strlen(r->what) > 0 && strlen(r->what) <= 72);
        assert_null(strchr(r->name, '_'));
        assert_non_null(r->set[0].key);
        for (size_t k = 0; k < WHATIF_SET_MAX && r->set[k].key != NULL; k++) {
            bool is_hash;
            const struct option *row =
                options_find(r->set[k].key, strlen(r->set[k].key), &is_hash);
            if (row == NULL)
                fail_msg("%s: no setting %s", r->name, r->set[k].key);
            if (r->kind == WHATIF_BEST_OF || r->kind == WHATIF_INTERPOLATE)
                continue; // of finished models: no stage has it
            assert_true(row->marks & OPTION_RECORDED);
            assert_true(row->commands & (FOR_REWARD | FOR_PPO));
        }
        struct whatif_change c;
        if (r->value != NULL)
            reads(&c, r->name);
        else
            refuses(r->name, "wants a value");
    }
}

static void test_remedies(void **state)
{
    (void)state;
    struct whatif_change c;
    reads(&c, "beta=0.2");
    assert_string_equal(c.name, "beta=0.2");
    assert_int_equal(c.n_set, 1);
    assert_string_equal(c.set[0].key, "ppo.beta");
    assert_string_equal(c.set[0].text, "0.2");
    assert_int_equal(c.stages, FOR_PPO);

    reads(&c, "clip=inf");
    assert_int_equal(c.n_set, 2);
    assert_string_equal(c.set[0].key, "ppo.clip_low");
    assert_string_equal(c.set[1].key, "ppo.clip_high");
    assert_string_equal(c.set[1].text, "inf");

    reads(&c, "frozen_value");
    assert_string_equal(c.name, "frozen-value");
    assert_string_equal(c.set[0].text, "true");

    reads(&c, "kl-target=2");
    assert_string_equal(c.set[0].text, "adaptive");
    assert_string_equal(c.set[1].text, "2");

    /* A change of the labels trains both models anew; its name is one
     * directory. */
    reads(&c, "relabel=../some where/my labels.jsonl");
    assert_string_equal(c.name, "relabel=my_labels.jsonl");
    assert_int_equal(c.stages, FOR_REWARD | FOR_PPO);
    assert_string_equal(c.set[0].text, "../some where/my labels.jsonl");
}

/* What of a run is trained again. */
static void test_stages(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned stages;
    } known[] = {
        {"bounded", FOR_PPO},
        {"length-penalty=0.01", FOR_PPO},
        {"kl-budget=2", FOR_PPO},
        {"ensemble=3", FOR_PPO},
        {"balance", FOR_REWARD | FOR_PPO},
        {"residual", FOR_REWARD | FOR_PPO},
        {"fresh-labels", FOR_REWARD | FOR_PPO},
        {"sft-epoch=2", FOR_PPO},
        {"best-of", 0},
        {"interpolate=0.3", 0},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct whatif_change c;
        reads(&c, known[i].text);
        assert_string_equal(c.name, known[i].text);
        assert_int_equal(c.stages, known[i].stages);
    }
}

static void test_settings(void **state)
{
    (void)state;
    struct whatif_change c;
    reads(&c, "ppo.objective=pg");
    assert_string_equal(c.name, "ppo.objective=pg");
    assert_int_equal(c.stages, FOR_PPO);
    reads(&c, "reward.epochs=2");
    assert_int_equal(c.stages, FOR_REWARD | FOR_PPO);
    reads(&c, "ppo.value_trunk");
    assert_string_equal(c.set[0].text, "true");
}

static void test_refused(void **state)
{
    (void)state;
    refuses("bta=2", "unknown change 'bta'; did you mean 'beta'?");
    refuses("ppo.bta=2", "did you mean 'ppo.beta'?");
    refuses("frozen-valu", "did you mean 'frozen-value'?");
    refuses("relable", "did you mean 'relabel'?");
    refuses("sft.lr=0.1", "unknown change 'sft.lr'");
    refuses("seed=2", "unknown change 'seed'");
    refuses("ppo.preset=verl", "unknown change 'ppo.preset'");
    refuses("ppo.model_sha256=00", "unknown change");
    refuses("", "unknown change ''");
    refuses("beta=", "no value");
    refuses("beta=much", "beta=much: ppo.beta = much is not a number");
    refuses("beta=-1", "ppo.beta = -1 is outside");
    refuses("objective=best", "is none of clip|pg");
    refuses("k2-loss=1", "takes no value");
    refuses("ppo.beta", "wants a value");
    refuses("best-of=0", "eval.best_of = 0 is outside");
    refuses("interpolate=2", "is outside [0, 1]");
    refuses("bounded=tanh", "is none of none|sigmoid");
}

/* Whatever a diagnosis recommends can be tried as it says: its name is read,
 * and means the settings that its lines of configuration show. */
static void test_recommended(void **state)
{
    (void)state;
    for (size_t i = 0; i < remedy_row_count; i++) {
        const struct remedy_row *r = &remedy_rows[i];
        struct whatif_change c;
        char text[WHATIF_NAME_MAX];
        if (r->command != NULL)
            continue;
        bool has_value = r->value != REMEDY_VALUE_NONE;
        (void)snprintf(text, sizeof text, "%s%s%s", r->id, has_value ? "=" : "",
                       !has_value         ? ""
                       : r->fixed != NULL ? r->fixed
                                          : "2");
        reads(&c, text);
        assert_string_equal(c.name, text);
        assert_string_equal(c.set[0].key, r->key[0]);
        for (size_t k = 0; k < 2 && r->key[k] != NULL && k < c.n_set; k++) {
            assert_string_equal(c.set[k].key, r->key[k]);
            if (r->to[k] != NULL && *r->to[k] != '\0')
                assert_string_equal(c.set[k].text, r->to[k]);
        }
    }
}

/* So can what would tell more of an explanation; X stands for a number. */
static void test_experiments(void **state)
{
    (void)state;
    static const char option[] = "--change ";
    const struct rows none = {.leads = NULL};
    struct rival rival[RIVALS];
    size_t n = 0;
    rivals_judge(rival, &none);
    for (size_t i = 0; i < RIVALS; i++) {
        struct whatif_change c;
        const char *at = strstr(rival[i].experiment, option);
        char text[64];
        if (at == NULL)
            continue;
        (void)snprintf(text, sizeof text, "%s", at + strlen(option));
        size_t len = strlen(text);
        if (len > 1 && strcmp(text + len - 2, "=X") == 0)
            text[len - 1] = '1';
        reads(&c, text);
        n++;
    }
    assert_true(n > 0);
}

/* Every one is a command that the program takes, with options that exist. */
static void test_experiments_parse(void **state)
{
    (void)state;
    const struct rows none = {.leads = NULL};
    struct rival rival[RIVALS];
    rivals_judge(rival, &none);
    for (size_t i = 0; i < RIVALS; i++) {
        const struct command *command;
        struct options o;
        char text[256], *word[32];
        int n = 0;
        (void)snprintf(text, sizeof text, "%s", rival[i].experiment);
        for (char *at = strtok(text, " "); at != NULL; at = strtok(NULL, " "))
            word[n++] = at;
        assert_true(n > 2);
        assert_string_equal(word[0], "plumb");
        if (command_need(&command, word[1], &err) != OK)
            fail_msg("%s: %s", rival[i].experiment, err.text);
        assert_int_equal(options_init(&o, &err), OK);
        if (args_read(&o, command, n - 2, word + 2, &err) != OK)
            fail_msg("%s: %s", rival[i].experiment, err.text);
        options_free(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_remedies),
        cmocka_unit_test(test_stages),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_recommended),
        cmocka_unit_test(test_experiments),
        cmocka_unit_test(test_experiments_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
