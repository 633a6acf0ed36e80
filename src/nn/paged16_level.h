/*
 * paged16_level.h - the kernel of nn/paged16.h for one level.
 *
 * Included by nn/paged16.c once per level, which defines before
 *     LEVEL(name)  the name at this level
 *     AT_LEVEL     the attribute of functions of this level
 *     VECTOR       floats of a register: 4, 8 or 16
 * and undefines them behind.
 *
 * A word is two bfloat16s; both halves are floats after one operation each.
 * The heads that share a key are worked off together, so that it is widened
 * once.
 */

typedef float LEVEL(vec) __attribute__((vector_size(VECTOR * sizeof(float))));
typedef uint32_t LEVEL(bits)
    __attribute__((vector_size(VECTOR * sizeof(float))));
#define vec LEVEL(vec)
#define bits LEVEL(bits)
#define INLINE AT_LEVEL NN_INLINE
#define PARTS (PAGED_ROWS / VECTOR)
#define CHANNEL_PARTS (CHANNELS / VECTOR)

INLINE void LEVEL(halves)(vec *low, vec *high, const float *words)
{
    bits w;

    memcpy(&w, words, sizeof w);
    *low = (vec)(w << 16);
    *high = (vec)(w & 0xffff0000u);
}

/* Add the products of one word of channels, or of its lower half alone. */
INLINE void LEVEL(add_scores)(vec sum[HEADS][2][PARTS],
                              const float *restrict query,
                              const float *restrict key, size_t D, size_t R,
                              bool has_two)
{
    UNROLL
    for (size_t j = 0; j < PARTS; j++) {
        vec low, high;

        LEVEL(halves)(&low, &high, key + j * VECTOR);
        UNROLL
        for (size_t r = 0; r < R; r++) {
            sum[r][0][j] += low * query[r * D];
            if (has_two)
                sum[r][1][j] += high * query[r * D + 1];
        }
    }
}

/* score[r,i] = query[r] . key of position i of one page, for R heads.  `soon`
 * are two pieces of memory as long as the keys, or NULL, that are wanted next.
 */
INLINE void LEVEL(scores)(float *restrict score, size_t ld,
                          const float *restrict query,
                          const float *restrict key, size_t D, size_t R,
                          const float *const soon[2])
{
    vec sum[HEADS][2][PARTS];
    size_t c = 0;

    UNROLL
    for (size_t r = 0; r < R; r++)
        for (size_t j = 0; j < PARTS; j++)
            sum[r][0][j] = sum[r][1][j] = (vec){0};
    for (; c < D / 2; c++) {
        for (size_t k = 0; k < 2; k++)
            if (soon[k] != NULL)
                PREFETCH(soon[k] + c * PAGED_ROWS);
        LEVEL(add_scores)
        (sum, query + 2 * c, key + c * PAGED_ROWS, D, R, true);
    }
    if (D % 2 != 0)
        LEVEL(add_scores)
    (sum, query + 2 * c, key + c * PAGED_ROWS, D, R, false);
    UNROLL
    for (size_t r = 0; r < R; r++)
        for (size_t j = 0; j < PARTS; j++) {
            vec both = sum[r][0][j] + sum[r][1][j];

            memcpy(score + r * ld + j * VECTOR, &both, sizeof both);
        }
}

/* One channel of R heads, of those that fill no register. */
INLINE void LEVEL(weigh_one)(float *restrict out, const float *restrict p,
                             size_t ld, float *const *table, size_t offset,
                             size_t len, size_t D, size_t R,
                             const float *factor)
{
    for (size_t r = 0; r < R; r++) {
        float sum = 0.0f;

        for (size_t s = 0; s < len; s++) {
            const float *word =
                table[s / PAGED_ROWS] + offset + s % PAGED_ROWS / 2 * D;

            sum += p[r * ld + s] * half_of(word, s % 2);
        }
        out[r * D] = sum * factor[r];
    }
}

