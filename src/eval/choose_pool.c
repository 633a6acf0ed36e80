#include "eval/choose_pool.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "eval/choose.h"
#include "store/items.h"

#define CHUNK 256 // items scored at a time, a bound on memory
#define TEXT_MAX ((size_t)1 << 30)

/* An item that is looked at. */
struct entry {
    int64_t id;
    size_t K;
    bool is_judged, is_adaptive;
};

struct choosing {
    const struct choose_pool_config *c;
    const struct context *context;
    struct db *db;
    struct pool pool;
    struct arena texts; // the pool's
    struct reward_reader reader[ENSEMBLE_MAX];
    size_t n_readers;
    struct entry *entry; // [n]
    size_t n, room;
    size_t n_open;  // of the adaptive arm, not judged
    size_t *first;  // [n + 1]
    size_t *text;   // [first[n]] the first candidate of that text
    double *score;  // [models, first[n]]
    float *feature; // [n, d]
    size_t d;
    double *u; // [n]
};

static void choosing_free(struct choosing *x)
{
    for (size_t r = 0; r < x->n_readers; r++)
        reward_reader_close(&x->reader[r]);
    mem_free(x->entry);
    mem_free(x->first);
    mem_free(x->text);
    mem_free(x->score);
    mem_free(x->feature);
    mem_free(x->u);
    arena_free(&x->texts);
}

/* ---- which items -------------------------------------------------------- */

static enum status push(struct choosing *x, const struct entry *e,
                        struct err *err)
{
    TRY(MEM_ROOM(x->entry, x->n, x->room, err));
    x->entry[x->n++] = *e;
    return OK;
}

static enum status look(void *ctx, int64_t id, struct err *err)
{
    struct choosing *x = ctx;
    struct arena a = {0};
    struct item item;
    struct item_state s;
    enum status status = items_state(&s, x->db, id, err);
    if (status == OK)
        status = items_read(&item, &a, x->db, id, err);
    if (status == OK && item.kind == ITEM_NORMAL &&
        (s.taken > 0 || !s.is_retired))
        status = push(x,
                      &(struct entry){.id = id,
                                      .K = item.n,
                                      .is_judged = s.taken > 0,
                                      .is_adaptive = item.arm == ITEM_ADAPTIVE},
                      err);
    arena_free(&a);
    return status;
}

static enum status look_at_all(struct db *db, void *ctx, struct err *err)
{
    struct choosing *x = ctx;
    return items_walk(db, x->pool.id, look, x, err);
}

/* Which items there are, and room for what will be known of them. */
static enum status find_items(struct choosing *x, struct err *err)
{
    size_t all, values;
    TRY(items_find_pool(&x->pool, &x->texts, x->db, x->c->pool, err));
    if (x->pool.task != POOL_RANKING)
        return err_set(err, ERR_MISMATCH,
                       "pool '%.80s' is one of spot-checks: their pairs stay "
                       "a random sample",
                       x->c->pool);
    if (x->pool.closed != 0)
        return err_set(err, ERR_MISMATCH, "pool '%.80s' is closed", x->c->pool);
    TRY(db_snapshot(x->db, look_at_all, x, err));
    for (size_t i = 0; i < x->n; i++)
        x->n_open += x->entry[i].is_adaptive && !x->entry[i].is_judged;
    x->d = x->reader[0].model.config.C;
    TRY(MEM_NEW(x->first, x->n + 1, err));
    for (size_t i = 0; i < x->n; i++)
        x->first[i + 1] = x->first[i] + x->entry[i].K;
    TRY(mem_multiply(&all, x->first[x->n], x->n_readers, err));
    TRY(mem_multiply(&values, x->n, x->d, err));
    TRY(MEM_NEW(x->text, x->first[x->n], err));
    TRY(MEM_NEW(x->score, all, err));
    TRY(MEM_NEW(x->feature, values, err));
    return MEM_NEW(x->u, x->n, err);
}

/* ---- scores and features ------------------------------------------------ */

