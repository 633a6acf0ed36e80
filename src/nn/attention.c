#include "nn/attention.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "nn/fastmath.h"

/*
 * Query rows are worked off ROWS at a time, so that every key and value loaded
 * serves all of them; keys and channels in tiles, for which the sums stay in
 * registers.  Scores of keys behind a row's own position (the rest of its last
 * tile) are set to MASKED, whose exponential is exactly 0.
 *
 * The helpers are inlined into the two public functions, once for each of
 * the usual head sizes as a constant and once for any other.
 */
#define ROWS 4
#define KEYS 16
#define LANES 8 // sums of a softmax side by side, whatever a vector holds
#define CHANNELS 16
#define MASKED (-1e30f)

/* One key/value head of one sequence, and scratch to work in.  Its keys are
 * `before` rows of the parent and then its own T. */
struct view {
    const float *query; // first row; rows are `stride` apart
    size_t stride;
    const float *key, *value; // first row; rows are `kv_stride` apart
    size_t kv_stride;
    size_t T, before;
    size_t back;      // from the parent's first row to the own one, in floats
    size_t n, n_tile; // n = before + T; n_tile: up to a multiple of KEYS
    float scale;      // 1 / sqrt(D)
    float *key_t;     // [D,n_tile] transposed keys, zero behind n
    float *value_t;   // [D,n_tile]
    float *p;         // [ROWS,n_tile]
    float *ds;        // [ROWS,n_tile]
    float *joined;    // [4,n,D] used where there is a parent
};

static size_t tiled(size_t T)
{
    return (T + KEYS - 1) / KEYS * KEYS;
}

size_t attention_scratch(size_t T, size_t D)
{
    return tiled(T) * (6 * D + 2 * ROWS);
}

/* Sequence i, key/value head g; query is its first query head. */
static struct view view_of(const float *qkv, const struct pack *pack, size_t i,
                           size_t g, size_t H, size_t G, size_t D,
                           float *scratch)
{
    size_t stride = (H + 2 * G) * D;
    size_t own = pack->start[i], first;
    const float *row = qkv + own * stride;
    struct view a = {.stride = stride, .kv_stride = stride};
    a.T = pack->start[i + 1] - own;
    a.before = pack_before(&first, pack, i);
    a.back = (own - first) * stride;
    a.n = a.before + a.T;
    a.n_tile = tiled(a.n);
    a.query = row + g * (H / G) * D;
    a.key = row + (H + g) * D;
    a.value = row + (H + G + g) * D;
    a.scale = (float)(1.0 / sqrt((double)D));
    a.key_t = scratch;
    a.value_t = a.key_t + D * a.n_tile;
    a.p = a.value_t + D * a.n_tile;
    a.ds = a.p + ROWS * a.n_tile;
    a.joined = a.ds + ROWS * a.n_tile;
    return a;
}

/* out[n,D] = the parent's rows of x and then the own ones, whose first is
 * x[0]; where there is no parent, nothing needs to be moved. */
NN_INLINE void join(float *restrict out, const float *restrict x,
                    const struct view *a, size_t D)
{
    for (size_t r = 0; r < a->before; r++)
        memcpy(out + r * D, x - a->back + r * a->stride, D * sizeof *out);
    out += a->before * D;
    for (size_t r = 0; r < a->T; r++)
        memcpy(out + r * D, x + r * a->stride, D * sizeof *out);
}

/* join() backwards: adds the gradient of what it made. */
NN_INLINE void join_backward(float *restrict dx, const float *restrict dout,
                             const struct view *a, size_t D)
{
    for (size_t r = 0; r < a->n; r++) {
        float *dx_r = r < a->before ? dx - a->back + r * a->stride
                                    : dx + (r - a->before) * a->stride;
#pragma omp simd
        for (size_t d = 0; d < D; d++)
            dx_r[d] += dout[r * D + d];
    }
}

/* out[D,T_tile] = transpose of T rows of x, zero behind T. */
NN_INLINE void transpose(float *restrict out, const float *restrict x,
                         size_t stride, size_t T, size_t T_tile, size_t D)
{
    for (size_t d = 0; d < D; d++) {
        float *out_d = out + d * T_tile;
        for (size_t s = 0; s < T; s++)
            out_d[s] = x[s * stride + d];
        for (size_t s = T; s < T_tile; s++)
            out_d[s] = 0.0f;
    }
}

/*
 * out[r,s] = x[r,:] . y_t[:,s] for s < n, a multiple of KEYS.  Rows from
 * `rows` on repeat the last one, so that the loops have known lengths.
 */
