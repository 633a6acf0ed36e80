#include "serve/rate.h"

#include <math.h>
#include <sodium.h>

#include "base/mem.h"

struct place {
    uint64_t hash; // 0: free
    double tokens;
    int64_t at; // when `tokens` was right
};

struct rate {
    unsigned char secret[crypto_shorthash_KEYBYTES];
    size_t sets;
    double per_ms, burst;
    struct place place[]; // [sets * RATE_WAYS]
};

enum status rate_create(struct rate **out, size_t sets, double per_s,
                        double burst, struct err *err)
{
    if (sets == 0 || (sets & (sets - 1)) != 0 || !(per_s > 0.0) ||
        !(burst >= 1.0))
        return err_set(err, ERR_ARG, "no such rate: %g a second, %g at once",
                       per_s, burst);
    struct rate *r =
        mem_calloc(1, sizeof *r + sets * RATE_WAYS * sizeof(struct place));
    if (r == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for a table of rates");
    r->sets = sets;
    r->per_ms = per_s / 1000.0;
    r->burst = burst;
    randombytes_buf(r->secret, sizeof r->secret);
    *out = r;
    return OK;
}

void rate_destroy(struct rate *r)
{
    mem_free(r);
}

static double tokens_at(const struct rate *r, const struct place *p,
                        int64_t now)
{
    if (p->hash == 0)
        return r->burst;
    double gained = now > p->at ? (double)(now - p->at) * r->per_ms : 0.0;
    return fmin(r->burst, p->tokens + gained);
}

/* The place of a hash, or the one of its set that is given to it. */
static struct place *find(struct rate *r, uint64_t hash, int64_t now)
{
    struct place *set = r->place + (hash & (r->sets - 1)) * RATE_WAYS;
    struct place *best = set;
    for (size_t i = 0; i < RATE_WAYS; i++) {
        if (set[i].hash == hash)
            return &set[i];
        if (best->hash != 0 &&
            (set[i].hash == 0 ||
             tokens_at(r, &set[i], now) > tokens_at(r, best, now)))
            best = &set[i];
    }
    *best = (struct place){hash, r->burst, now};
    return best;
}

bool rate_take(struct rate *r, const void *key, size_t len, int64_t now,
               int64_t *wait_ms)
{
    unsigned char bytes[crypto_shorthash_BYTES];
    uint64_t hash = 0;
    (void)crypto_shorthash(bytes, key, len, r->secret);
    for (size_t i = 0; i < sizeof bytes; i++)
        hash = hash << 8 | bytes[i];
    struct place *p = find(r, hash | 1U << 31, now);
    p->tokens = tokens_at(r, p, now);
    p->at = now;
    if (p->tokens >= 1.0) {
        p->tokens -= 1.0;
        return true;
    }
    if (wait_ms != NULL)
        *wait_ms = (int64_t)ceil((1.0 - p->tokens) / r->per_ms);
    return false;
}
