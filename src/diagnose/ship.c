#include "diagnose/ship.h"

#include <math.h>
#include <stdio.h>

#define CURVE "eval/curve.json"

/* By which a checkpoint may be chosen, the best first. */
static const struct {
    const char *key, *judge;
} measures[] = {
    {"human_win_rate", "people"},
    {"gold", "the gold rubric"},
    {"weak_gold", "a second reward model"},
};

enum {
    MEASURES_TRIED = sizeof measures / sizeof *measures
};

static struct ship_point point(const struct json *node, const char *key)
{
    return (struct ship_point){
        .iteration = json_number(json_get(node, "iteration"), (double)NAN),
        .judged = measures_read_estimate(json_get(node, key)),
        .score = measures_read_estimate(json_get(node, "score")),
        .kl = measures_read_estimate(json_get(node, "kl_sequence")),
        .tokens = measures_read_estimate(json_get(node, "len")),
    };
}

static bool is_whole(const struct ship_point *p)
{
    return isfinite(p->iteration) && isfinite(p->kl.estimate) &&
           finding_has_interval(&p->judged);
}

/* a minus b, as if independent. */
static struct estimate minus(const struct estimate *a, const struct estimate *b)
{
    double x = a->estimate - b->estimate;
    double half = hypot(a->high - a->low, b->high - b->low) / 2;
    return (struct estimate){x, x - half, x + half, a->n < b->n ? a->n : b->n};
}

/* The points that have what is needed; false with fewer than two. */
static bool survey(struct ship *s, const struct json *list, const char *key)
{
    s->candidates = 0;
    for (size_t i = 0; i < json_size(list); i++) {
        struct ship_point p = point(json_at(list, i), key);
        if (!is_whole(&p))
            continue;
        if (s->candidates == 0 || p.judged.estimate > s->best.judged.estimate)
            s->best = p;
        s->last = p;
        s->candidates++;
    }
    return s->candidates > 1;
}

static void choose(struct ship *s, const struct json *list, const char *key)
{
    s->alike = 0;
    for (size_t i = 0; i < json_size(list); i++) {
        struct ship_point p = point(json_at(list, i), key);
        struct estimate short_of = minus(&s->best.judged, &p.judged);
        if (!is_whole(&p) ||
            (p.iteration != s->best.iteration && short_of.low > 0))
            continue;
        if (s->alike == 0 || p.kl.estimate < s->chosen.kl.estimate)
            s->chosen = p;
        if (s->alike == 0 || p.score.estimate > s->furthest.score.estimate)
            s->furthest = p;
        s->alike++;
    }
}

static const char *name(char out[64], const struct ship_point *p)
{
    struct buf b;
    buf_init(&b, 63);
    if (p->iteration == 0)
        buf_puts(&b, "the model it began with");
    else
        buf_printf(&b, "iteration %.0f", p->iteration);
    (void)snprintf(out, 64, "%s", buf_text(&b));
    buf_free(&b);
    return out;
}

static void judge_curve(struct ship *s)
{
    struct finding *f = &s->row;
    struct estimate gain = minus(&s->chosen.judged, &s->last.judged);
    char what[64], best[64], text[64];
    f->e = gain;
    f->null = f->effect = 0;
    s->is_last = s->chosen.iteration == s->last.iteration;
    if (s->is_last) {
        f->e = (struct estimate){0, 0, 0, s->last.judged.n};
        f->verdict = VERDICT_NOT_SUPPORTED;
    } else {
        f->verdict = gain.low > 0    ? VERDICT_SUPPORTED
                     : gain.high < 0 ? VERDICT_NOT_SUPPORTED
                                     : VERDICT_NOT_MEASURABLE;
    }
    s->score_given_up = s->last.score.estimate - s->chosen.score.estimate;
    if (f->verdict == VERDICT_NOT_MEASURABLE)
        finding_lack(f,
                     "the last checkpoint is not told apart from it; %s would "
                     "do (now %zu)",
                     finding_enough_prompts(text, &gain, 0, gain.estimate),
                     gain.n);
    finding_say(f,
                "by %s %s is best; %zu of %zu checkpoints are not told apart "
                "from it, and of these %s has the least KL (%.2f nats): %s "
                "more than the last, for %.2f of score",
                s->judge, name(best, &s->best), s->alike, s->candidates,
                name(what, &s->chosen), s->chosen.kl.estimate,
                finding_number(text, &f->e, 2), s->score_given_up);
}

