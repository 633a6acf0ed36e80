/* How rollouts are drawn, and how much is learned from one batch of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diagnose/lint_internal.h"

/* A sampler that cuts tokens off or weighs them anew, while log-probabilities
 * are those of the whole softmax. */
static void cut(struct lint_case *c, const struct lint_value *v, bool is_cut,
                const char *off)
{
    if (is_cut)
        lint_add(c, LINT_WARNING, v, off,
                 "tokens are drawn from a changed distribution and their "
                 "log-probabilities taken from the unchanged one: ratio and KL "
                 "are of another policy than the one that spoke, and k1 may go "
                 "negative");
}

void lint_steps_sampling(struct lint_case *c)
{
    bool is_classic = c->out->trainer == LINT_TRL_PPO_CLASSIC;
    struct lint_value p =
        is_classic ? lint_find(c, "top_p") : lint_get(c, LINT_TOP_P);
    struct lint_value k =
        is_classic ? lint_find(c, "top_k") : lint_get(c, LINT_TOP_K);
    struct lint_value m = lint_get(c, LINT_MIN_P);
    struct lint_value r = lint_get(c, LINT_REPETITION);
    cut(c, &p, lint_is_number(&p) && p.number < 1,
        is_classic ? "top_p 1.0" : lint_flag(c, LINT_TOP_P, "1.0"));
    cut(c, &k, lint_is_number(&k) && k.number > 0,
        is_classic ? "top_k 0"
                   : lint_flag(c, LINT_TOP_K,
                               c->out->trainer == LINT_VERL ? "-1" : "0"));
    cut(c, &m, lint_is_number(&m) && m.number > 0, "leave --min_p out");
    cut(c, &r, lint_is_number(&r) && r.number != 1,
        lint_flag(c, LINT_REPETITION, "1.0"));
}

/* Classic TRL samples by keyword arguments of the caller's and takes
 * log-probabilities at temperature 1. */
void lint_steps_temperature(struct lint_case *c)
{
    struct lint_value t = lint_find(c, "temperature");
    if (c->out->trainer != LINT_TRL_PPO_CLASSIC || !lint_is_given(&t) ||
        !lint_is_number(&t) || t.number == 1)
        return;
    lint_add(c, LINT_ERROR, &t, "temperature 1.0",
             "this trainer takes log-probabilities at temperature 1: ratio, "
             "reward and KL are of another policy than the one that spoke at "
             "%g",
             t.number);
}

void lint_steps_tempered(struct lint_case *c)
{
    struct lint_value t = lint_get(c, LINT_TEMPERATURE);
    if (!lint_is_number(&t) || t.number == 1)
        return;
    if (t.number <= 0) {
        lint_add(c, LINT_ERROR, &t, lint_flag(c, LINT_TEMPERATURE, "1.0"),
                 "a temperature of %g draws the same response every time, or "
                 "none",
                 t.number);
        return;
    }
    bool is_rloo = c->out->trainer == LINT_TRL_RLOO;
    lint_add(c, LINT_NOTE, &t, lint_flag(c, LINT_TEMPERATURE, "1.0"),
             "policy and reference are %scompared at temperature %g: the KL "
             "that is charged and logged is that of the tempered models, not "
             "of those one loads",
             is_rloo ? "sampled and " : "", t.number);
}

#define MANY_STEPS 16
#define WIDE 0.3

void lint_steps_many(struct lint_case *c)
{
    struct lint_value at = lint_get(c, LINT_EPOCHS);
    struct lint_plan plan = lint_find_plan(c);
    if (!lint_is_on(&c->reward) || !(plan.steps >= MANY_STEPS))
        return;
    lint_add(c, LINT_WARNING, &at, lint_flag(c, LINT_EPOCHS, "1"),
             "%.0f optimiser steps on one batch of rollouts: the KL in the "
             "reward is that of the policy which sampled, and from the second "
             "step on it charges where the policy was, not where it goes",
             plan.steps);
}

static double second(const char *text)
{
    const char *blank = text != NULL ? strchr(text, ' ') : NULL;
    return blank != NULL ? strtod(blank, NULL) : (double)NAN;
}

