/*
 * bench_choose.c - a reward model's held-out accuracy against the number of
 * prompts ranked, when they are chosen and when they are drawn at random.
 *
 *     bench_choose SFT POOL HELDOUT WORK SEED ARM
 *
 * POOL are rankings of all prompts that could be asked about, of which a round
 * reveals BATCH more; HELDOUT are rankings that say what is true.  After each
 * round a reward model is trained from SFT on what is revealed, with seed
 * SEED, and its accuracy on HELDOUT is a line {"arm","seed","prompts",
 * "accuracy"}.  The first round is random and the same for every arm; of the
 * others a share of RANDOM is drawn at random, as plumb label does unless
 * told.
 *
 *     random        all of it at random
 *     adaptive      by choose.h, one reward model
 *     ensemble      by choose.h, three, of other seeds
 *     uncertainty   the same as adaptive with every distance 1
 *     diversity     the same as adaptive with every uncertainty 1
 *
 * bench/adaptive.sh makes the files, runs all arms and prints the table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "eval/choose.h"
#include "measure.h"
#include "rlhf/reward_model.h"
#include "rlhf/reward_reader.h"

enum {
    BATCH = 40,
    ROUNDS = 8,
    MODELS_MAX = 3,
    THREADS = 2
};
#define RANDOM 0.2
#define RESULT_MAX ((size_t)1 << 24)

static struct err err;

static void must(enum status status)
{
    measure_must(status, &err);
}

struct bench {
    const char *sft, *heldout, *work, *arm;
    uint64_t seed;
    struct context context;
    struct dataset pool;
    bool *is_judged; // [pool.n]
    size_t n_judged;
    struct rng rng;
};

static bool is_arm(const struct bench *b, const char *arm)
{
    return strcmp(b->arm, arm) == 0;
}

static void reveal(struct bench *b, size_t i)
{
    b->n_judged += !b->is_judged[i];
    b->is_judged[i] = true;
}

static void reveal_random(struct bench *b, size_t n)
{
    for (size_t k = 0; k < n && b->n_judged < b->pool.n;) {
        size_t i = rng_below(&b->rng, (uint32_t)b->pool.n);
        if (b->is_judged[i])
            continue;
        reveal(b, i);
        k++;
    }
}

static void write_judged(const struct bench *b, const char *path)
{
    struct buf out;
    buf_init(&out, (size_t)1 << 28);
    for (size_t i = 0; i < b->pool.n; i++)
        if (b->is_judged[i])
            dataset_write_record(&out, &b->pool.record[i]);
    must(buf_status(&out, &err));
    must(file_write(path, buf_text(&out), out.len, &err));
    buf_free(&out);
}

/* Train reward model number m on what is revealed; its held-out accuracy. */
static double train(struct bench *b, size_t m)
{
    char data[FILE_PATH_MAX], run[FILE_PATH_MAX], result[FILE_PATH_MAX];
    char name[32];
    struct json *json;
    (void)snprintf(name, sizeof name, "reward%zu", m);
    must(file_join(run, b->work, name, &err));
    must(file_join(data, b->work, "judged.jsonl", &err));
    must(file_join(result, run, "result.json", &err));
    write_judged(b, data);
    /* The demo's settings, with more epochs since there is little. */
    const struct reward_config c = {.data = data,
                                    .heldout = b->heldout,
                                    .model = b->sft,
                                    .epochs = 4,
                                    .batch = 6,
                                    .save_every = 100000,
                                    .log_every = 100,
                                    .max_tokens = 160,
                                    .loss = {.centring = 0.005},
                                    .heads = {.n = 1},
                                    .optimizer = {.lr = 2e-3,
                                                  .lr_min = 0.1,
                                                  .warmup = 10,
                                                  .schedule = 2,
                                                  .beta1 = 0.9,
                                                  .beta2 = 0.98,
                                                  .eps = 1e-8,
                                                  .weight_decay = 0.01,
                                                  .clip = 1}};
    const struct stage stage = {.out = run,
                                .mode = RUN_OVERWRITE,
                                .config = "seed: 1\n",
                                .seed = 10 * b->seed + m,
                                .shards = 8,
                                .context = &b->context};
    must(reward_model_run(&c, &stage, &err));
    must(json_read(&json, result, RESULT_MAX, &err));
    double accuracy = json_number(json_get(json, "accuracy"), -1);
    json_free(json);
    return accuracy;
}

