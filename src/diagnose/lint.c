#include "diagnose/lint.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "diagnose/lint_internal.h"

/* ---- what cannot be decided --------------------------------------------- */

static bool is_offline(enum lint_trainer t)
{
    return t == LINT_TRL_OFFLINE || t == LINT_OPENRLHF_OFFLINE;
}

void lint_offline(struct lint_case *c)
{
    struct lint_value none = {.state = LINT_DEFAULTED, .key = ""};
    if (is_offline(c->out->trainer))
        lint_add(c, LINT_NOTE, &none, "",
                 "this trainer draws no responses and has no KL in its reward "
                 "(the beta of DPO is a part of its loss); there is no penalty "
                 "to look at");
}

void lint_guessed(struct lint_case *c)
{
    struct lint_value none = {.state = LINT_DEFAULTED, .key = ""};
    if (c->other != NULL)
        lint_add(
            c, LINT_NOTE, &none,
            lint_print(c, "plumb lint --trainer %s where it is that", c->other),
            "the settings fit %s just as well as %s, which they were "
            "taken for",
            c->other, lint_trainer_id(c->out->trainer));
}

/* A file of settings that a command line names: it may say anything. */
void lint_other_file(struct lint_case *c)
{
    static const char *const ours[] = {"ppo_trainer", "ppo_megatron_trainer"};
    bool is_verl = c->out->trainer == LINT_VERL;
    struct lint_value v = lint_find(c, is_verl ? "config_name" : "config");
    if (!lint_is_given(&v) || v.text == NULL)
        return;
    for (size_t i = 0; is_verl && i < sizeof ours / sizeof *ours; i++) {
        if (strcmp(v.text, ours[i]) == 0)
            return;
    }
    lint_add(c, LINT_NOTE, &v, lint_print(c, "plumb lint %s", v.text),
             "settings that stand in that file were not seen; what is said "
             "here of defaults holds only where it leaves them alone");
}

void lint_undecided(struct lint_case *c)
{
    struct lint_value first = {.state = LINT_NONE};
    size_t n = 0;
    for (int s = 0; s < LINT_SETTINGS; s++) {
        struct lint_value v = lint_get(c, (enum lint_setting)s);
        if (v.state != LINT_UNKNOWN)
            continue;
        if (n++ == 0)
            first = v;
    }
    if (n == 0)
        return;
    first.text = NULL;
    lint_add(c, LINT_NOTE, &first, "give the values in the file",
             "the value of %s%s is not in the file; rules that need it said "
             "nothing",
             first.key,
             n > 1 ? lint_print(c, ", and of %zu more settings,", n - 1) : "");
}

/* ---- the table ---------------------------------------------------------- */

#define IDENTITY                                                               \
    "exact by enumeration (src/rlhf/kl.h); Tang and Munos 2506.09477, Shah "   \
    "et "                                                                      \
    "al. 2512.21852"
#define CONTROLLER "the controller's own formula (Ziegler et al. 1909.08593)"
#define CODE "the trainer's code (docs/lint.md)"

