/*
 * test_remedy.c - which two changes a diagnosis recommends, in which words, and
 * what it makes of a re-run.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "diagnose/remedy_verified.h"
#include "eval/files.h"
#include "made.h"

FILES_FIXTURE(dir)

static void make_desk(void)
{
    struct err err;
    files_must(file_make_dir(files_path(dir, "world"), &err), &err);
}

/* ---- which -------------------------------------------------------------- */

/* Half of the 4 nats is wanted, since nothing says where it got worse; without
 * a path the price there is sd / sqrt(2 KL) = 1 / 2. */
static void test_every_rival(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second;  // rivals
        const char *key, *text;      // a setting of PPO
        const char *remedy, *beside; // names
    } cases[] = {
        {"R1", "R3", NULL, NULL, "residual", "beta=0.5"},
        {"R1", NULL, NULL, NULL, "residual", "beta=0.5"},
        {"R2", "R3", NULL, NULL, "relabel", "beta=0.5"},
        {"R2", "R1", NULL, NULL, "relabel", "beta=0.5"},
        {"R3", NULL, NULL, NULL, "beta=0.5", "fresh-labels"},
        {"R3", "R1", NULL, NULL, "beta=0.5", "residual"},
        {"R4", "R3", "ppo.kl_mode", "k3_reward", "k1-reward", "kl-stop=2"},
        {"R4", NULL, "ppo.kl_mode", "k1_reward", "k2-loss", "kl-stop=2"},
        {"R5", NULL, "ppo.beta_end", "0", "ppo.beta_end=-1", "kl-budget=2"},
        {"R5", NULL, "ppo.score_norm", "running", "ppo.score_norm=reference",
         "kl-budget=2"},
        {"R6", NULL, "ppo.value_freeze", "true", "ppo.value_freeze=false",
         "kl-budget=2"},
        {"R6", NULL, "ppo.lambda", "0.95", "lambda=1", "kl-budget=2"},
        {"R7", NULL, "ppo.log_temperature", "1", "ppo.log_temperature=0",
         "kl-stop=2"},
        {"R8", NULL, "ppo.mask_eos", "true", "ppo.mask_eos=false",
         "ppo.missing_eos=1"},
        {"R9", NULL, NULL, NULL, "kl-budget=2", "kl-stop=2"},
        {"R10", NULL, "ppo.max_new_start", "8", "ppo.max_new_start=0",
         "length-penalty=0.08"},
        {"R10", NULL, "ppo.max_new", "256", "ppo.max_new=110",
         "length-penalty=0.08"},
        {"R11", "R1", "ppo.loss_aggregation", "seq-mean-token-mean",
         "ppo.loss_aggregation=token-mean", "residual"},
        {"R12", NULL, "ppo.file_order", "true", "ppo.file_order=false",
         "kl-budget=2"},
        {"R13", NULL, NULL, NULL, "", "interpolate=0.5"},
        {"R14", "R3", NULL, NULL, "fresh-labels", "beta=0.5"},
        {"R14", NULL, NULL, NULL, "fresh-labels", "kl-budget=2"},
        {"R15", NULL, "ppo.mask_logits", "false", "ppo.mask_logits=true",
         "kl-stop=2"},
    };
    make_desk();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct made *m = made_new(dir);
        struct remedy r[REMEDIES];
        made_set(m, "ppo", "ppo.beta", "0.02");
        if (cases[i].key != NULL)
            made_set(m, "ppo", cases[i].key, cases[i].text);
        made_rank(m, cases[i].first, cases[i].second);
        made_choose(r, m, REMEDY_REPAIR);
        if (strcmp(r[0].name, cases[i].remedy) != 0 ||
            strcmp(r[1].name, cases[i].beside) != 0)
            fail_msg("%s, %s: %s and %s, not %s and %s", cases[i].first,
                     cases[i].second ? cases[i].second : "-", r[0].name,
                     r[1].name, cases[i].remedy, cases[i].beside);
    }
}

/* Away from the desk nobody can rank again, and a penalty that does not pull is
 * no use at another price. */
static void test_conditions(void **state)
{
    (void)state;
    struct remedy r[REMEDIES];
    struct made *m = made_new(dir);
    made_rank(m, "R2", NULL);
    made_choose(r, m, REMEDY_REPAIR);
    assert_string_equal(r[0].name, "residual");
    m = made_new(dir);
    m->gate[GATE_PENALTY].verdict = VERDICT_NOT_SUPPORTED;
    made_rank(m, "R1", NULL);
    made_choose(r, m, REMEDY_REPAIR);
    assert_string_equal(r[1].name, "kl-stop=2");
    /* What the run has already is not recommended. */
    m = made_new(dir);
    made_set(m, "reward", "reward.length_residual", "true");
    made_rank(m, "R1", NULL);
    made_choose(r, m, REMEDY_REPAIR);
    assert_string_equal(r[0].name, "two-heads");
}

