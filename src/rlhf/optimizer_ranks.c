#include <assert.h>
#include <string.h>

#include "base/comm.h"
#include "base/mem.h"
#include "nn/adamw.h"
#include "nn/gemm16.h"
#include "nn/weight.h"
#include "rlhf/optimizer_internal.h"
#include "rlhf/reduce.h"

/* Slices of a part at most: 4 MiB, with which a message's start is nothing. */
#define PART_SLICES 128
/* What may wait for its turn to be summed, in floats: 16 MiB, twice. */
#define ROOM ((size_t)4 << 20)

/* A round under way while the one before it is summed. */
struct flight {
    struct comm_exchange *exchange;
    float *room;   // [tops of the others][longest part]
    float **shard; // [shards] where each top's values of the own part are
    /* as they travel, when rounded: [blocks out or in][longest part] */
    uint16_t *out, *in;
    size_t n_in;
};

struct optimizer_ranks {
    struct reduce_share share;
    size_t n_round;
    size_t *slice;     // [parts + 1] first slice of each part
    size_t *bytes;     // [parts + 1] first byte of its parameters
    size_t longest;    // floats of the longest part
    size_t *top;       // tops of all ranks
    size_t *first_top; // [ranks + 1] where a rank's are in it
    struct flight flight[2];
    struct comm_block *out, *in;
    double *square;        // [slices] rank by rank
    size_t *square_bytes;  // [ranks + 1]
    struct optimizer *job; // while somebody works, and on which round
    size_t round;
    /* Rounds are begun and finished from the last to the first: next..done-1
     * are under way. */
    size_t next, done;
};

/* ---- cutting ------------------------------------------------------------- */

static enum status find_tops(struct optimizer_ranks *x, struct err *err)
{
    struct reduce_share share = x->share;
    TRY(MEM_NEW(x->top, share.shards, err));
    TRY(MEM_NEW(x->first_top, share.ranks + 1, err));
    for (share.rank = 0; share.rank < share.ranks; share.rank++) {
        size_t at = x->first_top[share.rank];
        x->first_top[share.rank + 1] = at + reduce_tops(x->top + at, &share);
    }
    return OK;
}

/* Slices that a part may have, with so many tops of all ranks. */
static size_t part_slices(size_t tops)
{
    assert(tops > 0);
    size_t fit = ROOM / (OPTIMIZER_SLICE * tops);
    return fit < 1 ? 1 : fit < PART_SLICES ? fit : PART_SLICES;
}

/* The parameters' borders, from those in slices. */
static enum status cut_parts(struct optimizer *o, struct optimizer_ranks *x,
                             struct err *err)
{
    size_t ranks = x->share.ranks;
    size_t most = ranks * part_slices(x->first_top[ranks]);
    assert(most > 0);
    x->n_round = (o->n_slice + most - 1) / most;
    o->n_part = x->n_round * ranks;
    TRY(MEM_NEW(x->slice, o->n_part + 1, err));
    TRY(MEM_NEW(x->bytes, o->n_part + 1, err));
    TRY(MEM_NEW(o->part, o->n_part + 1, err));
    for (size_t p = 0; p < o->n_part; p++) {
        size_t first, last, from, to;
        comm_cut(&first, &last, o->n_slice, x->n_round, p / ranks);
        comm_cut(&from, &to, last - first, ranks, p % ranks);
        x->slice[p] = first + from;
        x->slice[p + 1] = first + to;
    }
    for (size_t p = 0; p <= o->n_part; p++) {
        size_t s = x->slice[p];
        o->part[p] = s < o->n_slice ? o->slice[s].offset : o->n;
        x->bytes[p] = o->part[p] * sizeof(float);
    }
    for (size_t p = 0; p < o->n_part; p++)
        if (o->part[p + 1] - o->part[p] > x->longest)
            x->longest = o->part[p + 1] - o->part[p];
    return OK;
}

/* The slices that this rank updates, and where it has their moments. */
static enum status find_own(struct optimizer *o, struct optimizer_ranks *x,
                            struct err *err)
{
    size_t *own;
    TRY(MEM_NEW(own, o->n_slice, err));
    mem_free(o->own);
    o->own = own;
    o->n_own = o->n_held = 0;
    for (size_t p = x->share.rank; p < o->n_part; p += x->share.ranks)
        for (size_t s = x->slice[p]; s < x->slice[p + 1]; s++) {
            o->own[o->n_own++] = s;
            o->slice[s].held = o->n_held;
            o->n_held += o->slice[s].n;
        }
    TRY(MEM_NEW(x->square, o->n_slice, err));
    TRY(MEM_NEW(x->square_bytes, x->share.ranks + 1, err));
    for (size_t r = 0; r < x->share.ranks; r++) {
        x->square_bytes[r + 1] = x->square_bytes[r];
        for (size_t p = r; p < o->n_part; p += x->share.ranks)
            x->square_bytes[r + 1] +=
                (x->slice[p + 1] - x->slice[p]) * sizeof *x->square;
    }
    return OK;
}

