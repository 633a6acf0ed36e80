/* items_read.c - pools and items, out of the database. */
#include <math.h>
#include <string.h>

#include "store/audit.h"
#include "store/items.h"
#include "store/query.h"

/* An item's bytes at most, as JSON: its texts may double when escaped. */
#define ITEM_BYTES_MAX ((size_t)256 << 20)

/* ---- pools -------------------------------------------------------------- */

#define POOL_COLUMNS                                                           \
    "SELECT id, name, task, overlap, lease_ms, random_share, guide, "          \
    "coalesce(closed_ms, 0) FROM pool "

static enum status read_pool(struct pool *out, struct query *q, struct arena *a,
                             struct err *err)
{
    struct pool p;
    bool row;
    TRY(query_next(q, &row, err));
    if (!row)
        return err_set(err, ERR_MISSING, "no such pool");
    int task = choice_find(&choice_task, query_text(q, 2));
    p = (struct pool){
        .id = query_int(q, 0),
        .task = task > 0 ? (enum pool_task)task : POOL_RANKING,
        .overlap = query_int(q, 3),
        .lease = query_int(q, 4),
        .random_share = query_real(q, 5),
        .closed = query_int(q, 7),
    };
    TRY(query_copy(&p.name, q, 1, a, err));
    TRY(query_copy(&p.guide, q, 6, a, err));
    *out = p;
    return OK;
}

enum status items_read_pool(struct pool *out, struct arena *a, struct db *db,
                            int64_t id, struct err *err)
{
    struct query q;
    TRY(query_open(&q, db, POOL_COLUMNS "WHERE id = ?1", err));
    query_bind_int(&q, 1, id);
    enum status status = read_pool(out, &q, a, err);
    query_close(&q);
    return status;
}

enum status items_find_pool(struct pool *out, struct arena *a, struct db *db,
                            const char *name, struct err *err)
{
    struct query q;
    TRY(query_open(&q, db, POOL_COLUMNS "WHERE name = ?1", err));
    query_bind_text(&q, 1, name);
    enum status status = read_pool(out, &q, a, err);
    query_close(&q);
    return status;
}

enum status items_find_pool_id(int64_t *id, struct db *db, const char *name,
                               struct err *err)
{
    struct arena a = {0};
    struct pool p;
    *id = 0;
    if (name == NULL)
        return OK;
    enum status status = items_find_pool(&p, &a, db, name, err);
    if (status == OK)
        *id = p.id;
    arena_free(&a);
    return status;
}

enum status items_walk_pools(struct db *db, items_fn fn, void *ctx,
                             struct err *err)
{
    struct query q;
    TRY(query_open(&q, db, "SELECT id FROM pool ORDER BY id", err));
    return query_walk(&q, fn, ctx, err);
}

/* ---- items -------------------------------------------------------------- */

enum status items_walk(struct db *db, int64_t pool, items_fn fn, void *ctx,
                       struct err *err)
{
    struct query q;
    TRY(query_open(&q, db, "SELECT id FROM item WHERE pool_id = ?1 ORDER BY id",
                   err));
    query_bind_int(&q, 1, pool);
    return query_walk(&q, fn, ctx, err);
}

enum status items_find(int64_t *id, struct db *db, int64_t pool,
                       const char *name, struct err *err)
{
    struct query q;
    bool row;
    TRY(query_open(
        &q, db, "SELECT id FROM item WHERE pool_id = ?1 AND name = ?2", err));
    query_bind_int(&q, 1, pool);
    query_bind_text(&q, 2, name);
    enum status status = query_next(&q, &row, err);
    if (status == OK && !row)
        status = err_set(err, ERR_MISSING, "no such item '%.80s'", name);
    if (status == OK)
        *id = query_int(&q, 0);
    query_close(&q);
    return status;
}

enum status items_state(struct item_state *out, struct db *db, int64_t id,
                        struct err *err)
{
    struct query q;
    bool row;
    TRY(query_open(&q, db,
                   "SELECT taken, retired_ms IS NOT NULL FROM item "
                   "WHERE id = ?1",
                   err));
    query_bind_int(&q, 1, id);
    enum status status = query_next(&q, &row, err);
    if (status == OK && !row)
        status = err_set(err, ERR_MISSING, "no such item");
    if (status == OK)
        *out = (struct item_state){.taken = query_int(&q, 0),
                                   .is_retired = query_int(&q, 1) != 0};
    query_close(&q);
    return status;
}