/* Of 490 steps in 40 epochs there are the checkpoints 250 and 490: the first is
 * the end of epoch 250 / 490 40 = 20.41. */
static void test_earlier_checkpoint(void **state)
{
    (void)state;
    static const char *const steps[] = {"000250", "000490"};
    struct remedy r[REMEDIES];
    struct made *m = made_new(dir);
    struct err err;
    char name[64];
    for (size_t i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "sft/checkpoints/%s", steps[i]);
        files_must(file_make_dir(files_path(dir, name), &err), &err);
        snprintf(name, sizeof name, "sft/checkpoints/%s/model.safetensors",
                 steps[i]);
        files_write(dir, name, "");
        snprintf(name, sizeof name, "sft/checkpoints/%s/config.json", steps[i]);
        files_write(dir, name, "{}");
    }
    files_write(dir, "sft/result.json", "{\"steps\":490}");
    made_set(m, "sft", "sft.epochs", "40");
    made_rank(m, "R9", NULL);
    made_choose(r, m, REMEDY_REPAIR);
    assert_string_equal(r[0].name, "sft-epoch=20.41");
    assert_non_null(strstr(r[0].change, "epoch 20.41"));
    assert_true(isnan(r[0].effect[REMEDY_KL].predicted.estimate));
    assert_non_null(strstr(r[0].missing, "nothing in this run"));
}

/* Replies 1 and 2 differ by 10 tokens and by 0.8 + 3 * 0.6 / sqrt 3 of score,
 * more than their length is worth.  Judges who prefer the first dislike what is
 * left of the score, and another reward for it would be no remedy. */
static void test_rest_that_nobody_wants(void **state)
{
    (void)state;
    make_desk();
    for (int likes = 0; likes < 2; likes++) {
        struct remedy r[REMEDIES];
        struct made *m = made_new(dir);
        for (size_t p = 0; p < MADE_PROMPTS; p++) {
            size_t base = 2 * MADE_EACH * p;
            /* Length alone is of no taste: 0 and 2 win alike. */
            m->vote[m->e.n_vote++] =
                (struct evidence_vote){.prompt = p,
                                       .pair = p,
                                       .is_placebo = true,
                                       .visit = 1,
                                       .win = p % 2 == 0 ? 1 : 0,
                                       .reply = base,
                                       .reply_other = base + 2};
            m->vote[m->e.n_vote++] =
                (struct evidence_vote){.prompt = p,
                                       .pair = p,
                                       .is_placebo = true,
                                       .visit = 1,
                                       .win = likes,
                                       .reply = base + 2,
                                       .reply_other = base + 1};
        }
        made_rank(m, "R1", NULL);
        made_choose(r, m, REMEDY_REPAIR);
        assert_string_equal(r[0].name, likes ? "residual" : "relabel");
    }
}

static void test_healthy(void **state)
{
    (void)state;
    struct remedy r[REMEDIES];
    struct made *m = made_new(dir);
    made_rank(m, "R0", NULL);
    made_choose(r, m, REMEDY_CHECK);
    assert_string_equal(r[0].name, "best-of=8");
    assert_string_equal(r[1].name, "interpolate=0.5");
    assert_int_equal(r[0].purpose, REMEDY_CHECK);
}

static void make_files(struct made *m, const char *const *name, size_t n)
{
    struct err err;
    char folder[FILE_PATH_MAX];
    for (size_t i = 0; i < n; i++) {
        const char *path = files_path(dir, name[i]);
        files_must(file_dirname(folder, path, &err), &err);
        files_must(file_make_dir(folder, &err), &err);
        files_must(file_write(path, "x", 1, &err), &err);
    }
    snprintf(m->e.run, sizeof m->e.run, "%s/ppo", dir);
    made_set(m, "ppo", "ppo.model", "../sft");
    made_set(m, "ppo", "ppo.reward_model", "org/name");
    made_set(m, "ppo", "ppo.prompts", "../sft/config.json");
}

#define TRAINED                                                                \
    "ppo/config.yaml", "sft/config.json", "sft/config.yaml",                   \
        "reward/config.yaml"
#define POLICY                                                                 \
    "ppo/checkpoints/000010/config.json",                                      \
        "ppo/checkpoints/000010/model.safetensors"
