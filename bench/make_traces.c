/*
 * make_traces.c - a run directory with rollouts of any size, for measuring how
 * fast they are read: rows as trace_write_row() writes them, in files as
 * trace_write_file() writes them, of invented numbers.
 *
 *     make_traces FOLDER [MEGABYTES [TOKENS [ROWS]]]
 *
 * FOLDER/ppo/rollouts/000001.jsonl.zst and so on, until their text, before it
 * is compressed, has so many millions of bytes (1000); responses of TOKENS (64)
 * tokens on average, from half as many to half as many again; ROWS (256)
 * responses an iteration.  The same arguments give the same bytes.
 *
 * Log-probabilities are spread over many powers of ten, as trained models have
 * them, and the policy leaves the reference slowly.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "io/trace.h"
#include "measure.h"

#define TOKENS_MAX 65536
#define PROMPTS 600
#define VOCAB 400
#define BETA 0.02
#define TEXT_MAX ((size_t)4 << 30)
#define WORD_MAX 12

static const char *const words[] = {
    "we",     "can",    "repair", "the",     "blender", "from",     "order",
    "please", "print",  "form",   "and",     "put",     "it",       "in",
    "box",    "thank",  "you",    "for",     "your",    "patience", "sorry",
    "refund", "within", "five",   "days",    "a",       "new",      "one",
    "will",   "arrive", "soon",   "day.",    "again.",  "today?",   "-",
    "parcel", "our",    "team",   "reviews", "each",    "case",     "with",
    "care.",  "label",  "email",  "address", "invoice", "attached"};
static const char *const intents[] = {"damaged", "late",    "refund",
                                      "billing", "account", "cancel"};

#define COUNT(x) (sizeof(x) / sizeof *(x))

static struct {
    int32_t token[TOKENS_MAX];
    float logp_sample[TOKENS_MAX], logp[TOKENS_MAX], logp_ref[TOKENS_MAX];
    float kl[TOKENS_MAX], entropy[TOKENS_MAX];
    float p_eos[TOKENS_MAX], p_eos_ref[TOKENS_MAX];
    float value[TOKENS_MAX], reward[TOKENS_MAX], reward_kl[TOKENS_MAX];
    float advantage[TOKENS_MAX], advantage_white[TOKENS_MAX];
    char response[TOKENS_MAX * WORD_MAX];
} row;

/* Words for n tokens; each has a place in the vocabulary. */
static void draw_text(struct rng *r, size_t n)
{
    size_t len = 0;

    for (size_t t = 0; t < n; t++) {
        row.token[t] = (int32_t)rng_below(r, VOCAB);
        const char *word = words[(size_t)row.token[t] % COUNT(words)];
        size_t size = strlen(word);
        memcpy(row.response + len, word, size);
        len += size;
        row.response[len++] = ' ';
    }
    row.response[len - 1] = '\0';
}

static void draw_numbers(struct rng *r, size_t n, double drift, double score)
{
    for (size_t t = 0; t < n; t++) {
        double surprise = exp(3 * rng_normal(r) - 5), z = rng_normal(r);
        double gap = drift * sqrt(surprise) * (z + 0.2);
        row.logp[t] = (float)-surprise;
        row.logp_sample[t] = (float)-(surprise * (1 + 1e-7 * z));
        row.logp_ref[t] = (float)-(surprise + fmax(gap, -surprise));
        row.kl[t] = (float)(0.5 * gap * gap);
        row.entropy[t] = (float)(surprise * (1 + exp(rng_normal(r))));
        row.p_eos[t] = (float)exp(4 * rng_normal(r) - 14);
        row.p_eos_ref[t] = (float)exp(4 * z - 14);
        row.value[t] = (float)(score + 0.2 * z);
        row.reward_kl[t] = (float)(-BETA * gap);
        row.reward[t] = row.reward_kl[t];
        row.advantage[t] = (float)(0.1 * rng_normal(r));
        row.advantage_white[t] = (row.advantage[t] - 0.01f) / 0.1f;
    }
    row.p_eos[n - 1] = 0.97f;
    row.reward[n - 1] += (float)score;
}

static void write_row(struct buf *out, uint32_t step, uint32_t i, size_t mean)
{
    struct rng r;
    char prompt_id[32], prompt[128], tags[96];
    uint32_t prompt_number = (step * 7919u + i) % PROMPTS;
    size_t n = mean / 2 + 1;

    rng_init(&r, 1, RNG_TEST, step, i);
    n += rng_below(&r, (uint32_t)mean);
    double score = rng_normal(&r) + 0.01 * step;
    const char *intent = intents[prompt_number % COUNT(intents)];
    (void)snprintf(prompt_id, sizeof prompt_id, "ppo-%06u", prompt_number);
    (void)snprintf(prompt, sizeof prompt,
                   "hi, the blender from order #R%u is %s, what now?",
                   prompt_number, intent);
    (void)snprintf(tags, sizeof tags,
                   "{\"intent\":\"%s\",\"condition\":\"days<=14\"}", intent);
    draw_text(&r, n);
    draw_numbers(&r, n, fmin(1, 0.005 * step), score);
    trace_write_row(
        out, &(struct trace_row){.run = "ppo",
                                 .step = step,
                                 .prompt_id = prompt_id,
                                 .prompt = prompt,
                                 .response = row.response,
                                 .tags = tags,
                                 .is_eos = rng_below(&r, 20) > 0,
                                 .score_raw = 0.7 * score,
                                 .score = score,
                                 .beta = BETA,
                                 .temperature = 1,
                                 .template_hash = "ee50d22f8245b127",
                                 .len = n,
                                 .token = row.token,
                                 .logp_sample = row.logp_sample,
                                 .logp = row.logp,
                                 .logp_ref = row.logp_ref,
                                 .kl = row.kl,
                                 .entropy = row.entropy,
                                 .p_eos = row.p_eos,
                                 .p_eos_ref = row.p_eos_ref,
                                 .value = row.value,
                                 .reward = row.reward,
                                 .reward_kl = row.reward_kl,
                                 .advantage = row.advantage,
                                 .advantage_white = row.advantage_white});
}

int main(int argc, char **argv)
{
    double megabytes = argc > 2 ? strtod(argv[2], NULL) : 1000;
    size_t mean = argc > 3 ? strtoul(argv[3], NULL, 10) : 64;
    uint32_t rows = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 256;
    char path[FILE_PATH_MAX];
    double bytes = 0;
    struct buf text;
    struct err err;

    if (argc < 2 || !(megabytes > 0) || mean < 2 || mean > TOKENS_MAX / 2 ||
        rows < 1) {
        (void)fprintf(stderr,
                      "make_traces FOLDER [MEGABYTES [TOKENS [ROWS]]]\n");
        return 2;
    }
    measure_must(file_make_dir(argv[1], &err), &err);
    measure_must(file_join(path, argv[1], "ppo", &err), &err);
    measure_must(file_make_dir(path, &err), &err);
    measure_must(file_join(path, argv[1], "ppo/rollouts", &err), &err);
    measure_must(file_make_dir(path, &err), &err);
    buf_init(&text, TEXT_MAX);
    for (uint32_t step = 1; bytes < 1e6 * megabytes; step++) {
        char name[64];
        buf_clear(&text);
        for (uint32_t i = 0; i < rows; i++)
            write_row(&text, step, i, mean);
        (void)snprintf(name, sizeof name, "ppo/rollouts/%06u.jsonl.zst", step);
        measure_must(file_join(path, argv[1], name, &err), &err);
        measure_must(trace_write_file(path, &text, &err), &err);
        bytes += (double)text.len;
    }
    buf_free(&text);
    return 0;
}