/* An item as a line of a file of candidates: what training reads. */
static enum status put_item(struct buf *out, struct db *db, int64_t id,
                            struct err *err)
{
    struct json_writer w;
    struct arena a = {0};
    struct item x;
    enum status status = items_read(&x, &a, db, id, err);
    if (status == OK) {
        json_writer_init(&w, out, false);
        json_open(&w, '{');
        json_field_text(&w, "id", x.name);
        json_put_key(&w, "prompt");
        if (x.messages != NULL)
            json_put_raw(&w, x.messages, strlen(x.messages));
        else
            json_put_text(&w, x.prompt);
        json_put_key(&w, "responses");
        json_open(&w, '[');
        for (size_t k = 0; k < x.n; k++)
            json_put_text(&w, x.candidate[k].text);
        json_close(&w, ']');
        json_put_key(&w, "finish");
        json_open(&w, '[');
        for (size_t k = 0; k < x.n; k++)
            json_put_text(&w, x.candidate[k].finish != NULL
                                  ? x.candidate[k].finish
                                  : "eos");
        json_close(&w, ']');
        json_close(&w, '}');
        buf_putc(out, '\n');
        status = buf_status(out, err);
    }
    arena_free(&a);
    return status;
}

/* Which candidates of item i, which is `r`, are one text. */
static void number_texts(struct choosing *x, size_t i, const struct record *r)
{
    for (size_t k = 0; k < r->n_responses; k++) {
        size_t same = 0;
        while (strcmp(r->responses[same], r->responses[k]) != 0)
            same++;
        x->text[x->first[i] + k] = same;
    }
}

/* Items at..at+n-1, which are `data`, as reward model r has them. */
static enum status score_chunk(struct choosing *x, size_t r,
                               const struct dataset *data, size_t at, size_t n,
                               struct err *err)
{
    enum status status = OK;
    struct corpus corpus = {.n_seq = 0};
    float *state = NULL;
    size_t values, from = x->first[at];
    double *score = x->score + r * x->first[x->n] + from;
    TRY(reward_reader_encode(&corpus, &x->reader[r], data, err));
    if (corpus.n_seq != x->first[at + n] - from)
        TRY_DONE(err_set(err, ERR_FORMAT,
                         "pool '%.80s': items do not read as they were added",
                         x->c->pool));
    if (r == 0) {
        TRY_DONE(mem_multiply(&values, corpus.n_seq, x->d, err));
        TRY_DONE(MEM_NEW(state, values, err));
    }
    TRY_DONE(scorer_states(score, state, &x->reader[r].model, corpus.seq,
                           corpus.n_seq, x->context, err));
    for (size_t i = 0; r == 0 && i < n; i++) {
        number_texts(x, at + i, &data->record[i]);
        choose_feature(x->feature + (at + i) * x->d,
                       state + (x->first[at + i] - from) * x->d,
                       x->entry[at + i].K, x->d);
    }
done:
    mem_free(state);
    corpus_free(&corpus);
    return status;
}

static enum status read_chunk(struct choosing *x, size_t at, size_t n,
                              struct err *err)
{
    struct dataset data = {0};
    struct buf text;
    enum status status = OK;
    buf_init(&text, TEXT_MAX);
    for (size_t i = 0; status == OK && i < n; i++)
        status = put_item(&text, x->db, x->entry[at + i].id, err);
    if (status == OK)
        status = dataset_parse(&data, buf_text(&text), text.len, x->c->pool,
                               DATASET_CANDIDATES, err);
    for (size_t r = 0; status == OK && r < x->n_readers; r++)
        status = score_chunk(x, r, &data, at, n, err);
    dataset_free(&data);
    buf_free(&text);
    return status;
}

static enum status read_all(struct choosing *x, struct err *err)
{
    for (size_t at = 0; at < x->n; at += CHUNK) {
        size_t n = x->n - at < CHUNK ? x->n - at : CHUNK;
        TRY(read_chunk(x, at, n, err));
        context_progress(x->context, (double)(at + n), (double)x->n, "item",
                         NULL);
        if (context_stopped(x->context))
            return err_set(err, ERR_STOPPED, "stopped; nothing is changed");
    }
    const struct choose_scores s = {.n = x->n,
                                    .first = x->first,
                                    .text = x->text,
                                    .R = x->n_readers,
                                    .score = x->score};
    choose_uncertainty(x->u, &s);
    return OK;
}

