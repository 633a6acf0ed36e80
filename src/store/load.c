#include "store/load.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "store/load_set.h"
#include "store/query.h"

#define NAME_TEXT (4 * PROJECT_NAME_MAX + 32)

/* What is drawn for an item, in the order it is drawn in. */
enum lot {
    LOT_ORDER,
    LOT_PLACEBO,
    LOT_REPEAT,
    LOT_IDENTICAL,
    LOT_ARM,
    LOT_REPLY,
    LOTS
};

/* An item to be made: which replies of its record, counted from the first. */
struct unit {
    const struct load_record *record;
    size_t round;             // of the record's items, from 0
    size_t policy, reference; // of each side's replies
    size_t
        second; // another one of the reference's, SIZE_MAX when there is none
    bool is_placebo; // of `reference` and `second`
    double lot[LOTS];
};

struct loading {
    const struct load_config *c;
    struct load_set set;
    struct pool pool;
    struct arena arena; // the pool's texts
    uint64_t seed;
    struct unit *unit; // [n]
    size_t n, room;
    struct load_counts counts;
};

/* ---- lots --------------------------------------------------------------- */

static void draw(struct unit *u, uint64_t seed)
{
    struct rng r;
    uint64_t name = names_hash(u->record->id);
    rng_init(&r, seed, RNG_LOAD, (uint32_t)name + (uint32_t)u->round,
             (uint32_t)(name >> 32));
    for (int k = 0; k < LOTS; k++)
        u->lot[k] = rng_uniform(&r);
}

/* A unit's place among others by one of its lots. */
struct place {
    double key;
    size_t unit;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->unit > y->unit) - (x->unit < y->unit);
}

/* Units from..n in the order of a lot; freed by the caller. */
static enum status sort(struct place **out, const struct loading *l,
                        size_t from, enum lot lot, struct err *err)
{
    size_t n = l->n - from;
    TRY(MEM_NEW(*out, n, err));
    for (size_t i = 0; i < n; i++)
        (*out)[i] = (struct place){l->unit[from + i].lot[lot], from + i};
    qsort(*out, n, sizeof **out, compare_places);
    return OK;
}

static size_t share_of(double share, size_t n)
{
    return (size_t)floor(share * (double)n + 0.5);
}

/* ---- which items -------------------------------------------------------- */

static enum status push(struct loading *l, const struct unit *u,
                        struct err *err)
{
    if (l->n == l->room) {
        size_t room = l->room > 0 ? 2 * l->room : 256;
        struct unit *more = mem_grow(l->unit, l->room, room, sizeof *more);
        if (more == NULL)
            return err_set(err, ERR_MEMORY, "out of memory for items");
        l->unit = more;
        l->room = room;
    }
    l->unit[l->n++] = *u;
    return OK;
}

/* What a record's earlier items took: no reply behind the next one of its side
 * was looked at, and no text of these comes again. */
struct taken {
    size_t next[2];
    struct names texts;
};

/* The first reply of a side from `from` on whose text no earlier item shows;
 * SIZE_MAX when there is none. */
static size_t find_reply(const struct load_record *x, int side, size_t from,
                         const struct taken *t)
{
    const struct load_list *list = &x->side[side];
    for (size_t k = from; k < list->n; k++)
        if (names_find(&t->texts, list->reply[k].text) == SIZE_MAX)
            return k;
    return SIZE_MAX;
}

/* The next item of a record, false when it has no replies for one. */
static bool find_pair(struct unit *u, const struct taken *t)
{
    u->policy = find_reply(u->record, 0, t->next[0], t);
    u->reference = find_reply(u->record, 1, t->next[1], t);
    if (u->policy == SIZE_MAX || u->reference == SIZE_MAX)
        return false;
    u->second = find_reply(u->record, 1, u->reference + 1, t);
    return true;
}

static enum status take_pair(struct taken *t, const struct unit *u,
                             struct err *err)
{
    const struct load_list *policy = &u->record->side[0];
    const struct load_list *reference = &u->record->side[1];
    size_t index, last = u->is_placebo ? u->second : u->reference;
    const char *other = u->is_placebo ? reference->reply[u->second].text
                                      : policy->reply[u->policy].text;
    TRY(names_add(&t->texts, &index, reference->reply[u->reference].text, err));
    TRY(names_add(&t->texts, &index, other, err));
    t->next[0] = u->policy + !u->is_placebo;
    t->next[1] = last + 1;
    return OK;
}

