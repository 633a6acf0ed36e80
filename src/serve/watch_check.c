#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/names.h"
#include "io/run.h"
#include "serve/http_internal.h"
#include "serve/watch_internal.h"
#include "serve/watch_row.h"
#include "store/items.h"
#include "store/slices.h"

#define SETTINGS_MAX ((size_t)1 << 20)
#define LEASE ((int64_t)15 * 60 * 1000)

/* Two replies of one prompt side by side: which of the two is the policy's is
 * told to nobody. */
static const char guide[] =
    "Two answers to one message. Which one would you rather have been given? "
    "Then say of each how helpful and how direct it is, whether what it says "
    "is correct, and whether its length is right.";

/* Replies of the reference to one prompt that are looked at. */
#define REFERENCES 8

/* A prompt's replies; texts live in the arena, NULL: there is none.  Those of
 * the reference differ in text. */
struct pair {
    const char *prompt_id, *prompt;
    struct candidate policy, reference[REFERENCES];
    size_t n;       // of the reference's
    uint64_t order; // by which prompts are chosen
};

struct slice {
    struct watch *w;
    struct arena arena;
    struct names prompts;
    struct pair *pair;
    size_t n, room;
    int64_t step;
    struct watch_row_reader reader;
};

/* ---- replies ------------------------------------------------------------ */

/* The text that a JSON string stands for, in the arena. */
static enum status copy_text(const char **out, struct arena *a,
                             const struct scan_slice *raw, struct err *err)
{
    char *text;
    if (raw->text == NULL)
        return OK;
    struct scan_slice inner = {raw->text + 1, raw->len - 2, false};
    inner.is_escaped = memchr(inner.text, '\\', inner.len) != NULL;
    TRY(ARENA_NEW(a, text, inner.len + 1, err));
    (void)scan_slice_copy(text, &inner);
    *out = text;
    return OK;
}

static enum status find_pair(struct pair **out, struct slice *s,
                             const char *prompt_id, struct err *err)
{
    size_t i, before = s->prompts.n;
    TRY(names_add(&s->prompts, &i, prompt_id, err));
    if (i == before) {
        TRY(MEM_ROOM(s->pair, s->n, s->room, err));
        s->pair[s->n++] = (struct pair){.prompt_id = prompt_id};
    }
    *out = &s->pair[i];
    return OK;
}

static enum status fill(struct candidate *c, struct slice *s,
                        const struct watch_row *r, const char *source,
                        int64_t step, struct err *err)
{
    if (c->text != NULL)
        return OK;
    *c = (struct candidate){
        .source = source,
        .step = step,
        .sample = r->sample,
        .tokens = isnan(r->tokens) ? -1 : (int64_t)r->tokens,
        .score = isnan(r->score) ? r->score_raw : r->score,
        .finish = watch_row_text_is(&r->finish, "eos")      ? "eos"
                  : watch_row_text_is(&r->finish, "length") ? "length"
                                                            : NULL};
    return copy_text(&c->text, &s->arena, &r->response, err);
}

static enum status take_row(struct slice *s, const struct watch_row *r,
                            bool has_policy, struct err *err)
{
    const char *id = NULL;
    struct pair *p;
    TRY(copy_text(&id, &s->arena, &r->prompt_id, err));
    TRY(find_pair(&p, s, id, err));
    if (p->prompt == NULL)
        TRY(copy_text(&p->prompt, &s->arena, &r->prompt, err));
    if (has_policy && watch_row_text_is(&r->which, "policy"))
        return fill(&p->policy, s, r, "policy", s->step, err);
    if (!watch_row_text_is(&r->which, "reference") || p->n == REFERENCES)
        return OK;
    struct candidate *last = &p->reference[p->n];
    TRY(fill(last, s, r, "reference", 0, err));
    bool is_new = last->text != NULL;
    for (size_t i = 0; is_new && i < p->n; i++)
        is_new = strcmp(p->reference[i].text, last->text) != 0;
    p->n += is_new;
    if (!is_new)
        *last = (struct candidate){.text = NULL};
    return OK;
}

