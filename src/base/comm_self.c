/* One process: nobody to talk to. */
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/comm.h"

/* Launchers say in the environment how many they started. */
static bool is_one_of_several(void)
{
    static const char *const name[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"};
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        const char *text = getenv(name[i]);
        if (text != NULL && strtol(text, NULL, 10) > 1)
            return true;
    }
    return false;
}

enum status comm_open(struct comm **out, struct err *err)
{
    if (is_one_of_several())
        return err_set(err, ERR_ARG,
                       "started as one of several ranks, but built without "
                       "MPI: configure with -DPLUMB_MPI=ON (docs/cluster.md)");
    *out = NULL;
    return OK;
}

int comm_close(struct comm *c, int code)
{
    (void)c;
    return code;
}

size_t comm_rank(const struct comm *c)
{
    (void)c;
    return 0;
}

size_t comm_size(const struct comm *c)
{
    (void)c;
    return 1;
}

bool comm_is_threaded(const struct comm *c)
{
    (void)c;
    return false;
}

enum status comm_agree(struct comm *c, enum status status, struct err *err)
{
    (void)c;
    (void)err;
    return status;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): ranks write to it */
enum status comm_max(struct comm *c, int64_t *value, struct err *err)
{
    (void)c;
    (void)value;
    (void)err;
    return OK;
}

enum status comm_broadcast(struct comm *c, void *data, size_t n,
                           struct err *err)
{
    (void)c;
    (void)data;
    (void)n;
    (void)err;
    return OK;
}

enum status comm_gather(struct comm *c, void *base, const size_t *begin,
                        struct err *err)
{
    (void)c;
    (void)base;
    (void)begin;
    (void)err;
    return OK;
}

enum status comm_gather_ring(struct comm *c, void *base, const size_t *begin,
                             size_t piece, struct err *err)
{
    (void)piece;
    return comm_gather(c, base, begin, err);
}

enum status comm_concat(struct comm *c, struct buf *all, const void *mine,
                        size_t n, struct err *err)
{
    (void)c;
    buf_append(all, mine, n);
    return buf_status(all, err);
}

enum status comm_bring(struct comm *c, void *data, size_t n, size_t owner,
                       struct err *err)
{
    (void)c;
    (void)data;
    (void)n;
    (void)owner;
    (void)err;
    return OK;
}

enum status comm_same(struct comm *c, const void *data, size_t n,
                      const char *what, struct err *err)
{
    (void)c;
    (void)data;
    (void)n;
    (void)what;
    (void)err;
    return OK;
}

enum status comm_exchange_create(struct comm_exchange **out, struct comm *c,
                                 size_t most, struct err *err)
{
    (void)c;
    (void)most;
    (void)err;
    *out = NULL;
    return OK;
}

void comm_exchange_free(struct comm_exchange *x)
{
    (void)x;
}

void comm_exchange_begin(struct comm_exchange *x, const struct comm_block *out,
                         size_t n_out, const struct comm_block *in, size_t n_in)
{
    (void)x;
    (void)out;
    (void)in;
    (void)n_out;
    (void)n_in;
    assert(n_out == 0 && n_in == 0);
}

bool comm_exchange_poll(struct comm_exchange *x)
{
    (void)x;
    return true;
}

void comm_exchange_end(struct comm_exchange *x)
{
    (void)x;
}