/* Keep the `max` units behind `from` that come first by lot. */
static enum status cut(struct loading *l, size_t from, size_t max,
                       struct err *err)
{
    struct place *order;
    size_t n = l->n - from;
    struct unit *kept;
    if (n <= max)
        return OK;
    TRY(sort(&order, l, from, LOT_ORDER, err));
    enum status status = MEM_NEW(kept, max, err);
    if (status == OK) {
        for (size_t i = 0; i < max; i++)
            kept[i] = l->unit[order[i].unit];
        if (max > 0)
            memcpy(l->unit + from, kept, max * sizeof *kept);
        l->n = from + max;
        mem_free(kept);
    }
    mem_free(order);
    return status;
}

/* Of the units behind `from`, make the share of them placebos. */
static enum status choose_placebos(struct loading *l, size_t from,
                                   struct err *err)
{
    struct place *order;
    size_t n = l->n - from, wanted = share_of(l->c->placebo, n), got = 0;
    TRY(sort(&order, l, from, LOT_PLACEBO, err));
    for (size_t i = 0; i < n && got < wanted; i++) {
        struct unit *u = &l->unit[order[i].unit];
        u->is_placebo = u->second != SIZE_MAX;
        got += u->is_placebo;
    }
    mem_free(order);
    l->counts.placebo_wanted += (int64_t)(wanted - got);
    return OK;
}

/* One more item of every record that has the replies for it; none in *more
 * when there was no such record. */
static enum status add_round(struct loading *l, size_t round,
                             struct taken *taken, bool *more, struct err *err)
{
    size_t from = l->n;
    size_t max = l->c->pairs > 0 ? (size_t)l->c->pairs - l->n : SIZE_MAX;
    for (size_t i = 0; i < l->set.n; i++) {
        struct unit u = {.record = &l->set.record[i], .round = round};
        if (!find_pair(&u, &taken[i]))
            continue;
        draw(&u, l->seed);
        TRY(push(l, &u, err));
    }
    *more = l->n > from;
    TRY(cut(l, from, max, err));
    TRY(choose_placebos(l, from, err));
    for (size_t i = from; i < l->n; i++) {
        const struct unit *u = &l->unit[i];
        TRY(take_pair(&taken[u->record - l->set.record], u, err));
    }
    return OK;
}

static enum status plan_pairs(struct loading *l, struct err *err)
{
    struct taken *taken;
    bool more = true;
    TRY(MEM_NEW(taken, l->set.n, err));
    enum status status = add_round(l, 0, taken, &more, err);
    for (size_t round = 1; status == OK && more && l->c->pairs > (int64_t)l->n;
         round++)
        status = add_round(l, round, taken, &more, err);
    for (size_t i = 0; i < l->set.n; i++)
        names_free(&taken[i].texts);
    mem_free(taken);
    if (l->c->pairs > (int64_t)l->n)
        l->counts.pairs_wanted = l->c->pairs - (int64_t)l->n;
    return status;
}

static enum status plan_sets(struct loading *l, struct err *err)
{
    for (size_t i = 0; i < l->set.n; i++) {
        struct unit u = {.record = &l->set.record[i]};
        draw(&u, l->seed);
        TRY(push(l, &u, err));
    }
    return l->c->pairs > 0 && !l->set.is_gold
               ? cut(l, 0, (size_t)l->c->pairs, err)
               : OK;
}

/* ---- into the database -------------------------------------------------- */

/* What an item cannot be is the file's fault here. */
static enum status add_item(struct loading *l, struct db *db,
                            const struct load_record *x,
                            const struct item *item, struct err *err)
{
    int64_t id;
    bool is_new;
    struct err own = {OK, ""};
    enum status status =
        items_add(&id, &is_new, db, item, l->c->actor, l->c->now, &own);
    if (status == OK) {
        l->counts.is_new += is_new;
        return OK;
    }
    return err_set(err, status == ERR_ARG ? ERR_FORMAT : status, "%s:%zu: %s",
                   l->set.path, x->line, own.text);
}

