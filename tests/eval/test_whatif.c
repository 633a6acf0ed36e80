/* Effects of a change on a few samples and votes, worked out by hand, and the
 * document made of them. */
#include "eval/whatif.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "eval/heldout_files.h"
#include "files.h"

static struct err err;

/* A row of a policy; its reference's rows are not read. */
#define ROW(prompt, sample, more)                                              \
    "{\"prompt_id\":\"" prompt "\",\"which\":\"policy\",\"sample\":" #sample   \
    "," more "}\n"
#define OTHER                                                                  \
    "{\"prompt_id\":\"a\",\"which\":\"reference\",\"sample\":0,\"len\":99,"    \
    "\"score_raw\":99,\"gold\":99}\n"

static const char base_rows[] = ROW(
    "a", 0, "\"score_raw\":3,\"score\":50,\"gold\":1,\"len\":10,\"kl\":[1]")
    OTHER ROW("a", 1,
              "\"score_raw\":5,\"score\":50,\"gold\":3,\"len\":20,\"kl\":[3]")
        ROW("b", 0,
            "\"score_raw\":1,\"score\":50,\"gold\":0,\"len\":10,"
            "\"kl\":[1,1]") ROW("b", 1,
                                "\"score_raw\":1,\"score\":50,\"gold\":0,"
                                "\"len\":10,\"kl\":[2]");

/* Another order, and a reward model of its own beside the base's. */
static const char changed_rows[] =
    ROW("b", 1,
        "\"score_raw\":9,\"base_raw\":3,\"gold\":1,\"len\":5,"
        "\"kl\":[1]") ROW("b", 0,
                          "\"score_raw\":9,\"base_raw\":3,\"gold\":1,\"len\":5,"
                          "\"kl\":[1]")
        ROW("a", 1,
            "\"score_raw\":9,\"base_raw\":4,\"gold\":2,\"len\":10,"
            "\"kl\":[1]")
            ROW("a", 0,
                "\"score_raw\":9,\"base_raw\":2,\"gold\":2,\"len\":10,"
                "\"kl\":[0]") OTHER;

/* The policy's reply stands on the left; `choice` A is its win. */
#define VOTE(prompt, choice, direct)                                           \
    "{\"pair_id\":\"" prompt "\",\"kind\":\"policy\",\"prompt_id\":\"" prompt  \
    "\",\"left\":{\"source\":\"policy\"},\"right\":{\"source\":\"reference\"}" \
    ",\"overall\":\"" choice "\",\"visit\":1,\"left_direct\":" #direct         \
    ",\"right_direct\":2,\"left_length\":\"right\",\"right_length\":"          \
    "\"right\"}\n"

static const char base_votes[] = VOTE("a", "B", 1) VOTE("b", "both_bad", 2);
static const char changed_votes[] = VOTE("b", "A", 3) VOTE("a", "A", 1);

static void assert_effect(const struct whatif_effect *e, double base,
                          double changed, double effect)
{
    /* Small whole numbers: only the last division rounds. */
    files_near(e->base.estimate, base, 1e-15);
    files_near(e->changed.estimate, changed, 1e-15);
    files_near(e->effect.estimate, effect, 1e-15);
    assert_int_equal(e->effect.n, 2);
}

static void test_pair(void **state)
{
    (void)state;
    const char *dir = files_dir();
    struct bootstrap plan = {.seed = 1};
    struct whatif_effect e[WHATIF_MEASURES];
    struct whatif_files files = {.scale = {.mean = 1, .sd = 2}};
    files.base = files_write(dir, "base", base_rows);
    files.changed = files_write(dir, "changed", changed_rows);
    files_must(whatif_pair_measure(e, &files, &plan, &err), &err);
    /* (raw - 1) / 2 of prompt means: base a 4, b 1; changed a 3, b 3. */
    assert_effect(&e[WHATIF_RM], 0.75, 1, 0.25);
    assert_effect(&e[WHATIF_GOLD], 1, 1.5, 0.5);
    /* (10 + 5) / (15 + 10), not the mean of the prompts' ratios. */
    assert_effect(&e[WHATIF_LENGTH], 12.5, 7.5, 0.6);
    assert_effect(&e[WHATIF_KL], 2, 0.75, -1.25);
    /* Two prompts: the interval's ends are the two paired differences. */
    files_near(e[WHATIF_KL].effect.low, -1.5, 1e-15);
    files_near(e[WHATIF_KL].effect.high, -1, 1e-15);
    assert_int_equal(e[WHATIF_WEAK_GOLD].effect.n, 0);
    assert_int_equal(e[WHATIF_HUMAN].effect.n, 0);

    files.base_votes = files_write(dir, "votes", base_votes);
    files.changed_votes = files_write(dir, "votes-changed", changed_votes);
    files_must(whatif_pair_measure(e, &files, &plan, &err), &err);
    assert_effect(&e[WHATIF_HUMAN], 0.25, 1, 0.75);
    assert_effect(&e[WHATIF_LESS_DIRECT], 0.5, 0.5, 0);
    assert_effect(&e[WHATIF_TOO_LONG], 0, 0, 0);
    files_remove(dir);
}