static enum status make_room(struct optimizer_ranks *x, struct comm *comm,
                             struct err *err)
{
    const struct reduce_share *share = &x->share;
    size_t all = x->first_top[share->ranks];
    size_t own = x->first_top[share->rank + 1] - x->first_top[share->rank];
    size_t room, most = (share->ranks - 1) * own + all - own;
    TRY(mem_multiply(&room, all - own, x->longest, err));
    TRY(MEM_NEW(x->out, most, err));
    TRY(MEM_NEW(x->in, most, err));
    for (size_t i = 0; i < 2; i++) {
        struct flight *f = &x->flight[i];
        TRY(MEM_NEW(f->room, room, err));
        TRY(MEM_NEW(f->shard, share->shards, err));
        TRY(comm_exchange_create(&f->exchange, comm, most, err));
    }
    return OK;
}

/* The same for what is rounded. */
static enum status make_rounded_room(struct optimizer_ranks *x, struct err *err)
{
    const struct reduce_share *share = &x->share;
    size_t all = x->first_top[share->ranks], out, in;
    size_t own = x->first_top[share->rank + 1] - x->first_top[share->rank];
    TRY(mem_multiply(&out, (share->ranks - 1) * own, x->longest, err));
    TRY(mem_multiply(&in, all - own, x->longest, err));
    for (size_t i = 0; i < 2; i++) {
        TRY(MEM_NEW(x->flight[i].out, out, err));
        TRY(MEM_NEW(x->flight[i].in, in, err));
    }
    return OK;
}

enum status optimizer_ranks_create(struct optimizer *o, struct err *err)
{
    struct optimizer_ranks *x;
    TRY(MEM_NEW(x, 1, err));
    o->ranks = x;
    x->share = (struct reduce_share){.shards = o->gradients->shards,
                                     .ranks = comm_size(o->comm),
                                     .rank = comm_rank(o->comm)};
    TRY(find_tops(x, err));
    TRY(cut_parts(o, x, err));
    TRY(find_own(o, x, err));
    TRY(make_room(x, o->comm, err));
    return o->config.reduce == REDUCE_BF16 ? make_rounded_room(x, err) : OK;
}

double optimizer_round_bytes(size_t n, size_t shards, size_t ranks,
                             enum reduce_format format)
{
    struct reduce_share share = {.shards = shards, .ranks = ranks};
    size_t own = reduce_tops(NULL, &share), all = own;
    for (share.rank = 1; share.rank < ranks; share.rank++)
        all += reduce_tops(NULL, &share);
    size_t slices = (n + OPTIMIZER_SLICE - 1) / OPTIMIZER_SLICE;
    size_t most = ranks * part_slices(all), rounds = (slices + most - 1) / most;
    size_t round = rounds > 0 ? (slices + rounds - 1) / rounds : 0;
    size_t part = (round + ranks - 1) / ranks;
    double in = (double)(all - own), out = (double)((ranks - 1) * own);
    double block = 4 * in; // of floats, and rounded ones beside them
    if (format == REDUCE_BF16)
        block += 2 * (in + out);
    return 2 * (double)(part * OPTIMIZER_SLICE) * block;
}

void optimizer_ranks_free(struct optimizer *o)
{
    struct optimizer_ranks *x = o->ranks;
    if (x == NULL)
        return;
    for (size_t i = 0; i < 2; i++) {
        comm_exchange_free(x->flight[i].exchange);
        mem_free(x->flight[i].room);
        mem_free(x->flight[i].shard);
        mem_free(x->flight[i].out);
        mem_free(x->flight[i].in);
    }
    mem_free(x->slice);
    mem_free(x->bytes);
    mem_free(x->top);
    mem_free(x->first_top);
    mem_free(x->out);
    mem_free(x->in);
    mem_free(x->square);
    mem_free(x->square_bytes);
    mem_free(x);
    o->ranks = NULL;
}

/* ---- summing ------------------------------------------------------------- */

/* A slice of the round: the sums that need no other rank. */
static enum status sum_inside(void *ctx, size_t item, size_t worker,
                              struct err *err)
{
    const struct optimizer_ranks *x = ctx;
    const struct optimizer *o = x->job;
    size_t first = x->slice[x->round * x->share.ranks];
    const struct optimizer_slice *s = &o->slice[first + item];
    (void)worker;
    (void)err;
    reduce_inside(o->gradients->shard, s->offset, s->n, &x->share);
    return OK;
}

