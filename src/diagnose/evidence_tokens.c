#include <stdlib.h>
#include <string.h>

#include "diagnose/evidence_internal.h"

static int by_hash(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    if (x[0] != y[0])
        return x[0] < y[0] ? -1 : 1;
    return (x[1] > y[1]) - (x[1] < y[1]);
}

void evidence_find_repeats(bool *repeated, uint64_t *scratch,
                           const int32_t *token, size_t n)
{
    memset(repeated, 0, n * sizeof *repeated);
    if (token == NULL || n < 4)
        return;
    for (size_t t = 3; t < n; t++) {
        uint64_t hash = UINT64_C(0xcbf29ce484222325);
        for (size_t k = t - 3; k <= t; k++) {
            hash = (hash ^ (uint32_t)token[k]) * UINT64_C(0x9e3779b97f4a7c15);
            hash ^= hash >> 29;
        }
        scratch[2 * (t - 3)] = hash;
        scratch[2 * (t - 3) + 1] = t;
    }
    qsort(scratch, n - 3, 2 * sizeof *scratch, by_hash);
    for (size_t i = 1; i < n - 3; i++)
        if (scratch[2 * i] == scratch[2 * (i - 1)])
            repeated[scratch[2 * i + 1]] = true;
}

enum evidence_class evidence_class_of(const struct evidence *e, size_t t,
                                      size_t n, bool is_eos, int64_t before,
                                      bool repeated)
{
    if (is_eos && t + 1 == n)
        return EVIDENCE_EOS;
    if (t > 0 && before >= 0 && (uint64_t)before < e->n_vocab &&
        e->ends_sentence[before])
        return EVIDENCE_BOUNDARY;
    if (t < 5)
        return EVIDENCE_FIRST;
    return repeated ? EVIDENCE_REPEATED : EVIDENCE_OTHER;
}
