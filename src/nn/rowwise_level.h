/*
 * rowwise_level.h - the kernels of nn/rowwise.h for one level.
 *
 * Included by nn/rowwise.c once per level, which defines before
 *     LEVEL(name)   the name at this level
 *     AT_LEVEL      the attribute of functions of this level
 *     VECTOR        floats of a register: 4, 8 or 16
 *     COLUMNS       of a tile of 16 lanes, and
 *     COLUMNS_WIDE  of one of 32, or 0 where there is none
 *     IS_PAIRED     1: a word is two bfloat16s, and MULTIPLY_ADD(sum, a, w)
 *                   adds the products of both to the sum; 0: a word is a float
 * and undefines them behind.
 *
 * A tile is so many rows of W against all lanes of a block; its sums stay in
 * registers.  Its part of W is copied (and widened) LINE words of each row at a
 * time to where it stays in the first level of cache: rows that are a power of
 * two apart would evict each other there.
 */

typedef float LEVEL(vec) __attribute__((vector_size(VECTOR * sizeof(float))));
typedef uint32_t LEVEL(bits)
    __attribute__((vector_size(VECTOR * sizeof(float))));
typedef uint16_t LEVEL(half)
    __attribute__((vector_size(VECTOR * sizeof(uint16_t))));
#define vec LEVEL(vec)
#define bits LEVEL(bits)
#define half LEVEL(half)
#define INLINE AT_LEVEL NN_INLINE
#define PARTS (LINE / VECTOR)     // registers of 16 lanes
#define PER (IS_PAIRED ? 2U : 1U) // numbers of a word
#define SUMS ((COLUMNS > 2 * COLUMNS_WIDE ? COLUMNS : 2 * COLUMNS_WIDE) * PARTS)
#define COLUMNS_MOST (COLUMNS > COLUMNS_WIDE ? COLUMNS : COLUMNS_WIDE)

/* `n` of a row's weights, a line at most, as words. */
INLINE void LEVEL(fetch)(float *restrict line, const struct stored *w,
                         size_t at, size_t n, bool is_narrow)
{
    if (!is_narrow) {
        memcpy(line, w->f32 + at, n * sizeof *line);
        return;
    }
#if IS_PAIRED
    if (n < PER * LINE)
        memset(line, 0, LINE * sizeof *line);
    memcpy(line, w->bf16 + at, n * sizeof *w->bf16);
#else
    const uint16_t *from = w->bf16 + at;
    uint16_t some[LINE] = {0};

    if (n < LINE) {
        memcpy(some, from, n * sizeof *some);
        from = some;
    }
    UNROLL
    for (size_t j = 0; j < PARTS; j++) {
        half narrow;
        bits wide;

        memcpy(&narrow, from + j * VECTOR, sizeof narrow);
        wide = __builtin_convertvector(narrow, bits) << 16;
        memcpy(line + j * VECTOR, &wide, sizeof wide);
    }
#endif
}

INLINE void LEVEL(fetch_all)(float *restrict panel, const struct stored *w,
                             size_t at, size_t n, size_t K, size_t columns,
                             bool is_narrow)
{
    /* Copies of known length. */
    if (n >= PER * LINE) {
        UNROLL
        for (size_t c = 0; c < columns; c++)
            LEVEL(fetch)
        (panel + c * LINE, w, at + c * K, PER * LINE, is_narrow);
        return;
    }
    for (size_t c = 0; c < columns; c++)
        LEVEL(fetch)(panel + c * LINE, w, at + c * K, n, is_narrow);
}

/* Add one line of the columns to their sums; the next one is fetched. */
INLINE void LEVEL(line_sums)(vec *restrict sum, struct walk *x, size_t line,
                             size_t parts, size_t columns, bool is_narrow,
                             bool is_packed)
{
    size_t words = (x->K + PER - 1) / PER;
    size_t depth = words - line < LINE ? words - line : LINE;
    size_t asking = x->from.ahead == NULL ? 0 : x->from.asking;
    const float *p = is_packed ? x->from.packed + line * columns
                               : x->panel + line / LINE % 2 * columns * LINE;

    if (!is_packed && line + LINE < words) {
        size_t next = (line + LINE) * PER;

        LEVEL(fetch_all)
        (x->panel + (line / LINE + 1) % 2 * columns * LINE, x->from.w,
         x->from.at + next, x->K - next, x->K, columns, is_narrow);
    }
    for (size_t k = 0; k < depth; k++) {
        vec a[2 * PARTS];

        if (k < asking)
            x->from.ahead = look_ahead(x->from.ahead, x->from.other);
        UNROLL
        for (size_t j = 0; j < parts; j++)
            memcpy(&a[j], x->turned + j * VECTOR, sizeof a[j]);
        UNROLL
        for (size_t c = 0; c < columns; c++) {
            float w_ck = p[c * LINE + k];

            UNROLL
            for (size_t j = 0; j < parts; j++)
                MULTIPLY_ADD(sum[c * parts + j], a[j], w_ck);
        }
        x->turned += parts * VECTOR;
    }
}

