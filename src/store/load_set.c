#include "store/load_set.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "io/dialogue.h"
#include "io/jsonl.h"

/* ---- texts -------------------------------------------------------------- */

/* Messages of this file have no place in front: jsonl.h puts it there. */
static enum status bad(struct err *err, const char *what)
{
    return err_set(err, ERR_FORMAT, "%s", what);
}

static enum status keep(const char **out, struct load_set *s, const char *text,
                        size_t len, struct err *err)
{
    if (len > PROJECT_TEXT_MAX)
        return err_set(err, ERR_LIMIT, "a text of %zu bytes, %d at most", len,
                       PROJECT_TEXT_MAX);
    if (s->texts.used + len > LOAD_TEXT_MAX)
        return err_set(err, ERR_LIMIT, "more than %zu bytes of texts in a file",
                       LOAD_TEXT_MAX);
    return arena_text(out, &s->texts, text, len, err);
}

static enum status keep_buf(const char **out, struct load_set *s,
                            const struct buf *b, struct err *err)
{
    TRY(buf_status(b, err));
    return keep(out, s, buf_text(b), b->len, err);
}

/* An optional text member. */
static enum status keep_member(const char **out, struct load_set *s,
                               const struct json *row, const char *name,
                               struct err *err)
{
    const struct json *node = json_get(row, name);
    if (node == NULL || json_is_null(node))
        return OK;
    if (!json_is_string(node))
        return err_set(err, ERR_FORMAT, "\"%s\" is not a text", name);
    const char *text = json_text(node, "");
    return keep(out, s, text, strlen(text), err);
}

/* All members but those in `known`, as an object; NULL when there is none. */
static enum status keep_others(const char **out, struct load_set *s,
                               const struct json *row, const char *const *known,
                               struct err *err)
{
    struct buf text;
    struct json_writer w;
    bool has_some = false;
    buf_init(&text, PROJECT_TEXT_MAX);
    json_writer_init(&w, &text, false);
    json_open(&w, '{');
    for (const void *it = json_first(row); it != NULL;
         it = json_next(row, it)) {
        bool is_known = false;
        for (size_t i = 0; known[i] != NULL; i++)
            is_known |= strcmp(known[i], json_key(it)) == 0;
        if (is_known)
            continue;
        has_some = true;
        json_put_key(&w, json_key(it));
        json_put_node(&w, json_value(it));
    }
    json_close(&w, '}');
    enum status status = has_some ? keep_buf(out, s, &text, err) : OK;
    buf_free(&text);
    return status;
}

/* ---- replies ------------------------------------------------------------ */

static enum status add_reply(struct load_list *list, const struct candidate *c,
                             struct err *err)
{
    if (list->n == list->room) {
        size_t room = list->room > 0 ? 2 * list->room : 4;
        struct candidate *more =
            mem_grow(list->reply, list->room, room, sizeof *more);
        if (more == NULL)
            return err_set(err, ERR_MEMORY, "out of memory for replies");
        list->reply = more;
        list->room = room;
    }
    list->reply[list->n++] = *c;
    return OK;
}

static enum status read_count(int64_t *out, const struct json *row,
                              const char *name, struct err *err)
{
    const struct json *node = json_get(row, name);
    if (node == NULL || json_is_null(node))
        return OK;
    return json_need_int(out, row, name, 0, INT64_MAX, "a reply", err);
}

/* The members of a reply but its text and what is passed on. */
static enum status read_facts(struct candidate *c, struct load_set *s,
                              const struct json *row, struct err *err)
{
    const char *source = NULL;
    TRY(keep_member(&source, s, row, "source", err));
    if (source != NULL && s->task == POOL_RANKING && !s->is_gold)
        c->source = source;
    TRY(keep_member(&c->run, s, row, "run", err));
    TRY(keep_member(&c->finish, s, row, "finish", err));
    TRY(read_count(&c->step, row, "step", err));
    TRY(read_count(&c->sample, row, "sample", err));
    if (!json_is_array(json_get(row, "tokens")))
        TRY(read_count(&c->tokens, row, "tokens", err));
    return json_may_number(&c->score, row, "score", -HUGE_VAL, HUGE_VAL,
                           "a reply", err);
}

static enum status read_reply(struct load_set *s, struct load_list *list,
                              const struct json *node, const char *source,
                              struct err *err)
{
    static const char *const known[] = {"text",   "response", "source", "run",
                                        "step",   "sample",   "tokens", "score",
                                        "finish", NULL};
    struct candidate c = {.source = source,
                          .step = -1,
                          .sample = -1,
                          .tokens = -1,
                          .score = (double)NAN};
    if (json_is_string(node)) {
        const char *text = json_text(node, "");
        TRY(keep(&c.text, s, text, strlen(text), err));
        return add_reply(list, &c, err);
    }
    if (!json_is_object(node))
        return bad(err, "a reply is neither a text nor an object");
    TRY(keep_member(&c.text, s, node, "text", err));
    if (c.text == NULL)
        TRY(keep_member(&c.text, s, node, "response", err));
    if (c.text == NULL)
        return bad(err, "a reply has no \"text\"");
    TRY(read_facts(&c, s, node, err));
    TRY(keep_others(&c.extra, s, node, known, err));
    return add_reply(list, &c, err);
}

