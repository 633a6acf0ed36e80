/* test_lint.c - rules on other trainers' settings: each has a file that it
 * speaks of, healthy files make none an error, and the numbers that it gives
 * are those of the trainer's formula. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "diagnose/lint.h"

#define FOLDER TEST_DATA "/lint"

static struct err err;

static const struct lint_finding *find(const struct lint *l, const char *id)
{
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->finding[i].id, id) == 0)
            return &l->finding[i];
    }
    return NULL;
}

static void run(struct lint *l, const char *text, const char *name)
{
    struct flat f;
    if (flat_parse(&f, text, strlen(text), name, &err) != OK ||
        lint_run(l, &f, LINT_AUTO, name, &err) != OK)
        fail_msg("'%s': %s", text, err.text);
    flat_free(&f);
}

static void run_file(struct lint *l, const char *path)
{
    struct flat f;
    if (flat_read(&f, path, &err) != OK ||
        lint_run(l, &f, LINT_AUTO, path, &err) != OK)
        fail_msg("%s", err.text);
    flat_free(&f);
}

/* The file of a rule: FOLDER/rules/SEVERITY/ID.anything. */
static bool find_file(char path[FILE_PATH_MAX], const char *id,
                      enum lint_severity *severity)
{
    for (int s = LINT_NOTE; s <= LINT_ERROR; s++) {
        struct file_list files;
        char dir[FILE_PATH_MAX];
        snprintf(dir, sizeof dir, FOLDER "/rules/%s",
                 lint_severity_name((enum lint_severity)s));
        assert_int_equal(file_list(&files, dir, &err), OK);
        bool is_found = false;
        for (size_t i = 0; i < files.n && !is_found; i++) {
            size_t n = strcspn(files.name[i], ".");
            is_found = strlen(id) == n && memcmp(files.name[i], id, n) == 0;
            if (is_found)
                assert_int_equal(file_join(path, dir, files.name[i], &err), OK);
        }
        file_list_free(&files);
        *severity = (enum lint_severity)s;
        if (is_found)
            return true;
    }
    return false;
}

static void test_every_rule(void **state)
{
    (void)state;
    assert_true(lint_rule_count() > 40);
    for (size_t i = 0; i < lint_rule_count(); i++) {
        const char *id = lint_rule(i).id;
        char path[FILE_PATH_MAX];
        enum lint_severity severity;
        struct lint l;
        if (!find_file(path, id, &severity))
            fail_msg("%s has no file in %s/rules", id, FOLDER);
        run_file(&l, path);
        const struct lint_finding *f = find(&l, id);
        if (f == NULL || f->severity != severity)
            fail_msg("%s does not speak of %s, or not so", id, path);
        assert_true(*f->why != '\0');
        lint_free(&l);
    }
}

/* Files without a fault: named after the trainer that they are for. */
static void test_healthy(void **state)
{
    (void)state;
    struct file_list files;
    assert_int_equal(file_list(&files, FOLDER "/healthy", &err), OK);
    assert_true(files.n >= 10);
    for (size_t i = 0; i < files.n; i++) {
        char path[FILE_PATH_MAX];
        struct lint l;
        assert_int_equal(
            file_join(path, FOLDER "/healthy", files.name[i], &err), OK);
        run_file(&l, path);
        const char *id = lint_trainer_id(l.trainer);
        if (strncmp(files.name[i], id, strlen(id)) != 0 ||
            files.name[i][strlen(id)] != '.')
            fail_msg("%s is taken for %s", path, id);
        for (size_t k = 0; k < l.n; k++) {
            if (l.finding[k].severity != LINT_NOTE)
                fail_msg("%s: %s: %s", path, l.finding[k].id, l.finding[k].why);
        }
        lint_free(&l);
    }
    file_list_free(&files);
}

/* The documentation has every rule. */
static void test_documented(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 20);
    assert_int_equal(file_read(&text, TEST_DATA "/../../docs/lint.md", &err),
                     OK);
    for (size_t i = 0; i < lint_rule_count(); i++) {
        char quoted[64];
        snprintf(quoted, sizeof quoted, "`%s`", lint_rule(i).id);
        if (strstr(buf_text(&text), quoted) == NULL)
            fail_msg("docs/lint.md does not tell of %s", quoted);
    }
    buf_free(&text);
}