/* The wider side of the clip. */
static struct lint_value widest(const struct lint_case *c)
{
    struct lint_value low = lint_get(c, LINT_CLIP);
    struct lint_value high = lint_get(c, LINT_CLIP_HIGH);
    if (lint_is_known(&high) && isnan(high.number))
        high.number = second(high.text);
    bool is_high = lint_is_number(&high) &&
                   !(lint_is_number(&low) && low.number > high.number);
    return is_high ? high : low;
}

void lint_steps_clip(struct lint_case *c)
{
    struct lint_value v = widest(c);
    struct lint_value loss = lint_get(c, LINT_AGGREGATION);
    struct lint_plan plan = lint_find_plan(c);
    /* Losses whose clip is not on the ratio of a token. */
    struct lint_value mode = lint_find(c, "loss_mode");
    bool is_other = lint_is_text(&loss, "cispo") ||
                    (lint_is_given(&mode) && !lint_is_text(&mode, "vanilla"));
    if (!lint_is_number(&v) || v.number <= WIDE || !(plan.steps > 1) ||
        is_other)
        return;
    lint_add(c, LINT_WARNING, &v, lint_flag(c, LINT_CLIP, "0.2"),
             "a token keeps its gradient until it is %g times as likely as "
             "when it was drawn, and %.0f steps are taken on a batch: the clip "
             "bounds a batch's step, never the drift from the reference, and "
             "this wide it hardly bounds the step",
             1 + v.number, plan.steps);
}

/* Far above what the trainer itself comes with. */
void lint_steps_rate(struct lint_case *c)
{
    struct lint_value v = lint_get(c, LINT_LR);
    struct lint_value lora = lint_get(c, LINT_LORA);
    const struct lint_key *k = lint_key_of(c->out->trainer, LINT_LR);
    if (!lint_is_given(&v) || !lint_is_number(&v) || k->fallback == NULL)
        return;
    struct lint_value rank = lint_find(c, "lora_r");
    bool is_lora = lint_is_true(&lora) ||
                   (lint_is_number(&lora) && lora.number > 0) ||
                   (lint_is_number(&rank) && rank.number > 0);
    double usual = strtod(k->fallback, NULL);
    if (lora.state == LINT_UNKNOWN || v.number <= usual * (is_lora ? 200 : 20))
        return;
    lint_add(
        c, LINT_WARNING, &v, lint_flag(c, LINT_LR, k->fallback),
        "%.0f times this trainer's default of %s%s: the penalty is charged "
        "for where the policy was, and does not hold back the step that "
        "takes it away",
        v.number / usual, k->fallback, is_lora ? ", even for LoRA" : "");
}

static bool is_gae(const struct lint_case *c)
{
    struct lint_value by = lint_get(c, LINT_ADVANTAGE);
    return by.state == LINT_NONE || lint_is_text(&by, "gae");
}

void lint_steps_discount(struct lint_case *c)
{
    struct lint_value g = lint_get(c, LINT_GAMMA);
    struct lint_value length = lint_get(c, LINT_LENGTH);
    struct lint_value by = lint_get(c, LINT_ADVANTAGE);
    bool is_read = is_gae(c) || lint_is_text(&by, "reinforce") ||
                   lint_is_text(&by, "reinforce_plus_plus");
    if (!is_read || !lint_is_number(&g) || g.number >= 1)
        return;
    const char *far = "";
    if (lint_is_number(&length) && g.number > 0)
        far = lint_print(c, "; over %g tokens %.2g of it is left",
                         length.number, pow(g.number, length.number));
    lint_add(c, LINT_WARNING, &g, lint_flag(c, LINT_GAMMA, "1.0"),
             "the score stands at the last token and is discounted by %g for "
             "each before it%s; longer responses are worth less to their own "
             "beginning, and a nat of KL spent early costs as much as ever",
             g.number, far);
}

void lint_steps_lambda(struct lint_case *c)
{
    struct lint_value l = lint_get(c, LINT_LAMBDA);
    struct lint_value length = lint_get(c, LINT_LENGTH);
    if (!is_gae(c) || !lint_is_number(&l) || l.number >= 1 ||
        !lint_is_number(&length) || !(l.number > 0))
        return;
    double left = pow(l.number, length.number);
    if (left >= 0.05)
        return;
    lint_add(c, LINT_NOTE, &l, lint_flag(c, LINT_LAMBDA, "1.0"),
             "of a surprise at the end %.2g reaches a token %g before it: what "
             "early tokens are paid, score and KL alike, is what the value "
             "model says, so watch its explained variance",
             left, length.number);
}
