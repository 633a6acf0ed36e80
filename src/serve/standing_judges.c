/* standing_judges.c - each judge by itself, and how far to be believed. */
#include <math.h>

#include "base/mem.h"
#include "diagnose/rate.h"
#include "serve/standing_internal.h"
#include "stat/reliability.h"
#include "stat/winrate.h"

/* Votes that gave a share. */
struct share {
    double sum;
    size_t n;
};

static void add(struct share *s, double yes, double asked)
{
    if (!(asked > 0))
        return;
    s->sum += yes / asked;
    s->n++;
}

static struct standing_value value_of(const struct share *s, const char *why)
{
    struct estimate e = winrate_share(s->sum, s->n, 0.95);
    return standing_value_of(&e, why);
}

/* What is said of one judge. */
struct tally {
    struct share left, longer, consistency, gold, identical;
};

/* Call with each pair of a vote, a < b. */
typedef double (*pair_fn)(const struct standing_vote *v,
                          const struct standing_item *x, const void *more,
                          size_t a, size_t b);

/* The mean over the pairs for which fn has an answer, as one observation. */
static void add_pairs(struct share *s, const struct standing_vote *v,
                      const struct standing_item *x, pair_fn fn,
                      const void *more)
{
    double yes = 0, asked = 0;
    for (size_t a = 0; a < x->K; a++) {
        for (size_t b = a + 1; b < x->K; b++) {
            double answer = fn(v, x, more, a, b);
            if (isnan(answer))
                continue;
            yes += answer;
            asked++;
        }
    }
    add(s, yes, asked);
}

static double is_left(const struct standing_vote *v,
                      const struct standing_item *x, const void *more, size_t a,
                      size_t b)
{
    double win = standing_win(v, a, b);
    (void)x;
    (void)more;
    if (win == 0.5)
        return (double)NAN;
    return v->column[a] < v->column[b] ? win : 1 - win;
}

static double is_longer(const struct standing_vote *v,
                        const struct standing_item *x, const void *more,
                        size_t a, size_t b)
{
    double win = standing_win(v, a, b);
    (void)more;
    if (win == 0.5 || x->length[a] == x->length[b])
        return (double)NAN;
    return x->length[a] > x->length[b] ? win : 1 - win;
}

static double is_as_first(const struct standing_vote *v,
                          const struct standing_item *x, const void *first,
                          size_t a, size_t b)
{
    (void)x;
    return standing_win(v, a, b) == standing_win(first, a, b) ? 1 : 0;
}

static double is_as_expected(const struct standing_vote *v,
                             const struct standing_item *x, const void *more,
                             size_t a, size_t b)
{
    (void)more;
    if (x->expected[a] == x->expected[b])
        return (double)NAN;
    double want = x->expected[a] < x->expected[b] ? 1 : 0;
    return standing_win(v, a, b) == want ? 1 : 0;
}

static double is_tie(const struct standing_vote *v,
                     const struct standing_item *x, const void *more, size_t a,
                     size_t b)
{
    (void)x;
    (void)more;
    return standing_win(v, a, b) == 0.5 ? 1 : 0;
}

/* The same judge's first visit of the item, or NULL. */
static const struct standing_vote *first_visit(const struct standing_votes *v,
                                               const struct standing_vote *of)
{
    const struct standing_item *x = &v->item[of->item];
    for (size_t i = x->first; i < x->first + x->n_votes; i++)
        if (v->vote[i].judge == of->judge)
            return &v->vote[i];
    return NULL;
}

static void tally_vote(struct tally *t, const struct standing_votes *v,
                       const struct standing_vote *vote)
{
    const struct standing_item *x = &v->item[vote->item];
    if (vote->is_repeat) {
        const struct standing_vote *first = first_visit(v, vote);
        if (first != NULL)
            add_pairs(&t->consistency, vote, x, is_as_first, first);
        return;
    }
    add_pairs(&t->left, vote, x, is_left, NULL);
    if (standing_is_asked(x))
        add_pairs(&t->longer, vote, x, is_longer, NULL);
    if (x->expected != NULL)
        add_pairs(&t->gold, vote, x, is_as_expected, NULL);
    if (x->kind == ITEM_IDENTICAL)
        add_pairs(&t->identical, vote, x, is_tie, NULL);
}

/* All judges together: votes on one prompt are no longer apart. */
static enum status find_longer(struct standing *s,
                               const struct standing_votes *v, const char *why,
                               struct err *err)
{
    const struct bootstrap plan = standing_plan();
    struct estimate e;
    struct rate r;
    enum status status = rate_open(&r, v->n_prompts, err);
    for (size_t i = 0; status == OK && i < v->n; i++) {
        const struct standing_item *x = &v->item[v->vote[i].item];
        struct share one = {.n = 0};
        if (v->vote[i].is_repeat || !standing_is_asked(x))
            continue;
        add_pairs(&one, &v->vote[i], x, is_longer, NULL);
        if (one.n > 0)
            rate_add(&r, x->prompt, one.sum, 1);
    }
    if (status == OK)
        status = rate_estimate(&e, &r, &plan, err);
    if (status == OK)
        s->longer = standing_value_of(&e, why);
    rate_close(&r);
    return status;
}

