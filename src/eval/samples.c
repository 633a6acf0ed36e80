#include "eval/samples.h"

#include "base/mem.h"
#include "eval/samples_table.h"
#include "stat/winrate.h"
#include <math.h>

/* Names of what is reported of a value; NULL: not reported. */
static const struct report {
    enum samples_value value;
    const char *delta, *policy, *reference;
} reports[] = {
    {SAMPLES_SCORE, "rm_delta", "rm_policy", "rm_reference"},
    {SAMPLES_GOLD, "gold_delta", "gold_policy", "gold_reference"},
    {SAMPLES_HELP, "help_delta", "help_policy", "help_reference"},
    {SAMPLES_LEN, NULL, "length_policy", "length_reference"},
    {SAMPLES_SENTENCES, "repetition_delta", "repetition_policy",
     "repetition_reference"},
    {SAMPLES_FOURGRAMS, "fourgram_delta", NULL, NULL},
    {SAMPLES_FILLERS, "filler_delta", "fillers_policy", "fillers_reference"},
    {SAMPLES_EOS, "eos_delta", "eos_rate_policy", "eos_rate_reference"},
};

/* Scratch: a column for each model, for counts and for a change, [prompts]
 * each. */
struct scratch {
    double *policy, *reference, *count, *change;
};

static enum status add_report(struct measures *out, const struct report *r,
                              const struct samples_table *t, struct scratch *s,
                              const struct bootstrap *plan, struct err *err)
{
    struct estimate e;
    samples_table_means(s->policy, s->count, t, true, r->value);
    samples_table_means(s->reference, s->count, t, false, r->value);
    if (r->delta != NULL) {
        TRY(summary_estimate_difference(&e, s->policy, s->reference, t->prompts,
                                        plan, err));
        measures_add(out, r->delta, &e);
    }
    if (r->policy != NULL) {
        TRY(summary_estimate_mean(&e, s->policy, t->prompts, plan, err));
        measures_add(out, r->policy, &e);
        TRY(summary_estimate_mean(&e, s->reference, t->prompts, plan, err));
        measures_add(out, r->reference, &e);
    }
    return OK;
}

static enum status add_ratio(struct measures *out, const char *name,
                             const struct samples_table *t,
                             enum samples_value above, enum samples_value below,
                             bool below_is_policy, struct scratch *s,
                             const struct bootstrap *plan, struct err *err)
{
    struct estimate e;
    samples_table_means(s->policy, s->count, t, true, above);
    samples_table_means(s->reference, s->count, t, below_is_policy, below);
    TRY(summary_estimate_ratio(&e, s->policy, s->reference, t->prompts, plan,
                               err));
    measures_add(out, name, &e);
    return OK;
}

static enum status add_wins(struct measures *out, struct measures *weak_gold,
                            const struct samples_table *t,
                            const struct bootstrap *plan, struct err *err)
{
    const struct {
        struct measures *out;
        const char *name;
        enum samples_value value;
    } rate[] = {
        {out, "rm_win_rate", SAMPLES_SCORE},
        {out, "gold_win_rate", SAMPLES_GOLD},
        {weak_gold, "win_rate", SAMPLES_WEAK},
    };
    enum status status = OK;
    size_t *prompt = NULL;
    double *win = NULL;
    struct estimate e;
    size_t n;
    TRY_DONE(MEM_NEW(prompt, t->n, err));
    TRY_DONE(MEM_NEW(win, t->n, err));
    for (size_t i = 0; i < sizeof rate / sizeof *rate; i++) {
        TRY_DONE(samples_table_wins(prompt, win, &n, t, rate[i].value, err));
        TRY_DONE(winrate_estimate(&e, prompt, win, n, t->prompts, plan, err));
        measures_add(rate[i].out, rate[i].name, &e);
    }
done:
    mem_free(prompt);
    mem_free(win);
    return status;
}

/* Columns of the reward model's and the weak gold's means of one model. */
static enum status add_correlation(struct measures *out, const char *name,
                                   const struct samples_table *t,
                                   bool is_policy, struct scratch *s,
                                   const struct bootstrap *plan,
                                   struct err *err)
{
    struct estimate e;
    samples_table_means(s->policy, s->count, t, is_policy, SAMPLES_SCORE);
    samples_table_means(s->reference, s->count, t, is_policy, SAMPLES_WEAK);
    TRY(summary_estimate_correlation(&e, s->policy, s->reference, t->prompts,
                                     plan, err));
    measures_add(out, name, &e);
    return OK;
}

/* Policy minus reference by prompt, into `change`; s->reference is scratch. */
static void changes(double *change, const struct samples_table *t,
                    enum samples_value v, struct scratch *s)
{
    samples_table_means(change, s->count, t, true, v);
    samples_table_means(s->reference, s->count, t, false, v);
    for (size_t p = 0; p < t->prompts; p++)
        change[p] -= s->reference[p];
}

static enum status measure_weak_gold(struct measures *out,
                                     const struct samples_table *t,
                                     struct scratch *s,
                                     const struct bootstrap *plan,
                                     struct err *err)
{
    static const struct report weak = {SAMPLES_WEAK, "delta", "policy",
                                       "reference"};
    struct estimate e;
    TRY(add_report(out, &weak, t, s, plan, err));
    changes(s->policy, t, SAMPLES_SCORE, s);
    changes(s->change, t, SAMPLES_WEAK, s);
    TRY(summary_estimate_correlation(&e, s->policy, s->change, t->prompts, plan,
                                     err));
    measures_add(out, "correlation", &e);
    TRY(add_correlation(out, "correlation_policy", t, true, s, plan, err));
    return add_correlation(out, "correlation_reference", t, false, s, plan,
                           err);
}

static enum status measure(struct measures *out, struct measures *weak_gold,
                           struct samples_table *t, struct scratch *s,
                           const struct bootstrap *plan, struct err *err)
{
    struct estimate e;
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++)
        TRY(add_report(out, &reports[i], t, s, plan, err));
    TRY(add_wins(out, weak_gold, t, plan, err));
    TRY(measure_weak_gold(weak_gold, t, s, plan, err));
    TRY(add_ratio(out, "length_ratio", t, SAMPLES_LEN, SAMPLES_LEN, false, s,
                  plan, err));
    TRY(add_ratio(out, "kl_per_token", t, SAMPLES_KL, SAMPLES_LEN, true, s,
                  plan, err));
    samples_table_means(s->policy, s->count, t, true, SAMPLES_KL);
    TRY(summary_estimate_mean(&e, s->policy, t->prompts, plan, err));
    measures_add(out, "kl_sequence_final", &e);
    return OK;
}

enum status samples_measure(struct measures *out, struct measures *weak_gold,
                            const char *path, const struct bootstrap *plan,
                            struct err *err)
{
    enum status status = OK;
    const struct samples_source source = {.path = path};
    struct samples_table t = {.n = 0};
    struct scratch s = {NULL, NULL, NULL, NULL};
    TRY_DONE(samples_table_read(&t, &source, err));
    TRY_DONE(samples_table_group(&t, err));
    TRY_DONE(MEM_NEW(s.policy, t.prompts, err));
    TRY_DONE(MEM_NEW(s.reference, t.prompts, err));
    TRY_DONE(MEM_NEW(s.count, t.prompts, err));
    TRY_DONE(MEM_NEW(s.change, t.prompts, err));
    TRY_DONE(measure(out, weak_gold, &t, &s, plan, err));
done:
    mem_free(s.policy);
    mem_free(s.reference);
    mem_free(s.count);
    mem_free(s.change);
    samples_table_free(&t);
    return status;
}