static enum status take_file(struct slice *s, const char *path, bool has_policy,
                             struct err *err)
{
    const char *line;
    size_t len;
    TRY(watch_source_hold_file(s->w, path, err));
    const char *at = buf_text(&s->w->held.text);
    const char *end = at + s->w->held.text.len;
    while (watch_source_line(&line, &len, &at, end)) {
        struct watch_row r;
        bool is_row;
        TRY(watch_row_read(&r, &is_row, &s->reader, line, len, err));
        if (is_row)
            TRY(take_row(s, &r, has_policy, err));
    }
    return OK;
}

/* ---- where they are ----------------------------------------------------- */

struct files {
    char newest[FILE_PATH_MAX], eval[FILE_PATH_MAX];
    int64_t step; // of the newest checkpoint's; -1
};

static enum status note_file(void *ctx, const char *name, int64_t step,
                             const char *path, struct err *err)
{
    struct files *f = ctx;
    if (strcmp(name, "eval") == 0)
        return file_join(f->eval, "", path, err);
    if (strncmp(name, "checkpoint-", 11) != 0 || step < f->step)
        return OK;
    f->step = step;
    return file_join(f->newest, "", path, err);
}

/* The iteration of the policy that was evaluated; -1 when nobody says. */
static int64_t evaluated_step(const struct watch_place *p)
{
    char path[FILE_PATH_MAX], run[FILE_PATH_MAX];
    struct json *settings = NULL;
    int64_t step = -1;
    if (file_join(path, p->project, "eval/settings.json", NULL) != OK ||
        json_read(&settings, path, SETTINGS_MAX, NULL) != OK)
        return -1;
    const char *policy = json_text(json_get(settings, "policy"), "");
    bool is_model = run_of_model(run, &step, policy);
    json_free(settings);
    return is_model ? step : -1;
}

/* The newest policy's replies: a checkpoint's where they were kept, else those
 * of the evaluation, which are the finished run's. */
static enum status gather(struct slice *s, const struct watch_place *p,
                          int64_t last, struct err *err)
{
    struct files f = {.step = -1};
    TRY(watch_source_walk(p, note_file, &f, err));
    if (f.eval[0] == '\0')
        return err_set(err, ERR_MISSING,
                       "no replies of the reference to compare with; plumb "
                       "eval %s --set eval.curve_samples=true makes them",
                       p->project[0] != '\0' ? p->project : p->path);
    int64_t evaluated = evaluated_step(p);
    bool has_checkpoint = f.newest[0] != '\0' && f.step > evaluated;
    s->step = has_checkpoint ? f.step : evaluated >= 0 ? evaluated : last;
    if (has_checkpoint)
        TRY(take_file(s, f.newest, true, err));
    return take_file(s, f.eval, !has_checkpoint, err);
}

/* ---- into the database -------------------------------------------------- */

struct adding {
    struct slice *slice;
    const char *run; // the absolute path
    char pool[SLICES_POOL];
    size_t pairs;
    int64_t now;
    struct watch_check *out;
};

/* A run's own, so that no other spot-check counts its pairs. */
static enum status need_pool(int64_t *id, struct db *db, const char *name,
                             int64_t now, struct err *err)
{
    struct arena a = {0};
    struct pool pool;
    struct err reason;
    enum status status = items_find_pool(&pool, &a, db, name, &reason);
    if (status == OK)
        *id = pool.id;
    arena_free(&a);
    if (status == OK && pool.task != POOL_SPOTCHECK)
        return err_set(err, ERR_MISMATCH, "the pool '%s' ranks", name);
    if (status == OK && pool.closed != 0)
        return err_set(err, ERR_MISMATCH, "the pool '%s' is closed", name);
    if (status != ERR_MISSING)
        return status == OK ? OK : err_set(err, status, "%s", reason.text);
    pool = (struct pool){.name = name,
                         .task = POOL_SPOTCHECK,
                         .overlap = 1,
                         .lease = LEASE,
                         .random_share = 1,
                         .guide = guide};
    return items_add_pool(id, db, &pool, 0, now, err);
}

/* Two replies to be compared; first is NULL where there are none. */
struct duel {
    const struct candidate *first, *reference;
};

