/* What the leads say together, in one sentence. */
#include <string.h>

#include "diagnose/partial.h"

enum {
    WANTED_MAX = 3,
    BESIDE_MAX = 4
};

/* Supported leads that together have a likely cause; an id that ends in '_' is
 * any of a family.  The first whose leads are all there is told: what is seen
 * of the aim itself before what is seen of the score, and that before what a
 * healthy run may show too. */
static const struct story {
    const char *want[WANTED_MAX];
    const char *cause, *advice;
} stories[] = {
    {{"trend_gold"},
     "the policy is paid for something else than is meant",
     "going back to the checkpoint with the best gold, and a reward that "
     "follows gold where the two part"},
    {{"trend_repeat", "trend_length"},
     "responses fall into repetition and run on",
     "a charge for responses that do not end, and a larger KL coefficient"},
    {{"trend_cut", "trend_length"},
     "the policy forgets to end its responses",
     "a charge for responses that do not end, and a look at whether EOS is "
     "trained"},
    {{"trend_repeat"},
     "responses fall into repetition",
     "a larger KL coefficient, and a score that repetition costs"},
    {{"score_length", "trend_length"},
     "the reward pays for length",
     "training on the score less its slope on length"},
    {{"pattern_"},
     "the reward pays for style",
     "a look at the responses with the highest scores, and a score that does "
     "not pay for it"},
    {{"late_fall"},
     "the run went on past its best",
     "going back to the checkpoint of the peak, or a smaller step behind it"},
    {{"trend_cut"},
     "the limit cuts responses that want more room, or EOS is being lost",
     "a larger limit, and a charge for responses that do not end"},
    {{"judge_win", "judge_length"},
     "the judge prefers the policy for its length in part",
     "verdicts on pairs of equal length"},
    {{"trend_kl", "trend_entropy"},
     "the policy narrows as it leaves the reference",
     "a larger KL coefficient, or a smaller learning rate"},
    {{"trend_entropy"},
     "the policy narrows and explores less",
     "a smaller learning rate, or a bonus for entropy"},
    {{"trend_clip"},
     "updates are larger than the clip is meant for",
     "a smaller learning rate, or fewer passes over a batch"},
    {{"trend_kl_engine"},
     "the engines that sample and train drift apart",
     "truncated importance weights against the sampler's log-probabilities"},
    {{"trend_kl"},
     "the penalty lets the policy leave the reference",
     "a larger KL coefficient"},
    {{"style_"},
     "the policy learned a style",
     "asking people blind whether they prefer it"},
};

static const struct finding *find(const struct leads *l, const char *id)
{
    size_t len = strlen(id);
    bool is_family = len > 0 && id[len - 1] == '_';
    for (size_t i = 0; i < l->n; i++) {
        const char *own = l->row[i].id;
        if (l->row[i].verdict == VERDICT_SUPPORTED &&
            strncmp(own, id, len) == 0 && (is_family || own[len] == '\0'))
            return &l->row[i];
    }
    return NULL;
}

static const struct story *find_story(const struct finding **seen,
                                      const struct leads *l)
{
    for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
        size_t n = 0;
        for (size_t k = 0; k < WANTED_MAX; k++)
            seen[k] = NULL;
        while (n < WANTED_MAX && stories[i].want[n] != NULL &&
               (seen[n] = find(l, stories[i].want[n])) != NULL)
            n++;
        if (n == WANTED_MAX || stories[i].want[n] == NULL)
            return &stories[i];
    }
    return NULL;
}

/* "the score goes with length"; of a family what it is that grew, which is
 * before the colon of its numbers. */
static void put_reason(struct buf *out, const struct finding *f)
{
    size_t name = strcspn(f->text, ":");
    if (strncmp(f->id, "pattern_", 8) == 0)
        buf_printf(out,
                   "%.*s grew beyond length, and the score goes with "
                   "them",
                   (int)name, f->text);
    else if (strncmp(f->id, "style_", 6) == 0)
        buf_printf(out, "the policy's replies have more %.*s", (int)name,
                   f->text);
    else
        buf_puts(out, f->claim);
}

/* The ids of what else is supported. */
static void put_beside(struct buf *out, const struct finding *const *seen,
                       const struct leads *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n && n < BESIDE_MAX; i++) {
        const struct finding *f = &l->row[i];
        bool is_told =
            f->verdict != VERDICT_SUPPORTED || !partial_is_told(f) ||
            strcmp(f->id, "trend_reward") == 0; // what training is for
        for (size_t k = 0; k < WANTED_MAX; k++)
            is_told = is_told || f == seen[k];
        if (!is_told)
            buf_printf(out, "%s%s", n++ == 0 ? " (beside it: " : ", ", f->id);
    }
    buf_puts(out, n > 0 ? ")" : "");
}

bool partial_sentence(struct buf *out, const struct leads *l)
{
    const struct finding *seen[WANTED_MAX];
    const struct story *s = find_story(seen, l);
    if (s == NULL)
        return false;
    buf_printf(out, "probably %s, because ", s->cause);
    for (size_t k = 0; k < WANTED_MAX && seen[k] != NULL; k++) {
        buf_puts(out, k > 0 ? " and " : "");
        put_reason(out, seen[k]);
    }
    put_beside(out, seen, l);
    buf_printf(out, "; to try: %s", s->advice);
    return true;
}
