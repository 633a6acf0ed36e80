/*
 * attention_level.h - the steps of nn/attention_kernels.h for one level.
 *
 * Included by nn/attention_kernels.c once per level, which defines before
 *     LEVEL(name)  the name at this level
 *     AT_LEVEL     the attribute of functions of this level
 *     LANES        floats of a register: 4, 8 or 16
 *     TILE_ROWS    of a product at a time, and
 *     TILE_PANELS  as many as there are registers for
 * and undefines what it needs to.
 */

typedef float LEVEL(vec) __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t LEVEL(ints) __attribute__((vector_size(LANES * sizeof(float))));
typedef uint32_t LEVEL(bits)
    __attribute__((vector_size(LANES * sizeof(float))));
#define vec LEVEL(vec)
#define ints LEVEL(ints)
#define bits LEVEL(bits)
#define INLINE AT_LEVEL NN_INLINE
#define PARTS (PANEL / LANES) // registers of a panel

INLINE vec LEVEL(load)(const float *x)
{
    vec v;

    memcpy(&v, x, sizeof v);
    return v;
}

INLINE void LEVEL(store)(float *x, vec v)
{
    memcpy(x, &v, sizeof v);
}

/* ---- products ------------------------------------------------------------ */

/* Sums in registers: rows and panels are constants. */
INLINE void LEVEL(sums)(const struct tile *t, float *c, const float *a,
                        const float *b, size_t rows, size_t panels, bool turned)
{
    size_t along = turned ? 1 : t->lda, step = turned ? t->lda : 1;
    vec sum[TILE_ROWS][TILE_PANELS * PARTS];

    UNROLL
    for (size_t r = 0; r < rows; r++) {
        UNROLL
        for (size_t j = 0; j < panels * PARTS; j++) {
            sum[r][j] = (vec){0};
            if (t->accumulate)
                sum[r][j] = LEVEL(load)(c + r * t->ldc + j * LANES);
        }
    }
    for (size_t k = 0; k < t->K; k++) {
        vec b_k[TILE_PANELS * PARTS];

        UNROLL
        for (size_t j = 0; j < panels * PARTS; j++)
            b_k[j] = LEVEL(load)(b + j / PARTS * t->panel + j % PARTS * LANES);
        UNROLL
        for (size_t r = 0; r < rows; r++) {
            float a_rk = a[r * along];

            UNROLL
            for (size_t j = 0; j < panels * PARTS; j++)
                sum[r][j] += b_k[j] * a_rk;
        }
        a += step;
        b += t->ldb;
    }
    UNROLL
    for (size_t r = 0; r < rows; r++) {
        UNROLL
        for (size_t j = 0; j < panels * PARTS; j++)
            LEVEL(store)(c + r * t->ldc + j * LANES, sum[r][j]);
    }
}

/* All rows of some panels. */
INLINE void LEVEL(panels)(const struct tile *t, size_t first, size_t panels)
{
    float *c = t->c + first * PANEL;
    const float *b = t->b + first * t->panel;

    for (size_t r = 0; r < STRIPE; r += TILE_ROWS) {
        if (t->turned)
            LEVEL(sums)
        (t, c + r * t->ldc, t->a + r, b, TILE_ROWS, panels, true);
        else LEVEL(sums)(t, c + r * t->ldc, t->a + r * t->lda, b, TILE_ROWS,
                         panels, false);
    }
}

AT_LEVEL static void LEVEL(product)(const struct tile *t)
{
    size_t left, first = 0, n;

    for (left = t->N / PANEL; left > 0; left -= n, first += n) {
        n = left < TILE_PANELS ? left : TILE_PANELS;
        if (TILE_PANELS == 1 || n == 1)
            LEVEL(panels)(t, first, 1);
        else if (n == 2)
            LEVEL(panels)(t, first, 2);
        else if (n == 3)
            LEVEL(panels)(t, first, 3);
        else
            LEVEL(panels)(t, first, 4);
    }
}

/* ---- rows ---------------------------------------------------------------- */

AT_LEVEL static void LEVEL(copy)(float *restrict out, size_t ldo,
                                 const float *restrict x, size_t ldx, size_t n,
                                 size_t D, size_t width)
{
    for (size_t r = 0; r < n; r++) {
        size_t d = 0;

        /* Two at a time: gcc calls memcpy() for a loop of single ones. */
        for (; d + 2 * LANES <= D; d += 2 * LANES) {
            vec one = LEVEL(load)(x + d), two = LEVEL(load)(x + d + LANES);

            LEVEL(store)(out + d, one);
            LEVEL(store)(out + d + LANES, two);
        }
        if (d + LANES <= D) {
            LEVEL(store)(out + d, LEVEL(load)(x + d));
            d += LANES;
        }
        for (; d < width; d++)
            out[d] = d < D ? x[d] : 0.0f;
        out += ldo;
        x += ldx;
    }
}