NN_INLINE void dot_rows(float *restrict out, const float *restrict x,
                        size_t stride, size_t rows, const float *restrict y_t,
                        size_t T_tile, size_t n, size_t D)
{
    const float *x_row[ROWS];
    for (size_t r = 0; r < ROWS; r++)
        x_row[r] = x + (r < rows ? r : rows - 1) * stride;
    for (size_t s = 0; s < n; s += KEYS) {
        float sum[ROWS][KEYS] = {{0}};
        for (size_t d = 0; d < D; d++) {
            const float *y = y_t + d * T_tile + s;
            for (size_t r = 0; r < ROWS; r++) {
                float x_rd = x_row[r][d];
#pragma omp simd
                for (size_t j = 0; j < KEYS; j++)
                    sum[r][j] += x_rd * y[j];
            }
        }
        for (size_t r = 0; r < ROWS; r++)
            memcpy(out + r * T_tile + s, sum[r], sizeof sum[r]);
    }
}

/* One tile of weighted_rows(): `width` channels from the d-th on. */
NN_INLINE void weighted_tile(float *restrict out, size_t out_stride,
                             size_t rows, const float *restrict weight,
                             size_t T_tile, const float *restrict x,
                             size_t stride, size_t n, size_t width)
{
    float sum[ROWS][CHANNELS] = {{0}};
    for (size_t s = 0; s < n; s++) {
        const float *x_s = x + s * stride;
        for (size_t r = 0; r < ROWS; r++) {
            float w = weight[r * T_tile + s];
#pragma omp simd
            for (size_t j = 0; j < width; j++)
                sum[r][j] += w * x_s[j];
        }
    }
    for (size_t r = 0; r < rows; r++)
        memcpy(out + r * out_stride, sum[r], width * sizeof(float));
}

/* out[r,:] = sum over s < n of weight[r,s] x[s,:], for r < rows. */
NN_INLINE void weighted_rows(float *restrict out, size_t out_stride,
                             size_t rows, const float *restrict weight,
                             size_t T_tile, const float *restrict x,
                             size_t stride, size_t n, size_t D)
{
    size_t d = 0;
    for (; d + CHANNELS <= D; d += CHANNELS)
        weighted_tile(out + d, out_stride, rows, weight, T_tile, x + d, stride,
                      n, CHANNELS);
    if (d < D)
        weighted_tile(out + d, out_stride, rows, weight, T_tile, x + d, stride,
                      n, D - d);
}

/* dx[s,:] += sum over r < ROWS of weight[r,s] dy[r,:], for s < n; dy rows
 * from `rows` on repeat the last one and have weight zero. */
NN_INLINE void spread_rows(float *restrict dx, size_t stride,
                           const float *restrict weight, size_t T_tile,
                           const float *restrict dy, size_t dy_stride,
                           size_t rows, size_t n, size_t D)
{
    const float *y[ROWS];
    for (size_t r = 0; r < ROWS; r++)
        y[r] = dy + (r < rows ? r : rows - 1) * dy_stride;
    for (size_t s = 0; s < n; s++) {
        float *dx_s = dx + s * stride;
        const float *w = weight + s;
        float w0 = w[0], w1 = w[T_tile];
        float w2 = w[2 * T_tile], w3 = w[3 * T_tile];
#pragma omp simd
        for (size_t d = 0; d < D; d++)
            dx_s[d] +=
                (w0 * y[0][d] + w1 * y[1][d]) + (w2 * y[2][d] + w3 * y[3][d]);
    }
}

/* Scores behind a row's own position: the rest of its last tile. */
NN_INLINE void mask_tail(float *a, size_t valid, size_t n)
{
    for (size_t s = valid; s < n; s++)
        a[s] = MASKED;
}

NN_INLINE float greatest(const float lane[LANES])
{
    float max = lane[0];
    for (size_t j = 1; j < LANES; j++)
        max = lane[j] > max ? lane[j] : max;
    return max;
}

