/*
 * scaling.c - how long an update takes on R ranks: a model, from what one host
 * computes and what two hosts' messages cost.
 *
 *     scaling KEY=VALUE ...           the seconds of one update
 *     scaling table KEY=VALUE ...     efficiency to 1,024 ranks, and memory
 *
 *     parameters  trained, P
 *     ranks       R
 *     compute     seconds of an update's work on one of the ranks
 *     flops       table: floating-point operations a second of a rank
 *     tokens      table: of an update, of each rank
 *     alpha, beta, overhead, meeting     of bench_comm, seconds
 *
 * An update is (rlhf/optimizer_ranks.c), in K rounds of R parts,
 *
 *     compute + m(R) (5 + K) + g(R) (3 + 2 K) + 2 * 4 P (R-1)/R beta
 *
 *     m(R) = meeting * log2 R            ranks tell each other that all is well
 *     g(R) = alpha + (R - 2) overhead    a message to each of the others
 *     K    = slices of 8192 / (R * slices of a part), a part having 128, or
 *            512 / R where that is less
 *
 * gradients going one way and parameters coming back, each rank sending as much
 * as it receives.  Nothing is taken to overlap, though some does.  A rank's
 * part of the sums is in `compute`.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE 8192

struct job {
    double parameters, ranks, compute, flops, tokens;
    double alpha, beta, overhead, meeting;
};

static double rounds(const struct job *j)
{
    double part = fmin(128, fmax(1, floor(512 / j->ranks)));

    return ceil(ceil(j->parameters / SLICE) / (j->ranks * part));
}

static double network(const struct job *j)
{
    double meeting = j->meeting * log2(j->ranks);
    double message = j->alpha + (j->ranks - 2) * j->overhead;
    double bytes = 4 * j->parameters * (j->ranks - 1) / j->ranks;
    double k = rounds(j);

    if (j->ranks < 2)
        return 0;
    return meeting * (5 + k) + message * (3 + 2 * k) + 2 * bytes * j->beta;
}

static int set(struct job *j, const char *text)
{
    const struct {
        const char *key;
        double *value;
    } rows[] = {
        {"parameters=", &j->parameters},
        {"ranks=", &j->ranks},
        {"compute=", &j->compute},
        {"flops=", &j->flops},
        {"tokens=", &j->tokens},
        {"alpha=", &j->alpha},
        {"beta=", &j->beta},
        {"overhead=", &j->overhead},
        {"meeting=", &j->meeting},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strncmp(text, rows[i].key, strlen(rows[i].key)) == 0) {
            *rows[i].value = strtod(text + strlen(rows[i].key), NULL);
            return 1;
        }
    return 0;
}

/* Forward and backward: six operations a parameter and token. */
static void print_efficiency(struct job j, const char *name, double parameters)
{
    j.parameters = parameters;
    j.compute = 6 * parameters * j.tokens / j.flops;
    printf("| %s |", name);
    for (j.ranks = 2; j.ranks <= 1024; j.ranks *= 2)
        printf(" %.0f%% |", 100 * j.compute / (j.compute + network(&j)));
    printf("\n");
}

/*
 * GiB of a rank with a shard: an SFT keeps the parameters, a gradient and two
 * moments of one model; PPO parameters of five (policy, as it was, reference,
 * reward, value), gradients and moments of two.
 */
static void print_memory(const char *name, double parameters)
{
    static const struct {
        const char *name;
        double params, moments;
    } work[] = {{"SFT", 2, 2}, {"PPO", 7, 4}};
    double gib = 4 * parameters / 1073741824.0;

    for (size_t i = 0; i < 2; i++) {
        printf("| %s %s | %.1f |", name, work[i].name,
               (work[i].params + work[i].moments) * gib);
        for (int ranks = 2; ranks <= 1024; ranks *= 8)
            printf(" %.1f |", (work[i].params + work[i].moments / ranks) * gib);
        printf("\n");
    }
}

static void print_tables(const struct job *j)
{
    static const struct {
        const char *name;
        double parameters;
    } model[] = {{"135M", 135e6}, {"1.5B", 1.5e9}, {"7B", 7e9}};

    printf("| ranks |");
    for (int ranks = 2; ranks <= 1024; ranks *= 2)
        printf(" %d |", ranks);
    printf("\n|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < 3; i++)
        print_efficiency(*j, model[i].name, model[i].parameters);
    printf("\n| GiB of a rank | moments on all | 2 | 16 | 128 | 1024 |\n"
           "|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < 3; i++)
        print_memory(model[i].name, model[i].parameters);
}

int main(int argc, char **argv)
{
    struct job j = {.ranks = 2};
    int first = argc > 1 && strcmp(argv[1], "table") == 0 ? 2 : 1;

    for (int i = first; i < argc; i++)
        if (!set(&j, argv[i])) {
            fprintf(stderr, "scaling: what is %s?\n", argv[i]);
            return 2;
        }
    if (first == 2)
        print_tables(&j);
    else
        printf("seconds %.6f\n", j.compute + network(&j));
    return 0;
}
