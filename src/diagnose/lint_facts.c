/* What the settings come to, as the trainers' code reads them. */
#include <math.h>
#include <string.h>

#include "diagnose/lint_internal.h"

bool lint_is_openrlhf(const struct lint_case *c)
{
    return c->out->trainer == LINT_OPENRLHF ||
           c->out->trainer == LINT_OPENRLHF_FLAT;
}

/* ---- the penalty -------------------------------------------------------- */

static enum lint_estimator kind_of(const struct lint_value *v)
{
    static const struct {
        const char *word;
        enum lint_estimator kind;
    } words[] = {
        {"k1", LINT_K1},   {"kl", LINT_K1},     {"k2", LINT_K2},
        {"mse", LINT_K2},  {"k3", LINT_K3},     {"low_var_kl", LINT_K3},
        {"abs", LINT_ABS}, {"full", LINT_FULL},
    };
    if (!lint_is_known(v) || v->text == NULL)
        return LINT_UNDECIDED;
    size_t n = strlen(v->text);
    n -= n > 0 && v->text[n - 1] == '+';
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i].word) == n &&
            strncmp(words[i].word, v->text, n) == 0)
            return words[i].kind;
    }
    return LINT_REFUSED;
}

/* The names that a trainer takes, each between two bars. */
static const char *names_of(enum lint_trainer t)
{
    if (t == LINT_TRL_PPO)
        return "|k1|k3|";
    if (t == LINT_TRL_PPO_CLASSIC)
        return "|kl|abs|mse|full|";
    return t == LINT_VERL ? "|kl|k1|abs|mse|k2|low_var_kl|k3|" : "|k1|k2|k3|";
}

/* verl alone knows a '+' behind the name: the value with the gradient of k2.
 * In the reward it makes no difference. */
static enum lint_estimator refine(enum lint_trainer t, bool is_loss,
                                  const struct lint_value *v)
{
    enum lint_estimator kind = kind_of(v);
    char barred[32] = "|";
    if (kind == LINT_UNDECIDED || kind == LINT_REFUSED)
        return kind;
    size_t n = strlen(v->text);
    bool is_plus = t == LINT_VERL && v->text[n - 1] == '+';
    n -= is_plus;
    if (n + 3 > sizeof barred)
        return LINT_REFUSED;
    memcpy(barred + 1, v->text, n);
    barred[n + 1] = '|';
    if (strstr(names_of(t), barred) == NULL)
        return LINT_REFUSED;
    return is_plus && is_loss ? LINT_STRAIGHT : kind;
}

static struct lint_value fixed(const char *text)
{
    return (struct lint_value){.state = LINT_DEFAULTED,
                               .key = "",
                               .text = text,
                               .number = (double)NAN};
}

static enum lint_where as_where(const struct lint_value *v)
{
    if (lint_is_true(v))
        return LINT_YES;
    return lint_is_false(v) ? LINT_NO : LINT_MAYBE;
}

static enum lint_where opposite(enum lint_where w)
{
    return w == LINT_MAYBE ? LINT_MAYBE : w == LINT_YES ? LINT_NO : LINT_YES;
}

static void find_openrlhf(struct lint_case *c)
{
    struct lint_value old = lint_get(c, LINT_OLD_K3);
    c->reward.use = c->loss.use = lint_get(c, LINT_USE_LOSS);
    c->loss.is_on = as_where(&c->loss.use);
    c->reward.is_on = opposite(c->loss.is_on);
    if (lint_is_true(&old)) {
        c->reward.estimator = c->loss.estimator = old;
        c->reward.kind = c->loss.kind = LINT_K3;
    }
}

