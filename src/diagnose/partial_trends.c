#include "diagnose/partial.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "diagnose/course.h"
#include "diagnose/gates.h"
#include "stat/trend.h"

#define METRICS "ppo/metrics.jsonl"
#define ROLLOUTS "ppo/rollouts"
#define ENGINE_LEAST 1e-4 // nats a token: below, one engine's own rounding

/* ---- a rise or a fall --------------------------------------------------- */

struct claim {
    const char *id, *claim, *unit;
    enum finding_side side; // of the slope
    const char *lack;       // without any points
};

/* "objective/scores" of the log; "length (words)" of responses. */
static void name_course(char out[128], const struct course *c)
{
    char text[IMPORTED_KL_TEXT];
    if (c->kl != NULL)
        (void)snprintf(out, 128, "%.40s (%s)", c->name,
                       imported_kl_words(text, c->kl));
    else if (c->unit == EVIDENCE_WORDS)
        (void)snprintf(out, 128, "%.40s (words)", c->name);
    else
        (void)snprintf(out, 128, "%.60s", c->name);
}

/* Of a course that clearly goes the other way than is claimed. */
static const char *direction(enum finding_side side, const struct estimate *e)
{
    if (!finding_has_interval(e))
        return "";
    if (side == FINDING_ABOVE)
        return e->high < 0 ? ": it falls" : "";
    return e->low > 0 ? ": it rises" : "";
}

static enum status add_trend(struct leads *leads, const struct claim *claim,
                             const struct course *c, const struct evidence *e,
                             struct err *err)
{
    struct trend trend = {.slope = summary_nothing()};
    struct finding *f;
    char text[64], name[128];
    if (c->m >= 2)
        TRY(trend_fit(&trend, c->t, c->y, c->m, 1, &e->plan, err));
    TRY(leads_add(&f, leads, claim->id, claim->claim, claim->unit,
                  c->data != NULL ? c->data : METRICS, err));
    finding_judge_side(f, &trend.slope, claim->side, 0, "iterations",
                       claim->lack);
    f->null = 0;
    if (c->m == 0)
        return OK;
    if (c->m < 2)
        finding_lack(f, "one iteration has no course");
    name_course(name, c);
    finding_add_number(f, "first", course_start(c), c->m);
    finding_add_number(f, "last", course_end(c), c->m);
    finding_say(f,
                "%s goes from %.3g to %.3g over %zu iterations, by %s an "
                "iteration%s",
                name, course_start(c), course_end(c), c->m,
                finding_number(text, &trend.slope, 4),
                direction(claim->side, &trend.slope));
    return OK;
}

static enum status add_metric(struct leads *leads, const struct claim *claim,
                              const char *const *names,
                              const struct evidence *e, struct err *err)
{
    struct course c;
    TRY(course_of_metric(&c, e, names, err));
    enum status status = add_trend(leads, claim, &c, e, err);
    course_free(&c);
    return status;
}

static double cut_of(const struct evidence_rollout *r, size_t which)
{
    (void)which;
    return r->is_end_unknown ? (double)NAN : r->is_eos ? 0 : 1;
}

/* The share of responses that were cut: as logged, else of the rollouts. */
static enum status add_cuts(struct leads *leads, const struct evidence *e,
                            struct err *err)
{
    static const struct claim claim = {"trend_cut",
                                       "more responses are cut at the limit",
                                       "share an iteration", FINDING_ABOVE,
                                       "nothing says how responses ended"};
    static const char *const names[] = {
        "completions/clipped_ratio", "response_length/clip_ratio", "truncated",
        "train/truncated",           "rollout/truncated_rate",     NULL};
    struct course c;
    TRY(course_of_metric(&c, e, names, err));
    if (c.m == 0)
        TRY(course_of_rollouts(&c, e, "share cut", cut_of, 0, err));
    enum status status = add_trend(leads, &claim, &c, e, err);
    course_free(&c);
    return status;
}

static double gold_of(const struct evidence_rollout *r, size_t which)
{
    (void)which;
    return (double)r->gold;
}

static double score_of(const struct evidence_rollout *r, size_t which)
{
    (void)which;
    return (double)(isnan(r->score) ? r->score_raw : r->score);
}