/* A slice of the own part: the rest, and its square. */
static enum status sum_across(void *ctx, size_t item, size_t worker,
                              struct err *err)
{
    const struct optimizer_ranks *x = ctx;
    const struct optimizer *o = x->job;
    const struct flight *f = &x->flight[x->round % 2];
    size_t part = x->round * x->share.ranks + x->share.rank;
    struct optimizer_slice *s = &o->slice[x->slice[part] + item];
    size_t at = s->offset - o->part[part];
    float *sum = optimizer_sum(o) + s->offset;
    (void)worker;
    (void)err;
    reduce_across(f->shard, at, s->n, &x->share);
    if (f->shard[0] + at != sum)
        memcpy(sum, f->shard[0] + at, s->n * sizeof *sum);
    s->square = adamw_square_sum(sum, s->n);
    return OK;
}

/* Let rounded copies travel in the place of the blocks. */
static void round_blocks(struct flight *f, struct optimizer_ranks *x,
                         size_t n_out)
{
    for (size_t k = 0; k < n_out; k++) {
        const float *from = x->out[k].data;
        uint16_t *to = f->out + k * x->longest;
        size_t n = x->out[k].bytes / sizeof *from;
        gemm16_round(to, from, n);
        x->out[k].data = to;
        x->out[k].bytes = n * sizeof *to;
    }
    for (size_t k = 0; k < f->n_in; k++) {
        x->in[k].data = f->in + k * x->longest;
        x->in[k].bytes /= 2;
    }
}

/* What came rounded, as floats where it is looked for. */
static void widen_blocks(const struct flight *f,
                         const struct optimizer_ranks *x, size_t n)
{
    for (size_t k = 0; k < f->n_in; k++)
        weight_widen(f->room + k * x->longest, f->in + k * x->longest, n);
}

/* The own tops of every other rank's part, how many; of a round that is
 * dropped with nothing in them. */
static size_t list_out(struct optimizer_ranks *x, size_t round, bool is_dropped)
{
    const struct optimizer *o = x->job;
    size_t me = x->share.rank, n_out = 0;
    for (size_t r = 0; r < x->share.ranks; r++) {
        const size_t *border = o->part + round * x->share.ranks + r;
        size_t n = border[1] - border[0];
        for (size_t t = x->first_top[me];
             r != me && n > 0 && t < x->first_top[me + 1]; t++) {
            struct comm_block *b = &x->out[n_out++];
            *b = (struct comm_block){.rank = r};
            if (is_dropped)
                continue;
            b->data = o->gradients->shard[x->top[t]] + border[0];
            b->bytes = n * sizeof(float);
        }
    }
    return n_out;
}

/* Every other rank's tops of the own part, and where they are to be. */
static size_t list_in(struct optimizer_ranks *x, size_t round)
{
    struct flight *f = &x->flight[round % 2];
    size_t me = x->share.rank, n_in = 0;
    const size_t *border = x->job->part + round * x->share.ranks + me;
    size_t n = border[1] - border[0];
    for (size_t r = 0; r < x->share.ranks; r++)
        for (size_t t = x->first_top[r];
             r != me && n > 0 && t < x->first_top[r + 1]; t++, n_in++) {
            f->shard[x->top[t]] = f->room + n_in * x->longest;
            x->in[n_in] =
                (struct comm_block){r, f->shard[x->top[t]], n * sizeof(float)};
        }
    return n_in;
}

/* Send each rank this one's tops of its part, and receive theirs. */
static void begin_round(struct optimizer_ranks *x, size_t round)
{
    const struct optimizer *o = x->job;
    struct flight *f = &x->flight[round % 2];
    size_t me = x->share.rank, part = round * x->share.ranks + me;
    for (size_t t = x->first_top[me]; t < x->first_top[me + 1]; t++)
        f->shard[x->top[t]] = o->gradients->shard[x->top[t]] + o->part[part];
    size_t n_out = list_out(x, round, false);
    f->n_in = list_in(x, round);
    if (f->out != NULL)
        round_blocks(f, x, n_out);
    comm_exchange_begin(f->exchange, x->out, n_out, x->in, f->n_in);
}

/* Of a batch that is given up shards may have no buffer, and nobody wants the
 * sums: blocks travel because other ranks wait for them, empty. */
static void begin_dropped(struct optimizer_ranks *x, size_t round)
{
    struct flight *f = &x->flight[round % 2];
    size_t n_out = list_out(x, round, true);
    f->n_in = list_in(x, round);
    comm_exchange_begin(f->exchange, x->out, n_out, x->in, f->n_in);
}

