#include "nn/attention.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "nn/attention_kernels.h"
#include "nn/ops.h"

/*
 * Queries are worked off in blocks of ROWS, keys in chunks of KEYS, so that
 * the scores of a block and a chunk stay in the first level of cache and its
 * keys in the second.  Within, everything goes a stripe of rows at a time
 * (nn/attention_kernels.h) and leaves out the keys that none of them sees.
 *
 * The forward pass meets the greatest score of a row chunk by chunk: what has
 * been summed up by then is scaled down when a greater one comes.
 */
#define ROWS ((size_t)48)
#define KEYS ((size_t)96)
/* Keys that are not packed: each would not be read often enough. */
#define FEW ((size_t)256)

static_assert(ROWS % STRIPE == 0 && KEYS % STRIPE == 0, "whole stripes");
static_assert(KEYS % PANEL == 0, "whole panels");

/* Rows where they lie, `ld` floats apart, or packed. */
struct rows {
    const float *x;
    size_t ld;
};

/* One key/value head of one sequence, and scratch to work in.  Its keys are
 * `before` rows of the parent and then its own T. */
struct work {
    enum rowwise_level level;
    const struct attention_kernels *k;
    size_t D, width; // width: D up to whole panels
    size_t T, before;
    size_t n;               // before + T
    size_t back;            // from the parent's first row to the own one
    size_t stride;          // of the rows of qkv
    float scale;            // 1 / sqrt(D)
    float *key_t, *value_t; // panels [n/PANEL,D,PANEL], zero behind n
    struct rows key, value; // [n,width], zero behind D
    float *dkey, *dvalue;   // [n,width]
    float *sum;             // [ROWS,width] what comes out
    /* For what needs to be packed. */
    float *packed_key, *packed_value;  // [n,width]
    float *packed_query, *packed_dout; // [ROWS,width]
    float *p, *ds;                     // [ROWS,KEYS]
};

/* Queries t..t+rows-1 and keys s..s+keys-1. */
struct block {
    size_t t, rows, s, keys;
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t whole(size_t n)
{
    return (n + PANEL - 1) / PANEL * PANEL;
}

/* Rows of a packed matrix: its last stripe may reach behind n. */
static size_t packed_rows(size_t n)
{
    return whole(n) + PANEL;
}

size_t attention_scratch(size_t T, size_t D)
{
    size_t width = whole(D);

    return 2 * whole(T) * D + 4 * packed_rows(T) * width + 3 * ROWS * width +
           2 * ROWS * KEYS;
}

static float *carve(float **scratch, size_t n)
{
    float *part = *scratch;

    *scratch += n;
    return part;
}

/* Sequence i; nothing is packed yet. */
static struct work work_of(const struct pack *pack, size_t i, size_t stride,
                           size_t D, float *scratch)
{
    size_t own = pack->start[i], first, rows, width = whole(D);
    struct work w = {.level = rowwise_level(), .D = D, .width = width};

    w.k = attention_kernels(w.level);
    w.T = pack->start[i + 1] - own;
    w.before = pack_before(&first, pack, i);
    w.n = w.before + w.T;
    w.back = (own - first) * stride;
    w.stride = stride;
    w.scale = (float)(1.0 / sqrt((double)D));
    rows = packed_rows(w.n);
    w.key_t = carve(&scratch, whole(w.n) * D);
    w.value_t = carve(&scratch, whole(w.n) * D);
    w.packed_key = carve(&scratch, rows * width);
    w.packed_value = carve(&scratch, rows * width);
    w.dkey = carve(&scratch, rows * width);
    w.dvalue = carve(&scratch, rows * width);
    w.packed_query = carve(&scratch, ROWS * width);
    w.packed_dout = carve(&scratch, ROWS * width);
    w.sum = carve(&scratch, ROWS * width);
    w.p = carve(&scratch, ROWS * KEYS);
    w.ds = carve(&scratch, ROWS * KEYS);
    return w;
}

/* ---- packing ------------------------------------------------------------- */

/* The parent's rows of x and then the own ones, whose first is x[0]: where they
 * lie, if they are few and need no company, else packed. */
static struct rows join(float *packed, const float *x, const struct work *w)
{
    size_t width = w->width;

