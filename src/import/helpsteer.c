/*
 * helpsteer.c - HelpSteer: each response rated for itself, from 0 to 4; two
 * rows of one prompt behind each other are a pair, and what is the more
 * helpful of them has won.
 */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "import/people.h"
#include "import/people_readers.h"

enum {
    HELPFULNESS,
    CORRECTNESS,
    COHERENCE,
    COMPLEXITY,
    VERBOSITY,
    RATINGS
};

static const char *const ratings[RATINGS] = {
    "helpfulness", "correctness", "coherence", "complexity", "verbosity"};

/* A row that waits for the second of its prompt. */
struct waiting {
    struct buf prompt, response, model;
    struct people_side side;
    bool is_there;
};

static enum status keep(struct buf *to, const char *text, struct err *err)
{
    buf_clear(to);
    buf_puts(to, text);
    return buf_status(to, err);
}

/* "too_long", "right" or "too_short": our own export says it beside verbosity,
 * which is no fault by itself. */
static double too_long_of(const struct value *row)
{
    const char *text = value_text(value_get(row, "length"));
    return text == NULL ? (double)NAN : strcmp(text, "too_long") == 0 ? 1 : 0;
}

static enum status read_ratings(struct people_side *side, struct people *p,
                                const struct value *row, struct err *err)
{
    double x[RATINGS];
    for (size_t i = 0; i < RATINGS; i++) {
        const struct value *v = value_get(row, ratings[i]);
        x[i] = value_number(v);
        if (v != NULL && !value_is_number(v))
            return err_set(err, ERR_FORMAT, "\"%s\" is no number", ratings[i]);
        if (x[i] < 0 || x[i] > 4)
            return err_set(err, ERR_FORMAT, "\"%s\" is %g, not from 0 to 4",
                           ratings[i], x[i]);
    }
    side->helpful = x[HELPFULNESS];
    side->correct = x[CORRECTNESS] / 4;
    side->direct = value_number(value_get(row, "direct"));
    if (!(side->direct >= 0 && side->direct <= 4))
        side->direct = (double)NAN;
    side->too_long = too_long_of(row);
    TRY(people_note(p, "helpfulness", "helpful, overall", "0..4",
                    "the verdict of a pair is which of two is more helpful",
                    err));
    TRY(people_note(p, "correctness", "correct", "0..4",
                    "4 is yes, 0 is no, between is unsure", err));
    return people_note(p, "coherence, complexity, verbosity", NULL, "0..4",
                       "no question of ours: how much was written is counted",
                       err);
}

static enum status end_pair(struct people *p, struct people_pair *pair,
                            const char *judge, struct err *err)
{
    struct people_verdict v;
    double left = pair->side[0].helpful, right = pair->side[1].helpful;
    people_verdict_init(&v);
    v.judge = judge;
    v.kind = JUDGE_HUMAN;
    if (isnan(left) || isnan(right))
        TRY(people_skip(p, "a pair without both helpfulnesses", err));
    else
        v.win = left > right ? 1 : left < right ? 0 : 0.5;
    for (size_t k = 0; k < 2; k++)
        if (pair->side[k].model == NULL)
            pair->side[k].model = k == 0 ? "first" : "second";
    return people_put(p, pair, &v, err);
}

/* The row that waited has no second one. */
static enum status drop_waiting(struct people *p, struct err *err)
{
    struct waiting *w = p->ctx;
    if (!w->is_there)
        return OK;
    w->is_there = false;
    return people_skip(p, "a response without another of its prompt", err);
}

static enum status hold(struct waiting *w, const char *prompt,
                        const struct people_side *side, struct err *err)
{
    TRY(keep(&w->prompt, prompt, err));
    TRY(keep(&w->response, side->response, err));
    TRY(keep(&w->model, side->model != NULL ? side->model : "", err));
    w->side = *side;
    w->side.response = buf_text(&w->response);
    w->side.model = side->model != NULL ? buf_text(&w->model) : NULL;
    w->is_there = true;
    return OK;
}

static enum status take_rating(struct people *p, const struct value *row,
                               struct err *err)
{
    static const char *const prompts[] = {"prompt", NULL};
    static const char *const responses[] = {"response", NULL};
    static const char *const models[] = {"model", "generator", "source", NULL};
    static const char *const judges[] = {"judge", "annotator", NULL};
    struct waiting *w = p->ctx;
    struct people_pair pair;
    struct people_side *side = &pair.side[1];
    const char *judge;
    people_pair_init(&pair);
    TRY(people_text(&pair.prompt, p, row, "prompt", prompts, err));
    TRY(people_text(&side->response, p, row, "response", responses, err));
    TRY(people_text(&side->model, p, row, "model", models, err));
    TRY(people_text(&judge, p, row, "judge", judges, err));
    TRY(read_ratings(side, p, row, err));
    if (pair.prompt == NULL || side->response == NULL)
        return people_skip(p, "no prompt or no response", err);
    if (w->is_there && strcmp(buf_text(&w->prompt), pair.prompt) != 0)
        TRY(drop_waiting(p, err));
    if (!w->is_there)
        return hold(w, pair.prompt, side, err);
    w->is_there = false;
    pair.side[0] = w->side;
    return end_pair(p, &pair, judge, err);
}

double helpsteer_sniff(const struct head *h)
{
    static const char *const names[] = {"prompt", "response"};
    return sniff_count(h, names, 2) == 2 &&
                   sniff_count(h, ratings, RATINGS) == RATINGS
               ? 0.95
               : 0;
}

enum status helpsteer_read(struct reader *r, struct err *err)
{
    struct waiting w = {.is_there = false};
    struct people p = {.take = take_rating, .end = drop_waiting, .ctx = &w};
    buf_init(&w.prompt, IMPORT_LINE_MAX + 1024);
    buf_init(&w.response, IMPORT_LINE_MAX + 1024);
    buf_init(&w.model, IMPORT_LINE_MAX + 1024);
    enum status status = people_read(&p, r, err);
    buf_free(&w.prompt);
    buf_free(&w.response);
    buf_free(&w.model);
    return status;
}
