/* test_options.c - the option table agrees with itself, and settings become
 * values in the stated order or are refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "rlhf/preset.h"

static const struct option *row_of(const char *key)
{
    bool is_hash;
    const struct option *row = options_find(key, strlen(key), &is_hash);
    assert_non_null(row);
    assert_false(is_hash);
    return row;
}

/* Every key is there once, and no two rows write to the same place. */
static void test_rows_are_distinct(void **state)
{
    (void)state;
    assert_true(option_count() > 50);
    for (size_t i = 0; i < option_count(); i++) {
        for (size_t j = i + 1; j < option_count(); j++) {
            assert_string_not_equal(option_row(i)->key, option_row(j)->key);
            assert_int_not_equal(option_row(i)->offset, option_row(j)->offset);
        }
    }
}

/* The desk's own defaults, which its tests use, are the table's. */
static void test_desk_defaults(void **state)
{
    (void)state;
    struct options o;
    assert_int_equal(options_init(&o, NULL), OK);
    struct rater_config rater = rater_default();
    const struct rater_config *r = &o.v.world.rater;
    assert_true(r->hurried == rater.hurried && r->tau == rater.tau);
    assert_true(r->gold_share == rater.gold_share);
    assert_true(r->length_taste == rater.length_taste);
    assert_true(r->polite_taste == rater.polite_taste);
    assert_true(r->tie_margin == rater.tie_margin);
    struct panel_config panel = panel_default();
    struct panel_config p = cmd_world_panel(&o.v.world);
    assert_int_equal(p.n_policy, panel.n_policy);
    assert_int_equal(p.n_placebo, panel.n_placebo);
    assert_int_equal(p.n_twice, panel.n_twice);
    assert_int_equal(p.n_judges, panel.n_judges);
    assert_true(p.tau == panel.tau && p.tau_axis == panel.tau_axis);
    assert_true(p.tie_margin == panel.tie_margin);
    options_free(&o);
}

/* Within a command a flag or letter means one row. */
static void test_flags_are_unambiguous(void **state)
{
    (void)state;
    for (size_t c = 0; c < command_count; c++) {
        unsigned bit = command_table[c].bit;
        for (size_t i = 0; i < option_count(); i++) {
            const struct option *row = option_row(i);
            const char *name = options_short_key(row);
            if (!(row->commands & bit))
                continue;
            assert_ptr_equal(options_find_flag(row->key, strlen(row->key), bit),
                             row);
            if (options_is_own(row, bit))
                assert_ptr_equal(options_find_flag(name, strlen(name), bit),
                                 row);
            for (size_t j = 0; row->letter && j < i; j++)
                assert_false((option_row(j)->commands & bit) &&
                             option_row(j)->letter == row->letter);
            assert_true(row->letter != 'c' && row->letter != 'h');
        }
    }
}

/* Another value than the default, one that wants all its digits. */
static void other_value(char out[40], const struct option *row)
{
    double high = row->high > 1e6 ? 1e6 : row->high;
    const char *last = row->choices ? strrchr(row->choices, '|') + 1 : "";
    switch (row->type) {
    case OPTION_BOOL:
        snprintf(out, 40, "%s", row->fallback[0] == 't' ? "false" : "true");
        break;
    case OPTION_INT:
        snprintf(out, 40, "%.0f", row->high);
        break;
    case OPTION_REAL:
        snprintf(out, 40, "%.17g", row->low + (high - row->low) / 3);
        break;
    case OPTION_CHOICE:
        if (strcmp(last, row->fallback) == 0)
            snprintf(out, 40, "%.*s", (int)strcspn(row->choices, "|"),
                     row->choices);
        else
            snprintf(out, 40, "%s", last);
        break;
    case OPTION_TEXT:
    case OPTION_PATH:
        *out = '\0';
    }
}

