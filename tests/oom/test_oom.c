/*
 * test_oom.c - memory that runs out, one allocation at a time.
 *
 * Each scenario is run with its 1st, 2nd, ... allocation failing until it gets
 * through untouched.  Every one of these runs must return ERR_MEMORY and no
 * other code, or do without (an arena refused a big block asks for a small
 * one) and then write the same bytes as ever.  Nothing may crash or leak,
 * which the sanitizers see.  One worker, so that allocations are counted in
 * one order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/args.h"
#include "cli/record.h"
#include "diagnose/lint.h"
#include "io/chat_install.h"
#include "io/dataset.h"
#include "io/gguf_write.h"
#include "io/run.h"
#include "io/trace_read.h"
#include "io/weights.h"
#include "model/checkpoint.h"
#include "model/export_gguf.h"
#include "rlhf/reward_reader.h"
#include "rlhf/speaker.h"
#include "world/desk.h"

/* Runs of a scenario at most: beyond the first EVERY_ONE allocations only some
 * are made to fail, further and further apart. */
#define EVERY_ONE 500
#define SPREAD 50

static struct {
    char dir[64];
    struct team *team;
    struct context context;
} rig;

static double no_time(void)
{
    return 1e9;
}

static const char *path_of(const char *name)
{
    static char path[8][128];
    static int next;
    next = (next + 1) % 8;
    snprintf(path[next], sizeof path[next], "%s/%s", rig.dir, name);
    return path[next];
}

static struct stage stage_at(const char *name)
{
    return (struct stage){
        .out = path_of(name),
        .mode = RUN_OVERWRITE,
        .config = "seed: 1\n",
        .seed = 1,
        .shards = 2,
        .context = &rig.context,
    };
}

typedef enum status (*scenario_fn)(struct err *err);

/* Let allocation 0, 1, 2, ... fail until none does.  `product` is a file that
 * the scenario writes, or NULL. */
static void run_scenario(scenario_fn fn, const char *product)
{
    struct err err = {OK, ""};
    char wanted[65] = "", hash[65] = "";
    size_t refused = 0, survived = 0;
    assert_int_equal(fn(&err), OK);
    if (product)
        assert_int_equal(file_hash(wanted, path_of(product), &err), OK);
    for (long n = 0;; n += n < EVERY_ONE ? 1 : 1 + n / SPREAD) {
        mem_fail_at(n);
        enum status status = fn(&err);
        bool fired = mem_count() > n;
        mem_fail_at(-1);
        if (status != OK && (!fired || status != ERR_MEMORY))
            fail_msg("allocation %ld: status %d, '%s'", n, (int)status,
                     err.text);
        if (!fired)
            break;
        refused += status != OK;
        survived += status == OK;
        if (status == OK && product) {
            assert_int_equal(file_hash(hash, path_of(product), &err), OK);
            assert_string_equal(hash, wanted);
        }
    }
    print_message("    %zu refused, %zu done without\n", refused, survived);
    assert_true(refused > 0);
}

/* ---- scenarios ---------------------------------------------------------- */

static enum status settings(struct err *err)
{
    struct options o;
    char line[3][80] = {"-c", "", "--beta=0.1"};
    char *argv[] = {line[0], line[1], line[2]};
    snprintf(line[1], sizeof line[1], "%s", path_of("ppo.yaml"));
    TRY(options_init(&o, err));
    enum status status = args_read(&o, command_find("ppo"), 3, argv, err);
    options_free(&o);
    return status;
}

static enum status tokenizer(struct err *err)
{
    struct tokenizer *t = NULL;
    struct ids ids = {0};
    struct buf text;
    enum status status = OK;
    buf_init(&text, 10000);
    TRY_DONE(tokenizer_open(&t, path_of("desk"), err));
    TRY_DONE(chat_encode_prompt(t, &(struct chat){.template = CHAT_SUPPORT},
                                "where is order #Q4?", &ids, err));
    TRY_DONE(tokenizer_decode(t, ids.id, ids.n, true, &text, err));
    status = buf_status(&text, err);
done:
    buf_free(&text);
    ids_free(&ids);
    tokenizer_free(t);
    return status;
}

static enum status dataset(struct err *err)
{
    struct dataset d;
    TRY(dataset_read(&d, path_of("rankings.jsonl"), DATASET_RANKINGS, err));
    dataset_free(&d);
    return OK;
}

/* A run's rollouts of two iterations, their lines longer than a piece of the
 * stream. */
