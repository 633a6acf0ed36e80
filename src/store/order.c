#include "store/order.h"

#include <sodium.h>
#include <string.h>

#include "base/rng.h"
#include "io/scan.h"

/* A number as eight bytes, lowest first, on any machine. */
static void put64(unsigned char out[8], uint64_t x)
{
    for (int i = 0; i < 8; i++)
        out[i] = (unsigned char)(x >> (8 * i));
}

static uint64_t get64(const unsigned char in[8])
{
    uint64_t x = 0;
    for (int i = 0; i < 8; i++)
        x |= (uint64_t)in[i] << (8 * i);
    return x;
}

void order_secret(unsigned char out[ORDER_BYTES],
                  const unsigned char key[ORDER_BYTES], int64_t judge,
                  int64_t item)
{
    static const char label[] = "plumb.order.secret/1";
    unsigned char in[sizeof label - 1 + 16];
    memcpy(in, label, sizeof label - 1);
    put64(in + sizeof label - 1, (uint64_t)judge);
    put64(in + sizeof label - 1 + 8, (uint64_t)item);
    (void)crypto_generichash(out, ORDER_BYTES, in, sizeof in, key, ORDER_BYTES);
}

void order_draw(struct order *o)
{
    struct rng r;
    size_t index[ORDER_MAX];
    rng_init(&r, get64(o->secret), RNG_SIDES, 0, 0);
    for (size_t s = 0; s < o->K; s++)
        index[s] = s;
    rng_shuffle(&r, index, o->K);
    for (size_t s = 0; s < o->K; s++)
        o->place[s] = (int32_t)index[s];
}

void order_swap(struct order *o, const struct order *first)
{
    o->K = first->K;
    for (size_t s = 0; s < o->K; s++)
        o->place[s] = first->place[o->K - 1 - s];
}

void order_write(struct buf *out, const struct order *o)
{
    for (size_t s = 0; s < o->K; s++)
        buf_printf(out, "%c%d", s > 0 ? ',' : '[', (int)o->place[s]);
    buf_putc(out, ']');
}

enum status order_read(struct order *o, const char *text, struct err *err)
{
    struct scan s;
    bool seen[ORDER_MAX] = {false};
    scan_init(&s, text, strlen(text));
    size_t n = scan_ints(&s, o->place, ORDER_MAX);
    TRY(scan_end(&s, "an order", err));
    for (size_t i = 0; i < n; i++) {
        int32_t p = o->place[i];
        if (p < 0 || (size_t)p >= n || seen[p])
            return err_set(err, ERR_FORMAT, "an order %.80s is no permutation",
                           text);
        seen[p] = true;
    }
    if (n == 0)
        return err_set(err, ERR_FORMAT, "an order is empty");
    o->K = n;
    return OK;
}

enum status order_commit(struct order *o, const char *pool, const char *item,
                         struct err *err)
{
    crypto_auth_hmacsha256_state state;
    struct buf text;
    buf_init(&text, 4096);
    buf_printf(&text, "plumb.order/1\n%s\n%s\n", pool, item);
    order_write(&text, o);
    enum status status = buf_status(&text, err);
    if (status == OK) {
        (void)crypto_auth_hmacsha256_init(&state, o->secret, ORDER_BYTES);
        (void)crypto_auth_hmacsha256_update(
            &state, (const unsigned char *)buf_text(&text), text.len);
        (void)crypto_auth_hmacsha256_final(&state, o->commitment);
    }
    buf_free(&text);
    return status;
}

enum status order_check(const struct order *o, const char *pool,
                        const char *item, const struct order *first,
                        struct err *err)
{
    struct order again = *o;
    TRY(order_commit(&again, pool, item, err));
    if (memcmp(again.commitment, o->commitment, ORDER_BYTES) != 0)
        return err_set(err, ERR_MISMATCH,
                       "the order of '%.80s' is not the one committed to",
                       item);
    if (first != NULL)
        order_swap(&again, first);
    else
        order_draw(&again);
    if (again.K != o->K ||
        memcmp(again.place, o->place, o->K * sizeof *o->place) != 0)
        return err_set(err, ERR_MISMATCH,
                       "the order of '%.80s' is not the one %s", item,
                       first != NULL ? "of the first visit, swapped"
                                     : "that its secret draws");
    return OK;
}
