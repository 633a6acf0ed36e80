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
 *     --also NAME KEY X one row more, of another figure of the same runs;
 *                       memory is wanted at most X, all else at least
 *     --pairs N         5
 *     --json FILE       the rows into a list of rows, in the place of those
 *                       of the same name against the same
 *
 * A program tells its figures on lines "KEY NUMBER" of standard output, and
 * with "formats TEXT" which number formats it used; what it needs to get ready
 * is its own affair and not in the figure.  The last of several lines counts.
 * The figure peak_mib is measured here: the most memory that the program or a
 * program it ran and waited for ever had, in MiB.
 *
 * Machines are shared.  Before, between and after the runs a fixed loop is
 * timed on every processor at once, LOOPS times, whose median counts.  A pair
 * next to a time that exceeds the fastest of all by more than NOISE_MAX does
 * not count and is measured again, at most as often as pairs are wanted.  When
 * there are then too few, the figures are printed and no ratio is.  Memory
 * does not depend on it.
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

#include "base/mem.h"
#include "base/parallel.h"
#include "measure.h"
#include "versus.h"

extern char **environ;

#define NOISE_MAX 1.30
#define THREADS_MAX 64
/* Of the calibration loop; some 80 ms on a core of 2020. */
#define LOOP_STEPS 16000000
#define LOOPS 5

/* Multiplications that wait for each other: what they take depends on the
 * clock rate and on who else is on the core.  They begin at a number that the
 * compiler does not know, or it would find their result by itself. */
