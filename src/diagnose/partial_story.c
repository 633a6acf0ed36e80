/* Which cause the rows of an imported run speak for together. */
#include <math.h>
#include <string.h>

#include "diagnose/gates.h"
#include "diagnose/partial.h"

/* Share of rows whose 95 % interval lies on the side that is claimed although
 * nothing is there. */
#define BY_CHANCE 0.025
#define LEVEL 0.05

#define CUT_LEAST 0.05      // of responses, where V6 fails
#define SETTINGS "settings" // and "settings_penalty"
#define HOLD "a larger KL coefficient, or one that is held to a target"
#define END_PAID "a charge for responses that do not end"
#define MENDED "what plumb lint says mends it"
#define BACK "going back to the checkpoint of the peak"

/* A change, and the row that it answers. */
struct advice {
    const char *text, *row;
};

/* Rows that together have a likely cause.  An id that ends in '_' is any
 * supported row of a family, one behind '!' a row that is denied.  The first
 * story whose rows are all there is told: what is seen of the aim itself before
 * what is seen of the score, and that before what is seen of the way there.
 *
 * A KL that rises and an entropy that falls are what training does that works,
 * so neither stands alone: beside one of them a peak must have been passed,
 * people must like the replies less, or the score must not have risen. */
static const struct story {
    const char *want[PARTIAL_SIGNS];
    const char *cause;
    struct advice advice[PARTIAL_ADVICE];
} stories[] = {
    {{"trend_gold"},
     "the policy is paid for something else than is meant",
     {{"going back to the checkpoint with the best gold", "trend_gold"},
      {"a reward that follows gold where the two part", "trend_gold"}}},
    {{"trend_repeat", "trend_length"},
     "responses fall into repetition and run on",
     {{END_PAID, "trend_length"}, {HOLD, "trend_repeat"}}},
    {{"trend_cut", "trend_length"},
     "the policy forgets to end its responses",
     {{END_PAID, "trend_cut"},
      {"EOS in what is trained, with a pad token of its own", "trend_length"}}},
    {{"trend_repeat"},
     "responses fall into repetition",
     {{HOLD, "trend_repeat"},
      {"a score that repetition costs", "trend_repeat"}}},
    {{"score_length", "trend_length"},
     "the reward pays for length",
     {{"training on the score less its slope on length", "score_length"},
      {"a charge for tokens beyond the reference's length", "trend_length"}}},
    {{"pattern_"},
     "the reward pays for style",
     {{"a score that does not pay for it", "pattern_"},
      {"a reward model trained on fresh rankings of what the policy writes",
       "pattern_"}}},
    {{"trend_kl", "!trend_reward"},
     "the policy leaves the reference without earning anything for it",
     {{HOLD, "trend_kl"}, {"a smaller learning rate", "trend_reward"}}},
    {{"trend_entropy", "!trend_reward"},
     "the policy narrows and finds nothing better",
     {{"a bonus for entropy", "trend_entropy"},
      {"a smaller learning rate", "trend_reward"}}},
    {{"late_fall", "trend_kl"},
     "the run went on past its best while the policy left the reference",
     {{BACK, "late_fall"}, {HOLD, "trend_kl"}}},
    {{"late_fall"},
     "the run went on past its best",
     {{BACK, "late_fall"},
      {"a smaller learning rate behind the peak", "late_fall"}}},
    {{"worse", "trend_kl"},
     "the policy left the reference for what people like less",
     {{HOLD, "trend_kl"},
      {"a reward model trained on fresh rankings of what the policy writes",
       "worse"}}},
    {{"worse"},
     "the policy is paid for what people like less",
     {{"a reward model trained on fresh rankings of what the policy writes",
       "worse"},
      {"going back to an earlier checkpoint", "worse"}}},
    {{"settings_penalty", "trend_kl"},
     "the KL penalty does not act as it is set",
     {{MENDED, "settings_penalty"}, {HOLD, "trend_kl"}}},
    {{"settings_penalty"},
     "the KL penalty does not act as it is set",
     {{MENDED, "settings_penalty"}, {HOLD, "settings_penalty"}}},
    {{"settings"},
     "a setting keeps what was asked for from acting",
     {{MENDED, "settings"}, {"the trainer's defaults", "settings"}}},
    {{"trend_cut"},
     "the limit cuts responses that want more room, or EOS is being lost",
     {{"a larger limit", "trend_cut"}, {END_PAID, "trend_cut"}}},
    {{"judge_win", "judge_length", "S2a"},
     "the judge prefers the policy for its length in part",
     {{"verdicts on pairs of equal length", "judge_length"},
      {"training on the score less its slope on length", "S2a"}}},
    {{"trend_clip"},
     "updates are larger than the clip is meant for",
     {{"a smaller learning rate", "trend_clip"},
      {"fewer passes over a batch", "trend_clip"}}},
    {{"trend_kl_engine"},
     "the engines that sample and train drift apart",
     {{"truncated importance weights against the sampler's log-probabilities",
       "trend_kl_engine"},
      {"a higher precision in the engine that samples", "trend_kl_engine"}}},
    {{"style_"},
     "the policy learned a style",
     {{"asking people blind whether they prefer it", "style_"},
      {"a score that does not pay for it", "style_"}}},
};

