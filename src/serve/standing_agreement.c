/* standing_agreement.c - judges among each other. */
#include <math.h>

#include "base/mem.h"
#include "serve/standing_internal.h"

/* One question asked of units of items: what judge j said of unit u. */
struct codes {
    const struct standing_votes *v;
    size_t raters, units;
    double *code;   // [raters * units]
    size_t *prompt; // [units]
    size_t *votes;  // [units] codes
    /* Which items are asked about, how many units one is, and what a vote says
     * of its unit k. */
    bool (*is_in)(const struct standing_item *x);
    size_t (*count)(const struct standing_item *x);
    double (*say)(const struct standing_vote *v, const struct standing_item *x,
                  size_t k);
};

/* ---- questions ---------------------------------------------------------- */

static size_t count_pairs(const struct standing_item *x)
{
    return x->K * (x->K - 1) / 2;
}

static size_t count_replies(const struct standing_item *x)
{
    return x->K;
}

static double say_pair(const struct standing_vote *v,
                       const struct standing_item *x, size_t k)
{
    size_t a = 0;
    while (k >= x->K - 1 - a)
        k -= x->K - 1 - a++;
    return standing_win(v, a, a + 1 + k);
}

static double say_rank(const struct standing_vote *v,
                       const struct standing_item *x, size_t k)
{
    (void)x;
    return v->rank[k];
}

static double graded(int64_t x)
{
    return x < 0 ? (double)NAN : (double)x;
}

static double say_direct(const struct standing_vote *v,
                         const struct standing_item *x, size_t k)
{
    (void)x;
    return graded(v->mark[k].direct);
}

static double say_helpful(const struct standing_vote *v,
                          const struct standing_item *x, size_t k)
{
    (void)x;
    return graded(v->mark[k].helpful);
}

/* no, unsure, yes */
static double say_correct(const struct standing_vote *v,
                          const struct standing_item *x, size_t k)
{
    (void)x;
    switch (v->mark[k].correct) {
    case VOTE_CORRECT_NO:
        return 0;
    case VOTE_CORRECT_UNSURE:
        return 1;
    case VOTE_CORRECT_YES:
        return 2;
    case VOTE_CORRECT_NONE:
        break;
    }
    return (double)NAN;
}

/* too short, right, too long: in the order of the enum */
static double say_length(const struct standing_vote *v,
                         const struct standing_item *x, size_t k)
{
    (void)x;
    return v->mark[k].length == VOTE_LENGTH_NONE ? (double)NAN
                                                 : (double)v->mark[k].length;
}

/* ---- the codes ---------------------------------------------------------- */

static void close_codes(struct codes *t)
{
    mem_free(t->code);
    mem_free(t->prompt);
    mem_free(t->votes);
}

static void fill_item(struct codes *t, const struct standing_item *x,
                      size_t unit)
{
    for (size_t k = 0; k < t->count(x); k++) {
        t->prompt[unit + k] = x->prompt;
        for (size_t i = x->first; i < x->first + x->n_votes; i++) {
            const struct standing_vote *v = &t->v->vote[i];
            double said = t->say(v, x, k);
            t->code[v->judge * t->units + unit + k] = said;
            t->votes[unit + k] += isnan(said) ? 0 : 1;
        }
    }
}

static enum status open_codes(struct codes *t, size_t raters, struct err *err)
{
    const struct standing_votes *v = t->v;
    size_t n;
    t->raters = raters;
    t->units = 0;
    for (size_t i = 0; i < v->n_items; i++)
        t->units += t->is_in(&v->item[i]) ? t->count(&v->item[i]) : 0;
    TRY(mem_multiply(&n, raters, t->units, err));
    TRY(MEM_NEW(t->code, n, err));
    TRY(MEM_NEW(t->prompt, t->units, err));
    TRY(MEM_NEW(t->votes, t->units, err));
    for (size_t i = 0; i < n; i++)
        t->code[i] = (double)NAN;
    size_t unit = 0;
    for (size_t i = 0; i < v->n_items; i++) {
        if (!t->is_in(&v->item[i]))
            continue;
        fill_item(t, &v->item[i], unit);
        unit += t->count(&v->item[i]);
    }
    return OK;
}