/* A policy against itself: nothing changed, whatever was drawn. */
static void test_same(void **state)
{
    (void)state;
    const char *dir = files_dir();
    struct bootstrap plan = {.seed = 1};
    struct whatif_effect e[WHATIF_MEASURES];
    const char *path = files_write(dir, "base", base_rows);
    struct whatif_files files = {
        .base = path, .changed = path, .scale = {.mean = 0, .sd = 1}};
    files_must(whatif_pair_measure(e, &files, &plan, &err), &err);
    assert_true(e[WHATIF_RM].effect.low == 0 && e[WHATIF_RM].effect.high == 0);
    assert_true(e[WHATIF_LENGTH].effect.low == 1 &&
                e[WHATIF_LENGTH].effect.high == 1);
    files_remove(dir);
}

/* Evaluations that are not of the same prompts are not compared. */
static void test_other_prompts(void **state)
{
    static const char other[] = ROW("c", 0, "\"score_raw\":1,\"len\":1");
    (void)state;
    const char *dir = files_dir();
    struct bootstrap plan = {.seed = 1};
    struct whatif_effect e[WHATIF_MEASURES];
    struct whatif_files files = {.scale = {.mean = 0, .sd = 1}};
    files.base = files_write(dir, "base", base_rows);
    files.changed = files_write(dir, "changed", other);
    assert_int_equal(whatif_pair_measure(e, &files, &plan, &err), ERR_MISMATCH);
    assert_non_null(strstr(err.text, "of 5 replies 0 are"));
    files_remove(dir);
}

static struct estimate of(double estimate, double low, double high)
{
    return (struct estimate){estimate, low, high, 100};
}

static void test_pool(void **state)
{
    (void)state;
    struct whatif_pooled p = whatif_pair_pool(NULL, 0, false);
    assert_null(p.claim);
    struct estimate one = of(2, 1, 3);
    p = whatif_pair_pool(&one, 1, false);
    assert_true(p.e.estimate == 2 && isnan(p.e.low) && isnan(p.e.high));
    assert_string_equal(p.claim, "consistent with");
    one = of(2, -1, 3);
    assert_string_equal(whatif_pair_pool(&one, 1, false).claim, "not shown");
    one = of(0.8, 0.7, 0.9);
    assert_string_equal(whatif_pair_pool(&one, 1, true).claim,
                        "consistent with");

    /* Two seeds that disagree on the side. */
    struct estimate two[] = {of(2, 1, 3), of(-2, -3, -1)};
    assert_string_equal(whatif_pair_pool(two, 2, false).claim, "not shown");

    /* Mean 2, deviation 1, t(0.975, 2) = 4.302652729749464 (SciPy). */
    struct estimate three[] = {of(1, 0.5, 1.5), of(2, 1, 3), of(3, 2, 4)};
    p = whatif_pair_pool(three, 3, false);
    files_near(p.e.estimate, 2, 1e-15);
    files_near(p.e.low, 2 - 4.302652729749464 / sqrt(3), 1e-11);
    files_near(p.e.high, 2 + 4.302652729749464 / sqrt(3), 1e-11);
    assert_int_equal(p.e.n, 3);
    assert_string_equal(p.claim, "not shown");
    three[0].estimate = 1.9;
    three[2].estimate = 2.1;
    assert_string_equal(whatif_pair_pool(three, 3, false).claim, "caused by");

    /* Ratios: half and double cancel. */
    struct estimate ratio[] = {of(0.5, 0.4, 0.6), of(1, 0.9, 1.1),
                               of(2, 1.5, 3)};
    p = whatif_pair_pool(ratio, 3, true);
    files_near(p.e.estimate, 1, 1e-15);
    files_near(p.e.low * p.e.high, 1, 1e-12);
    assert_string_equal(p.claim, "not shown");

    /* Of a part of the seeds nothing is said. */
    ratio[1].estimate = (double)NAN;
    assert_null(whatif_pair_pool(ratio, 3, true).claim);
}

/* ---- the document -------------------------------------------------------- */

static const char settings[] = "{\"schema\":\"plumb.evaluation/1\",\"seed\":1,"
                               "\"settings\":{\"prompts\":2,\"samples\":2},"
                               "\"score_scale\":{\"mean\":1,\"sd\":2}}";