#define STORIES (sizeof stories / sizeof *stories)

static const struct finding *find_family(const struct leads *l, const char *id)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->row[i].verdict == VERDICT_SUPPORTED &&
            strncmp(l->row[i].id, id, strlen(id)) == 0)
            return &l->row[i];
    return NULL;
}

/* The row that is wanted, if it says what is wanted. */
static const struct finding *find(const struct rows *rows, const char *id)
{
    bool is_denied = id[0] == '!';
    if (id[strlen(id) - 1] == '_')
        return find_family(rows->leads, id);
    const struct finding *f = rivals_row(rows, id + is_denied);
    enum verdict want = is_denied ? VERDICT_NOT_SUPPORTED : VERDICT_SUPPORTED;
    return f != NULL && f->verdict == want ? f : NULL;
}

/* A share of cut responses that is no fault by itself. */
static bool is_few(const struct finding *f)
{
    return strcmp(f->id, "trend_cut") == 0 &&
           !(measures_find(&f->detail, "last").estimate >= CUT_LEAST);
}

/* Are all its rows there?  They are put in `sign`, the rest NULL. */
static bool is_told(const struct finding *sign[PARTIAL_SIGNS],
                    const struct story *s, const struct rows *rows)
{
    size_t n = 0;
    for (size_t k = 0; k < PARTIAL_SIGNS; k++)
        sign[k] = NULL;
    while (n < PARTIAL_SIGNS && s->want[n] != NULL &&
           (sign[n] = find(rows, s->want[n])) != NULL)
        n++;
    if (n < PARTIAL_SIGNS && s->want[n] != NULL)
        return false;
    return n > 1 || (n == 1 && !is_few(sign[0]));
}

static const struct story *next_story(const struct finding **sign,
                                      const struct story *from,
                                      const struct rows *rows)
{
    for (const struct story *s = from; s < stories + STORIES; s++)
        if (is_told(sign, s, rows))
            return s;
    return NULL;
}

bool partial_is_sign(const struct partial_story *s, const struct finding *f)
{
    for (size_t k = 0; k < PARTIAL_SIGNS; k++)
        if (s->sign[k] == f)
            return true;
    return false;
}

/* ---- what to try -------------------------------------------------------- */

static void take(struct partial_story *out, const char *text,
                 const struct finding *row)
{
    for (size_t i = 0; i < out->n_advice; i++)
        if (strcmp(out->advice[i].text, text) == 0)
            return;
    if (out->n_advice < PARTIAL_ADVICE)
        out->advice[out->n_advice++] = (struct partial_advice){text, row};
}

static void take_own(struct partial_story *out, const struct advice *a,
                     const struct rows *rows)
{
    bool is_family = a->row[strlen(a->row) - 1] == '_';
    take(out, a->text,
         is_family ? find_family(rows->leads, a->row)
                   : rivals_row(rows, a->row));
}

/* The fixes of what plumb lint calls errors, then of what it warns of. */
static void take_fixes(struct partial_story *out, const struct rows *rows,
                       const struct evidence *e)
{
    const struct lint *l = &e->import->lint;
    const struct finding *row = find_family(rows->leads, SETTINGS);
    for (size_t i = 0; i < l->n && row != NULL; i++)
        if (l->finding[i].severity != LINT_NOTE && l->finding[i].fix[0] != '\0')
            take(out, l->finding[i].fix, row);
}