/* x where the mask is -1, else y. */
INLINE vec LEVEL(choose)(ints mask, vec x, vec y)
{
    return (vec)((mask & (ints)x) | (~mask & (ints)y));
}

INLINE vec LEVEL(all)(float x)
{
    return x - (vec){0};
}

/* The greater one in every lane; where one is NaN, y. */
INLINE vec LEVEL(greater)(vec x, vec y)
{
    return LEVEL(choose)(x > y, x, y);
}

/* Which of the keys from s on a row sees that sees `end` of them. */
INLINE ints LEVEL(seen)(size_t s, ptrdiff_t end)
{
    const ints lane = LANE_NUMBERS;

    return lane < (int32_t)(end - (ptrdiff_t)s) - (ints){0};
}

/* Exponentials at a time, step by step: each step waits for the one before,
 * and meanwhile the others have theirs. */
#define SIDE ((size_t)3)
#define EACH                                                                   \
    UNROLL                                                                     \
    for (size_t i = 0; i < SIDE; i++)

/* fastmath_exp() of numbers up to 88.3. */
INLINE void LEVEL(exponentials)(vec x[SIDE])
{
    vec floor = LEVEL(all)(-88.0f);
    vec shifted[SIDE], n[SIDE], q[SIDE];

    EACH x[i] = LEVEL(choose)(x[i] < floor, floor, x[i]);
    EACH shifted[i] = x[i] * 0x1.715476p+0f + 0x1.8p+23f;
    EACH n[i] = shifted[i] - 0x1.8p+23f;
    EACH x[i] = x[i] - n[i] * 0x1.63p-1f;
    EACH x[i] = x[i] - n[i] * -0x1.bd0106p-13f;
    EACH q[i] = x[i] * 0x1.6a23dp-10f + 0x1.123a2p-7f;
    EACH q[i] = q[i] * x[i] + 0x1.5558f2p-5f;
    EACH q[i] = q[i] * x[i] + 0x1.555492p-3f;
    EACH q[i] = q[i] * x[i] + 0x1.fffffcp-2f;
    EACH q[i] = q[i] * x[i];
    EACH q[i] = q[i] * x[i] + x[i];
    EACH q[i] = q[i] + 1.0f;
    EACH x[i] = q[i] * (vec)(((bits)shifted[i] << 23) + 0x3f800000u);
}

INLINE float LEVEL(greatest)(vec v)
{
    v = LEVEL(greater)(v, SWAP_LANES_1(v));
    v = LEVEL(greater)(v, SWAP_LANES_2(v));
#if LANES > 4
    v = LEVEL(greater)(v, SWAP_LANES_4(v));
#endif
#if LANES > 8
    v = LEVEL(greater)(v, SWAP_LANES_8(v));
#endif
    return v[0];
}

INLINE float LEVEL(total)(vec v)
{
    v += SWAP_LANES_1(v);
    v += SWAP_LANES_2(v);
#if LANES > 4
    v += SWAP_LANES_4(v);
#endif
#if LANES > 8
    v += SWAP_LANES_8(v);
#endif
    return v[0];
}

AT_LEVEL static void LEVEL(dots)(float *restrict out, const float *restrict x,
                                 size_t ldx, const float *restrict y,
                                 size_t ldy, size_t n, size_t D)
{
    for (size_t r = 0; r < n; r++) {
        vec sum = {0};
        float rest = 0.0f;
        size_t d = 0;

        for (; d + LANES <= D; d += LANES)
            sum += LEVEL(load)(x + d) * LEVEL(load)(y + d);
        for (; d < D; d++)
            rest += x[d] * y[d];
        out[r] = LEVEL(total)(sum) + rest;
        x += ldx;
        y += ldy;
    }
}

/* max[r] = the greatest score of the keys that row r sees. */
INLINE void LEVEL(tops)(float max[STRIPE], const struct stripe *s)
{
    vec top[STRIPE];

    UNROLL
    for (size_t r = 0; r < STRIPE; r++)
        top[r] = LEVEL(all)(MASKED);
    for (size_t k = 0; k < s->n; k += LANES) {
        UNROLL
        for (size_t r = 0; r < STRIPE; r++) {
            ints seen = LEVEL(seen)(k, s->first + (ptrdiff_t)r);
            vec x = LEVEL(load)(s->score + r * s->ld + k);

            x = LEVEL(choose)(seen, x, top[r]);
            top[r] = LEVEL(greater)(x, top[r]);
        }
    }
    UNROLL
    for (size_t r = 0; r < STRIPE; r++)
        max[r] = LEVEL(greatest)(top[r]);
}

/* A greater score has come to row r: what there is so far is scaled down. */
INLINE void LEVEL(raise)(struct softmax *row, size_t r, float max,
                         float *restrict out, size_t width)
{
    float factor = fastmath_exp(row->max[r] - max);

    row->max[r] = max;
    for (size_t i = 0; i < PANEL; i++)
        row->sum[r][i] *= factor;
    for (size_t d = 0; d < width; d += LANES)
        LEVEL(store)(out + d, LEVEL(load)(out + d) * factor);
}