static void name_item(char out[NAME_TEXT], const struct unit *u,
                      const char *behind)
{
    if (u->round > 0)
        (void)snprintf(out, NAME_TEXT, "%s~r%zu%s", u->record->id, u->round + 1,
                       behind);
    else
        (void)snprintf(out, NAME_TEXT, "%s%s", u->record->id, behind);
}

static void begin_item(struct item *out, const struct loading *l,
                       const struct unit *u, const char *name,
                       enum item_kind kind)
{
    const struct load_record *x = u->record;
    double priority = isnan(x->priority) && l->c->is_adaptive ? 0 : x->priority;
    bool is_adaptive = !isnan(priority) && kind == ITEM_NORMAL &&
                       u->lot[LOT_ARM] >= l->pool.random_share;
    *out = (struct item){.pool = l->pool.id,
                         .name = name,
                         .kind = kind,
                         .arm = is_adaptive ? ITEM_ADAPTIVE : ITEM_RANDOM,
                         .priority = is_adaptive ? priority : 0,
                         .prompt_id = x->id,
                         .prompt = x->prompt,
                         .messages = x->messages,
                         .extra = x->extra};
}

static enum status add_unit(struct loading *l, struct db *db,
                            const struct unit *u, struct err *err)
{
    char name[NAME_TEXT];
    const struct load_record *x = u->record;
    struct candidate pair[2];
    struct item item;
    name_item(name, u, l->set.is_gold ? "~4" : "");
    if (l->set.task == POOL_SPOTCHECK && !l->set.is_gold) {
        begin_item(&item, l, u, name,
                   u->is_placebo ? ITEM_PLACEBO : ITEM_NORMAL);
        pair[0] = u->is_placebo ? x->side[1].reply[u->second]
                                : x->side[0].reply[u->policy];
        if (u->is_placebo)
            pair[0].source = "placebo";
        pair[1] = x->side[1].reply[u->reference];
        item.candidate = pair;
        item.n = 2;
        *(u->is_placebo ? &l->counts.placebo : &l->counts.normal) += 1;
    } else {
        begin_item(&item, l, u, name, l->set.is_gold ? ITEM_GOLD : ITEM_NORMAL);
        item.expected = x->expected;
        item.candidate = x->side[0].reply;
        item.n = x->side[0].n;
        *(l->set.is_gold ? &l->counts.gold : &l->counts.normal) += 1;
    }
    return add_item(l, db, x, &item, err);
}

static enum status add_repeat(struct loading *l, struct db *db,
                              const struct unit *u, struct err *err)
{
    char name[NAME_TEXT], of[NAME_TEXT];
    name_item(of, u, "");
    name_item(name, u, "~2");
    const struct item item = {.pool = l->pool.id,
                              .name = name,
                              .kind = ITEM_REPEAT,
                              .arm = ITEM_RANDOM,
                              .repeat_of = of,
                              .gap = l->c->gap};
    l->counts.repeats++;
    return add_item(l, db, u->record, &item, err);
}

/* One of the replies that the unit itself shows, as all of the candidates. */
static enum status add_identical(struct loading *l, struct db *db,
                                 const struct unit *u, struct err *err)
{
    char name[NAME_TEXT];
    const struct load_record *x = u->record;
    struct candidate reply[ORDER_MAX], one;
    struct item item;
    bool is_pair = l->set.task == POOL_SPOTCHECK;
    size_t K = is_pair ? 2 : x->side[0].n;
    size_t pick = (size_t)(u->lot[LOT_REPLY] * (double)K);
    if (is_pair && u->is_placebo)
        one = x->side[1].reply[pick == 0 ? u->reference : u->second];
    else if (is_pair)
        one = pick == 0 ? x->side[0].reply[u->policy]
                        : x->side[1].reply[u->reference];
    else
        one = x->side[0].reply[pick];
    name_item(name, u, ITEM_IDENTICAL_END);
    begin_item(&item, l, u, name, ITEM_IDENTICAL);
    for (size_t k = 0; k < K && k < ORDER_MAX; k++)
        reply[k] = one;
    item.candidate = reply;
    item.n = K;
    l->counts.identical++;
    return add_item(l, db, x, &item, err);
}

