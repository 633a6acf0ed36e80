#include <string.h>

#include "serve/watch_internal.h"
#include "serve/watch_row.h"

#define HISTORY_ROWS 2000
#define HISTORY_BYTES ((size_t)2 << 30) // expanded, of one look
#define CURVE_BYTES ((size_t)16 << 20)

/* ---- all replies to one prompt ------------------------------------------ */

struct history {
    struct watch *w;
    struct json_writer *j;
    struct watch_row_reader g;
    const char *prompt;
    const struct names *held; // prompts whose replies are not shown
    struct buf needle;        // its JSON text, quotes included
    size_t rows, bytes;
    bool is_cut;
};

static enum status write_found(struct history *x, const char *name,
                               int64_t step, const char *line, size_t len,
                               int64_t number, struct err *err)
{
    struct watch_row r;
    bool is_row;
    TRY(watch_row_read(&r, &is_row, &x->g, line, len, err));
    if (!is_row || !watch_row_text_is(&r.prompt_id, x->prompt))
        return OK;
    watch_held_hide(x->held, &r);
    if (r.step < 0)
        r.step = step;
    x->rows++;
    json_open(x->j, '{');
    json_field_text(x->j, "source", name);
    json_field_int(x->j, "row", number);
    watch_row_write(x->j, &r);
    json_close(x->j, '}');
    return OK;
}

/* Lines that hold the prompt's name anywhere are read; there are few. */
static enum status search_text(struct history *x, const char *name,
                               int64_t step, struct err *err)
{
    const struct buf *text = &x->w->held.text;
    const char *at = buf_text(text), *end = at + text->len, *line;
    size_t len, n = x->needle.len;
    for (int64_t number = 1; watch_source_line(&line, &len, &at, end);
         number++) {
        const char *q = line;
        bool is_there = false;
        while (!is_there && len >= n && q <= line + len - n) {
            q = memchr(q, '"', (size_t)(line + len - n - q) + 1);
            if (q == NULL)
                break;
            is_there = memcmp(q, x->needle.data, n) == 0;
            q++;
        }
        if (is_there && x->rows < HISTORY_ROWS)
            TRY(write_found(x, name, step, line, len, number, err));
    }
    return OK;
}

static enum status search_source(void *ctx, const char *name, int64_t step,
                                 const char *path, struct err *err)
{
    struct history *x = ctx;
    if (x->rows >= HISTORY_ROWS || x->bytes >= HISTORY_BYTES) {
        x->is_cut = true;
        return OK;
    }
    /* A file that is damaged, or being written, has no say. */
    if (watch_source_hold_file(x->w, path, NULL) != OK)
        return OK;
    x->bytes += x->w->held.text.len;
    return search_text(x, name, step, err);
}

void watch_rows_history(struct watch *w, struct watch_job *job)
{
    struct watch_place p;
    struct buf out;
    struct json_writer j, quoted;
    struct err err = {OK, ""};
    struct history x = {.w = w, .j = &j};
    enum status status = OK;
    x.prompt = http_query(job->request, "prompt");
    buf_init(&out, WATCH_DOCUMENT_MAX);
    buf_init(&x.needle, 8192);
    json_writer_init(&j, &out, false);
    json_writer_init(&quoted, &x.needle, false);
    if (x.prompt == NULL)
        TRY_DONE(err_set(&err, ERR_ARG, "history?prompt=ID"));
    json_put_text(&quoted, x.prompt);
    TRY_DONE(buf_status(&x.needle, &err));
    TRY_DONE(watch_source_place(&p, w, job->run, &err));
    TRY_DONE(watch_held_read(&x.held, w, p.project, job->request, &err));
    json_open(&j, '{');
    json_field_text(&j, "prompt_id", x.prompt);
    json_put_key(&j, "rows");
    json_open(&j, '[');
    TRY_DONE(watch_source_walk(&p, search_source, &x, &err));
    json_close(&j, ']');
    json_field_bool(&j, "is_cut", x.is_cut);
    json_close(&j, '}');
done:
    watch_row_reader_free(&x.g);
    buf_free(&x.needle);
    watch_source_answer(job, status, &out, &err);
}

/* ---- held-out points ---------------------------------------------------- */

static void put_points(struct json_writer *j, const struct json *curve)
{
    static const char *const kept[] = {
        "iteration", "score", "gold", "len", "kl_sequence", "kl_per_token"};
    const struct json *points = json_get(curve, "checkpoints");
    json_put_key(j, "points");
    json_open(j, '[');
    for (size_t i = 0; i < json_size(points); i++) {
        const struct json *p = json_at(points, i);
        json_open(j, '{');
        for (size_t k = 0; k < sizeof kept / sizeof *kept; k++)
            if (json_get(p, kept[k]) != NULL) {
                json_put_key(j, kept[k]);
                json_put_node(j, json_get(p, kept[k]));
            }
        json_close(j, '}');
    }
    json_close(j, ']');
}

void watch_rows_curve(struct watch *w, struct watch_job *job)
{
    struct watch_place p;
    char path[FILE_PATH_MAX];
    struct json *curve = NULL;
    struct buf out;
    struct json_writer j;
    struct err err = {OK, ""};
    enum status status = OK;
    buf_init(&out, WATCH_DOCUMENT_MAX);
    json_writer_init(&j, &out, false);
    TRY_DONE(watch_source_place(&p, w, job->run, &err));
    TRY_DONE(file_join(path, p.project, "eval/curve.json", &err));
    if (p.project[0] != '\0' && file_exists(path))
        TRY_DONE(json_read(&curve, path, CURVE_BYTES, &err));
    json_open(&j, '{');
    put_points(&j, curve);
    json_close(&j, '}');
done:
    json_free(curve);
    watch_source_answer(job, status, &out, &err);
}