#define EVALUATED "eval/settings.json", "eval/samples.jsonl"

static void lose_files(struct made *m)
{
    m->e.loss[m->e.n_loss++] = (struct evidence_loss){
        "probes/relaxation.json", "not there", "plumb probe", false};
    m->e.loss[m->e.n_loss++] = (struct evidence_loss){
        "human/spotcheck.jsonl", "not there", "people", false};
    m->gate[GATE_PENALTY].data = "probes/relaxation.json";
    m->observed[OBSERVED_LESS_DIRECT].data = "human/spotcheck.jsonl";
    made_rank(m, NULL, NULL);
}

/* Two files are lost that the first explanations rest on. */
static void test_inconclusive(void **state)
{
    (void)state;
    static const char *const there[] = {TRAINED, POLICY, EVALUATED};
    struct remedy r[REMEDIES];
    struct made *m = made_new(dir);
    char want[FILE_PATH_MAX];
    make_desk();
    make_files(m, there, sizeof there / sizeof *there);
    lose_files(m);
    made_choose(r, m, REMEDY_MEASURE);
    assert_int_equal(r[0].purpose, REMEDY_MEASURE);
    assert_int_equal(r[1].purpose, REMEDY_MEASURE);
    assert_string_equal(r[0].id, "panel");
    assert_string_equal(r[1].id, "probe");
    snprintf(want, sizeof want, "plumb probe %s", dir);
    assert_string_equal(r[1].command, want);
    assert_string_equal(r[1].name, "");
    assert_null(strstr(r[1].title, "once"));
    assert_null(strstr(r[1].why, "not there yet"));
    assert_true(isnan(r[1].effect[REMEDY_RM].predicted.estimate));
}

/* The first command can be run, and makes what the second reads; where none
 * can, it is said what must be there first. */
static void test_order(void **state)
{
    (void)state;
    static const char *const there[] = {TRAINED, POLICY};
    struct remedy r[REMEDIES];
    struct made *m = made_new(dir);
    make_desk();
    lose_files(m);
    made_choose(r, m, REMEDY_MEASURE);
    assert_string_equal(r[0].id, "eval");
    assert_non_null(strstr(r[0].title, "once their checkpoints"));
    assert_non_null(strstr(r[0].why, "not there yet is ppo/config.yaml"));
    assert_non_null(strstr(r[1].title, "once plumb eval"));

    m = made_new(dir);
    make_files(m, there, sizeof there / sizeof *there - 2);
    lose_files(m);
    made_choose(r, m, REMEDY_MEASURE);
    assert_string_equal(r[0].id, "trace");
    assert_null(strstr(r[0].title, "once"));
    assert_non_null(strstr(r[0].command, "--out "));
    assert_string_equal(r[1].id, "eval");
    assert_non_null(strstr(r[1].why, "a checkpoint in ppo/checkpoints"));

    m = made_new(dir);
    make_files(m, there, sizeof there / sizeof *there);
    lose_files(m);
    made_choose(r, m, REMEDY_MEASURE);
    assert_string_equal(r[0].id, "eval");
    assert_null(strstr(r[0].title, "once"));
    assert_non_null(strstr(r[1].title, "once plumb eval"));

    /* Nothing is asked for: no change is tried that cannot be. */
    m = made_new(dir);
    make_files(m, there, sizeof there / sizeof *there);
    made_rank(m, NULL, NULL);
    made_choose(r, m, REMEDY_MEASURE);
    assert_string_equal(r[0].id, "eval");
    assert_int_equal(r[1].purpose, REMEDY_MEASURE);

    /* A model that a setting names and that is gone. */
    m = made_new(dir);
    make_files(m, there, sizeof there / sizeof *there);
    m->setting[0].text = "../gone";
    lose_files(m);
    made_choose(r, m, REMEDY_MEASURE);
    assert_non_null(strstr(r[0].why, "../gone, which is ppo.model"));
}

