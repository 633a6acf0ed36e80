/*
 * label_work.c - pools, the next items, an item, one's own history: all that a
 * judge sees, written from `struct blind` alone.
 */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "io/dialogue.h"
#include "serve/http_internal.h"
#include "serve/label_internal.h"
#include "store/assign.h"
#include "store/items.h"

#define WANT_FIRST 1
#define ENOUGH ((size_t)4 << 20) // bytes of items in one answer
#define GIST 200                 // characters of a prompt in the history
#define HISTORY 50               // when not told
#define HISTORY_MAX 500
#define CALM 20 // of time, one part for counting
#define LIST_MAX ((size_t)64 << 20)

/* An answer that a reading handler makes. */
struct page {
    struct label *label;
    int64_t judge, now;
    struct arena arena;
    struct buf out;
    struct json_writer w;
};

static void begin(struct page *p, struct label *label, struct http_request *r,
                  size_t max)
{
    *p = (struct page){
        .label = label, .judge = http_who(r)->judge.id, .now = http_now(r)};
    buf_init(&p->out, max);
    json_writer_init(&p->w, &p->out, false);
    json_open(&p->w, '{');
}

static void end(struct page *p, struct http_request *r, enum status status,
                const struct err *err)
{
    json_close(&p->w, '}');
    if (status == OK)
        http_reply_json(r, 200, &p->out);
    else
        http_reply_status(r, status, err);
    buf_free(&p->out);
    arena_free(&p->arena);
}

/* ---- items -------------------------------------------------------------- */

/* A lease that ran out is told so before anybody noted it. */
static void write_state(struct json_writer *w, enum assign_state state,
                        int64_t expires, int64_t now)
{
    if (state == ASSIGN_LEASED && expires <= now)
        state = ASSIGN_EXPIRED;
    json_field_text(w, "state", choice_word(&choice_state, (int)state));
}

enum status label_write_state(struct json_writer *w, struct db *db,
                              int64_t assignment, int64_t now, struct err *err)
{
    struct assignment x;
    int64_t last;
    TRY(assign_read(&x, db, assignment, err));
    TRY(votes_find_last(&last, db, assignment, err));
    json_field_int(w, "standing", last);
    write_state(w, x.state, x.expires, now);
    return OK;
}

/* A dialogue's roles and contents, and nothing else that its messages may
 * hold, whoever put them into the database. */
static enum status write_messages(struct json_writer *w, const char *text,
                                  struct err *err)
{
    struct json *list;
    struct dialogue d = {0};
    TRY(json_parse(&list, text, strlen(text), "messages", err));
    enum status status = dialogue_read(&d, list, "messages", err);
    if (status == OK) {
        json_put_key(w, "messages");
        dialogue_write(w, &d);
    }
    dialogue_free(&d);
    json_free(list);
    return status;
}

/* The members of an ITEM, into an object that is open. */
static enum status write_item(struct json_writer *w, const struct blind *b,
                              int64_t now, struct err *err)
{
    json_field_int(w, "assignment", b->assignment);
    json_field_int(w, "pool", b->pool_id);
    json_field_text(w, "task", choice_word(&choice_task, (int)b->task));
    json_field_text(w, "prompt", b->prompt);
    if (b->messages != NULL)
        TRY(write_messages(w, b->messages, err));
    json_put_key(w, "answers");
    json_open(w, '[');
    for (size_t s = 0; s < b->K; s++)
        json_put_text(w, b->text[s]);
    json_close(w, ']');
    json_field_text(w, "commitment", b->commitment);
    json_field_int(w, "expires", b->expires);
    write_state(w, b->state, b->expires, now);
    json_field_int(w, "standing", b->standing);
    return OK;
}

/* ---- the next ones ------------------------------------------------------ */

/* The texts are read in the write that hands them out: what is answered is of
 * the moment that is committed. */
static enum status next(struct label_job *job, struct db *db, struct err *err)
{
    int64_t id[ASSIGN_HELD_MAX];
    int64_t met = 0;
    size_t n = 0;
    struct arena a = {0};
    struct json_writer w;
    enum status status =
        assign_next(id, &n, job->want, db, job->actor, job->id, job->now, err);
    if (status == OK && n == 0)
        status = assign_count_met(&met, db, job->actor, job->id, err);
    json_writer_init(&w, &job->out, false);
    json_open(&w, '{');
    json_field_int(&w, "now", job->now);
    json_put_key(&w, "items");
    json_open(&w, '[');
    /* Those that are too much for one answer come with the next. */
    for (size_t i = 0; status == OK && i < n && job->out.len < ENOUGH; i++) {
        struct blind b;
        status = assign_blind(&b, &a, db, job->actor, id[i], err);
        if (status != OK)
            break;
        json_open(&w, '{');
        status = write_item(&w, &b, job->now, err);
        json_close(&w, '}');
        arena_reset(&a);
    }
    json_close(&w, ']');
    json_field_bool(&w, "done", n == 0);
    if (n == 0)
        json_field_int(&w, "met", met);
    json_close(&w, '}');
    arena_free(&a);
    return status == OK ? buf_status(&job->out, err) : status;
}

