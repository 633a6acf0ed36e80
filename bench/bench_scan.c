/*
 * bench_scan.c - megabytes of rollouts read a second, on one core: the reader
 * of io/trace_read.h against Jansson on the same files.
 *
 * Rows as trace_write_row() writes them, plain and under Zstandard, and rows
 * as Python's json module writes the floats of other trainers, 17 digits and a
 * blank after each comma.  Megabytes are those of the plain text.  Jansson
 * builds and frees a document for each row (io/jsonl.h) and is not made to look
 * at it; the reader gives arrays of floats.
 *
 * Time is the process's own on a core, so that it means something on a machine
 * that others use too; the two sides take turns, and the best turn of each
 * counts.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "io/jsonl.h"
#include "io/trace_read.h"
#include "measure.h"

#define ROWS 2000
#define TOKENS_MAX 200
#define ARRAYS 12
#define TURNS 7
#define TEXT_MAX ((size_t)1 << 30)

static struct {
    int32_t token[TOKENS_MAX];
    float x[ARRAYS][TOKENS_MAX];
} values;

/* Numbers of the sizes that training gives: log-probabilities, divergences,
 * probabilities of ending that mostly are near 0, rewards that mostly are. */
static void draw_values(struct rng *r, size_t len)
{
    for (size_t t = 0; t < len; t++) {
        values.token[t] = (int32_t)rng_below(r, 50000);
        for (size_t k = 0; k < ARRAYS; k++) {
            double z = rng_normal(r);
            values.x[k][t] = (float)(k < 3    ? -exp(2 * z - 1)
                                     : k < 5  ? fabs(0.1 * z)
                                     : k < 7  ? exp(4 * z - 12)
                                     : k == 8 ? 0.05 * z
                                              : z);
        }
    }
}

static void write_row(struct buf *out, uint32_t i)
{
    struct rng r;
    char response[5 * TOKENS_MAX + 1];
    rng_init(&r, 1, RNG_TEST, 0, i);
    size_t len = 40 + rng_below(&r, TOKENS_MAX - 40);
    draw_values(&r, len);
    for (size_t k = 0; k < 5 * len; k++)
        response[k] = k % 6 == 5 ? ' ' : (char)('a' + rng_below(&r, 26));
    response[5 * len] = '\0';
    const struct trace_row row = {
        .run = "ppo",
        .step = 7,
        .prompt_id = "ticket-000123",
        .sample = (int64_t)i,
        .prompt = "Where is my order #Q4?  It was due \"last\" Monday.\n",
        .response = response,
        .tags = "{\"intent\":\"refund\",\"condition\":\"eligible\"}",
        .extra = "\"gold\":1.25,\"help\":2",
        .is_eos = true,
        .score_raw = rng_normal(&r),
        .score = rng_normal(&r),
        .beta = 0.05,
        .temperature = 1,
        .template_hash = "0123456789abcdef",
        .len = len,
        .token = values.token,
        .logp_sample = values.x[0],
        .logp = values.x[1],
        .logp_ref = values.x[2],
        .kl = values.x[3],
        .entropy = values.x[4],
        .p_eos = values.x[5],
        .p_eos_ref = values.x[6],
        .value = values.x[7],
        .reward = values.x[8],
        .reward_kl = values.x[9],
        .advantage = values.x[10],
        .advantage_white = values.x[11],
    };
    trace_write_row(out, &row);
}

static void write_python_row(struct buf *out, uint32_t i)
{
    static const char *const names[] = {"logp", "logp_ref", "value", "p_eos"};
    struct rng r;
    rng_init(&r, 1, RNG_TEST, 1, i);
    size_t len = 40 + rng_below(&r, TOKENS_MAX - 40);
    draw_values(&r, len);
    buf_printf(out,
               "{\"step\": 7, \"prompt_id\": \"p\", \"sample\": %u, "
               "\"finish\": \"eos\"",
               i);
    for (size_t k = 0; k < 4; k++) {
        buf_printf(out, ", \"%s\": ", names[k]);
        for (size_t t = 0; t < len; t++)
            buf_printf(out, "%s%.17g", t == 0 ? "[" : ", ",
                       (double)values.x[2 * k][t]);
        buf_putc(out, ']');
    }
    buf_puts(out, "}\n");
}

