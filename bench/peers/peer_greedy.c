/*
 * peer_greedy.c - what a model makes of prompts of token ids, for
 * check_smollm2.py and check_load.py to compare and to measure.
 *
 *     peer_greedy f32|bf16 MODEL                  load it only
 *     peer_greedy f32|bf16 MODEL PROMPTS OUT N    and answer
 *
 * PROMPTS is a JSON array of arrays of ids.  OUT becomes a safetensors file
 * with tokens [prompts,N], -1 after the end of a text, and logits [prompts,V],
 * those of the first token.  Printed as JSON: seconds, resident MiB at most,
 * both after loading and in the end, and the parameters' MiB.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/mem.h"
#include "io/safetensors.h"
#include "model/checkpoint.h"
#include "model/generate.h"

#define MIB (1024.0 * 1024.0)

struct run {
    struct model model;
    struct generate_job *job;
    size_t n, max_new;
    int32_t *token; // [n,max_new]
    float *logits;  // [n,V]
};

static double seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The most that was ever resident.  Not getrusage(), whose number starts from
 * that of the program which started this one. */
static double resident_mib(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    double kib = -1;

    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtod(line + 6, NULL);
    if (f != NULL)
        (void)fclose(f);
    return kib / 1024;
}

static enum status read_prompts(struct run *r, const struct json *list,
                                struct err *err)
{
    r->n = json_size(list);
    TRY(MEM_NEW(r->job, r->n, err));
    TRY(MEM_NEW(r->token, r->n * r->max_new, err));
    TRY(MEM_NEW(r->logits, r->n * r->model.config.V, err));
    for (size_t i = 0; i < r->n; i++) {
        const struct json *ids = json_at(list, i);
        int32_t *prompt;

        TRY(MEM_NEW(prompt, json_size(ids), err));
        for (size_t k = 0; k < json_size(ids); k++)
            prompt[k] = (int32_t)json_int(json_at(ids, k), -1);
        r->job[i].prompt = prompt;
        r->job[i].len_prompt = json_size(ids);
        r->job[i].token = r->token + i * r->max_new;
    }
    return OK;
}

/* The logits of prompt `item`'s next token. */
static enum status first_logits(void *ctx, size_t item, size_t worker,
                                struct err *err)
{
    const struct run *r = ctx;
    const struct generate_job *job = &r->job[item];
    size_t N = job->len_prompt, C = r->model.config.C;
    struct lmhead head = model_lmhead(&r->model, 1);
    struct arena arena = {0};
    struct activations a;
    size_t start[2] = {0, N};
    int32_t *position;
    enum status status = OK;

    (void)worker;
    TRY_DONE(ARENA_NEW(&arena, position, N, err));
    for (size_t n = 0; n < N; n++)
        position[n] = (int32_t)n;
    struct pack pack = {.token = job->prompt,
                        .position = position,
                        .start = start,
                        .n_seq = 1,
                        .N = N};
    TRY_DONE(activations_place(&a, &r->model, N, false, &arena, err));
    TRY_DONE(transformer_forward(&a, &r->model, &pack, &arena, err));
    TRY_DONE(lmhead_logits(r->logits + item * head.V, &head,
                           a.hidden + (N - 1) * C, 1, NULL, err));
done:
    arena_free(&arena);
    return status;
}

static enum status answer(struct run *r, const char *prompts, const char *out,
                          struct err *err)
{
    struct sampling s = {.top_p = 1, .max_new = r->max_new};
    struct context context = {0};
    struct json *list = NULL;
    float *tokens = NULL;
    enum status status = OK;

    TRY_DONE(json_read(&list, prompts, 1 << 24, err));
    TRY_DONE(read_prompts(r, list, err));
    TRY_DONE(team_create(&context.team, 2, err));
    TRY_DONE(team_run(context.team, r->n, first_logits, r, err));
    TRY_DONE(generate_run(r->job, r->n, &r->model, &s, &context, err));
    TRY_DONE(MEM_NEW(tokens, r->n * r->max_new, err));
    for (size_t i = 0; i < r->n * r->max_new; i++)
        tokens[i] = i % r->max_new < r->job[i / r->max_new].len
                        ? (float)r->token[i]
                        : -1.0f;
    TRY_DONE(safetensors_write(out,
                               (struct tensor_out[]){
                                   {.name = "tokens",
                                    .n_dim = 2,
                                    .dim = {r->n, r->max_new},
                                    .data = tokens},
                                   {.name = "logits",
                                    .n_dim = 2,
                                    .dim = {r->n, r->model.config.V},
                                    .data = r->logits},
                               },
                               2, err));
done:
    mem_free(tokens);
    if (context.team != NULL)
        team_destroy(context.team);
    json_free(list);
    return status;
}

int main(int argc, char **argv)
{
    struct run r = {0};
    struct err err = {0};
    double begin = seconds();

    if (argc != 3 && argc != 6) {
        (void)fprintf(stderr,
                      "usage: peer_greedy f32|bf16 MODEL [PROMPTS OUT N]\n");
        return 2;
    }
    bool is_narrow = strcmp(argv[1], "bf16") == 0;
    if (checkpoint_read_as(&r.model, argv[2], HEAD_LM,
                           is_narrow ? MODEL_BF16 : MODEL_F32, &err) != OK) {
        (void)fprintf(stderr, "peer_greedy: %s\n", err.text);
        return 1;
    }
    double loaded = seconds(), resident = resident_mib();
    double bytes = (double)params_count(&r.model.config) * (is_narrow ? 2 : 4);
    r.max_new = argc == 6 ? (size_t)strtoul(argv[5], NULL, 10) : 0;
    if (argc == 6 && answer(&r, argv[3], argv[4], &err) != OK) {
        (void)fprintf(stderr, "peer_greedy: %s\n", err.text);
        return 1;
    }
    (void)printf("{\"load_s\":%.3f,\"load_mib\":%.1f,\"answer_s\":%.3f,"
                 "\"max_mib\":%.1f,\"params_mib\":%.1f}\n",
                 loaded - begin, resident, seconds() - loaded, resident_mib(),
                 bytes / MIB);
    return 0;
}
