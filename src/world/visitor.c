#include "world/visitor.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/jsonl.h"
#include "world/tickets.h"

/* What a visitor knows of one prompt. */
struct known {
    char *prompt;
    struct ticket ticket;
    size_t line; // where it was read first
};

/* How often answers were seen: their texts' hash, whatever their order. */
struct seen {
    uint32_t texts;
    uint32_t times;
};

struct visitor {
    struct visitor_config config;
    char *name;
    struct known *known; // by prompt, once all are read
    size_t n, room;
    struct seen *seen;
    size_t n_seen, room_seen;
};

/* FNV-1a (Fowler, Noll, Vo): the names of streams need to differ, no more. */
static uint32_t hash_text(const char *text)
{
    uint32_t h = 2166136261u;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 16777619u;
    return h;
}

/* ---- tickets ------------------------------------------------------------- */

static enum status take_row(void *ctx, const struct json *row, size_t line,
                            struct err *err)
{
    struct visitor *v = ctx;
    const char *prompt;
    TRY(json_need_text(&prompt, row, "prompt", "record", err));
    if (json_get(row, "ticket") == NULL)
        return err_set(err, ERR_FORMAT, "no \"ticket\" object to judge by");
    TRY(MEM_ROOM(v->known, v->n, v->room, err));
    struct known *k = &v->known[v->n];
    TRY(ticket_read(&k->ticket, json_get(row, "ticket"), "record", err));
    k->line = line;
    k->prompt = mem_strdup(prompt);
    if (k->prompt == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: a prompt");
    v->n++;
    return OK;
}

static int by_prompt(const void *a, const void *b)
{
    const struct known *x = a;
    const struct known *y = b;
    int order = strcmp(x->prompt, y->prompt);
    return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

/* One entry for each text.  Two tickets of one text are told apart by nothing
 * that is seen, so there is no right answer to it. */
static enum status sort_known(struct visitor *v, const char *path,
                              struct err *err)
{
    size_t kept = 0;
    if (v->n == 0)
        return err_set(err, ERR_FORMAT, "%s: no records", path);
    qsort(v->known, v->n, sizeof *v->known, by_prompt);
    for (size_t i = 0; i < v->n; i++) {
        struct known *k = &v->known[i];
        struct known *last = kept > 0 ? &v->known[kept - 1] : NULL;
        if (last == NULL || strcmp(last->prompt, k->prompt) != 0) {
            struct known moved = *k;
            k->prompt = NULL;
            v->known[kept++] = moved;
            continue;
        }
        if (last->ticket.resolution != k->ticket.resolution)
            return err_set(err, ERR_MISMATCH,
                           "%s: lines %zu and %zu have one prompt and two "
                           "resolutions",
                           path, last->line, k->line);
        mem_free(k->prompt);
        k->prompt = NULL;
    }
    v->n = kept;
    return OK;
}

enum status visitor_open(struct visitor **out, const char *path,
                         const struct visitor_config *c, struct err *err)
{
    enum status status = OK;
    struct visitor *v = NULL;
    *out = NULL;
    TRY(rater_check(&c->rater, err));
    TRY(MEM_NEW(v, 1, err));
    v->config = *c;
    v->name = mem_strdup(c->name);
    if (v->name == NULL) {
        status = err_set(err, ERR_MEMORY, "out of memory: a name");
        goto done;
    }
    TRY_DONE(jsonl_read(path, take_row, v, err));
    TRY_DONE(sort_known(v, path, err));
    *out = v;
    v = NULL;
done:
    visitor_close(v);
    return status;
}

void visitor_close(struct visitor *v)
{
    if (v == NULL)
        return;
    for (size_t i = 0; i < v->n; i++)
        mem_free(v->known[i].prompt);
    mem_free(v->known);
    mem_free(v->seen);
    mem_free(v->name);
    mem_free(v);
}

static const struct ticket *find_ticket(const struct visitor *v,
                                        const char *prompt)
{
    size_t low = 0;
    size_t high = v->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(v->known[mid].prompt, prompt);
        if (order == 0)
            return &v->known[mid].ticket;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

bool visitor_knows(const struct visitor *v, const char *prompt)
{
    return find_ticket(v, prompt) != NULL;
}

/* ---- looking ------------------------------------------------------------- */

static bool is_whole(const char *answer)
{
    size_t n = strlen(answer);
    while (n > 0 && (answer[n - 1] == ' ' || answer[n - 1] == '\n'))
        n--;
    return n > 0 && strchr(".?!", answer[n - 1]) != NULL;
}

static enum status look(struct judgement *out, const struct visitor *v,
                        const char *prompt, const char *const *answer, size_t K,
                        struct err *err)
{
    const struct ticket *t = find_ticket(v, prompt);
    if (t == NULL)
        return err_set(err, ERR_MISSING, "no ticket of the prompt '%.60s'",
                       prompt);
    for (size_t k = 0; k < K; k++)
        TRY(judge_reply(&out[k], t, answer[k], is_whole(answer[k]), err));
    return OK;
}

/* Begin the stream of this look.  Sums of hashes do not depend on order. */
static enum status begin_stream(struct rng *r, struct visitor *v,
                                const char *prompt, const char *const *answer,
                                size_t K, struct err *err)
{
    uint32_t texts = hash_text(prompt);
    size_t i = 0;
    for (size_t k = 0; k < K; k++)
        texts += 2654435761u * hash_text(answer[k]);
    while (i < v->n_seen && v->seen[i].texts != texts)
        i++;
    TRY(MEM_ROOM(v->seen, v->n_seen, v->room_seen, err));
    if (i == v->n_seen)
        v->seen[v->n_seen++] = (struct seen){texts, 0};
    rng_init(r, v->config.seed, RNG_VISITOR,
             hash_text(v->name) + v->seen[i].times++, texts);
    return OK;
}

/* Hurried, as often as this visitor is. */
static double hurry(const struct visitor_config *c)
{
    if (c->kind == VISITOR_MIXED)
        return c->rater.hurried;
    return c->kind == VISITOR_HURRIED ? 1 : 0;
}

enum status visitor_rank(int32_t *ranking, struct visitor *v,
                         const char *prompt, const char *const *answer,
                         size_t K, struct err *err)
{
    struct judgement judged[RATER_REPLIES_MAX];
    struct rng r;
    if (K < 1 || K > RATER_REPLIES_MAX)
        return err_set(err, ERR_ARG, "%zu answers, wanted 1..%d", K,
                       RATER_REPLIES_MAX);
    TRY(look(judged, v, prompt, answer, K, err));
    TRY(begin_stream(&r, v, prompt, answer, K, err));
    if (v->config.kind == VISITOR_COIN) {
        size_t order[RATER_REPLIES_MAX];
        for (size_t k = 0; k < K; k++)
            order[k] = k;
        rng_shuffle(&r, order, K);
        for (size_t k = 0; k < K; k++)
            ranking[order[k]] = (int32_t)k + 1;
        return OK;
    }
    struct rater_config c = v->config.rater;
    c.hurried = hurry(&v->config);
    (void)rater_rank_from(ranking, judged, K, &c, &r);
    return OK;
}

static int helpful_mark(double x)
{
    static const double threshold[] = {0, 1, 2, 2.75};
    int mark = 0;
    while (mark < 4 && x >= threshold[mark])
        mark++;
    return mark;
}

static void toss(struct visitor_said *out, struct rng *r)
{
    static const char *const overall[] = {"A", "B", "both_good", "both_bad"};
    out->verdict.overall = overall[rng_below(r, 4)];
    for (size_t i = 0; i < 2; i++) {
        struct panel_marks *m = &out->verdict.marks[i];
        m->direct = (int)rng_below(r, 5);
        m->correct = (enum panel_correct)rng_below(r, 3);
        m->length = (enum panel_length)rng_below(r, 3);
        out->helpful[i] = (int)rng_below(r, 5);
    }
}

enum status visitor_check(struct visitor_said *out, struct visitor *v,
                          const char *prompt, const char *const answer[2],
                          struct err *err)
{
    const struct visitor_config *c = &v->config;
    struct judgement shown[2];
    double utility[2];
    struct rng r;
    TRY(look(shown, v, prompt, answer, 2, err));
    TRY(begin_stream(&r, v, prompt, answer, 2, err));
    if (c->kind == VISITOR_COIN) {
        toss(out, &r);
        return OK;
    }
    bool is_hurried = rng_uniform(&r) < hurry(c);
    bool is_same = strcmp(answer[0], answer[1]) == 0;
    for (size_t i = 0; i < 2; i++)
        utility[i] = rater_utility(&c->rater, &shown[i], is_hurried);
    panel_judge(&out->verdict, shown, utility, is_same, &c->panel, &r);
    for (size_t i = 0; i < 2; i++) {
        if (i == 0 || !is_same)
            utility[i] = shown[i].gold + c->panel.tau_axis * rng_normal(&r);
        else
            utility[i] = utility[0];
        out->helpful[i] = helpful_mark(utility[i]);
    }
    return OK;
}
