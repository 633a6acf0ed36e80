#include "nn/rowwise_internal.h"

#include <assert.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

#include "nn/gemm16.h"

/*
 * Compiled with -ffp-contract=fast, as the other files that have a kernel per
 * level: a product added to a sum is one fused operation where the level has
 * such.
 *
 * A row of W is read as words of 32 bits: a float, or where there is an
 * instruction that multiplies and adds them two bfloat16s.  Everything but that
 * instruction is the same for both (nn/rowwise_level.h).
 */
#define LINE ((size_t)16)
/* Words whose products are added up in one go; what they come to is added to
 * the whole, so that a long sum loses little to rounding.  A multiple of LINE.
 */
#define PART ((size_t)192)
/* Rows of W between two turns to the next block of rows of x: whole tiles at
 * every level, and whole vectors of y. */
#define STEP ((size_t)48)

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

/* As ROWWISE_AT_V4; but gcc would widen bfloat16s in halves of a vector. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define WHOLE_VECTORS ",prefer-vector-width=512"
#else
#define WHOLE_VECTORS
#endif
#define V4_FEATURES "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl"

#if defined(__x86_64__) && defined(__GNUC__)
static bool has_v4(void)
{
    return __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
#endif

enum rowwise_level rowwise_level(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return ROWWISE_PLAIN;
    if (!has_v4())
        return ROWWISE_V3;
    return __builtin_cpu_supports("avx512bf16") ? ROWWISE_BF16 : ROWWISE_V4;
#else
    return ROWWISE_PLAIN;
#endif
}

size_t rowwise_lanes(enum rowwise_level level, size_t M)
{
    return level >= ROWWISE_V4 && M > 16 ? 32 : 16;
}

/* ---- what all levels share ----------------------------------------------- */

/* A matrix as it is read; in bfloat16 if f32 is NULL. */
struct stored {
    const float *f32;
    const uint16_t *bf16;
};

static struct stored stored_of(struct weight w)
{
    if (w.rounded != NULL)
        return (struct stored){.bf16 = w.rounded};
    assert((w.f32 == NULL) != (w.bf16 == NULL));
    return (struct stored){.f32 = w.f32, .bf16 = w.bf16};
}

NN_INLINE const char *stored_at(const struct stored *w, size_t at)
{
    return w->f32 != NULL ? (const char *)(w->f32 + at)
                          : (const char *)(w->bf16 + at);
}

/* Two lines of cache from what lies ahead; one row of sums after the other
 * asks for some, since a burst would keep the loads of the sums waiting. */
NN_INLINE const char *look_ahead(const char *ahead, size_t other)
{
    PREFETCH(ahead);
    PREFETCH(ahead + other);
    return ahead + 128;
}

/* Where the other line of a pair lies that is to be asked for, too.  Intel's
 * processors bring it by themselves, and what is asked for takes one of the few
 * places where a load waits for memory: there it is the same line.  On AMD's,
 * 16 rows take 1.5 times as long without. */
static size_t other_line(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    return __builtin_cpu_is("intel") ? 0 : 64;
#else
    return 64;
#endif
}

/* What a tile reads: rows of W from number `at` on as they lie, or as pack()
 * left them, and memory it asks for meanwhile. */
struct source {
    const struct stored *w;
    size_t at;
    const float *packed; // [lines,columns,LINE] words, or NULL
    const char *ahead;   // or NULL
    size_t asking;       // pairs of lines of cache that a line asks for
    size_t other;        // other_line()
};

/* As many of these as tiles of so many columns read meanwhile. */
NN_INLINE size_t asking_of(const struct stored *w, size_t columns, size_t per)
{
    return columns * per / (w->f32 != NULL ? 2U : 4U);
}

/* A tile at work. */
struct walk {
    struct source from;
    size_t K;
    const float *turned;
    float *panel; // [2,columns,LINE] words
};

/* Words of a step's rows as pack() leaves them. */
static size_t packed_floats(size_t K, size_t per)
{
    return (K + per * LINE - 1) / (per * LINE) * LINE * STEP;
}

/* What differs between levels.  Words lie in arrays of floats, and only moves
 * touch them as such. */
struct kernels {
    /* rowwise_block() */
    void (*block)(float *restrict z, const float *restrict turned,
                  const struct stored *w, size_t first, size_t N, size_t K,
                  size_t lanes, bool next);
    /* STEP rows in the order of tiles, and a full block on them; of levels with
     * blocks of 32 lanes. */
    void (*pack)(float *restrict packed, const struct stored *w, size_t at,
                 size_t K);
    void (*packed)(float *restrict z, const float *restrict turned,
                   struct source *from, const char *end, size_t K);
    size_t per;          // numbers of a word
    size_t columns_wide; // of a tile of such a block
};

/* ---- the levels ---------------------------------------------------------- */