static void test_text(void **state)
{
    (void)state;
    struct remedy r[REMEDIES];
    char want[REMEDY_TEXT_MAX];
    struct made *m = made_new(dir);
    /* A name that a shell would take apart. */
    snprintf(m->e.project, sizeof m->e.project, "my run's/");
    made_set(m, "ppo", "ppo.beta", "0.02");
    m->mechanism[MECHANISM_CHEAP].verdict = VERDICT_SUPPORTED;
    m->mechanism[MECHANISM_EXPLOITED].verdict = VERDICT_SUPPORTED;
    made_rank(m, "R1", "R3");
    made_choose(r, m, REMEDY_REPAIR);
    assert_string_equal(r[0].against, "R1 a2");
    assert_string_equal(r[1].against, "R3 c2");
    assert_true(r[0].is_reward_side && !r[1].is_reward_side);
    assert_string_equal(r[0].change, "+ reward.length_residual: true");
    assert_string_equal(r[1].change, "- ppo.beta: 0.02\n+ ppo.beta: 0.5");
    snprintf(want, sizeof want,
             "plumb whatif 'my run'\\''s' --change beta=0.5 --seeds 3");
    assert_string_equal(r[1].command, want);
    snprintf(want, sizeof want,
             "plumb whatif 'my run'\\''s' --change residual --change beta=0.5 "
             "--seeds 3");
    assert_string_equal(r[0].verify, want);
    assert_string_equal(r[1].verify, want);
    /* However long, a command is whole. */
    memset(m->e.project, 'p', FILE_PATH_MAX - 1);
    m->e.project[FILE_PATH_MAX - 1] = '\0';
    made_choose(r, m, REMEDY_REPAIR);
    assert_int_equal(strlen(r[1].command),
                     strlen("plumb whatif  --change beta=0.5 --seeds 3") +
                         FILE_PATH_MAX - 1);
    assert_non_null(strstr(r[0].verify, "p --change residual --change beta"));
    snprintf(m->e.project, sizeof m->e.project, "my run's/");
    made_choose(r, m, REMEDY_REPAIR);
    /* No probe: the price has no prediction, and the reason is told. */
    assert_true(isnan(r[1].effect[REMEDY_KL].predicted.estimate));
    assert_non_null(strstr(r[1].missing, "probes/push.json"));
    assert_true(isfinite(r[0].effect[REMEDY_LENGTH].predicted.estimate));
    assert_non_null(strstr(r[0].missing, "human"));
}

/* ---- re-runs ------------------------------------------------------------ */

static const char result[] =
    "{\"changes\":[{\"name\":\"beta=0.4\",\"over_seeds\":{\"rm\":{\"mean\":9,"
    "\"seeds\":3}}},{\"name\":\"residual\",\"seeds\":["
    "{\"cost\":{\"tokens_drawn\":50,\"samples_per_reply\":1},"
    "\"base_cost\":{\"tokens_drawn\":100}},"
    "{\"cost\":{\"tokens_drawn\":70,\"samples_per_reply\":1},"
    "\"base_cost\":{\"tokens_drawn\":100}},{\"error\":\"bad\"}],"
    "\"over_seeds\":{"
    "\"rm\":{\"mean\":-0.9,\"low\":-1.2,\"high\":-0.6,\"seeds\":2,"
    "\"claim\":\"consistent with\"},"
    "\"length\":{\"mean\":0.2,\"low\":0.1,\"high\":0.3,\"seeds\":2,"
    "\"claim\":\"not shown\"},"
    "\"human_win_rate\":{\"mean\":null,\"seeds\":0}}}]}";

static void test_verified(void **state)
{
    (void)state;
    struct remedy r[REMEDIES];
    struct err err;
    struct made *m = made_new(dir);
    files_must(json_parse(&m->e.whatif, result, sizeof result - 1, "it", &err),
               &err);
    made_rank(m, "R1", "R3");
    made_choose(r, m, REMEDY_REPAIR);
    json_free(m->e.whatif);
    /* -0.9 lies in -0.8 +- 0.66, 0.2 not in 0.36 to 0.69. */
    assert_int_equal(r[0].seeds, 2);
    files_near(r[0].effect[REMEDY_RM].observed.low, -1.2, 0);
    assert_true(r[0].effect[REMEDY_RM].is_inside);
    files_near(r[0].effect[REMEDY_LENGTH].observed.estimate, 0.2, 0);
    assert_false(r[0].effect[REMEDY_LENGTH].is_inside);
    assert_true(isnan(r[0].effect[REMEDY_HUMAN].observed.estimate));
    assert_false(r[0].effect[REMEDY_HUMAN].is_inside);
    files_near(r[0].effect[REMEDY_COST].observed.estimate, 0.6, 1e-12);
    files_near(r[0].effect[REMEDY_COST].observed.low, 0.5, 0);
    /* The claim is that of the length, which it is meant to move. */
    assert_string_equal(r[0].claim, "not shown");
    /* beta=0.4 is not beta=0.5. */
    assert_int_equal(r[1].seeds, 0);
    assert_null(r[1].claim);
    assert_true(isnan(r[1].effect[REMEDY_RM].observed.estimate));
}

