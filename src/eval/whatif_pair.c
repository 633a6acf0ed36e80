#include "eval/whatif_pair.h"

#include <assert.h>
#include <math.h>

#include "base/mem.h"
#include "eval/samples_table.h"
#include "eval/spotcheck.h"
#include "stat/hypothesis.h"

const struct whatif_measure_row whatif_measure_table[WHATIF_MEASURES] = {
    [WHATIF_RM] = {"rm", "reward, base model (sd)", false, false},
    [WHATIF_GOLD] = {"gold", "gold", false, false},
    [WHATIF_HELP] = {"help", "direct help", false, false},
    [WHATIF_WEAK_GOLD] = {"weak_gold", "weak gold (sd)", false, false},
    [WHATIF_HUMAN] = {"human_win_rate", "preferred to the reference", false,
                      true},
    [WHATIF_LESS_DIRECT] = {"less_direct", "marked less direct", false, true},
    [WHATIF_TOO_LONG] = {"too_long", "marked too long", false, true},
    [WHATIF_LENGTH] = {"length", "tokens of a reply", true, false},
    [WHATIF_FILLERS] = {"fillers", "filler sentences", false, false},
    [WHATIF_EOS] = {"eos_rate", "replies that end", false, true},
    [WHATIF_KL] = {"kl", "exact KL, nats per reply", false, false},
};

/* What is read from the samples. */
static const struct {
    enum whatif_measure measure;
    enum samples_value value;
} columns[] = {
    {WHATIF_RM, SAMPLES_SCORE},   {WHATIF_GOLD, SAMPLES_GOLD},
    {WHATIF_HELP, SAMPLES_HELP},  {WHATIF_WEAK_GOLD, SAMPLES_WEAK},
    {WHATIF_LENGTH, SAMPLES_LEN}, {WHATIF_FILLERS, SAMPLES_FILLERS},
    {WHATIF_EOS, SAMPLES_EOS},    {WHATIF_KL, SAMPLES_KL},
};

/* Prompt means of both policies, [prompts] each. */
struct scratch {
    double *base, *changed, *count;
};

static enum status measure(struct whatif_effect *out,
                           const struct samples_table *t, struct scratch *s,
                           enum samples_value v, bool is_ratio,
                           const struct bootstrap *plan, struct err *err)
{
    size_t n = t->prompts;
    samples_table_means(s->changed, s->count, t, true, v);
    samples_table_means(s->base, s->count, t, false, v);
    TRY(summary_estimate_mean(&out->base, s->base, n, plan, err));
    TRY(summary_estimate_mean(&out->changed, s->changed, n, plan, err));
    if (is_ratio)
        return summary_estimate_ratio(&out->effect, s->changed, s->base, n,
                                      plan, err);
    return summary_estimate_difference(&out->effect, s->changed, s->base, n,
                                       plan, err);
}

/* Every sample of the one has its partner in the other. */
static enum status check_pairs(const struct samples_table *t,
                               const struct whatif_files *files,
                               struct err *err)
{
    enum status status = OK;
    size_t *prompt = NULL;
    double *win = NULL;
    size_t pairs;
    TRY_DONE(MEM_NEW(prompt, t->n, err));
    TRY_DONE(MEM_NEW(win, t->n, err));
    TRY_DONE(samples_table_wins(prompt, win, &pairs, t, SAMPLES_LEN, err));
    if (2 * pairs != t->n)
        status = err_set(err, ERR_MISMATCH,
                         "%s and %s: of %zu replies %zu are to the same "
                         "prompt with the same number in both",
                         files->base, files->changed, t->n, 2 * pairs);
done:
    mem_free(prompt);
    mem_free(win);
    return status;
}

static enum status read_both(struct samples_table *t,
                             const struct whatif_files *files, struct err *err)
{
    struct samples_source source = {.path = files->changed,
                                    .only = "policy",
                                    .as_policy = true,
                                    .scale = &files->scale};
    TRY(samples_table_read(t, &source, err));
    source.path = files->base;
    source.as_policy = false;
    TRY(samples_table_read(t, &source, err));
    TRY(samples_table_group(t, err));
    return check_pairs(t, files, err);
}