static enum status write_rollouts(struct err *err)
{
    static float x[20000];
    enum status status = OK;
    TRY(file_make_dir(path_of("run/rollouts"), err));
    for (int i = 1; i <= 2 && status == OK; i++) {
        const struct trace_row row = {.step = i,
                                      .prompt_id = "p",
                                      .len = sizeof x / sizeof *x / (size_t)i,
                                      .logp = x,
                                      .kl = x};
        struct buf text;
        buf_init(&text, (size_t)1 << 20);
        trace_write_row(&text, &row);
        status = trace_write_file(i == 1 ? path_of("run/rollouts/1.jsonl.zst")
                                         : path_of("run/rollouts/2.jsonl.zst"),
                                  &text, err);
        buf_free(&text);
    }
    return status;
}

static enum status rollouts(struct err *err)
{
    static const char *const names[] = {"gold"};
    struct trace_reader *r;
    const struct trace_view *v = NULL;
    size_t n = 0;
    TRY(write_rollouts(err));
    TRY(trace_reader_open_run(&r, path_of("run"), names, 1, err));
    enum status status = OK;
    do {
        status = trace_reader_next(r, &v, err);
        n += status == OK && v != NULL;
    } while (status == OK && v != NULL);
    trace_reader_close(r);
    if (status == OK && n != 2)
        return err_set(err, ERR_FORMAT, "%zu rows", n);
    return status;
}

static enum status checkpoint(struct err *err)
{
    struct speaker s;
    TRY(speaker_open(&s, path_of("sft"), NULL, 0, err));
    struct checkpoint c = {.model = &s.model, .tokenizer = s.tokenizer};
    enum status status = checkpoint_write(path_of("copy"), &c, err);
    speaker_close(&s);
    return status;
}

/* A GGUF file copied by way of its metadata and values. */
static enum status copy_gguf(const struct weights *w, struct gguf_writer *out,
                             struct err *err)
{
    const struct gguf *g = weights_gguf(w);
    float x[192];
    for (size_t i = 0; i < gguf_n_keys(g); i++)
        gguf_put_copy(out, g, i);
    for (size_t i = 0; i < w->n; i++) {
        const struct tensor_view *t = weights_at(w, i);
        gguf_put_tensor(out, t->name, t->type, 1, &t->count);
    }
    for (size_t i = 0; i < w->n; i++) {
        TRY(weights_floats(x, w, weights_at(w, i), err));
        TRY(gguf_put_values(out, x, weights_at(w, i)->count, err));
    }
    return OK;
}

static enum status gguf(struct err *err)
{
    struct weights w;
    struct gguf_writer *out;
    TRY(weights_open(&w, TEST_DATA "/gguf/written.gguf", err));
    enum status status = gguf_create(&out, path_of("copy.gguf"), err);
    if (status == OK)
        status = gguf_finish(out, copy_gguf(&w, out, err), err);
    weights_close(&w);
    return status;
}

/* Two shards under an index. */
static enum status write_shards(struct err *err)
{
    static const char index[] =
        "{\"weight_map\":{\"a\":\"1.safetensors\",\"b\":"
        "\"2.safetensors\"}}";
    static const float x[] = {1, 2, 3};
    const struct tensor_out t[] = {
        {.name = "a", .type = TENSOR_F32, .n_dim = 1, .dim = {3}, .data = x},
        {.name = "b", .type = TENSOR_BF16, .n_dim = 1, .dim = {2}, .data = x},
    };
    TRY(file_make_dir(path_of("shards"), err));
    TRY(safetensors_write(path_of("shards/1.safetensors"), &t[0], 1, err));
    TRY(safetensors_write(path_of("shards/2.safetensors"), &t[1], 1, err));
    return file_write(path_of("shards/model.safetensors.index.json"), index,
                      sizeof index - 1, err);
}

static enum status shards(struct err *err)
{
    struct weights w;
    TRY(write_shards(err));
    TRY(weights_open(&w, path_of("shards"), err));
    weights_close(&w);
    return OK;
}

static const struct sampling short_reply = {
    .temperature = 1,
    .top_p = 1,
    .max_new = 6,
};

static enum status candidates(struct err *err)
{
    static const struct data_config plain = {.too_long = TOO_LONG_REFUSE};
    struct speaker s;
    struct buf out;
    const struct draw d = {
        .sampling = short_reply,
        .samples = 2,
        .seed = 1,
        .purpose = RNG_CANDIDATE,
        .context = &rig.context,
    };
    TRY(speaker_open(&s, path_of("sft"), NULL, 0, err));
    buf_init(&out, (size_t)1 << 20);
    enum status status =
        speaker_reply_file(&out, &s, path_of("prompts.jsonl"), &plain, &d, err);
    if (status == OK)
        status = buf_status(&out, err);
    if (status == OK)
        status = file_write(path_of("candidates.jsonl"), buf_text(&out),
                            out.len, err);
    buf_free(&out);
    speaker_close(&s);
    return status;
}

