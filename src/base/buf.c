#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define FIRST_ROOM 256

void buf_init(struct buf *b, size_t max)
{
    /* One byte is kept for the NUL, so the largest size leaves a spare. */
    *b = (struct buf){.max = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2};
}

void buf_free(struct buf *b)
{
    mem_free(b->data);
    *b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->code = OK;
    if (b->data != NULL)
        b->data[0] = '\0';
}

/* Make room for n more bytes and the NUL. */
static int reserve(struct buf *b, size_t n)
{
    if (b->code != OK)
        return 0;
    if (n > b->max - b->len) {
        b->code = ERR_LIMIT;
        return 0;
    }
    size_t need = b->len + n + 1;
    if (need <= b->room)
        return 1;
    size_t room = b->room < FIRST_ROOM ? FIRST_ROOM : b->room;
    while (room < need)
        room *= 2;
    if (room > b->max + 1)
        room = b->max + 1;
    char *grown = mem_grow(b->data, b->data != NULL ? b->len + 1 : 0, room, 1);
    if (grown == NULL) {
        b->code = ERR_MEMORY;
        return 0;
    }
    b->data = grown;
    b->room = room;
    return 1;
}

void *buf_extend(struct buf *b, size_t n)
{
    if (!reserve(b, n))
        return NULL;
    char *at = b->data + b->len;
    b->len += n;
    b->data[b->len] = '\0';
    return at;
}

void buf_append(struct buf *b, const void *data, size_t len)
{
    char *at = buf_extend(b, len);
    if (at != NULL && len != 0)
        memcpy(at, data, len);
}

void buf_puts(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

void buf_putc(struct buf *b, char c)
{
    char *at = buf_extend(b, 1);
    if (at != NULL)
        *at = c;
}

void buf_vprintf(struct buf *b, const char *fmt, va_list args)
{
    if (!reserve(b, 0))
        return;
    /* First try in the room there is; it tells the size when that is short. */
    size_t room = b->room - b->len;
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(b->data + b->len, room, fmt, args);
    if (n < 0) {
        b->code = ERR_LIMIT;
        b->data[b->len] = '\0';
    } else if ((size_t)n < room && (size_t)n <= b->max - b->len) {
        b->len += (size_t)n;
    } else {
        b->data[b->len] = '\0';
        if (reserve(b, (size_t)n)) {
            (void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
            b->len += (size_t)n;
        }
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    buf_vprintf(b, fmt, args);
    va_end(args);
}

const char *buf_text(const struct buf *b)
{
    return b->data != NULL ? b->data : "";
}

enum status buf_status(const struct buf *b, struct err *err)
{
    if (b->code == ERR_LIMIT)
        return err_set(err, ERR_LIMIT, "text is longer than %zu bytes", b->max);
    if (b->code != OK)
        return err_set(err, b->code, "out of memory after %zu bytes of text",
                       b->len);
    return OK;
}