/* So many more items, of those whose lot comes first. */
static enum status add_more(struct loading *l, struct db *db, enum lot lot,
                            double share, struct err *err)
{
    struct place *order;
    size_t n = share_of(share, l->n);
    if (n == 0)
        return OK;
    TRY(sort(&order, l, 0, lot, err));
    enum status status = OK;
    for (size_t i = 0; status == OK && i < n; i++) {
        const struct unit *u = &l->unit[order[i].unit];
        status = lot == LOT_REPEAT ? add_repeat(l, db, u, err)
                                   : add_identical(l, db, u, err);
    }
    mem_free(order);
    return status;
}

/* ---- the pool ----------------------------------------------------------- */

static enum status differs(const struct load_config *c, const char *what,
                           struct err *err)
{
    return err_set(err, ERR_MISMATCH,
                   "pool '%.80s' has another %s: a pool keeps its settings",
                   c->pool, what);
}

static enum status check_pool(const struct loading *l, struct err *err)
{
    const struct load_config *c = l->c;
    const struct pool *p = &l->pool;
    if (p->task != c->task)
        return differs(c, "task", err);
    if (p->closed != 0)
        return err_set(err, ERR_MISMATCH, "pool '%.80s' is closed", c->pool);
    if (c->overlap != 0 && c->overlap != p->overlap)
        return differs(c, "overlap", err);
    if (c->lease != 0 && c->lease != p->lease)
        return differs(c, "lease", err);
    if (!isnan(c->random_share) && c->random_share != p->random_share)
        return differs(c, "random share", err);
    if (c->guide != NULL && strcmp(c->guide, p->guide) != 0)
        return differs(c, "guide", err);
    return OK;
}

static enum status find_pool(struct loading *l, struct db *db, struct err *err)
{
    const struct load_config *c = l->c;
    struct pool p = {
        .name = c->pool,
        .task = c->task,
        .overlap = c->overlap != 0 ? c->overlap : 1,
        .lease = c->lease != 0 ? c->lease : LOAD_LEASE,
        .random_share =
            isnan(c->random_share) ? LOAD_RANDOM_SHARE : c->random_share,
        .guide = c->guide != NULL ? c->guide : "",
    };
    enum status status = items_find_pool(&l->pool, &l->arena, db, c->pool, err);
    if (status == OK)
        return check_pool(l, err);
    if (status != ERR_MISSING)
        return status;
    TRY(items_add_pool(&p.id, db, &p, c->actor, c->now, err));
    l->pool = p;
    return OK;
}

/* A page shows a dialogue otherwise than a text, so gold of a form that no
 * other item of the pool has would be told by its looks. */
static enum status check_forms(const struct loading *l, struct db *db,
                               struct err *err)
{
    struct query q;
    bool row;
    TRY(query_open(&q, db,
                   "SELECT g.name, g.messages IS NOT NULL FROM item AS g "
                   "WHERE g.pool_id = ?1 AND g.kind = 'gold' "
                   "AND g.retired_ms IS NULL AND NOT EXISTS ("
                   "SELECT 1 FROM item AS i WHERE i.pool_id = ?1 "
                   "AND i.kind NOT IN ('gold', 'repeat') "
                   "AND (i.messages IS NULL) = (g.messages IS NULL)) "
                   "AND EXISTS (SELECT 1 FROM item AS i WHERE i.pool_id = ?1 "
                   "AND i.kind NOT IN ('gold', 'repeat')) LIMIT 1",
                   err));
    query_bind_int(&q, 1, l->pool.id);
    enum status status = query_next(&q, &row, err);
    if (status == OK && row) {
        const char *name = query_text(&q, 0);
        bool is_dialogue = query_int(&q, 1) != 0;
        status = err_set(
            err, ERR_MISMATCH,
            "%s: gold '%.80s' has %s, the other items of pool '%.80s' have %s: "
            "judges would tell it by its looks",
            l->set.path, name != NULL ? name : "",
            is_dialogue ? "messages" : "a text as its prompt", l->pool.name,
            is_dialogue ? "texts" : "messages");
    }
    query_close(&q);
    return status;
}

/* ---- all of it ---------------------------------------------------------- */