NN_INLINE float total(const float lane[LANES])
{
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
           ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/*
 * Scores a[r,0..n-1] of R rows become exp(a scale - max[r]); sum and max come
 * back.  n is a multiple of LANES.
 */
NN_INLINE void softmax_rows(float *restrict a, size_t T_tile, size_t R,
                            size_t n, float scale, float *restrict sum,
                            float *restrict max)
{
    float lane[ROWS][LANES];
    for (size_t r = 0; r < R; r++)
        for (size_t j = 0; j < LANES; j++)
            lane[r][j] = MASKED;
    for (size_t s = 0; s < n; s += LANES) {
        for (size_t r = 0; r < R; r++) {
#pragma omp simd
            for (size_t j = 0; j < LANES; j++) {
                float x = a[r * T_tile + s + j];
                lane[r][j] = x > lane[r][j] ? x : lane[r][j];
            }
        }
    }
    for (size_t r = 0; r < R; r++) {
        max[r] = greatest(lane[r]) * scale;
        memset(lane[r], 0, sizeof lane[r]);
    }
    for (size_t s = 0; s < n; s += LANES) {
        for (size_t r = 0; r < R; r++) {
            float *a_s = a + r * T_tile + s;
#pragma omp simd
            for (size_t j = 0; j < LANES; j++) {
                float e = fastmath_exp(a_s[j] * scale - max[r]);
                a_s[j] = e;
                lane[r][j] += e;
            }
        }
    }
    for (size_t r = 0; r < R; r++)
        sum[r] = total(lane[r]);
}

/* All rows of one query head; rows of out are H*D apart, of lse H. */
NN_INLINE void forward_head(float *restrict out, float *restrict lse,
                            const struct view *a, size_t H, size_t D)
{
    for (size_t t = 0; t < a->T; t += ROWS) {
        size_t rows = a->T - t < ROWS ? a->T - t : ROWS;
        size_t seen = a->before + t + rows, n = tiled(seen);
        dot_rows(a->p, a->query + t * a->stride, a->stride, rows, a->key_t,
                 a->n_tile, n, D);
        for (size_t r = 0; r < ROWS; r++)
            mask_tail(a->p + r * a->n_tile,
                      a->before + t + (r < rows ? r : 0) + 1, n);
        float sum[ROWS], max[ROWS];
        softmax_rows(a->p, a->n_tile, ROWS, n, a->scale, sum, max);
        for (size_t r = 0; lse != NULL && r < rows; r++)
            lse[(t + r) * H] = max[r] + logf(sum[r]);
        float *out_t = out + t * H * D;
        weighted_rows(out_t, H * D, rows, a->p, a->n_tile, a->value,
                      a->kv_stride, seen, D);
        for (size_t r = 0; r < rows; r++) {
            float inverse = 1.0f / sum[r];
#pragma omp simd
            for (size_t d = 0; d < D; d++)
                out_t[r * H * D + d] *= inverse;
        }
    }
}

/* Keys and values of a child are joined with its parent's. */
NN_INLINE void join_view(struct view *a, size_t D)
{
    if (a->before == 0)
        return;
    float *key = a->joined, *value = key + a->n * D;
    join(key, a->key, a, D);
    join(value, a->value, a, D);
    a->key = key;
    a->value = value;
    a->kv_stride = D;
}

NN_INLINE void forward(float *restrict out, float *restrict lse,
                       const float *restrict qkv, const struct pack *pack,
                       size_t H, size_t G, size_t D, float *restrict scratch)
{
    for (size_t i = 0; i < pack->n_seq; i++) {
        size_t first = pack->start[i];
        for (size_t g = 0; g < G; g++) {
            struct view a = view_of(qkv, pack, i, g, H, G, D, scratch);
            join_view(&a, D);
            transpose(a.key_t, a.key, a.kv_stride, a.n, a.n_tile, D);
            for (size_t h = g * (H / G); h < (g + 1) * (H / G); h++) {
                forward_head(out + first * H * D + h * D,
                             lse == NULL ? NULL : lse + first * H + h, &a, H,
                             D);
                a.query += D;
            }
        }
    }
}

NN_CLONES void attention_forward(float *restrict out, float *restrict lse,
                                 const float *restrict qkv,
                                 const struct pack *pack, size_t H, size_t G,
                                 size_t D, float *restrict scratch)
{
    assert(G > 0 && H % G == 0);
    if (D == 16)
        forward(out, lse, qkv, pack, H, G, 16, scratch);
    else if (D == 64)
        forward(out, lse, qkv, pack, H, G, 64, scratch);
    else
        forward(out, lse, qkv, pack, H, G, D, scratch);
}

/* Where the gradients of one head go, and what they come from. */
struct gradient {
    float *dquery;           // first row; rows as far apart as qkv's
    float *dkey, *dvalue;    // first row; rows as far apart as the view's
    const float *dout, *out; // first row; rows H*D apart
    const float *lse;        // rows H apart
};

/*
 * Scores a[0..n-1] become p = exp(a scale - lse), and
 *     dp[s] = dout . value[s]      becomes
 *     ds[s] = p[s] (dp[s] - delta) scale,   delta = sum_s p dp = dout . out
 */
NN_INLINE void softmax_backward_row(float *restrict a, float *restrict ds,
                                    size_t n, float scale, float lse,
                                    float delta)
{
    for (size_t s = 0; s < n; s += KEYS) {
#pragma omp simd
        for (size_t j = 0; j < KEYS; j++) {
            float p = fastmath_exp(a[s + j] * scale - lse);
            a[s + j] = p;
            ds[s + j] = p * (ds[s + j] - delta) * scale;
        }
    }
}

NN_INLINE void backward_head(const struct gradient *d, const struct view *a,
                             size_t H, size_t D)
{
    size_t n_tile = a->n_tile, HD = H * D;
    for (size_t t = 0; t < a->T; t += ROWS) {
        size_t rows = a->T - t < ROWS ? a->T - t : ROWS;
        size_t seen = a->before + t + rows, n = tiled(seen);
        const float *query = a->query + t * a->stride;
        const float *dout = d->dout + t * HD;
        const float *out = d->out + t * HD;
        dot_rows(a->p, query, a->stride, rows, a->key_t, n_tile, n, D);
        dot_rows(a->ds, dout, HD, rows, a->value_t, n_tile, n, D);
        for (size_t r = 0; r < rows; r++) {
            float delta = 0.0f;
#pragma omp simd reduction(+ : delta)
            for (size_t c = 0; c < D; c++)
                delta += dout[r * HD + c] * out[r * HD + c];
            mask_tail(a->p + r * n_tile, a->before + t + r + 1, n);
            softmax_backward_row(a->p + r * n_tile, a->ds + r * n_tile, n,
                                 a->scale, d->lse[(t + r) * H], delta);
        }
        for (size_t r = rows; r < ROWS; r++) {
            memset(a->p + r * n_tile, 0, n * sizeof(float));
            memset(a->ds + r * n_tile, 0, n * sizeof(float));
        }
        /* a = q . k */
        weighted_rows(d->dquery + t * a->stride, a->stride, rows, a->ds, n_tile,
                      a->key, a->kv_stride, seen, D);
        spread_rows(d->dkey, a->kv_stride, a->ds, n_tile, query, a->stride,
                    rows, seen, D);
        /* out = p v */
        spread_rows(d->dvalue, a->kv_stride, a->p, n_tile, dout, HD, rows, seen,
                    D);
    }
}

/* One key/value head of sequence i with all its query heads. */
NN_INLINE void backward_group(float *restrict dqkv, const float *restrict dout,
                              const float *restrict out,
                              const float *restrict lse,
                              const struct pack *pack, size_t i, size_t g,
                              size_t H, size_t G, size_t D, struct view *a)
{
    size_t first = pack->start[i];
    float *drow = dqkv + first * a->stride;
    float *dkey = drow + (H + g) * D, *dvalue = drow + (H + G + g) * D;
    struct gradient d = {.dkey = dkey, .dvalue = dvalue};
    join_view(a, D);
    transpose(a->key_t, a->key, a->kv_stride, a->n, a->n_tile, D);
    transpose(a->value_t, a->value, a->kv_stride, a->n, a->n_tile, D);
    if (a->before > 0) {
        d.dkey = a->joined + 2 * a->n * D;
        d.dvalue = d.dkey + a->n * D;
        memset(d.dkey, 0, 2 * a->n * D * sizeof(float));
    }
    for (size_t h = g * (H / G); h < (g + 1) * (H / G); h++) {
        d.dquery = drow + h * D;
        d.dout = dout + (first * H + h) * D;
        d.out = out + (first * H + h) * D;
        d.lse = lse + first * H + h;
        backward_head(&d, a, H, D);
        a->query += D;
    }
    if (a->before > 0) {
        join_backward(dkey, d.dkey, a, D);
        join_backward(dvalue, d.dvalue, a, D);
    }
}

NN_INLINE void backward(float *restrict dqkv, const float *restrict dout,
                        const float *restrict out, const float *restrict lse,
                        const float *restrict qkv, const struct pack *pack,
                        size_t H, size_t G, size_t D, float *restrict scratch)
{
    size_t stride = (H + 2 * G) * D;
    for (size_t i = 0; i < pack->n_seq; i++) {
        size_t first = pack->start[i], T = pack->start[i + 1] - first;
        /* A parent's rows come before those of its children, which add to
         * them. */
        memset(dqkv + first * stride, 0, T * stride * sizeof *dqkv);
        for (size_t g = 0; g < G; g++) {
            struct view a = view_of(qkv, pack, i, g, H, G, D, scratch);
            backward_group(dqkv, dout, out, lse, pack, i, g, H, G, D, &a);
        }
    }
}

NN_CLONES void
attention_backward(float *restrict dqkv, const float *restrict dout,
                   const float *restrict out, const float *restrict lse,
                   const float *restrict qkv, const struct pack *pack, size_t H,
                   size_t G, size_t D, float *restrict scratch)
{
    assert(G > 0 && H % G == 0);
    if (D == 16)
        backward(dqkv, dout, out, lse, qkv, pack, H, G, 16, scratch);
    else if (D == 64)
        backward(dqkv, dout, out, lse, qkv, pack, H, G, 64, scratch);
    else
        backward(dqkv, dout, out, lse, qkv, pack, H, G, D, scratch);
}
