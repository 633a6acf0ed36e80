#include "world/replies.h"

#define P_GREETING 0.60
#define P_PRE_ONE 0.20
#define P_POST_NONE 0.55
#define P_POST_ONE 0.30
#define P_SIBLING 0.22
#define P_RANDOM 0.03
#define P_ORDER_WRONG 0.10
#define P_NEXT 0.50
#define P_NEXT_RANDOM 0.06
#define P_REPEAT 0.05
#define P_CLOSING 0.50

static bool chance(struct rng *r, double p)
{
    return rng_uniform(r) < p;
}

/* An entry of a list other than the one given. */
static char another(const char *list, uint32_t n, char c, struct rng *r)
{
    uint32_t at = rng_below(r, n - 1);
    uint32_t own = 0;
    while (list[own] != c)
        own++;
    return list[at < own ? at : at + 1];
}

static void plan_order(struct reply *out, const struct ticket *t, struct rng *r)
{
    out->letter = t->letter;
    out->digit = t->digit;
    if (!chance(r, P_ORDER_WRONG))
        return;
    if (chance(r, 0.5))
        out->letter = another(tables_letters, TABLES_LETTERS, t->letter, r);
    else
        out->digit = another(tables_digits, TABLES_DIGITS, t->digit, r);
}

/* One of a resolution's sentences, keeping the product to tickets that name
 * it where there is a choice. */
static size_t pick_sentence(const char *const *sentence, const struct ticket *t,
                            struct rng *r)
{
    size_t fit[TABLES_SENTENCES];
    size_t n = 0;
    for (size_t i = 0; i < TABLES_SENTENCES; i++)
        if (t->names_product || !words_has(sentence[i], "<prod>"))
            fit[n++] = i;
    if (n == 0)
        return rng_below(r, TABLES_SENTENCES);
    return fit[rng_below(r, (uint32_t)n)];
}

static void plan_resolution(struct reply *out, const struct ticket *t,
                            struct rng *r)
{
    double u = rng_uniform(r);
    if (u < P_SIBLING)
        out->stated = t->sibling;
    else if (u < P_SIBLING + P_RANDOM)
        out->stated = (enum resolution)rng_below(r, TABLES_RESOLUTIONS);
    else
        out->stated = t->resolution;
    out->sentence =
        pick_sentence(tables_resolution[out->stated].sentence, t, r);
    out->has_next = chance(r, P_NEXT);
    if (!out->has_next)
        return;
    out->next = out->stated;
    if (chance(r, P_NEXT_RANDOM))
        out->next = (enum resolution)rng_below(r, TABLES_RESOLUTIONS);
    out->next_sentence = pick_sentence(tables_resolution[out->next].next, t, r);
}

static void plan_fillers(struct reply *out, struct rng *r)
{
    out->n_pre = chance(r, P_PRE_ONE) ? 1 : 0;
    double u = rng_uniform(r);
    out->n_post = u < P_POST_NONE ? 0 : u < P_POST_NONE + P_POST_ONE ? 1 : 2;
    size_t n = out->n_pre + out->n_post;
    for (size_t i = 0; i < n; i++) {
        bool is_new = false;
        while (!is_new) {
            out->filler[i] = rng_below(r, TABLES_FILLERS);
            is_new = true;
            for (size_t j = 0; j < i; j++)
                is_new = is_new && out->filler[j] != out->filler[i];
        }
    }
    out->is_repeat = n > 0 && chance(r, P_REPEAT);
}

void reply_plan(struct reply *out, const struct ticket *t, struct rng *r)
{
    *out = (struct reply){.greeting = -1, .closing = -1};
    if (chance(r, P_GREETING))
        out->greeting = (int)rng_below(r, TABLES_GREETINGS);
    plan_order(out, t, r);
    plan_resolution(out, t, r);
    plan_fillers(out, r);
    if (chance(r, P_CLOSING))
        out->closing = (int)rng_below(r, TABLES_CLOSINGS);
}

void reply_text(struct buf *out, const struct reply *reply,
                const struct ticket *t)
{
    size_t start = out->len;
    size_t n = reply->n_pre + reply->n_post;
    struct words_slots slots;
    ticket_slots(&slots, t);
    slots.letter = reply->letter;
    slots.digit = reply->digit;
    if (reply->greeting >= 0)
        words_write(out, start, tables_greeting[reply->greeting], &slots);
    for (size_t i = 0; i < n + 1; i++) {
        if (i == reply->n_pre) {
            const struct tables_resolution *res = tables_resolution;
            words_write(out, start,
                        res[reply->stated].sentence[reply->sentence], &slots);
            if (reply->has_next)
                words_write(out, start,
                            res[reply->next].next[reply->next_sentence],
                            &slots);
        }
        if (i < n)
            words_write(out, start, tables_filler[reply->filler[i]].sentence,
                        &slots);
    }
    if (reply->is_repeat && n > 0)
        words_write(out, start, tables_filler[reply->filler[n - 1]].sentence,
                    &slots);
    if (reply->closing >= 0)
        words_write(out, start, tables_closing[reply->closing], &slots);
}

void reply_draw(struct buf *out, const struct ticket *t, struct rng *r)
{
    struct reply reply;
    reply_plan(&reply, t, r);
    reply_text(out, &reply, t);
}
