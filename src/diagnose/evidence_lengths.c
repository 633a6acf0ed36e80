#include <math.h>

#include "diagnose/evidence_internal.h"

const char *evidence_units(enum evidence_unit u)
{
    return u == EVIDENCE_WORDS ? "words" : "tokens";
}

/* How many of some texts have a length in each unit. */
struct count {
    size_t tokens, words, n;
};

static void count(struct count *c, double tokens, double words)
{
    c->tokens += isnan(tokens) ? 0 : 1;
    c->words += isnan(words) ? 0 : 1;
    c->n++;
}

/* The unit that all have, tokens before words; else the one that most have. */
static enum evidence_unit choose(const struct count *c)
{
    return c->tokens == c->n || c->tokens >= c->words ? EVIDENCE_TOKENS
                                                      : EVIDENCE_WORDS;
}

static void settle_rollouts(struct evidence *e)
{
    struct count c = {.n = 0};
    for (size_t i = 0; i < e->n_rollout; i++)
        count(&c, (double)e->rollout[i].tokens, (double)e->rollout[i].words);
    e->rollout_unit = choose(&c);
    for (size_t i = 0; e->rollout_unit == EVIDENCE_WORDS && i < e->n_rollout;
         i++)
        e->rollout[i].tokens = e->rollout[i].words;
}

static void count_votes(struct count *c, const struct evidence_vote *v,
                        size_t n)
{
    for (size_t i = 0; i < n; i++) {
        count(c, v[i].tokens, v[i].words);
        count(c, v[i].tokens_other, v[i].words_other);
    }
}

static void turn_votes(struct evidence_vote *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        v[i].tokens = v[i].words;
        v[i].tokens_other = v[i].words_other;
    }
}

static void settle_replies(struct evidence *e)
{
    struct count c = {.n = 0};
    for (size_t i = 0; i < e->n_reply; i++)
        count(&c, e->reply[i].tokens, e->reply[i].feature[FEATURE_WORDS]);
    count_votes(&c, e->vote, e->n_vote);
    count_votes(&c, e->judged, e->n_judged);
    e->reply_unit = choose(&c);
    if (e->reply_unit == EVIDENCE_TOKENS)
        return;
    for (size_t i = 0; i < e->n_reply; i++)
        e->reply[i].tokens = e->reply[i].feature[FEATURE_WORDS];
    turn_votes(e->vote, e->n_vote);
    turn_votes(e->judged, e->n_judged);
}

void evidence_settle_lengths(struct evidence *e)
{
    settle_rollouts(e);
    if (e->import != NULL)
        settle_replies(e);
}
