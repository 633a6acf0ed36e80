#include <math.h>
#include <string.h>

#include "import/quantities.h"
#include "import/readers.h"
#include "io/stream.h"
#include "io/tfevents.h"

/*
 * Event files: records of a length, its masked CRC-32C, the data and theirs;
 * each an Event of protobuf.  Read are scalars: Value's simple_value, or a
 * tensor of rank 0 in float or double.  A record that is cut short at the end
 * is a run that is being written, or was killed, and ends the file.
 */
#define RECORD_MAX ((size_t)64 << 20)

struct events {
    struct reader *r;
    struct buf held; // bytes that wait for the rest of their record
    size_t records;
    size_t others;       // values that are no scalars
    struct names *names; // of a first walk, for these alone; else NULL
};

#define NAMES_MAX 4096 // that a trainer is guessed from

/* ---- protobuf ----------------------------------------------------------- */

struct field {
    uint32_t number;
    uint64_t bits;             // of a varint or a fixed one
    const unsigned char *data; // of a length-delimited one
    size_t len;
};

static bool read_varint(uint64_t *out, const unsigned char **at,
                        const unsigned char *end)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        unsigned char byte = *(*at)++;
        *out |= (uint64_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0)
            return true;
    }
    return false;
}

static bool read_fixed(struct field *f, size_t n, const unsigned char **at,
                       const unsigned char *end)
{
    if ((size_t)(end - *at) < n)
        return false;
    f->bits = 0;
    for (size_t i = n; i-- > 0;)
        f->bits = f->bits << 8 | (*at)[i];
    f->data = *at;
    f->len = n;
    *at += n;
    return true;
}

/* The next field of a message; false at its end, or where *bad. */
static bool next_field(struct field *f, bool *bad, const unsigned char **at,
                       const unsigned char *end)
{
    uint64_t key;
    *f = (struct field){.number = 0};
    *bad = false;
    if (*at == end)
        return false;
    *bad = true;
    if (!read_varint(&key, at, end) || key >> 3 == 0 || key >> 3 > 1 << 29)
        return false;
    f->number = (uint32_t)(key >> 3);
    bool is_read = false;
    switch (key & 7) {
    case 0:
        is_read = read_varint(&f->bits, at, end);
        break;
    case 1:
        is_read = read_fixed(f, 8, at, end);
        break;
    case 2:
        is_read =
            read_varint(&f->bits, at, end) && f->bits <= (uint64_t)(end - *at);
        f->data = *at;
        f->len = is_read ? (size_t)f->bits : 0;
        *at += f->len;
        break;
    case 5:
        is_read = read_fixed(f, 4, at, end);
        break;
    default:
        break;
    }
    *bad = !is_read;
    return is_read;
}

static double as_float(uint64_t bits)
{
    float x;
    uint32_t low = (uint32_t)bits;
    memcpy(&x, &low, sizeof x);
    return (double)x;
}