/* ---- the policy --------------------------------------------------------- */

/* Whom each judge prefers: the mean over the prompts of what the judge says of
 * a prompt's pairs. */
static enum status find_wins(struct standing *s, const struct standing_votes *v,
                             struct err *err)
{
    enum status status = OK;
    struct share *prompt = NULL;
    TRY_DONE(MEM_NEW(prompt, v->n_prompts, err));
    for (size_t j = 0; j < s->n_judges; j++) {
        struct share all = {.n = 0};
        for (size_t p = 0; p < v->n_prompts; p++)
            prompt[p] = (struct share){.n = 0};
        for (size_t i = 0; i < v->n; i++) {
            const struct standing_item *x = &v->item[v->vote[i].item];
            if (v->vote[i].judge == j && !v->vote[i].is_repeat &&
                standing_is_policy(x))
                add(&prompt[x->prompt],
                    standing_win(&v->vote[i], x->tested, 1 - x->tested), 1);
        }
        for (size_t p = 0; p < v->n_prompts; p++)
            add(&all, prompt[p].sum, (double)prompt[p].n);
        s->judge[j].win = value_of(&all, "no policy pair was judged");
    }
done:
    mem_free(prompt);
    return status;
}

/* ---- time --------------------------------------------------------------- */

static enum status find_times(struct standing *s,
                              const struct standing_votes *v, struct err *err)
{
    double *ms;
    TRY(MEM_NEW(ms, v->n, err));
    for (size_t j = 0; j < s->n_judges; j++) {
        size_t n = 0;
        for (size_t i = 0; i < v->n; i++) {
            const struct standing_vote *vote = &v->vote[i];
            if (vote->judge != j)
                continue;
            double words = (double)v->item[vote->item].words;
            ms[n] = (double)(vote->voted - vote->shown);
            s->judge[j].too_fast +=
                ms[n] < words * 60000 / STANDING_WORDS_A_MINUTE;
            n++;
        }
        s->judge[j].median_ms = summary_median(ms, n);
    }
    mem_free(ms);
    return OK;
}

/* ---- reliability -------------------------------------------------------- */

/* Units are the pairs of an item, one behind the other. */
static size_t add_decided(struct reliability_vote *out,
                          const struct standing_vote *v,
                          const struct standing_item *x, size_t unit)
{
    size_t n = 0;
    for (size_t a = 0; a < x->K; a++)
        for (size_t b = a + 1; b < x->K; b++, unit++)
            if (standing_win(v, a, b) != 0.5)
                out[n++] = (struct reliability_vote){
                    v->judge, unit, standing_win(v, a, b) > 0.5};
    return n;
}

static size_t pairs_of(const struct standing_item *x)
{
    return standing_is_asked(x) ? x->K * (x->K - 1) / 2 : 0;
}

static enum status find_weights(struct standing *s,
                                const struct standing_votes *v, struct err *err)
{
    enum status status = OK;
    struct reliability_vote *vote = NULL;
    struct reliability *r = NULL;
    size_t room = 0, units = 0, n = 0;
    for (size_t i = 0; i < v->n_items; i++)
        room += pairs_of(&v->item[i]) * v->item[i].n_votes;
    TRY_DONE(MEM_NEW(vote, room, err));
    TRY_DONE(MEM_NEW(r, s->n_judges, err));
    for (size_t i = 0; i < v->n_items; i++) {
        const struct standing_item *x = &v->item[i];
        for (size_t k = 0; pairs_of(x) > 0 && k < x->n_votes; k++)
            n += add_decided(vote + n, &v->vote[x->first + k], x, units);
        units += pairs_of(x);
    }
    TRY_DONE(reliability_fit(r, vote, n, s->n_judges, units, err));
    for (size_t j = 0; j < s->n_judges; j++)
        s->judge[j].weight = r[j].weight;
done:
    mem_free(r);
    mem_free(vote);
    return status;
}

enum status standing_judge_all(struct standing *s,
                               const struct standing_votes *v, struct err *err)
{
    static const char no_decided[] = "no vote was decided";
    static const char no_lengths[] =
        "no vote was decided between different lengths";
    struct tally *t;
    TRY(MEM_NEW(t, s->n_judges, err));
    for (size_t i = 0; i < v->n; i++)
        tally_vote(&t[v->vote[i].judge], v, &v->vote[i]);
    for (size_t j = 0; j < s->n_judges; j++) {
        struct standing_judge *x = &s->judge[j];
        x->left = value_of(&t[j].left, no_decided);
        x->longer = value_of(&t[j].longer, no_lengths);
        x->consistency = value_of(&t[j].consistency, "no repeat was judged");
        x->gold = value_of(&t[j].gold, "no gold item was judged");
        x->identical =
            value_of(&t[j].identical, "no identical pair was judged");
    }
    mem_free(t);
    TRY(find_longer(s, v, no_lengths, err));
    TRY(find_wins(s, v, err));
    TRY(find_times(s, v, err));
    return find_weights(s, v, err);
}