static enum status put(struct db *db, void *ctx, struct err *err)
{
    struct loading *l = ctx;
    struct project project;
    bool is_pair = l->set.task == POOL_SPOTCHECK && !l->set.is_gold;
    TRY(project_read(&project, db, err));
    l->seed = project.seed;
    TRY(find_pool(l, db, err));
    TRY(is_pair ? plan_pairs(l, err) : plan_sets(l, err));
    for (size_t i = 0; i < l->n; i++)
        TRY(add_unit(l, db, &l->unit[i], err));
    TRY(check_forms(l, db, err));
    if (l->set.is_gold)
        return OK;
    TRY(add_more(l, db, LOT_REPEAT, l->c->repeats, err));
    return add_more(l, db, LOT_IDENTICAL, l->c->identical, err);
}

static bool is_share(double x)
{
    return x >= 0 && x <= 1;
}

static enum status check_config(const struct load_config *c, struct err *err)
{
    TRY(project_check_name(c->pool, "a pool's name", err));
    if (!is_share(c->placebo) || !is_share(c->repeats) ||
        !is_share(c->identical))
        return err_set(err, ERR_ARG, "a share is not in [0, 1]");
    if (c->gap < 1 || c->pairs < 0)
        return err_set(err, ERR_ARG, "gap %lld, pairs %lld", (long long)c->gap,
                       (long long)c->pairs);
    return OK;
}

/* Every record must have what its task shows. */
static enum status check_records(const struct load_set *s, struct err *err)
{
    bool is_pair = s->task == POOL_SPOTCHECK && !s->is_gold;
    if (s->n == 0)
        return err_set(err, ERR_FORMAT, "%s: no record", s->path);
    for (size_t i = 0; i < s->n; i++) {
        const struct load_record *x = &s->record[i];
        bool is_short =
            is_pair ? x->side[0].n == 0 || x->side[1].n == 0 : x->side[0].n < 2;
        if (is_short || x->side[0].n > (is_pair ? SIZE_MAX : ORDER_MAX))
            return err_set(
                err, ERR_FORMAT, "%s:%zu: '%.80s' has %zu %s, %s wanted",
                s->path, x->line, x->id, is_pair ? x->side[1].n : x->side[0].n,
                is_pair ? "replies of the reference" : "replies",
                is_pair ? "and one of each side is" : "2 to 64 are");
    }
    return OK;
}

static enum status load(struct load_counts *out, struct db *db,
                        const struct load_config *c, const char *path,
                        bool is_gold, struct err *err)
{
    struct loading l = {.c = c};
    TRY(check_config(c, err));
    enum status status = load_set_read(&l.set, path, c->task, is_gold, err);
    if (status == OK)
        status = check_records(&l.set, err);
    l.counts.records = (int64_t)l.set.n;
    if (status == OK)
        status = db_transact(db, put, &l, err);
    if (status == OK)
        *out = l.counts;
    mem_free(l.unit);
    load_set_free(&l.set);
    arena_free(&l.arena);
    return status;
}

/* What a folder stands for: a file in it or, of a stage's, beside it. */
static enum status find(char out[FILE_PATH_MAX], const char *path,
                        enum pool_task task, struct err *err)
{
    static const char *const prefix[] = {"", "../"};
    bool is_pair = task == POOL_SPOTCHECK;
    const char *name =
        is_pair ? "eval/samples.jsonl" : "human/candidates.jsonl";
    char way[80];
    if (!file_is_dir(path)) {
        TRY(file_join(out, "", path, err));
        return OK;
    }
    for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++) {
        (void)snprintf(way, sizeof way, "%s%s", prefix[i], name);
        TRY(file_join(out, path, way, err));
        if (file_exists(out))
            return OK;
    }
    return err_set(err, ERR_MISSING, "%s: there is no %s in it%s", path, name,
                   is_pair ? "; plumb eval makes it" : "");
}

enum status load_file(struct load_counts *out, struct db *db,
                      const struct load_config *c, const char *path,
                      struct err *err)
{
    char file[FILE_PATH_MAX];
    TRY(find(file, path, c->task, err));
    return load(out, db, c, file, false, err);
}

enum status load_gold(struct load_counts *out, struct db *db,
                      const struct load_config *c, const char *path,
                      struct err *err)
{
    return load(out, db, c, path, true, err);
}