static void judge_gold(struct finding *f, const struct course *gold,
                       const struct course *score, const struct trend *down,
                       const struct trend *up)
{
    f->e = down->slope;
    f->null = f->effect = 0;
    finding_add(f, "score_slope", &up->slope);
    if (!finding_has_interval(&down->slope) ||
        !finding_has_interval(&up->slope))
        finding_lack(f, "%zu iterations with gold, at least %d to see it move",
                     gold->m, TREND_MIN);
    else if (down->slope.low >= 0 || up->slope.high <= 0)
        f->verdict = VERDICT_NOT_SUPPORTED;
    else if (down->slope.high < 0 && up->slope.low > 0)
        f->verdict = VERDICT_SUPPORTED;
    else
        finding_lack(f, "whether gold fell and the score rose is not told from "
                        "0 both times; more iterations and responses");
    finding_add_number(f, "first", course_start(gold), gold->m);
    finding_add_number(f, "last", course_end(gold), gold->m);
    finding_say(f,
                "gold goes from %.3g to %.3g over %zu iterations, the score of "
                "the same responses from %.3g to %.3g",
                course_start(gold), course_end(gold), gold->m,
                course_start(score), course_end(score));
}

/* What the score stands in for, against the score. */
static enum status add_gold(struct leads *leads, const struct evidence *e,
                            struct err *err)
{
    struct course gold, score = {.m = 0};
    struct trend down = {.slope = summary_nothing()}, up = down;
    struct finding *f;
    enum status status = OK;
    TRY(course_of_rollouts(&gold, e, "gold", gold_of, 0, err));
    if (gold.m == 0)
        goto done;
    TRY_DONE(course_of_rollouts(&score, e, "score", score_of, 0, err));
    if (score.m == 0)
        goto done;
    if (gold.m >= 2)
        TRY_DONE(trend_fit(&down, gold.t, gold.y, gold.m, 1, &e->plan, err));
    if (score.m >= 2)
        TRY_DONE(trend_fit(&up, score.t, score.y, score.m, 1, &e->plan, err));
    TRY_DONE(leads_add(&f, leads, "trend_gold",
                       "gold fell while the score rose", "gold an iteration",
                       ROLLOUTS, err));
    judge_gold(f, &gold, &score, &down, &up);
done:
    course_free(&gold);
    course_free(&score);
    return status;
}

typedef enum status (*find_fn)(struct course *out, const struct evidence *e,
                               struct err *err);

static enum status add_found(struct leads *leads, const struct claim *claim,
                             find_fn find, const struct evidence *e,
                             struct err *err)
{
    struct course c;
    TRY(find(&c, e, err));
    enum status status = add_trend(leads, claim, &c, e, err);
    course_free(&c);
    return status;
}

/* ---- KL ----------------------------------------------------------------- */

static const char *kl_unit(const struct course *c)
{
    if (c->m == 0 || c->kl->aggregate == KL_AGGREGATE_UNKNOWN)
        return "nats and iteration";
    return c->kl->aggregate == KL_SEQUENCE_SUM ? "nats a response and iteration"
                                               : "nats a token and iteration";
}

static enum status add_kl(struct leads *leads, const struct evidence *e,
                          struct err *err)
{
    static const struct {
        enum imported_kind kind;
        struct claim claim;
    } kinds[] = {
        {KL_REFERENCE,
         {"trend_kl", "the KL to the reference rose", NULL, FINDING_ABOVE,
          "no KL to the reference whose meaning is known"}},
        {KL_UPDATE,
         {"trend_kl_update", "updates moved the policy further each time", NULL,
          FINDING_ABOVE, ""}},
        {KL_ENGINE,
         {"trend_kl_engine",
          "the engine that samples and the one that trains drifted apart", NULL,
          FINDING_ABOVE, ""}},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct course c;
        struct claim claim = kinds[i].claim;
        TRY(course_of_kl(&c, e, kinds[i].kind, err));
        claim.unit = kl_unit(&c);
        enum status status = OK;
        if (c.m > 0 || kinds[i].kind == KL_REFERENCE)
            status = add_trend(leads, &claim, &c, e, err);
        course_free(&c);
        TRY(status);
    }
    return OK;
}

/* ---- two engines --------------------------------------------------------- */

/* How far sampling and training are apart on a token; where that is a bug, V1
 * says so. */
