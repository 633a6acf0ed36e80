#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "io/flat_internal.h"
#include "io/scan.h"

struct json_reader {
    struct flat *f;
    struct scan scan;
    struct flat_path path;
    const char *counted; // lines were counted up to here
    size_t line;
    enum status status; // the first failure that is not the scanner's
    struct err *err;
};

static size_t line_here(struct json_reader *r)
{
    for (; r->counted < r->scan.at; r->counted++)
        r->line += *r->counted == '\n';
    return r->line;
}

/* The text of a plain value.  Numbers, true and false as they are written;
 * false where it is null. */
static bool read_plain(struct json_reader *r, struct buf *text)
{
    enum scan_kind kind = scan_peek(&r->scan);
    struct scan_slice raw =
        kind == SCAN_TEXT ? scan_text(&r->scan) : scan_raw(&r->scan);
    if (scan_failed(&r->scan) || kind == SCAN_NULL)
        return false;
    if (kind != SCAN_TEXT) {
        buf_append(text, raw.text, raw.len);
        return true;
    }
    char copy[FLAT_TEXT_MAX + 2];
    if (raw.len > FLAT_TEXT_MAX)
        buf_append(text, raw.text, raw.len); // too long to be looked at
    else
        buf_append(text, copy, scan_slice_copy(copy, &raw));
    return true;
}

static void add(struct json_reader *r, const char *text, size_t len,
                size_t line)
{
    bool is_unknown = text != NULL && flat_is_reference(text);
    if (r->status == OK)
        r->status =
            flat_add(r->f, r->path.text, text, len, is_unknown, line, r->err);
}

static void read_value(struct json_reader *r, unsigned depth);

static void read_object(struct json_reader *r, unsigned depth)
{
    struct scan_slice key;
    size_t before;
    if (!scan_object(&r->scan))
        return;
    while (r->status == OK && scan_member(&r->scan, &key)) {
        char name[FLAT_KEY_MAX];
        size_t len = SIZE_MAX;
        if (key.len < FLAT_KEY_MAX)
            len = scan_slice_copy(name, &key);
        if (len == SIZE_MAX || !flat_path_enter(&r->path, name, len, &before)) {
            scan_fail(&r->scan, "a key is too long");
            return;
        }
        read_value(r, depth + 1);
        flat_path_leave(&r->path, before);
    }
}

/* A list of plain values, as one text with blanks between. */
static void read_plain_list(struct json_reader *r, size_t line)
{
    struct buf text;
    buf_init(&text, 2 * FLAT_FILE_MAX);
    if (scan_array(&r->scan)) {
        while (scan_item(&r->scan)) {
            if (text.len > 0)
                buf_putc(&text, ' ');
            if (!read_plain(r, &text))
                buf_puts(&text, "null");
        }
    }
    if (r->status == OK)
        r->status = buf_status(&text, r->err);
    if (!scan_failed(&r->scan))
        add(r, buf_text(&text), text.len, line);
    buf_free(&text);
}

static void read_list(struct json_reader *r, unsigned depth, size_t line)
{
    struct scan ahead = r->scan;
    bool is_plain = scan_array(&ahead);
    while (is_plain && scan_item(&ahead)) {
        enum scan_kind kind = scan_peek(&ahead);
        is_plain = kind != SCAN_ARRAY && kind != SCAN_OBJECT;
        scan_skip(&ahead);
    }
    if (is_plain) {
        read_plain_list(r, line);
        return;
    }
    size_t before;
    if (!scan_array(&r->scan))
        return;
    for (size_t i = 0; r->status == OK && scan_item(&r->scan); i++) {
        if (!flat_path_index(&r->path, i, &before)) {
            scan_fail(&r->scan, "a key is too long");
            return;
        }
        read_value(r, depth + 1);
        flat_path_leave(&r->path, before);
    }
}

static void read_value(struct json_reader *r, unsigned depth)
{
    enum scan_kind kind = scan_peek(&r->scan);
    size_t line = line_here(r);
    if (depth > FLAT_DEPTH_MAX) {
        scan_fail(&r->scan, "nested too deeply");
    } else if (kind == SCAN_OBJECT) {
        read_object(r, depth);
    } else if (kind == SCAN_ARRAY) {
        read_list(r, depth, line);
    } else {
        struct buf text;
        buf_init(&text, FLAT_FILE_MAX);
        bool is_text = read_plain(r, &text);
        if (r->status == OK)
            r->status = buf_status(&text, r->err);
        if (!scan_failed(&r->scan))
            add(r, is_text ? buf_text(&text) : NULL, text.len, line);
        buf_free(&text);
    }
}

enum status flat_json(struct flat *f, const char *text, size_t len,
                      const char *name, struct err *err)
{
    struct json_reader r = {.f = f, .line = 1, .status = OK, .err = err};
    scan_init(&r.scan, text, len);
    r.counted = r.scan.text; // which is not `text` where there is none
    if (scan_peek(&r.scan) == SCAN_OBJECT)
        read_value(&r, 0);
    else
        scan_fail(&r.scan, "an object is wanted");
    if (r.status != OK) {
        if (r.status == ERR_LIMIT)
            err_context(err, "%.200s:%zu", name, line_here(&r));
        return r.status;
    }
    char place[256];
    size_t at_line = 1;
    const char *at = r.scan.fault != NULL ? r.scan.fault : r.scan.at;
    for (const char *c = r.scan.text; c < at; c++)
        at_line += *c == '\n';
    snprintf(place, sizeof place, "%.200s:%zu", name, at_line);
    return scan_end(&r.scan, place, err);
}
