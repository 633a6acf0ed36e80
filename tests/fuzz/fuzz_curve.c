/*
 * fuzz_curve.c - any bytes as a log that is tailed, and as the index of one.
 *
 * As a log: read in two pieces or at once, it is the same; steps rise.  As an
 * index, with the checksum it needs: taken or refused, and what was taken can
 * be looked at and goes on.
 */
#include <math.h>
#include <sodium.h>
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "io/curve.h"

#define SUM 32

static struct curve *begin(void)
{
    struct curve *c = NULL;
    FUZZ_CHECK(curve_open(&c, "/nonexistent/metrics.jsonl", NULL, NULL) == OK);
    return c;
}

static size_t take(struct curve *c, const char *text, size_t len)
{
    size_t used = 0;
    FUZZ_CHECK(curve_take_text(c, text, len, &used, NULL) == OK);
    FUZZ_CHECK(used <= len);
    return used;
}

static void look(const struct curve *c)
{
    struct curve_facts f;
    struct curve_view v;
    struct curve_part part;
    const size_t metric[] = {0, 1, CURVE_NAMES_MAX, SIZE_MAX};
    struct curve_ask ask = {0, CURVE_STEP_MAX, 7, metric, 4};
    curve_facts(&f, c);
    FUZZ_CHECK((f.rows == 0) == (f.last < 0) && f.n <= CURVE_NAMES_MAX);
    FUZZ_CHECK(curve_view(&v, c, &ask, NULL) == OK);
    FUZZ_CHECK(v.n <= ask.points && (v.n > 0) == (f.rows > 0));
    for (size_t i = 1; i < v.n; i++)
        FUZZ_CHECK(v.step[i] > v.step[i - 1]);
    if (curve_wants_log(&part, c, &ask))
        FUZZ_CHECK(part.begin <= part.end && part.end <= f.bytes);
    curve_view_free(&v);
}

static bool is_same(const struct curve *a, const struct curve *b)
{
    struct curve_facts x, y;
    curve_facts(&x, a);
    curve_facts(&y, b);
    if (x.n != y.n || x.rows != y.rows || x.skipped != y.skipped ||
        x.first != y.first || x.last != y.last || x.bytes != y.bytes)
        return false;
    for (size_t i = 0; i < x.n; i++) {
        double u = curve_now(a, i), v = curve_now(b, i);
        if (strcmp(curve_name(a, i), curve_name(b, i)) != 0 ||
            !(u <= v && u >= v) != (isnan(u) && isnan(v)))
            return false;
    }
    return true;
}

static void as_log(const char *text, size_t len, size_t cut)
{
    struct curve *whole = begin(), *halves = begin();
    take(whole, text, len);
    size_t used = take(halves, text, cut);
    take(halves, text + used, len - used);
    look(whole);
    FUZZ_CHECK(is_same(whole, halves));
    curve_close(whole);
    curve_close(halves);
}

static void as_index(const uint8_t *data, size_t len)
{
    static const char more[] = "{\"step\":9007199254740992,\"x\":1}\n"
                               "{\"step\":1,\"x\":1}\n";
    unsigned char *file = mem_calloc(len + SUM, 1);
    struct curve *c = begin();
    FUZZ_CHECK(file != NULL);
    memcpy(file, data, len);
    (void)crypto_generichash(file + len, SUM, file, len, NULL, 0);
    if (curve_take_index(c, file, len + SUM, NULL) != OK) {
        struct curve_facts f;
        curve_facts(&f, c);
        FUZZ_CHECK(f.rows == 0 && f.bytes == 0 && f.n == 0);
    }
    look(c);
    take(c, more, sizeof more - 1);
    look(c);
    curve_close(c);
    mem_free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if (data[0] == 'I')
        as_index(data + 1, size - 1);
    else
        as_log((const char *)data + 2, size - 2,
               (size_t)data[1] * (size - 2) / 255);
    return 0;
}
