#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/labelling.h"
#include "cli/reach.h"
#include "cli/terminal.h"
#include "serve/auth.h"
#include "store/audit.h"
#include "store/items.h"
#include "store/progress.h"

#define TEXT_MAX ((size_t)16 << 20)

static enum status print_json(struct json_writer *w, struct err *err)
{
    json_close(w, '}');
    buf_putc(w->out, '\n');
    return terminal_print(w->out, err);
}

/* ---- people ------------------------------------------------------------- */

static enum status need_name(const struct options *o, struct err *err)
{
    return o->v.label.name != NULL
               ? OK
               : err_set(err, ERR_ARG, "name is not set: --name ada");
}

/* In the order of the choices of label.role. */
static const enum judge_role roles[] = {JUDGE_ADMIN, JUDGE_JUDGE, JUDGE_VIEWER};

/* Where the server is reached. */
static enum status find_url(struct buf *out, const struct options *o,
                            struct err *err)
{
    const struct label_values *v = &o->v.label;
    char own[40];
    struct reach r;
    struct terminal t;
    struct context context;
    TRY(reach_read(&r, o, "label.host", v->url, NULL, v->tls, err));
    (void)snprintf(own, sizeof own, "http://127.0.0.1:%lld",
                   (long long)v->port);
    reach_put(out, &r, own, (unsigned)v->port);
    labelling_context(&context, &t, o);
    reach_hint(&r, &context);
    return buf_status(out, err);
}

/* A new judge, or a new link for one who is there. */
static enum status invite_or_renew(char token[AUTH_TOKEN_TEXT],
                                   const struct options *o, struct db *db,
                                   bool *is_new, struct err *err)
{
    const struct label_values *v = &o->v.label;
    enum judge_role role = roles[v->role];
    enum auth_kind kind = v->once ? AUTH_ONCE : AUTH_REUSABLE;
    struct judge j;
    int64_t id;
    enum status status = judges_find(&j, db, v->name, err);
    *is_new = status == ERR_MISSING;
    if (*is_new)
        return auth_invite(token, &id, db, v->name, role, kind, 0,
                           labelling_now(), err);
    TRY(status);
    if (j.revoked != 0)
        return err_set(err, ERR_MISMATCH,
                       "'%.100s' was revoked; invite by another name", v->name);
    if (j.role != role)
        return err_set(err, ERR_MISMATCH,
                       "'%.100s' is there as %s: --role %s makes a new link",
                       v->name, choice_word(&choice_role, (int)j.role),
                       choice_word(&choice_role, (int)j.role));
    return auth_renew(token, db, j.id, kind, 0, labelling_now(), err);
}

static enum status invite(const struct options *o, struct db *db,
                          struct err *err)
{
    char token[AUTH_TOKEN_TEXT], link[AUTH_LINK_TEXT];
    struct buf url, out;
    struct json_writer w;
    bool is_new = true;
    enum status status = OK;
    TRY(need_name(o, err));
    buf_init(&url, AUTH_LINK_TEXT);
    buf_init(&out, TEXT_MAX);
    TRY_DONE(find_url(&url, o, err));
    /* Whether the link fits is known before anybody's old one is ended. */
    memset(token, 'x', sizeof token - 1);
    token[sizeof token - 1] = '\0';
    TRY_DONE(auth_link(link, buf_text(&url), token, err));
    TRY_DONE(invite_or_renew(token, o, db, &is_new, err));
    TRY_DONE(auth_link(link, buf_text(&url), token, err));
    if (o->v.common.json) {
        labelling_begin_json(&w, &out, "invite");
        json_field_text(&w, "name", o->v.label.name);
        json_field_text(&w, "role",
                        choice_word(&choice_role, (int)roles[o->v.label.role]));
        json_field_bool(&w, "is_new", is_new);
        json_field_text(&w, "token", token);
        json_field_text(&w, "link", link);
        status = print_json(&w, err);
    } else {
        buf_printf(&out, "%s\n", link);
        status = terminal_print(&out, err);
    }
done:
    buf_free(&url);
    buf_free(&out);
    return status;
}

/* Without an administrator nobody is let in from the page. */
static enum status revoke_named(struct db *db, void *ctx, struct err *err)
{
    const struct label_values *v = ctx;
    struct judge j;
    int64_t admins;
    TRY(judges_find(&j, db, v->name, err));
    TRY(judges_admins(&admins, db, err));
    if (!v->force && j.role == JUDGE_ADMIN && j.revoked == 0 && admins == 1)
        return err_set(err, ERR_ARG,
                       "'%.100s' is the last administrator: invite another "
                       "one first, or take --force",
                       v->name);
    return judges_revoke(db, j.id, 0, labelling_now(), err);
}

