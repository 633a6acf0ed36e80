/* The ranks of an MPI job.  MPI's own errors end the job: they are the
 * network's or ours, and nothing could be done about them here. */
#include <assert.h>
#include <mpi.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/comm.h"
#include "base/mem.h"

/* More than this is gathered from neighbour to neighbour. */
#define AT_ONCE ((size_t)1 << 30)
/* MPI counts with an int. */
#define PIECE ((size_t)1 << 28)
/* Looks at a meeting before sleeping: about a millisecond. */
#define EAGER_LOOKS 1000

enum tag {
    TAG_RING = 1,
    TAG_BRING,
    TAG_EXCHANGE,
};

/* Which call a rank is in, so that ranks that went different ways are told
 * so and do not wait for ever. */
enum call {
    CALL_AGREE = 1,
    CALL_MAX,
    CALL_BROADCAST,
    CALL_GATHER,
    CALL_CONCAT,
    CALL_BRING,
    CALL_SAME,
};

struct comm {
    MPI_Comm world;
    size_t rank, size;
    int n_exchange;
    bool is_threaded;
    struct err why; // code OK until the ranks have agreed on a failure
};

/* ---- coming and going ---------------------------------------------------- */

/* Asking MPI takes a while and starts a process of its own; a program that no
 * launcher started need not. */
static bool was_launched(void)
{
    static const char *const name[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK",
                                       "PMI_RANK"};
    for (size_t i = 0; i < sizeof name / sizeof *name; i++)
        if (getenv(name[i]) != NULL)
            return true;
    return false;
}

enum status comm_open(struct comm **out, struct err *err)
{
    int provided, rank, size;
    struct comm *c;
    *out = NULL;
    if (!was_launched())
        return OK;
    MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    TRY(MEM_NEW(c, 1, err));
    *c = (struct comm){
        .world = MPI_COMM_WORLD, .rank = (size_t)rank, .size = (size_t)size};
    c->is_threaded = provided == MPI_THREAD_MULTIPLE;
    if (provided < MPI_THREAD_FUNNELED)
        return err_set(err, ERR_MISSING,
                       "this MPI does not go together with threads");
    *out = c;
    return OK;
}

/*
 * Wait, leaving the processor to others: MPI's own waiting keeps it busy, and
 * another rank's work, or somebody else's, may want it.  Where ranks meet, some
 * come much later than others; so after `looks` looks it sleeps between them.
 * Bytes on their way want an answer at once, and their end is near: SIZE_MAX.
 */
static void wait_all(MPI_Request *request, size_t n, size_t looks)
{
    const struct timespec nap = {.tv_nsec = 50000};
    int is_over = 0;
    for (size_t look = 0; !is_over; look++) {
        MPI_Testall((int)n, request, &is_over, MPI_STATUSES_IGNORE);
        if (!is_over && look < looks)
            sched_yield();
        else if (!is_over)
            nanosleep(&nap, NULL);
    }
}

static void wait_for(MPI_Request request)
{
    wait_all(&request, 1, SIZE_MAX);
}

static void wait_to_meet(MPI_Request request)
{
    wait_all(&request, 1, EAGER_LOOKS);
}

int comm_close(struct comm *c, int code)
{
    if (c == NULL)
        return code;
    MPI_Request request;
    MPI_Iallreduce(MPI_IN_PLACE, &code, 1, MPI_INT, MPI_MAX, c->world,
                   &request);
    wait_to_meet(request);
    MPI_Finalize();
    mem_free(c);
    return code;
}

size_t comm_rank(const struct comm *c)
{
    return c != NULL ? c->rank : 0;
}

size_t comm_size(const struct comm *c)
{
    return c != NULL ? c->size : 1;
}

bool comm_is_threaded(const struct comm *c)
{
    return c != NULL && c->is_threaded;
}

/* ---- agreeing ------------------------------------------------------------ */

/* What ranks tell each other when they meet; of each word the smallest is
 * known afterwards. */
enum word {
    FIRST_FAILED, // rank; INT64_MAX: none
    LEAST_CALL,
    LEAST_MINUS_CALL, // those two differ in sign where all do the same
    LEAST_MINUS_VALUE,
    WORDS
};

static enum status fail_again(const struct comm *c, struct err *err)
{
    return err_set(err, c->why.code, "%s", c->why.text);
}

/* The failing rank's own words, with where it is in front when they come from
 * another than rank 0. */
static enum status share_failure(struct comm *c, int first, enum status status,
                                 struct err *err)
{
    struct err why = {.code = OK};
    if ((int)c->rank == first) {
        char host[MPI_MAX_PROCESSOR_NAME];
        int len;
        err_record(&why, status, "%s",
                   err != NULL && err->text[0] != '\0' ? err->text
                                                       : err_name(status));
        MPI_Get_processor_name(host, &len);
        if (first > 0)
            err_context(&why, "rank %d of %zu (%s)", first, c->size, host);
    }
    MPI_Request request;
    MPI_Ibcast(&why, (int)sizeof why, MPI_BYTE, first, c->world, &request);
    wait_for(request);
    c->why = why;
    return fail_again(c, err);
}