static const char one_seed[] =
    "{\"changes\":[{\"name\":\"residual\",\"seeds\":[{\"measures\":{"
    "\"rm\":{\"effect\":{\"estimate\":-3,\"low\":-4,\"high\":-2,\"n\":7}}},"
    "\"cost\":{\"tokens_drawn\":5,\"samples_per_reply\":8},"
    "\"base_cost\":{\"tokens_drawn\":5}}],\"over_seeds\":{"
    "\"rm\":{\"mean\":-3,\"low\":null,\"high\":null,\"seeds\":1}}}]}";

static void test_verified_by_one_seed(void **state)
{
    (void)state;
    struct json *document;
    struct err err;
    struct remedy r = {.name = "residual"};
    const struct remedy_row *row = remedy_table_find("residual");
    files_must(json_parse(&document, one_seed, sizeof one_seed - 1, "it", &err),
               &err);
    r.effect[REMEDY_RM].predicted = (struct estimate){-2.5, -3.5, -1.5, 1};
    remedy_verified_read(&r, row, document);
    json_free(document);
    assert_int_equal(r.seeds, 1);
    files_near(r.effect[REMEDY_RM].observed.low, -4, 0);
    assert_true(r.effect[REMEDY_RM].is_inside);
    files_near(r.effect[REMEDY_COST].observed.estimate, 0, 0); // best of 8
    /* A document of anything else, or none, changes nothing. */
    remedy_verified_read(&r, row, NULL);
    assert_int_equal(r.seeds, 1);
}

/* ---- the document ------------------------------------------------------- */

static void test_document(void **state)
{
    (void)state;
    static const char *const members[] = {"id",        "change",   "command",
                                          "predicted", "tradeoff", "verified"};
    struct remedy r[REMEDIES];
    struct buf out;
    struct json_writer w;
    struct json *root;
    struct err err;
    struct made *m = made_new(dir);
    made_rank(m, "R1", "R3");
    made_choose(r, m, REMEDY_REPAIR);
    buf_init(&out, 1 << 20);
    json_writer_init(&w, &out, false);
    json_open(&w, '{');
    remedies_write(&w, r, REMEDIES);
    json_close(&w, '}');
    files_must(buf_status(&out, &err), &err);
    files_must(json_parse(&root, buf_text(&out), out.len, "it", &err), &err);
    const struct json *list = json_get(root, "remedies");
    assert_int_equal(json_size(list), REMEDIES);
    for (size_t i = 0; i < REMEDIES; i++)
        for (size_t k = 0; k < sizeof members / sizeof *members; k++)
            if (json_get(json_at(list, i), members[k]) == NULL)
                fail_msg("remedy %zu has no %s", i, members[k]);
    const struct json *predicted = json_get(json_at(list, 0), "predicted");
    files_near(measures_read_estimate(json_get(predicted, "length")).estimate,
               0.5, 1e-12);
    assert_true(json_is_null(json_get(json_at(list, 0), "verified")));
    json_free(root);
    buf_free(&out);
    buf_init(&out, 1 << 16);
    remedies_summary(&out, r, REMEDIES);
    assert_non_null(strstr(buf_text(&out), "residual"));
    assert_non_null(strstr(buf_text(&out), "length x0.50"));
    buf_free(&out);
}

/* Any allocation may be refused: that is said, and nothing is kept. */
static void test_short_of_memory(void **state)
{
    (void)state;
    struct made *m = made_new(dir);
    enum status status = ERR_MEMORY;
    made_rank(m, "R1", "R3");
    for (long k = 0; status != OK; k++) {
        struct remedy r[REMEDIES];
        struct err err;
        size_t n = 99;
        assert_true(k < 10000);
        mem_fail_at(k);
        status = remedies_choose(r, &n, &m->e, &m->rows, m->rival,
                                 REMEDY_REPAIR, &err);
        mem_fail_at(-1);
        if (status != OK)
            assert_int_equal(status, ERR_MEMORY);
        assert_int_equal(n, status == OK ? REMEDIES : 0);
    }
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(test_every_rival),
        WITH_DIR(test_conditions),
        WITH_DIR(test_rest_that_nobody_wants),
        WITH_DIR(test_healthy),
        WITH_DIR(test_earlier_checkpoint),
        WITH_DIR(test_inconclusive),
        WITH_DIR(test_order),
        WITH_DIR(test_text),
        WITH_DIR(test_verified),
        WITH_DIR(test_document),
        WITH_DIR(test_short_of_memory),
        cmocka_unit_test(test_verified_by_one_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
