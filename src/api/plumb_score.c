#include <plumb.h>

#include <stdio.h>
#include <string.h>

#include "api/call.h"
#include "api/held.h"
#include "base/mem.h"

#define CHUNK ((size_t)256) // pairs between two reports of progress
#define ID_MAX 32           // "pair 18446744073709551615"

/* Some of the caller's pairs as records of a data set. */
struct pairs {
    struct record record[CHUNK];
    char id[CHUNK][ID_MAX];
    struct corpus corpus;
    double score[CHUNK];
};

static void pairs_clear(struct pairs *p)
{
    corpus_free(&p->corpus);
    for (size_t i = 0; i < CHUNK; i++) {
        mem_free(p->record[i].prompt);
        mem_free(p->record[i].response);
    }
    memset(p->record, 0, sizeof p->record);
}

/* What a call to score is given. */
struct asked {
    const struct context *context;
    const struct plumb_reward_model *model;
    const char *const *prompts, *const *responses;
    const int *ended;
    size_t n;
    double *scores;
};

static enum status read_pairs(struct pairs *p, const struct asked *a,
                              size_t first, size_t n, struct err *err)
{
    static char cut[] = "{\"finish\":\"length\"}";
    for (size_t k = 0; k < n; k++) {
        struct record *r = &p->record[k];
        size_t i = first + k;
        snprintf(p->id[k], ID_MAX, "pair %zu", i);
        r->id = p->id[k];
        r->extra = a->ended != NULL && !a->ended[i] ? cut : NULL;
        r->prompt = mem_strdup(a->prompts[i]);
        r->response = mem_strdup(a->responses[i]);
        if (r->prompt == NULL || r->response == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: pair %zu", i);
    }
    return OK;
}

static enum status score_some(struct pairs *p, const struct asked *a,
                              size_t first, size_t n, struct err *err)
{
    static char name[] = "to be scored";
    const struct reward_reader *reader = &a->model->reader;
    const struct dataset data = {.record = p->record, .n = n, .path = name};
    TRY(read_pairs(p, a, first, n, err));
    TRY(reward_reader_encode(&p->corpus, reader, &data, err));
    return scorer_score(p->score, &reader->model, p->corpus.seq, n, a->context,
                        err);
}

static enum status check(const struct asked *a, struct err *err)
{
    TRY(call_need(a->model, "model", err));
    TRY(call_need(a->prompts, "prompts", err));
    TRY(call_need(a->responses, "responses", err));
    TRY(call_need(a->scores, "scores", err));
    for (size_t i = 0; i < a->n; i++) {
        TRY(call_check_text(a->prompts[i], "prompt", i, err));
        TRY(call_check_text(a->responses[i], "response", i, err));
    }
    return OK;
}

/* The caller is given scores only when all are there. */
static enum status score(void *arg, struct err *err)
{
    enum status status = OK;
    const struct asked *a = arg;
    struct pairs *p = NULL;
    double *all = NULL;
    TRY(check(a, err));
    TRY_DONE(MEM_NEW(p, 1, err));
    TRY_DONE(MEM_NEW(all, a->n, err));
    for (size_t first = 0; first < a->n; first += CHUNK) {
        size_t n = a->n - first < CHUNK ? a->n - first : CHUNK;
        TRY_DONE(score_some(p, a, first, n, err));
        memcpy(all + first, p->score, n * sizeof *all);
        pairs_clear(p);
        context_progress(a->context, (double)(first + n), (double)a->n, "reply",
                         NULL);
        if (context_stopped(a->context))
            TRY_DONE(
                err_set(err, ERR_STOPPED, "stopped by the progress function"));
    }
    memcpy(a->scores, all, a->n * sizeof *all);
done:
    if (p != NULL)
        pairs_clear(p);
    mem_free(p);
    mem_free(all);
    return status;
}

/* The check overlooks that `scores` is written through its copy. */
int plumb_score(struct plumb_context *context,
                const struct plumb_reward_model *model,
                const char *const *prompts, const char *const *responses,
                const int *ended, size_t n,
                double *scores, // NOLINT(readability-non-const-parameter)
                struct plumb_error *error)
{
    struct asked a = {.model = model,
                      .prompts = prompts,
                      .responses = responses,
                      .ended = ended,
                      .n = n,
                      .scores = scores};
    if (context != NULL)
        a.context = &context->context;
    return call_run_with(context, score, &a, error);
}