#define VERL "python3 -m verl.trainer.main_ppo actor_rollout_ref.model.path=m "
#define FLAT                                                                   \
    "python -m openrlhf.cli.train_ppo_ray --rollout_batch_size 1024 "          \
    "--prompt_data p "
#define DOTTED "python -m openrlhf.cli.train_ppo_ray --rollout.batch_size 1024 "
#define CLASSIC "ppo_epochs: 4\nbatch_size: 128\n"

/* What is said in a case: the rule, the severity, a part of why, the fix. */
static const struct said {
    const char *text, *id;
    enum lint_severity severity;
    const char *key, *why, *fix;
} said[] = {
    /* 20000 / 128 = 156.25; 1.00256^157 = 1.494; ln 2 / ln 1.00256 = 271.1 */
    {CLASSIC "init_kl_coef: 0.2\nadap_kl_ctrl: true\n", "controller-slow",
     LINT_WARNING, "horizon", "157 batches of 128 episodes, if one process",
     "--horizon 256"},
    {CLASSIC "steps: 20000\nadap_kl_ctrl: true\nworld_size: 1\n",
     "controller-slow", LINT_ERROR, "horizon", "a factor of 1.49 at most",
     "--horizon 256"},
    {CLASSIC "steps: 20000\nadap_kl_ctrl: true\nworld_size: 1\n",
     "controller-slow", LINT_ERROR, "horizon", "it would take 272",
     "--horizon 256"},
    /* 1 + 0.2 * 1024 / 10000 a batch: ln 2 / ln 1.02048 = 34.2 */
    {VERL "algorithm.use_kl_in_reward=True algorithm.kl_ctrl.type=adaptive",
     "controller-slow", LINT_NOTE, "algorithm.kl_ctrl.horizon",
     "doubles it in 35 batches", ""},
    {VERL "algorithm.use_kl_in_reward=True algorithm.kl_ctrl.type=adaptive "
          "trainer.total_training_steps=20",
     "controller-slow", LINT_ERROR, "algorithm.kl_ctrl.horizon",
     "a factor of 1.5 at most", "algorithm.kl_ctrl.horizon=2048"},
    /* (1 - 0.02048)^98 = 0.132 */
    {FLAT "--kl_target 6 --max_samples 100000", "target-unreachable",
     LINT_ERROR, "kl_target", "to 0.13 of its value in the 98 planned",
     "--kl_target 0.05"},
    /* 1 / (2 * 0.05^2) = 200 */
    {"kl_coef: 0.05\nkl_estimator: k1\nnum_ppo_epochs: 4\n",
     "price-not-binding", LINT_NOTE, "kl_coef", "about 200 nats", "0.22"},
    /* 0.95^128 = 0.0014, 0.99^512 = 0.0058 */
    {"kl_coef: 1\nnum_ppo_epochs: 4\nresponse_length: 128\n", "lambda",
     LINT_NOTE, "lam", "0.0014 reaches a token 128", "--lam 1.0"},
    {VERL "algorithm.gamma=0.99 algorithm.adv_estimator=gae", "discount",
     LINT_WARNING, "algorithm.gamma", "over 512 tokens 0.0058",
     "algorithm.gamma=1.0"},
    /* 4 passes of 128 / 16 */
    {CLASSIC "mini_batch_size: 16\ninit_kl_coef: 0.2\n", "stale-price",
     LINT_WARNING, "ppo_epochs", "32 optimiser steps", "--ppo_epochs 1"},
    {DOTTED "--algo.kl.use_loss", "k1-in-loss", LINT_ERROR, "algo.kl.estimator",
     "algo.kl.init_coef = 0.01 buys noise", "--algo.kl.estimator k2"},
    {FLAT "--use_kl_estimator_k3", "k3-in-reward", LINT_ERROR,
     "use_kl_estimator_k3", "cancels to first order", "leave --use_kl"},
    {VERL "algorithm.use_kl_in_reward=True algorithm.kl_penalty=k3+",
     "k3-in-reward", LINT_ERROR, "algorithm.kl_penalty",
     "a '+' changes nothing", "algorithm.kl_penalty=kl"},
    {DOTTED "--algo.kl.init_coef 0", "no-penalty", LINT_WARNING,
     "algo.kl.init_coef", "the logged kl is 0 whatever",
     "--algo.kl.init_coef 0.05"},
    {"kl_coef: 0\nkl_estimator: k1\n", "no-penalty", LINT_WARNING, "kl_coef",
     "still logged", "--kl_coef 0.05"},
    {VERL "actor_rollout_ref.actor.kl_loss_coef=0.1", "penalty-unread",
     LINT_ERROR, "actor_rollout_ref.actor.kl_loss_coef",
     "which it is by default", "actor_rollout_ref.actor.use_kl_loss=True"},
    {VERL "actor_rollout_ref.actor.kl_loss_coef=0.1 "
          "actor_rollout_ref.actor.use_kl_loss=False",
     "penalty-unread", LINT_WARNING, "actor_rollout_ref.actor.kl_loss_coef",
     "nothing reads this", "actor_rollout_ref.actor.use_kl_loss=True"},
    {VERL "algorithm.kl_ctrl.kl_coef=0.1", "penalty-unread", LINT_WARNING,
     "algorithm.kl_ctrl.kl_coef", "since verl 0.4", "algorithm.use_kl_in"},
    {DOTTED "--algo.kl.init_coef -1", "penalty-negative", LINT_ERROR,
     "algo.kl.init_coef", "taken for 0", "--algo.kl.init_coef 0.05"},
    {"num_generations: 8\nbeta: 0.1\nloss_type: bnpo\n"
     "per_device_train_batch_size: 1\n",
     "length-normaliser", LINT_WARNING, "loss_type", "one response a device",
     "--loss_type dr_grpo"},
    {VERL "actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-mean",
     "length-normaliser", LINT_WARNING, "actor_rollout_ref.actor.loss_agg_mode",
     "its own length",
     "actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-sum-norm"},
    {VERL "actor_rollout_ref.rollout.ignore_eos=True", "stop-token-unset",
     LINT_ERROR, "actor_rollout_ref.rollout.ignore_eos", "for measuring",
     "actor_rollout_ref.rollout.ignore_eos=False"},
    /* 10 nats at 0.05 a nat */
    {DOTTED "--algo.kl.init_coef 0.05", "k1-clamped", LINT_NOTE,
     "algo.kl.init_coef", "it costs 0.5 at most", ""},
    {FLAT "--use_kl_loss --kl_estimator k2", "loss-clamped", LINT_NOTE,
     "kl_estimator", "moved by 4.47 nats", ""},
    {VERL "actor_rollout_ref.actor.use_kl_loss=True", "loss-clamped", LINT_NOTE,
     "actor_rollout_ref.actor.kl_loss_type", "fell by 2.61 nats",
     "actor_rollout_ref.actor.kl_loss_type=mse"},
    {"kl_coef: 1\nkl_estimator: k2\n", "estimator-refused", LINT_ERROR,
     "kl_estimator", "does not take", "--kl_estimator k1"},
};

