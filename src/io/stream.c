#include "io/stream.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/file.h"
#include "base/mem.h"

#define PIECE ((size_t)64 * 1024)
#define MAGIC_MAX 4
#define WINDOW_LOG_MAX 27 // 128 MiB

enum packing {
    PACKING_UNKNOWN, // the first bytes were not looked at yet
    PACKING_NONE,
    PACKING_GZIP,
    PACKING_ZSTD
};

struct stream {
    char *name;
    int fd;             // -1: bytes in memory, all of them in `in`
    unsigned char *own; // [PIECE] what was read from fd
    const unsigned char *in;
    size_t at, len; // of `in`
    bool is_end;    // nothing follows `in`
    enum packing packing;
    char *out; // [PIECE] expanded
    uint64_t total, max;
    bool is_open; // inside a member or frame
    bool is_full; // the decoder may hold more output
    bool has_gzip;
    z_stream gzip;
    ZSTD_DCtx *zstd;
};

/* ---- opening ------------------------------------------------------------ */

static enum status new_stream(struct stream **out, const char *name,
                              struct err *err)
{
    struct stream *s;
    TRY(MEM_NEW(s, 1, err));
    s->fd = -1;
    s->max = STREAM_BYTES_MAX;
    s->name = mem_strdup(name);
    if (s->name == NULL) {
        mem_free(s);
        return err_set(err, ERR_MEMORY, "out of memory for a path");
    }
    *out = s;
    return OK;
}

enum status stream_open(struct stream **out, const char *path, struct err *err)
{
    struct stream *s;
    bool is_stdin = strcmp(path, "-") == 0;
    if (!is_stdin)
        TRY(file_need(path, err));
    TRY(new_stream(&s, is_stdin ? "<stdin>" : path, err));
    enum status status = MEM_NEW(s->own, PIECE, err);
    if (status == OK) {
        s->in = s->own;
        s->fd = STDIN_FILENO;
        if (!is_stdin)
            status = file_open(&s->fd, path, err);
    }
    if (status != OK) {
        stream_close(s);
        return status;
    }
    *out = s;
    return OK;
}

enum status stream_open_bytes(struct stream **out, const void *data, size_t len,
                              uint64_t max, const char *name, struct err *err)
{
    struct stream *s;
    TRY(new_stream(&s, name, err));
    s->in = data;
    s->len = len;
    s->max = max;
    s->is_end = true;
    *out = s;
    return OK;
}

void stream_close(struct stream *s)
{
    if (s == NULL)
        return;
    if (s->fd > STDIN_FILENO)
        (void)close(s->fd);
    if (s->has_gzip)
        (void)inflateEnd(&s->gzip);
    ZSTD_freeDCtx(s->zstd);
    mem_free(s->out);
    mem_free(s->own);
    mem_free(s->name);
    mem_free(s);
}

const char *stream_name(const struct stream *s)
{
    return s->name;
}

/* ---- input -------------------------------------------------------------- */

