/* Where a response ends: EOS that is learned, padding that is not EOS, and
 * what it costs never to stop. */
#include <math.h>
#include <string.h>

#include "diagnose/lint_internal.h"

/* The trainers of TRL that cut responses at `stop_token` themselves. */
static bool is_stop_token(const struct lint_case *c)
{
    return c->out->trainer == LINT_TRL_PPO ||
           c->out->trainer == LINT_TRL_RLOO_CLASSIC;
}

static bool is_null(const struct lint_value *v)
{
    return lint_is_known(v) && v->text == NULL;
}

void lint_end_stop_token(struct lint_case *c)
{
    struct lint_value word = lint_get(c, LINT_STOP_TOKEN);
    struct lint_value id = lint_get(c, LINT_STOP_TOKEN_ID);
    struct lint_value length = lint_get(c, LINT_LENGTH);
    struct lint_value penalty = lint_get(c, LINT_EOS_PENALTY);
    struct lint_value ignored = lint_get(c, LINT_IGNORE_EOS);
    if (is_stop_token(c) && is_null(&word) && is_null(&id)) {
        bool is_charged = lint_is_number(&penalty);
        lint_add(c, LINT_ERROR, &word, lint_flag(c, LINT_STOP_TOKEN, "eos"),
                 "without a stop token generation does not end at EOS: every "
                 "response has all %s tokens, and what comes after an EOS is "
                 "scored, paid for and trained on%s",
                 length.text != NULL ? length.text : "the",
                 is_charged ? "; missing_eos_penalty then asks for an EOS "
                              "anywhere, not at the end"
                            : "");
    } else if (lint_is_true(&ignored)) {
        lint_add(c, LINT_ERROR, &ignored,
                 lint_flag(c, LINT_IGNORE_EOS, "False"),
                 "generation goes on behind EOS, for measuring speed: the "
                 "policy is not trained to stop");
    }
}

/* Do two settings name one token?  LINT_MAYBE when one is not there. */
static enum lint_where same(const struct lint_value *a,
                            const struct lint_value *b)
{
    if (!lint_is_given(a) || !lint_is_given(b) || a->text == NULL ||
        b->text == NULL)
        return LINT_MAYBE;
    return strcmp(a->text, b->text) == 0 ? LINT_YES : LINT_NO;
}

static enum lint_where pad_is_eos(const struct lint_case *c,
                                  struct lint_value *at)
{
    struct lint_value pad = lint_find(c, "pad_token");
    struct lint_value eos = lint_find(c, "eos_token");
    struct lint_value pad_id = lint_find(c, "pad_token_id");
    struct lint_value eos_id = lint_find(c, "eos_token_id");
    enum lint_where by_word = same(&pad, &eos), by_id = same(&pad_id, &eos_id);
    *at = by_id != LINT_MAYBE ? pad_id : pad;
    if (by_word == LINT_YES || by_id == LINT_YES) {
        *at = by_id == LINT_YES ? pad_id : pad;
        return LINT_YES;
    }
    return by_word == LINT_NO || by_id == LINT_NO ? LINT_NO : LINT_MAYBE;
}

void lint_end_pad(struct lint_case *c)
{
    struct lint_value at;
    if (!is_stop_token(c) || pad_is_eos(c, &at) != LINT_YES)
        return;
    lint_add(c, LINT_ERROR, &at,
             "tokenizer.add_special_tokens({\"pad_token\": \"[PAD]\"})",
             "padding is found by its token, so an EOS that is the pad token "
             "is padding: it is outside of the policy loss, of the KL and of "
             "what the reward model sees, and when to stop is never learned");
}

void lint_end_pad_unseen(struct lint_case *c)
{
    struct lint_value at, none = {.state = LINT_DEFAULTED, .key = "pad_token"};
    if (!is_stop_token(c) || pad_is_eos(c, &at) != LINT_MAYBE)
        return;
    lint_add(c, LINT_NOTE, &none,
             "tokenizer.add_special_tokens({\"pad_token\": \"[PAD]\"})",
             "whether the tokenizer's pad token is its EOS cannot be seen "
             "here; where it is, this trainer takes EOS for padding and never "
             "trains it");
}

void lint_end_penalty(struct lint_case *c)
{
    struct lint_value v = lint_get(c, LINT_EOS_PENALTY);
    struct lint_value length = lint_get(c, LINT_LENGTH);
    if (!is_stop_token(c) || !is_null(&v))
        return;
    lint_add(c, LINT_WARNING, &v, lint_flag(c, LINT_EOS_PENALTY, "1.0"),
             "a response cut at %s tokens is scored like one that ended: "
             "nothing but the reward model's taste says when to stop, and an "
             "EOS given up costs next to no KL",
             length.text != NULL ? length.text : "its limit of");
}

void lint_end_penalty_sign(struct lint_case *c)
{
    struct lint_value v = lint_get(c, LINT_EOS_PENALTY);
    if (is_stop_token(c) && lint_is_number(&v) && v.number < 0)
        lint_add(c, LINT_ERROR, &v, lint_flag(c, LINT_EOS_PENALTY, "1.0"),
                 "this is subtracted from the score of a response without EOS: "
                 "below 0 it pays for never stopping");
}

/* verl: the DAPO reward manager's buffer, under several names. */
static bool has_overlong(const struct lint_case *c)
{
    for (size_t i = 0; i < c->n; i++) {
        if (strstr(c->entry[i].key, "overlong_buffer") != NULL)
            return true;
    }
    return false;
}

void lint_end_truncated(struct lint_case *c)
{
    struct lint_value mask = lint_get(c, LINT_MASK_TRUNCATED);
    struct lint_value penalty = lint_get(c, LINT_EOS_PENALTY);
    struct lint_value overlong = lint_get(c, LINT_OVERLONG);
    struct lint_value at = lint_get(c, LINT_LENGTH);
    const char *fix = "a reward function that charges truncated responses";
    bool is_open = false;
    if (mask.state != LINT_NONE)
        is_open = lint_is_false(&mask);
    else if (overlong.state != LINT_NONE) {
        is_open = is_null(&overlong) && is_null(&penalty);
        fix = lint_flag(c, LINT_EOS_PENALTY, "0");
    } else if (c->out->trainer == LINT_VERL) {
        is_open = !has_overlong(c);
        fix = "reward manager dapo with its overlong_buffer_cfg enabled";
    }
    if (!is_open)
        return;
    lint_add(c, LINT_NOTE, &at, fix,
             "a response cut at its limit is scored like one that ended; look "
             "at the share of truncated responses before trusting a length");
}

void lint_end_suppressed(struct lint_case *c)
{
    static const char *const word[] = {"min_new_tokens", "min_length",
                                       "min_tokens"};
    for (size_t i = 0; i < sizeof word / sizeof *word; i++) {
        struct lint_value v = lint_find(c, word[i]);
        if (lint_is_given(&v) && lint_is_number(&v) && v.number > 0)
            lint_add(c, LINT_WARNING, &v, "leave it out",
                     "EOS is suppressed for the first %g tokens, but "
                     "log-probabilities are those of the whole softmax: what "
                     "the policy gave to EOS is missing from them, k1 may go "
                     "negative, and a negative KL is a bonus",
                     v.number);
    }
}