static enum status add_item(struct adding *x, struct db *db, int64_t pool,
                            const struct pair *p, const struct duel *two,
                            bool is_placebo, struct err *err)
{
    char name[SLICES_NAME];
    bool is_new;
    int64_t id;
    slices_name(name, x->run, x->slice->step, is_placebo, p->prompt_id);
    struct candidate candidate[2] = {*two->first, *two->reference};
    if (is_placebo)
        candidate[0].source = "placebo";
    for (int i = 0; i < 2; i++)
        candidate[i].run = x->pool + sizeof "watch:";
    const struct item item = {.pool = pool,
                              .name = name,
                              .kind = is_placebo ? ITEM_PLACEBO : ITEM_NORMAL,
                              .arm = ITEM_RANDOM,
                              .prompt_id = p->prompt_id,
                              .prompt = p->prompt,
                              .candidate = candidate,
                              .n = 2};
    TRY(items_add(&id, &is_new, db, &item, 0, x->now, err));
    x->out->placebo += is_new && is_placebo;
    x->out->pairs += is_new && !is_placebo;
    return OK;
}

/* What of a prompt may be put side by side: replies that no item of the
 * database shows yet, or any. */
static enum status choose(struct duel *pair, struct duel *placebo,
                          struct db *db, const struct pair *p, bool any,
                          struct err *err)
{
    const struct candidate *fresh[REFERENCES];
    bool is_shown = false;
    size_t n = 0;
    *pair = *placebo = (struct duel){NULL, NULL};
    for (size_t i = 0; i < p->n; i++) {
        TRY(items_show(&is_shown, db, p->prompt, p->reference[i].text, err));
        if (!is_shown || any)
            fresh[n++] = &p->reference[i];
    }
    if (n >= 2)
        *placebo = (struct duel){fresh[1], fresh[0]};
    if (p->policy.text == NULL)
        return OK;
    TRY(items_show(&is_shown, db, p->prompt, p->policy.text, err));
    for (size_t i = 0; i < n && (!is_shown || any) && pair->first == NULL; i++)
        if (strcmp(fresh[i]->text, p->policy.text) != 0)
            *pair = (struct duel){&p->policy, fresh[i]};
    return OK;
}

/* Is a prompt's item there already, of an earlier wish? */
static enum status is_queued(bool *out, const struct adding *x, struct db *db,
                             int64_t pool, const struct pair *p,
                             bool is_placebo, struct err *err)
{
    char name[SLICES_NAME];
    int64_t id;
    struct err reason;
    slices_name(name, x->run, x->slice->step, is_placebo, p->prompt_id);
    enum status status = items_find(&id, db, pool, name, &reason);
    *out = status == OK;
    return status == OK || status == ERR_MISSING
               ? OK
               : err_set(err, status, "%s", reason.text);
}

/* What of a wish has been fulfilled. */
struct count {
    size_t pairs, placebo;
};

static enum status add_prompt(struct adding *x, struct count *n, struct db *db,
                              int64_t pool, const struct pair *p, bool any,
                              struct err *err)
{
    struct duel pair, placebo;
    bool has_pair, has_placebo;
    TRY(is_queued(&has_pair, x, db, pool, p, false, err));
    TRY(is_queued(&has_placebo, x, db, pool, p, true, err));
    n->pairs += has_pair;
    n->placebo += has_placebo;
    x->out->already += has_pair + has_placebo;
    if (has_pair || has_placebo)
        return OK;
    TRY(choose(&pair, &placebo, db, p, any, err));
    /* By turns, as far as there are any. */
    if (pair.first != NULL && n->pairs < x->pairs &&
        (n->pairs <= n->placebo || placebo.first == NULL ||
         n->placebo >= x->pairs)) {
        n->pairs++;
        return add_item(x, db, pool, p, &pair, false, err);
    }
    if (placebo.first == NULL || n->placebo >= x->pairs)
        return OK;
    n->placebo++;
    return add_item(x, db, pool, p, &placebo, true, err);
}

/*
 * Pairs and placebo of different prompts, so that nobody meets one twice, and
 * of replies that no earlier check shows: whoever met one of these is not
 * given it again.  With none left they are queued all the same, for others.
 */