void lint_find_penalty(struct lint_case *c)
{
    const enum lint_trainer t = c->out->trainer;
    c->reward = (struct lint_penalty){
        .coef = lint_get(c, LINT_REWARD_COEF),
        .estimator = lint_get(c, LINT_REWARD_ESTIMATOR),
    };
    c->loss = (struct lint_penalty){
        .coef = lint_get(c, LINT_LOSS_COEF),
        .estimator = lint_get(c, LINT_LOSS_ESTIMATOR),
    };
    if (c->reward.estimator.state == LINT_NONE)
        c->reward.estimator = fixed("k1");
    if (c->loss.estimator.state == LINT_NONE)
        c->loss.estimator = fixed("k3");
    c->reward.kind = refine(t, false, &c->reward.estimator);
    c->loss.kind = refine(t, true, &c->loss.estimator);
    c->reward.is_on = c->loss.is_on = LINT_NO;
    if (lint_is_openrlhf(c)) {
        find_openrlhf(c);
    } else if (t == LINT_VERL) {
        c->reward.use = lint_get(c, LINT_USE_REWARD);
        c->loss.use = lint_get(c, LINT_USE_LOSS);
        c->reward.is_on = as_where(&c->reward.use);
        c->loss.is_on = as_where(&c->loss.use);
    } else {
        c->reward.is_on =
            c->reward.coef.state == LINT_NONE ? LINT_NO : LINT_YES;
        c->loss.is_on = c->loss.coef.state == LINT_NONE ? LINT_NO : LINT_YES;
    }
}

bool lint_is_on(const struct lint_penalty *p)
{
    bool is_zero = lint_is_number(&p->coef) && p->coef.number == 0;
    return p->is_on == LINT_YES && !is_zero;
}

/* ---- the plan ----------------------------------------------------------- */

static double value(const struct lint_value *v)
{
    return lint_is_number(v) && v->number > 0 ? v->number : (double)NAN;
}

/* Processes of a launcher, NaN where it is not said. */
static double processes(const struct lint_case *c)
{
    static const char *const word[] = {"num_processes", "nproc_per_node",
                                       "world_size"};
    for (size_t i = 0; i < sizeof word / sizeof *word; i++) {
        struct lint_value v = lint_find(c, word[i]);
        if (lint_is_number(&v) && v.number >= 1)
            return v.number;
    }
    return (double)NAN;
}

/* Classic TRL: `steps` episodes in batches of `batch_size`, each process one
 * of its own. */
static struct lint_plan plan_classic(const struct lint_case *c)
{
    struct lint_value batch = lint_get(c, LINT_BATCH);
    struct lint_value steps = lint_get(c, LINT_STEPS);
    struct lint_value epochs = lint_get(c, LINT_EPOCHS);
    struct lint_value mini = lint_get(c, LINT_MINIBATCH);
    struct lint_value times = lint_get(c, LINT_ACCUMULATION);
    double many = processes(c);
    return (struct lint_plan){
        .episodes = value(&batch) * (isnan(many) ? 1 : many),
        .updates = ceil(value(&steps) / value(&batch)),
        .steps =
            value(&epochs) * value(&batch) / (value(&mini) * value(&times)),
        .is_stated = lint_is_given(&steps),
        .is_processes = !isnan(many),
    };
}

static struct lint_plan plan_openrlhf(const struct lint_case *c)
{
    struct lint_value batch = lint_get(c, LINT_BATCH);
    struct lint_value samples = lint_get(c, LINT_SAMPLES);
    struct lint_value prompts = lint_get(c, LINT_STEPS);
    struct lint_value episodes = lint_get(c, LINT_EPISODES);
    struct lint_value epochs = lint_get(c, LINT_EPOCHS);
    struct lint_value mini = lint_get(c, LINT_MINIBATCH);
    double n = value(&batch) * value(&samples);
    bool is_stated = lint_is_given(&prompts);
    return (struct lint_plan){
        .episodes = n,
        .updates =
            is_stated ? value(&episodes) * ceil(value(&prompts) / value(&batch))
                      : (double)NAN,
        .steps = value(&epochs) * ceil(n / value(&mini)),
        .is_stated = is_stated,
        .is_processes = true,
    };
}

