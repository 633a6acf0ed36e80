#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/run.h"
#include "io/trace_read.h"
#include "serve/watch_internal.h"
#include "serve/watch_row.h"

#define PAGE 50
#define PAGE_MAX 500

/* ---- a list ------------------------------------------------------------- */

struct entry {
    const char *line;
    size_t len;
    int64_t number; // of the line, from 1
    double key;
};

struct listing {
    const char *tag_key, *which, *text;
    char tag[PARSE_NAME_MAX + 1], value[256];
    const char *sort;
    bool is_falling;
    const struct names *held; // prompts whose replies are not shown
    struct entry *entry;
    size_t n, room, bad;
};

static double key_of(const struct watch_row *r, const char *sort, int64_t line)
{
    if (strcmp(sort, "score") == 0)
        return isnan(r->score) ? r->score_raw : r->score;
    if (strcmp(sort, "kl") == 0)
        return isnan(r->kl) ? r->k1 : r->kl;
    if (strcmp(sort, "length") == 0)
        return r->tokens;
    if (strcmp(sort, "gold") == 0)
        return r->gold;
    return (double)line;
}

static bool holds(const struct scan_slice *raw, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; raw->text != NULL && n <= raw->len && i <= raw->len - n;
         i++)
        if (memcmp(raw->text + i, text, n) == 0)
            return true;
    return false;
}

static bool has_tag(const struct watch_row *r, const struct listing *l)
{
    char value[256], tags[4096];
    if (l->tag[0] == '\0')
        return true;
    if (r->tags.text == NULL || r->tags.len >= sizeof tags)
        return false;
    memcpy(tags, r->tags.text, r->tags.len);
    tags[r->tags.len] = '\0';
    return trace_tag(value, sizeof value, tags, l->tag) &&
           strcmp(value, l->value) == 0;
}

static bool is_wanted(const struct watch_row *r, const struct listing *l)
{
    return has_tag(r, l) &&
           (l->which == NULL || watch_row_text_is(&r->which, l->which)) &&
           (l->text == NULL || holds(&r->response, l->text) ||
            holds(&r->prompt, l->text) || holds(&r->prompt_id, l->text));
}

static enum status add_entry(struct listing *l, const struct entry *e,
                             struct err *err)
{
    TRY(MEM_ROOM(l->entry, l->n, l->room, err));
    l->entry[l->n++] = *e;
    return OK;
}

static enum status gather(struct listing *l, struct watch_row_reader *g,
                          const struct buf *text, struct err *err)
{
    const char *at = buf_text(text), *end = at + text->len;
    struct entry e = {.number = 0};
    while (watch_source_line(&e.line, &e.len, &at, end)) {
        struct watch_row r;
        bool is_row;
        e.number++;
        TRY(watch_row_read(&r, &is_row, g, e.line, e.len, err));
        l->bad += !is_row && e.len > 0;
        if (is_row)
            watch_held_hide(l->held, &r);
        if (!is_row || !is_wanted(&r, l))
            continue;
        e.key = key_of(&r, l->sort, e.number);
        TRY(add_entry(l, &e, err));
    }
    return OK;
}

