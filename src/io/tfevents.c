#include "io/tfevents.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"

/* An event of one scalar is far smaller; tags come from our own tables. */
#define EVENT_MAX ((size_t)1 << 20)

struct tfevents {
    FILE *file;
    char *path;
    char **tag; // tags that were described already
    size_t tags, room;
    struct buf summary, value, event; // kept between records
};

/* ---- checksums ---------------------------------------------------------- */

uint32_t tfevents_crc(const void *data, uint64_t len)
{
    /* Four bits at a time: entry i is the remainder of the nibble i. */
    static const uint32_t nibble[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    const unsigned char *p = data;
    uint32_t crc = 0xffffffff;
    for (uint64_t i = 0; i < len; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ nibble[crc & 15];
        crc = crc >> 4 ^ nibble[crc & 15];
    }
    return ~crc;
}

uint32_t tfevents_mask(uint32_t crc)
{
    return (crc >> 15 | crc << 17) + 0xa282ead8;
}

/* ---- protocol buffers --------------------------------------------------- */

/* Wire types; a field starts with its number and one of these. */
enum wire {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2,
};

static void put_varint(struct buf *b, uint64_t x)
{
    while (x >= 0x80) {
        buf_putc(b, (char)(unsigned char)(x | 0x80));
        x >>= 7;
    }
    buf_putc(b, (char)(unsigned char)x);
}

/* Little-endian, whatever the machine is. */
static void put_fixed(struct buf *b, uint64_t x, int bytes)
{
    for (int i = 0; i < bytes; i++)
        buf_putc(b, (char)(unsigned char)(x >> 8 * i));
}

static void put_field(struct buf *b, unsigned number, enum wire wire)
{
    put_varint(b, (uint64_t)number << 3 | (unsigned)wire);
}

static void put_bytes(struct buf *b, unsigned number, const void *data,
                      size_t len)
{
    put_field(b, number, WIRE_BYTES);
    put_varint(b, len);
    buf_append(b, data, len);
}

static void put_double(struct buf *b, unsigned number, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    put_field(b, number, WIRE_FIXED64);
    put_fixed(b, bits, 8);
}

/* ---- records ------------------------------------------------------------ */

/* Frame the event: length, checksum of the length, bytes, their checksum. */
static enum status write_record(struct tfevents *t, struct err *err)
{
    TRY(buf_status(&t->event, err));
    struct buf frame;
    buf_init(&frame, 16);
    put_fixed(&frame, t->event.len, 8);
    put_fixed(&frame, tfevents_mask(tfevents_crc(frame.data, frame.len)), 4);
    put_fixed(&frame, tfevents_mask(tfevents_crc(t->event.data, t->event.len)),
              4);
    enum status status = buf_status(&frame, err);
    if (status == OK &&
        (fwrite(frame.data, 1, 12, t->file) != 12 ||
         fwrite(t->event.data, 1, t->event.len, t->file) != t->event.len ||
         fwrite(frame.data + 12, 1, 4, t->file) != 4))
        status = file_error(err, "write", t->path);
    buf_free(&frame);
    return status;
}

/* Event {1: wall_time, 3: file_version} */
static enum status write_version(struct tfevents *t, double wall_time,
                                 struct err *err)
{
    static const char version[] = "brain.Event:2";
    buf_clear(&t->event);
    put_double(&t->event, 1, wall_time);
    put_bytes(&t->event, 3, version, sizeof version - 1);
    return write_record(t, err);
}

enum status tfevents_open(struct tfevents **out, const char *path,
                          double wall_time, struct err *err)
{
    struct tfevents *t = NULL;
    TRY(MEM_NEW(t, 1, err));
    buf_init(&t->summary, EVENT_MAX);
    buf_init(&t->value, EVENT_MAX);
    buf_init(&t->event, EVENT_MAX);
    enum status status = OK;
    t->path = mem_strdup(path);
    if (t->path == NULL)
        status = err_set(err, ERR_MEMORY, "out of memory for a path");
    if (status == OK) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        t->file = fd >= 0 ? fdopen(fd, "wb") : NULL;
        if (t->file == NULL) {
            status = file_error(err, "create", path);
            if (fd >= 0)
                close(fd);
        }
    }
    if (status == OK)
        status = write_version(t, wall_time, err);
    if (status != OK) {
        tfevents_close(t);
        return status;
    }
    *out = t;
    return OK;
}