/* The defaults of the table, cut down to a moment's work. */
static enum status small_options(struct options *o, struct err *err)
{
    static const char *const setting[][2] = {
        {"sft.epochs", "1"},       {"sft.batch", "3"},
        {"sft.channels", "4"},     {"sft.layers", "1"},
        {"sft.heads", "2"},        {"sft.kv_heads", "1"},
        {"sft.feed_forward", "4"}, {"sft.holdout", "0.2"},
        {"reward.epochs", "1"},    {"reward.batch", "2"},
        {"reward.holdout", "0.3"}, {"ppo.iterations", "1"},
        {"ppo.batch", "2"},        {"ppo.max_new", "6"},
        {"ppo.norm_prompts", "2"}, {"ppo.epochs", "1"},
        {"ppo.minibatches", "1"},
    };
    TRY(options_init(o, err));
    enum status status = OK;
    for (size_t i = 0; i < sizeof setting / sizeof *setting; i++) {
        if (status == OK)
            status = options_give(o, setting[i][0], setting[i][1], "test", NULL,
                                  err);
    }
    if (status == OK)
        status = options_apply(o, err);
    if (status != OK)
        options_free(o);
    return status;
}

static enum status sft(struct err *err)
{
    struct options o;
    struct stage stage = stage_at("sft");
    TRY(small_options(&o, err));
    o.v.sft.data = path_of("demos.jsonl");
    o.v.sft.tokenizer = path_of("desk");
    enum status status = sft_run(&o.v.sft, &stage, err);
    options_free(&o);
    return status;
}

static enum status reward(struct err *err)
{
    struct options o;
    struct stage stage = stage_at("reward");
    TRY(small_options(&o, err));
    o.v.reward.data = path_of("rankings.jsonl");
    o.v.reward.model = path_of("sft");
    enum status status = reward_model_run(&o.v.reward, &stage, err);
    options_free(&o);
    return status;
}

static enum status ppo(struct err *err)
{
    struct options o;
    struct stage stage = stage_at("ppo");
    TRY(small_options(&o, err));
    o.v.ppo.model = path_of("sft");
    o.v.ppo.reward_model = path_of("reward");
    o.v.ppo.prompts = path_of("prompts.jsonl");
    enum status status = ppo_run(&o.v.ppo, &stage, NULL, err);
    options_free(&o);
    return status;
}

/* A reward model that reads the policy's words, not its tokens. */
static enum status reader(struct err *err)
{
    enum status status = OK;
    static const int32_t token[] = {DESK_EOS};
    static const size_t prompt = 1;
    static const bool is_eos = true;
    const struct sequence seq = {NULL, 0, token, 1};
    struct tokenizer *t;
    struct dataset data = {.n = 0};
    struct reward_reader r = {.reads_ids = false};
    double score;
    TRY(tokenizer_open(&t, path_of("desk"), err));
    const struct reward_policy policy = {t, {.template = CHAT_NONE}, DESK_EOS};
    TRY_DONE(
        dataset_read(&data, path_of("prompts.jsonl"), DATASET_PROMPTS, err));
    TRY_DONE(reward_reader_open(&r, path_of("reward"), &policy, 0, err));
    const struct reward_replies replies = {data.record, &prompt, &seq,
                                           &is_eos,     NULL,    1};
    TRY_DONE(reward_reader_score(&score, &r, &replies, &rig.context, err));
done:
    reward_reader_close(&r);
    dataset_free(&data);
    tokenizer_free(t);
    return status;
}

/* The tokenizer's files with another template. */
static enum status install(struct err *err)
{
    struct tokenizer *t;
    TRY(tokenizer_open(&t, path_of("desk"), err));
    enum status status = chat_install(&t, "none", err);
    tokenizer_free(t);
    return status;
}

static enum status record(struct err *err)
{
    struct options o;
    struct buf text;
    TRY(small_options(&o, err));
    o.v.ppo.model = path_of("sft");
    o.v.ppo.reward_model = path_of("reward");
    o.v.ppo.prompts = path_of("prompts.jsonl");
    buf_init(&text, (size_t)1 << 20);
    enum status status = record_config(&text, &o, FOR_PPO, rig.dir, err);
    buf_free(&text);
    options_free(&o);
    return status;
}

/* ---- the files they work on --------------------------------------------- */