static enum status add_items(struct db *db, void *ctx, struct err *err)
{
    struct adding *x = ctx;
    struct count n = {0, 0};
    int64_t pool;
    TRY(need_pool(&pool, db, x->pool, x->now, err));
    for (int any = 0; any < 2 && n.pairs == 0; any++) {
        n = (struct count){0, 0};
        x->out->already = 0;
        for (size_t i = 0; i < x->slice->n; i++) {
            const struct pair *p = &x->slice->pair[i];
            if (p->prompt != NULL && p->n > 0 &&
                project_check_name(p->prompt_id, "a prompt's id", NULL) == OK)
                TRY(add_prompt(x, &n, db, pool, p, any != 0, err));
        }
    }
    if (n.pairs == 0)
        return err_set(err, ERR_MISSING,
                       "no prompt has replies of both policy and reference "
                       "that differ");
    return OK;
}

/* Prompts in an order that has nothing to do with what was replied, another
 * one for each checkpoint, the same when asked again. */
static int by_order(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    return x->order < y->order ? -1 : x->order > y->order;
}

static void shuffle(struct slice *s)
{
    for (size_t i = 0; i < s->n; i++) {
        char text[PROJECT_NAME_MAX + 32];
        (void)snprintf(text, sizeof text, "%lld/%.200s", (long long)s->step,
                       s->pair[i].prompt_id);
        s->pair[i].order = names_hash(text);
        /* FNV's last bytes count little in its high bits. */
        s->pair[i].order *= 0x9E3779B97F4A7C15U;
        s->pair[i].order ^= s->pair[i].order >> 32;
    }
    if (s->n > 1)
        qsort(s->pair, s->n, sizeof *s->pair, by_order);
}

static int64_t wall_ms(const struct watch *w)
{
    return w->context != NULL ? (int64_t)(context_time(w->context) * 1000) : 0;
}

static enum status put(struct adding *x, const char *database, struct err *err)
{
    struct db *db = NULL;
    char dir[FILE_PATH_MAX];
    struct project_new made = {.now = x->now};
    made.seed = names_hash(x->run) >> 12;
    TRY(file_dirname(dir, database, err));
    /* A project's own; of one that was named, it would be a slip's. */
    if (x->slice->w->judgements[0] == '\0')
        TRY(file_make_dir(dir, err));
    TRY(project_open(&db, database, DB_CREATE, &made, err));
    enum status status = db_transact(db, add_items, x, err);
    db_close(db);
    return status;
}

enum status watch_check(struct watch_check *out, struct watch *w, int64_t run,
                        size_t pairs, struct err *err)
{
    struct watch_place p;
    struct slice s = {.w = w};
    struct watch_check done = {.pairs = 0};
    char whole[FILE_PATH_MAX];
    int64_t last = -1;
    enum status status = watch_source_place(&p, w, run, err);
    TRY(status);
    (void)pthread_mutex_lock(&w->lock);
    struct watch_run *r = watch_run_find(w, run);
    memcpy(whole, r->whole, sizeof whole);
    last = watch_run_step(r);
    if (r->stage == WATCH_PPO || r->iterations > 0)
        status = watch_judgements(done.database, w, r, err);
    else
        status = err_set(err, ERR_MISMATCH,
                         "%s trains no policy: there is nothing to compare "
                         "with the reference",
                         r->name);
    (void)pthread_mutex_unlock(&w->lock);
    struct adding x = {&s, whole, "", pairs, wall_ms(w), &done};
    slices_pool(x.pool, whole);
    TRY_DONE(status);
    TRY_DONE(gather(&s, &p, last, err));
    shuffle(&s);
    TRY_DONE(put(&x, done.database, err));
    done.step = s.step;
    *out = done;
    /* The alarm is asked about now. */
    (void)pthread_mutex_lock(&w->lock);
    r->judged = -1;
    w->judge_after = 0;
    (void)pthread_mutex_unlock(&w->lock);
done:
    watch_row_reader_free(&s.reader);
    names_free(&s.prompts);
    mem_free(s.pair);
    arena_free(&s.arena);
    return status;
}