void tfevents_close(struct tfevents *t)
{
    if (t == NULL)
        return;
    if (t->file != NULL)
        (void)fclose(t->file);
    for (size_t i = 0; i < t->tags; i++)
        mem_free(t->tag[i]);
    mem_free(t->tag);
    mem_free(t->path);
    buf_free(&t->summary);
    buf_free(&t->value);
    buf_free(&t->event);
    mem_free(t);
}

/* Was the tag described in this file?  Notes it when it was not. */
static enum status describe(bool *is_new, struct tfevents *t, const char *tag,
                            struct err *err)
{
    *is_new = false;
    for (size_t i = 0; i < t->tags; i++)
        if (strcmp(t->tag[i], tag) == 0)
            return OK;
    if (t->tags == t->room) {
        size_t room = t->room == 0 ? 64 : t->room * 2;
        char **grown = mem_grow(t->tag, t->tags, room, sizeof *t->tag);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu tags", room);
        t->tag = grown;
        t->room = room;
    }
    t->tag[t->tags] = mem_strdup(tag);
    if (t->tag[t->tags] == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for a tag");
    t->tags++;
    *is_new = true;
    return OK;
}

/* Value {1: tag, 9: metadata, 8: tensor}.  Metadata {1: plugin {1: name},
 * 4: data class 1, scalar}.  Tensor {1: dtype 1, float; 2: shape, empty for a
 * scalar; 5: float_val, packed}. */
static void put_value(struct buf *b, const char *tag, bool is_new, float x)
{
    static const unsigned char metadata[] = {
        1 << 3 | WIRE_BYTES,
        9,
        1 << 3 | WIRE_BYTES,
        7,
        's',
        'c',
        'a',
        'l',
        'a',
        'r',
        's',
        4 << 3 | WIRE_VARINT,
        1,
    };
    unsigned char tensor[10] = {
        1 << 3 | WIRE_VARINT, 1, 2 << 3 | WIRE_BYTES, 0, 5 << 3 | WIRE_BYTES, 4,
    };
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    for (int i = 0; i < 4; i++)
        tensor[6 + i] = (unsigned char)(bits >> 8 * i);
    put_bytes(b, 1, tag, strlen(tag));
    if (is_new)
        put_bytes(b, 9, metadata, sizeof metadata);
    put_bytes(b, 8, tensor, sizeof tensor);
}

enum status tfevents_scalar(struct tfevents *t, double wall_time, int64_t step,
                            const char *tag, double value, struct err *err)
{
    bool is_new;
    TRY(describe(&is_new, t, tag, err));
    buf_clear(&t->value);
    put_value(&t->value, tag, is_new, (float)value);
    TRY(buf_status(&t->value, err));
    buf_clear(&t->summary);
    put_bytes(&t->summary, 1, t->value.data, t->value.len);
    TRY(buf_status(&t->summary, err));

    /* Event {1: wall_time, 2: step, 5: summary {1: value}} */
    buf_clear(&t->event);
    put_double(&t->event, 1, wall_time);
    put_field(&t->event, 2, WIRE_VARINT);
    put_varint(&t->event, (uint64_t)step);
    put_bytes(&t->event, 5, t->summary.data, t->summary.len);
    return write_record(t, err);
}

enum status tfevents_flush(struct tfevents *t, struct err *err)
{
    if (fflush(t->file) != 0)
        return file_error(err, "write", t->path);
    return OK;
}