/* Two: of a run with a setting in error its fix is one; else the second answers
 * another cause that is seen, and without one the same. */
static void advise(struct partial_story *out, const struct story *first,
                   const struct rows *rows, const struct evidence *e)
{
    const struct finding *sign[PARTIAL_SIGNS];
    if (strncmp(first->want[0], SETTINGS, strlen(SETTINGS)) != 0)
        take_own(out, &first->advice[0], rows);
    take_fixes(out, rows, e);
    for (const struct story *s = first + 1;
         out->n_advice < PARTIAL_ADVICE &&
         (s = next_story(sign, s, rows)) != NULL;
         s++)
        if (!partial_is_sign(out, sign[0]))
            take_own(out, &s->advice[0], rows);
    for (size_t k = 0; k < PARTIAL_ADVICE; k++)
        take_own(out, &first->advice[k], rows);
}

/* ---- how sure ----------------------------------------------------------- */

static void count(struct partial_story *out, const struct leads *l)
{
    for (size_t i = 0; i < l->n; i++) {
        struct estimate late = measures_find(&l->row[i].detail, "late_slope");
        bool is_tested =
            finding_has_interval(&l->row[i].e) || finding_has_interval(&late);
        if (!partial_is_lead(&l->row[i]) || !is_tested)
            continue;
        out->looked++;
        out->shown += l->row[i].verdict == VERDICT_SUPPORTED;
    }
    out->by_chance = BY_CHANCE * (double)out->looked;
}

/* Of a fall that of the slope behind it. */
static double p_of(const struct finding *f)
{
    struct estimate late = measures_find(&f->detail, "late_slope");
    if (strncmp(f->id, SETTINGS, strlen(SETTINGS)) == 0)
        return 0;
    double p = finding_has_interval(&f->e) ? finding_p(&f->e, f->null)
                                           : finding_p(&late, 0);
    return isnan(p) ? 1 : p;
}

static bool is_firm(const struct partial_story *s)
{
    double p = (double)s->looked;
    for (size_t k = 0; k < PARTIAL_SIGNS && s->sign[k] != NULL; k++)
        p *= p_of(s->sign[k]);
    return p < LEVEL;
}

/* ---- nothing ------------------------------------------------------------ */

/* A score that was followed and is not seen to rise, or a fall from the highest
 * of too few points: neither is a fault yet, and neither is well. */
static bool is_doubtful(const struct rows *rows)
{
    const struct finding *score = rivals_row(rows, "trend_reward");
    const struct finding *fall = rivals_row(rows, "late_fall");
    if (score != NULL && score->verdict != VERDICT_SUPPORTED &&
        isfinite(score->e.estimate))
        return true;
    return fall != NULL && fall->verdict == VERDICT_NOT_MEASURABLE &&
           fall->e.estimate < 0;
}

/* Is there a row that says that something is wrong, whatever it is? */
static bool is_bad(const struct rows *rows)
{
    static const char *const bad[] = {"S2b", "G", "worse"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (find(rows, bad[i]) != NULL)
            return true;
    for (size_t i = 0; i < GATES; i++)
        if (rows->gate[i].verdict == VERDICT_NOT_SUPPORTED)
            return true;
    return false;
}

/* The rows that say how training went: of which at least one must have been
 * measured before nothing can be said to point anywhere. */
static bool has_course(const struct leads *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (strncmp(l->row[i].id, "trend_", 6) == 0 &&
            finding_has_interval(&l->row[i].e))
            return true;
    return false;
}

bool partial_tell(struct partial_story *out, const struct rows *rows,
                  const struct evidence *e)
{
    *out = (struct partial_story){.cause = NULL};
    const struct story *s = next_story(out->sign, stories, rows);
    count(out, rows->leads);
    if (s != NULL) {
        out->cause = s->cause;
        out->is_firm = is_firm(out);
        advise(out, s, rows, e);
        return true;
    }
    for (size_t k = 0; k < PARTIAL_SIGNS; k++)
        out->sign[k] = NULL;
    return has_course(rows->leads) && !is_bad(rows) && !is_doubtful(rows) &&
           !e->import->is_unfinished && !e->import->is_damaged;
}