static const struct row {
    struct lint_rule_text text;
    lint_rule_fn fn;
} rows[] = {
    {{"k1-in-loss", "k1 is differentiated in the loss", IDENTITY},
     lint_kl_in_loss},
    {{"k3-in-reward", "k3 is the penalty in the reward", IDENTITY},
     lint_kl_in_reward_k3},
    {{"k2-in-reward", "k2 (mse) is the penalty in the reward",
      "by enumeration (tests/diagnose/test_lint_claims.c)"},
     lint_kl_in_reward_k2},
    {{"abs-in-reward", "|k1| is the penalty in the reward",
      "by enumeration (tests/diagnose/test_lint_claims.c)"},
     lint_kl_in_reward_abs},
    {{"full-in-reward", "the full sum is the penalty in the reward",
      "by enumeration (tests/diagnose/test_lint_claims.c)"},
     lint_kl_in_reward_full},
    {{"abs-in-loss", "|k1| is differentiated in the loss",
      "by enumeration (tests/diagnose/test_lint_claims.c)"},
     lint_kl_in_loss_abs},
    {{"estimator-refused", "an estimator that the trainer does not take", CODE},
     lint_kl_refused},
    {{"k3-in-loss", "k3 is differentiated in the loss",
      IDENTITY "; 500 random problems at 0.3 to 2 deviations"},
     lint_kl_in_loss_k3},
    {{"k1-clamped", "k1 in the reward is cut to 10 nats a token",
      "by enumeration (tests/diagnose/test_lint_claims.c)"},
     lint_kl_clamped_reward},
    {{"loss-clamped", "k2 or k3 in the loss is cut to 10 nats a token",
      "by enumeration (tests/diagnose/test_lint_claims.c)"},
     lint_kl_clamped_loss},
    {{"kl-loss-off-policy", "KL in the loss, several steps on a batch",
      "Liu et al. 2510.01555: off policy the term needs the weight pi/pi_old"},
     lint_kl_off_policy},
    {{"no-penalty", "no KL penalty at all", CODE}, lint_price_none},
    {{"penalty-unread", "a coefficient that nothing reads", CODE},
     lint_price_unread},
    {{"penalty-negative", "a coefficient below 0", CODE}, lint_price_negative},
    {{"penalty-twice", "KL in the reward and in the loss", CODE},
     lint_price_twice},
    {{"price-not-binding", "a coefficient that lets KL rise beyond 100 nats",
      "KL* = deviation^2 / (2 coefficient^2) for Gaussian scores"},
     lint_price_low},
    {{"reference-moves", "the reference follows the policy", CODE},
     lint_price_reference_moves},
    {{"controller-from-zero", "an adaptive coefficient that starts at 0",
      CONTROLLER},
     lint_control_from_zero},
    {{"controller-slow", "an adaptive coefficient that cannot even double",
      CONTROLLER},
     lint_control_slow},
    {{"target-unreachable", "a target that the KL fed to it never meets",
      CONTROLLER "; what each trainer feeds to it is in its code"},
     lint_control_unreachable},
    {{"controller-unstable", "an adaptive coefficient that can reach 0",
      CONTROLLER},
     lint_control_unstable},
    {{"controller-unread", "a setting of a controller that is off", CODE},
     lint_control_unread},
    {{"controller-unsupported", "OpenRLHF's adaptive controller",
      "openrlhf/trainer/ppo_trainer.py, since 0.9.1"},
     lint_control_unsupported},
    {{"std-with-kl-loss", "advantages divided by a deviation, KL in the loss",
      "50 actions, coefficient 0.5: KL 4.40 in place of 1.55"},
     lint_scale_std_kl},
    {{"std-of-group", "advantages divided by their group's deviation",
      "Dr. GRPO 2503.20783"},
     lint_scale_std_group},
    {{"score-normalised-alone", "the score is normalised, the KL is not", CODE},
     lint_scale_score},
    {{"length-normaliser", "the loss of a response divided by its length",
      "Dr. GRPO 2503.20783"},
     lint_scale_length},
    {{"score-clipped", "scores are bounded before the KL is added", CODE},
     lint_scale_clip},
    {{"rewards-whitened", "token rewards are whitened",
      "N+ implementation details 2403.17031, detail 24"},
     lint_scale_whiten},
    {{"stop-token-unset", "generation that does not end at EOS", CODE},
     lint_end_stop_token},
    {{"pad-is-eos", "the pad token is EOS", CODE "; TRL issues 3750, 5338"},
     lint_end_pad},
    {{"pad-unseen", "a pad token that the file does not tell", CODE},
     lint_end_pad_unseen},
    {{"eos-penalty-unset", "no price on a response that does not end",
      "N+ implementation details 2403.17031, detail 23; TRL's documentation"},
     lint_end_penalty},
    {{"eos-penalty-sign", "a missing-EOS penalty below 0", CODE},
     lint_end_penalty_sign},
    {{"truncation-unpunished", "responses cut at their limit score as others",
      CODE},
     lint_end_truncated},
    {{"eos-suppressed", "a least length of responses", "TRL issues 1002, 1003"},
     lint_end_suppressed},
    {{"sampling-truncated", "top-p, top-k, min-p or a repetition penalty",
      "TRL issue 925"},
     lint_steps_sampling},
    {{"temperature-mismatch", "sampled at one temperature, scored at another",
      CODE "; TRL issues 925, 2358"},
     lint_steps_temperature},
    {{"tempered", "a sampling temperature other than 1", CODE},
     lint_steps_tempered},
    {{"stale-price", "16 or more optimiser steps on a batch",
      "KL in the reward is a constant of the batch"},
     lint_steps_many},
    {{"wide-clip", "a clip above 0.3 with several steps on a batch",
      "Schulman et al. 1707.06347: the clip is on the ratio to pi_old"},
     lint_steps_clip},
    {{"learning-rate", "a learning rate far above the trainer's own",
      "20 times its default, 200 times with LoRA"},
     lint_steps_rate},
    {{"discount", "gamma below 1", "gamma^length"}, lint_steps_discount},
    {{"lambda", "lambda below 1 and long responses",
      "(gamma lambda)^distance of generalised advantages"},
     lint_steps_lambda},
    {{"no-rollouts", "a trainer without a KL in its reward", CODE},
     lint_offline},
    {{"trainer-guessed", "settings that fit two trainers", ""}, lint_guessed},
    {{"other-file", "a file of settings that was not read", ""},
     lint_other_file},
    {{"undecided", "values that the file does not say", ""}, lint_undecided},
};