/* What has no number comes last either way; equal ones as they stand. */
static int compare(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (isnan(x->key) != isnan(y->key))
        return isnan(x->key) ? 1 : -1;
    if (x->key < y->key || x->key > y->key)
        return x->key < y->key ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static enum status read_listing(struct listing *l, const struct http_request *r,
                                struct err *err)
{
    static const char *const sorts[] = {"row",    "score", "kl",
                                        "length", "gold",  NULL};
    static const char *const orders[] = {"asc", "desc", NULL};
    static const char *const which[] = {"", "policy", "reference", NULL};
    const char *tag = http_query(r, "tag"), *order;
    const char *colon = tag != NULL ? strchr(tag, ':') : NULL;
    *l = (struct listing){.text = http_query(r, "text")};
    TRY(watch_ask_word(&l->sort, r, "sort", sorts, err));
    TRY(watch_ask_word(&order, r, "order", orders, err));
    TRY(watch_ask_word(&l->which, r, "which", which, err));
    if (l->which[0] == '\0')
        l->which = NULL;
    l->is_falling = strcmp(order, "desc") == 0;
    if (tag != NULL && tag[0] != '\0' && colon == NULL)
        return err_set(err, ERR_ARG, "tag: KEY:VALUE is wanted");
    if (colon != NULL && (size_t)(colon - tag) < sizeof l->tag) {
        memcpy(l->tag, tag, (size_t)(colon - tag));
        (void)snprintf(l->value, sizeof l->value, "%s", colon + 1);
    }
    return OK;
}

static enum status write_page(struct json_writer *j, const struct listing *l,
                              struct watch_row_reader *g, size_t offset,
                              size_t limit, struct err *err)
{
    size_t numbered = 0;
    while (numbered < l->n && !isnan(l->entry[numbered].key))
        numbered++;
    for (size_t i = offset; i < l->n && i - offset < limit; i++) {
        size_t k = l->is_falling && i < numbered ? numbered - 1 - i : i;
        struct watch_row r;
        bool is_row;
        TRY(watch_row_read(&r, &is_row, g, l->entry[k].line, l->entry[k].len,
                           err));
        watch_held_hide(l->held, &r);
        json_open(j, '{');
        json_field_int(j, "row", l->entry[k].number);
        watch_row_write(j, &r);
        if (r.tags.text != NULL) {
            json_put_key(j, "tags");
            json_put_raw(j, r.tags.text, r.tags.len);
        }
        json_close(j, '}');
    }
    return OK;
}

void watch_rows_list(struct watch *w, struct watch_job *job)
{
    struct watch_place p;
    struct listing l = {.n = 0};
    struct watch_row_reader g = {NULL, NULL, 0};
    struct buf out;
    struct json_writer j;
    struct err err = {OK, ""};
    enum status status = OK;
    int64_t limit, offset;
    buf_init(&out, WATCH_DOCUMENT_MAX);
    json_writer_init(&j, &out, false);
    TRY_DONE(
        watch_ask_count(&limit, job->request, "limit", PAGE, PAGE_MAX, &err));
    TRY_DONE(
        watch_ask_count(&offset, job->request, "offset", 0, INT64_MAX, &err));
    TRY_DONE(read_listing(&l, job->request, &err));
    TRY_DONE(watch_source_hold(w, job, &p, &err));
    TRY_DONE(watch_held_read(&l.held, w, p.project, job->request, &err));
    TRY_DONE(gather(&l, &g, &w->held.text, &err));
    if (l.n > 1)
        qsort(l.entry, l.n, sizeof *l.entry, compare);
    json_open(&j, '{');
    json_field_text(&j, "source", job->name);
    json_field_int(&j, "total", (int64_t)l.n);
    json_field_int(&j, "skipped", (int64_t)l.bad);
    json_put_key(&j, "rows");
    json_open(&j, '[');
    TRY_DONE(write_page(&j, &l, &g, (size_t)offset, (size_t)limit, &err));
    json_close(&j, ']');
    json_close(&j, '}');
done:
    mem_free(l.entry);
    watch_row_reader_free(&g);
    watch_source_answer(job, status, &out, &err);
}

/* ---- one with its tokens ------------------------------------------------ */

/* The tokenizer of a run, the one that is held when it is that; NULL where
 * there is none to be found, and then tokens are their numbers. */
static struct tokenizer *find_tokenizer(struct watch *w, const char *run)
{
    char path[FILE_PATH_MAX];
    if (run_find_tokenizer(path, run, NULL) != OK)
        return NULL;
    if (strcmp(w->tokenizer_of, path) == 0)
        return w->tokenizer;
    tokenizer_free(w->tokenizer);
    w->tokenizer = NULL;
    w->tokenizer_of[0] = '\0';
    if (tokenizer_open(&w->tokenizer, path, NULL) != OK)
        w->tokenizer = NULL;
    else
        memcpy(w->tokenizer_of, path, strlen(path) + 1);
    return w->tokenizer;
}

/* Tokens before one that its text is decoded with. */
#define CONTEXT 8

/* What the last of n tokens adds to the text of those before. */
static void write_piece(struct json_writer *j, const struct tokenizer *t,
                        const int32_t *token, size_t n, struct buf *before,
                        struct buf *now)
{
    size_t same = 0;
    buf_clear(before);
    buf_clear(now);
    if (tokenizer_decode(t, token, n - 1, true, before, NULL) != OK ||
        tokenizer_decode(t, token, n, true, now, NULL) != OK)
        buf_clear(now);
    while (same < before->len && same < now->len &&
           before->data[same] == now->data[same])
        same++;
    /* Two characters may share their first bytes. */
    while (same > 0 && same < now->len &&
           ((unsigned char)now->data[same] & 0xC0) == 0x80)
        same--;
    if (same < now->len)
        json_put_text_len(j, now->data + same, now->len - same);
    else
        json_put_text(j, tokenizer_token(t, token[n - 1]));
}

/* The text of each token as it was recorded, or as the run's tokenizer has it;
 * without one, its number. */
static void write_pieces(struct json_writer *j, const struct watch_row *r,
                         const struct tokenizer *t)
{
    struct buf before, now;
    json_put_key(j, "pieces");
    if (r->pieces.text != NULL) {
        json_put_raw(j, r->pieces.text, r->pieces.len);
        return;
    }
    buf_init(&before, 65536);
    buf_init(&now, 65536);
    json_open(j, '[');
    for (size_t i = 0; i < r->len; i++) {
        size_t from = i > CONTEXT ? i - CONTEXT : 0;
        if (t != NULL && r->token[i] >= 0 &&
            (size_t)r->token[i] < tokenizer_size(t)) {
            write_piece(j, t, r->token + from, i + 1 - from, &before, &now);
            continue;
        }
        buf_clear(&now);
        buf_printf(&now, "#%d", (int)r->token[i]);
        json_put_text(j, buf_text(&now));
    }
    json_close(j, ']');
    buf_free(&before);
    buf_free(&now);
}

static enum status write_one(struct watch *w, struct json_writer *j,
                             const struct watch_place *p, int64_t number,
                             const struct names *held,
                             struct watch_row_reader *g, struct err *err)
{
    const char *at = buf_text(&w->held.text), *end = at + w->held.text.len;
    const char *line = NULL;
    size_t len = 0;
    struct watch_row r;
    bool is_row = false;
    for (int64_t i = 0; i < number; i++)
        if (!watch_source_line(&line, &len, &at, end))
            return err_set(err, ERR_MISSING, "there is no such row");
    TRY(watch_row_read(&r, &is_row, g, line, len, err));
    if (!is_row)
        return err_set(err, ERR_FORMAT, "that line is no reply");
    watch_held_hide(held, &r);
    json_open(j, '{');
    json_field_int(j, "row", number);
    watch_row_write(j, &r);
    if (r.token != NULL && r.len > 0)
        write_pieces(j, &r, find_tokenizer(w, p->path));
    watch_row_write_lanes(j, &r);
    json_close(j, '}');
    return OK;
}

void watch_rows_one(struct watch *w, struct watch_job *job)
{
    struct watch_place p;
    struct watch_row_reader g = {NULL, NULL, 0};
    const struct names *held;
    struct buf out;
    struct json_writer j;
    struct err err = {OK, ""};
    buf_init(&out, WATCH_DOCUMENT_MAX);
    json_writer_init(&j, &out, false);
    enum status status = watch_source_hold(w, job, &p, &err);
    if (status == OK)
        status = watch_held_read(&held, w, p.project, job->request, &err);
    if (status == OK)
        status = write_one(w, &j, &p, job->row, held, &g, &err);
    watch_row_reader_free(&g);
    watch_source_answer(job, status, &out, &err);
}