static void make_project(const char *dir)
{
    char path[FILE_PATH_MAX];
    static const char *const folders[] = {"eval", "ppo", "arm/eval", "arm/ppo"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        files_must(file_join(path, dir, folders[i], &err), &err);
        files_must(file_make_dir(path, &err), &err);
    }
    files_write(dir, "eval/settings.json", settings);
    files_write(dir, "eval/samples.jsonl", base_rows);
    files_write(dir, "arm/eval/samples.jsonl", changed_rows);
    files_write(dir, "arm/eval/heldout.json",
                "{\"rm_delta\":{\"estimate\":1.5,\"low\":1,\"high\":2,"
                "\"n\":2}}");
    files_write(dir, "ppo/metrics.jsonl",
                "{\"step\":1,\"response/length\":10,\"episode\":64}\n"
                "{\"step\":2,\"response/length\":20,\"episode\":128,"
                "\"kl/sequence\":3}\n");
    files_write(dir, "arm/ppo/metrics.jsonl",
                "{\"step\":1,\"response/length\":5,\"episode\":64}\n");
    files_write(dir, "ppo/timing.jsonl",
                "{\"step\":1,\"seconds\":1.5}\n{\"step\":2,\"seconds\":2}\n");
}

static const struct json *at(const struct json *node, const char *a,
                             const char *b)
{
    return json_get(json_get(node, a), b);
}

/* Two seeds, of which the second failed. */
static void compare_two_seeds(const char *dir)
{
    static const char *const stages[] = {"reward", "ppo"};
    static const struct whatif_setting setting = {"reward.epochs", "1", "2"};
    const struct whatif_arm base[] = {
        {.seed = 1, .dir = ".", .run = "ppo", .inference = 1},
        {.seed = 2, .dir = "gone", .run = "gone/ppo", .inference = 1},
    };
    const struct whatif_arm changed[] = {
        {.seed = 1,
         .dir = "arm",
         .run = "arm/ppo",
         .has_own_reward = true,
         .inference = 1},
        {.seed = 2,
         .dir = "bad",
         .run = "bad/ppo",
         .inference = 1,
         .error = "step 3: loss is nan"},
    };
    const struct whatif_trial trial = {.name = "reward.epochs=2",
                                       .what = "passes over the data",
                                       .stages = stages,
                                       .n_stages = 2,
                                       .setting = &setting,
                                       .n_settings = 1,
                                       .base = base,
                                       .changed = changed,
                                       .n = 2};
    const struct whatif_config c = {.project = dir, .trial = &trial, .n = 1};
    files_must(whatif_compare(&c, &err), &err);
}

static void check_change(const struct json *change)
{
    const struct json *seed = json_at(json_get(change, "seeds"), 0);
    const struct json *failed = json_at(json_get(change, "seeds"), 1);
    const struct json *rm = at(seed, "measures", "rm");
    const struct json *uplift = at(seed, "own_reward", "uplift");
    files_near(json_number(at(rm, "effect", "estimate"), 9), 0.25, 1e-15);
    files_near(json_number(json_get(uplift, "estimate"), 9), 1.5, 0);
    /* 64 replies of 10 tokens, 64 of 20; 64 of 5. */
    assert_int_equal(json_int(at(seed, "base_cost", "tokens_drawn"), 0), 1920);
    assert_int_equal(json_int(at(seed, "cost", "tokens_drawn"), 0), 320);
    files_near(json_number(at(seed, "base_cost", "kl_last"), 9), 3, 0);
    assert_string_equal(json_text(json_get(failed, "error"), ""),
                        "step 3: loss is nan");
    assert_int_equal(
        json_int(json_get(at(change, "over_seeds", "rm"), "seeds"), 0), 1);
    assert_string_equal(json_text(json_get(change, "claim"), ""),
                        "consistent with");
}

static void test_document(void **state)
{
    (void)state;
    struct json *root;
    struct buf table;
    const char *dir = files_dir();
    make_project(dir);
    compare_two_seeds(dir);
    files_must(
        json_read(&root, files_path(dir, "whatif/result.json"), 1 << 20, &err),
        &err);
    check_change(json_at(json_get(root, "changes"), 0));
    assert_int_equal(json_size(json_get(root, "points")), 2);
    buf_init(&table, 1 << 20);
    whatif_table(&table, root);
    assert_non_null(strstr(buf_text(&table), "seed 2 failed: step 3"));
    assert_non_null(strstr(buf_text(&table), "reward.epochs: 1 -> 2"));
    buf_free(&table);
    json_free(root);
    files_near(whatif_seconds(files_path(dir, "ppo")), 3.5, 0);
    assert_true(isnan(whatif_seconds(files_path(dir, "arm"))));
    files_remove(dir);
}

static void test_no_evaluation(void **state)
{
    (void)state;
    const char *dir = files_dir();
    const struct whatif_config c = {.project = dir};
    assert_int_equal(whatif_compare(&c, &err), ERR_MISSING);
    files_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pair),
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_other_prompts),
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_no_evaluation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