static int set_up(void **state)
{
    (void)state;
    static const char yaml[] = "ppo:\n  model: sft\n  kl_mode: k2_loss\n";
    struct err err = {OK, ""};
    struct rater_config raters = rater_default();
    snprintf(rig.dir, sizeof rig.dir, "/tmp/plumb-oom-XXXXXX");
    if (!mkdtemp(rig.dir) || team_create(&rig.team, 1, &err) != OK)
        return -1;
    rig.context = (struct context){.team = rig.team, .clock = no_time};
    if (file_write(path_of("ppo.yaml"), yaml, strlen(yaml), &err) != OK ||
        desk_write_tokenizer(path_of("desk"), &err) != OK ||
        desk_write_demos(path_of("demos.jsonl"), 8, 1, &err) != OK ||
        desk_write_prompts(path_of("prompts.jsonl"), TICKET_PPO, 4, 1, &err) !=
            OK ||
        sft(&err) != OK || candidates(&err) != OK ||
        desk_rank_file(path_of("candidates.jsonl"), path_of("rankings.jsonl"),
                       &raters, 1, &err) != OK ||
        reward(&err) != OK) {
        print_error("set-up: %s\n", err.text);
        return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    struct err err = {OK, ""};
    team_destroy(rig.team);
    return file_remove(rig.dir, &err) == OK ? 0 : -1;
}

/* A model with a BPE tokenizer as a GGUF file, and that tokenizer read back. */
static enum status exports(struct err *err)
{
    static const char json[] =
        "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,"
        "\"added_tokens\":[{\"id\":0,\"content\":\"<eos>\","
        "\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
        "\"normalized\":false,\"special\":true}],\"normalizer\":null,"
        "\"pre_tokenizer\":{\"type\":\"ByteLevel\","
        "\"add_prefix_space\":false,\"trim_offsets\":true,"
        "\"use_regex\":true},\"post_processor\":null,"
        "\"decoder\":{\"type\":\"ByteLevel\","
        "\"add_prefix_space\":true,\"trim_offsets\":true,"
        "\"use_regex\":true},\"model\":{\"type\":\"BPE\","
        "\"vocab\":{\"a\":1,\"b\":2,\"ab\":3},\"merges\":[\"a b\"]}}";
    struct tokenizer *t = NULL, *back = NULL;
    struct model m = {0};
    char path[FILE_PATH_MAX];
    enum status status = OK;
    TRY_DONE(run_find_model(path, path_of("sft"), NULL, err));
    TRY_DONE(checkpoint_read(&m, path, HEAD_LM, err));
    TRY_DONE(tokenizer_parse(&t, json, strlen(json), NULL, 0, "bpe", err));
    TRY_DONE(export_gguf(path_of("export.gguf"), &m, t, TENSOR_BF16, "m", err));
    status = tokenizer_open(&back, path_of("export.gguf"), err);
done:
    tokenizer_free(back);
    tokenizer_free(t);
    model_free(&m);
    return status;
}

/* Another trainer's script, through all rules. */
static enum status lints(struct err *err)
{
    struct flat f;
    struct lint l;
    TRY(flat_read(&f, TEST_DATA "/lint/healthy/openrlhf.sh", err));
    enum status status = lint_run(&l, &f, LINT_AUTO, "f", err);
    flat_free(&f);
    if (status == OK)
        lint_free(&l);
    return status;
}

#define SCENARIO(name, product)                                                \
    static void test_##name(void **state)                                      \
    {                                                                          \
        (void)state;                                                           \
        run_scenario(name, product);                                           \
    }

SCENARIO(settings, NULL)
SCENARIO(tokenizer, NULL)
SCENARIO(dataset, NULL)
SCENARIO(rollouts, NULL)
SCENARIO(checkpoint, "copy/model.safetensors")
SCENARIO(gguf, "copy.gguf")
SCENARIO(shards, NULL)
SCENARIO(candidates, "candidates.jsonl")
SCENARIO(sft, "sft/metrics.jsonl")
SCENARIO(reward, "reward/metrics.jsonl")
SCENARIO(ppo, "ppo/metrics.jsonl")
SCENARIO(reader, NULL)
SCENARIO(install, NULL)
SCENARIO(record, NULL)
SCENARIO(exports, "export.gguf")
SCENARIO(lints, NULL)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),   cmocka_unit_test(test_tokenizer),
        cmocka_unit_test(test_dataset),    cmocka_unit_test(test_checkpoint),
        cmocka_unit_test(test_gguf),       cmocka_unit_test(test_shards),
        cmocka_unit_test(test_candidates), cmocka_unit_test(test_sft),
        cmocka_unit_test(test_reward),     cmocka_unit_test(test_record),
        cmocka_unit_test(test_ppo),        cmocka_unit_test(test_reader),
        cmocka_unit_test(test_rollouts),   cmocka_unit_test(test_rollouts),
        cmocka_unit_test(test_install),    cmocka_unit_test(test_exports),
        cmocka_unit_test(test_lints),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