/* Print a value of one set of options and give it to the other. */
static void carry(struct options *to, const struct options *from,
                  const struct option *row)
{
    struct err err = {OK, ""};
    struct buf text;
    buf_init(&text, 10000);
    options_print_value(&text, from, row);
    if (options_set(to, row, buf_text(&text), "test", NULL, &err) != OK)
        fail_msg("%s", err.text);
    buf_free(&text);
}

/* Defaults lie in their own ranges.  A value printed, as config.yaml has it,
 * reads back as the same bits, the default and any other. */
static void test_values_round_trip(void **state)
{
    (void)state;
    struct err err = {OK, ""};
    struct options o, again;
    char text[40];
    assert_int_equal(options_init(&o, &err), OK);
    assert_int_equal(options_init(&again, &err), OK);
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *row = option_row(i);
        if (row->type == OPTION_TEXT || row->type == OPTION_PATH)
            continue; // what is quoted is YAML's business: tests/cli/config.sh
        other_value(text, row);
        if (options_set(&again, row, text, "test", NULL, &err) != OK)
            fail_msg("%s", err.text);
        if (memcmp(&o.v, &again.v, sizeof o.v) == 0)
            fail_msg("%s = %s is the default", row->key, text);
        carry(&o, &again, row);
        assert_memory_equal(&o.v, &again.v, sizeof o.v);
        assert_int_equal(
            options_set(&again, row, row->fallback, "test", NULL, &err), OK);
        carry(&o, &again, row);
        assert_memory_equal(&o.v, &again.v, sizeof o.v);
    }
    options_free(&o);
    options_free(&again);
}

struct number_case {
    const char *key, *text;
    enum status status;
};

/* Numbers are read strictly, and ranges hold at both ends. */
static void test_numbers(void **state)
{
    (void)state;
    static const struct number_case cases[] = {
        {"ppo.beta", "0", OK},
        {"ppo.beta", "10", OK},
        {"ppo.beta", "1e-5", OK},
        {"ppo.beta", ".5", OK},
        {"ppo.beta", "-0.0001", ERR_ARG},
        {"ppo.beta", "10.0001", ERR_ARG},
        {"ppo.beta", "inf", ERR_ARG},
        {"ppo.beta", "nan", ERR_ARG},
        {"ppo.beta", "0x1", ERR_ARG},
        {"ppo.beta", "1e999", ERR_ARG},
        {"ppo.beta", "1 ", ERR_ARG},
        {"ppo.beta", " 1", ERR_ARG},
        {"ppo.beta", "1,5", ERR_ARG},
        {"ppo.beta", "", ERR_ARG},
        {"ppo.beta", "1e", ERR_ARG},
        {"ppo.clip_high", "inf", OK},
        {"ppo.clip_high", ".inf", OK},
        {"ppo.clip_high", "-inf", ERR_ARG},
        {"ppo.epochs", "1", OK},
        {"ppo.epochs", "0", ERR_ARG},
        {"ppo.epochs", "2.0", ERR_ARG},
        {"ppo.epochs", "1e3", ERR_ARG},
        {"ppo.epochs", "-", ERR_ARG},
        {"ppo.epochs", "99999999999999999999", ERR_ARG},
        {"ppo.value_freeze", "true", OK},
        {"ppo.value_freeze", "yes", ERR_ARG},
        {"ppo.value_freeze", "1", ERR_ARG},
        {"ppo.kl_mode", "k3_loss", OK},
        {"ppo.kl_mode", "k3-loss", OK},
        {"ppo.kl_mode", "k3", ERR_ARG},
        {"ppo.kl_mode", "k3_loss|", ERR_ARG},
        {"ppo.loss_aggregation", "seq-mean-token-sum-norm", OK},
    };
    struct options o;
    assert_int_equal(options_init(&o, NULL), OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct number_case *c = &cases[i];
        struct err err = {OK, ""};
        enum status got =
            options_set(&o, row_of(c->key), c->text, "f.yaml:7", NULL, &err);
        if (got != c->status)
            fail_msg("%s = '%s': status %d", c->key, c->text, (int)got);
        if (got != OK)
            assert_non_null(strstr(err.text, c->key));
    }
    options_free(&o);
}