/* Two candidates and the votes between them. */
static void judge_votes(struct ship *s, const struct evidence *e,
                        const struct estimate *win)
{
    struct finding *f = &s->row;
    const struct json *list = json_get(e->curve, "checkpoints");
    size_t m = json_size(list);
    bool is_better = win->low > 0.5;
    char text[64];
    s->measure = "votes";
    s->judge = "blind votes";
    s->candidates = 2;
    s->alike = is_better || win->high < 0.5 ? 1 : 2;
    s->last = point(m > 0 ? json_at(list, m - 1) : NULL, "");
    s->last.judged = *win;
    s->is_last = is_better;
    s->chosen = s->last;
    if (!is_better) {
        s->chosen = point(m > 0 ? json_at(list, 0) : NULL, "");
        s->chosen.iteration = 0;
    }
    s->best = win->estimate > 0.5 ? s->last : s->chosen;
    s->furthest = s->alike == 2 ? s->last : s->chosen;
    f->data = "human/spotcheck.jsonl";
    f->unit = "one half minus the win rate";
    f->e = (struct estimate){0.5 - win->estimate, 0.5 - win->high,
                             0.5 - win->low, win->n};
    f->null = f->effect = 0;
    f->verdict = is_better      ? VERDICT_NOT_SUPPORTED
                 : f->e.low > 0 ? VERDICT_SUPPORTED
                                : VERDICT_NOT_MEASURABLE;
    s->score_given_up = s->last.score.estimate - s->chosen.score.estimate;
    if (f->verdict == VERDICT_NOT_MEASURABLE)
        finding_lack(f,
                     "the policy is not told apart from its reference; %s "
                     "would do (now %zu)",
                     finding_enough_prompts(text, win, 0.5, win->estimate),
                     win->n);
    finding_say(f, "blind votes prefer the policy in %s of the pairs: %s",
                finding_percent(text, win),
                is_better ? "ship the policy" : "ship the reference");
}

void ship_judge(struct ship *out, const struct evidence *e,
                const struct estimate *win)
{
    const struct json *list = json_get(e->curve, "checkpoints");
    struct ship s = {
        .row = finding_new("ship", "an earlier checkpoint is better",
                           "there minus at the last checkpoint", CURVE),
        .score_given_up = (double)NAN,
    };
    s.row.is_lead = true;
    for (size_t i = 0; i < MEASURES_TRIED && s.measure == NULL; i++) {
        if (!survey(&s, list, measures[i].key))
            continue;
        s.measure = measures[i].key;
        s.judge = measures[i].judge;
        choose(&s, list, s.measure);
        judge_curve(&s);
    }
    if (s.measure == NULL && finding_has_interval(win))
        judge_votes(&s, e, win);
    if (s.measure == NULL) {
        s.candidates = 0;
        finding_lack(&s.row, "neither people, gold nor a second reward model "
                             "judged the checkpoints (" CURVE "), nor did "
                             "blind votes the last one");
    }
    *out = s;
}

/* ---- diagnosis.json ----------------------------------------------------- */

static void write_point(struct json_writer *w, const char *key,
                        const struct ship_point *p)
{
    static const char *const part[] = {"judged", "score", "kl", "tokens"};
    const struct estimate *const e[] = {&p->judged, &p->score, &p->kl,
                                        &p->tokens};
    json_put_key(w, key);
    json_open(w, '{');
    json_field_number(w, "iteration", p->iteration);
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        json_put_key(w, part[i]);
        measures_write_estimate(w, e[i]);
    }
    json_close(w, '}');
}

void ship_write(struct json_writer *w, const struct ship *s)
{
    json_open(w, '{');
    json_field_text(w, "measure", s->measure);
    json_put_key(w, "row");
    finding_write(w, &s->row);
    if (s->measure != NULL) {
        json_field_int(w, "candidates", (int64_t)s->candidates);
        json_field_int(w, "not_told_apart", (int64_t)s->alike);
        json_field_number(w, "score_given_up", s->score_given_up);
        write_point(w, "chosen", &s->chosen);
        write_point(w, "best", &s->best);
        write_point(w, "furthest", &s->furthest);
        write_point(w, "last", &s->last);
    }
    json_close(w, '}');
}
