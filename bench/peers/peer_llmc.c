/*
 * peer_llmc.c - the training step of bench_step.c in llm.c: GPT-2's smallest
 * shape with random parameters, 4 sequences of 64 tokens, forward, backward
 * and AdamW.
 *
 *     peer_llmc [STEPS]
 *
 * Built by llmc.sh with llm.c's own flags; its only reader of parameters wants
 * a file, which is written to a temporary one first.
 */
#define TESTING
#include "train_gpt2.c" // NOLINT(bugprone-suspicious-include)

#define SEQUENCES 4
#define TOKENS 64
#define STEPS_MAX 64

static double seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *x, const void *y)
{
    double d = *(const double *)x - *(const double *)y;

    return (d > 0) - (d < 0);
}

static uint32_t draw(uint32_t *x)
{
    *x = *x * 1664525u + 1013904223u;
    return *x >> 8;
}

static void write_model(const char *path)
{
    int header[256] = {20240326, 3, 1024, 50257, 12, 12, 768, 50304};
    size_t n = (size_t)50304 * 768 + 1024 * 768 +
               12 * ((size_t)12 * 768 * 768 + 13 * 768) + 2 * 768;
    FILE *file = fopen(path, "wb");
    uint32_t x = 1;

    if (file == NULL || fwrite(header, sizeof header, 1, file) != 1)
        exit(1);
    for (size_t i = 0; i < n; i++) {
        float w = 0.07f * ((float)draw(&x) / (1 << 24) - 0.5f);
        if (fwrite(&w, sizeof w, 1, file) != 1)
            exit(1);
    }
    if (fclose(file) != 0)
        exit(1);
}

int main(int argc, char **argv)
{
    int steps = argc > 1 ? atoi(argv[1]) : 5, token[SEQUENCES * TOKENS + 1];
    char path[] = "/tmp/peer_llmc.XXXXXX";
    double seconds[STEPS_MAX];
    uint32_t x = 1;
    GPT2 model;

    if (steps < 1 || steps > STEPS_MAX || mkstemp(path) < 0)
        return 2;
    write_model(path);
    gpt2_build_from_checkpoint(&model, path);
    unlink(path);
    for (size_t i = 0; i < sizeof token / sizeof *token; i++)
        token[i] = (int)(draw(&x) % 50257);
    for (int i = 0; i <= steps; i++) {
        double begin = seconds_now();
        gpt2_forward(&model, token, token + 1, SEQUENCES, TOKENS);
        gpt2_zero_grad(&model);
        gpt2_backward(&model);
        gpt2_update(&model, 1e-4f, 0.9f, 0.999f, 1e-8f, 0.01f, i + 1);
        if (i > 0)
            seconds[i - 1] = seconds_now() - begin;
    }
    qsort(seconds, (size_t)steps, sizeof *seconds, ascending);
    printf("loss %f\n", (double)model.mean_loss);
    printf("formats f32\n");
    printf("seconds %.6f\n",
           0.5 * (seconds[(steps - 1) / 2] + seconds[steps / 2]));
    return 0;
}