static void test_messages(void **state)
{
    (void)state;
    struct err err = {OK, ""};
    struct options o;
    assert_int_equal(options_init(&o, NULL), OK);
    assert_int_equal(
        options_set(&o, row_of("ppo.beta"), "-1", "c.yaml:14", NULL, &err),
        ERR_ARG);
    assert_string_equal(err.text,
                        "c.yaml:14: ppo.beta = -1 is outside [0, 10]");
    assert_int_equal(options_give(&o, "ppo.bta", "1", "c.yaml:3", NULL, &err),
                     ERR_ARG);
    assert_string_equal(
        err.text, "c.yaml:3: unknown key 'ppo.bta'; did you mean 'ppo.beta'?");
    assert_int_equal(options_give(&o, "beta", "1", "c.yaml:3", NULL, &err),
                     ERR_ARG);
    assert_non_null(strstr(err.text, "did you mean 'ppo.beta'?"));
    assert_int_equal(options_give(&o, "qwertyuiop", "1", "x", NULL, &err),
                     ERR_ARG);
    assert_null(strstr(err.text, "did you mean"));
    options_free(&o);
}

static void test_distance(void **state)
{
    (void)state;
    assert_int_equal(options_distance("", ""), 0);
    assert_int_equal(options_distance("", "abc"), 3);
    assert_int_equal(options_distance("abc", ""), 3);
    assert_int_equal(options_distance("beta", "beta"), 0);
    assert_int_equal(options_distance("bta", "beta"), 1);
    assert_int_equal(options_distance("beat", "beta"), 1); // a swap
    assert_int_equal(options_distance("kitten", "sitting"), 3);
    assert_int_equal(options_distance("ca", "abc"), 3); // no edit in a swap
}

static enum status read_args(struct options *o, const char *command,
                             const char *const *word, int n, struct err *err)
{
    char text[16][80];
    char *argv[16];
    assert_true(n <= 16);
    for (int i = 0; i < n; i++) {
        snprintf(text[i], sizeof text[i], "%s", word[i]);
        argv[i] = text[i];
    }
    assert_int_equal(options_init(o, err), OK);
    enum status status = args_read(o, command_find(command), n, argv, err);
    if (status != OK)
        options_free(o);
    return status;
}

#define READ(o, command, ...)                                                  \
    read_args(                                                                 \
        (o), (command), (const char *const[]){__VA_ARGS__},                    \
        (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)),    \
        &err)

/* Defaults, then the preset, then the line, whatever the order on it. */
static void test_precedence(void **state)
{
    (void)state;
    struct err err = {OK, ""};
    struct options o;
    assert_int_equal(READ(&o, "ppo", "--seed", "7"), OK);
    assert_int_equal(o.v.common.seed, 7);
    assert_true(o.v.ppo.kl.beta == 0.05);
    options_free(&o);
    assert_int_equal(READ(&o, "ppo", "--kl-target=3", "--preset", "trl-0.11"),
                     OK);
    assert_int_equal(o.v.ppo.kl.control, KL_ADAPTIVE); // from the preset
    assert_true(o.v.ppo.kl.beta == 0.2);
    assert_true(o.v.ppo.kl.target == 3.0); // the line wins over the preset
    options_free(&o);
    assert_int_equal(READ(&o, "ppo", "--beta", "0.1", "--set", "ppo.beta=0.3",
                          "--ppo.lr=0.01", "--no-value-init-reward"),
                     OK);
    assert_true(o.v.ppo.kl.beta == 0.3); // the later one
    assert_true(o.v.ppo.optimizer.lr == 0.01);
    assert_false(o.v.ppo.value_init_reward);
    options_free(&o);
}

