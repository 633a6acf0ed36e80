/* Normalisers: what changes the price of a nat behind the coefficient's back.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diagnose/lint_internal.h"

static const char *std_fix(struct lint_case *c)
{
    struct lint_value by = lint_get(c, LINT_ADVANTAGE);
    if (c->out->trainer == LINT_TRL_GRPO)
        return lint_flag(c, LINT_STD_NORM, "none");
    if (lint_is_openrlhf(c))
        return lint_is_text(&by, "group_norm")
                   ? lint_flag(c, LINT_ADVANTAGE, "dr_grpo")
                   : lint_flag(c, LINT_STD_NORM, "true");
    return lint_is_text(&by, "grpo") || lint_is_text(&by, "grpo_vectorized")
               ? lint_flag(c, LINT_STD_NORM, "False")
               : "algorithm.use_kl_in_reward=True "
                 "actor_rollout_ref.actor.use_kl_loss=False";
}

void lint_scale_std_kl(struct lint_case *c)
{
    struct lint_value at;
    const char *by = lint_std_norm(c, &at);
    if (by == NULL || !lint_is_on(&c->loss))
        return;
    lint_add(c, LINT_WARNING, &at, std_fix(c),
             "an advantage is divided by %s, the KL term in the loss is not: "
             "in units of the reward a nat costs %s times that deviation, and "
             "as rewards become alike the price goes to 0 with it",
             by, c->loss.coef.text);
}

void lint_scale_std_group(struct lint_case *c)
{
    struct lint_value at;
    const char *by = lint_std_norm(c, &at);
    bool is_group = by != NULL && strstr(by, "group") != NULL;
    if (!is_group || lint_is_on(&c->loss))
        return;
    lint_add(c, LINT_NOTE, &at, std_fix(c),
             "an advantage is divided by %s: prompts whose responses score "
             "nearly alike weigh as much as those where it makes a difference",
             by);
}

void lint_scale_score(struct lint_case *c)
{
    struct lint_value norm = lint_get(c, LINT_SCORE_NORM);
    struct lint_value by = lint_get(c, LINT_ADVANTAGE);
    const char *what = NULL, *fix = "";
    if (!lint_is_on(&c->reward))
        return;
    if (lint_is_true(&norm)) {
        bool is_classic = c->out->trainer == LINT_TRL_PPO_CLASSIC;
        what = is_classic ? "a running standard deviation of the scores"
                          : "the standard deviation of the batch's scores";
        fix = lint_flag(c, LINT_SCORE_NORM, "false");
    } else if (lint_is_openrlhf(c) && lint_is_text(&by, "group_norm")) {
        what = "the standard deviation of its group";
        fix = lint_flag(c, LINT_ADVANTAGE, "dr_grpo");
        norm = by;
    }
    if (what == NULL)
        return;
    lint_add(c, LINT_WARNING, &norm, fix,
             "the score alone is divided by %s and the KL is added after "
             "that: a nat costs %s times that deviation of the scores, and "
             "the price changes whenever it does",
             what, c->reward.coef.text);
}

/* Dr. GRPO: 1/|o| in the loss. */
void lint_scale_length(struct lint_case *c)
{
    struct lint_value at = lint_get(c, LINT_AGGREGATION);
    struct lint_value device = lint_get(c, LINT_DEVICE_BATCH);
    bool is_single = lint_is_number(&device) && device.number == 1;
    bool is_grpo = c->out->trainer == LINT_TRL_GRPO;
    bool is_mean = is_grpo ? lint_is_text(&at, "grpo") ||
                                 lint_is_text(&at, "sapo") ||
                                 (lint_is_text(&at, "bnpo") && is_single)
                           : lint_is_text(&at, "seq-mean-token-mean");
    if (!is_mean)
        return;
    lint_add(c, LINT_WARNING, &at,
             is_grpo
                 ? lint_flag(c, LINT_AGGREGATION, "dr_grpo")
                 : lint_flag(c, LINT_AGGREGATION, "seq-mean-token-sum-norm"),
             "the loss of a response is divided by its own length%s: one twice "
             "as long is punished half as much a token, for a bad score as "
             "for its KL, and bad responses get longer",
             is_single && lint_is_text(&at, "bnpo")
                 ? " (bnpo with one response a device)"
                 : "");
}

/* The first number of "-10 10", as a size. */
static double bound(const char *text)
{
    return text != NULL ? fabs(strtod(text, NULL)) : (double)NAN;
}

void lint_scale_clip(struct lint_case *c)
{
    struct lint_value clip = lint_get(c, LINT_SCORE_CLIP);
    const char *usual = lint_key_of(c->out->trainer, LINT_SCORE_CLIP)->fallback;
    bool is_usual = usual != NULL && lint_is_text(&clip, usual);
    double most =
        lint_is_given(&clip) && !is_usual ? bound(clip.text) : (double)NAN;
    if (!lint_is_on(&c->reward) || !lint_is_number(&c->reward.coef) ||
        !(most > 0) || !(c->reward.coef.number > 0))
        return;
    lint_add(c, LINT_NOTE, &clip, "",
             "scores beyond %g look alike, the KL is charged in full: the "
             "whole range of scores is worth %.4g nats at %g a nat, and a "
             "score that is often at the bound teaches nothing",
             most, 2 * most / c->reward.coef.number, c->reward.coef.number);
}

void lint_scale_whiten(struct lint_case *c)
{
    struct lint_value v = lint_get(c, LINT_WHITEN);
    if (!lint_is_true(&v))
        return;
    lint_add(c, LINT_NOTE, &v, lint_flag(c, LINT_WHITEN, "false"),
             "score and KL are divided by one deviation, so the price of a nat "
             "stays what it is; the size of the score is lost, and published "
             "runs with it gave shorter responses that people liked less");
}
