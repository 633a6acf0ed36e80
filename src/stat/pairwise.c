#include "stat/pairwise.h"

#include <math.h>
#include <stdbool.h>

#include "base/mem.h"
#include "stat/winrate.h"

/* What a pair is asked; NaN: it does not belong to the question. */
static double ask_model(const struct pairwise_pair *p)
{
    return winrate_of(p->better.score, p->worse.score);
}

static double ask_tokens(const struct pairwise_pair *p)
{
    return winrate_of(p->better.tokens, p->worse.tokens);
}

static double ask_characters(const struct pairwise_pair *p)
{
    return winrate_of(p->better.characters, p->worse.characters);
}

static double ask_longer(const struct pairwise_pair *p)
{
    return p->better.tokens > p->worse.tokens ? ask_model(p) : (double)NAN;
}

static double ask_shorter(const struct pairwise_pair *p)
{
    return p->better.tokens < p->worse.tokens ? ask_model(p) : (double)NAN;
}

static double ask_over_tokens(const struct pairwise_pair *p)
{
    return ask_model(p) - ask_tokens(p);
}

static double ask_over_characters(const struct pairwise_pair *p)
{
    return ask_model(p) - ask_characters(p);
}

static const struct question {
    const char *name;
    double (*ask)(const struct pairwise_pair *p);
    bool is_share; // between 0 and 1, and no difference of such
} questions[] = {
    {"accuracy", ask_model, true},
    {"accuracy_chosen_longer", ask_longer, true},
    {"accuracy_chosen_shorter", ask_shorter, true},
    {"length_rule_accuracy", ask_tokens, true},
    {"accuracy_over_length_rule", ask_over_tokens, false},
    {"length_rule_accuracy_characters", ask_characters, true},
    {"accuracy_over_length_rule_characters", ask_over_characters, false},
};

enum status pairwise_measure(struct measures *out,
                             const struct pairwise_pair *pair, size_t n,
                             size_t n_prompts, const struct bootstrap *plan,
                             struct err *err)
{
    enum status status = OK;
    size_t *prompt = NULL;
    double *answer = NULL;
    TRY_DONE(MEM_NEW(prompt, n, err));
    TRY_DONE(MEM_NEW(answer, n, err));
    for (size_t i = 0; i < n; i++)
        prompt[i] = pair[i].prompt;
    for (size_t q = 0; q < sizeof questions / sizeof *questions; q++) {
        struct estimate e;
        for (size_t i = 0; i < n; i++)
            answer[i] = questions[q].ask(&pair[i]);
        /* A mean over pairs with the prompt as its unit, whatever is asked of
         * a pair: of the differences too. */
        TRY_DONE(winrate_estimate(&e, prompt, answer, n, n_prompts, plan, err));
        if (questions[q].is_share && e.low == e.high)
            e = winrate_share(e.estimate * (double)e.n, e.n, plan->level);
        measures_add(out, questions[q].name, &e);
    }
done:
    mem_free(answer);
    mem_free(prompt);
    return status;
}

enum pairwise_verdict pairwise_compare(const struct estimate *e, double bound)
{
    if (e->low > bound)
        return PAIRWISE_ABOVE;
    return e->high < bound ? PAIRWISE_BELOW : PAIRWISE_OPEN;
}

void pairwise_words(struct buf *out, const struct measures *m)
{
    static const char *const guessing[] = {
        [PAIRWISE_OPEN] = "the reward model cannot be told from guessing: the "
                          "interval of its accuracy covers 50 %",
        [PAIRWISE_ABOVE] = "the reward model orders held-out pairs better than "
                           "guessing",
        [PAIRWISE_BELOW] = "the reward model orders held-out pairs worse than "
                           "guessing",
    };
    static const char *const rule[] = {
        [PAIRWISE_OPEN] = "cannot be told from the rule that the longer "
                          "response is better",
        [PAIRWISE_ABOVE] = "is better than the rule that the longer response "
                           "is better",
        [PAIRWISE_BELOW] = "is worse than the rule that the longer response "
                           "is better",
    };
    struct estimate accuracy = measures_find(m, "accuracy");
    struct estimate over = measures_find(m, "accuracy_over_length_rule");
    if (accuracy.n == 0) {
        buf_puts(out, "no pair was held out: nothing is known of the reward "
                      "model's accuracy");
        return;
    }
    if (!isfinite(accuracy.low)) {
        buf_puts(out, "too few prompts were held out to tell the reward model "
                      "from guessing");
        return;
    }
    buf_printf(out, "%s; it %s", guessing[pairwise_compare(&accuracy, 0.5)],
               rule[pairwise_compare(&over, 0)]);
}

void pairwise_numbers(struct buf *out, const struct measures *m, size_t pairs)
{
    struct estimate own = measures_find(m, "accuracy");
    struct estimate rule = measures_find(m, "length_rule_accuracy");
    buf_printf(out, "held-out pairs ordered right: %.3f ", own.estimate);
    if (isfinite(own.low) && isfinite(own.high))
        buf_printf(out, "[%.3f, %.3f] of %zu", own.low, own.high, pairs);
    else
        buf_printf(out, "of %zu (no interval can be told from %zu prompt%s)",
                   pairs, own.n, own.n == 1 ? "" : "s");
    buf_printf(out, "; by the rule that the longer one is better: %.3f",
               rule.estimate);
}