/* Scenarios are the demo's; --set reaches every stage there. */
static void test_demo(void **state)
{
    (void)state;
    struct err err = {OK, ""};
    struct options o;
    assert_int_equal(READ(&o, "demo", "--set", "sft.epochs=3"), OK);
    assert_true(o.v.world.rater.hurried == 0.7);
    assert_true(o.v.ppo.kl.beta == 0.02);
    assert_int_equal(o.v.sft.epochs, 3);
    options_free(&o);
    assert_int_equal(READ(&o, "demo", "--scenario", "healthy", "--ppo.beta",
                          "0.2", "--quick"),
                     OK);
    assert_true(o.v.world.rater.hurried == 0.0);
    assert_true(o.v.ppo.kl.beta == 0.2);
    assert_true(o.v.ppo.iterations < 60);
    options_free(&o);
    /* No scenario outside the demo: refused on the line, passed over in a
     * file. */
    assert_int_equal(READ(&o, "ppo", "--set", "demo.scenario=healthy"),
                     ERR_ARG);
    assert_int_equal(options_init(&o, &err), OK);
    assert_int_equal(
        options_give(&o, "demo.scenario", "healthy", "x:1", NULL, &err), OK);
    assert_int_equal(options_apply(&o, &err), OK);
    assert_true(o.v.ppo.kl.beta == 0.05);
    options_free(&o);
}

/* Each preset's rows are in the table and in range. */
static void test_presets_apply(void **state)
{
    (void)state;
    for (int p = 0; p < PRESET_COUNT; p++) {
        struct err err = {OK, ""};
        struct options o;
        if (READ(&o, "ppo", "--preset", preset_name((enum preset)p)) != OK)
            fail_msg("%s: %s", preset_name((enum preset)p), err.text);
        assert_int_equal(o.v.ppo_preset, p);
        options_free(&o);
    }
    static const char *const scenarios[] = {"paradox", "healthy", "weak-rm"};
    for (int s = 0; s < 3; s++) {
        struct err err = {OK, ""};
        struct options o;
        assert_int_equal(
            READ(&o, "demo", "--quick", "--scenario", scenarios[s]), OK);
        options_free(&o);
    }
}

static void test_wrong_lines(void **state)
{
    (void)state;
    struct err err = {OK, ""};
    struct options o;
    assert_int_equal(READ(&o, "ppo", "--bta", "1"), ERR_ARG);
    assert_string_equal(err.text,
                        "unknown option '--bta'; did you mean '--beta'?");
    assert_int_equal(READ(&o, "ppo", "--ppo.bta", "1"), ERR_ARG);
    assert_string_equal(
        err.text, "unknown option '--ppo.bta'; did you mean '--ppo.beta'?");
    assert_int_equal(READ(&o, "demo", "--beta", "1"), ERR_ARG);
    assert_string_equal(err.text,
                        "unknown option '--beta'; did you mean '--ppo.beta'?");
    assert_int_equal(READ(&o, "sft", "--ppo.bta", "1"), ERR_ARG);
    assert_string_equal(err.text, "unknown option '--ppo.bta'");
    assert_int_equal(READ(&o, "ppo", "--beta"), ERR_ARG);
    assert_int_equal(READ(&o, "ppo", "word"), ERR_ARG);
    assert_int_equal(READ(&o, "ppo", "--set", "ppo.beta"), ERR_ARG);
    assert_int_equal(READ(&o, "ppo", "-x"), ERR_ARG);
    assert_int_equal(READ(&o, "sft", "--ppo.beta", "1"), ERR_ARG);
    assert_int_equal(READ(&o, "ppo", "--no-beta"), ERR_ARG);
    assert_int_equal(READ(&o, "ppo", "-c", "/nowhere.yaml"), ERR_ARG);
    assert_int_equal(READ(&o, "eval", "--json"), ERR_ARG); // RUN is wanted
    assert_int_equal(READ(&o, "eval", "--", "--json"), OK);
    assert_string_equal(o.operand[0], "--json");
    options_free(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_distinct),
        cmocka_unit_test(test_desk_defaults),
        cmocka_unit_test(test_flags_are_unambiguous),
        cmocka_unit_test(test_values_round_trip),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_demo),
        cmocka_unit_test(test_presets_apply),
        cmocka_unit_test(test_wrong_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
