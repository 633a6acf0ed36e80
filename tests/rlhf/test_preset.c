/* Presets: found by name, complete, and in words the option table knows. */
#include "rlhf/preset.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rlhf/near.h"

/* Keys a preset may set; the words a value may be, NULL for a number. */
static const struct {
    const char *key;
    const char *words;
} known[] = {
    {"ppo.objective", " clip pg "},
    {"ppo.clip_low", NULL},
    {"ppo.clip_high", NULL},
    {"ppo.dual_clip", NULL},
    {"ppo.value_clip", NULL},
    {"ppo.value_coef", NULL},
    {"ppo.entropy_coef", NULL},
    {"ppo.loss_aggregation",
     " token-mean token-sum seq-mean-token-sum seq-mean-token-sum-norm "
     "seq-mean-token-mean "},
    {"ppo.gamma", NULL},
    {"ppo.lambda", NULL},
    {"ppo.score_position", " eos after_eos last_slot "},
    {"ppo.whiten", " off unbiased biased "},
    {"ppo.whiten_reward", " off unbiased biased "},
    {"ppo.beta", NULL},
    {"ppo.kl_mode", " k1_reward k2_loss k3_loss k1_loss k3_reward k1_clamp "},
    {"ppo.kl_control", " fixed adaptive budget "},
    {"ppo.kl_target", NULL},
    {"ppo.kl_horizon", NULL},
    {"ppo.kl_max_error", NULL},
    {"ppo.kl_budget", NULL},
    {"ppo.kl_clamp", NULL},
    {"ppo.missing_eos", NULL},
    {"ppo.score_norm", " none reference running batch "},
    {"ppo.score_clip", NULL},
    {"ppo.epochs", NULL},
    {"ppo.minibatches", NULL},
    {"ppo.temperature", NULL},
    {"ppo.lr", NULL},
    {"ppo.schedule", " constant linear cosine "},
    {"ppo.eps", NULL},
    {"ppo.grad_clip", NULL},
};

static const char *value_of(enum preset p, const char *key)
{
    size_t n;
    const struct preset_row *row = preset_rows(p, &n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(row[i].key, key) == 0)
            return row[i].value;
    return NULL;
}

static bool is_known_value(const char *key, const char *value)
{
    for (size_t i = 0; i < COUNT(known); i++) {
        if (strcmp(known[i].key, key) != 0)
            continue;
        if (!known[i].words) {
            char *end;
            double x = strtod(value, &end);
            return end != value && *end == '\0' && isfinite(x) && x >= 0.0;
        }
        char word[32];
        (void)snprintf(word, sizeof word, " %s ", value);
        return strstr(known[i].words, word) != NULL;
    }
    return false;
}

/* The names by which peers are known, each in its place. */
static void test_names(void **state)
{
    static const char *const names[PRESET_COUNT] = {
        [PRESET_NONE] = "none",       [PRESET_TRL_0_11] = "trl-0.11",
        [PRESET_TRL_EXP] = "trl-exp", [PRESET_OPENRLHF] = "openrlhf",
        [PRESET_VERL] = "verl",       [PRESET_LHP] = "lhp",
    };
    (void)state;
    for (int i = 0; i < PRESET_COUNT; i++)
        assert_string_equal(preset_name((enum preset)i), names[i]);
}

static void test_rows_are_settings(void **state)
{
    (void)state;
    size_t n = 99;
    (void)preset_rows(PRESET_NONE, &n);
    assert_int_equal(n, 0);
    for (int i = 1; i < PRESET_COUNT; i++) {
        const struct preset_row *row = preset_rows((enum preset)i, &n);
        assert_true(n > 20);
        for (size_t a = 0; a < n; a++) {
            if (!is_known_value(row[a].key, row[a].value))
                fail_msg("%s: %s = %s", preset_name((enum preset)i), row[a].key,
                         row[a].value);
            for (size_t b = 0; b < a; b++)
                assert_string_not_equal(row[a].key, row[b].key);
        }
    }
}

/* What tells the trainers apart. */
static void test_conventions(void **state)
{
    (void)state;
    static const struct {
        enum preset preset;
        const char *key, *value;
    } want[] = {
        {PRESET_TRL_0_11, "ppo.score_position", "eos"},
        {PRESET_TRL_0_11, "ppo.kl_control", "adaptive"},
        {PRESET_TRL_0_11, "ppo.kl_target", "6"},
        {PRESET_TRL_EXP, "ppo.score_position", "after_eos"},
        {PRESET_TRL_EXP, "ppo.beta", "0.05"},
        {PRESET_TRL_EXP, "ppo.kl_control", "fixed"},
        {PRESET_OPENRLHF, "ppo.whiten", "biased"},
        {PRESET_OPENRLHF, "ppo.kl_clamp", "10"},
        {PRESET_VERL, "ppo.dual_clip", "3"},
        {PRESET_VERL, "ppo.lambda", "1"},
        {PRESET_LHP, "ppo.score_position", "last_slot"},
        {PRESET_LHP, "ppo.whiten_reward", "biased"},
        {PRESET_LHP, "ppo.eps", "1e-5"},
        {PRESET_LHP, "ppo.score_norm", "reference"},
        {PRESET_VERL, "ppo.score_norm", "none"},
    };
    for (size_t i = 0; i < COUNT(want); i++) {
        const char *got = value_of(want[i].preset, want[i].key);
        assert_non_null(got);
        assert_string_equal(got, want[i].value);
    }
    /* A learning rate belongs to a model, not to a convention. */
    for (int i = 0; i < PRESET_COUNT; i++)
        assert_null(value_of((enum preset)i, "ppo.lr"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_rows_are_settings),
        cmocka_unit_test(test_conventions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
