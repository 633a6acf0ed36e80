#include "nn/rowwise_internal.h"

#include <assert.h>
#include <string.h>

/*
 * This file alone is compiled with -ffp-contract=fast: a product added to a
 * sum is one fused operation where the level has such.
 *
 * A tile is COLUMNS rows of W against all lanes of a block; its sums stay in
 * registers, 24 of the 32 that AVX-512 has.  Its part of W is copied (and
 * widened) LINE floats of each row at a time to where it stays in the first
 * level of cache: rows that are a power of two apart would evict each other
 * there.
 */
#define LINE ((size_t)16)
#define COLUMNS_MAX 24
/* Products added up in one go; what they come to is added to the whole, so
 * that a long sum loses little to rounding.  A multiple of LINE. */
#define PART ((size_t)192)

/* Bytes of turned rows while the weights go by once: 256 rows of 1536, which
 * stay in the second and third level of cache. */
#define BLOCKS_BYTES ((size_t)1536 << 10)

#if defined(__GNUC__)
#define PREFETCH(p) __builtin_prefetch((p), 0, 2)
#define UNROLL _Pragma("GCC unroll 24")
#else
#define PREFETCH(p) ((void)(p))
#define UNROLL
#endif

typedef float v16 __attribute__((vector_size(64)));
typedef uint32_t bits16 __attribute__((vector_size(64)));
typedef uint16_t half16 __attribute__((vector_size(32)));

/* As ROWWISE_AT_V4; but gcc would widen bfloat16s in halves of a vector. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define AT_V4                                                                  \
    __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,"       \
                          "prefer-vector-width=512")))
#else
#define AT_V4 ROWWISE_AT_V4
#endif

enum rowwise_level rowwise_level(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return ROWWISE_PLAIN;
    if (__builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return ROWWISE_V4;
    return ROWWISE_V3;
#else
    return ROWWISE_PLAIN;
#endif
}

size_t rowwise_lanes(enum rowwise_level level, size_t M)
{
    return level == ROWWISE_V4 && M > 16 ? 32 : 16;
}

/* `n` of a row's weights, a line at most, as floats. */
NN_INLINE void fetch(float *restrict line, const struct weight *w, size_t at,
                     size_t n)
{
    half16 narrow = {0};
    bits16 wide;

    if (w->f32 != NULL) {
        memcpy(line, w->f32 + at, n * sizeof *line);
        return;
    }
    memcpy(&narrow, w->bf16 + at, n * sizeof *w->bf16);
    wide = __builtin_convertvector(narrow, bits16) << 16;
    memcpy(line, &wide, sizeof wide);
}

NN_INLINE void fetch_all(float *restrict panel, const struct weight *w,
                         size_t at, size_t n, size_t K, size_t columns)
{
    /* Copies of known length. */
    if (n == LINE) {
        UNROLL
        for (size_t c = 0; c < columns; c++)
            fetch(panel + c * LINE, w, at + c * K, LINE);
        return;
    }
    for (size_t c = 0; c < columns; c++)
        fetch(panel + c * LINE, w, at + c * K, n);
}

/* Two lines of cache from what lies ahead; one row of sums after the other
 * asks for some, since a burst would keep the loads of the sums waiting.  The
 * other line of a pair the processor brings by itself: what is asked for takes
 * one of the few places where a load waits for memory. */
NN_INLINE const char *look_ahead(const char *ahead)
{
    PREFETCH(ahead);
    return ahead + 128;
}

/* What a tile reads: rows of W from number `at` on as they lie, or as pack()
 * left them, and memory it asks for meanwhile. */
struct source {
    const struct weight *w;
    size_t at;
    const float *packed; // [lines,columns,LINE], or NULL
    const char *ahead;   // or NULL
    size_t asking;       // pairs of lines of cache that a line asks for
};

/* A tile at work. */
struct walk {
    struct source from;
    size_t K;
    const float *turned;
    float (*panel)[COLUMNS_MAX * LINE]; // [2]
};