static enum status read_want(struct label_job *job, const struct json *body,
                             struct err *err)
{
    int64_t want = WANT_FIRST;
    TRY(label_check_members(body, "want", err));
    TRY(label_take_int(&want, body, "want", 1, ASSIGN_HELD_MAX, err));
    job->want = (size_t)want;
    return OK;
}

void label_next(struct label *label, struct http_request *r)
{
    struct err err = {OK, ""};
    struct label_job *job = label_job_new(label, r);
    if (job == NULL)
        return;
    enum status status = read_want(job, http_body(r), &err);
    if (status == OK)
        label_job_queue(job, next);
    else
        label_job_refuse(job, status, &err);
}

/* ---- pools -------------------------------------------------------------- */

static struct label_tally *find_tally(struct label *label, int64_t pool)
{
    for (size_t i = 0; i < label->n_tally; i++)
        if (label->tally[i].pool == pool)
            return &label->tally[i];
    struct label_tally *more = mem_grow(label->tally, label->n_tally,
                                        label->n_tally + 1, sizeof *more);
    if (more == NULL)
        return NULL;
    label->tally = more;
    more[label->n_tally] = (struct label_tally){.pool = pool};
    return &more[label->n_tally++];
}

/* Counting costs the server's thread at most a CALM-th of its time: what took
 * long is not counted again at once, however many ask. */