/* Slices that a round has, and of them this rank's. */
static size_t round_slices(const struct optimizer_ranks *x, size_t round)
{
    size_t ranks = x->share.ranks;
    return x->slice[(round + 1) * ranks] - x->slice[round * ranks];
}

static size_t own_slices(const struct optimizer_ranks *x, size_t round)
{
    size_t part = round * x->share.ranks + x->share.rank;
    return x->slice[part + 1] - x->slice[part];
}

/* The blocks of the oldest round are there. */
static void receive(struct optimizer_ranks *x)
{
    size_t round = x->done - 1;
    const struct flight *f = &x->flight[round % 2];
    const size_t *border =
        x->job->part + round * x->share.ranks + x->share.rank;
    if (f->in != NULL)
        widen_blocks(f, x, border[1] - border[0]);
    x->round = round;
}

/* May another be begun, as there is room? */
static bool may_begin(const struct optimizer_ranks *x)
{
    return x->next > 0 && x->done - x->next < 2;
}

void optimizer_ranks_start(struct optimizer *o)
{
    o->ranks->job = o;
    o->ranks->next = o->ranks->done = o->ranks->n_round;
}

bool optimizer_ranks_flies(const struct optimizer *o)
{
    return o->ranks->next < o->ranks->done;
}

size_t optimizer_ranks_left(const struct optimizer *o)
{
    return o->ranks->done;
}

/* Have the blocks of the oldest round that is under way arrived?  Then it is
 * under way no more. */
static bool has_landed(const struct optimizer_ranks *x)
{
    struct comm_exchange *oldest = x->flight[(x->done - 1) % 2].exchange;
    if (x->next == x->done || !comm_exchange_poll(oldest))
        return false;
    comm_exchange_end(oldest);
    return true;
}

bool optimizer_ranks_move(struct optimizer *o, size_t final)
{
    struct optimizer_ranks *x = o->ranks;
    if (may_begin(x) && o->part[(x->next - 1) * x->share.ranks] >= final) {
        x->round = --x->next;
        for (size_t i = 0; i < round_slices(x, x->round); i++)
            (void)sum_inside(x, i, 0, NULL);
        begin_round(x, x->round);
        return true;
    }
    if (!has_landed(x))
        return false;
    receive(x);
    for (size_t i = 0; i < own_slices(x, x->round); i++)
        (void)sum_across(x, i, 0, NULL);
    x->done--;
    return true;
}

bool optimizer_ranks_drop(struct optimizer *o)
{
    struct optimizer_ranks *x = o->ranks;
    if (may_begin(x)) {
        begin_dropped(x, --x->next);
        return true;
    }
    if (!has_landed(x))
        return false;
    x->done--;
    return true;
}

/* Whatever is left, with the team. */
static enum status finish_rounds(struct optimizer_ranks *x, struct team *team,
                                 struct err *err)
{
    while (x->done > 0) {
        if (may_begin(x)) {
            x->round = --x->next;
            TRY(team_run(team, round_slices(x, x->round), sum_inside, x, err));
            begin_round(x, x->round);
            continue;
        }
        comm_exchange_end(x->flight[(x->done - 1) % 2].exchange);
        receive(x);
        TRY(team_run(team, own_slices(x, x->round), sum_across, x, err));
        x->done--;
    }
    return OK;
}

/* The squares of all slices, which every rank adds up in the same order. */
static enum status share_squares(struct optimizer *o, struct err *err)
{
    struct optimizer_ranks *x = o->ranks;
    size_t ranks = x->share.ranks, at = 0;
    double *own = x->square + x->square_bytes[x->share.rank] / sizeof *own;
    for (size_t i = 0; i < o->n_own; i++)
        own[i] = o->slice[o->own[i]].square;
    TRY(comm_gather(o->comm, x->square, x->square_bytes, err));
    for (size_t r = 0; r < ranks; r++)
        for (size_t p = r; p < o->n_part; p += ranks)
            for (size_t s = x->slice[p]; s < x->slice[p + 1]; s++)
                o->slice[s].square = x->square[at++];
    return OK;
}

enum status optimizer_ranks_reduce(struct optimizer *o,
                                   const struct context *context,
                                   struct err *err)
{
    /* Nobody waits in an exchange for a rank that has given up. */
    TRY(comm_agree(o->comm, OK, err));
    if (!optimizer_behind_take(o))
        optimizer_ranks_start(o);
    TRY(finish_rounds(o->ranks, context->team, err));
    return share_squares(o, err);
}

enum status optimizer_ranks_publish(struct optimizer *o, float *params,
                                    struct err *err)
{
    const struct optimizer_ranks *x = o->ranks;
    for (size_t k = 0; k < x->n_round; k++)
        TRY(comm_gather(o->comm, params, x->bytes + k * x->share.ranks, err));
    return OK;
}