/* Add one line of the columns to their sums; the next one is fetched. */
NN_INLINE void line_sums(v16 *restrict sum, struct walk *x, size_t line,
                         size_t V, size_t columns, bool is_packed)
{
    size_t depth = x->K - line < LINE ? x->K - line : LINE;
    size_t asking = x->from.ahead == NULL ? 0 : x->from.asking;
    const float *p =
        is_packed ? x->from.packed + line * columns : x->panel[line / LINE % 2];

    if (!is_packed && line + LINE < x->K) {
        size_t rest = x->K - line - LINE;

        fetch_all(x->panel[(line / LINE + 1) % 2], x->from.w,
                  x->from.at + line + LINE, rest < LINE ? rest : LINE, x->K,
                  columns);
    }
    for (size_t k = 0; k < depth; k++) {
        v16 a, b;

        if (k < asking)
            x->from.ahead = look_ahead(x->from.ahead);
        memcpy(&a, x->turned, sizeof a);
        memcpy(&b, x->turned + (V - 1) * LINE, sizeof b);
        UNROLL
        for (size_t c = 0; c < columns; c++) {
            float w_ck = p[c * LINE + k];

            sum[c * V] += a * w_ck;
            if (V == 2)
                sum[c * V + 1] += b * w_ck;
        }
        x->turned += V * LINE;
    }
}

/* z[c,:] for `columns` rows of W; V vectors of lanes. */
NN_INLINE void tile(float *restrict z, const float *restrict turned,
                    const struct source *from, size_t K, size_t V,
                    size_t columns, bool is_packed)
{
    _Alignas(64) float panel[2][COLUMNS_MAX * LINE];
    struct walk x = {*from, K, turned, panel};
    v16 sum[COLUMNS_MAX], old;

    if (!is_packed)
        fetch_all(panel[0], from->w, from->at, K < LINE ? K : LINE, K, columns);
    for (size_t k = 0; k < K || k == 0; k += PART) {
        size_t end = K - k < PART ? K : k + PART;

        UNROLL
        for (size_t c = 0; c < columns * V; c++)
            sum[c] = (v16){0};
        for (size_t line = k; line < end; line += LINE)
            line_sums(sum, &x, line, V, columns, is_packed);
        UNROLL
        for (size_t c = 0; c < columns * V; c++) {
            if (k > 0) {
                memcpy(&old, z + c * LINE, sizeof old);
                sum[c] = old + sum[c];
            }
            memcpy(z + c * LINE, &sum[c], sizeof sum[c]);
        }
    }
}

static const char *bytes_at(struct weight w, size_t at)
{
    return w.f32 != NULL ? (const char *)(w.f32 + at)
                         : (const char *)(w.bf16 + at);
}

/* A run of rows of W: tiles of `columns` and then single rows. */
NN_INLINE void block(float *restrict z, const float *restrict turned,
                     struct weight w, size_t first, size_t N, size_t K,
                     size_t V, size_t columns, bool next)
{
    /* As much is asked for as is read. */
    struct source from = {.w = &w, .asking = columns / (w.f32 != NULL ? 2 : 4)};
    size_t n = 0;

    for (; n + columns <= N; n += columns) {
        from.at = (first + n) * K;
        from.ahead = next || n + 2 * columns <= N
                         ? bytes_at(w, from.at + columns * K)
                         : NULL;
        tile(z + n * V * LINE, turned, &from, K, V, columns, false);
    }
    from.ahead = NULL;
    for (; n < N; n++) {
        from.at = (first + n) * K;
        tile(z + n * V * LINE, turned, &from, K, V, 1, false);
    }
}

/* Each kind of weight gets loops of its own. */
NN_INLINE void block_of_kind(float *restrict z, const float *restrict turned,
                             struct weight w, size_t first, size_t N, size_t K,
                             size_t V, size_t columns, bool next)
{
    struct weight wide = {.f32 = w.f32};
    struct weight narrow = {.bf16 = w.bf16};

    if (w.f32 != NULL)
        block(z, turned, wide, first, N, K, V, columns, next);
    else
        block(z, turned, narrow, first, N, K, V, columns, next);
}

/* Columns of a tile of a full block, and of one of AVX-512's half as wide. */
#define V4_COLUMNS ((size_t)12)
#define V4_HALF_COLUMNS ((size_t)24)
#define V3_COLUMNS ((size_t)6)
#define PLAIN_COLUMNS ((size_t)2)

