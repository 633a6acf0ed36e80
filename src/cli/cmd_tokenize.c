#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/ids_text.h"
#include "cli/terminal.h"
#include "io/run.h"
#include "io/tokenizer.h"
#include "model/checkpoint.h"

#define NAME "<stdin>"
#define LINE_MAX ((size_t)64 << 20) // bytes of a line
#define RAW_MAX ((size_t)1 << 30)   // bytes of a text that --raw takes
#define OUT_MAX ((size_t)16 << 30)
#define PIECE ((size_t)256 << 10) // read, and written, at a time

/* One command at work. */
struct work {
    const struct tokenizer *t;
    bool decode, special, json, raw;
    struct buf line; // not yet ended
    struct buf out;  // not yet written
    size_t number;   // of the line
    struct ids ids;
};

/* ---- text to ids -------------------------------------------------------- */

static enum status check_utf8(const char *text, size_t len, struct err *err)
{
    size_t valid = utf8_valid(text, len);
    if (valid < len)
        return err_set(err, ERR_FORMAT, "byte %zu is not UTF-8", valid + 1);
    return OK;
}

/* An id in digits: millions of them are written a second. */
static void put_id(struct buf *out, int32_t id)
{
    char digits[12];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + id % 10);
    while ((id /= 10) > 0);
    buf_append(out, digits + at, sizeof digits - at);
}

static void put_ids(struct buf *out, const struct ids *ids, bool json)
{
    if (json)
        buf_putc(out, '[');
    for (size_t i = 0; i < ids->n; i++) {
        if (i > 0)
            buf_putc(out, json ? ',' : ' ');
        put_id(out, ids->id[i]);
    }
    buf_puts(out, json ? "]\n" : "\n");
}

static enum status encode(struct work *w, const char *text, size_t len,
                          struct err *err)
{
    TRY(check_utf8(text, len, err));
    TRY(tokenizer_encode(w->t, text, len, w->special, &w->ids, err));
    put_ids(&w->out, &w->ids, w->json);
    return OK;
}

/* ---- ids to text -------------------------------------------------------- */

/* To the tokenizer an id beyond its own has no text (a model may have more
 * rows); to a person who typed it, it is a mistake. */
static enum status check_ids(const struct work *w, struct err *err)
{
    size_t size = tokenizer_size(w->t);
    for (size_t i = 0; i < w->ids.n; i++)
        if (w->ids.id[i] < 0 || (size_t)w->ids.id[i] >= size)
            return err_set(err, ERR_MISMATCH,
                           "token id %d is not in a vocabulary of %zu",
                           (int)w->ids.id[i], size);
    return OK;
}

static enum status decode(struct work *w, const char *text, size_t len,
                          struct err *err)
{
    struct json_writer json;
    struct buf words;
    TRY(ids_text_read(&w->ids, text, len, err));
    TRY(check_ids(w, err));
    if (!w->json) {
        TRY(tokenizer_decode(w->t, w->ids.id, w->ids.n, false, &w->out, err));
        if (!w->raw)
            buf_putc(&w->out, '\n');
        return OK;
    }
    buf_init(&words, OUT_MAX);
    enum status status =
        tokenizer_decode(w->t, w->ids.id, w->ids.n, false, &words, err);
    if (status == OK)
        status = buf_status(&words, err);
    if (status == OK) {
        json_writer_init(&json, &w->out, false);
        json_put_text_len(&json, buf_text(&words), words.len);
        buf_putc(&w->out, '\n');
    }
    buf_free(&words);
    return status;
}

/* ---- standard input ----------------------------------------------------- */

static enum status flush(struct work *w, struct err *err)
{
    TRY(terminal_print(&w->out, err));
    buf_clear(&w->out);
    return OK;
}

static enum status take_line(struct work *w, const char *text, size_t len,
                             struct err *err)
{
    w->number++;
    w->ids.n = 0;
    enum status status =
        w->decode ? decode(w, text, len, err) : encode(w, text, len, err);
    if (status != OK) {
        (void)err_context(err, NAME ":%zu", w->number);
        return status;
    }
    return w->out.len >= PIECE ? flush(w, err) : OK;
}

static enum status too_long(const struct work *w, struct err *err)
{
    return err_set(err, ERR_LIMIT, NAME ":%zu: longer than %zu bytes",
                   w->number + 1, w->line.max);
}

/* Lines that end in piece[0..len); the rest waits in w->line. */
static enum status take_piece(struct work *w, const char *piece, size_t len,
                              struct err *err)
{
    while (len > 0) {
        const char *end = w->raw ? NULL : memchr(piece, '\n', len);
        size_t n = end ? (size_t)(end - piece) : len;
        bool is_whole = end && w->line.len == 0;
        if (!is_whole)
            buf_append(&w->line, piece, n);
        if (w->line.code == ERR_LIMIT)
            return too_long(w, err);
        TRY(buf_status(&w->line, err));
        if (is_whole)
            TRY(take_line(w, piece, n, err));
        else if (end)
            TRY(take_line(w, buf_text(&w->line), w->line.len, err));
        if (end)
            buf_clear(&w->line);
        piece += n + (end != NULL);
        len -= n + (end != NULL);
    }
    return OK;
}

/* What is read is answered before more is waited for, so that two programs
 * can talk line by line. */
static enum status work_off(struct work *w, struct err *err)
{
    static char piece[PIECE];
    for (;;) {
        ssize_t n = read(STDIN_FILENO, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return file_error(err, "read", NAME);
        if (n == 0)
            break;
        TRY(take_piece(w, piece, (size_t)n, err));
        TRY(flush(w, err));
    }
    if (w->raw || w->line.len > 0)
        TRY(take_line(w, buf_text(&w->line), w->line.len, err));
    return flush(w, err);
}

enum status cmd_tokenize(struct options *o, struct err *err)
{
    char path[FILE_PATH_MAX];
    struct tokenizer *t;
    const struct tokenize_values *v = &o->v.tokenize;
    TRY(options_check_needed(o, FOR_TOKENIZE, err));
    TRY(run_find_tokenizer(path, v->model, err));
    TRY(checkpoint_tokenizer(&t, path, err));
    struct work w = {
        .t = t,
        .decode = v->decode,
        .special = v->special,
        .json = o->v.common.json,
        .raw = v->raw,
    };
    buf_init(&w.line, v->raw ? RAW_MAX : LINE_MAX);
    buf_init(&w.out, OUT_MAX);
    enum status status = work_off(&w, err);
    if (status != OK && w.out.code == OK && terminal_print(&w.out, NULL) != OK)
        w.out.len = 0; // the failure that is told is the first
    ids_free(&w.ids);
    buf_free(&w.line);
    buf_free(&w.out);
    tokenizer_free(t);
    return status;
}