#define LEVEL(name) name##_plain
#define AT_LEVEL
#define VECTOR 4
#define COLUMNS 2
#define COLUMNS_WIDE 0
#define IS_PAIRED 0
#define MULTIPLY_ADD(sum, a, w) ((sum) += (a) * (w))
#include "nn/rowwise_level.h"

#if defined(__x86_64__) && defined(__GNUC__)
/* 12 of 16 registers are sums. */
#define LEVEL(name) name##_v3
#define AT_LEVEL ROWWISE_AT_V3
#define VECTOR 8
#define COLUMNS 6
#define COLUMNS_WIDE 0
#define IS_PAIRED 0
#define MULTIPLY_ADD(sum, a, w) ((sum) += (a) * (w))
#include "nn/rowwise_level.h"

/* 24 of 32. */
#define LEVEL(name) name##_v4
#define AT_LEVEL __attribute__((target(V4_FEATURES WHOLE_VECTORS)))
#define VECTOR 16
#define COLUMNS 24
#define COLUMNS_WIDE 12
#define IS_PAIRED 0
#define MULTIPLY_ADD(sum, a, w) ((sum) += (a) * (w))
#include "nn/rowwise_level.h"

#define LEVEL(name) name##_bf16
#define AT_LEVEL                                                               \
    __attribute__((target(V4_FEATURES ",avx512bf16" WHOLE_VECTORS)))
#define VECTOR 16
#define COLUMNS 24
#define COLUMNS_WIDE 12
#define IS_PAIRED 1
#define MULTIPLY_ADD(sum, a, w)                                                \
    ((sum) =                                                                   \
         _mm512_dpbf16_ps((sum), (__m512bh)(a), (__m512bh)_mm512_set1_ps(w)))
#include "nn/rowwise_level.h"
#endif

static const struct kernels *kernels_of(struct weight w,
                                        enum rowwise_level level)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (level == ROWWISE_BF16 && w.rounded != NULL)
        return &kernels_bf16;
    if (level >= ROWWISE_V4)
        return &kernels_v4;
    if (level == ROWWISE_V3)
        return &kernels_v3;
#endif
    (void)w, (void)level;
    return &kernels_plain;
}

void rowwise_turn_for(float *restrict turned, const float *restrict x,
                      size_t ldx, size_t M, size_t K, size_t lanes,
                      struct weight w, enum rowwise_level level)
{
    rowwise_turn(turned, x, ldx, M, K, lanes, level);
    if (w.rounded == NULL)
        return;
    if (kernels_of(w, level)->per == 2)
        rowwise_pair(turned, K, lanes);
    else
        gemm16_round_floats(turned, K * lanes);
}

void rowwise_block(float *restrict z, const float *restrict turned,
                   struct weight w, size_t first, size_t N, size_t K,
                   size_t lanes, bool next, enum rowwise_level level)
{
    const struct stored stored = stored_of(w);

    assert(lanes == 16 || (lanes == 32 && level >= ROWWISE_V4));
    kernels_of(w, level)->block(z, turned, &stored, first, N, K, lanes, next);
}

/* ---- several blocks ------------------------------------------------------ */

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

    return (rows < most ? rows : most) * K + packed_floats(K, 1);
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
    const struct stored w = stored_of(p->w);
    const struct kernels *kernels = kernels_of(p->w, s->level);
    size_t K = p->K, blocks = s->M / ROWWISE_LANES, m = 0;
    size_t most = asking_of(&w, kernels->columns_wide, kernels->per);
    size_t behind = (s->n + STEP) * K;
    bool has_next = s->n + 2 * STEP <= p->N;
    const char *end = stored_at(&w, has_next ? behind + STEP * K : behind);
    struct source from = {.packed = s->packed,
                          .ahead = has_next ? stored_at(&w, behind) : NULL,
                          .asking = (most + blocks - 1) / blocks,
                          .other = other_line()};

    kernels->pack(s->packed, &w, s->n * K, K);
    for (; m + ROWWISE_LANES <= s->M; m += ROWWISE_LANES) {
        kernels->packed(z, s->turned + m * K, &from, end, K);
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
                        .packed = turned + rowwise_scratch(M, K) -
                                  packed_floats(K, 1),
                        .level = level};

    for (size_t m = 0, lanes; m < M; m += lanes) {
        size_t rows = M - m;

        lanes = rowwise_lanes(level, rows);
        rowwise_turn_for(turned + m * K, p->x + (m0 + m) * p->ldx, p->ldx,
                         rows < lanes ? rows : lanes, K, lanes, p->w, level);
    }
    for (; s.n < p->N; s.n += STEP) {
        s.N = p->N - s.n < STEP ? p->N - s.n : STEP;
        if (level >= ROWWISE_V4 && s.N == STEP && M >= 2 * ROWWISE_LANES)
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