/* What the models trained last say of the pool. */
struct view {
    size_t *first; // [n + 1]
    double *score, *u;
    float *feature;
    size_t d;
};

static void look(struct view *v, const struct bench *b, size_t models)
{
    struct reward_reader reader;
    struct corpus corpus;
    char name[32], run[FILE_PATH_MAX];
    size_t n = b->pool.n;
    must(MEM_NEW(v->first, n + 1, &err));
    for (size_t i = 0; i < n; i++)
        v->first[i + 1] = v->first[i] + b->pool.record[i].n_responses;
    size_t all = v->first[n];
    must(MEM_NEW(v->score, models * all, &err));
    must(MEM_NEW(v->u, n, &err));
    for (size_t m = 0; m < models; m++) {
        float *state;
        (void)snprintf(name, sizeof name, "reward%zu", m);
        must(file_join(run, b->work, name, &err));
        must(reward_reader_open(&reader, run, NULL, 0, &err));
        must(reward_reader_encode(&corpus, &reader, &b->pool, &err));
        v->d = reader.model.config.C;
        must(MEM_NEW(state, all * v->d, &err));
        must(scorer_states(v->score + m * all, state, &reader.model, corpus.seq,
                           all, &b->context, &err));
        if (m == 0)
            must(MEM_NEW(v->feature, n * v->d, &err));
        for (size_t i = 0; m == 0 && i < n; i++)
            choose_feature(v->feature + i * v->d, state + v->first[i] * v->d,
                           v->first[i + 1] - v->first[i], v->d);
        mem_free(state);
        corpus_free(&corpus);
        reward_reader_close(&reader);
    }
    const struct choose_scores s = {n, v->first, NULL, models, v->score};
    choose_uncertainty(v->u, &s);
}

static void reveal_chosen(struct bench *b, size_t wanted)
{
    struct view v = {0};
    struct choose_order o;
    look(&v, b, is_arm(b, "ensemble") ? MODELS_MAX : 1);
    /* Beyond no step at all, the order is that of uncertainty alone. */
    struct choose_records r = {.n = b->pool.n,
                               .d = v.d,
                               .u = v.u,
                               .feature = v.feature,
                               .is_judged = b->is_judged,
                               .steps = is_arm(b, "uncertainty") ? 1 : 0};
    for (size_t i = 0; is_arm(b, "diversity") && i < r.n; i++)
        v.u[i] = 1;
    must(choose_order(&o, &r, &err));
    for (size_t k = 0; k < o.n && k < wanted; k++)
        reveal(b, o.record[k]);
    choose_order_free(&o);
    mem_free(v.first);
    mem_free(v.score);
    mem_free(v.u);
    mem_free(v.feature);
}

static void run(struct bench *b)
{
    size_t random = (size_t)(RANDOM * BATCH);
    reveal_random(b, BATCH);
    for (size_t round = 0; round < ROUNDS; round++) {
        if (round > 0 && is_arm(b, "random")) {
            reveal_random(b, BATCH);
        } else if (round > 0) {
            for (size_t m = 1; is_arm(b, "ensemble") && m < MODELS_MAX; m++)
                (void)train(b, m);
            reveal_chosen(b, BATCH - random);
            reveal_random(b, random);
        }
        printf("{\"arm\":\"%s\",\"seed\":%llu,\"prompts\":%zu,"
               "\"accuracy\":%.6f}\n",
               b->arm, (unsigned long long)b->seed, b->n_judged, train(b, 0));
        (void)fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        (void)fprintf(stderr, "usage: bench_choose SFT POOL HELDOUT WORK "
                              "SEED ARM\n");
        return 2;
    }
    struct bench b = {.sft = argv[1],
                      .heldout = argv[3],
                      .work = argv[4],
                      .seed = strtoull(argv[5], NULL, 10),
                      .arm = argv[6]};
    must(file_make_dir(b.work, &err));
    must(team_create(&b.context.team, THREADS, &err));
    must(dataset_read(&b.pool, argv[2], DATASET_RANKINGS, &err));
    must(MEM_NEW(b.is_judged, b.pool.n, &err));
    rng_init(&b.rng, b.seed, RNG_TEST, 0, 0);
    run(&b);
    mem_free(b.is_judged);
    dataset_free(&b.pool);
    team_destroy(b.context.team);
    return 0;
}