AT_V4 static void block_v4(float *restrict z, const float *restrict turned,
                           struct weight w, size_t first, size_t N, size_t K,
                           size_t lanes, bool next)
{
    if (lanes == 32)
        block_of_kind(z, turned, w, first, N, K, 2, V4_COLUMNS, next);
    else
        block_of_kind(z, turned, w, first, N, K, 1, V4_HALF_COLUMNS, next);
}

ROWWISE_AT_V3 static void block_v3(float *restrict z,
                                   const float *restrict turned,
                                   struct weight w, size_t first, size_t N,
                                   size_t K, bool next)
{
    block_of_kind(z, turned, w, first, N, K, 1, V3_COLUMNS, next);
}

static void block_plain(float *restrict z, const float *restrict turned,
                        struct weight w, size_t first, size_t N, size_t K,
                        bool next)
{
    block_of_kind(z, turned, w, first, N, K, 1, PLAIN_COLUMNS, next);
}

void rowwise_block(float *restrict z, const float *restrict turned,
                   struct weight w, size_t first, size_t N, size_t K,
                   size_t lanes, bool next, enum rowwise_level level)
{
    assert((w.f32 == NULL) != (w.bf16 == NULL));
    assert(lanes == 16 || (lanes == 32 && level == ROWWISE_V4));
    if (level == ROWWISE_V4)
        block_v4(z, turned, w, first, N, K, lanes, next);
    else if (level == ROWWISE_V3)
        block_v3(z, turned, w, first, N, K, next);
    else
        block_plain(z, turned, w, first, N, K, next);
}

/* ---- several blocks ------------------------------------------------------ */

/* Rows of W between two turns to the next block of rows of x: whole tiles at
 * every level, and whole vectors of y. */
#define STEP ((size_t)48)

/* Floats of a step's rows as pack() leaves them. */
static size_t packed_floats(size_t K)
{
    return (K + LINE - 1) / LINE * LINE * STEP;
}

/* STEP rows of W from number `at` on, tile by tile and line by line, so that
 * all blocks but one read them as they need them. */
NN_INLINE void pack(float *restrict packed, struct weight w, size_t at,
                    size_t K, size_t columns)
{
    struct weight wide = {.f32 = w.f32};
    struct weight narrow = {.bf16 = w.bf16};

    for (size_t c = 0; c < STEP; c += columns, at += columns * K)
        for (size_t line = 0; line < K; line += LINE) {
            size_t n = K - line < LINE ? K - line : LINE;

            if (w.f32 != NULL)
                fetch_all(packed, &wide, at + line, n, K, columns);
            else
                fetch_all(packed, &narrow, at + line, n, K, columns);
            packed += columns * LINE;
        }
}

/* rowwise_block() of a full block on packed rows.  `from` tells where they are
 * and what to ask for up to `end`; it moves on. */
NN_INLINE void packed_block(float *restrict z, const float *restrict turned,
                            struct source *from, const char *end, size_t K,
                            size_t V, size_t columns)
{
    struct source tiles = *from;

    for (size_t c = 0; c < STEP; c += columns) {
        tile(z + c * V * LINE, turned, &tiles, K, V, columns, true);
        tiles.packed += packed_floats(K) / STEP * columns;
        if (tiles.ahead == NULL)
            continue;
        tiles.ahead += K / LINE * tiles.asking * 128;
        tiles.ahead = tiles.ahead < end ? tiles.ahead : NULL;
    }
    from->ahead = tiles.ahead;
}

AT_V4 static void pack_v4(float *packed, struct weight w, size_t at, size_t K)
{
    pack(packed, w, at, K, V4_COLUMNS);
}

AT_V4 static void packed_v4(float *z, const float *turned, struct source *from,
                            const char *end, size_t K)
{
    packed_block(z, turned, from, end, K, 2, V4_COLUMNS);
}

/* Rows whose turned form is worked off together: whole blocks. */
static size_t chunk_rows(size_t K)
{
    size_t rows = BLOCKS_BYTES / sizeof(float) / (K > 0 ? K : 1);

    return rows < ROWWISE_LANES ? ROWWISE_LANES
                                : rows / ROWWISE_LANES * ROWWISE_LANES;
}