/* ---- the two sides ------------------------------------------------------ */

static double ignored; // what was read, so that it must be

static enum status read_rows(const char *path, size_t *n, struct err *err)
{
    static const char *const names[] = {"gold", "help"};
    struct trace_reader *r;
    const struct trace_view *v = NULL;
    TRY(trace_reader_open(&r, path, names, 2, err));
    enum status status = OK;
    for (*n = 0; status == OK; *n += 1) {
        status = trace_reader_next(r, &v, err);
        if (status != OK || v == NULL)
            break;
        ignored += (double)v->row.logp[v->row.len - 1];
    }
    trace_reader_close(r);
    return status;
}

static enum status count_row(void *ctx, const struct json *row, size_t line,
                             struct err *err)
{
    size_t *n = ctx;
    (void)row, (void)line, (void)err;
    *n += 1;
    return OK;
}

static enum status read_documents(const char *path, size_t *n, struct err *err)
{
    *n = 0;
    return jsonl_read(path, count_row, n, err);
}

typedef enum status (*side_fn)(const char *path, size_t *n, struct err *err);

static double seconds_of(side_fn side, const char *path)
{
    struct err err = {OK, ""};
    size_t n = 0;
    double start = measure_now_ns();
    measure_must(side(path, &n, &err), &err);
    double spent = (measure_now_ns() - start) * 1e-9;
    if (n != ROWS) {
        fprintf(stderr, "%zu rows of %d were read\n", n, ROWS);
        exit(1);
    }
    return spent;
}

static void compare(const char *name, const char *path, const struct buf *text)
{
    double best[2] = {INFINITY, INFINITY};
    for (int i = 0; i < TURNS; i++) {
        best[0] = fmin(best[0], seconds_of(read_rows, path));
        best[1] = fmin(best[1], seconds_of(read_documents, path));
    }
    double mb = (double)text->len / 1e6;
    printf("%-22s %5.1f MB  reader %6.1f MB/s  Jansson %6.1f MB/s  "
           "ratio %5.2f\n",
           name, mb, mb / best[0], mb / best[1], best[1] / best[0]);
    (void)fflush(stdout);
}

static enum status run(const char *dir, struct err *err)
{
    char plain[FILE_PATH_MAX], packed[FILE_PATH_MAX];
    enum status status = OK;
    struct buf text;
    TRY(file_join(plain, dir, "rows.jsonl", err));
    TRY(file_join(packed, dir, "rows.jsonl.zst", err));
    buf_init(&text, TEXT_MAX);
    for (uint32_t i = 0; i < ROWS; i++)
        write_row(&text, i);
    TRY_DONE(buf_status(&text, err));
    TRY_DONE(file_write(plain, text.data, text.len, err));
    TRY_DONE(trace_write_file(packed, &text, err));
    compare("rollouts, plain", plain, &text);
    compare("rollouts, Zstandard", packed, &text);
    buf_clear(&text);
    for (uint32_t i = 0; i < ROWS; i++)
        write_python_row(&text, i);
    TRY_DONE(buf_status(&text, err));
    TRY_DONE(file_write(plain, text.data, text.len, err));
    compare("17 digits, plain", plain, &text);
done:
    buf_free(&text);
    return status;
}

int main(void)
{
    char dir[] = "/tmp/plumb-bench-XXXXXX";
    struct err err = {OK, ""};
    if (mkdtemp(dir) == NULL) {
        perror(dir);
        return 1;
    }
    enum status status = run(dir, &err);
    enum status removed = file_remove(dir, status == OK ? &err : NULL);
    measure_must(status != OK ? status : removed, &err);
    return isnan(ignored);
}