static enum status meet(struct comm *c, enum status status, enum call call,
                        size_t bytes, int64_t *value, struct err *err)
{
    int64_t what = (int64_t)(bytes * 16 + call);
    bool is_well = status == OK;
    int64_t word[WORDS] = {
        [FIRST_FAILED] = is_well ? INT64_MAX : (int64_t)c->rank,
        [LEAST_CALL] = is_well ? what : INT64_MAX,
        [LEAST_MINUS_CALL] = is_well ? -what : INT64_MAX,
        [LEAST_MINUS_VALUE] = value != NULL ? -*value : INT64_MAX,
    };
    if (c->why.code != OK)
        return fail_again(c, err);
    MPI_Request request;
    MPI_Iallreduce(MPI_IN_PLACE, word, WORDS, MPI_INT64_T, MPI_MIN, c->world,
                   &request);
    wait_to_meet(request);
    if (word[FIRST_FAILED] != INT64_MAX)
        return share_failure(c, (int)word[FIRST_FAILED], status, err);
    if (word[LEAST_CALL] != -word[LEAST_MINUS_CALL]) {
        err_record(&c->why, ERR_MISMATCH,
                   "the ranks are at different points of the program: they "
                   "were not started with the same inputs and settings");
        return fail_again(c, err);
    }
    if (value != NULL)
        *value = -word[LEAST_MINUS_VALUE];
    return OK;
}

enum status comm_agree(struct comm *c, enum status status, struct err *err)
{
    return c == NULL ? status : meet(c, status, CALL_AGREE, 0, NULL, err);
}

enum status comm_max(struct comm *c, int64_t *value, struct err *err)
{
    return c == NULL ? OK : meet(c, OK, CALL_MAX, 0, value, err);
}

/* ---- bytes --------------------------------------------------------------- */

static int piece_of(size_t n)
{
    return (int)(n < PIECE ? n : PIECE);
}

enum status comm_broadcast(struct comm *c, void *data, size_t n,
                           struct err *err)
{
    if (c == NULL)
        return OK;
    TRY(meet(c, OK, CALL_BROADCAST, n, NULL, err));
    for (size_t at = 0; at < n; at += PIECE) {
        MPI_Request request;
        MPI_Ibcast((char *)data + at, piece_of(n - at), MPI_BYTE, 0, c->world,
                   &request);
        wait_for(request);
    }
    return OK;
}

/* Everything in one call, whose counts and places fit an int. */
static enum status gather_at_once(struct comm *c, void *base,
                                  const size_t *begin, struct err *err)
{
    int *count;
    TRY(MEM_NEW(count, 2 * c->size, err));
    int *place = count + c->size;
    for (size_t r = 0; r < c->size; r++) {
        count[r] = (int)(begin[r + 1] - begin[r]);
        place[r] = (int)(begin[r] - begin[0]);
    }
    enum status status =
        meet(c, OK, CALL_GATHER, begin[c->size] - begin[0], NULL, err);
    if (status == OK) {
        MPI_Request request;
        MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL,
                        (char *)base + begin[0], count, place, MPI_BYTE,
                        c->world, &request);
        wait_for(request);
    }
    mem_free(count);
    return status;
}

/* In step s a rank hands on what rank - s filled. */
static void ring_step(struct comm *c, char *base, const size_t *begin,
                      size_t piece, size_t s)
{
    size_t size = c->size;
    size_t out = (c->rank + size - s) % size;
    size_t in = (c->rank + 2 * size - s - 1) % size;
    int right = (int)((c->rank + 1) % size);
    int left = (int)((c->rank + size - 1) % size);
    size_t n_out = begin[out + 1] - begin[out];
    size_t n_in = begin[in + 1] - begin[in];
    for (size_t at = 0; at < n_out || at < n_in; at += piece) {
        size_t give = at < n_out ? n_out - at : 0;
        size_t take = at < n_in ? n_in - at : 0;
        give = give < piece ? give : piece;
        take = take < piece ? take : piece;
        MPI_Request request[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
        if (take > 0)
            MPI_Irecv(base + begin[in] + at, (int)take, MPI_BYTE, left,
                      TAG_RING, c->world, &request[0]);
        if (give > 0)
            MPI_Isend(base + begin[out] + at, (int)give, MPI_BYTE, right,
                      TAG_RING, c->world, &request[1]);
        wait_all(request, 2, SIZE_MAX);
    }
}

enum status comm_gather_ring(struct comm *c, void *base, const size_t *begin,
                             size_t piece, struct err *err)
{
    if (c == NULL)
        return OK;
    assert(piece > 0 && piece <= PIECE);
    TRY(meet(c, OK, CALL_GATHER, begin[c->size] - begin[0], NULL, err));
    for (size_t s = 0; s + 1 < c->size; s++)
        ring_step(c, base, begin, piece, s);
    return OK;
}

enum status comm_gather(struct comm *c, void *base, const size_t *begin,
                        struct err *err)
{
    if (c == NULL)
        return OK;
    return begin[c->size] - begin[0] <= AT_ONCE
               ? gather_at_once(c, base, begin, err)
               : comm_gather_ring(c, base, begin, PIECE, err);
}

enum status comm_concat(struct comm *c, struct buf *all, const void *mine,
                        size_t n, struct err *err)
{
    enum status status = OK;
    uint64_t *bytes = NULL;
    size_t *begin = NULL;
    if (c == NULL) {
        buf_append(all, mine, n);
        return buf_status(all, err);
    }
    TRY_DONE(MEM_NEW(bytes, c->size, err));
    TRY_DONE(MEM_NEW(begin, c->size + 1, err));
    bytes[c->rank] = n;
    TRY_DONE(meet(c, OK, CALL_CONCAT, 0, NULL, err));
    MPI_Request request;
    MPI_Iallgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, bytes, 1, MPI_UINT64_T,
                   c->world, &request);
    wait_for(request);
    for (size_t r = 0; r < c->size; r++)
        begin[r + 1] = begin[r] + bytes[r];
    char *room = buf_extend(all, begin[c->size]);
    TRY_DONE(buf_status(all, err));
    if (n > 0)
        memcpy(room + begin[c->rank], mine, n);
    TRY_DONE(comm_gather(c, room, begin, err));
done:
    mem_free(bytes);
    mem_free(begin);
    return status;
}