size_t rowwise_scratch(size_t M, size_t K)
{
    size_t rows = (M + ROWWISE_LANES - 1) / ROWWISE_LANES * ROWWISE_LANES;
    size_t most = chunk_rows(K);

    return (rows < most ? rows : most) * K + packed_floats(K);
}

/* One step for all blocks of M rows: columns n..n+N-1 of y, whose row m0 is
 * the first. */
struct at_step {
    const struct rowwise_product *p;
    size_t m0, M, n, N;
    const float *turned;
    float *packed;
    enum rowwise_level level;
};

static void step_block(const struct at_step *s, size_t m, size_t lanes,
                       const float *z)
{
    const struct rowwise_product *p = s->p;
    size_t rows = s->M - m < lanes ? s->M - m : lanes;

    rowwise_put_back(p->y + (s->m0 + m) * p->ldy + s->n, p->ldy, z, rows, s->N,
                     lanes, p->accumulate, s->level);
}

/* Blocks are few: each reads the weights as they lie. */
static void step_plainly(const struct at_step *s, size_t m)
{
    _Alignas(64) float z[STEP * ROWWISE_LANES];
    const struct rowwise_product *p = s->p;

    for (size_t lanes; m < s->M; m += lanes) {
        lanes = rowwise_lanes(s->level, s->M - m);
        rowwise_block(z, s->turned + m * p->K, p->w, s->n, s->N, p->K, lanes,
                      m == 0 && s->n + 2 * STEP <= p->N, s->level);
        step_block(s, m, lanes, z);
    }
}

/* Blocks are many: the weights are packed for them, and each asks for a part
 * of the next step's. */
static void step_packed(const struct at_step *s)
{
    _Alignas(64) float z[STEP * ROWWISE_LANES];
    const struct rowwise_product *p = s->p;
    size_t K = p->K, blocks = s->M / ROWWISE_LANES, m = 0;
    size_t most = V4_COLUMNS / (p->w.f32 != NULL ? 2U : 4U);
    size_t behind = (s->n + STEP) * K;
    bool has_next = s->n + 2 * STEP <= p->N;
    const char *end = bytes_at(p->w, has_next ? behind + STEP * K : behind);
    struct source from = {.packed = s->packed,
                          .ahead = has_next ? bytes_at(p->w, behind) : NULL,
                          .asking = (most + blocks - 1) / blocks};

    pack_v4(s->packed, p->w, s->n * K, K);
    for (; m + ROWWISE_LANES <= s->M; m += ROWWISE_LANES) {
        packed_v4(z, s->turned + m * K, &from, end, K);
        step_block(s, m, ROWWISE_LANES, z);
    }
    step_plainly(s, m);
}

/* At most chunk_rows() rows of p. */
static void chunk_nt(const struct rowwise_product *p, size_t m0, size_t M,
                     float *restrict turned, enum rowwise_level level)
{
    size_t K = p->K;
    struct at_step s = {.p = p,
                        .m0 = m0,
                        .M = M,
                        .turned = turned,
                        .packed =
                            turned + rowwise_scratch(M, K) - packed_floats(K),
                        .level = level};

    for (size_t m = 0, lanes; m < M; m += lanes) {
        size_t rows = M - m;

        lanes = rowwise_lanes(level, rows);
        rowwise_turn(turned + m * K, p->x + (m0 + m) * p->ldx, p->ldx,
                     rows < lanes ? rows : lanes, K, lanes, level);
    }
    for (; s.n < p->N; s.n += STEP) {
        s.N = p->N - s.n < STEP ? p->N - s.n : STEP;
        if (level == ROWWISE_V4 && s.N == STEP && M >= 2 * ROWWISE_LANES)
            step_packed(&s);
        else
            step_plainly(&s, 0);
    }
}

void rowwise_nt(const struct rowwise_product *p, float *restrict scratch,
                enum rowwise_level level)
{
    size_t most = chunk_rows(p->K);

    for (size_t m = 0; m < p->M; m += most)
        chunk_nt(p, m, p->M - m < most ? p->M - m : most, scratch, level);
}
