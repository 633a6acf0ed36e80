/*
 * bench_tokenizer.c - megabytes of English text encoded a second, on one core.
 *
 *     bench_tokenizer [TEXT [TOKENIZER ...]]
 *
 * Without arguments: tinyshakespeare with GPT-2's and Llama-2's vocabularies,
 * both from ../shared/data, and with SmolLM2's, where tools/get-smollm2.sh has
 * put it; what is absent is left out.  Every file may be compressed.
 *
 * One line for each: the text as a whole, and line by line, which shows what a
 * call costs.  The rates count the process's own time on a core, so that they
 * mean something on a machine that others use too; the first is also given by
 * the wall clock.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "io/gguf.h"
#include "io/stream.h"
#include "io/tokenizer.h"

#define SHARED "../shared/data/"
#define FILE_MAX ((size_t)1 << 28)
#define SECONDS 1.0 // per measurement

static double seconds_of(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static enum status read_all(struct buf *out, const char *path, struct err *err)
{
    struct stream *s;
    const char *piece;
    size_t len = 1;
    enum status status = OK;
    TRY(stream_open(&s, path, err));
    while (status == OK && len > 0) {
        status = stream_next(s, &piece, &len, err);
        if (status == OK)
            buf_append(out, piece, len);
    }
    stream_close(s);
    return status != OK ? status : buf_status(out, err);
}

static enum status open_tokenizer(struct tokenizer **t, const char *path,
                                  struct err *err)
{
    struct buf bytes;
    struct gguf *g = NULL;
    enum status status;
    if (file_is_dir(path))
        return tokenizer_open(t, path, err);
    buf_init(&bytes, FILE_MAX);
    TRY_DONE(read_all(&bytes, path, err));
    if (bytes.len < 4 || memcmp(bytes.data, "GGUF", 4) != 0) {
        status =
            tokenizer_parse(t, buf_text(&bytes), bytes.len, NULL, 0, path, err);
        goto done;
    }
    TRY_DONE(gguf_parse(&g, (const unsigned char *)bytes.data, bytes.len, path,
                        err));
    status = tokenizer_from_gguf(t, g, err);
done:
    gguf_close(g);
    buf_free(&bytes);
    return status;
}

/* ---- measuring ---------------------------------------------------------- */

struct rates {
    double whole, whole_wall, lines; // MB/s
};

static enum status encode_lines(const struct tokenizer *t,
                                const struct buf *text, struct ids *ids,
                                struct err *err)
{
    for (size_t at = 0; at < text->len;) {
        const char *from = text->data + at;
        const char *end = memchr(from, '\n', text->len - at);
        size_t len = end != NULL ? (size_t)(end - from) + 1 : text->len - at;
        ids->n = 0;
        TRY(tokenizer_encode(t, from, len, false, ids, err));
        at += len;
    }
    return OK;
}

/* Encode again and again for a while; MB/s of the core and of the wall. */
static enum status measure(double *cpu, double *wall, const struct tokenizer *t,
                           const struct buf *text, bool by_line, size_t *n,
                           struct err *err)
{
    struct ids ids = {0};
    enum status status = OK;
    double cpu_begin = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    double wall_begin = seconds_of(CLOCK_MONOTONIC);
    double megabytes = 0, cpu_spent = 0;
    while (status == OK && cpu_spent < SECONDS) {
        ids.n = 0;
        status = by_line ? encode_lines(t, text, &ids, err)
                         : tokenizer_encode(t, buf_text(text), text->len, false,
                                            &ids, err);
        megabytes += (double)text->len / 1e6;
        cpu_spent = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu_begin;
    }
    *cpu = megabytes / cpu_spent;
    *wall = megabytes / (seconds_of(CLOCK_MONOTONIC) - wall_begin);
    *n = ids.n;
    ids_free(&ids);
    return status;
}

static enum status bench(const char *path, const struct buf *text,
                         struct err *err)
{
    struct tokenizer *t;
    struct rates r;
    double begin = seconds_of(CLOCK_PROCESS_CPUTIME_ID), ignored;
    size_t n, n_last;
    TRY(open_tokenizer(&t, path, err));
    double opened = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - begin;
    enum status status =
        measure(&r.whole, &r.whole_wall, t, text, false, &n, err);
    if (status == OK)
        status = measure(&r.lines, &ignored, t, text, true, &n_last, err);
    if (status == OK) {
        const char *slash = strrchr(path, '/');
        printf("%-34s %8zu ids  whole %6.1f MB/s (wall %6.1f)  "
               "lines %6.1f MB/s  open %.2f s\n",
               slash != NULL ? slash + 1 : path, n, r.whole, r.whole_wall,
               r.lines, opened);
        (void)fflush(stdout);
    }
    tokenizer_free(t);
    return status;
}

int main(int argc, char **argv)
{
    char smollm2[FILE_PATH_MAX];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    (void)snprintf(smollm2, sizeof smollm2,
                   "%s%s/plumb/models/SmolLM2-135M-Instruct.Q4_1.gguf",
                   cache != NULL  ? cache
                   : home != NULL ? home
                                  : "",
                   cache != NULL ? "" : "/.cache");
    const char *usual[] = {
        SHARED "tokenizers/ggml-vocab/ggml-vocab-gpt-2.gguf.gz",
        SHARED "tokenizers/ggml-vocab/ggml-vocab-llama-spm.gguf.gz", smollm2};
    const char *text_path =
        argc > 1 ? argv[1] : SHARED "corpora/tinyshakespeare.txt.gz";
    struct buf text;
    struct err err = {0};
    buf_init(&text, FILE_MAX);
    if (!file_exists(text_path)) {
        printf("%s is absent: nothing to measure with\n", text_path);
        return argc > 1;
    }
    enum status status = read_all(&text, text_path, &err);
    for (int i = 0; argc <= 2 && i < 3 && status == OK; i++) {
        if (file_exists(usual[i]))
            status = bench(usual[i], &text, &err);
        else
            printf("%s is absent: left out\n", usual[i]);
    }
    for (int i = 2; i < argc && status == OK; i++)
        status = bench(argv[i], &text, &err);
    if (status != OK)
        fprintf(stderr, "bench_tokenizer: %s\n", err.text);
    buf_free(&text);
    return status != OK;
}
