#include "io/outside.h"

#include <string.h>

#include "base/mem.h"
#include "io/outside_child.h"

/* Of all requests of a batch. */
#define BATCH_MAX ((size_t)1 << 30)

struct outside {
    enum outside_kind kind;
    char *command;
    size_t batch;
    struct comm *comm;
    struct outside_child child; // of the first rank
    bool is_here;
    int64_t next; // id
};

enum status outside_open(struct outside **out, enum outside_kind kind,
                         const struct outside_config *c,
                         const struct context *context, struct err *err)
{
    struct outside *o;
    TRY(MEM_NEW(o, 1, err));
    o->kind = kind;
    o->batch = (size_t)c->batch;
    o->comm = context != NULL ? context->comm : NULL;
    o->command = mem_strdup(c->command);
    enum status status =
        o->command != NULL
            ? OK
            : err_set(err, ERR_MEMORY, "out of memory: a command");
    if (status == OK && comm_rank(o->comm) == 0) {
        status =
            outside_child_start(&o->child, c->command, outside_kind_name(kind),
                                o->batch, c->timeout, context, err);
        o->is_here = status == OK;
    }
    if (status != OK) {
        outside_close(o);
        return status;
    }
    *out = o;
    return OK;
}

void outside_close(struct outside *o)
{
    if (o == NULL)
        return;
    if (o->is_here)
        outside_child_end(&o->child);
    mem_free(o->command);
    mem_free(o);
}

const char *outside_command(const struct outside *o)
{
    return o->command;
}

/* ---- one batch ----------------------------------------------------------- */

struct batch {
    struct outside *o;
    int64_t first; // id of answer[0]
    struct outside_answer *answer;
    bool *is_there;
    size_t n, n_there;
};

static enum status take_line(void *ctx, const char *line, size_t len,
                             bool *is_all, struct err *err)
{
    struct batch *b = ctx;
    struct outside_answer a;
    int64_t id;
    TRY(outside_line_read(&id, &a, b->o->kind, line, len, err));
    bool is_asked = id >= b->first && (uint64_t)(id - b->first) < b->n;
    bool is_twice =
        is_asked ? b->is_there[id - b->first] : id >= 0 && id < b->first;
    if (!is_asked || is_twice) {
        outside_answer_free(&a);
        return err_set(err, ERR_FORMAT,
                       is_twice ? "id %lld was answered before"
                                : "nobody asked with id %lld",
                       (long long)id);
    }
    b->answer[id - b->first] = a;
    b->is_there[id - b->first] = true;
    *is_all = ++b->n_there == b->n;
    return OK;
}

static enum status ask_batch(struct outside_answer *answer, struct outside *o,
                             const struct outside_request *request, size_t n,
                             struct err *err)
{
    enum status status = OK;
    struct buf text;
    struct batch b = {.o = o, .first = o->next, .answer = answer, .n = n};
    buf_init(&text, BATCH_MAX);
    TRY_DONE(MEM_NEW(b.is_there, n, err));
    for (size_t i = 0; i < n; i++)
        outside_line_put(&text, o->kind, &request[i], b.first + (int64_t)i,
                         n - 1 - i);
    TRY_DONE(outside_child_talk(&o->child, &text, take_line, &b, err));
    o->next += (int64_t)n;
done:
    mem_free(b.is_there);
    buf_free(&text);
    return status;
}

/* ---- what the first rank was told, to all -------------------------------- */

/* Of an answer, besides its arrays. */
struct shape {
    double score;
    uint64_t len, n;
    uint64_t is_cut, has_response, has_logp;
};

static enum status share_arrays(struct outside_answer *a,
                                const struct shape *shape, bool is_mine,
                                struct comm *comm, struct err *err)
{
    size_t n = (size_t)shape->n, len = (size_t)shape->len;
    if (!is_mine) {
        a->score = shape->score;
        a->is_cut = shape->is_cut != 0;
        a->n = n;
        if (shape->has_response != 0)
            TRY(MEM_NEW(a->response, len + 1, err));
        if (n > 0)
            TRY(MEM_NEW(a->token, n, err));
        if (shape->has_logp != 0)
            TRY(MEM_NEW(a->logp, n, err));
    }
    if (a->response != NULL)
        TRY(comm_broadcast(comm, a->response, len, err));
    TRY(comm_broadcast(comm, a->token, n * sizeof *a->token, err));
    return a->logp == NULL
               ? OK
               : comm_broadcast(comm, a->logp, n * sizeof *a->logp, err);
}

static enum status share(struct outside_answer *answer, const struct outside *o,
                         size_t n, struct err *err)
{
    struct shape *shape;
    if (comm_size(o->comm) == 1)
        return OK;
    TRY(MEM_NEW(shape, n, err));
    for (size_t i = 0; i < n && o->is_here; i++) {
        const struct outside_answer *a = &answer[i];
        bool has_text = a->response != NULL;
        shape[i] = (struct shape){
            .score = a->score,
            .len = has_text ? strlen(a->response) : 0,
            .n = a->n,
            .is_cut = a->is_cut,
            .has_response = has_text,
            .has_logp = a->logp != NULL,
        };
    }
    enum status status = comm_broadcast(o->comm, shape, n * sizeof *shape, err);
    for (size_t i = 0; i < n && status == OK; i++)
        status = share_arrays(&answer[i], &shape[i], o->is_here, o->comm, err);
    mem_free(shape);
    return status;
}

enum status outside_ask(struct outside_answer *answer, struct outside *o,
                        const struct outside_request *request, size_t n,
                        struct err *err)
{
    enum status status = OK;
    memset(answer, 0, n * sizeof *answer);
    for (size_t i = 0; i < n && o->is_here && status == OK; i += o->batch)
        status = ask_batch(answer + i, o, request + i,
                           n - i < o->batch ? n - i : o->batch, err);
    if (status == OK)
        status = share(answer, o, n, err);
    for (size_t i = 0; i < n && status != OK; i++)
        outside_answer_free(&answer[i]);
    return status;
}