/* z[c,:] for `columns` rows of W; `parts` registers of lanes. */
INLINE void LEVEL(tile)(float *restrict z, const float *restrict turned,
                        const struct source *from, size_t K, size_t parts,
                        size_t columns, bool is_narrow, bool is_packed)
{
    _Alignas(64) float panel[2 * COLUMNS_MOST * LINE];
    struct walk x = {*from, K, turned, panel};
    size_t words = (K + PER - 1) / PER;
    vec sum[SUMS], old;

    if (!is_packed)
        LEVEL(fetch_all)(panel, from->w, from->at, K, K, columns, is_narrow);
    for (size_t k = 0; k < words || k == 0; k += PART) {
        size_t end = words - k < PART ? words : k + PART;

        UNROLL
        for (size_t c = 0; c < columns * parts; c++)
            sum[c] = (vec){0};
        for (size_t line = k; line < end; line += LINE)
            LEVEL(line_sums)
        (sum, &x, line, parts, columns, is_narrow, is_packed);
        UNROLL
        for (size_t c = 0; c < columns * parts; c++) {
            if (k > 0) {
                memcpy(&old, z + c * VECTOR, sizeof old);
                sum[c] = old + sum[c];
            }
            memcpy(z + c * VECTOR, &sum[c], sizeof sum[c]);
        }
    }
}

/* A run of rows of W: tiles of `columns` and then single rows. */
INLINE void LEVEL(run)(float *restrict z, const float *restrict turned,
                       const struct stored *w, size_t first, size_t N, size_t K,
                       size_t parts, size_t columns, bool is_narrow, bool next)
{
    /* As much is asked for as is read. */
    struct source from = {
        .w = w, .asking = asking_of(w, columns, PER), .other = other_line()};
    size_t n = 0;

    for (; n + columns <= N; n += columns) {
        from.at = (first + n) * K;
        from.ahead = next || n + 2 * columns <= N
                         ? stored_at(w, from.at + columns * K)
                         : NULL;
        LEVEL(tile)
        (z + n * parts * VECTOR, turned, &from, K, parts, columns, is_narrow,
         false);
    }
    from.ahead = NULL;
    for (; n < N; n++) {
        from.at = (first + n) * K;
        LEVEL(tile)
        (z + n * parts * VECTOR, turned, &from, K, parts, 1, is_narrow, false);
    }
}

/* Each kind of weight gets loops of its own. */
INLINE void LEVEL(run_of_kind)(float *restrict z, const float *restrict turned,
                               const struct stored *w, size_t first, size_t N,
                               size_t K, size_t parts, size_t columns,
                               bool next)
{
    if (!IS_PAIRED && w->f32 != NULL)
        LEVEL(run)(z, turned, w, first, N, K, parts, columns, false, next);
    else
        LEVEL(run)(z, turned, w, first, N, K, parts, columns, true, next);
}

AT_LEVEL static void LEVEL(block)(float *restrict z,
                                  const float *restrict turned,
                                  const struct stored *w, size_t first,
                                  size_t N, size_t K, size_t lanes, bool next)
{
#if COLUMNS_WIDE > 0
    if (lanes == 2 * LINE) {
        LEVEL(run_of_kind)
        (z, turned, w, first, N, K, 2 * PARTS, COLUMNS_WIDE, next);
        return;
    }
#endif
    (void)lanes;
    LEVEL(run_of_kind)(z, turned, w, first, N, K, PARTS, COLUMNS, next);
}

#if COLUMNS_WIDE > 0
/* STEP rows of W from number `at` on, tile by tile and line by line, so that
 * all blocks but one read them as they need them. */
AT_LEVEL static void LEVEL(pack)(float *restrict packed, const struct stored *w,
                                 size_t at, size_t K)
{
    for (size_t c = 0; c < STEP; c += COLUMNS_WIDE, at += COLUMNS_WIDE * K)
        for (size_t line = 0; line < K; line += PER * LINE) {
            if (!IS_PAIRED && w->f32 != NULL)
                LEVEL(fetch_all)
            (packed, w, at + line, K - line, K, COLUMNS_WIDE, false);
            else LEVEL(fetch_all)(packed, w, at + line, K - line, K,
                                  COLUMNS_WIDE, true);
            packed += COLUMNS_WIDE * LINE;
        }
}

/* A full block on packed rows.  `from` tells where they are and what to ask for
 * up to `end`; it moves on. */
AT_LEVEL static void LEVEL(packed)(float *restrict z,
                                   const float *restrict turned,
                                   struct source *from, const char *end,
                                   size_t K)
{
    struct source tiles = *from;

    for (size_t c = 0; c < STEP; c += COLUMNS_WIDE) {
        LEVEL(tile)
        (z + c * 2 * LINE, turned, &tiles, K, 2 * PARTS, COLUMNS_WIDE, true,
         true);
        tiles.packed += packed_floats(K, PER) / STEP * COLUMNS_WIDE;
        if (tiles.ahead == NULL)
            continue;
        tiles.ahead += K / (PER * LINE) * tiles.asking * 128;
        tiles.ahead = tiles.ahead < end ? tiles.ahead : NULL;
    }
    from->ahead = tiles.ahead;
}
#endif

static const struct kernels LEVEL(kernels) = {
    .block = LEVEL(block),
#if COLUMNS_WIDE > 0
    .pack = LEVEL(pack),
    .packed = LEVEL(packed),
#endif
    .per = PER,
    .columns_wide = COLUMNS_WIDE,
};

#undef vec
#undef bits
#undef half
#undef INLINE
#undef PARTS
#undef PER
#undef SUMS
#undef COLUMNS_MOST
#undef LEVEL
#undef AT_LEVEL
#undef VECTOR
#undef COLUMNS
#undef COLUMNS_WIDE
#undef IS_PAIRED
#undef MULTIPLY_ADD
