#include "rlhf/reward_judges.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/names.h"
#include "stat/reliability.h"

#define NAME_MAX_LEN 128

struct weighing {
    const struct dataset *data;
    size_t n_train;
    size_t *rater;  // [n_train] index into judge, SIZE_MAX: not said
    size_t *prompt; // [n_train]
    struct names judge, unit, seen;
    struct reliability_vote *vote; // [n]
    size_t n;
    struct reliability *found; // [judge.n]
};

static enum status read_rater(struct weighing *w, size_t i, struct err *err)
{
    const struct record *r = &w->data->record[i];
    struct json *extra = NULL;
    w->rater[i] = SIZE_MAX;
    if (r->extra == NULL)
        return OK;
    TRY(json_parse(&extra, r->extra, strlen(r->extra), "its members", err));
    const char *name = json_text(json_get(extra, "rater"), NULL);
    enum status status = OK;
    if (name != NULL)
        status = names_add(&w->judge, &w->rater[i], name, err);
    json_free(extra);
    return status;
}

/* The choice between responses a and b of record i, unless the judge made it
 * before.  The unit's first response is the one whose text has the smaller
 * hash. */
static enum status add_choice(struct weighing *w, size_t i, size_t a, size_t b,
                              struct err *err)
{
    const struct record *r = &w->data->record[i];
    uint64_t x = names_hash(r->responses[a]), y = names_hash(r->responses[b]);
    bool is_a = r->ranking[a] < r->ranking[b];
    char name[NAME_MAX_LEN];
    size_t unit, visit, before = w->seen.n;
    if (x == y)
        return OK;
    (void)snprintf(name, sizeof name, "%zu %016llx %016llx", w->prompt[i],
                   (unsigned long long)(x < y ? x : y),
                   (unsigned long long)(x < y ? y : x));
    TRY(names_add(&w->unit, &unit, name, err));
    (void)snprintf(name, sizeof name, "%zu %zu", unit, w->rater[i]);
    TRY(names_add(&w->seen, &visit, name, err));
    if (visit < before)
        return OK;
    w->vote[w->n++] =
        (struct reliability_vote){w->rater[i], unit, is_a == (x < y)};
    return OK;
}

static enum status add_record(struct weighing *w, size_t i, struct err *err)
{
    const struct record *r = &w->data->record[i];
    for (size_t a = 0; w->rater[i] != SIZE_MAX && a < r->n_responses; a++)
        for (size_t b = a + 1; b < r->n_responses; b++)
            if (r->ranking[a] != r->ranking[b])
                TRY(add_choice(w, i, a, b, err));
    return OK;
}

static enum status gather(struct weighing *w, struct err *err)
{
    size_t room = 0, prompts;
    TRY(MEM_NEW(w->rater, w->n_train, err));
    TRY(MEM_NEW(w->prompt, w->n_train, err));
    TRY(dataset_number_prompts(w->prompt, &prompts, w->data, 0, w->n_train,
                               err));
    for (size_t i = 0; i < w->n_train; i++) {
        size_t K = w->data->record[i].n_responses;
        room += K > 1 ? K * (K - 1) / 2 : 0;
        TRY(read_rater(w, i, err));
    }
    if (w->judge.n == 0)
        return err_set(err, ERR_FORMAT,
                       "%s: reward.judges, but no record has a rater",
                       w->data->path);
    TRY(MEM_NEW(w->vote, room, err));
    for (size_t i = 0; i < w->n_train; i++)
        TRY(add_record(w, i, err));
    return OK;
}

static enum status weigh(struct weighing *w, double *weight, struct err *err)
{
    bool is_told = false;
    TRY(gather(w, err));
    TRY(MEM_NEW(w->found, w->judge.n, err));
    TRY(reliability_fit(w->found, w->vote, w->n, w->judge.n, w->unit.n, err));
    for (size_t j = 0; j < w->judge.n; j++)
        is_told = is_told || w->found[j].n > 0;
    if (!is_told)
        return err_set(err, ERR_ARG,
                       "%s: reward.judges: no two people ranked the same "
                       "responses, so nothing tells how far to believe them",
                       w->data->path);
    for (size_t i = 0; i < w->n_train; i++)
        if (w->rater[i] != SIZE_MAX && w->found[w->rater[i]].n > 0)
            weight[i] *= w->found[w->rater[i]].weight;
    return OK;
}

enum status reward_judges_weigh(double *weight, const struct dataset *data,
                                size_t n_train, struct err *err)
{
    struct weighing w = {.data = data, .n_train = n_train};
    enum status status = weigh(&w, weight, err);
    mem_free(w.found);
    mem_free(w.vote);
    mem_free(w.prompt);
    mem_free(w.rater);
    names_free(&w.judge);
    names_free(&w.unit);
    names_free(&w.seen);
    return status;
}
