/*
 * Models made by transformers (tools/make_golden.py, make_arch_golden.py), read
 * from its files, and its numbers: logits, scores, every gradient, greedy text
 * token by token.
 *
 * transformers computed in double but for norms and rotary tables, so the
 * float error here is ours: about ten layers of sums of at most 24 terms,
 * some 100 roundings of 2^-24 on logits of order 10.
 */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "io/safetensors.h"
#include "model/checkpoint.h"
#include "model/generate.h"
#include "model/heads.h"
#include "model/sampler.h"

/* The largest logit of the golden files is 7.0. */
#define LOGIT_TOLERANCE (8 * RIG_ROUNDING)

struct golden {
    struct model model;
    struct json *facts;
    struct safetensors file;
    struct rig_pack sequences;
};

static void path_of(char out[FILE_PATH_MAX], const char *folder,
                    const char *name)
{
    int n = snprintf(out, FILE_PATH_MAX, "%s/golden/%s/%s", TEST_DATA, folder,
                     name);

    assert_true(n > 0 && n < FILE_PATH_MAX);
}

/* A JSON array of token ids; returns how many. */
static size_t read_ids(int32_t *out, const struct json *list)
{
    assert_true(json_size(list) > 0 && json_size(list) <= RIG_TOKENS_MAX);
    for (size_t i = 0; i < json_size(list); i++)
        out[i] = (int32_t)json_int(json_at(list, i), -1);
    return json_size(list);
}

static void golden_open(struct golden *g, const char *folder,
                        enum model_head head)
{
    char path[FILE_PATH_MAX];
    struct err err = {0};
    const struct json *list;

    path_of(path, folder, ".");
    if (checkpoint_read(&g->model, path, head, &err) != OK)
        fail_msg("%s", err.text);
    path_of(path, folder, "golden.json");
    assert_int_equal(json_read(&g->facts, path, 1 << 20, &err), OK);
    path_of(path, folder, "golden.safetensors");
    assert_int_equal(safetensors_open(&g->file, path, &err), OK);

    rig_pack_init(&g->sequences);
    list = json_get(g->facts, "sequences");
    assert_true(json_size(list) > 2);
    for (size_t i = 0; i < json_size(list); i++) {
        int32_t id[RIG_TOKENS_MAX];
        size_t len = read_ids(id, json_at(list, i));

        rig_pack_add(&g->sequences, id, len);
    }
}

static void golden_close(struct golden *g)
{
    model_free(&g->model);
    json_free(g->facts);
    safetensors_close(&g->file);
}

/* A tensor of the golden file, which must hold n values. */
static float *golden_floats(const struct golden *g, const char *name, size_t n)
{
    const struct tensor_view *t = safetensors_find(&g->file, name);
    float *out = mem_calloc(n, sizeof *out);
    struct err err = {0};

    if (t == NULL || t->count != n)
        fail_msg("golden.safetensors: %s is absent or of another size", name);
    assert_int_equal(safetensors_floats(out, t, &err), OK);
    return out;
}

static void check_gradients(const struct golden *g, const struct loss *loss)
{
    const struct model_config *c = &g->model.config;
    float *grad = mem_calloc(params_count(c), sizeof *grad);

    rig_gradient(grad, &g->model, &g->sequences.pack, loss);
    for (size_t i = 0; i < params_tensors(c); i++) {
        struct param_file f;
        char name[160];

        if (!params_file_hf(&f, c, i))
            continue;
        (void)snprintf(name, sizeof name, "grad.%s", f.name);
        float *want = golden_floats(g, name, f.rows * f.cols);
        float *got = mem_calloc(f.rows * f.cols, sizeof *got);
        for (size_t k = 0; k < f.rows * f.cols; k++)
            got[f.is_transposed ? k % f.cols * f.rows + k / f.cols : k] =
                grad[f.offset + k];
        double error = rig_relative(got, want, f.rows * f.cols);
        if (!(error <= RIG_ROUNDING_GRADIENT))
            fail_msg("%s: off by %.2g", f.name, error);
        mem_free(got);
        mem_free(want);
    }
    mem_free(grad);
}

static void check_logits(const struct golden *g)
{
    const struct pack *pack = &g->sequences.pack;
    size_t n = pack->N * g->model.config.V;
    float *got = mem_calloc(n, sizeof *got);
    float *want = golden_floats(g, "logits", n);
    double error;

    rig_logits(got, &g->model, pack);
    error = rig_distance(got, want, n);
    print_message("    logits differ by at most %.2g\n", error);
    assert_true(error <= LOGIT_TOLERANCE);
    mem_free(got);
    mem_free(want);
}

/* -log p of each next token, as the script sums it. */
static void check_lm_gradients(const struct golden *g)
{
    const struct rig_pack *p = &g->sequences;
    int32_t target[RIG_TOKENS_MAX] = {0};
    float dlogp[RIG_TOKENS_MAX] = {0};
    struct loss loss = {.target = target, .dlogp = dlogp, .temperature = 1};

    for (size_t s = 0; s < p->pack.n_seq; s++)
        for (size_t n = p->start[s]; n + 1 < p->start[s + 1]; n++) {
            target[n] = p->token[n + 1];
            dlogp[n] = -1;
        }
    check_gradients(g, &loss);
}