/* Add one word of positions from s on, or its lower half alone. */
INLINE void LEVEL(add_values)(vec sum[HEADS][CHANNEL_PARTS],
                              const float *restrict p, size_t ld,
                              const float *restrict word, size_t R,
                              size_t parts, bool has_two)
{
    UNROLL
    for (size_t j = 0; j < parts; j++) {
        vec low, high;

        LEVEL(halves)(&low, &high, word + j * VECTOR);
        UNROLL
        for (size_t r = 0; r < R; r++) {
            sum[r][j] += low * p[r * ld];
            if (has_two)
                sum[r][j] += high * p[r * ld + 1];
        }
    }
}

/* `parts` registers of channels of R heads: out = factor sum_s p[s] value[s].
 */
INLINE void LEVEL(weigh)(float *restrict out, const float *restrict p,
                         size_t ld, float *const *table, size_t offset,
                         size_t len, size_t D, size_t R, size_t parts,
                         const float *factor)
{
    vec sum[HEADS][CHANNEL_PARTS];

    UNROLL
    for (size_t r = 0; r < R; r++)
        for (size_t j = 0; j < parts; j++)
            sum[r][j] = (vec){0};
    for (size_t s = 0; s < len; s += PAGED_ROWS) {
        const float *word = table[s / PAGED_ROWS] + offset;
        size_t rows = len - s < PAGED_ROWS ? len - s : PAGED_ROWS, i = 0;

        for (; i + 2 <= rows; i += 2, word += D)
            LEVEL(add_values)(sum, p + s + i, ld, word, R, parts, true);
        if (i < rows)
            LEVEL(add_values)(sum, p + s + i, ld, word, R, parts, false);
    }
    UNROLL
    for (size_t r = 0; r < R; r++)
        for (size_t j = 0; j < parts; j++) {
            vec x = sum[r][j] * factor[r];

            memcpy(out + r * D + j * VECTOR, &x, sizeof x);
        }
}

/* R heads that share their keys and values. */
INLINE void LEVEL(heads)(const struct shared *h, size_t D, size_t R)
{
    size_t ld = paged_scratch(h->len), d = 0;
    float scale = (float)(1.0 / sqrt((double)D)), factor[HEADS];

    for (size_t s = 0; s < h->len; s += PAGED_ROWS) {
        float *const *page = h->table + s / PAGED_ROWS;
        const float *const soon[2] = {page[0] + h->value,
                                      s + PAGED_ROWS < h->len ? page[1] + h->key
                                                              : NULL};

        LEVEL(scores)
        (h->p + s, ld, h->query, page[0] + h->key, D, R, soon);
    }
    for (size_t r = 0; r < R; r++)
        factor[r] = 1.0f / exponentials(h->p + r * ld, h->len, scale);
    for (; d + CHANNELS <= D; d += CHANNELS)
        LEVEL(weigh)
    (h->out + d, h->p, ld, h->table, h->value + d, h->len, D, R, CHANNEL_PARTS,
     factor);
    for (; d + VECTOR <= D; d += VECTOR)
        LEVEL(weigh)
    (h->out + d, h->p, ld, h->table, h->value + d, h->len, D, R, 1, factor);
    for (; d < D; d++)
        LEVEL(weigh_one)
    (h->out + d, h->p, ld, h->table, h->value + d, h->len, D, R, factor);
}

INLINE void LEVEL(of_size)(const struct shared *h, size_t D)
{
    if (h->R == 1)
        LEVEL(heads)(h, D, 1);
    else if (h->R == 2)
        LEVEL(heads)(h, D, 2);
    else if (h->R == 3)
        LEVEL(heads)(h, D, 3);
    else
        LEVEL(heads)(h, D, 4);
}

/* At most HEADS heads; common sizes get loops of their own. */
AT_LEVEL static void LEVEL(attend)(const struct shared *h, size_t D)
{
    if (D == 64)
        LEVEL(of_size)(h, 64);
    else
        LEVEL(of_size)(h, D);
}

#undef vec
#undef bits
#undef INLINE
#undef PARTS
#undef CHANNEL_PARTS
#undef LEVEL
#undef AT_LEVEL
#undef VECTOR