static void test_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        const struct said *s = &said[i];
        struct lint l;
        run(&l, s->text, "f");
        const struct lint_finding *f = find(&l, s->id);
        if (f == NULL)
            fail_msg("'%s': nothing on %s", s->text, s->id);
        if (f->severity != s->severity || strcmp(f->key, s->key) != 0 ||
            strstr(f->why, s->why) == NULL || strstr(f->fix, s->fix) == NULL)
            fail_msg("'%s': %s %s %s: %s (%s)", s->text,
                     lint_severity_name(f->severity), f->id, f->key, f->why,
                     f->fix);
        lint_free(&l);
    }
}

/* What must not be said. */
static const struct {
    const char *text, *id;
} unsaid[] = {
    {VERL "actor_rollout_ref.actor.use_kl_loss=True "
          "actor_rollout_ref.actor.kl_loss_type=k1+",
     "k1-in-loss"},                                   // k2's gradient
    {VERL "algorithm.kl_penalty=k3", "k3-in-reward"}, // it is off
    {FLAT "--use_kl_loss --init_kl_coef 0", "k1-in-loss"},
    {FLAT "--use_kl_loss --kl_estimator k2", "k1-in-loss"},
    {FLAT "--use_kl_loss --kl_estimator k2", "k2-in-reward"},
    {FLAT "--use_kl_loss $X", "k1-in-loss"},
    {VERL "actor_rollout_ref.actor.use_kl_loss=$X "
          "actor_rollout_ref.actor.kl_loss_coef=0.1",
     "penalty-unread"},
    {VERL "algorithm.use_kl_in_reward=$X", "no-penalty"},
    {FLAT "--kl_target 0.1", "target-unreachable"},
    {CLASSIC "adap_kl_ctrl: true\ntarget: 6\n", "target-unreachable"},
    {CLASSIC "adap_kl_ctrl: false\ninit_kl_coef: 0.1\n", "controller-slow"},
    {CLASSIC "adap_kl_ctrl: true\nhorizon: 1000\n", "controller-slow"},
    {"num_generations: 8\nbeta: 0.1\nloss_type: bnpo\n", "length-normaliser"},
    {"num_generations: 8\nbeta: 0\nscale_rewards: group\n", "std-with-kl-loss"},
    {"kl_coef: 1\nkl_estimator: k1\nstop_token_id: 0\n", "stop-token-unset"},
    {"kl_coef: 1\nkl_estimator: k1\npad_token: a\neos_token: b\n",
     "pad-is-eos"},
    {"kl_coef: 1\nkl_estimator: k1\npad_token: a\neos_token: b\n",
     "pad-unseen"},
    {"num_generations: 8\nbeta: 0.1\nepsilon_high: 0.28\nnum_iterations: 4\n",
     "wide-clip"},
    {"num_generations: 8\nbeta: 0.1\nlearning_rate: 1e-4\nuse_peft: true\n",
     "learning-rate"},
    {VERL "actor_rollout_ref.rollout.top_k=-1", "sampling-truncated"},
    {FLAT "--use_kl_loss --kl_estimator k2", "k1-clamped"},
    {FLAT "--init_kl_coef 0", "k1-clamped"},
    {FLAT "--kl_estimator k1", "loss-clamped"},
    {CLASSIC "init_kl_coef: 0.2\nkl_penalty: kl\n", "k1-clamped"},
    {VERL "algorithm.use_kl_in_reward=True", "k1-clamped"},
    {VERL "actor_rollout_ref.actor.use_kl_loss=True "
          "actor_rollout_ref.actor.kl_loss_type=mse",
     "loss-clamped"},
    {VERL "actor_rollout_ref.actor.use_kl_loss=True "
          "actor_rollout_ref.actor.kl_loss_type=k3+",
     "loss-clamped"},
};