/* All prompts as one group, greedily. */
static void check_greedy(const struct golden *g)
{
    const struct json *prompts = json_get(g->facts, "prompts");
    const struct json *want = json_get(g->facts, "greedy");
    struct sampling s = {.temperature = 0, .top_p = 1};
    struct generate_job job[8] = {0};
    static int32_t prompt[8][RIG_TOKENS_MAX];
    static int32_t token[8][RIG_TOKENS_MAX];
    size_t n = json_size(prompts);
    struct context context = {0};
    struct err err = {0};

    assert_true(n > 1 && n <= 8);
    s.max_new = (size_t)json_int(json_get(g->facts, "new_tokens"), 0);
    for (size_t i = 0; i < n; i++)
        job[i] = (struct generate_job){
            .prompt = prompt[i],
            .len_prompt = read_ids(prompt[i], json_at(prompts, i)),
            .token = token[i],
        };
    assert_int_equal(team_create(&context.team, 1, &err), OK);
    assert_int_equal(generate_run(job, n, &g->model, &s, &context, &err), OK);
    team_destroy(context.team);
    for (size_t i = 0; i < n; i++) {
        int32_t id[RIG_TOKENS_MAX];
        size_t len = read_ids(id, json_at(want, i));

        assert_int_equal(job[i].len, len);
        assert_memory_equal(token[i], id, len * sizeof *id);
        assert_int_equal(job[i].is_eos,
                         model_config_stops(&g->model.config, id[len - 1]));
    }
}

/* Which tokens top_k and top_p leave of the first row. */
static void check_cuts(const struct golden *g)
{
    const struct json *cuts = json_get(g->facts, "cuts");
    size_t V = g->model.config.V;
    size_t rows = g->sequences.pack.N;
    float *logits = golden_floats(g, "logits", rows * V);
    struct rng rng;

    rng_init(&rng, 1, RNG_TEST, 0, 0);
    assert_true(json_size(cuts) > 2);
    for (size_t i = 0; i < json_size(cuts); i++) {
        const struct json *cut = json_at(cuts, i);
        struct sampling s = {
            .temperature = json_number(json_get(cut, "temperature"), 0),
            .top_p = json_number(json_get(cut, "top_p"), 0),
            .top_k = (size_t)json_int(json_get(cut, "top_k"), 0),
        };
        struct lmhead head = model_lmhead(&g->model, (float)s.temperature);
        bool seen[RIG_TOKENS_MAX] = {false};
        bool want[RIG_TOKENS_MAX] = {false};
        int32_t id[RIG_TOKENS_MAX];
        size_t kept = read_ids(id, json_get(cut, "kept"));

        for (size_t k = 0; k < kept; k++)
            want[id[k]] = true;
        for (size_t k = 0; k < 5000; k++) {
            int32_t token;
            double logp;

            assert_int_equal(rig_draw(&token, &logp, logits, &head, &s, &rng),
                             OK);
            seen[token] = true;
        }
        assert_memory_equal(seen, want, V);
    }
    mem_free(logits);
}

/* What the folder has vectors of. */
static void check_lm(const char *folder)
{
    struct golden g;
    const struct json *stops;

    golden_open(&g, folder, HEAD_LM);
    stops = json_get(g.facts, "stops");
    for (size_t i = 0; i < json_size(stops); i++)
        assert_true(model_config_stops(
            &g.model.config, (int32_t)json_int(json_at(stops, i), -1)));
    check_logits(&g);
    if (g.file.n > 1)
        check_lm_gradients(&g);
    check_greedy(&g);
    if (json_get(g.facts, "cuts") != NULL)
        check_cuts(&g);
    golden_close(&g);
}

static void test_llama(void **state)
{
    (void)state;
    check_lm("llama2l");
}

static void test_grouped_query_tied(void **state)
{
    (void)state;
    check_lm("gqa_tied");
}

/* Biases, Llama 3's stretch of positions, a version-4 config. */
static void test_llama3(void **state)
{
    (void)state;
    check_lm("llama3");
}

/* F16 and linear stretch. */
static void test_linear(void **state)
{
    (void)state;
    check_lm("linear");
}

/* Several F32 shards. */
static void test_mistral(void **state)
{
    (void)state;
    check_lm("mistral");
}

/* Several BF16 shards; a sliding window that is not used. */
static void test_qwen2(void **state)
{
    (void)state;
    check_lm("qwen2");
}

/* Two tokens that end a reply. */
static void test_qwen3(void **state)
{
    (void)state;
    check_lm("qwen3");
}

/* Names without the trunk's, and buffers of old files. */
static void test_gpt2(void **state)
{
    (void)state;
    check_lm("gpt2");
}

static void check_score(const char *folder)
{
    struct golden g;
    const struct rig_pack *p = &g.sequences;
    size_t row[RIG_SEQUENCES_MAX];
    float dscore[RIG_SEQUENCES_MAX];
    float got[RIG_SEQUENCES_MAX];
    struct loss loss = {.row = row, .dscore = dscore};
    float *hidden;
    float *want;

    golden_open(&g, folder, HEAD_SCORE);
    loss.n_row = p->pack.n_seq;
    for (size_t s = 0; s < p->pack.n_seq; s++) {
        row[s] = p->start[s + 1] - 1;
        dscore[s] = (float)(s + 1);
    }
    hidden = mem_calloc(p->pack.N * g.model.config.C, sizeof *hidden);
    rig_hidden(hidden, &g.model, &p->pack, false);
    head_score_forward(got, &g.model, hidden, row, loss.n_row);
    want = golden_floats(&g, "scores", loss.n_row);
    assert_true(rig_distance(got, want, loss.n_row) <= LOGIT_TOLERANCE);
    check_gradients(&g, &loss);
    mem_free(hidden);
    mem_free(want);
    golden_close(&g);
}

static void test_scores(void **state)
{
    (void)state;
    check_score("score");
    check_score("qwen2_score");
    check_score("gpt2_score");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_llama),
        cmocka_unit_test(test_grouped_query_tied),
        cmocka_unit_test(test_llama3),
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_mistral),
        cmocka_unit_test(test_qwen2),
        cmocka_unit_test(test_qwen3),
        cmocka_unit_test(test_gpt2),
        cmocka_unit_test(test_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
