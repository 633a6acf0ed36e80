#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "diagnose/evidence_internal.h"
#include "io/jsonl.h"
#include "io/vote.h"

#define FOLDER "human/checkpoints"
#define AGAIN "plumb eval RUN --curve-samples"

enum {
    NAMED_MAX = 8
};

/* A reply that a vote may be about. */
struct known {
    uint64_t hash; // of its text
    double score, tokens;
};

/* One checkpoint: its replies by what a vote calls them, and its votes. */
struct reading {
    struct evidence *e;
    const char *path;
    int64_t step;
    struct names name; // "heldout-000017 policy 0"
    struct known *known;
    size_t room;
    struct evidence_seen seen; // votes
    size_t strange;            // votes on other replies
};

#define NAME_MAX_LEN 512

static enum status name_reply(char out[NAME_MAX_LEN], const char *prompt,
                              const char *which, int64_t sample,
                              const char *what, struct err *err)
{
    int n = snprintf(out, NAME_MAX_LEN, "%s %s %lld", prompt, which,
                     (long long)sample);
    if (n < 0 || n >= NAME_MAX_LEN)
        return err_set(err, ERR_LIMIT, "%s: a prompt's id of %zu bytes", what,
                       strlen(prompt));
    return OK;
}

static enum status add_reply(void *ctx, const struct json *row, size_t line,
                             struct err *err)
{
    struct reading *r = ctx;
    char name[NAME_MAX_LEN];
    const char *prompt, *which, *text;
    struct known k = {.hash = 0};
    size_t index;
    (void)line;
    TRY(json_need_text(&prompt, row, "prompt_id", "row", err));
    TRY(json_need_text(&which, row, "which", "row", err));
    TRY(json_need_text(&text, row, "response", "row", err));
    k.hash = names_hash(text);
    TRY(json_may_number(&k.score, row, "score", -EVIDENCE_NUMBER_MAX,
                        EVIDENCE_NUMBER_MAX, "row", err));
    TRY(json_may_number(&k.tokens, row, "len", 0, EVIDENCE_NUMBER_MAX, "row",
                        err));
    TRY(name_reply(name, prompt, which, json_int(json_get(row, "sample"), 0),
                   "row", err));
    TRY(names_add(&r->name, &index, name, err));
    if (index >= r->room) {
        size_t room = 2 * index + 512;
        struct known *grown = mem_grow(r->known, r->room, room, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu replies", room);
        r->known = grown;
        r->room = room;
    }
    r->known[index] = k;
    return OK;
}

/* The reply on one side of a vote; NULL when the samples do not hold it. */
static enum status find_reply(const struct known **out, const struct reading *r,
                              const char *prompt, const struct json *side,
                              struct err *err)
{
    char name[NAME_MAX_LEN];
    TRY(name_reply(name, prompt, json_text(json_get(side, "source"), "?"),
                   json_int(json_get(side, "sample"), -1), "vote", err));
    size_t index = names_find(&r->name, name);
    *out = index != SIZE_MAX ? &r->known[index] : NULL;
    if (*out != NULL &&
        (*out)->hash != names_hash(json_text(json_get(side, "response"), "")))
        *out = NULL;
    return OK;
}

static enum status make_room(struct evidence *e, struct err *err)
{
    if (e->n_spot < e->room_spot)
        return OK;
    size_t room = e->room_spot > 0 ? 2 * e->room_spot : 256;
    struct evidence_spot *grown =
        mem_grow(e->spot, e->n_spot, room, sizeof *grown);
    if (grown == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: %zu votes", room);
    e->spot = grown;
    e->room_spot = room;
    return OK;
}

static enum status add_vote(void *ctx, const struct json *row, size_t line,
                            struct err *err)
{
    struct reading *r = ctx;
    struct evidence *e = r->e;
    struct vote v;
    const struct known *tested, *other;
    char what[32];
    (void)snprintf(what, sizeof what, "row %zu", line);
    TRY(vote_read(&v, row, what, err));
    bool is_again;
    TRY(evidence_see_vote(&is_again, &r->seen, row, line, what, err));
    if (is_again || v.is_placebo || v.visit != 1)
        return OK;
    TRY(find_reply(&tested, r, v.prompt, v.tested.reply, err));
    TRY(find_reply(&other, r, v.prompt, v.other.reply, err));
    if (tested == NULL || other == NULL) {
        r->strange++;
        return OK;
    }
    TRY(make_room(e, err));
    e->spot[e->n_spot++] =
        (struct evidence_spot){.step = r->step,
                               .prompt = names_hash(v.prompt),
                               .win = v.win,
                               .d_score = tested->score - other->score,
                               .d_tokens = tested->tokens - other->tokens};
    return OK;
}

static enum status read_votes(struct reading *r, const char *name,
                              struct err *err)
{
    char dir[FILE_PATH_MAX], votes[FILE_PATH_MAX], samples[FILE_PATH_MAX];
    if (r->step < 0)
        return err_set(err, ERR_FORMAT,
                       "another file's votes are on the same iteration");
    TRY(file_join(dir, r->e->project, FOLDER, err));
    TRY(file_join(votes, dir, name, err));
    TRY(file_join(dir, r->e->project, "eval/checkpoints", err));
    TRY(file_join(samples, dir, name, err));
    enum status status = jsonl_read(samples, add_reply, r, err);
    if (status == ERR_MISSING) // of what the votes are about
        return err_set(err, ERR_FORMAT, "eval/checkpoints/%s is not there",
                       name);
    TRY(status);
    TRY(jsonl_read(votes, add_vote, r, err));
    if (r->strange > 0)
        return err_set(err, ERR_MISMATCH,
                       "%zu votes are about replies that eval/checkpoints/%s "
                       "does not hold",
                       r->strange, name);
    return OK;
}

static enum status lose_votes(struct evidence *e, const struct reading *r,
                              const char *name, enum status why,
                              const struct err *reason, struct err *err)
{
    char file[sizeof FOLDER + 64];
    const char *what;
    (void)snprintf(file, sizeof file, FOLDER "/%.60s", name);
    TRY(evidence_keep(&what, e, file, err));
    if (why == OK)
        return evidence_lose_again(e, &r->seen, what, evidence_judges(e), err);
    return evidence_lose(e, what, AGAIN, why, reason, err);
}

/* One checkpoint; step -1: of an iteration that was read.  Its votes are lost
 * alone; so that a folder of damaged ones cannot crowd out what else is lost,
 * only so many are named. */
static enum status read_checkpoint(struct evidence *e, size_t *lost,
                                   const char *name, int64_t step,
                                   struct err *err)
{
    struct reading r = {.e = e, .step = step};
    struct err reason;
    size_t before = e->n_spot;
    enum status why = read_votes(&r, name, &reason), status = OK;
    if (why != OK)
        e->n_spot = before;
    if (why != OK || r.seen.again > 0)
        ++*lost;
    if (why == ERR_MEMORY || *lost <= NAMED_MAX)
        status = lose_votes(e, &r, name, why, &reason, err);
    names_free(&r.name);
    evidence_seen_free(&r.seen);
    mem_free(r.known);
    return status;
}

/* "000010.jsonl" is iteration 10; anything else is somebody's own file. */
static bool read_step(int64_t *out, const char *name)
{
    char *end;
    long long step = strtoll(name, &end, 10);
    *out = step;
    return name[0] >= '0' && name[0] <= '9' && strcmp(end, ".jsonl") == 0 &&
           step > 0 && step < INT32_MAX;
}

static int ascending(const void *a, const void *b)
{
    const struct evidence_spot *x = a, *y = b;
    if (x->step != y->step)
        return x->step < y->step ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

/* Is an earlier name of the list the same iteration's, as "10.jsonl" is of
 * "000010.jsonl"? */
static bool is_second(const struct file_list *list, size_t i)
{
    int64_t step, other;
    (void)read_step(&step, list->name[i]);
    for (size_t k = 0; k < i; k++)
        if (read_step(&other, list->name[k]) && other == step)
            return true;
    return false;
}

static enum status lose_others(struct evidence *e, size_t lost, struct err *err)
{
    struct err reason;
    if (lost <= NAMED_MAX)
        return OK;
    (void)err_set(&reason, ERR_FORMAT, "%zu more checkpoints are damaged",
                  lost - NAMED_MAX);
    return evidence_lose_part(e, FOLDER, AGAIN, &reason, err);
}

enum status evidence_read_checkpoints(struct evidence *e, struct err *err)
{
    enum status status = OK;
    size_t lost = 0;
    struct file_list list = {.n = 0};
    char dir[FILE_PATH_MAX];
    int64_t step;
    TRY(file_join(dir, e->project, "human/checkpoints", err));
    if (!file_is_dir(dir))
        return OK;
    TRY(file_list(&list, dir, err));
    for (size_t i = 0; i < list.n; i++)
        if (read_step(&step, list.name[i]))
            TRY_DONE(read_checkpoint(e, &lost, list.name[i],
                                     is_second(&list, i) ? -1 : step, err));
    TRY_DONE(lose_others(e, lost, err));
    /* Names of equal width are in order already; others may not be. */
    for (size_t i = 0; i < e->n_spot; i++)
        e->spot[i].place = i;
    if (e->n_spot > 0)
        qsort(e->spot, e->n_spot, sizeof *e->spot, ascending);
done:
    file_list_free(&list);
    return status;
}
