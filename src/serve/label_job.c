/*
 * label_job.c - writes that a request waits for.
 */
#include "base/mem.h"
#include "serve/label_internal.h"

static void free_job(struct label_job *job)
{
    buf_free(&job->out);
    mem_free(job);
}

struct label_job *label_job_new(struct label *label, struct http_request *r)
{
    struct label_job *job = mem_calloc(1, sizeof *job);
    if (job == NULL) {
        http_reply_status(r, ERR_MEMORY, NULL);
        return NULL;
    }
    job->label = label;
    job->request = r;
    job->actor = http_who(r)->judge.id;
    job->id = http_arg_int(r, 0);
    job->now = http_now(r);
    buf_init(&job->out, LABEL_OUT_MAX);
    return job;
}

void label_job_refuse(struct label_job *job, enum status status,
                      const struct err *err)
{
    http_reply_status(job->request, status, err);
    free_job(job);
}

static enum status run(struct db *db, void *ctx, struct err *err)
{
    struct label_job *job = ctx;
    return job->fn(job, db, err);
}

/* The file went away under the server.  Whoever runs it is told once, since
 * pages send again and again what is not taken. */
static void refuse_lost(struct label_job *job)
{
    struct label *label = job->label;
    if (!label->is_loss_told)
        context_warn(&label->context,
                     "%s; votes are refused, and wait in the judges' windows",
                     job->w.err.text);
    label->is_loss_told = true;
    http_reply_error(job->request, 503,
                     "the project's file is gone from its place, so nothing "
                     "can be kept; tell whoever runs this server");
}

/* The writer's thread: it is on the disk, or it is not. */
static void done(struct write *w)
{
    struct label_job *job = w->ctx;
    struct http_request *r = job->request;
    if (w->status == OK && job->is_vote)
        label_tell(job->label);
    if (w->status == OK && job->is_ending)
        http_recheck(job->label->http);
    if (w->status == ERR_BUSY && writer_is_lost(job->label->writer))
        refuse_lost(job);
    else if (w->status == OK || (w->status == ERR_MISMATCH && job->out.len > 0))
        http_reply_json(r, w->status == OK ? 200 : 409, &job->out);
    else
        http_reply_status(r, w->status, &w->err);
    free_job(job);
}

void label_job_queue(struct label_job *job, label_job_fn fn)
{
    job->fn = fn;
    job->w = (struct write){.fn = run, .ctx = job, .done = done};
    http_later(job->request);
    writer_queue(job->label->writer, &job->w);
}
