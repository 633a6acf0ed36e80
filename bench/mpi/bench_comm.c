/*
 * bench_comm.c - what a message costs between ranks, through the calls that
 * training makes (base/comm.h).
 *
 *     mpirun -n 2 bench_comm
 *
 * Rank 0 and rank 1 send each other a block and receive the other's, as in a
 * round of the optimiser.  A line "bytes N seconds T" for each size, medians;
 * then
 *
 *     meeting S     seconds of a call that carries nothing (comm_agree)
 *     alpha S       seconds of an exchange of 8 bytes
 *     overhead S    seconds of a further message beside it, of 64
 *     beta S        seconds of a further byte, each way at once: the slope
 *                   between the two largest sizes
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/comm.h"
#include "base/mem.h"
#include "measure.h"

#define ROUNDS 21
#define MESSAGES 64
#define BLOCK ((size_t)4 << 20) // the optimiser's largest

static double time_meeting(struct comm *c)
{
    double t[ROUNDS];
    struct err err;

    for (size_t i = 0; i < ROUNDS; i++) {
        double began = measure_seconds();

        if (comm_agree(c, OK, &err) != OK)
            exit(1);
        t[i] = measure_seconds() - began;
    }
    return measure_median(t, ROUNDS);
}

/* n bytes each way, in blocks. */
static double time_exchange(struct comm *c, struct comm_exchange *x, char *out,
                            char *in, size_t n, size_t block)
{
    double t[ROUNDS];
    struct err err;
    struct comm_block give[MESSAGES], take[MESSAGES];
    size_t k = 0;

    for (size_t at = 0; at < n; at += block, k++) {
        size_t bytes = n - at < block ? n - at : block;

        give[k] = (struct comm_block){1 - comm_rank(c), out + at, bytes};
        take[k] = (struct comm_block){1 - comm_rank(c), in + at, bytes};
    }
    for (size_t i = 0; i < ROUNDS; i++) {
        if (comm_agree(c, OK, &err) != OK)
            exit(1);
        double began = measure_seconds();

        comm_exchange_begin(x, give, k, take, k);
        comm_exchange_end(x);
        t[i] = measure_seconds() - began;
    }
    return measure_median(t, ROUNDS);
}

static int measure(struct comm *c)
{
    static const size_t size[] = {8, 4096, 65536, 1 << 20, 4 << 20, 16 << 20};
    size_t n = sizeof size / sizeof *size;
    double t[sizeof size / sizeof *size], meeting;
    struct comm_exchange *x;
    struct err err;
    char *out = mem_calloc(size[n - 1], 1), *in = mem_calloc(size[n - 1], 1);

    if (out == NULL || in == NULL ||
        comm_exchange_create(&x, c, 2 * MESSAGES, &err) != OK)
        return 1;
    meeting = time_meeting(c);
    for (size_t i = 0; i < n; i++)
        t[i] = time_exchange(c, x, out, in, size[i], BLOCK);
    double many = time_exchange(c, x, out, in, 8 * MESSAGES, 8);
    if (comm_rank(c) == 0) {
        for (size_t i = 0; i < n; i++)
            printf("bytes %zu seconds %.9f\n", size[i], t[i]);
        printf("meeting %.9f\nalpha %.9f\noverhead %.9f\nbeta %.4e\n", meeting,
               t[0], (many - t[0]) / (MESSAGES - 1),
               (t[n - 1] - t[n - 2]) / (double)(size[n - 1] - size[n - 2]));
    }
    comm_exchange_free(x);
    mem_free(out);
    mem_free(in);
    return 0;
}

int main(void)
{
    struct comm *c;
    struct err err;

    if (comm_open(&c, &err) != OK || comm_size(c) != 2) {
        fprintf(stderr, "bench_comm: wants 2 ranks of a build with MPI\n");
        return comm_close(c, 2);
    }
    return comm_close(c, measure(c));
}