/* A JSON column, laid out anew: whoever wrote the file, it is one line. */
static enum status copy_json(const char **out, const struct query *q,
                             int column, struct arena *a, struct err *err)
{
    const char *text;
    struct json *node = NULL;
    struct buf line;
    TRY(query_copy(&text, q, column, a, err));
    if (text == NULL) {
        *out = NULL;
        return OK;
    }
    TRY(json_parse(&node, text, strlen(text), db_path(q->db), err));
    buf_init(&line, ITEM_BYTES_MAX);
    json_dump(&line, node);
    json_free(node);
    enum status status = buf_status(&line, err);
    if (status == OK)
        status = arena_text(out, a, buf_text(&line), line.len, err);
    buf_free(&line);
    return status;
}

static int64_t int_or(const struct query *q, int column, int64_t fallback)
{
    return query_is_null(q, column) ? fallback : query_int(q, column);
}

static enum status read_candidate(struct candidate *c, const struct query *q,
                                  struct arena *a, struct err *err)
{
    *c = (struct candidate){
        .step = int_or(q, 3, -1),
        .sample = int_or(q, 4, -1),
        .tokens = int_or(q, 5, -1),
        .score = query_real(q, 6),
    };
    TRY(query_copy(&c->text, q, 0, a, err));
    TRY(query_copy(&c->source, q, 1, a, err));
    TRY(query_copy(&c->run, q, 2, a, err));
    TRY(query_copy(&c->finish, q, 7, a, err));
    return copy_json(&c->extra, q, 8, a, err);
}

static enum status read_candidates(struct item *x, int64_t owner,
                                   struct arena *a, struct db *db,
                                   struct err *err)
{
    struct query q;
    struct candidate *list;
    size_t n = 0;
    TRY(ARENA_NEW(a, list, ORDER_MAX, err));
    TRY(query_open(&q, db,
                   "SELECT text, source, run, step, sample, tokens, score, "
                   "finish, extra FROM candidate WHERE item_id = ?1 "
                   "ORDER BY place",
                   err));
    query_bind_int(&q, 1, owner);
    enum status status = OK;
    while (status == OK) {
        bool row;
        TRY_DONE(query_next(&q, &row, err));
        if (!row)
            break;
        if (n == ORDER_MAX) {
            status = err_set(err, ERR_FORMAT,
                             "%s: item %lld has too many "
                             "candidates",
                             db_path(db), (long long)owner);
            goto done;
        }
        status = read_candidate(&list[n++], &q, a, err);
    }
    if (status == OK && n < 2)
        status = err_set(err, ERR_FORMAT, "%s: item %lld has %zu candidates",
                         db_path(db), (long long)owner, n);
    x->candidate = list;
    x->n = n;
done:
    query_close(&q);
    return status;
}

static enum status read_item(struct item *x, int64_t *owner,
                             const struct query *q, struct arena *a,
                             struct err *err)
{
    int kind = choice_find(&choice_kind, query_text(q, 3));
    int arm = choice_find(&choice_arm, query_text(q, 7));
    *x = (struct item){
        .id = query_int(q, 0),
        .pool = query_int(q, 1),
        .kind = kind > 0 ? (enum item_kind)kind : ITEM_NORMAL,
        .gap = query_int(q, 5),
        .arm = arm > 0 ? (enum item_arm)arm : ITEM_RANDOM,
        .priority = query_real(q, 8),
    };
    TRY(query_copy(&x->name, q, 2, a, err));
    TRY(query_copy(&x->repeat_of, q, 4, a, err));
    TRY(copy_json(&x->expected, q, 6, a, err));
    TRY(query_copy(&x->prompt_id, q, 9, a, err));
    TRY(query_copy(&x->prompt, q, 10, a, err));
    TRY(copy_json(&x->messages, q, 11, a, err));
    TRY(copy_json(&x->extra, q, 12, a, err));
    *owner = query_int(q, 13);
    if (x->prompt == NULL || x->prompt_id == NULL)
        return err_set(err, ERR_FORMAT, "%s: item %lld has no prompt",
                       db_path(q->db), (long long)x->id);
    return OK;
}

enum status items_read(struct item *out, struct arena *a, struct db *db,
                       int64_t id, struct err *err)
{
    struct query q;
    struct item x;
    int64_t owner = 0;
    bool row;
    TRY(query_open(&q, db,
                   "SELECT i.id, i.pool_id, i.name, i.kind, "
                   "iif(i.repeat_of IS NULL, NULL, o.name), i.gap, i.expected, "
                   "i.arm, i.priority, o.prompt_id, o.prompt, o.messages, "
                   "o.extra, o.id FROM item AS i "
                   "JOIN item AS o ON o.id = coalesce(i.repeat_of, i.id) "
                   "WHERE i.id = ?1",
                   err));
    query_bind_int(&q, 1, id);
    enum status status = query_next(&q, &row, err);
    if (status == OK && !row)
        status = err_set(err, ERR_MISSING, "no such item");
    if (status == OK)
        status = read_item(&x, &owner, &q, a, err);
    query_close(&q);
    TRY(status);
    TRY(read_candidates(&x, owner, a, db, err));
    *out = x;
    return OK;
}