static enum status add_engine_gap(struct leads *leads, const struct evidence *e,
                                  struct err *err)
{
    struct finding *f;
    double size, gap, n;
    if (!gates_engine(&size, &gap, &n, e))
        return OK;
    TRY(leads_add(&f, leads, "engine_gap",
                  "the engines that sample and train differ on a token",
                  "nats a token, mean |log ratio|", ROLLOUTS, err));
    f->e.estimate = size;
    f->e.n = (size_t)n;
    f->null = 0;
    f->effect = ENGINE_LEAST;
    f->verdict =
        size >= ENGINE_LEAST ? VERDICT_SUPPORTED : VERDICT_NOT_SUPPORTED;
    finding_say(f,
                "sampling and training differ by %.2g nats on a token, by "
                "%+.2g in the mean, over %.0f tokens%s",
                size, gap, n,
                f->verdict == VERDICT_SUPPORTED
                    ? "; importance weights against the sampler's "
                      "log-probabilities, truncated, correct for it"
                    : "");
    return OK;
}

/* ---- a peak and a fall -------------------------------------------------- */

/* A held-out measure of which more is better? */
static bool is_evaluation(const char *name)
{
    static const char *const good[] = {"acc", "reward", "score",
                                       "win", "pass",   "correct"};
    static const char *const held[] = {"eval", "val-", "val/", "test",
                                       "holdout"};
    for (size_t h = 0; h < sizeof held / sizeof *held; h++)
        for (size_t g = 0; g < sizeof good / sizeof *good; g++)
            if (strncmp(name, held[h], strlen(held[h])) == 0 &&
                strstr(name + strlen(held[h]), good[g]) != NULL)
                return true;
    return false;
}

/* Of the held-out measures the one with most points, the first of those with
 * as many; *n: how many there are. */
static enum status find_evaluation(struct course *out, size_t *n,
                                   const struct evidence *e, struct err *err)
{
    const struct run_table *t = &e->metrics;
    *out = (struct course){.m = 0};
    *n = 0;
    for (size_t c = 0; t->n > 0 && c < t->columns; c++) {
        const char *const names[] = {t->name[c], NULL};
        struct course other;
        if (!is_evaluation(t->name[c]))
            continue;
        enum status status = course_of_metric(&other, e, names, err);
        if (status != OK) {
            course_free(out);
            return status;
        }
        *n += other.m > 0;
        struct course *less = other.m > out->m ? out : &other;
        course_free(less);
        if (less == out)
            *out = other;
    }
    return OK;
}

/* *heldout: how many held-out measures there are; 0: it is the score. */
static enum status find_measure(struct course *out, size_t *heldout,
                                const struct evidence *e, struct err *err)
{
    TRY(find_evaluation(out, heldout, e, err));
    return *heldout > 0 ? OK : course_of_score(out, e, err);
}

/* Where the highest point is, the first of several. */
static size_t highest(const struct course *c)
{
    size_t best = 0;
    for (size_t i = 1; i < c->m; i++)
        if (c->y[i] > c->y[best])
            best = i;
    return best;
}

static enum status judge_fall(struct finding *f, const struct course *c,
                              const char *points, const struct evidence *e,
                              struct err *err)
{
    struct trend late = {.slope = summary_nothing()};
    size_t half = c->m / 2, best = highest(c);
    if (c->m - half >= TREND_MIN)
        TRY(trend_fit(&late, c->t + half, c->y + half, c->m - half, 1, &e->plan,
                      err));
    double fall = c->y[c->m - 1] - c->y[best];
    f->e.estimate = fall;
    f->e.n = c->m;
    f->null = f->effect = 0;
    finding_add_number(f, "best", c->y[best], c->m);
    finding_add_number(f, "best_at", c->t[best], c->m);
    finding_add_number(f, "last", c->y[c->m - 1], c->m);
    finding_add_number(f, "last_at", c->t[c->m - 1], c->m);
    finding_add(f, "late_slope", &late.slope);
    if (!finding_has_interval(&late.slope))
        finding_lack(f,
                     "%zu %s, one number each, tell neither whether it is more "
                     "than noise nor when it began; %d behind the middle of "
                     "the run would tell the first",
                     c->m, points, TREND_MIN);
    else if (fall < 0 && late.slope.high < 0)
        f->verdict = VERDICT_SUPPORTED;
    else if (late.slope.low > 0 || fall == 0)
        f->verdict = VERDICT_NOT_SUPPORTED;
    else
        finding_lack(f,
                     "the slope over the second half of the %zu %s is not told "
                     "from 0",
                     c->m, points);
    return OK;
}