#define N_ROWS (sizeof rows / sizeof *rows)

size_t lint_rule_count(void)
{
    return N_ROWS;
}

struct lint_rule_text lint_rule(size_t i)
{
    return rows[i].text;
}

/* ---- applying it -------------------------------------------------------- */

void lint_add(struct lint_case *c, enum lint_severity severity,
              const struct lint_value *at, const char *fix, const char *fmt,
              ...)
{
    struct lint *out = c->out;
    struct buf why;
    va_list args;
    buf_init(&why, 4096);
    va_start(args, fmt);
    buf_vprintf(&why, fmt, args);
    va_end(args);
    struct lint_finding f = {
        .id = rows[c->rule].text.id,
        .evidence = rows[c->rule].text.evidence,
        .severity = severity,
        .key = lint_print(c, "%s", at->key != NULL ? at->key : ""),
        .value = at->text != NULL ? lint_print(c, "%.200s", at->text) : NULL,
        .line = at->line,
        .why = lint_print(c, "%s", buf_text(&why)),
        .fix = lint_print(c, "%s", fix),
    };
    if (c->status == OK)
        c->status = buf_status(&why, c->err);
    if (c->status == OK)
        c->status = MEM_ROOM(out->finding, out->n, out->room, c->err);
    if (c->status == OK)
        out->finding[out->n++] = f;
    buf_free(&why);
}

/* Errors before warnings before notes, else as they were found. */
static enum status sort(struct lint *l, struct err *err)
{
    struct lint_finding *sorted;
    size_t n = 0;
    TRY(MEM_NEW(sorted, l->n, err));
    for (int s = LINT_ERROR; s >= LINT_NOTE; s--) {
        for (size_t i = 0; i < l->n; i++) {
            if ((int)l->finding[i].severity == s)
                sorted[n++] = l->finding[i];
        }
    }
    mem_free(l->finding);
    l->finding = sorted;
    l->room = l->n;
    return OK;
}

static enum status apply(struct lint_case *c, struct err *err)
{
    lint_find_penalty(c);
    for (c->rule = 0; c->rule < N_ROWS && c->status == OK; c->rule++) {
        lint_rule_fn fn = rows[c->rule].fn;
        if (!is_offline(c->out->trainer) || fn == lint_offline ||
            fn == lint_guessed || fn == lint_other_file)
            fn(c);
    }
    return c->status == OK ? sort(c->out, err) : c->status;
}

enum status lint_run(struct lint *out, const struct flat *f,
                     enum lint_trainer trainer, const char *name,
                     struct err *err)
{
    struct lint l = {.n = 0};
    struct lint_case c = {.out = &l, .prefix = "", .status = OK, .err = err};
    enum status status = lint_choose(&c, f, trainer, name, err);
    if (status == OK)
        status = apply(&c, err);
    arena_free(&c.scratch);
    if (status == OK)
        *out = l;
    else
        lint_free(&l);
    return status;
}

size_t lint_count(const struct lint *l, enum lint_severity severity)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        n += l->finding[i].severity == severity;
    return n;
}

const char *lint_severity_name(enum lint_severity severity)
{
    static const char *const name[] = {"note", "warning", "error"};
    return name[severity];
}

void lint_free(struct lint *l)
{
    mem_free(l->finding);
    arena_free(&l->text);
    *l = (struct lint){.n = 0};
}