static void test_unsaid(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof unsaid / sizeof *unsaid; i++) {
        struct lint l;
        run(&l, unsaid[i].text, "f");
        const struct lint_finding *f = find(&l, unsaid[i].id);
        if (f != NULL)
            fail_msg("'%s': %s: %s", unsaid[i].text, f->id, f->why);
        lint_free(&l);
    }
}

/* Whose settings they are, by their names alone; NULL: refused. */
static void test_trainer(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"kl_coef: 1\nkl_estimator: k1\n", "trl-ppo"},
        {"a:\n  b:\n    kl_coef: 1\n    kl_estimator: k1\n", "trl-ppo"},
        {CLASSIC, NULL},
        {CLASSIC "adap_kl_ctrl: true\n", "trl-ppo-classic"},
        {"num_generations: 8\nscale_rewards: none\n", "trl-grpo"},
        {"num_generations: 8\nnormalize_advantages: true\n", "trl-rloo"},
        {"rloo_k: 4\nkl_coef: 0.1\n", "trl-rloo-classic"},
        {"init_kl_coef: 0.1\n", NULL},
        {"init_kl_coef: 0.1\nrollout_batch_size: 128\n", "openrlhf-flat"},
        {"algo:\n  kl:\n    init_coef: 0.1\n    use_loss: false\n", "openrlhf"},
        {"actor_rollout_ref.actor.ppo_epochs=1 algorithm.gamma=1", "verl"},
        {"trl rloo --beta 0.1", "trl-rloo"},
        {"trl dpo --beta 0.1", "trl-dpo"},
        {"openrlhf.cli.train_rm --max_epochs 1", "openrlhf-dpo"},
        {"learning_rate: 1\nbatch_size: 2\n", NULL},
        {"sft --lr 1\npython -m verl.trainer.main_ppo algorithm.gamma=1\n",
         "verl"},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct flat f;
        struct lint l;
        const char *text = cases[i][0], *want = cases[i][1];
        assert_int_equal(flat_parse(&f, text, strlen(text), "f", &err), OK);
        enum status status = lint_run(&l, &f, LINT_AUTO, "f", &err);
        flat_free(&f);
        if (want == NULL) {
            assert_int_equal(status, ERR_FORMAT);
            assert_int_equal(strncmp(err.text, "f: ", 3), 0);
            continue;
        }
        if (status != OK)
            fail_msg("'%s': %s", text, err.text);
        assert_string_equal(lint_trainer_id(l.trainer), want);
        lint_free(&l);
    }
}