/* "of 4 evaluations of eval/a, which has most of 2 measures, the highest" */
static void say_fall(struct finding *f, const struct course *c, size_t heldout)
{
    char among[64] = "";
    size_t best = highest(c);
    if (heldout > 1)
        (void)snprintf(among, sizeof among,
                       ", which has most of %zu held-out measures,", heldout);
    finding_say(f,
                "of %zu %s of %.60s%s the highest is %.3g at %.0f and the last "
                "%.3g at %.0f%s",
                c->m, heldout > 0 ? "evaluations" : "iterations", c->name,
                among, c->y[best], c->t[best], c->y[c->m - 1], c->t[c->m - 1],
                best + 1 == c->m
                    ? ": there is no fall"
                    : "; the highest of several is so by luck in part");
}

static enum status add_fall(struct leads *leads, const struct evidence *e,
                            struct err *err)
{
    struct course c;
    struct finding *f;
    size_t heldout;
    TRY(find_measure(&c, &heldout, e, err));
    enum status status =
        leads_add(&f, leads, "late_fall",
                  heldout > 0 ? "the held-out measure peaked and fell"
                              : "the score in training peaked and fell",
                  "last minus highest", c.data != NULL ? c.data : METRICS, err);
    if (status == OK && c.m < 2) {
        finding_lack(f, "no held-out measure and no score over iterations");
    } else if (status == OK) {
        status = judge_fall(f, &c, heldout > 0 ? "evaluations" : "iterations",
                            e, err);
        say_fall(f, &c, heldout);
    }
    course_free(&c);
    return status;
}

enum status partial_trends(struct leads *leads, const struct evidence *e,
                           struct err *err)
{
    static const struct claim reward = {
        "trend_reward", "the score rose", "score an iteration", FINDING_ABOVE,
        "neither a score in the log nor responses with scores"};
    static const struct claim length = {
        "trend_length", "responses grew longer", "length an iteration",
        FINDING_ABOVE, "neither a length in the log nor responses"};
    static const struct claim entropy = {
        "trend_entropy", "the policy's entropy fell",
        "nats a token and iteration", FINDING_BELOW,
        "no entropy a token in the log"};
    static const struct claim clip = {"trend_clip", "more tokens met the clip",
                                      "share an iteration", FINDING_ABOVE,
                                      "no clipped share in the log"};
    static const char *const of_entropy[] = {"policy/entropy_avg", NULL};
    static const char *const of_clip[] = {"policy/clipfrac_avg", NULL};
    TRY(add_found(leads, &reward, course_of_score, e, err));
    TRY(add_kl(leads, e, err));
    TRY(add_found(leads, &length, course_of_length, e, err));
    TRY(add_metric(leads, &entropy, of_entropy, e, err));
    TRY(add_metric(leads, &clip, of_clip, e, err));
    TRY(add_cuts(leads, e, err));
    TRY(add_engine_gap(leads, e, err));
    TRY(add_gold(leads, e, err));
    return add_fall(leads, e, err);
}

/* Whose ids begin so; the last ones are many and say something only where they
 * are supported. */
static const char *const families[] = {
    "settings",     "trend_",     "late_fall",   "score_length", "engine_gap",
    "worse",        "win_equal",  "judge_taste", "judge_win",    "judge_sides",
    "judge_length", "judge_gain", "pattern_",    "style_"};

enum {
    FAMILIES = sizeof families / sizeof *families,
    QUIET = 2
};

static size_t family_of(const struct finding *f)
{
    size_t i = 0;
    while (i < FAMILIES &&
           strncmp(f->id, families[i], strlen(families[i])) != 0)
        i++;
    return i;
}

bool partial_is_lead(const struct finding *f)
{
    return family_of(f) < FAMILIES;
}

bool partial_is_told(const struct finding *f)
{
    size_t i = family_of(f);
    bool is_asked = strcmp(f->id, "worse") != 0 || isfinite(f->e.estimate);
    return i < FAMILIES && f->text[0] != '\0' && is_asked &&
           (i < FAMILIES - QUIET || f->verdict == VERDICT_SUPPORTED);
}

enum status partial_leads(struct leads *leads, const struct evidence *e,
                          struct err *err)
{
    if (e->import == NULL)
        return OK;
    TRY(partial_settings(leads, e, err));
    TRY(partial_trends(leads, e, err));
    TRY(partial_texts(leads, e, err));
    return partial_judges(leads, e, err);
}