static enum status revoke(const struct options *o, struct db *db,
                          struct err *err)
{
    struct label_values v = o->v.label;
    struct buf out;
    struct json_writer w;
    TRY(need_name(o, err));
    TRY(db_transact(db, revoke_named, &v, err));
    if (!o->v.common.json)
        return OK;
    buf_init(&out, TEXT_MAX);
    labelling_begin_json(&w, &out, "revoke");
    json_field_text(&w, "name", o->v.label.name);
    enum status status = print_json(&w, err);
    buf_free(&out);
    return status;
}

/* ---- lists -------------------------------------------------------------- */

/* A list that is printed, as JSON or as text. */
struct listing {
    struct db *db;
    bool is_json;
    struct buf out;
    struct json_writer w;
};

static enum status list_judge(void *ctx, const struct judge *j, struct err *err)
{
    struct listing *l = ctx;
    const char *role = choice_word(&choice_role, (int)j->role);
    (void)err;
    if (!l->is_json) {
        buf_printf(&l->out, "%-24s %-7s%s\n", j->name, role,
                   j->revoked != 0 ? " revoked"
                   : !j->has_token ? " without a link"
                                   : "");
        return OK;
    }
    json_open(&l->w, '{');
    json_field_int(&l->w, "judge", j->id);
    json_field_text(&l->w, "name", j->name);
    json_field_text(&l->w, "role", role);
    json_field_int(&l->w, "revoked", j->revoked);
    json_field_bool(&l->w, "has_token", j->has_token);
    json_field_int(&l->w, "created", j->created);
    json_close(&l->w, '}');
    return OK;
}

static enum status list_pool(void *ctx, int64_t id, struct err *err)
{
    struct listing *l = ctx;
    struct arena a = {0};
    struct pool pool;
    struct progress p;
    enum status status = items_read_pool(&pool, &a, l->db, id, err);
    if (status == OK)
        status = progress_pool(&p, l->db, id, labelling_now(), err);
    if (status != OK) {
        arena_free(&a);
        return status;
    }
    if (l->is_json) {
        json_open(&l->w, '{');
        json_field_int(&l->w, "pool", pool.id);
        json_field_text(&l->w, "name", pool.name);
        json_field_text(&l->w, "task",
                        choice_word(&choice_task, (int)pool.task));
        json_field_int(&l->w, "overlap", pool.overlap);
        json_field_bool(&l->w, "closed", pool.closed != 0);
        json_field_int(&l->w, "items", p.items);
        json_field_int(&l->w, "complete", p.complete);
        json_field_int(&l->w, "begun", p.begun);
        json_field_int(&l->w, "votes", p.votes);
        json_field_int(&l->w, "wanted", p.wanted);
        json_field_int(&l->w, "held", p.held);
        json_field_int(&l->w, "skipped", p.skipped);
        json_field_int(&l->w, "repeats", p.repeats);
        json_field_int(&l->w, "repeats_voted", p.repeats_voted);
        json_field_int(&l->w, "flags", p.flags);
        json_close(&l->w, '}');
    } else {
        buf_printf(&l->out,
                   "%s (%s%s): %lld of %lld items complete, %lld begun; "
                   "%lld votes, %lld wanted; %lld held, %lld skipped, %lld "
                   "flagged\n",
                   pool.name, choice_word(&choice_task, (int)pool.task),
                   pool.closed != 0 ? ", closed" : "", (long long)p.complete,
                   (long long)p.items, (long long)p.begun, (long long)p.votes,
                   (long long)p.wanted, (long long)p.held, (long long)p.skipped,
                   (long long)p.flags);
    }
    arena_free(&a);
    return OK;
}

static void begin_list(struct listing *l, const struct options *o,
                       struct db *db, const char *word, const char *what)
{
    l->db = db;
    l->is_json = o->v.common.json;
    buf_init(&l->out, TEXT_MAX);
    if (!l->is_json)
        return;
    labelling_begin_json(&l->w, &l->out, word);
    json_put_key(&l->w, what);
    json_open(&l->w, '[');
}

static enum status end_list(struct listing *l, enum status status,
                            struct err *err)
{
    if (status == OK && l->is_json) {
        json_close(&l->w, ']');
        status = print_json(&l->w, err);
    } else if (status == OK) {
        status = terminal_print(&l->out, err);
    }
    buf_free(&l->out);
    return status;
}

static enum status judges(const struct options *o, struct db *db,
                          struct err *err)
{
    struct listing l;
    begin_list(&l, o, db, "judges", "judges");
    return end_list(&l, judges_walk(db, list_judge, &l, err), err);
}

