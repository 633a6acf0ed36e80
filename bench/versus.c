/*
 * versus.c - two programs measured in turn, A B A B, as ratios.
 *
 *     versus [OPTION ...] -- OURS [ARG ...] -- THEIRS [ARG ...]
 *     versus [OPTION ...] --absolute -- OURS [ARG ...]
 *     versus [OPTION ...] --absent WHY
 *     versus --table FILE
 *
 *     --name NAME       what is measured
 *     --against WHO     whom THEIRS is
 *     --target X        the ratio wanted; without one the row has none
 *     --figure KEY      which of the programs' figures (seconds)
 *     --less            ratio = ours / theirs, wanted at most X; else
 *                       theirs / ours, wanted at least X
 *     --absolute        nobody else: the "ratio" is the figure itself, wanted
 *                       at most X
 *     --absent WHY      nothing is run: a row without ratios that says why
 *     --table FILE      nothing is run: print the rows of the file
 *     --pairs N         5
 *     --json FILE       append the row to a list of rows
 *
 * A program tells its figures on lines "KEY NUMBER" of standard output, and
 * with "formats TEXT" which number formats it used; what it needs to get ready
 * is its own affair and not in the figure.  The last of several lines counts.
 * The figure peak_mib is measured here: the most memory that the program or a
 * program it ran and waited for ever had, in MiB.
 *
 * Machines are shared.  Before, between and after the runs a fixed loop is
 * timed on every processor at once, LOOPS times, whose median counts; when the
 * slowest exceeds the fastest by more than NOISE_MAX, the figures are printed
 * and no ratio is.  Memory does not depend on it.
 *
 * Exit status: 0 measured, 1 a program failed, 2 usage, 3 too noisy.
 */
#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "measure.h"

extern char **environ;

#define PAIRS_MAX 99
#define NOISE_MAX 1.30
#define THREADS_MAX 64
/* Of the calibration loop; about 30 ms on a core of 2020. */
#define LOOP_STEPS 16000000
#define LOOPS 5
#define LIST_MAX ((size_t)1 << 24)
#define PEAK "peak_mib"

struct program {
    char **argv;
    char formats[64];
    double figure[PAIRS_MAX];
};

struct options {
    const char *name, *against, *key, *json, *absent, *table;
    double target; // NAN: none
    bool less, absolute;
    int pairs;
    int argc;
    char **argv; // the whole command
};

struct spread {
    double min, median, max;
};

static struct spread spread_of(const double *x, int n)
{
    double sorted[PAIRS_MAX];

    memcpy(sorted, x, (size_t)n * sizeof *x);
    measure_sort(sorted, (size_t)n);
    return (struct spread){
        sorted[0], 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]), sorted[n - 1]};
}

/* Multiplications that wait for each other: what they take depends on the
 * clock rate and on who else is on the core. */
static void *loop(void *result)
{
    double x = 1;

    for (int i = 0; i < LOOP_STEPS; i++)
        x = x * 0.999999999 + 1e-9;
    *(double *)result = x;
    return NULL;
}

static double time_loop(void)
{
    pthread_t thread[THREADS_MAX];
    double result[THREADS_MAX];
    size_t n =
        team_processors() < THREADS_MAX ? team_processors() : THREADS_MAX;
    double begin = measure_seconds();
    size_t started = 0;

    while (started < n &&
           pthread_create(&thread[started], NULL, loop, &result[started]) == 0)
        started++;
    for (size_t i = 0; i < started; i++)
        (void)pthread_join(thread[i], NULL);
    return measure_seconds() - begin;
}

static double calibrate(void)
{
    double seconds[LOOPS];

    for (int i = 0; i < LOOPS; i++)
        seconds[i] = time_loop();
    return spread_of(seconds, LOOPS).median;
}

/* "KEY NUMBER" and "formats TEXT" of one line. */
static void take_line(struct program *p, double *figure, const char *key,
                      char *line)
{
    size_t len = strlen(key);

    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, key, len) == 0 && line[len] == ' ')
        *figure = strtod(line + len, NULL);
    else if (strncmp(line, "formats ", 8) == 0)
        (void)snprintf(p->formats, sizeof p->formats, "%.63s", line + 8);
}