enum status comm_bring(struct comm *c, void *data, size_t n, size_t owner,
                       struct err *err)
{
    if (c == NULL)
        return OK;
    TRY(meet(c, OK, CALL_BRING, n, NULL, err));
    for (size_t at = 0; owner > 0 && at < n; at += PIECE) {
        char *from = (char *)data + at;
        MPI_Request request = MPI_REQUEST_NULL;
        if (c->rank == owner)
            MPI_Isend(from, piece_of(n - at), MPI_BYTE, 0, TAG_BRING, c->world,
                      &request);
        else if (c->rank == 0)
            MPI_Irecv(from, piece_of(n - at), MPI_BYTE, (int)owner, TAG_BRING,
                      c->world, &request);
        wait_for(request);
    }
    return OK;
}

enum status comm_same(struct comm *c, const void *data, size_t n,
                      const char *what, struct err *err)
{
    enum status status = OK;
    char *first = NULL;
    uint64_t bytes = n;
    if (c == NULL)
        return OK;
    TRY_DONE(comm_broadcast(c, &bytes, sizeof bytes, err));
    TRY_DONE(MEM_NEW(first, (size_t)bytes, err));
    if (c->rank == 0)
        memcpy(first, data, n);
    TRY_DONE(comm_broadcast(c, first, (size_t)bytes, err));
    if (bytes != n || memcmp(first, data, n) != 0)
        status =
            err_set(err, ERR_MISMATCH, "%s here is not what rank 0 has", what);
done:
    mem_free(first);
    return comm_agree(c, status, err);
}

/* ---- blocks -------------------------------------------------------------- */

struct comm_exchange {
    struct comm *comm;
    MPI_Request *request; // [most]
    size_t n, most;
    int tag;
};

enum status comm_exchange_create(struct comm_exchange **out, struct comm *c,
                                 size_t most, struct err *err)
{
    struct comm_exchange *x = NULL;
    *out = NULL;
    if (c == NULL)
        return OK;
    TRY(MEM_NEW(x, 1, err));
    x->comm = c;
    x->most = most;
    x->tag = TAG_EXCHANGE + c->n_exchange++;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): requests are pointers */
    enum status status = MEM_NEW(x->request, most, err);
    if (status != OK) {
        mem_free(x);
        return status;
    }
    *out = x;
    return OK;
}

void comm_exchange_free(struct comm_exchange *x)
{
    if (x == NULL)
        return;
    mem_free(x->request);
    mem_free(x);
}

void comm_exchange_begin(struct comm_exchange *x, const struct comm_block *out,
                         size_t n_out, const struct comm_block *in, size_t n_in)
{
    if (x == NULL)
        return;
    assert(x->n == 0 && n_out + n_in <= x->most);
    for (size_t i = 0; i < n_in; i++) {
        assert(in[i].bytes < AT_ONCE);
        MPI_Irecv(in[i].data, (int)in[i].bytes, MPI_BYTE, (int)in[i].rank,
                  x->tag, x->comm->world, &x->request[x->n++]);
    }
    for (size_t i = 0; i < n_out; i++) {
        assert(out[i].bytes < AT_ONCE);
        MPI_Isend(out[i].data, (int)out[i].bytes, MPI_BYTE, (int)out[i].rank,
                  x->tag, x->comm->world, &x->request[x->n++]);
    }
}

bool comm_exchange_poll(struct comm_exchange *x)
{
    int is_over = 1;
    if (x != NULL && x->n > 0)
        MPI_Testall((int)x->n, x->request, &is_over, MPI_STATUSES_IGNORE);
    return is_over;
}

void comm_exchange_end(struct comm_exchange *x)
{
    if (x == NULL)
        return;
    wait_all(x->request, x->n, SIZE_MAX);
    x->n = 0;
}
