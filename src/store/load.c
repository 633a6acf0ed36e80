#include "store/load.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "store/load_set.h"

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
    struct load_pool was;
    struct arena arena; // the pool's texts
    uint64_t seed;
    struct unit *unit; // [n]
    size_t n, room;
    struct load_counts counts;
    char file[FILE_PATH_MAX];
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

/* What may have been otherwise when the pool was loaded first. */
static void explain(char *out, size_t size, const struct loading *l)
{
    if (l->was.pairs > 0 && !l->set.is_gold)
        (void)snprintf(out, size,
                       "; it holds %lld pairs, %lld of them placebo: give the "
                       "--pairs and --placebo of the first load again, or "
                       "another --pool",
                       (long long)l->was.pairs, (long long)l->was.placebos);
    else
        (void)snprintf(out, size,
                       "; the file is not the one of the first load, or --%s "
                       "is not: give the same again, or another --pool",
                       l->set.is_gold ? "gold" : "pairs");
}

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
    char why[200] = "";
    if (status == ERR_MISMATCH)
        explain(why, sizeof why, l);
    return err_set(err, status == ERR_ARG ? ERR_FORMAT : status, "%s:%zu: %s%s",
                   l->set.path, x->line, own.text, why);
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

/* ---- all of it ---------------------------------------------------------- */

static enum status put(struct db *db, void *ctx, struct err *err)
{
    struct loading *l = ctx;
    struct project project;
    bool is_pair = l->set.task == POOL_SPOTCHECK && !l->set.is_gold;
    TRY(project_read(&project, db, err));
    l->seed = project.seed;
    TRY(load_pool_find(&l->pool, &l->was, &l->arena, db, l->c, err));
    TRY(is_pair ? plan_pairs(l, err) : plan_sets(l, err));
    for (size_t i = 0; i < l->n; i++)
        TRY(add_unit(l, db, &l->unit[i], err));
    TRY(load_pool_check_forms(&l->pool, db, l->set.path, err));
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

/* Read and look through before anything is written. */
static enum status read_one(struct loading *l, const struct load_config *c,
                            const char *path, bool is_gold, struct err *err)
{
    l->c = c;
    if (is_gold)
        TRY(file_join(l->file, "", path, err));
    else
        TRY(load_set_find(l->file, path, c->task, err));
    enum status status = load_set_read(&l->set, l->file, c->task, is_gold, err);
    l->counts.records = (int64_t)l->set.n;
    return status;
}

static void add_counts(struct load_counts *to, const struct load_counts *from)
{
    to->records += from->records;
    to->normal += from->normal;
    to->placebo += from->placebo;
    to->repeats += from->repeats;
    to->identical += from->identical;
    to->gold += from->gold;
    to->is_new += from->is_new;
    to->pairs_wanted += from->pairs_wanted;
    to->placebo_wanted += from->placebo_wanted;
}

/* All files of a call. */
struct batch {
    struct loading *file; // [n]
    size_t n;
};

static enum status put_all(struct db *db, void *ctx, struct err *err)
{
    const struct batch *b = ctx;
    for (size_t i = 0; i < b->n; i++)
        TRY(put(db, &b->file[i], err));
    return OK;
}

static void free_all(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        mem_free(b->file[i].unit);
        load_set_free(&b->file[i].set);
        arena_free(&b->file[i].arena);
    }
    mem_free(b->file);
}

enum status load_all(struct load_counts *out, struct db *db,
                     const struct load_config *c, const char *const *path,
                     size_t n, const char *gold, struct err *err)
{
    struct batch b = {.n = n + (gold != NULL)};
    struct load_counts sum = {0};
    enum status status = OK;
    TRY(check_config(c, err));
    TRY(MEM_NEW(b.file, b.n, err));
    for (size_t i = 0; i < b.n; i++)
        TRY_DONE(read_one(&b.file[i], c, i < n ? path[i] : gold, i == n, err));
    TRY_DONE(db_transact(db, put_all, &b, err));
    for (size_t i = 0; i < b.n; i++)
        add_counts(&sum, &b.file[i].counts);
    *out = sum;
done:
    free_all(&b);
    return status;
}

enum status load_file(struct load_counts *out, struct db *db,
                      const struct load_config *c, const char *path,
                      struct err *err)
{
    return load_all(out, db, c, &path, 1, NULL, err);
}

enum status load_gold(struct load_counts *out, struct db *db,
                      const struct load_config *c, const char *path,
                      struct err *err)
{
    return load_all(out, db, c, NULL, 0, path, err);
}