/* A reply, or a list of them. */
static enum status read_replies(struct load_set *s, struct load_list *list,
                                const struct json *node, const char *source,
                                struct err *err)
{
    if (node == NULL || json_is_null(node))
        return OK;
    if (!json_is_array(node))
        return read_reply(s, list, node, source, err);
    for (size_t i = 0; i < json_size(node); i++)
        TRY(read_reply(s, list, json_at(node, i), source, err));
    return OK;
}

/* ---- prompts ------------------------------------------------------------ */

/* A dialogue as people read it and as messages, with nothing else that may
 * stand in them. */
static enum status read_dialogue(struct load_record *x, struct load_set *s,
                                 const struct json *list, struct err *err)
{
    struct dialogue d = {0};
    struct buf text, json;
    struct json_writer w;
    buf_init(&text, PROJECT_TEXT_MAX);
    buf_init(&json, (size_t)8 * PROJECT_TEXT_MAX);
    enum status status = dialogue_read(&d, list, "messages", err);
    if (status == OK) {
        dialogue_print(&text, &d);
        json_writer_init(&w, &json, false);
        dialogue_write(&w, &d);
        status = keep_buf(&x->prompt, s, &text, err);
    }
    if (status == OK)
        status = keep_buf(&x->messages, s, &json, err);
    dialogue_free(&d);
    buf_free(&text);
    buf_free(&json);
    return status;
}

static enum status read_prompt(struct load_record *x, struct load_set *s,
                               const struct json *row, struct err *err)
{
    const struct json *prompt = json_get(row, "prompt");
    const struct json *messages = json_get(row, "messages");
    if (json_is_array(prompt))
        return read_dialogue(x, s, prompt, err);
    if (json_is_array(messages))
        TRY(read_dialogue(x, s, messages, err));
    TRY(keep_member(&x->prompt, s, row, "prompt", err));
    return x->prompt != NULL ? OK : bad(err, "there is no \"prompt\"");
}

static enum status read_id(const char **out, struct load_set *s,
                           const struct json *row, const char *name,
                           size_t line, struct err *err)
{
    const struct json *node = json_get(row, name);
    struct buf text;
    buf_init(&text, 4 * PROJECT_NAME_MAX);
    if (node == NULL || json_is_null(node))
        buf_printf(&text, "%zu", line);
    else if (json_is_string(node))
        buf_puts(&text, json_text(node, ""));
    else
        json_dump(&text, node);
    enum status status = keep_buf(out, s, &text, err);
    buf_free(&text);
    TRY(status);
    /* Room for what load.c puts behind a name. */
    if (strlen(*out) < 1 || strlen(*out) > PROJECT_NAME_MAX - 10)
        return err_set(err, ERR_FORMAT, "an id has 1 to %d bytes, not %zu",
                       PROJECT_NAME_MAX - 10, strlen(*out));
    return OK;
}

/* ---- records ------------------------------------------------------------ */

/* A new record of an id; NULL into *out when it is there already. */
static enum status add_record(struct load_record **out, struct load_set *s,
                              const char *id, size_t line, struct err *err)
{
    size_t index, before = s->ids.n;
    TRY(names_add(&s->ids, &index, id, err));
    *out = NULL;
    if (index < before)
        return OK;
    if (s->n >= LOAD_RECORDS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d records",
                       LOAD_RECORDS_MAX);
    TRY(MEM_ROOM(s->record, s->n, s->room, err));
    *out = &s->record[s->n++];
    **out =
        (struct load_record){.id = id, .line = line, .priority = (double)NAN};
    return OK;
}

/* What a row of `plumb eval` holds besides its reply's numbers. */
static enum status read_tags(const char **out, struct load_set *s,
                             const struct json *row, struct err *err)
{
    static const char *const passed[] = {"tags", "ticket"};
    struct buf text;
    struct json_writer w;
    bool has_some = false;
    buf_init(&text, PROJECT_TEXT_MAX);
    json_writer_init(&w, &text, false);
    json_open(&w, '{');
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++) {
        const struct json *node = json_get(row, passed[i]);
        if (node == NULL)
            continue;
        has_some = true;
        json_put_key(&w, passed[i]);
        json_put_node(&w, node);
    }
    json_close(&w, '}');
    enum status status = has_some ? keep_buf(out, s, &text, err) : OK;
    buf_free(&text);
    return status;
}

