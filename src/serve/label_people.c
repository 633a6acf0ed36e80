/*
 * label_people.c - who judges, and their links; for administrators.
 */
#include "serve/label_internal.h"

#define LIST_MAX ((size_t)16 << 20)

static enum status write_judge(void *ctx, const struct judge *j,
                               struct err *err)
{
    struct json_writer *w = ctx;
    (void)err;
    json_open(w, '{');
    json_field_int(w, "judge", j->id);
    json_field_text(w, "name", j->name);
    json_field_text(w, "role", choice_word(&choice_role, (int)j->role));
    json_field_int(w, "revoked", j->revoked);
    json_field_bool(w, "has_token", j->has_token);
    json_field_int(w, "created", j->created);
    json_close(w, '}');
    return OK;
}

void label_judges(struct label *label, struct http_request *r)
{
    struct err err = {OK, ""};
    struct buf out;
    struct json_writer w;
    buf_init(&out, LIST_MAX);
    json_writer_init(&w, &out, false);
    json_open(&w, '{');
    json_put_key(&w, "judges");
    json_open(&w, '[');
    enum status status = judges_walk(label->db, write_judge, &w, &err);
    json_close(&w, ']');
    json_close(&w, '}');
    if (status == OK)
        http_reply_json(r, 200, &out);
    else
        http_reply_status(r, status, &err);
    buf_free(&out);
}

/* The token is in this answer and nowhere else. */
static void write_token(struct label_job *job, int64_t judge, const char *token)
{
    struct json_writer w;
    json_writer_init(&w, &job->out, false);
    json_open(&w, '{');
    if (judge != 0)
        json_field_int(&w, "judge", judge);
    json_field_text(&w, "token", token);
    json_close(&w, '}');
}

static enum status add(struct label_job *job, struct db *db, struct err *err)
{
    char token[AUTH_TOKEN_TEXT];
    int64_t judge;
    TRY(auth_invite(token, &judge, db, job->name, job->role, job->kind,
                    job->actor, job->now, err));
    write_token(job, judge, token);
    return OK;
}

static enum status take_once(struct label_job *job, const struct json *body,
                             struct err *err)
{
    bool once = false;
    TRY(label_take_bool(&once, body, "once", err));
    job->kind = once ? AUTH_ONCE : AUTH_REUSABLE;
    return OK;
}

static enum status read_new(struct label_job *job, const struct json *body,
                            struct err *err)
{
    int role = -1;
    TRY(label_check_members(body, "name role once", err));
    TRY(label_take_text(&job->name, body, "name", err));
    TRY(label_take_word(&role, body, "role", &choice_role, err));
    if (job->name == NULL || role < 0)
        return err_set(err, ERR_ARG, "a judge needs '%s'",
                       role < 0 ? "role" : "name");
    job->role = (enum judge_role)role;
    return take_once(job, body, err);
}

void label_judge_add(struct label *label, struct http_request *r)
{
    struct err err = {OK, ""};
    struct label_job *job = label_job_new(label, r);
    if (job == NULL)
        return;
    enum status status = read_new(job, http_body(r), &err);
    if (status == OK)
        label_job_queue(job, add);
    else
        label_job_refuse(job, status, &err);
}

static enum status renew(struct label_job *job, struct db *db, struct err *err)
{
    char token[AUTH_TOKEN_TEXT];
    TRY(auth_renew(token, db, job->id, job->kind, job->actor, job->now, err));
    write_token(job, 0, token);
    return OK;
}

static enum status read_link(struct label_job *job, const struct json *body,
                             struct err *err)
{
    TRY(label_check_members(body, "once", err));
    if (job->id == job->actor)
        return err_set(err, ERR_MISMATCH,
                       "a new link of your own would sign you out");
    return take_once(job, body, err);
}

void label_judge_link(struct label *label, struct http_request *r)
{
    struct err err = {OK, ""};
    struct label_job *job = label_job_new(label, r);
    if (job == NULL)
        return;
    job->is_ending = true;
    enum status status = read_link(job, http_body(r), &err);
    if (status == OK)
        label_job_queue(job, renew);
    else
        label_job_refuse(job, status, &err);
}

void label_judge_revoke(struct label *label, struct http_request *r)
{
    auth_revoke(label->auth, r, http_arg_int(r, 0));
}