static double as_double(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint64_t little(const unsigned char *at, size_t n)
{
    uint64_t x = 0;
    for (size_t i = n; i-- > 0;)
        x = x << 8 | at[i];
    return x;
}

/* TensorProto {1 dtype, 2 shape, 4 content, 5 float_val, 6 double_val}: one
 * number, or none. */
static bool read_tensor(double *out, const struct field *tensor)
{
    const unsigned char *at = tensor->data, *end = at + tensor->len;
    struct field f;
    uint64_t type = 0;
    bool bad, found = false;
    while (next_field(&f, &bad, &at, end)) {
        if (f.number == 1)
            type = f.bits;
        /* A dimension makes it no scalar, unless it is 1. */
        if (f.number == 4 && type == 1 && f.len == 4)
            found = (*out = as_float(little(f.data, 4)), true);
        if (f.number == 4 && type == 2 && f.len == 8)
            found = (*out = as_double(little(f.data, 8)), true);
        if (f.number == 5 && f.len == 4)
            found = (*out = as_float(little(f.data, 4)), true);
        if (f.number == 6 && f.len == 8)
            found = (*out = as_double(little(f.data, 8)), true);
    }
    return found && !bad;
}

/* Value {1 tag, 2 simple_value, 8 tensor}. */
static enum status read_value(struct events *e, int64_t step,
                              const struct field *value, struct err *err)
{
    const unsigned char *at = value->data, *end = at + value->len;
    struct field f;
    char tag[256] = "";
    bool bad, found = false;
    double x = 0;
    while (next_field(&f, &bad, &at, end)) {
        if (f.number == 1 && f.data != NULL && f.len < sizeof tag) {
            memcpy(tag, f.data, f.len);
            tag[f.len] = '\0';
        }
        if (f.number == 2 && f.len == 4)
            found = (x = as_float(f.bits), true);
        if (f.number == 8 && f.data != NULL && read_tensor(&x, &f))
            found = true;
    }
    if (bad)
        return err_set(err, ERR_FORMAT, "a value is damaged");
    if (!found || tag[0] == '\0') {
        e->others++;
        return OK;
    }
    size_t index;
    if (e->names != NULL)
        return e->names->n < NAMES_MAX ? names_add(e->names, &index, tag, err)
                                       : OK;
    return sink_put_metric(e->r->sink, step, tag, x, err);
}

/* Summary {1 repeated Value}. */
static enum status read_summary(struct events *e, int64_t step,
                                const struct field *summary, struct err *err)
{
    const unsigned char *at = summary->data, *end = at + summary->len;
    struct field f;
    bool bad;
    while (next_field(&f, &bad, &at, end))
        if (f.number == 1 && f.data != NULL)
            TRY(read_value(e, step, &f, err));
    return bad ? err_set(err, ERR_FORMAT, "a summary is damaged") : OK;
}

/* Event {1 wall_time, 2 step, 5 Summary}; the step may follow the summary. */
static enum status read_event(struct events *e, const unsigned char *data,
                              size_t len, struct err *err)
{
    const unsigned char *at = data, *end = data + len;
    struct field f, summary = {.data = NULL};
    int64_t step = 0;
    bool bad;
    while (next_field(&f, &bad, &at, end)) {
        if (f.number == 2)
            step = (int64_t)f.bits;
        if (f.number == 5 && f.data != NULL)
            summary = f;
    }
    if (bad)
        return err_set(err, ERR_FORMAT, "an event is damaged");
    return summary.data != NULL ? read_summary(e, step, &summary, err) : OK;
}

/* ---- records ------------------------------------------------------------ */

/* Take whole records from what is held; *used bytes of it. */
static enum status take_records(struct events *e, size_t *used, struct err *err)
{
    const unsigned char *data = (const unsigned char *)e->held.data;
    size_t at = 0;
    *used = 0;
    while (e->held.len - at >= 12) {
        uint64_t len = little(data + at, 8);
        if (little(data + at + 8, 4) !=
            tfevents_mask(tfevents_crc(data + at, 8)))
            return err_set(err, ERR_FORMAT, "its length is damaged");
        if (len > RECORD_MAX)
            return err_set(err, ERR_LIMIT, "it has %llu bytes, limit %zu",
                           (unsigned long long)len, RECORD_MAX);
        if (e->held.len - at < 16 + len)
            break;
        if (little(data + at + 12 + len, 4) !=
            tfevents_mask(tfevents_crc(data + at + 12, len)))
            return err_set(err, ERR_FORMAT, "its data are damaged");
        e->records++;
        TRY(read_event(e, data + at + 12, (size_t)len, err));
        at += 16 + (size_t)len;
        *used = at;
    }
    return OK;
}

static enum status take_piece(struct events *e, const char *piece, size_t len,
                              struct err *err)
{
    size_t used;
    buf_append(&e->held, piece, len);
    TRY(buf_status(&e->held, err));
    enum status status = take_records(e, &used, err);
    if (status != OK) {
        (void)err_context(err, "%s:%zu: a record", e->r->path, e->records + 1);
        return status;
    }
    if (used > 0) {
        memmove(e->held.data, e->held.data + used, e->held.len - used);
        e->held.len -= used;
    }
    return OK;
}

double tensorboard_sniff(const struct head *h)
{
    const unsigned char *b = (const unsigned char *)h->text;
    if (h->len < 16 || little(b, 8) > RECORD_MAX)
        return 0;
    return little(b + 8, 4) == tfevents_mask(tfevents_crc(b, 8)) ? 0.99 : 0;
}

static enum status walk(struct events *e, struct err *err)
{
    struct stream *s;
    const char *piece;
    size_t len;
    enum status status = OK;
    TRY(stream_open(&s, e->r->path, err));
    do {
        TRY_DONE(stream_next(s, &piece, &len, err));
        TRY_DONE(take_piece(e, piece, len, err));
    } while (len > 0);
done:
    stream_close(s);
    return status;
}

/* Whose event file it is, where nobody said. */
static enum status guess_trainer(struct reader *r, struct err *err)
{
    struct names names = {.text = NULL};
    struct events e = {.r = r, .names = &names};
    if (r->sink->trainer[0] != '\0')
        return OK;
    buf_init(&e.held, RECORD_MAX + ((size_t)1 << 20));
    enum status status = walk(&e, err);
    if (status == OK)
        r->sink->trainer = quantities_guess(&names);
    buf_free(&e.held);
    names_free(&names);
    return status;
}

enum status tensorboard_read(struct reader *r, struct err *err)
{
    struct events e = {.r = r};
    TRY(guess_trainer(r, err));
    buf_init(&e.held, RECORD_MAX + ((size_t)1 << 20));
    enum status status = walk(&e, err);
    if (status == OK && e.held.len > 0)
        status = notes_warn(&r->sink->notes, "torn_record", 1, err,
                            "the last record is cut short, as of a run that "
                            "is being written or was killed");
    if (status == OK && e.others > 0)
        status = notes_field(&r->sink->notes, "histograms, texts, images", NULL,
                             NULL, "only scalars are read", e.others, err);
    buf_free(&e.held);
    return status;
}