/* ---- as JSON ------------------------------------------------------------ */

static void put_text(struct json_writer *w, const char *key, const char *text)
{
    if (text != NULL)
        json_field_text(w, key, text);
}

static void put_json(struct json_writer *w, const char *key, const char *text)
{
    if (text == NULL)
        return;
    json_put_key(w, key);
    json_put_raw(w, text, strlen(text));
}

static void put_int(struct json_writer *w, const char *key, int64_t x)
{
    if (x >= 0)
        json_field_int(w, key, x);
}

static void write_candidate(struct json_writer *w, const struct candidate *c)
{
    json_open(w, '{');
    json_field_text(w, "response", c->text);
    json_field_text(w, "source", c->source);
    put_text(w, "run", c->run);
    put_int(w, "step", c->step);
    put_int(w, "sample", c->sample);
    put_int(w, "tokens", c->tokens);
    if (!isnan(c->score))
        json_field_number(w, "score", c->score);
    put_text(w, "finish", c->finish);
    put_json(w, "extra", c->extra);
    json_close(w, '}');
}

void items_write(struct json_writer *w, const struct item *x)
{
    json_field_text(w, "item", x->name);
    json_field_text(w, "kind", choice_word(&choice_kind, (int)x->kind));
    json_field_text(w, "arm", choice_word(&choice_arm, (int)x->arm));
    if (x->kind == ITEM_REPEAT) {
        json_field_text(w, "repeat_of", x->repeat_of);
        json_field_int(w, "gap", x->gap);
    }
    put_json(w, "expected", x->expected);
    if (x->prompt == NULL)
        return; // a repeat that is being added: the rest is the other item's
    json_field_text(w, "prompt_id", x->prompt_id);
    json_field_text(w, "prompt", x->prompt);
    put_json(w, "messages", x->messages);
    put_json(w, "extra", x->extra);
    json_put_key(w, "candidates");
    json_open(w, '[');
    for (size_t k = 0; k < x->n; k++)
        write_candidate(w, &x->candidate[k]);
    json_close(w, ']');
}

enum status items_digest(unsigned char out[32], struct db *db, int64_t id,
                         struct err *err)
{
    struct arena a = {0};
    struct item x;
    struct buf bytes;
    struct json_writer w;
    buf_init(&bytes, ITEM_BYTES_MAX);
    enum status status = items_read(&x, &a, db, id, err);
    if (status == OK) {
        json_writer_init(&w, &bytes, false);
        json_open(&w, '{');
        json_field_int(&w, "id", x.id);
        json_field_int(&w, "pool", x.pool);
        items_write(&w, &x);
        json_close(&w, '}');
        status = audit_digest(out, &bytes, err);
    }
    buf_free(&bytes);
    arena_free(&a);
    return status;
}

enum status items_digest_pool(unsigned char out[32], struct db *db, int64_t id,
                              struct err *err)
{
    struct arena a = {0};
    struct pool p;
    struct buf bytes;
    struct json_writer w;
    buf_init(&bytes, ITEM_BYTES_MAX);
    enum status status = items_read_pool(&p, &a, db, id, err);
    if (status == OK) {
        json_writer_init(&w, &bytes, false);
        json_open(&w, '{');
        json_field_int(&w, "pool", p.id);
        json_field_text(&w, "name", p.name);
        json_field_text(&w, "task", choice_word(&choice_task, (int)p.task));
        json_field_int(&w, "overlap", p.overlap);
        json_field_int(&w, "lease", p.lease);
        json_field_number(&w, "random_share", p.random_share);
        json_field_text(&w, "guide", p.guide);
        json_close(&w, '}');
        status = audit_digest(out, &bytes, err);
    }
    buf_free(&bytes);
    arena_free(&a);
    return status;
}

enum status items_show(bool *out, struct db *db, const char *prompt,
                       const char *reply, struct err *err)
{
    struct query q;
    int64_t found = 0;
    TRY(query_open(&q, db,
                   "SELECT EXISTS (SELECT 1 FROM reply "
                   "WHERE digest = plumb_digest(?1, ?2))",
                   err));
    query_bind_text(&q, 1, prompt);
    query_bind_text(&q, 2, reply);
    TRY(query_one(&found, &q, err));
    *out = found != 0;
    return OK;
}