static void test_forced(void **state)
{
    (void)state;
    static const char text[] = "num_generations: 8\nbeta: 0\n";
    struct flat f;
    struct lint l;
    assert_int_equal(flat_parse(&f, text, strlen(text), "f", &err), OK);
    assert_int_equal(lint_run(&l, &f, LINT_TRL_RLOO, "f", &err), OK);
    assert_string_equal(lint_trainer_id(l.trainer), "trl-rloo");
    assert_null(find(&l, "trainer-guessed"));
    lint_free(&l);
    assert_int_equal(lint_run(&l, &f, LINT_VERL, "f", &err), ERR_FORMAT);
    flat_free(&f);
}

/* Errors come first, and both forms hold all of it. */
static void test_documents(void **state)
{
    (void)state;
    struct lint l;
    struct buf out;
    struct json_writer w;
    struct json *j;
    run(&l, "kl_coef: 0.05\nkl_estimator: k3\nnum_ppo_epochs: 4\n", "f");
    assert_int_equal(lint_count(&l, LINT_ERROR), 2);
    assert_int_equal(l.finding[0].severity, LINT_ERROR);
    assert_int_equal(l.finding[l.n - 1].severity, LINT_NOTE);
    buf_init(&out, 1 << 20);
    json_writer_init(&w, &out, false);
    lint_document(&w, &l, "f");
    assert_int_equal(json_parse(&j, buf_text(&out), out.len, "f", &err), OK);
    assert_string_equal(json_text(json_get(j, "trainer"), ""), "trl-ppo");
    assert_string_equal(json_text(json_get(j, "assumed"), ""), "TRL 1.9.0");
    const struct json *first = json_at(json_get(j, "findings"), 0);
    assert_int_equal(json_size(json_get(j, "findings")), l.n);
    assert_string_equal(json_text(json_get(first, "id"), ""), "k3-in-reward");
    assert_string_equal(json_text(json_get(first, "key"), ""), "kl_estimator");
    assert_string_equal(json_text(json_get(first, "value"), ""), "k3");
    assert_int_equal(json_int(json_get(first, "line"), 0), 2);
    json_free(j);
    buf_clear(&out);
    lint_text(&out, &l, "f\033[1m");
    assert_null(strchr(buf_text(&out), '\033'));
    for (const char *line = buf_text(&out); *line != '\0';) {
        size_t n = strcspn(line, "\n");
        assert_true(n <= 79);
        line += n + (line[n] == '\n');
    }
    buf_free(&out);
    lint_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_rule), cmocka_unit_test(test_healthy),
        cmocka_unit_test(test_documented), cmocka_unit_test(test_said),
        cmocka_unit_test(test_unsaid),     cmocka_unit_test(test_trainer),
        cmocka_unit_test(test_forced),     cmocka_unit_test(test_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