static enum status progress(const struct options *o, struct db *db,
                            struct err *err)
{
    struct listing l;
    begin_list(&l, o, db, "progress", "pools");
    return end_list(&l, items_walk_pools(db, list_pool, &l, err), err);
}

/* ---- audit -------------------------------------------------------------- */

static enum status audit(const struct options *o, struct db *db,
                         struct err *err)
{
    struct audit_report r;
    struct buf out;
    struct json_writer w;
    enum status status;
    TRY(audit_verify(&r, db, err));
    buf_init(&out, TEXT_MAX);
    if (o->v.common.json) {
        labelling_begin_json(&w, &out, "audit");
        json_field_int(&w, "events", r.events);
        json_field_int(&w, "items", r.items);
        json_field_int(&w, "orders", r.orders);
        json_field_int(&w, "votes", r.votes);
        json_field_int(&w, "remarks", r.remarks);
        json_field_text(&w, "head", r.head);
        status = print_json(&w, err);
    } else {
        buf_printf(&out,
                   "%lld events, %lld items, %lld blind orders, %lld votes, "
                   "%lld remarks: all as they were sealed\n"
                   "note this down: %s\n",
                   (long long)r.events, (long long)r.items, (long long)r.orders,
                   (long long)r.votes, (long long)r.remarks, r.head);
        status = terminal_print(&out, err);
    }
    buf_free(&out);
    return status;
}

/* ---- the command -------------------------------------------------------- */

/* A sub-word takes PROJECT.db and then `min` to `max` words. */
static const struct subword {
    const char *name;
    size_t min, max;
    enum db_mode mode;
    labelling_fn run;
} words[] = {
    {"load", 1, OPTION_OPERANDS - 2, DB_CREATE, labelling_load},
    {"invite", 0, 0, DB_WRITE, invite},
    {"revoke", 0, 0, DB_WRITE, revoke},
    {"judges", 0, 0, DB_READ, judges},
    {"progress", 0, 0, DB_READ, progress},
    {"standing", 0, 0, DB_READ, labelling_standing},
    {"audit", 0, 0, DB_READ, audit},
    {"export", 0, 0, DB_WRITE, labelling_export},
    {"restore", 1, 1, DB_CREATE, labelling_restore},
    {"choose", 0, 0, DB_WRITE, labelling_choose},
};

static const struct subword serving = {"", 0, 0, DB_CREATE, labelling_serve};

static const struct subword *find_word(const char *name)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].name, name) == 0)
            return &words[i];
    return NULL;
}

static enum status refuse_word(const char *name, struct err *err)
{
    char list[200] = "";
    size_t len = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words && len < sizeof list;
         i++)
        len += (size_t)snprintf(list + len, sizeof list - len, "%s%s",
                                i > 0 ? ", " : "", words[i].name);
    return err_set(err, ERR_ARG,
                   "plumb label %.40s: no such word; there are %s", name, list);
}

/* Nothing is made of a misspelt sub-word. */
static enum status check_words(const struct options *o,
                               const struct subword *word, struct err *err)
{
    size_t first = word == &serving ? 1 : 2;
    /* Replies are drawn in place of a file. */
    bool needs_file = word->min > 0 && o->v.label.policy == NULL;
    if (word == &serving && o->n_operands > 1)
        return refuse_word(o->operand[0], err);
    if (o->n_operands < first + (needs_file ? word->min : 0))
        return err_set(err, ERR_ARG, "plumb label %s wants PROJECT.db%s",
                       word->name,
                       needs_file ? " and FILE, or --policy RUN" : "");
    if (o->n_operands > first + word->max)
        return err_set(err, ERR_ARG, "'%.80s' is one argument too many",
                       o->operand[first + word->max]);
    return OK;
}

enum status cmd_label(struct options *o, struct err *err)
{
    struct db *db;
    const struct subword *word = find_word(o->operand[0]);
    if (word == NULL)
        word = &serving;
    TRY(check_words(o, word, err));
    const struct project_new made = {.seed = (uint64_t)o->v.common.seed,
                                     .now = labelling_now()};
    const char *path = o->operand[word == &serving ? 0 : 1];
    /* An export leaves a trace where it can. */
    bool is_still = word->run == labelling_export && file_exists(path) &&
                    !db_can_write(path);
    TRY(project_open(&db, path, is_still ? DB_READ : word->mode, &made, err));
    enum status status = word->run(o, db, err);
    if (status == OK)
        db_close(db);
    else
        project_abandon(db);
    return status;
}