/* ---- priorities --------------------------------------------------------- */

/* The items that the order is about: without those of the random arm that
 * nobody judged. */
struct chosen {
    struct choosing *x;
    size_t *entry; // [n] of x
    size_t n;
    double *u;
    float *feature;
    bool *is_judged;
    struct choose_order order;
};

static void chosen_free(struct chosen *y)
{
    mem_free(y->entry);
    mem_free(y->u);
    mem_free(y->feature);
    mem_free(y->is_judged);
    choose_order_free(&y->order);
}

static enum status order(struct chosen *y, struct choose_pool_counts *n,
                         struct err *err)
{
    struct choosing *x = y->x;
    TRY(MEM_NEW(y->entry, x->n, err));
    TRY(MEM_NEW(y->u, x->n, err));
    TRY(MEM_NEW(y->feature, x->n * x->d, err));
    TRY(MEM_NEW(y->is_judged, x->n, err));
    for (size_t i = 0; i < x->n; i++) {
        const struct entry *e = &x->entry[i];
        n->judged += e->is_judged;
        n->random += !e->is_judged && !e->is_adaptive;
        n->adaptive += e->is_adaptive;
        if (!e->is_judged && !e->is_adaptive)
            continue;
        y->entry[y->n] = i;
        y->u[y->n] = x->u[i];
        y->is_judged[y->n] = e->is_judged;
        memcpy(y->feature + y->n * x->d, x->feature + i * x->d,
               x->d * sizeof *y->feature);
        y->n++;
    }
    const struct choose_records r = {.n = y->n,
                                     .d = x->d,
                                     .u = y->u,
                                     .feature = y->feature,
                                     .is_judged = y->is_judged,
                                     .steps = x->c->steps};
    TRY(choose_order(&y->order, &r, err));
    n->chosen = y->order.n;
    n->greedy = y->order.n_greedy;
    n->looked = y->order.n_judged;
    if (y->order.n == 0)
        return OK;
    n->u_first = y->u[y->order.record[0]];
    n->u_last = y->u[y->order.record[y->order.n - 1]];
    return OK;
}

static enum status set_priorities(struct db *db, void *ctx, struct err *err)
{
    const struct chosen *y = ctx;
    const struct choose_order *o = &y->order;
    for (size_t k = 0; k < o->n; k++)
        TRY(items_set_priority(db, y->x->entry[y->entry[o->record[k]]].id,
                               choose_priority(k, o->n), err));
    return OK;
}

static enum status open_readers(struct choosing *x, struct err *err)
{
    const struct choose_pool_config *c = x->c;
    if (c->n_models < 1 || c->n_models > ENSEMBLE_MAX)
        return err_set(err, ERR_ARG, "%zu reward models: wanted 1 to %d",
                       c->n_models, ENSEMBLE_MAX);
    for (; x->n_readers < c->n_models; x->n_readers++)
        TRY(reward_reader_open(&x->reader[x->n_readers],
                               c->reward_model[x->n_readers], NULL,
                               c->precision, err));
    return OK;
}

enum status choose_pool(struct choose_pool_counts *out, struct db *db,
                        const struct choose_pool_config *c,
                        const struct context *context, struct err *err)
{
    struct choosing x = {.c = c, .context = context, .db = db};
    struct chosen y = {.x = &x};
    struct choose_pool_counts n = {.u_first = (double)NAN,
                                   .u_last = (double)NAN};
    enum status status = OK;
    TRY_DONE(open_readers(&x, err));
    TRY_DONE(find_items(&x, err));
    if (x.n_open > 0)
        TRY_DONE(read_all(&x, err));
    TRY_DONE(order(&y, &n, err));
    TRY_DONE(db_transact(db, set_priorities, &y, err));
    *out = n;
done:
    chosen_free(&y);
    choosing_free(&x);
    return status;
}