/* Rows r..r+SIDE-1 of soften(), for whose greatest scores all is prepared. */
INLINE void LEVEL(soften_rows)(struct softmax *row, size_t r,
                               const struct stripe *s)
{
    vec sum[SIDE];
    float max[SIDE];

    EACH sum[i] = LEVEL(load)(row->sum[r + i]);
    EACH max[i] = row->max[r + i];
    for (size_t k = 0; k < s->n; k += LANES) {
        float *score = s->score + r * s->ld + k;
        vec p[SIDE];

        EACH p[i] = LEVEL(load)(score + i * s->ld) * s->scale - max[i];
        LEVEL(exponentials)(p);
        EACH p[i] =
            (vec)(LEVEL(seen)(k, s->first + (ptrdiff_t)(r + i)) & (ints)p[i]);
        EACH sum[i] += p[i];
        EACH LEVEL(store)(score + i * s->ld, p[i]);
    }
    EACH LEVEL(store)(row->sum[r + i], sum[i]);
}

AT_LEVEL static void LEVEL(soften)(struct softmax *row, float *restrict out,
                                   size_t width, const struct stripe *s)
{
    const struct stripe own = *s;
    float max[STRIPE];

    LEVEL(tops)(max, &own);
    if (width == 0)
        memset(row, 0, sizeof *row);
    for (size_t r = 0; r < STRIPE; r++) {
        max[r] *= s->scale;
        if (width == 0)
            row->max[r] = max[r];
        else if (max[r] > row->max[r])
            LEVEL(raise)(row, r, max[r], out + r * width, width);
    }
    for (size_t r = 0; r < STRIPE; r += SIDE)
        LEVEL(soften_rows)(row, r, &own);
}

AT_LEVEL static void LEVEL(finish)(float *restrict out, size_t ldo,
                                   float *restrict lse, size_t H,
                                   const float *restrict x, size_t ldx,
                                   size_t n, size_t D,
                                   const struct softmax *row)
{
    for (size_t r = 0; r < n; r++) {
        float sum = LEVEL(total)(LEVEL(load)(row->sum[r])), factor = 1.0f / sum;
        size_t d = 0;

        for (; d + LANES <= D; d += LANES)
            LEVEL(store)(out + d, LEVEL(load)(x + d) * factor);
        for (; d < D; d++)
            out[d] = x[d] * factor;
        out += ldo;
        x += ldx;
        if (lse != NULL)
            lse[r * H] = row->max[r] + logf(sum);
    }
}

/* Rows r..r+SIDE-1 of soften_backward(). */
INLINE void LEVEL(soften_rows_backward)(float *restrict ds,
                                        const float *restrict lse,
                                        const float *restrict delta, size_t r,
                                        const struct stripe *s)
{
    float lse_r[SIDE], delta_r[SIDE];

    EACH lse_r[i] = lse[r + i];
    EACH delta_r[i] = delta[r + i];
    for (size_t k = 0; k < s->n; k += LANES) {
        float *score = s->score + r * s->ld + k;
        float *ds_r = ds + r * s->ld + k;
        ints seen[SIDE];
        vec p[SIDE], d[SIDE];

        EACH p[i] = LEVEL(load)(score + i * s->ld) * s->scale - lse_r[i];
        LEVEL(exponentials)(p);
        EACH seen[i] = LEVEL(seen)(k, s->first + (ptrdiff_t)(r + i));
        EACH d[i] = LEVEL(load)(ds_r + i * s->ld) - delta_r[i];
        EACH d[i] = p[i] * d[i] * s->scale;
        EACH LEVEL(store)(score + i * s->ld, (vec)(seen[i] & (ints)p[i]));
        EACH LEVEL(store)(ds_r + i * s->ld, (vec)(seen[i] & (ints)d[i]));
    }
}

AT_LEVEL static void LEVEL(soften_backward)(float *restrict ds,
                                            const float *restrict lse,
                                            const float *restrict delta,
                                            const struct stripe *s)
{
    const struct stripe own = *s;

    for (size_t r = 0; r < STRIPE; r += SIDE)
        LEVEL(soften_rows_backward)(ds, lse, delta, r, &own);
}

static const struct attention_kernels LEVEL(kernels) = {
    LEVEL(product), LEVEL(copy),   LEVEL(dots),
    LEVEL(soften),  LEVEL(finish), LEVEL(soften_backward)};

#undef vec
#undef ints
#undef bits
#undef INLINE
#undef PARTS
#undef SIDE
#undef EACH
#undef LEVEL
#undef AT_LEVEL
#undef LANES
#undef TILE_ROWS
#undef TILE_PANELS
#undef LANE_NUMBERS
#undef SWAP_LANES_1
#undef SWAP_LANES_2
#undef SWAP_LANES_4
#undef SWAP_LANES_8