static enum status count_pool(struct progress_brief *out, struct label *label,
                              int64_t pool, struct err *err)
{
    struct label_tally *t = find_tally(label, pool);
    int64_t began = http_tick();
    if (t == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for counts");
    if (began >= t->until) {
        TRY(progress_brief(&t->brief, label->db, pool, err));
        int64_t end = http_tick();
        t->until = end + (CALM - 1) * (end - began);
    }
    *out = t->brief;
    return OK;
}

static enum status write_pool(void *ctx, int64_t id, struct err *err)
{
    struct page *p = ctx;
    struct pool pool;
    struct progress_brief all;
    struct progress_judge mine;
    struct db *db = p->label->db;
    TRY(items_read_pool(&pool, &p->arena, db, id, err));
    TRY(count_pool(&all, p->label, id, err));
    TRY(progress_judge(&mine, db, p->judge, id, p->now, err));
    json_open(&p->w, '{');
    json_field_int(&p->w, "pool", pool.id);
    json_field_text(&p->w, "name", pool.name);
    json_field_text(&p->w, "task", choice_word(&choice_task, (int)pool.task));
    json_field_text(&p->w, "guide", pool.guide);
    json_field_bool(&p->w, "closed", pool.closed != 0);
    json_put_key(&p->w, "mine");
    json_open(&p->w, '{');
    json_field_int(&p->w, "voted", mine.voted);
    json_field_int(&p->w, "skipped", mine.skipped);
    json_close(&p->w, '}');
    json_field_int(&p->w, "votes", all.votes);
    json_field_int(&p->w, "wanted", all.open);
    json_close(&p->w, '}');
    return OK;
}

void label_pools(struct label *label, struct http_request *r)
{
    struct err err = {OK, ""};
    struct page p;
    begin(&p, label, r, LIST_MAX);
    json_field_int(&p.w, "now", p.now);
    json_put_key(&p.w, "pools");
    json_open(&p.w, '[');
    enum status status = items_walk_pools(label->db, write_pool, &p, &err);
    json_close(&p.w, ']');
    end(&p, r, status, &err);
}

/* ---- one item, with what I said ----------------------------------------- */

static void write_marks(struct json_writer *w, const struct vote_marks *m)
{
    json_open(w, '{');
    if (m->helpful >= 0)
        json_field_int(w, "helpful", m->helpful);
    if (m->direct >= 0)
        json_field_int(w, "direct", m->direct);
    if (m->correct != VOTE_CORRECT_NONE)
        json_field_text(w, "correct",
                        choice_word(&choice_correct, (int)m->correct));
    if (m->length != VOTE_LENGTH_NONE)
        json_field_text(w, "length",
                        choice_word(&choice_length, (int)m->length));
    json_close(w, '}');
}

static void write_said(struct json_writer *w, const struct vote *v)
{
    if (v->K > 0)
        json_field_ints(w, "ranks", v->rank, v->K);
    if (v->strength > 0)
        json_field_int(w, "strength", v->strength);
    if (v->overall == VOTE_OVERALL_NONE)
        return;
    json_field_text(w, "overall",
                    choice_word(&choice_overall, (int)v->overall));
    json_put_key(w, "marks");
    json_open(w, '[');
    write_marks(w, &v->marks[0]);
    write_marks(w, &v->marks[1]);
    json_close(w, ']');
}

static enum status write_act(void *ctx, int64_t id, struct err *err)
{
    struct page *p = ctx;
    struct vote v;
    TRY(votes_read(&v, &p->arena, p->label->db, id, err));
    json_open(&p->w, '{');
    json_field_int(&p->w, "id", v.id);
    json_field_text(&p->w, "key", v.key);
    json_field_text(&p->w, "act", choice_word(&choice_act, (int)v.act));
    json_field_int(&p->w, "supersedes", v.supersedes);
    write_said(&p->w, &v);
    if (v.reason != NULL)
        json_field_text(&p->w, "reason", v.reason);
    json_field_text(&p->w, "render",
                    choice_word(&choice_render, (int)v.render));
    json_field_int(&p->w, "shown_at", v.shown);
    json_field_int(&p->w, "voted_at", v.voted);
    json_close(&p->w, '}');
    return OK;
}

static enum status write_remark(void *ctx, int64_t id, struct err *err)
{
    struct page *p = ctx;
    struct remark m;
    TRY(votes_read_remark(&m, &p->arena, p->label->db, id, err));
    json_open(&p->w, '{');
    json_field_int(&p->w, "remark", m.id);
    json_field_text(&p->w, "kind", choice_word(&choice_remark, (int)m.kind));
    json_field_text(&p->w, "text", m.text);
    json_field_int(&p->w, "at", m.at);
    json_close(&p->w, '}');
    return OK;
}

/* Runs on what the database holds at one moment. */
struct asked {
    struct page *page;
    int64_t assignment;
};

static enum status write_whole(struct db *db, void *ctx, struct err *err)
{
    struct asked *q = ctx;
    struct page *p = q->page;
    struct blind b;
    TRY(assign_blind(&b, &p->arena, db, p->judge, q->assignment, err));
    TRY(write_item(&p->w, &b, p->now, err));
    json_put_key(&p->w, "acts");
    json_open(&p->w, '[');
    TRY(votes_walk(db, q->assignment, write_act, p, err));
    json_close(&p->w, ']');
    json_put_key(&p->w, "remarks");
    json_open(&p->w, '[');
    TRY(votes_walk_remarks(db, q->assignment, write_remark, p, err));
    json_close(&p->w, ']');
    return OK;
}

void label_item(struct label *label, struct http_request *r)
{
    struct err err = {OK, ""};
    struct page p;
    struct asked q = {&p, http_arg_int(r, 0)};
    begin(&p, label, r, LABEL_OUT_MAX);
    enum status status = db_snapshot(label->db, write_whole, &q, &err);
    end(&p, r, status, &err);
}

/* ---- history ------------------------------------------------------------ */

/* The first GIST characters of a prompt. */
static size_t gist(const char *text)
{
    size_t len = strlen(text), at = 0;
    for (int i = 0; i < GIST && at < len; i++) {
        size_t n = utf8_length(text + at, len - at, NULL);
        at += n > 0 ? n : 1;
    }
    return at;
}

static enum status write_past(void *ctx, int64_t assignment, struct err *err)
{
    struct page *p = ctx;
    struct blind b;
    struct vote last;
    struct db *db = p->label->db;
    arena_reset(&p->arena);
    TRY(assign_blind(&b, &p->arena, db, p->judge, assignment, err));
    TRY(votes_read(&last, &p->arena, db, b.standing, err));
    json_open(&p->w, '{');
    json_field_int(&p->w, "assignment", b.assignment);
    json_field_int(&p->w, "pool", b.pool_id);
    json_field_text(&p->w, "task", choice_word(&choice_task, (int)b.task));
    json_put_key(&p->w, "prompt");
    json_put_text_len(&p->w, b.prompt, gist(b.prompt));
    json_field_text(&p->w, "act", choice_word(&choice_act, (int)last.act));
    json_field_int(&p->w, "at", last.voted);
    json_field_int(&p->w, "standing", b.standing);
    write_state(&p->w, b.state, b.expires, p->now);
    json_close(&p->w, '}');
    return OK;
}

/* "max" of the query: 1 to HISTORY_MAX in digits. */
static enum status read_max(int64_t *out, const char *text, struct err *err)
{
    int64_t x = 0;
    for (const char *s = text; s != NULL && *s != '\0'; s++) {
        if (*s < '0' || *s > '9' || x > HISTORY_MAX)
            x = HISTORY_MAX;
        x = x * 10 + (*s - '0');
    }
    if (text != NULL && (x < 1 || x > HISTORY_MAX))
        return err_set(err, ERR_ARG,
                       "'max' must be a whole number from 1 to %d",
                       HISTORY_MAX);
    *out = text != NULL ? x : HISTORY;
    return OK;
}

void label_history(struct label *label, struct http_request *r)
{
    struct err err = {OK, ""};
    struct page p;
    int64_t max = 0;
    enum status status = read_max(&max, http_query(r, "max"), &err);
    begin(&p, label, r, LIST_MAX);
    json_put_key(&p.w, "items");
    json_open(&p.w, '[');
    if (status == OK)
        status =
            votes_walk_recent(label->db, p.judge, max, write_past, &p, &err);
    json_close(&p.w, ']');
    end(&p, r, status, &err);
}