static enum status measure(struct standing *s, const struct codes *t,
                           enum agreement_kind kind, const char *of,
                           struct err *err)
{
    const struct bootstrap plan = standing_plan();
    const struct agreement_codes codes = {.code = t->code,
                                          .raters = t->raters,
                                          .units = t->units,
                                          .prompt = t->prompt,
                                          .n_prompts = t->v->n_prompts};
    struct agreement a;
    TRY(agreement_measure(&a, &codes, kind, &plan, err));
    s->agreement[s->n_agreement++] =
        (struct standing_agreement){.name = agreement_name(kind),
                                    .of = of,
                                    .value = standing_value_of(&a.e, a.reason)};
    return OK;
}

/* Fleiss' kappa wants the same number of votes everywhere: that of items which
 * are done. */
static void keep_complete(struct codes *t, int64_t overlap)
{
    for (size_t u = 0; u < t->units; u++)
        for (size_t j = 0; t->votes[u] != (size_t)overlap && j < t->raters; j++)
            t->code[j * t->units + u] = (double)NAN;
}

/* Choices: raw, beyond chance, and alpha. */
static enum status agree_on_choices(struct standing *s,
                                    const struct standing_votes *v,
                                    const char *of, struct err *err)
{
    enum status status = OK;
    struct codes t = {.v = v,
                      .is_in = standing_is_asked,
                      .count = count_pairs,
                      .say = say_pair};
    TRY_DONE(open_codes(&t, s->n_judges, err));
    TRY_DONE(measure(s, &t, AGREEMENT_RAW, of, err));
    TRY_DONE(measure(s, &t, AGREEMENT_ALPHA_NOMINAL, of, err));
    if (s->n_judges > 2)
        keep_complete(&t, s->pool.overlap);
    TRY_DONE(measure(
        s, &t, s->n_judges > 2 ? AGREEMENT_FLEISS : AGREEMENT_COHEN, of, err));
done:
    close_codes(&t);
    return status;
}

/* The same of policy pairs alone: two placebos are equal in truth, so that
 * judges who agree about the policy may well differ there. */
static enum status agree_on_policy(struct standing *s,
                                   const struct standing_votes *v,
                                   struct err *err)
{
    struct codes t = {.v = v,
                      .is_in = standing_is_policy,
                      .count = count_pairs,
                      .say = say_pair};
    enum status status = open_codes(&t, s->n_judges, err);
    if (status == OK)
        status = measure(s, &t, AGREEMENT_ALPHA_NOMINAL, "policy", err);
    close_codes(&t);
    return status;
}

enum status standing_agree(struct standing *s, const struct standing_votes *v,
                           struct err *err)
{
    static const struct {
        const char *of;
        double (*say)(const struct standing_vote *v,
                      const struct standing_item *x, size_t k);
        bool is_ranking;
    } graded_by[] = {
        {"ranks", say_rank, true},       {"direct", say_direct, false},
        {"helpful", say_helpful, false}, {"correct", say_correct, false},
        {"length", say_length, false},
    };
    enum status status = OK;
    bool is_ranking = s->pool.task == POOL_RANKING;
    TRY(agree_on_choices(s, v, is_ranking ? "ranking" : "overall", err));
    if (!is_ranking)
        TRY(agree_on_policy(s, v, err));
    for (size_t i = 0; i < sizeof graded_by / sizeof *graded_by; i++) {
        if (graded_by[i].is_ranking != is_ranking)
            continue;
        struct codes t = {.v = v,
                          .is_in = standing_is_asked,
                          .count = count_replies,
                          .say = graded_by[i].say};
        status = open_codes(&t, s->n_judges, err);
        if (status == OK)
            status =
                measure(s, &t, AGREEMENT_ALPHA_ORDINAL, graded_by[i].of, err);
        close_codes(&t);
        TRY(status);
    }
    return OK;
}