/* Run it once; NAN when it fails or tells no such figure. */
static double run_once(struct program *p, const char *key)
{
    int fd[2], state = 0;
    double figure = NAN;
    char line[4096];
    pid_t pid;
    struct rusage usage;
    posix_spawn_file_actions_t actions;

    if (pipe(fd) != 0 || posix_spawn_file_actions_init(&actions) != 0)
        return NAN;
    (void)posix_spawn_file_actions_adddup2(&actions, fd[1], STDOUT_FILENO);
    (void)posix_spawn_file_actions_addclose(&actions, fd[0]);
    (void)posix_spawn_file_actions_addclose(&actions, fd[1]);
    int failed =
        posix_spawnp(&pid, p->argv[0], &actions, NULL, p->argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(fd[1]);
    FILE *in = fdopen(fd[0], "r");
    while (failed == 0 && in != NULL && fgets(line, sizeof line, in) != NULL)
        take_line(p, &figure, key, line);
    if (in != NULL)
        (void)fclose(in);
    if (failed == 0 && wait4(pid, &state, 0, &usage) != pid)
        failed = 1;
    if (failed == 0 && strcmp(key, PEAK) == 0)
        figure = (double)usage.ru_maxrss / 1024;
    if (failed != 0 || !WIFEXITED(state) || WEXITSTATUS(state) != 0 ||
        !(figure > 0)) {
        (void)fprintf(stderr, "versus: %s: no figure \"%s\"\n", p->argv[0],
                      key);
        return NAN;
    }
    return figure;
}

/* All pairs; the calibration loop's slowest time over its fastest. */
static int run_pairs(double *noise, struct program side[2],
                     const struct options *o)
{
    double fastest = calibrate(), slowest = fastest;

    for (int i = 0; i < 2 * o->pairs; i++) {
        struct program *p = &side[i % 2];
        double figure, t;

        if (p->argv == NULL)
            continue;
        figure = run_once(p, o->key);

        if (isnan(figure))
            return 1;
        p->figure[i / 2] = figure;
        (void)fprintf(stderr, "versus: %s, pair %d: %s %s %.4g\n", o->name,
                      i / 2 + 1, i % 2 == 0 ? "ours" : "theirs", o->key,
                      figure);
        t = calibrate();
        fastest = fmin(fastest, t);
        slowest = fmax(slowest, t);
    }
    *noise = strcmp(o->key, PEAK) == 0 ? 1 : slowest / fastest;
    return 0;
}

/* A word as a shell takes it. */
static void put_word(struct buf *text, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_./=,:+@%";

    if (*word != '\0' && word[strspn(word, plain)] == '\0') {
        buf_puts(text, word);
        return;
    }
    buf_putc(text, '\'');
    for (; *word != '\0'; word++)
        buf_printf(text, *word == '\'' ? "'\\''" : "%c", *word);
    buf_putc(text, '\'');
}

/* What measures this row again, in the same folder; the file of rows is left
 * out. */
static void put_command(struct json_writer *w, const struct options *o)
{
    struct buf text;

    buf_init(&text, 65536);
    for (int i = 0; i < o->argc; i++) {
        if (strcmp(o->argv[i], "--json") == 0) {
            i++;
            continue;
        }
        if (i > 0)
            buf_putc(&text, ' ');
        put_word(&text, o->argv[i]);
    }
    json_field_text(w, "command", buf_text(&text));
    buf_free(&text);
}

static void put_spread(struct json_writer *w, const char *key,
                       const struct program *p, int n)
{
    struct spread s = spread_of(p->figure, n);

    json_put_key(w, key);
    json_open(w, '{');
    json_field_number(w, "median", s.median);
    json_field_number(w, "min", s.min);
    json_field_number(w, "max", s.max);
    json_field_text(w, "formats", p->formats);
    json_close(w, '}');
}

static bool is_met(double ratio, const struct options *o)
{
    return o->less || o->absolute ? ratio <= o->target : ratio >= o->target;
}

/* Why there is no ratio; "" when there is one. */
static const char *why_none(char out[128], const struct options *o,
                            double noise)
{
    out[0] = '\0';
    if (o->absent != NULL)
        (void)snprintf(out, 128, "%.120s", o->absent);
    else if (noise > NOISE_MAX)
        (void)snprintf(out, 128,
                       "the machine's own speed varied by %.0f %% meanwhile",
                       100 * (noise - 1));
    return out;
}

/* The row; a ratio that may not be told is null. */
static void put_row(struct json_writer *w, const struct options *o,
                    const struct program side[2], struct spread ratio,
                    double noise)
{
    char why[128];
    bool is_told = why_none(why, o, noise)[0] == '\0';

    json_open(w, '{');
    json_field_text(w, "name", o->name);
    json_field_number(w, "ratio_median", is_told ? ratio.median : NAN);
    json_field_number(w, "ratio_min", is_told ? ratio.min : NAN);
    json_field_number(w, "ratio_max", is_told ? ratio.max : NAN);
    json_field_number(w, "target", o->target);
    json_put_key(w, "met");
    if (is_told && !isnan(o->target))
        json_put_bool(w, is_met(ratio.median, o));
    else
        json_put_null(w);
    json_field_text(w, "against", o->against);
    put_command(w, o);
    json_field_text(w, "ratio",
                    o->absolute ? "ours"
                    : o->less   ? "ours / theirs"
                                : "theirs / ours");
    json_field_text(w, "figure", o->key);
    if (!is_told)
        json_field_text(w, "why", why);
    if (o->absent == NULL) {
        put_spread(w, "ours", &side[0], o->pairs);
        if (!o->absolute)
            put_spread(w, "theirs", &side[1], o->pairs);
        json_field_int(w, "pairs", o->pairs);
        json_field_number(w, "noise", noise);
    }
    json_close(w, '}');
}

/* The list in the file with one row more. */
static enum status append(const struct options *o, const struct program side[2],
                          struct spread ratio, double noise, struct err *err)
{
    enum status status = OK;
    struct json *old = NULL;
    struct json_writer w;
    struct buf text;

    buf_init(&text, LIST_MAX);
    if (access(o->json, F_OK) == 0)
        TRY_DONE(json_read(&old, o->json, LIST_MAX, err));
    json_writer_init(&w, &text, true);
    json_open(&w, '[');
    for (size_t i = 0; i < json_size(old); i++)
        json_put_node(&w, json_at(old, i));
    put_row(&w, o, side, ratio, noise);
    json_close(&w, ']');
    TRY_DONE(buf_status(&text, err));
    TRY_DONE(file_write(o->json, buf_text(&text), text.len, err));
done:
    json_free(old);
    buf_free(&text);
    return status;
}

static void print_row(const struct options *o, const struct program side[2],
                      struct spread ratio, double noise)
{
    char why[128];

    (void)printf("%s: ", o->name);
    if (o->absent == NULL)
        (void)printf("%s %.4g (%s)", o->key,
                     spread_of(side[0].figure, o->pairs).median,
                     side[0].formats);
    if (o->absent == NULL && !o->absolute)
        (void)printf(", %s %.4g (%s)", o->against,
                     spread_of(side[1].figure, o->pairs).median,
                     side[1].formats);
    if (why_none(why, o, noise)[0] != '\0') {
        (void)printf("; no ratio: %s\n", why);
        return;
    }
    (void)printf("; %.2f [%.2f, %.2f]", ratio.median, ratio.min, ratio.max);
    if (!isnan(o->target))
        (void)printf(", target %s %.2f: %s",
                     o->less || o->absolute ? "<=" : ">=", o->target,
                     is_met(ratio.median, o) ? "met" : "missed");
    (void)printf("\n");
}

/* ---- the table ---------------------------------------------------------- */

static void print_cells(const struct json *row)
{
    const struct json *ratio = json_get(row, "ratio_median");
    const struct json *met = json_get(row, "met");
    const char *kind = json_text(json_get(row, "ratio"), "");
    bool is_most = strcmp(kind, "theirs / ours") != 0;

    (void)printf("%-36.36s  %-34.34s", json_text(json_get(row, "name"), ""),
                 json_text(json_get(row, "against"), ""));
    if (json_is_number(ratio))
        (void)printf("  %7.2f [%7.2f, %7.2f]", json_number(ratio, 0),
                     json_number(json_get(row, "ratio_min"), 0),
                     json_number(json_get(row, "ratio_max"), 0));
    else
        (void)printf("  %7s %18s", "-", "");
    if (json_is_number(json_get(row, "target")))
        (void)printf("  %s %6.2f", is_most ? "<=" : ">=",
                     json_number(json_get(row, "target"), 0));
    else
        (void)printf("  %9s", "");
    (void)printf("  %-6s  %s/%s",
                 json_is_bool(met) ? json_bool(met, false) ? "met" : "missed"
                                   : "-",
                 json_text(json_get(json_get(row, "ours"), "formats"), "-"),
                 json_text(json_get(json_get(row, "theirs"), "formats"), "-"));
    if (json_get(row, "why") != NULL)
        (void)printf("  %s", json_text(json_get(row, "why"), ""));
    (void)printf("\n");
}

static int print_table(const char *path)
{
    struct json *list;
    struct err err;

    if (json_read(&list, path, LIST_MAX, &err) != OK) {
        (void)fprintf(stderr, "versus: %s\n", err.text);
        return 1;
    }
    (void)printf("%-36s  %-34s  %7s [%7s, %7s]  %9s  %-6s  %s\n", "work",
                 "against", "ratio", "min", "max", "target", "", "formats");
    for (size_t i = 0; i < json_size(list); i++)
        print_cells(json_at(list, i));
    json_free(list);
    return 0;
}

static int usage(const char *what)
{
    (void)fprintf(stderr,
                  "versus: %s; its use stands at the head of "
                  "bench/versus.c\n",
                  what);
    return 2;
}

/* Where an option's value goes; NULL: there is no such option. */
static const char **place_of(struct options *o, const char *name)
{
    static const char *const names[] = {"--name", "--against", "--figure",
                                        "--json", "--absent",  "--table"};
    const char **const place[] = {&o->name, &o->against, &o->key,
                                  &o->json, &o->absent,  &o->table};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return place[i];
    return NULL;
}

/* One option; how many words it has, 0 when it is none. */
static int parse_option(struct options *o, const char *name, const char *value)
{
    const char **place = place_of(o, name);

    if (strcmp(name, "--less") == 0) {
        o->less = true;
        return 1;
    }
    if (strcmp(name, "--absolute") == 0) {
        o->absolute = true;
        return 1;
    }
    if (value == NULL)
        return 0;
    if (place != NULL)
        *place = value;
    else if (strcmp(name, "--target") == 0)
        o->target = strtod(value, NULL);
    else if (strcmp(name, "--pairs") == 0)
        o->pairs = (int)strtol(value, NULL, 10);
    else
        return 0;
    return 2;
}

/* Options up to "--"; the two commands behind it.  0, or 2 for misuse. */
static int parse(struct options *o, struct program side[2], int argc,
                 char **argv)
{
    int i = 1;

    while (i < argc && strcmp(argv[i], "--") != 0) {
        int words = parse_option(o, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
        if (words == 0)
            return usage(argv[i]);
        i += words;
    }
    if (o->absent != NULL || o->table != NULL)
        return i == argc ? 0 : usage("a command that is not run");
    if (o->pairs < 1 || o->pairs > PAIRS_MAX)
        return usage("--pairs");
    side[0].argv = argv + i + 1;
    for (i++; i < argc && strcmp(argv[i], "--") != 0; i++)
        ;
    if (i > argc || side[0].argv == argv + i)
        return usage("a command is wanted");
    if (o->absolute)
        return i == argc ? 0 : usage("one command is wanted");
    if (i + 1 >= argc)
        return usage("two commands are wanted");
    argv[i] = NULL;
    side[1].argv = argv + i + 1;
    return 0;
}

static void find_ratios(double ratio[PAIRS_MAX], const struct options *o,
                        const struct program side[2])
{
    for (int i = 0; i < o->pairs; i++) {
        double ours = side[0].figure[i], theirs = side[1].figure[i];

        ratio[i] = o->absolute ? ours : o->less ? ours / theirs : theirs / ours;
    }
}

int main(int argc, char **argv)
{
    struct options o = {.name = "unnamed",
                        .against = "theirs",
                        .key = "seconds",
                        .target = NAN,
                        .pairs = 5,
                        .argc = argc};
    static struct program side[2];
    double ratio[PAIRS_MAX] = {0}, noise = 1;
    struct err err;
    struct spread s;
    int code = 1;

    /* The words of the whole command, before one of them becomes NULL. */
    o.argv = mem_calloc((size_t)argc + 1, sizeof *o.argv);
    if (o.argv != NULL) {
        memcpy(o.argv, argv, (size_t)argc * sizeof *argv);
        code = parse(&o, side, argc, argv);
    }
    if (code == 0 && o.table != NULL)
        return print_table(o.table);
    if (code == 0 && o.absent == NULL)
        code = run_pairs(&noise, side, &o);
    if (code != 0)
        return code;
    find_ratios(ratio, &o, side);
    s = spread_of(ratio, o.pairs);
    print_row(&o, side, s, noise);
    if (o.json != NULL && append(&o, side, s, noise, &err) != OK) {
        (void)fprintf(stderr, "versus: %s\n", err.text);
        return 1;
    }
    mem_free(o.argv);
    return noise > NOISE_MAX ? 3 : 0;
}