/* Have more of the file in `in` behind what was not used yet. */
static enum status fill(struct stream *s, struct err *err)
{
    memmove(s->own, s->own + s->at, s->len - s->at);
    s->len -= s->at;
    s->at = 0;
    while (s->len < PIECE && !s->is_end) {
        ssize_t n = read(s->fd, s->own + s->len, PIECE - s->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return file_error(err, "read", s->name);
        s->len += (size_t)n;
        s->is_end = n == 0;
        if (s->len >= MAGIC_MAX)
            break;
    }
    return OK;
}

static void *zlib_alloc(void *ctx, unsigned n, unsigned size)
{
    (void)ctx;
    return mem_calloc(n, size);
}

static void zlib_free(void *ctx, void *p)
{
    (void)ctx;
    mem_free(p);
}

static enum status start_unpacking(struct stream *s, struct err *err)
{
    TRY(MEM_NEW(s->out, PIECE, err));
    if (s->packing == PACKING_GZIP) {
        s->gzip = (z_stream){.zalloc = zlib_alloc, .zfree = zlib_free};
        /* 15 bits of window, and 16 for "a gzip header is wanted". */
        if (inflateInit2(&s->gzip, 15 + 16) != Z_OK)
            return err_set(err, ERR_MEMORY, "out of memory reading %s",
                           s->name);
        s->has_gzip = true;
        return OK;
    }
    s->zstd = ZSTD_createDCtx();
    if (s->zstd == NULL)
        return err_set(err, ERR_MEMORY, "out of memory reading %s", s->name);
    ZSTD_DCtx_setParameter(s->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    return OK;
}

static bool starts_with(const struct stream *s, const char *magic, size_t n)
{
    return s->len - s->at >= n && memcmp(s->in + s->at, magic, n) == 0;
}

/* ---- expanding ---------------------------------------------------------- */

static enum status cut_short(const struct stream *s, struct err *err)
{
    return err_set(err, ERR_FORMAT, "%s: the compressed data are cut short",
                   s->name);
}

static enum status unpack_gzip(struct stream *s, size_t *n, struct err *err)
{
    z_stream *z = &s->gzip;
    size_t room = s->len - s->at;
    /* zlib does not write through its input pointer. */
    union {
        const unsigned char *in;
        unsigned char *out;
    } input = {.in = s->in + s->at};
    z->next_in = input.out;
    z->avail_in = (unsigned)(room < PIECE ? room : PIECE);
    z->next_out = (unsigned char *)s->out;
    z->avail_out = (unsigned)PIECE;
    unsigned before = z->avail_in;
    int code = inflate(z, Z_NO_FLUSH);
    s->at += before - z->avail_in;
    *n = PIECE - z->avail_out;
    s->is_full = z->avail_out == 0;
    if (code == Z_STREAM_END) {
        s->is_open = s->is_full = false;
        return OK;
    }
    /* Z_BUF_ERROR: neither input nor room was there, which is no failure. */
    if (code == Z_OK || code == Z_BUF_ERROR)
        return OK;
    if (code == Z_MEM_ERROR)
        return err_set(err, ERR_MEMORY, "out of memory reading %s", s->name);
    return err_set(err, ERR_FORMAT, "%s: the gzip data are damaged: %s",
                   s->name, z->msg != NULL ? z->msg : "no reason given");
}

static enum status unpack_zstd(struct stream *s, size_t *n, struct err *err)
{
    ZSTD_inBuffer in = {.src = s->in + s->at, .size = s->len - s->at};
    ZSTD_outBuffer out = {.dst = s->out, .size = PIECE};
    size_t left = ZSTD_decompressStream(s->zstd, &out, &in);
    if (ZSTD_isError(left))
        return err_set(err, ERR_FORMAT,
                       "%s: the Zstandard data are damaged: %s", s->name,
                       ZSTD_getErrorName(left));
    s->at += in.pos;
    *n = out.pos;
    s->is_open = left != 0;
    s->is_full = s->is_open && out.pos == out.size;
    return OK;
}

/* A member begins where the last one ended. */
static enum status open_member(struct stream *s, struct err *err)
{
    if (s->packing == PACKING_GZIP) {
        if (!starts_with(s, "\x1f\x8b", 2))
            return err_set(err, ERR_FORMAT,
                           "%s: something that is not gzip follows the "
                           "compressed data",
                           s->name);
        (void)inflateReset(&s->gzip);
    }
    s->is_open = true;
    return OK;
}

static enum status unpack(struct stream *s, size_t *n, struct err *err)
{
    *n = 0;
    while (*n == 0) {
        if (s->len - s->at < MAGIC_MAX && !s->is_end)
            TRY(fill(s, err));
        bool is_dry = s->at == s->len && s->is_end;
        if (is_dry && !s->is_open)
            return OK;
        if (is_dry && !s->is_full)
            return cut_short(s, err);
        if (!s->is_open)
            TRY(open_member(s, err));
        size_t at = s->at;
        TRY(s->packing == PACKING_GZIP ? unpack_gzip(s, n, err)
                                       : unpack_zstd(s, n, err));
        if (*n == 0 && at == s->at && s->is_end && s->is_open)
            return cut_short(s, err);
    }
    if (*n > s->max - s->total)
        return err_set(err, ERR_LIMIT, "%s: expands to more than %llu bytes",
                       s->name, (unsigned long long)s->max);
    s->total += *n;
    return OK;
}

enum status stream_next(struct stream *s, const char **piece, size_t *len,
                        struct err *err)
{
    if (s->packing == PACKING_UNKNOWN) {
        if (!s->is_end)
            TRY(fill(s, err));
        s->packing = starts_with(s, "\x1f\x8b", 2)           ? PACKING_GZIP
                     : starts_with(s, "\x28\xb5\x2f\xfd", 4) ? PACKING_ZSTD
                                                             : PACKING_NONE;
        if (s->packing != PACKING_NONE)
            TRY(start_unpacking(s, err));
    }
    if (s->packing != PACKING_NONE) {
        *piece = s->out;
        return unpack(s, len, err);
    }
    if (s->at == s->len && !s->is_end)
        TRY(fill(s, err));
    *piece = (const char *)s->in + s->at;
    *len = s->len - s->at;
    s->at = s->len;
    return OK;
}