static struct lint_plan plan_verl(const struct lint_case *c)
{
    struct lint_value batch = lint_get(c, LINT_BATCH);
    struct lint_value samples = lint_get(c, LINT_SAMPLES);
    struct lint_value steps = lint_get(c, LINT_STEPS);
    struct lint_value epochs = lint_get(c, LINT_EPOCHS);
    struct lint_value mini = lint_get(c, LINT_MINIBATCH);
    return (struct lint_plan){
        .episodes = value(&batch) * value(&samples),
        .updates = value(&steps),
        .steps = value(&epochs) * ceil(value(&batch) / value(&mini)),
        .is_stated = lint_is_given(&steps),
        .is_processes = true,
    };
}

/* Passes times minibatches; of TRL since 0.12. */
static struct lint_plan plan_trl(const struct lint_case *c)
{
    struct lint_value epochs = lint_get(c, LINT_EPOCHS);
    struct lint_value mini = lint_get(c, LINT_MINIBATCH);
    struct lint_value times = lint_get(c, LINT_ACCUMULATION);
    struct lint_plan p = {.episodes = (double)NAN, .updates = (double)NAN};
    p.steps = value(&epochs);
    if (times.state == LINT_NONE)
        p.steps *= value(&mini);
    else if (lint_is_given(&mini))
        p.steps *= fmax(1, value(&mini) / value(&times));
    return p;
}

struct lint_plan lint_find_plan(const struct lint_case *c)
{
    if (c->out->trainer == LINT_TRL_PPO_CLASSIC)
        return plan_classic(c);
    if (lint_is_openrlhf(c))
        return plan_openrlhf(c);
    return c->out->trainer == LINT_VERL ? plan_verl(c) : plan_trl(c);
}

/* ---- advantages --------------------------------------------------------- */

static const char *std_verl(const struct lint_case *c, struct lint_value *at)
{
    struct lint_value by = lint_get(c, LINT_ADVANTAGE);
    struct lint_value norm = lint_get(c, LINT_STD_NORM);
    if (lint_is_text(&by, "grpo") || lint_is_text(&by, "grpo_vectorized")) {
        *at = norm;
        return lint_is_true(&norm) ? "the standard deviation of its group"
                                   : NULL;
    }
    *at = by;
    if (lint_is_text(&by, "gae") || lint_is_text(&by, "reinforce_plus_plus") ||
        lint_is_text(&by, "reinforce_plus_plus_baseline") ||
        lint_is_text(&by, "gdpo"))
        return "the standard deviation of the batch";
    return NULL;
}

static const char *std_openrlhf(const struct lint_case *c,
                                struct lint_value *at)
{
    struct lint_value by = lint_get(c, LINT_ADVANTAGE);
    struct lint_value off = lint_get(c, LINT_STD_NORM);
    *at = by;
    if (lint_is_text(&by, "group_norm"))
        return "the standard deviation of its group";
    bool is_batch = lint_is_text(&by, "gae") ||
                    lint_is_text(&by, "reinforce") ||
                    lint_is_text(&by, "reinforce_baseline");
    return is_batch && lint_is_false(&off)
               ? "the standard deviation of the batch"
               : NULL;
}

static const char *std_grpo(const struct lint_case *c, struct lint_value *at)
{
    *at = lint_get(c, LINT_STD_NORM);
    if (lint_is_text(at, "batch"))
        return "the standard deviation of the batch";
    return lint_is_text(at, "group") || lint_is_true(at)
               ? "the standard deviation of its group"
               : NULL;
}

const char *lint_std_norm(const struct lint_case *c, struct lint_value *at)
{
    if (c->out->trainer == LINT_TRL_GRPO)
        return std_grpo(c, at);
    if (lint_is_openrlhf(c))
        return std_openrlhf(c, at);
    return c->out->trainer == LINT_VERL ? std_verl(c, at) : NULL;
}