static enum status measure_samples(struct whatif_effect *out,
                                   const struct whatif_files *files,
                                   const struct bootstrap *plan,
                                   struct err *err)
{
    enum status status = OK;
    struct samples_table t = {.n = 0};
    struct scratch s = {NULL, NULL, NULL};
    TRY_DONE(read_both(&t, files, err));
    TRY_DONE(MEM_NEW(s.base, t.prompts, err));
    TRY_DONE(MEM_NEW(s.changed, t.prompts, err));
    TRY_DONE(MEM_NEW(s.count, t.prompts, err));
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        enum whatif_measure m = columns[i].measure;
        TRY_DONE(measure(&out[m], &t, &s, columns[i].value,
                         whatif_measure_table[m].is_ratio, plan, err));
    }
done:
    mem_free(s.base);
    mem_free(s.changed);
    mem_free(s.count);
    samples_table_free(&t);
    return status;
}

static struct whatif_effect of_votes(const struct spotcheck_change *c)
{
    return (struct whatif_effect){c->base, c->changed, c->difference};
}

static enum status measure_votes(struct whatif_effect *out,
                                 const struct whatif_files *files,
                                 const struct bootstrap *plan, struct err *err)
{
    struct spotcheck_comparison c;
    TRY(spotcheck_compare(&c, files->base_votes, files->changed_votes, plan,
                          err));
    out[WHATIF_HUMAN] = of_votes(&c.win_rate);
    out[WHATIF_LESS_DIRECT] = of_votes(&c.less_direct);
    out[WHATIF_TOO_LONG] = of_votes(&c.too_long);
    return OK;
}

enum status whatif_pair_measure(struct whatif_effect out[WHATIF_MEASURES],
                                const struct whatif_files *files,
                                const struct bootstrap *plan, struct err *err)
{
    const struct estimate nothing = summary_nothing();
    for (int m = 0; m < WHATIF_MEASURES; m++)
        out[m] = (struct whatif_effect){nothing, nothing, nothing};
    TRY(measure_samples(out, files, plan, err));
    return files->base_votes == NULL ? OK
                                     : measure_votes(out, files, plan, err);
}

/* -1 or 1: the interval lies below or above no change; 0: it does not. */
static int side_of(const struct estimate *e, double no_change)
{
    return e->high < no_change ? -1 : e->low > no_change ? 1 : 0;
}

static const char *find_claim(const struct whatif_pooled *p,
                              const struct estimate *effect, size_t n,
                              double no_change)
{
    if (n >= WHATIF_SEEDS_CLAIM)
        return side_of(&p->e, no_change) != 0 ? "caused by" : "not shown";
    int side = side_of(&effect[0], no_change);
    for (size_t i = 1; i < n; i++)
        if (side_of(&effect[i], no_change) != side)
            side = 0;
    return side != 0 ? "consistent with" : "not shown";
}

struct whatif_pooled whatif_pair_pool(const struct estimate *effect, size_t n,
                                      bool is_ratio)
{
    double x[WHATIF_SEEDS_MAX];
    struct whatif_pooled p = {summary_nothing(), NULL};
    assert(n <= WHATIF_SEEDS_MAX);
    for (size_t i = 0; i < n; i++) {
        x[i] = is_ratio ? log(effect[i].estimate) : effect[i].estimate;
        if (!isfinite(x[i]))
            return p; // of a part of the seeds nothing can be said
    }
    if (n == 0)
        return p;
    struct hypothesis_t t = hypothesis_t_test(x, n, 0.95);
    p.e = (struct estimate){summary_mean(x, n), t.low, t.high, n};
    if (n < 2)
        p.e.low = p.e.high = (double)NAN;
    if (is_ratio) {
        p.e.estimate = exp(p.e.estimate);
        p.e.low = exp(p.e.low);
        p.e.high = exp(p.e.high);
    }
    p.claim = find_claim(&p, effect, n, is_ratio ? 1 : 0);
    return p;
}
