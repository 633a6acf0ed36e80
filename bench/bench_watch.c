/*
 * bench_watch.c - how long many long runs take to open.
 *
 *     bench_watch [DIR [RUNS [STEPS [REPEATS]]]]
 *
 * Makes RUNS runs (200) of STEPS rows (10000) with the 45 metrics and the
 * timings of a PPO run in DIR (a fresh one under /tmp, removed at the end), and
 * opens them as plumb watch does: find the runs, have their curves, and write
 * the answer that draws the page's 16 metrics of all of them, 30 points each.
 *
 *     cold      without indexes: every row is read, and indexes are written
 *     warm      with them, and files in the page cache
 *     grown     with them, and 10 rows more in every run
 *     behind    from a row's append to the page's being told of it
 *
 * Medians of REPEATS (5) openings, cold of one.
 */
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "measure.h"
#include "serve/watch.h"

#define REPEATS_MAX 99
#define BEHIND 40 // rows that are waited for

static const char *const names[] = {"objective/kl",
                                    "objective/entropy",
                                    "objective/non_score_reward",
                                    "objective/rlhf_reward",
                                    "objective/scores",
                                    "objective/kl_coef",
                                    "score/sd",
                                    "score/clipped",
                                    "score/raw_mean",
                                    "policy/approxkl_avg",
                                    "policy/kl_old_avg",
                                    "policy/clipfrac_avg",
                                    "policy/grad_norm",
                                    "loss/policy_avg",
                                    "loss/value_avg",
                                    "loss/kl_avg",
                                    "loss/entropy_avg",
                                    "val/clipfrac_avg",
                                    "val/ratio",
                                    "val/ratio_var",
                                    "ratio/first_error",
                                    "ratio/exponent_clamped",
                                    "clip/positive_below",
                                    "clip/positive_above",
                                    "clip/negative_below",
                                    "clip/negative_above",
                                    "clip/dual",
                                    "value/grad_norm",
                                    "lr",
                                    "kl/sequence",
                                    "kl/per_token",
                                    "kl/step",
                                    "kl/k2_sequence",
                                    "kl/k3_sequence",
                                    "kl/beta",
                                    "kl/clamped",
                                    "policy/entropy_avg",
                                    "val/num_eos_tokens",
                                    "response/length",
                                    "response/eos_rate",
                                    "ratio/sampler_error",
                                    "value/mean",
                                    "value/return_mean",
                                    "value/explained_variance",
                                    "advantage/sd"};
enum {
    NAMES = sizeof names / sizeof *names
};

static const char *const drawn[] = {"objective/scores",
                                    "kl/sequence",
                                    "response/length",
                                    "kl/per_token",
                                    "kl/step",
                                    "policy/entropy_avg",
                                    "clip/positive_above",
                                    "clip/positive_below",
                                    "clip/negative_above",
                                    "clip/negative_below",
                                    "value/explained_variance",
                                    "loss/policy_avg",
                                    "loss/value_avg",
                                    "objective/kl",
                                    "objective/entropy",
                                    "timing/eps"};
enum {
    DRAWN = sizeof drawn / sizeof *drawn
};

static char dir[FILE_PATH_MAX];

static void must(enum status status, const struct err *err)
{
    if (status == OK)
        return;
    fprintf(stderr, "bench_watch: %s\n", err->text);
    exit(1);
}

/* ---- runs --------------------------------------------------------------- */

static FILE *open_log(long run, const char *name)
{
    char path[FILE_PATH_MAX + 64];
    (void)snprintf(path, sizeof path, "%.4000s/run-%03ld/%s", dir, run, name);
    FILE *f = fopen(path, "a");
    if (f == NULL) {
        perror(path);
        exit(1);
    }
    return f;
}

/* Numbers of as many digits as real ones have. */
static void append(long run, long from, long to)
{
    FILE *metrics = open_log(run, "metrics.jsonl");
    FILE *timing = open_log(run, "timing.jsonl");
    for (long s = from; s <= to; s++) {
        fprintf(metrics, "{\"step\":%ld", s);
        for (int k = 0; k < NAMES; k++)
            fprintf(metrics, ",\"%s\":%.17g", names[k],
                    sin((double)(s * (k + 1) + run) / 97) + k);
        fprintf(metrics, "}\n");
        fprintf(timing,
                "{\"step\":%ld,\"time\":%.17g,\"seconds\":%.17g,\"eps\":%.17g}"
                "\n",
                s, 1795717103.79 + 0.3 * (double)s, 0.3, 238.769 + (double)run);
    }
    if (fclose(metrics) != 0 || fclose(timing) != 0)
        exit(1);
}

static void make(long runs, long steps)
{
    for (long r = 0; r < runs; r++) {
        char path[FILE_PATH_MAX + 64];
        (void)snprintf(path, sizeof path, "%.4000s/run-%03ld", dir, r);
        if (mkdir(path, 0777) != 0) {
            perror(path);
            exit(1);
        }
        append(r, 1, steps);
    }
}

/* ---- opening ------------------------------------------------------------ */

