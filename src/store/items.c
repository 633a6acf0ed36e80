#include "store/items.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "io/dialogue.h"
#include "store/audit.h"
#include "store/query.h"

/* ---- pools -------------------------------------------------------------- */

struct pool_change {
    const struct pool *pool;
    int64_t id, actor, now;
};

static enum status check_pool(const struct pool *p, struct err *err)
{
    TRY(project_check_name(p->name, "a pool's name", err));
    TRY(project_check_text(p->guide, PROJECT_TEXT_MAX, "a pool's guide", err));
    if (p->overlap < 1 || p->overlap > 1000)
        return err_set(err, ERR_ARG,
                       "pool '%.80s': overlap %lld is not in 1..1000", p->name,
                       (long long)p->overlap);
    if (p->lease < 1)
        return err_set(err, ERR_ARG, "pool '%.80s': a lease of %lld ms",
                       p->name, (long long)p->lease);
    if (!(p->random_share >= 0 && p->random_share <= 1))
        return err_set(err, ERR_ARG,
                       "pool '%.80s': random share %g is not in [0, 1]",
                       p->name, p->random_share);
    return OK;
}

static enum status note(struct db *db, const char *event, int64_t subject,
                        const char *detail, const unsigned char *digest,
                        int64_t actor, int64_t now, struct err *err)
{
    return audit_append(db,
                        &(struct audit_event){.event = event,
                                              .actor = actor,
                                              .subject = subject,
                                              .detail = detail,
                                              .digest = digest,
                                              .at = now},
                        err);
}

static enum status need_free(struct db *db, const char *name, struct err *err)
{
    struct query q;
    bool row;
    TRY(query_open(&q, db, "SELECT 1 FROM pool WHERE name = ?1", err));
    query_bind_text(&q, 1, name);
    enum status status = query_next(&q, &row, err);
    query_close(&q);
    if (status == OK && row)
        status =
            err_set(err, ERR_MISMATCH, "there is a pool '%.80s' already", name);
    return status;
}

