#include "io/nfc.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <utf8proc.h>

#include "base/mem.h"
#include "base/utf8.h"

#define PARTS_MAX 8 // a character comes apart into four at most
#define CLASSES 256

/* Characters newer than Unicode 9 that newer tables take apart, compose or
 * put in order; both ends included. */
static const uint32_t newer[][2] = {
    {0x7fd, 0x7fd},     {0x897, 0x89f},     {0x8ca, 0x8d3},
    {0x9fe, 0x9fe},     {0xc3c, 0xc3c},     {0xd3b, 0xd3c},
    {0xeba, 0xeba},     {0x1715, 0x1715},   {0x1abf, 0x1ace},
    {0x1df6, 0x1dfa},   {0xa82c, 0xa82c},   {0x105c9, 0x105c9},
    {0x105d2, 0x105d2}, {0x105da, 0x105da}, {0x105e4, 0x105e4},
    {0x10d24, 0x10d27}, {0x10d69, 0x10d6d}, {0x10eab, 0x10eac},
    {0x10efc, 0x10eff}, {0x10f46, 0x10f50}, {0x10f82, 0x10f85},
    {0x11070, 0x11070}, {0x1133b, 0x1133b}, {0x11382, 0x11391},
    {0x113b8, 0x113c0}, {0x113c2, 0x113c2}, {0x113c5, 0x113c5},
    {0x113c7, 0x113ca}, {0x113cc, 0x113d0}, {0x113d2, 0x113d2},
    {0x113e1, 0x113e2}, {0x1145e, 0x1145e}, {0x11839, 0x1183a},
    {0x11930, 0x11930}, {0x11938, 0x11938}, {0x1193d, 0x1193e},
    {0x11943, 0x11943}, {0x119e0, 0x119e0}, {0x11a34, 0x11a34},
    {0x11a47, 0x11a47}, {0x11a99, 0x11a99}, {0x11d42, 0x11d42},
    {0x11d44, 0x11d45}, {0x11d97, 0x11d97}, {0x11f41, 0x11f42},
    {0x11f5a, 0x11f5a}, {0x1611e, 0x1612f}, {0x16d63, 0x16d63},
    {0x16d67, 0x16d6a}, {0x16ff0, 0x16ff1}, {0x1e08f, 0x1e08f},
    {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ae}, {0x1e2ec, 0x1e2ef},
    {0x1e4ec, 0x1e4ef}, {0x1e5ee, 0x1e5ef},
};

static bool is_newer(uint32_t code)
{
    size_t low = 0, high = sizeof newer / sizeof *newer;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (newer[mid][1] < code)
            low = mid + 1;
        else
            high = mid;
    }
    return low < sizeof newer / sizeof *newer && newer[low][0] <= code;
}

/* Code points on their way. */
struct codes {
    utf8proc_int32_t *code;
    utf8proc_int32_t *sorted; // the same room, for putting marks in order
    size_t n, room;
};

static enum status make_room(struct codes *c, struct err *err)
{
    if (c->n + PARTS_MAX <= c->room)
        return OK;
    size_t room = c->room != 0 ? 2 * c->room : 256;
    utf8proc_int32_t *grown = mem_grow(c->code, c->n, room, sizeof *grown);
    if (grown != NULL)
        c->code = grown;
    mem_free(c->sorted);
    c->sorted = mem_calloc(room, sizeof *c->sorted);
    if (grown == NULL || c->sorted == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for %zu characters",
                       room);
    c->room = room;
    return OK;
}

static unsigned class_of(utf8proc_int32_t code)
{
    return (unsigned)utf8proc_get_property(code)->combining_class % CLASSES;
}

/* Sort the marks code[begin..end) by class, equal ones as they stand: by
 * counting, since their number is anybody's choice. */
static void sort_marks(struct codes *c, size_t begin, size_t end)
{
    size_t at[CLASSES + 1] = {0};
    for (size_t i = begin; i < end; i++)
        at[class_of(c->code[i]) + 1]++;
    for (size_t k = 0; k < CLASSES; k++)
        at[k + 1] += at[k];
    for (size_t i = begin; i < end; i++)
        c->sorted[at[class_of(c->code[i])]++] = c->code[i];
    memcpy(c->code + begin, c->sorted, (end - begin) * sizeof *c->code);
}

static void order(struct codes *c)
{
    for (size_t i = 0; i < c->n;) {
        size_t end = i;
        while (end < c->n && class_of(c->code[end]) != 0)
            end++;
        if (end > i + 1)
            sort_marks(c, i, end);
        i = end + 1;
    }
}

/* Order, compose and write what has been gathered. */
static void flush(struct codes *c, struct buf *out)
{
    if (c->n == 0)
        return;
    order(c);
    utf8proc_ssize_t n = utf8proc_normalize_utf32(
        c->code, (utf8proc_ssize_t)c->n, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        char text[4];
        buf_append(out, text, utf8_encode(text, (uint32_t)c->code[i]));
    }
    c->n = 0;
}

static enum status add(struct codes *c, uint32_t code, struct err *err)
{
    int boundary = 0;
    TRY(make_room(c, err));
    c->n += (size_t)utf8proc_decompose_char(
        (utf8proc_int32_t)code, c->code + c->n, PARTS_MAX,
        UTF8PROC_STABLE | UTF8PROC_DECOMPOSE, &boundary);
    return OK;
}

/*
 * How far text from `from` on is composed as it is and stays apart from what
 * follows: characters below U+0300, but for the last one before others, which
 * may be the base of a mark.
 */
static size_t plain_until(const char *text, size_t from, size_t len)
{
    size_t i = from;
    while (i < len && (unsigned char)text[i] < 0xCC)
        i++;
    if (i == len || i == from)
        return i;
    do
        i--;
    while (i > from && (text[i] & 0xC0) == 0x80);
    return i;
}

enum status nfc_append(struct buf *out, const char *text, size_t len,
                       struct err *err)
{
    struct codes c = {0};
    enum status status = OK;
    for (size_t i = 0, n; i < len; i += n) {
        size_t plain = plain_until(text, i, len);
        if (plain > i) {
            flush(&c, out);
            buf_append(out, text + i, plain - i);
            i = plain;
            n = 0;
            if (i == len)
                break;
        }
        uint32_t code = utf8_decode(text + i, &n);
        if (is_newer(code)) {
            flush(&c, out);
            buf_append(out, text + i, n);
            continue;
        }
        TRY_DONE(add(&c, code, err));
    }
    flush(&c, out);
done:
    mem_free(c.code);
    mem_free(c.sorted);
    return status;
}