/* The answer's size, so that nobody need wonder whether it was written. */
static double open_all(size_t *bytes, long runs)
{
    struct err err;
    struct watch *w;
    struct buf out;
    struct json_writer j;
    double began = measure_seconds();
    const struct watch_config c = {.path = dir};
    const struct watch_ask ask = {.metric = drawn,
                                  .n_metric = DRAWN,
                                  .from = 0,
                                  .to = INT64_MAX,
                                  .points = 30};
    must(watch_open(&w, &c, &err), &err);
    must(watch_load_curves(w, &err), &err);
    buf_init(&out, (size_t)256 << 20);
    json_writer_init(&j, &out, false);
    watch_write(&j, w, true);
    must(watch_write_series(&j, w, &ask, &err), &err);
    must(buf_status(&out, &err), &err);
    double took = measure_seconds() - began;
    *bytes = out.len;
    if (watch_count(w) != (size_t)runs)
        exit(1);
    buf_free(&out);
    watch_close(w);
    return took;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *x, long n)
{
    qsort(x, (size_t)n, sizeof *x, compare);
    return x[n / 2];
}

static double repeat(long runs, long repeats, size_t *bytes, long steps,
                     long more)
{
    double took[REPEATS_MAX];
    for (long i = 0; i < repeats; i++) {
        if (more > 0)
            for (long r = 0; r < runs; r++)
                append(r, steps + 1 + i * more, steps + (i + 1) * more);
        took[i] = open_all(bytes, runs);
    }
    return median(took, repeats);
}

/* ---- behind the trainer ------------------------------------------------- */

static int listen_to(const struct http *http)
{
    char ask[256];
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(http_port(http)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int n = snprintf(ask, sizeof ask,
                     "GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n",
                     http_port(http));
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0 ||
        write(fd, ask, (size_t)n) != n)
        exit(1);
    return fd;
}

/* Read until this step was told of. */
static void wait_for(int fd, long step)
{
    static char text[1 << 20];
    char wanted[32];
    size_t len = 0;
    (void)snprintf(wanted, sizeof wanted, "\"step\":%ld,", step);
    for (;;) {
        ssize_t n = read(fd, text + len, sizeof text - 1 - len);
        if (n <= 0)
            exit(1);
        len += (size_t)n;
        text[len] = '\0';
        if (strstr(text, wanted) != NULL)
            return;
        if (len > sizeof text / 2)
            len = 0;
    }
}

static void measure_behind(long steps)
{
    struct err err;
    struct watch *w;
    double took[BEHIND];
    static const struct http_file page = {"/", "text/html", "x", 1};
    const struct watch_config c = {.path = dir};
    const struct watch_serve s = {.file = &page, .n_file = 1};
    must(watch_open(&w, &c, &err), &err);
    must(watch_load_curves(w, &err), &err);
    must(watch_start(w, &s, &err), &err);
    int fd = listen_to(watch_http(w));
    for (long i = 0; i < BEHIND; i++) {
        const struct timespec t = {0, 37000000 + i * 5000000};
        (void)nanosleep(&t, NULL);
        double began = measure_seconds();
        append(0, steps + 1 + i, steps + 1 + i);
        wait_for(fd, steps + 1 + i);
        took[i] = measure_seconds() - began;
    }
    close(fd);
    watch_close(w);
    double middle = median(took, BEHIND);
    printf("behind     %.3f s median, %.3f s at most, of %d rows\n", middle,
           took[BEHIND - 1], BEHIND);
}

static long argument(int argc, char **argv, int i, long fallback)
{
    long x = argc > i ? strtol(argv[i], NULL, 10) : fallback;
    return x > 0 ? x : fallback;
}

int main(int argc, char **argv)
{
    char made[] = "/tmp/bench_watch.XXXXXX";
    long runs = argument(argc, argv, 2, 200);
    long steps = argument(argc, argv, 3, 10000);
    long repeats = argument(argc, argv, 4, 5);
    size_t bytes = 0;
    struct err err;
    struct rusage usage;
    repeats = repeats > REPEATS_MAX ? REPEATS_MAX : repeats;
    const char *root = argc > 1 ? argv[1] : mkdtemp(made);
    if (root == NULL)
        return 1;
    (void)snprintf(dir, sizeof dir, "%.4000s/runs", root);
    must(file_make_dir(dir, &err), &err);
    make(runs, steps);
    printf("%ld runs of %ld steps, %d metrics\n", runs, steps, NAMES);
    printf("cold       %.2f s\n", open_all(&bytes, runs));
    printf("warm       %.3f s median of %ld, an answer of %zu bytes\n",
           repeat(runs, repeats, &bytes, steps, 0), repeats, bytes);
    printf("grown      %.3f s median of %ld\n",
           repeat(runs, repeats, &bytes, steps, 10), repeats);
    measure_behind(steps + 10 * repeats);
    (void)getrusage(RUSAGE_SELF, &usage);
    printf("memory     %ld MB at most\n", usage.ru_maxrss / 1024);
    must(file_remove(argc > 1 ? dir : made, &err), &err);
    return 0;
}