static enum status add_pool(struct db *db, void *ctx, struct err *err)
{
    struct pool_change *c = ctx;
    const struct pool *p = c->pool;
    unsigned char digest[AUDIT_HASH];
    struct query q;
    TRY(need_free(db, p->name, err));
    TRY(query_open(&q, db,
                   "INSERT INTO pool (name, task, overlap, lease_ms, "
                   "random_share, guide, created_ms) "
                   "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                   err));
    query_bind_text(&q, 1, p->name);
    query_bind_text(&q, 2, choice_word(&choice_task, (int)p->task));
    query_bind_int(&q, 3, p->overlap);
    query_bind_int(&q, 4, p->lease);
    query_bind_real(&q, 5, p->random_share);
    query_bind_text(&q, 6, p->guide);
    query_bind_int(&q, 7, c->now);
    TRY(query_run(&q, err));
    c->id = db_last_id(db);
    TRY(items_digest_pool(digest, db, c->id, err));
    return note(db, "pool", c->id, NULL, digest, c->actor, c->now, err);
}

enum status items_add_pool(int64_t *id, struct db *db, const struct pool *p,
                           int64_t actor, int64_t now, struct err *err)
{
    struct pool_change c = {.pool = p, .actor = actor, .now = now};
    TRY(check_pool(p, err));
    TRY(db_transact(db, add_pool, &c, err));
    *id = c.id;
    return OK;
}

static enum status close_pool(struct db *db, void *ctx, struct err *err)
{
    const struct pool_change *c = ctx;
    struct query q;
    TRY(query_open(
        &q, db,
        "UPDATE pool SET closed_ms = coalesce(closed_ms, ?2) WHERE id = ?1",
        err));
    query_bind_int(&q, 1, c->id);
    query_bind_int(&q, 2, c->now);
    TRY(query_run(&q, err));
    if (db_changes(db) != 1)
        return err_set(err, ERR_MISSING, "no such pool");
    return note(db, "close", c->id, NULL, NULL, c->actor, c->now, err);
}

enum status items_close_pool(struct db *db, int64_t pool, int64_t actor,
                             int64_t now, struct err *err)
{
    struct pool_change c = {.id = pool, .actor = actor, .now = now};
    return db_transact(db, close_pool, &c, err);
}

/* ---- what an item must be ----------------------------------------------- */

static enum status bad(const struct item *x, const char *why, struct err *err)
{
    return err_set(err, ERR_ARG, "item '%.80s': %s", x->name, why);
}

static bool is_source(const struct item *x, size_t k, const char *source)
{
    return strcmp(x->candidate[k].source, source) == 0;
}

/* One candidate of `a` and one of `b`, in either place. */
static bool are_sources(const struct item *x, const char *a, const char *b)
{
    return (is_source(x, 0, a) && is_source(x, 1, b)) ||
           (is_source(x, 0, b) && is_source(x, 1, a));
}

static enum status check_kind(const struct item *x, enum pool_task task,
                              struct err *err)
{
    bool is_pair = task == POOL_SPOTCHECK;
    if (is_pair && x->n != 2)
        return bad(x, "a spot-check has two candidates", err);
    if (is_pair && x->kind == ITEM_NORMAL &&
        !are_sources(x, "policy", "reference"))
        return bad(x, "its sources are not policy and reference", err);
    if (x->kind == ITEM_PLACEBO &&
        (!is_pair || !are_sources(x, "placebo", "reference")))
        return bad(x, "a placebo is a spot-check of placebo and reference",
                   err);
    for (size_t k = 1; x->kind == ITEM_IDENTICAL && k < x->n; k++)
        if (strcmp(x->candidate[k].text, x->candidate[0].text) != 0)
            return bad(x, "its candidates are not identical", err);
    return OK;
}

/* {"better":PLACE} of a pair, or {"ranking":[RANK, ...]}. */
static enum status check_expected(const struct item *x, struct err *err)
{
    struct json *node;
    if (x->expected == NULL)
        return bad(x, "a gold item without an expected answer", err);
    TRY(json_parse(&node, x->expected, strlen(x->expected), x->name, err));
    const struct json *ranking = json_get(node, "ranking");
    int64_t better = json_int(json_get(node, "better"), -1);
    bool is_fine = json_is_object(node) &&
                   ((x->n == 2 && better >= 0 && better <= 1) ||
                    (json_is_array(ranking) && json_size(ranking) == x->n));
    for (size_t k = 0; is_fine && k < json_size(ranking); k++) {
        int64_t rank = json_int(json_at(ranking, k), 0);
        is_fine = rank >= 1 && rank <= (int64_t)x->n;
    }
    json_free(node);
    return is_fine ? OK
                   : bad(x,
                         "expected is neither {\"better\":PLACE} nor "
                         "{\"ranking\":[RANK, ...]}",
                         err);
}

static enum status check_json(const char *text, const struct item *x,
                              struct err *err)
{
    struct json *node;
    if (text == NULL)
        return OK;
    TRY(project_check_text(text, PROJECT_TEXT_MAX, x->name, err));
    TRY(json_parse(&node, text, strlen(text), x->name, err));
    bool is_object = json_is_object(node);
    json_free(node);
    return is_object ? OK : bad(x, "extra is no JSON object", err);
}

static enum status check_messages(const struct item *x, struct err *err)
{
    struct json *node;
    struct dialogue dialogue = {0};
    if (x->messages == NULL)
        return OK;
    TRY(project_check_text(x->messages, PROJECT_TEXT_MAX, x->name, err));
    TRY(json_parse(&node, x->messages, strlen(x->messages), x->name, err));
    enum status status = dialogue_read(&dialogue, node, x->name, err);
    dialogue_free(&dialogue);
    json_free(node);
    return status;
}

static enum status check_candidate(const struct item *x,
                                   const struct candidate *c, struct err *err)
{
    TRY(project_check_text(c->text, PROJECT_TEXT_MAX, x->name, err));
    TRY(project_check_name(c->source, "a candidate's source", err));
    if (c->run != NULL)
        TRY(project_check_text(c->run, 4096, x->name, err));
    if (c->finish != NULL && strcmp(c->finish, "eos") != 0 &&
        strcmp(c->finish, "length") != 0)
        return bad(x, "finish is neither eos nor length", err);
    if (isinf(c->score))
        return bad(x, "a score that is not finite", err);
    return check_json(c->extra, x, err);
}

static enum status check_repeat(const struct item *x, struct err *err)
{
    if (x->repeat_of == NULL || x->gap < 1)
        return bad(x, "a repeat names an item and a gap of at least 1", err);
    if (x->prompt != NULL || x->n != 0 || x->expected != NULL ||
        x->messages != NULL || x->extra != NULL)
        return bad(x, "a repeat has nothing of its own", err);
    return OK;
}

static enum status check_item(const struct item *x, enum pool_task task,
                              struct err *err)
{
    TRY(project_check_name(x->name, "an item's name", err));
    if (!isfinite(x->priority))
        return bad(x, "a priority that is not finite", err);
    if (x->kind == ITEM_REPEAT)
        return check_repeat(x, err);
    if (x->repeat_of != NULL)
        return bad(x, "only a repeat is of another item", err);
    TRY(project_check_name(x->prompt_id, "a prompt's id", err));
    if (x->prompt == NULL)
        return bad(x, "it has no prompt", err);
    TRY(project_check_text(x->prompt, PROJECT_TEXT_MAX, x->name, err));
    if (x->n < 2 || x->n > ORDER_MAX)
        return err_set(err, ERR_ARG,
                       "item '%.80s': %zu candidates are not 2 to %d", x->name,
                       x->n, ORDER_MAX);
    for (size_t k = 0; k < x->n; k++)
        TRY(check_candidate(x, &x->candidate[k], err));
    TRY(check_messages(x, err));
    TRY(check_json(x->extra, x, err));
    if (x->kind == ITEM_GOLD)
        TRY(check_expected(x, err));
    else if (x->expected != NULL)
        return bad(x, "only gold has an expected answer", err);
    return check_kind(x, task, err);
}

/* ---- adding one --------------------------------------------------------- */

struct adding {
    const struct item *x;
    int64_t id, actor, now;
    bool is_new;
};

/* A JSON text laid out as it is kept; NULL stays NULL.  Freed by the
 * arena. */
static enum status lay_out(const char **out, struct arena *a, const char *text,
                           struct err *err)
{
    struct json *node;
    struct buf line;
    if (text == NULL) {
        *out = NULL;
        return OK;
    }
    TRY(json_parse(&node, text, strlen(text), "an item", err));
    buf_init(&line, (size_t)8 * PROJECT_TEXT_MAX);
    json_dump(&line, node);
    json_free(node);
    enum status status = buf_status(&line, err);
    if (status == OK)
        status = arena_text(out, a, buf_text(&line), line.len, err);
    buf_free(&line);
    return status;
}

/* Is what stands under the name the same item? */
static enum status compare(struct db *db, const struct item *x, int64_t id,
                           struct err *err)
{
    struct arena a = {0};
    struct item there;
    struct buf bytes[2];
    const struct item *side[2] = {x, &there};
    enum status status = items_read(&there, &a, db, id, err);
    if (x->kind == ITEM_REPEAT)
        there.prompt = NULL;
    for (int i = 0; i < 2; i++)
        buf_init(&bytes[i], (size_t)256 << 20);
    for (int i = 0; i < 2 && status == OK; i++) {
        struct json_writer w;
        json_writer_init(&w, &bytes[i], false);
        json_open(&w, '{');
        items_write(&w, side[i]);
        json_close(&w, '}');
        status = buf_status(&bytes[i], err);
    }
    if (status == OK &&
        (bytes[0].len != bytes[1].len ||
         memcmp(buf_text(&bytes[0]), buf_text(&bytes[1]), bytes[0].len) != 0))
        status = err_set(err, ERR_MISMATCH,
                         "there is another item '%.80s' in the pool", x->name);
    for (int i = 0; i < 2; i++)
        buf_free(&bytes[i]);
    arena_free(&a);
    return status;
}

static enum status insert_item(struct db *db, const struct item *x,
                               int64_t repeat_of, int64_t now, struct err *err)
{
    struct query q;
    TRY(query_open(&q, db,
                   "INSERT INTO item (pool_id, name, kind, repeat_of, gap, "
                   "expected, arm, priority, prompt_id, prompt, messages, "
                   "extra, created_ms) VALUES (?1, ?2, ?3, nullif(?4, 0), "
                   "nullif(?5, 0), ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
                   err));
    query_bind_int(&q, 1, x->pool);
    query_bind_text(&q, 2, x->name);
    query_bind_text(&q, 3, choice_word(&choice_kind, (int)x->kind));
    query_bind_int(&q, 4, repeat_of);
    query_bind_int(&q, 5, x->kind == ITEM_REPEAT ? x->gap : 0);
    query_bind_text(&q, 6, x->expected);
    query_bind_text(&q, 7, choice_word(&choice_arm, (int)x->arm));
    query_bind_real(&q, 8, x->priority);
    query_bind_text(&q, 9, x->prompt_id);
    query_bind_text(&q, 10, x->prompt);
    query_bind_text(&q, 11, x->messages);
    query_bind_text(&q, 12, x->extra);
    query_bind_int(&q, 13, now);
    return query_run(&q, err);
}

static void bind_known(struct query *q, int i, int64_t x)
{
    if (x >= 0)
        query_bind_int(q, i, x);
}

static enum status insert_candidate(struct db *db, int64_t item, size_t place,
                                    const struct candidate *c, struct err *err)
{
    struct query q;
    TRY(query_open(&q, db,
                   "INSERT INTO candidate (item_id, place, text, source, run, "
                   "step, sample, tokens, score, finish, extra) VALUES (?1, "
                   "?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                   err));
    query_bind_int(&q, 1, item);
    query_bind_int(&q, 2, (int64_t)place);
    query_bind_text(&q, 3, c->text);
    query_bind_text(&q, 4, c->source);
    query_bind_text(&q, 5, c->run);
    bind_known(&q, 6, c->step);
    bind_known(&q, 7, c->sample);
    bind_known(&q, 8, c->tokens);
    query_bind_real(&q, 9, c->score);
    query_bind_text(&q, 10, c->finish);
    query_bind_text(&q, 11, c->extra);
    return query_run(&q, err);
}

/* What it shows, for the rule that nobody meets a reply in two items
 * (assign.h); a repeat shows nothing of its own. */
static enum status insert_replies(struct db *db, int64_t item, struct err *err)
{
    struct query q;
    TRY(query_open(&q, db,
                   "INSERT INTO reply (item_id, digest) "
                   "SELECT DISTINCT i.id, plumb_digest(i.prompt, c.text) "
                   "FROM item AS i JOIN candidate AS c ON c.item_id = i.id "
                   "WHERE i.id = ?1",
                   err));
    query_bind_int(&q, 1, item);
    return query_run(&q, err);
}

static enum status draw_priority(struct db *db, int64_t pool, int64_t item,
                                 struct err *err)
{
    struct project project;
    struct query q;
    struct rng r;
    TRY(project_read(&project, db, err));
    rng_init(&r, project.seed, RNG_QUEUE, (uint32_t)pool, (uint32_t)item);
    TRY(query_open(&q, db, "UPDATE item SET priority = ?2 WHERE id = ?1", err));
    query_bind_int(&q, 1, item);
    query_bind_real(&q, 2, rng_uniform(&r));
    return query_run(&q, err);
}

static enum status insert(struct db *db, struct adding *c, const struct item *x,
                          struct err *err)
{
    int64_t repeat_of = 0;
    unsigned char digest[AUDIT_HASH];
    if (x->kind == ITEM_REPEAT)
        TRY(items_find(&repeat_of, db, x->pool, x->repeat_of, err));
    TRY(insert_item(db, x, repeat_of, c->now, err));
    c->id = db_last_id(db);
    c->is_new = true;
    for (size_t k = 0; k < x->n; k++)
        TRY(insert_candidate(db, c->id, k, &x->candidate[k], err));
    TRY(insert_replies(db, c->id, err));
    if (x->arm == ITEM_RANDOM)
        TRY(draw_priority(db, x->pool, c->id, err));
    TRY(items_digest(digest, db, c->id, err));
    return note(db, "item", c->id, NULL, digest, c->actor, c->now, err);
}

static enum status add(struct db *db, void *ctx, struct err *err)
{
    struct adding *c = ctx;
    const struct item *x = c->x;
    enum status status = items_find(&c->id, db, x->pool, x->name, NULL);
    if (status == OK)
        return compare(db, x, c->id, err);
    if (status != ERR_MISSING)
        return items_find(&c->id, db, x->pool, x->name, err);
    return insert(db, c, x, err);
}

/* The item with its JSON laid out as it is kept. */
static enum status settle(struct item *out, struct arena *a,
                          const struct item *x, struct err *err)
{
    struct candidate *list;
    *out = *x;
    TRY(lay_out(&out->expected, a, x->expected, err));
    TRY(lay_out(&out->messages, a, x->messages, err));
    TRY(lay_out(&out->extra, a, x->extra, err));
    if (x->n == 0)
        return OK;
    TRY(ARENA_NEW(a, list, x->n, err));
    for (size_t k = 0; k < x->n; k++) {
        list[k] = x->candidate[k];
        TRY(lay_out(&list[k].extra, a, x->candidate[k].extra, err));
    }
    out->candidate = list;
    return OK;
}

enum status items_add(int64_t *id, bool *is_new, struct db *db,
                      const struct item *x, int64_t actor, int64_t now,
                      struct err *err)
{
    struct arena a = {0};
    struct pool pool;
    struct item settled;
    struct adding c = {.x = &settled, .actor = actor, .now = now};
    enum status status = OK;
    TRY_DONE(items_read_pool(&pool, &a, db, x->pool, err));
    TRY_DONE(check_item(x, pool.task, err));
    TRY_DONE(settle(&settled, &a, x, err));
    TRY_DONE(db_transact(db, add, &c, err));
    *id = c.id;
    *is_new = c.is_new;
done:
    arena_free(&a);
    return status;
}

/* ---- changing what may be ----------------------------------------------- */

enum status items_set_priority(struct db *db, int64_t id, double priority,
                               struct err *err)
{
    struct query q;
    if (!isfinite(priority))
        return err_set(err, ERR_ARG, "a priority that is not finite");
    TRY(query_open(&q, db,
                   "UPDATE item SET priority = ?2 WHERE id = ?1 AND arm = "
                   "'adaptive'",
                   err));
    query_bind_int(&q, 1, id);
    query_bind_real(&q, 2, priority);
    TRY(query_run(&q, err));
    if (db_changes(db) != 1)
        return err_set(err, ERR_ARG, "item %lld is not in the adaptive arm",
                       (long long)id);
    return OK;
}

struct retiring {
    int64_t id, actor, now;
    const char *why;
};

static enum status retire(struct db *db, void *ctx, struct err *err)
{
    const struct retiring *c = ctx;
    struct query q;
    TRY(query_open(
        &q, db,
        "UPDATE item SET retired_ms = coalesce(retired_ms, ?2) WHERE id = ?1",
        err));
    query_bind_int(&q, 1, c->id);
    query_bind_int(&q, 2, c->now);
    TRY(query_run(&q, err));
    if (db_changes(db) != 1)
        return err_set(err, ERR_MISSING, "no such item");
    return note(db, "retire", c->id, c->why, NULL, c->actor, c->now, err);
}

enum status items_retire(struct db *db, int64_t id, const char *why,
                         int64_t actor, int64_t now, struct err *err)
{
    struct retiring c = {.id = id, .actor = actor, .now = now, .why = why};
    if (why != NULL)
        TRY(project_check_text(why, PROJECT_REMARK_MAX, "a reason", err));
    return db_transact(db, retire, &c, err);
}
