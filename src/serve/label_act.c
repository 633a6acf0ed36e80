/*
 * label_act.c - votes, skips, undoing, remarks.
 */
#include "serve/label_internal.h"
#include "store/assign.h"

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    int64_t least = x < high ? x : high;
    return least > low ? least : (low < high ? low : high);
}

/* Bring the page's estimate into what can be: between the lease and the
 * arrival, of an act that was sent before its first one (label.h). */
static enum status settle_times(struct vote *v, struct label_job *job,
                                struct db *db, struct err *err)
{
    struct assignment x;
    struct arena a = {0};
    struct vote there;
    int64_t before = 0;
    TRY(assign_read(&x, db, v->assignment, err));
    /* Of another's assignment nothing is told, not even that it is. */
    if (x.judge != job->actor)
        return err_set(err, ERR_MISSING, "no such assignment");
    TRY(votes_find_key(&before, db, v->assignment, v->key, err));
    v->voted = job->now;
    if (before != 0) {
        enum status status = votes_read(&there, &a, db, before, err);
        v->voted = status == OK ? there.voted : 0;
        arena_free(&a);
        TRY(status);
    }
    v->shown = clamp(v->shown, x.leased, v->voted);
    return OK;
}

static enum status write_answer(struct label_job *job, struct db *db,
                                int64_t act, bool is_new, struct err *err)
{
    struct json_writer w;
    json_writer_init(&w, &job->out, false);
    json_open(&w, '{');
    json_field_int(&w, "act", act);
    json_field_bool(&w, "is_new", is_new);
    TRY(label_write_state(&w, db, job->vote.assignment, job->now, err));
    json_close(&w, '}');
    return OK;
}

/* The chain went on, or the key is another act's: say why and what stands. */
static enum status write_conflict(struct label_job *job, struct db *db,
                                  struct err *err)
{
    struct json_writer w;
    json_writer_init(&w, &job->out, false);
    json_open(&w, '{');
    json_field_text(&w, "error", err->text);
    if (label_write_state(&w, db, job->vote.assignment, job->now, NULL) != OK)
        buf_clear(&job->out);
    else
        json_close(&w, '}');
    return ERR_MISMATCH;
}

static enum status cast(struct label_job *job, struct db *db, struct err *err)
{
    int64_t act = 0;
    bool is_new = false;
    struct vote *v = &job->vote;
    TRY(settle_times(v, job, db, err));
    enum status status = votes_cast(&act, &is_new, db, job->actor, v, err);
    if (status == ERR_MISMATCH)
        return write_conflict(job, db, err);
    TRY(status);
    job->is_vote = is_new;
    return write_answer(job, db, act, is_new, err);
}

void label_act(struct label *label, struct http_request *r)
{
    struct err err = {OK, ""};
    struct label_job *job = label_job_new(label, r);
    if (job == NULL)
        return;
    job->vote.assignment = job->id;
    enum status status = label_read_act(&job->vote, http_body(r), &err);
    if (status == OK)
        label_job_queue(job, cast);
    else
        label_job_refuse(job, status, &err);
}

/* ---- remarks ------------------------------------------------------------ */

static enum status add_remark(struct label_job *job, struct db *db,
                              struct err *err)
{
    int64_t id = 0;
    bool is_new = false;
    struct json_writer w;
    TRY(votes_remark(&id, &is_new, db, job->actor, &job->remark, err));
    json_writer_init(&w, &job->out, false);
    json_open(&w, '{');
    json_field_int(&w, "remark", id);
    json_field_bool(&w, "is_new", is_new);
    json_close(&w, '}');
    return OK;
}

static enum status read_remark(struct remark *m, const struct json *body,
                               struct err *err)
{
    int kind = -1;
    TRY(label_check_members(body, "key kind text", err));
    TRY(label_take_text(&m->key, body, "key", err));
    TRY(label_take_word(&kind, body, "kind", &choice_remark, err));
    TRY(label_take_text(&m->text, body, "text", err));
    if (m->key == NULL || kind < 0)
        return err_set(err, ERR_ARG, "a remark needs '%s'",
                       kind < 0 ? "kind" : "key");
    m->kind = (enum remark_kind)kind;
    if (m->text == NULL)
        m->text = "";
    if (m->kind == REMARK_COMMENT && m->text[0] == '\0')
        return err_set(err, ERR_ARG, "a comment needs 'text'");
    return OK;
}

void label_remark(struct label *label, struct http_request *r)
{
    struct err err = {OK, ""};
    struct label_job *job = label_job_new(label, r);
    if (job == NULL)
        return;
    job->remark.assignment = job->id;
    job->remark.at = job->now;
    enum status status = read_remark(&job->remark, http_body(r), &err);
    if (status == OK)
        label_job_queue(job, add_remark);
    else
        label_job_refuse(job, status, &err);
}