static void *loop(void *number)
{
    double x = *(double *)number;

    for (int i = 0; i < LOOP_STEPS; i++)
        x = x * 0.999999999 + 1e-9;
    *(double *)number = x;
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

    for (size_t i = 0; i < n; i++)
        result[i] = begin;
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

/* "KEY NUMBER" of every row's figure and "formats TEXT" of one line. */
static void take_line(struct program *p, int pair, const struct options *o,
                      char *line)
{
    line[strcspn(line, "\n")] = '\0';
    for (int r = 0; r < o->rows; r++) {
        size_t len = strlen(o->row[r].key);
        if (strncmp(line, o->row[r].key, len) == 0 && line[len] == ' ')
            p->figure[r][pair] = strtod(line + len, NULL);
    }
    if (strncmp(line, "formats ", 8) == 0)
        (void)snprintf(p->formats, sizeof p->formats, "%.63s", line + 8);
}

/* All figures of a run that ended well? */
static bool has_figures(struct program *p, int pair, const struct options *o,
                        double peak_mib)
{
    for (int r = 0; r < o->rows; r++) {
        double *figure = &p->figure[r][pair];
        if (strcmp(o->row[r].key, PEAK) == 0)
            *figure = peak_mib;
        if (*figure > 0)
            continue;
        (void)fprintf(stderr, "versus: %s: no figure \"%s\"\n", p->argv[0],
                      o->row[r].key);
        return false;
    }
    return true;
}

/* Run it once; false when it fails or does not tell its figures. */
static bool run_once(struct program *p, int pair, const struct options *o)
{
    int fd[2], state = 0;
    char line[4096];
    pid_t pid;
    struct rusage usage;
    posix_spawn_file_actions_t actions;

    for (int r = 0; r < o->rows; r++)
        p->figure[r][pair] = 0;
    if (pipe(fd) != 0 || posix_spawn_file_actions_init(&actions) != 0)
        return false;
    (void)posix_spawn_file_actions_adddup2(&actions, fd[1], STDOUT_FILENO);
    (void)posix_spawn_file_actions_addclose(&actions, fd[0]);
    (void)posix_spawn_file_actions_addclose(&actions, fd[1]);
    int failed =
        posix_spawnp(&pid, p->argv[0], &actions, NULL, p->argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(fd[1]);
    FILE *in = fdopen(fd[0], "r");
    while (failed == 0 && in != NULL && fgets(line, sizeof line, in) != NULL)
        take_line(p, pair, o, line);
    if (in != NULL)
        (void)fclose(in);
    if (failed == 0 && wait4(pid, &state, 0, &usage) != pid)
        failed = 1;
    if (failed == 0 && WIFEXITED(state) && WEXITSTATUS(state) == 0)
        return has_figures(p, pair, o, (double)usage.ru_maxrss / 1024);
    (void)fprintf(stderr, "versus: %s failed\n", p->argv[0]);
    return false;
}

/* One pair, with the loop timed around both runs: *last is the time before it
 * and becomes that after it.  False: a program failed. */
static bool run_pair(double *last, double *slowest, double *fastest, int pair,
                     struct program side[2], const struct options *o)
{
    *slowest = *last;
    for (int i = 0; i < (o->absolute ? 1 : 2); i++) {
        if (!run_once(&side[i], pair, o))
            return false;
        *last = calibrate();
        (void)fprintf(stderr, "versus: %s, pair %d: %s %s %.4g, loop %.1f ms\n",
                      o->row[0].name, pair + 1, i == 0 ? "ours" : "theirs",
                      o->row[0].key, side[i].figure[0][pair], 1e3 * *last);
        *fastest = fmin(*fastest, *last);
        *slowest = fmax(*slowest, *last);
    }
    return true;
}

static bool is_quiet(double slowest, double fastest)
{
    return slowest <= NOISE_MAX * fastest;
}

/* Pairs that count come first, the others are gone; how many there are. */
static int keep_quiet(struct program side[2], double *slowest, int n,
                      double fastest)
{
    int kept = 0;
    for (int i = 0; i < n; i++) {
        if (!is_quiet(slowest[i], fastest))
            continue;
        slowest[kept] = slowest[i];
        for (int k = 0; k < 2; k++)
            for (int r = 0; r < ROWS_MAX; r++)
                side[k].figure[r][kept] = side[k].figure[r][i];
        kept++;
    }
    return kept;
}

/* Of n pairs, the slowest time over the fastest. */
static double noise_of(const double *slowest, int n, double fastest)
{
    double noise = 1;

    for (int i = 0; i < n; i++)
        noise = fmax(noise, slowest[i] / fastest);
    return noise;
}

/* All pairs; 1: a program failed. */
static int run_pairs(struct trial *out, struct program side[2],
                     const struct options *o)
{
    double slowest[TRIES_MAX], last = calibrate(), fastest = last;
    bool memory_only = true;
    int n = 0, quiet = 0;

    for (int r = 0; r < o->rows; r++)
        memory_only &= strcmp(o->row[r].key, PEAK) == 0;
    while (quiet < o->pairs && n < 2 * o->pairs) {
        if (!run_pair(&last, &slowest[n], &fastest, n, side, o))
            return 1;
        n++;
        quiet = 0; // a new fastest time may have made others slow
        for (int i = 0; i < n; i++)
            quiet += memory_only || is_quiet(slowest[i], fastest) ? 1 : 0;
    }
    *out =
        (struct trial){.pairs = n, .noise_all = noise_of(slowest, n, fastest)};
    out->is_noisy = !memory_only && quiet < o->pairs;
    if (!memory_only && !out->is_noisy)
        out->pairs = keep_quiet(side, slowest, n, fastest);
    out->discarded = n - out->pairs;
    out->noise = noise_of(slowest, out->pairs, fastest);
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
    const char **const place[] = {&o->row[0].name, &o->against, &o->row[0].key,
                                  &o->json,        &o->absent,  &o->table};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return place[i];
    return NULL;
}

/* --also NAME KEY X. */
static int parse_also(struct options *o, char **word, int n)
{
    if (n < 4 || o->rows == ROWS_MAX)
        return 0;
    o->row[o->rows++] = (struct row){.name = word[1],
                                     .key = word[2],
                                     .target = strtod(word[3], NULL),
                                     .less = strcmp(word[2], PEAK) == 0};
    return 4;
}

/* One option of n words left; how many it has, 0 when it is none. */
static int parse_option(struct options *o, char **word, int n)
{
    const char *name = word[0], *value = n > 1 ? word[1] : NULL;
    const char **place = place_of(o, name);

    if (strcmp(name, "--also") == 0)
        return parse_also(o, word, n);
    if (strcmp(name, "--less") == 0) {
        o->row[0].less = true;
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
        o->row[0].target = strtod(value, NULL);
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
        int words = parse_option(o, argv + i, argc - i);
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

int main(int argc, char **argv)
{
    struct options o = {
        .against = "theirs",
        .row[0] = {.name = "unnamed", .key = "seconds", .target = NAN},
        .rows = 1,
        .pairs = 5,
        .argc = argc};
    static struct program side[2];
    struct trial trial = {.noise = 1};
    struct err err;
    int code = 1;

    /* The words of the whole command, before one of them becomes NULL. */
    o.argv = mem_calloc((size_t)argc, sizeof *o.argv);
    if (o.argv == NULL)
        return 1;
    memcpy(o.argv, argv, (size_t)argc * sizeof *argv);
    code = parse(&o, side, argc, argv);
    if (code == 0 && o.table != NULL) {
        code = print_table(o.table);
        goto done;
    }
    if (code == 0 && o.absent == NULL)
        code = run_pairs(&trial, side, &o);
    if (code != 0)
        goto done;
    for (int r = 0; r < o.rows; r++)
        print_row(&o, r, side, &trial);
    if (o.json != NULL && store_rows(&o, side, &trial, &err) != OK) {
        (void)fprintf(stderr, "versus: %s\n", err.text);
        code = 1;
    } else if (trial.is_noisy) {
        code = 3;
    }
done:
    mem_free(o.argv);
    return code;
}