/* One reply to a prompt, of `plumb eval`. */
static enum status read_sample(struct load_set *s, const struct json *row,
                               size_t line, struct err *err)
{
    const char *which = json_text(json_get(row, "which"), "");
    bool is_policy = strcmp(which, "policy") == 0;
    const char *id = NULL;
    struct load_record *x;
    struct candidate c = {.source = is_policy ? "policy" : "reference",
                          .step = -1,
                          .sample = -1,
                          .tokens = -1,
                          .score = (double)NAN};
    if (!is_policy && strcmp(which, "reference") != 0)
        return bad(err, "\"which\" is neither policy nor reference");
    TRY(read_id(&id, s, row, "prompt_id", line, err));
    TRY(add_record(&x, s, id, line, err));
    if (x != NULL) {
        TRY(read_prompt(x, s, row, err));
        TRY(read_tags(&x->extra, s, row, err));
    } else {
        x = &s->record[names_find(&s->ids, id)];
        const char *prompt = json_text(json_get(row, "prompt"), NULL);
        if (prompt != NULL && strcmp(prompt, x->prompt) != 0)
            return err_set(err, ERR_FORMAT,
                           "another prompt '%.80s' was on line %zu", id,
                           x->line);
    }
    TRY(keep_member(&c.text, s, row, "response", err));
    if (c.text == NULL)
        return bad(err, "there is no \"response\"");
    TRY(read_facts(&c, s, row, err));
    TRY(read_count(&c.tokens, row, "len", err));
    return add_reply(&x->side[is_policy ? 0 : 1], &c, err);
}

static const char *const members[] = {
    "id",        "prompt",  "messages", "responses", "samples", "policy",
    "reference", "placebo", "priority", "ranking",   "better",  NULL};

static enum status read_expected(struct load_record *x, struct load_set *s,
                                 const struct json *row, struct err *err)
{
    const struct json *better = json_get(row, "better");
    const struct json *ranking = json_get(row, "ranking");
    struct buf text;
    struct json_writer w;
    if ((better == NULL) == (ranking == NULL))
        return bad(err, "gold has either \"better\" or \"ranking\"");
    buf_init(&text, 4096);
    json_writer_init(&w, &text, false);
    json_open(&w, '{');
    json_put_key(&w, better != NULL ? "better" : "ranking");
    json_put_node(&w, better != NULL ? better : ranking);
    json_close(&w, '}');
    enum status status = keep_buf(&x->expected, s, &text, err);
    buf_free(&text);
    return status;
}

static enum status read_record(struct load_set *s, const struct json *row,
                               size_t line, struct err *err)
{
    const char *id = NULL;
    struct load_record *x;
    bool is_pair = s->task == POOL_SPOTCHECK && !s->is_gold;
    TRY(read_id(&id, s, row, "id", line, err));
    TRY(add_record(&x, s, id, line, err));
    if (x == NULL)
        return err_set(err, ERR_FORMAT, "the id '%.80s' was on line %zu", id,
                       s->record[names_find(&s->ids, id)].line);
    TRY(read_prompt(x, s, row, err));
    TRY(json_may_number(&x->priority, row, "priority", -1e300, 1e300,
                        "a record", err));
    TRY(keep_others(&x->extra, s, row, members, err));
    if (s->is_gold)
        TRY(read_expected(x, s, row, err));
    const char *source = s->is_gold ? "gold" : "candidate";
    TRY(read_replies(s, &x->side[0],
                     json_get(row, is_pair ? "policy" : "responses"),
                     is_pair ? "policy" : source, err));
    if (!is_pair)
        return read_replies(s, &x->side[0], json_get(row, "samples"), source,
                            err);
    TRY(read_replies(s, &x->side[1], json_get(row, "reference"), "reference",
                     err));
    return read_replies(s, &x->side[1], json_get(row, "placebo"), "reference",
                        err);
}

static enum status check_task(const struct load_set *s, const struct json *row,
                              struct err *err)
{
    bool has_pair =
        json_get(row, "policy") != NULL && json_get(row, "reference") != NULL;
    bool has_sample = json_get(row, "which") != NULL;
    bool has_set =
        json_get(row, "responses") != NULL || json_get(row, "samples") != NULL;
    if (!has_pair && !has_sample && !has_set)
        return bad(err, "neither \"responses\" (or \"samples\") to rank, nor "
                        "\"policy\" and \"reference\" to spot-check");
    if (s->is_gold)
        return has_set ? OK : bad(err, "gold has \"responses\"");
    if ((s->task == POOL_SPOTCHECK) == has_set)
        return err_set(err, ERR_MISMATCH, "this is a record for --task %s",
                       has_set ? "ranking" : "spotcheck");
    return OK;
}

static enum status read_row(void *ctx, const struct json *row, size_t line,
                            struct err *err)
{
    struct load_set *s = ctx;
    if (!json_is_object(row))
        return bad(err, "not a JSON object");
    TRY(check_task(s, row, err));
    bool is_sample = json_get(row, "which") != NULL && !s->is_gold;
    return is_sample ? read_sample(s, row, line, err)
                     : read_record(s, row, line, err);
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

enum status load_set_read(struct load_set *s, const char *path,
                          enum pool_task task, bool is_gold, struct err *err)
{
    *s = (struct load_set){.path = path, .task = task, .is_gold = is_gold};
    TRY(jsonl_read(path, read_row, s, err));
    return check_records(s, err);
}

enum status load_set_find(char out[FILE_PATH_MAX], const char *path,
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

void load_set_free(struct load_set *s)
{
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < 2; k++)
            mem_free(s->record[i].side[k].reply);
    mem_free(s->record);
    names_free(&s->ids);
    arena_free(&s->texts);
}
