#include "diagnose/pairs.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "stat/logit.h"
#include "stat/regress.h"

static enum status pairs_open(struct pairs *p, size_t room, size_t n_prompts,
                              struct err *err)
{
    *p = (struct pairs){.n_prompts = n_prompts};
    TRY(MEM_NEW(p->prompt, room, err));
    TRY(MEM_NEW(p->chosen, room, err));
    TRY(MEM_NEW(p->d_score, room, err));
    return MEM_NEW(p->d_tokens, room, err);
}

void pairs_free(struct pairs *p)
{
    mem_free(p->prompt);
    mem_free(p->chosen);
    mem_free(p->d_score);
    mem_free(p->d_tokens);
    *p = (struct pairs){.n = 0};
}

static void add(struct pairs *p, size_t prompt, double chosen, double d_score,
                double d_tokens)
{
    if (isnan(chosen + d_score + d_tokens))
        return;
    p->prompt[p->n] = prompt;
    p->chosen[p->n] = chosen;
    p->d_score[p->n] = d_score;
    p->d_tokens[p->n++] = d_tokens;
}

/* ---- rankings ----------------------------------------------------------- */

struct ranking_columns {
    const double *rank, *score, *tokens;
    const char *const *id, *const *split;
};

/* Rows of one prompt stand together, as the probe writes them. */
static size_t prompt_end(const struct ranking_columns *c, size_t n,
                         size_t first)
{
    size_t last = first + 1;
    while (last < n && c->id[last] != NULL && c->id[first] != NULL &&
           strcmp(c->id[last], c->id[first]) == 0)
        last++;
    return last;
}

static bool is_heldout(const struct ranking_columns *c, size_t i)
{
    return c->split == NULL ||
           (c->split[i] != NULL && strcmp(c->split[i], "heldout") == 0);
}

static size_t count_pairs(const struct ranking_columns *c, size_t n)
{
    size_t pairs = 0;
    for (size_t i = 0; i < n;) {
        size_t last = prompt_end(c, n, i);
        pairs += (last - i) * (last - i - 1) / 2;
        i = last;
    }
    return pairs;
}

enum status pairs_of_rankings(struct pairs *out, const struct evidence *e,
                              struct err *err)
{
    const struct table *t = &e->probe[PROBE_PAIRS];
    const struct ranking_columns c = {
        table_numbers(t, "rank"),   table_numbers(t, "score"),
        table_numbers(t, "tokens"), table_texts(t, "prompt_id"),
        table_texts(t, "split"),
    };
    struct pairs p = {.n = 0};
    *out = p;
    if (c.rank == NULL || c.score == NULL || c.tokens == NULL || c.id == NULL)
        return OK;
    enum status status =
        pairs_open(&p, count_pairs(&c, t->n), e->n_prompts, err);
    if (status != OK) {
        pairs_free(&p);
        return status;
    }
    for (size_t first = 0; first < t->n;) {
        size_t last = prompt_end(&c, t->n, first);
        size_t prompt =
            c.id[first] != NULL ? evidence_prompt(e, c.id[first]) : SIZE_MAX;
        for (size_t i = first; i < last; i++)
            for (size_t k = i + 1; k < last; k++)
                if (prompt != SIZE_MAX && is_heldout(&c, i) &&
                    c.rank[i] != c.rank[k])
                    add(&p, prompt, c.rank[i] < c.rank[k] ? 1 : 0,
                        c.score[i] - c.score[k], c.tokens[i] - c.tokens[k]);
        first = last;
    }
    *out = p;
    return OK;
}

/* ---- votes -------------------------------------------------------------- */

enum status pairs_of_votes(struct pairs *out, const struct evidence *e,
                           bool is_placebo, struct err *err)
{
    struct pairs p;
    enum status status = pairs_open(&p, e->n_vote, e->n_prompts, err);
    if (status != OK) {
        pairs_free(&p);
        return status;
    }
    for (size_t i = 0; i < e->n_vote; i++) {
        const struct evidence_vote *v = &e->vote[i];
        if (v->is_placebo != is_placebo || v->visit != 1 ||
            v->reply == SIZE_MAX || v->reply_other == SIZE_MAX)
            continue;
        add(&p, v->prompt, v->win,
            e->reply[v->reply].score - e->reply[v->reply_other].score,
            v->tokens - v->tokens_other);
    }
    *out = p;
    return OK;
}

/* ---- slopes ------------------------------------------------------------- */

struct slope_fit {
    struct logit_sampler *human, *calibration;
    struct regress_sampler *model;
};

static void fit(void *ctx, double *value, size_t r, const size_t *index,
                size_t n)
{
    struct slope_fit *f = ctx;
    double human[DESIGN_MAX], model[DESIGN_MAX], a[DESIGN_MAX];
    (void)r;
    logit_sampler_fit(f->human, human, index, n);
    logit_sampler_fit(f->calibration, a, index, n);
    regress_sampler_fit(f->model, model, index, n);
    value[0] = human[0];
    value[1] = a[0] * model[0];
    value[2] = value[1] - value[0];
    value[3] = a[0];
}

static void close_fit(struct slope_fit *f)
{
    logit_sampler_destroy(f->human);
    logit_sampler_destroy(f->calibration);
    regress_sampler_destroy(f->model);
}

/* ERR_NUMERIC when a fit has no maximum. */
static enum status open_fit(struct slope_fit *f, const struct pairs *p,
                            const struct design_data data[3], struct err *err)
{
    (void)p;
    TRY(logit_sampler_create(&f->human, &data[0], DESIGN_ORIGIN, 0, err));
    TRY(logit_sampler_create(&f->calibration, &data[1], DESIGN_ORIGIN, 0, err));
    return regress_sampler_create(&f->model, &data[2], DESIGN_ORIGIN, err);
}

enum status pairs_slopes(struct pairs_slopes *out, const struct pairs *p,
                         const struct bootstrap *plan, struct err *err)
{
    struct slope_fit f = {.human = NULL};
    struct estimate value[4] = {summary_nothing(), summary_nothing(),
                                summary_nothing(), summary_nothing()};
    struct err why;
    struct design_data base = {
        .n = p->n, .p = 1, .n_prompts = p->n_prompts, .prompt = p->prompt};
    struct design_data data[3] = {base, base, base};
    data[0].x = data[2].x = p->d_tokens;
    data[1].x = p->d_score;
    data[0].y = data[1].y = p->chosen;
    data[2].y = p->d_score;
    enum status status = p->n > 0 ? open_fit(&f, p, data, &why) : OK;
    if (status == OK && p->n > 0)
        status = summary_bootstrap_many(value, NULL, fit, &f, 4, p->n_prompts,
                                        plan, &why);
    close_fit(&f);
    if (status == ERR_MEMORY) {
        *err = why;
        return status;
    }
    *out = (struct pairs_slopes){value[0], value[1], value[2], value[3]};
    return OK;
}