    if (w->before == 0 && w->D == width && w->n <= FEW)
        return (struct rows){x, w->stride};
    if (w->before > 0)
        w->k->copy(packed, width, x - w->back, w->stride, w->before, w->D,
                   width);
    w->k->copy(packed + w->before * width, width, x, w->stride, w->T, w->D,
               width);
    return (struct rows){packed, width};
}

/* join() backwards: the own rows of dx are set, the parent's added to. */
static void join_backward(float *dx, const float *dout, const struct work *w)
{
    for (size_t r = 0; r < w->before; r++)
        add_into(dx - w->back + r * w->stride, dout + r * w->width, w->D);
    w->k->copy(dx, w->stride, dout + w->before * w->width, w->width, w->T, w->D,
               w->D);
}

static void turn(float *out, const struct rows *x, const struct work *w)
{
    for (size_t s = 0; s < w->n; s += PANEL)
        rowwise_turn(out + s * w->D, x->x + s * x->ld, x->ld,
                     least(w->n - s, PANEL), w->D, PANEL, w->level);
}

/* Whether a block's rows can be worked on where they lie: whole stripes of
 * whole panels. */
static bool is_whole(const struct work *w, const struct block *b)
{
    return w->D == w->width && b->rows % STRIPE == 0;
}

/* Rows t.. of x for a block: where they lie, or packed with zeros behind. */
static struct rows take(float *packed, const float *x, size_t stride,
                        const struct work *w, const struct block *b)
{
    size_t end = (b->rows + STRIPE - 1) / STRIPE * STRIPE;

    x += b->t * stride;
    if (is_whole(w, b))
        return (struct rows){x, stride};
    w->k->copy(packed, w->width, x, stride, b->rows, w->D, w->width);
    memset(packed + b->rows * w->width, 0,
           (end - b->rows) * w->width * sizeof *packed);
    return (struct rows){packed, w->width};
}

/* The next chunk of keys of which the block sees some. */
static bool next_chunk(struct block *b, const struct work *w)
{
    b->s += b->keys;
    b->keys = least(w->before + b->t + b->rows - b->s, KEYS);
    return b->keys > 0;
}

/* How many keys of the chunk the stripe sees that begins with row r. */
static size_t stripe_sees(const struct work *w, const struct block *b, size_t r)
{
    size_t end = w->before + b->t + least(r + STRIPE, b->rows);

    return end < b->s ? 0 : least(end - b->s, b->keys);
}

/* The stripe itself; rows see one key more than stand before them. */
static struct stripe stripe_of(const struct work *w, const struct block *b,
                               size_t r, size_t n)
{
    return (struct stripe){
        w->p + r * KEYS, KEYS, n,
        (ptrdiff_t)(w->before + b->t + r + 1) - (ptrdiff_t)b->s, w->scale};
}

/* ---- products ------------------------------------------------------------ */

/* score[r,s] = x[r,:] . y[s,:], where y_t has the panels of y. */
static void scores(float *score, const struct rows *x, const float *y_t,
                   const struct work *w, const struct block *b)
{
    struct tile tile = {.ldc = KEYS,
                        .lda = x->ld,
                        .b = y_t + b->s * w->D,
                        .ldb = PANEL,
                        .panel = PANEL * w->D,
                        .K = w->D};

    for (size_t r = 0; r < b->rows; r += STRIPE) {
        tile.c = score + r * KEYS;
        tile.a = x->x + r * x->ld;
        tile.N = whole(stripe_sees(w, b, r));
        w->k->product(&tile);
    }
}

/* out[r,:] = sum over the chunk of weight[r,s] x[s,:], added to that of the
 * chunks before; rows of out are ldo floats apart. */
static void weigh(float *out, size_t ldo, const float *weight,
                  const struct rows *x, const struct work *w,
                  const struct block *b)
{
    struct tile tile = {.ldc = ldo,
                        .lda = KEYS,
                        .b = x->x + b->s * x->ld,
                        .ldb = x->ld,
                        .panel = PANEL,
                        .N = w->width,
                        .accumulate = b->s > 0};

    for (size_t r = 0; r < b->rows; r += STRIPE) {
        tile.c = out + r * ldo;
        tile.a = weight + r * KEYS;
        tile.K = stripe_sees(w, b, r);
        if (tile.K > 0)
            w->k->product(&tile);
    }
}

/* dx[s,:] += sum over the block of weight[r,s] dy[r,:], which begins with the
 * first row that sees a key. */
static void spread(float *dx, const float *weight, const struct rows *dy,
                   const struct work *w, const struct block *b)
{
    size_t first = w->before + b->t;
    struct tile tile = {.ldc = w->width,
                        .lda = KEYS,
                        .turned = true,
                        .ldb = dy->ld,
                        .panel = PANEL,
                        .N = w->width,
                        .accumulate = true};

    for (size_t s = 0; s < b->keys; s += STRIPE) {
        size_t r = b->s + s < first ? 0 : b->s + s - first;

        tile.c = dx + (b->s + s) * w->width;
        tile.a = weight + r * KEYS + s;
        tile.b = dy->x + r * dy->ld;
        tile.K = b->rows - r;
        w->k->product(&tile);
    }
}

/* ---- forward ------------------------------------------------------------- */

static void soften(struct softmax *row, const struct work *w,
                   const struct block *b)
{
    for (size_t r = 0; r < b->rows; r += STRIPE) {
        size_t n = whole(stripe_sees(w, b, r));
        struct stripe s = stripe_of(w, b, r, n);

        if (n > 0)
            w->k->soften(row + r / STRIPE, w->sum + r * w->width,
                         b->s > 0 ? w->width : 0, &s);
    }
}

/* All rows of one query head; rows of out are H*D apart, of lse H. */
static void forward_head(float *out, float *lse, const float *query,
                         const struct work *w, size_t H)
{
    struct softmax row[ROWS / STRIPE];
    size_t stride = H * w->D;

    for (size_t t = 0; t < w->T; t += ROWS) {
        struct block b = {.t = t, .rows = least(w->T - t, ROWS)};

        struct rows q = take(w->packed_query, query, w->stride, w, &b);

        while (next_chunk(&b, w)) {
            scores(w->p, &q, w->key_t, w, &b);
            soften(row, w, &b);
            weigh(w->sum, w->width, w->p, &w->value, w, &b);
        }
        for (size_t r = 0; r < b.rows; r += STRIPE)
            w->k->finish(out + (t + r) * stride, stride,
                         lse == NULL ? NULL : lse + (t + r) * H, H,
                         w->sum + r * w->width, w->width,
                         least(b.rows - r, STRIPE), w->D, row + r / STRIPE);
    }
}

void attention_forward(float *restrict out, float *restrict lse,
                       const float *restrict qkv, const struct pack *pack,
                       size_t H, size_t G, size_t D, float *restrict scratch)
{
    size_t stride = (H + 2 * G) * D, heads = H / G;

    assert(G > 0 && H % G == 0);
    for (size_t i = 0; i < pack->n_seq; i++) {
        size_t first = pack->start[i];
        struct work w = work_of(pack, i, stride, D, scratch);

        for (size_t g = 0; g < G && w.T > 0; g++) {
            const float *row = qkv + first * stride;

            w.key = join(w.packed_key, row + (H + g) * D, &w);
            w.value = join(w.packed_value, row + (H + G + g) * D, &w);
            turn(w.key_t, &w.key, &w);
            for (size_t h = g * heads; h < (g + 1) * heads; h++)
                forward_head(out + (first * H + h) * D,
                             lse == NULL ? NULL : lse + first * H + h,
                             row + h * D, &w, H);
        }
    }
}

/* ---- backward ------------------------------------------------------------ */

/* Where the gradients of one query head go, and what they come from. */
struct gradient {
    float *dquery;           // first row; rows as far apart as qkv's
    const float *query;      // first row; likewise
    const float *dout, *out; // first row; rows `stride` apart
    size_t stride;
    const float *lse; // rows H apart
    size_t H;
};

/* Of the rows of a block; zero behind them. */
struct known {
    float lse[ROWS];
    float delta[ROWS]; // sum_s p dp = dout . out
};

static void know(struct known *k, const struct gradient *d,
                 const struct work *w, const struct block *b)
{
    size_t at = b->t * d->stride;

    w->k->dots(k->delta, d->dout + at, d->stride, d->out + at, d->stride,
               b->rows, w->D);
    for (size_t r = 0; r < b->rows; r++)
        k->lse[r] = d->lse[(b->t + r) * d->H];
    for (size_t r = b->rows; r < ROWS; r++)
        k->lse[r] = k->delta[r] = 0.0f;
}

/* As far as spread() reads, there are zeros for keys that nobody sees. */
static void soften_backward(const struct known *known, const struct work *w,
                            const struct block *b)
{
    for (size_t r = 0; r < b->rows; r += STRIPE) {
        size_t n = stripe_sees(w, b, r);
        struct stripe s =
            stripe_of(w, b, r, least(whole(n + STRIPE - 1), KEYS));

        if (n > 0)
            w->k->soften_backward(w->ds + r * KEYS, known->lse + r,
                                  known->delta + r, &s);
    }
}

static void backward_head(const struct gradient *d, const struct work *w)
{
    for (size_t t = 0; t < w->T; t += ROWS) {
        struct block b = {.t = t, .rows = least(w->T - t, ROWS)};
        struct known known;
        struct rows q = take(w->packed_query, d->query, w->stride, w, &b);
        struct rows dout = take(w->packed_dout, d->dout, d->stride, w, &b);
        float *dquery = d->dquery + t * w->stride;
        bool is_direct = is_whole(w, &b);
        float *sum = is_direct ? dquery : w->sum;
        size_t ld = is_direct ? w->stride : w->width;

        know(&known, d, w, &b);
        while (next_chunk(&b, w)) {
            scores(w->p, &q, w->key_t, w, &b);
            scores(w->ds, &dout, w->value_t, w, &b);
            soften_backward(&known, w, &b);
            /* a = q . k */
            weigh(sum, ld, w->ds, &w->key, w, &b);
            spread(w->dkey, w->ds, &q, w, &b);
            /* out = p v */
            spread(w->dvalue, w->p, &dout, w, &b);
        }
        if (!is_direct)
            w->k->copy(dquery, w->stride, sum, ld, b.rows, w->D, w->D);
    }
}

/* One key/value head of sequence i with all its query heads. */
static void backward_group(float *restrict dqkv, const float *restrict dout,
                           const float *restrict out, const float *restrict lse,
                           const float *restrict qkv, size_t first, size_t g,
                           size_t H, size_t G, struct work *w)
{
    size_t D = w->D, heads = H / G;
    const float *row = qkv + first * w->stride;
    float *drow = dqkv + first * w->stride;

    w->key = join(w->packed_key, row + (H + g) * D, w);
    w->value = join(w->packed_value, row + (H + G + g) * D, w);
    turn(w->key_t, &w->key, w);
    turn(w->value_t, &w->value, w);
    memset(w->dkey, 0, w->n * w->width * sizeof(float));
    memset(w->dvalue, 0, w->n * w->width * sizeof(float));
    for (size_t h = g * heads; h < (g + 1) * heads; h++) {
        size_t at = (first * H + h) * D;

        backward_head(&(struct gradient){drow + h * D, row + h * D, dout + at,
                                         out + at, H * D, lse + first * H + h,
                                         H},
                      w);
    }
    /* A parent's rows come before those of its children, which add to them. */
    join_backward(drow + (H + g) * D, w->dkey, w);
    join_backward(drow + (H + G + g) * D, w->dvalue, w);
}

void attention_backward(float *restrict dqkv, const float *restrict dout,
                        const float *restrict out, const float *restrict lse,
                        const float *restrict qkv, const struct pack *pack,
                        size_t H, size_t G, size_t D, float *restrict scratch)
{
    assert(G > 0 && H % G == 0);
    for (size_t i = 0; i < pack->n_seq; i++) {
        struct work w = work_of(pack, i, (H + 2 * G) * D, D, scratch);

        for (size_t g = 0; g < G && w.T > 0; g++)
            backward_group(dqkv, dout, out, lse, qkv, pack->start[i], g, H, G,
                           &w);
    }
}
