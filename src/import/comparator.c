/*
 * comparator.c - LLM Comparator's document: two models side by side, and what
 * each rating said.  Scores above 0 are for A, however the pair was shown to
 * the rater; is_flipped says that B was shown first.
 */
#include <math.h>
#include <string.h>

#include "import/people.h"
#include "import/people_readers.h"

static double win_of(double score)
{
    return score > 0 ? 1 : score < 0 ? 0 : 0.5;
}

/* How often this rater spoke of the example before, and once more.  Ratings
 * without a name are one model's, asked again. */
static int64_t visit_of(const struct value *first, const struct value *rating)
{
    const char *name = value_text(value_get(rating, "rater"));
    int64_t n = 1;
    for (const struct value *v = first; v != rating; v = v->next) {
        const char *other = value_text(value_get(v, "rater"));
        n += name == NULL ? other == NULL
                          : other != NULL && strcmp(name, other) == 0;
    }
    return n;
}

static enum status put_rating(struct people *p, const struct people_pair *pair,
                              const struct value *first,
                              const struct value *rating, struct err *err)
{
    struct people_verdict v;
    const struct value *flipped = value_get(rating, "is_flipped");
    double score = value_number(value_get(rating, "score"));
    if (isnan(score))
        return people_skip(p, "a rating without a score", err);
    people_verdict_init(&v);
    v.win = win_of(score);
    v.kind = JUDGE_MODEL;
    v.visit = visit_of(first, rating);
    TRY(reader_text(&v.judge, p->r, value_get(rating, "rater"), err));
    TRY(reader_text(&v.rationale, p->r, value_get(rating, "rationale"), err));
    if (flipped != NULL && flipped->kind == VALUE_BOOL)
        v.left = flipped->number != 0 ? 1 : 0;
    TRY(people_note(p, "individual_rater_scores.score", "overall", NULL,
                    "above 0: A won; taken for a model's, as the tool's own "
                    "are (--judge-kind human)",
                    err));
    return people_put(p, pair, &v, err);
}

/* Only the mean score is there. */
static enum status put_mean(struct people *p, const struct people_pair *pair,
                            const struct value *example, struct err *err)
{
    struct people_verdict v;
    double score = value_number(value_get(example, "score"));
    people_verdict_init(&v);
    v.kind = JUDGE_MODEL;
    v.win = isnan(score) ? score : win_of(score);
    TRY(people_note(p, "score", "overall", NULL,
                    "the mean of ratings that are not in the file", err));
    return people_put(p, pair, &v, err);
}

static enum status take_example(struct people *p, const char *const model[2],
                                const struct value *example, struct err *err)
{
    static const char *const prompts[] = {"input_text", NULL};
    static const char *const replies[2][2] = {{"output_text_a", NULL},
                                              {"output_text_b", NULL}};
    static const char *const ours[2] = {"response_a", "response_b"};
    struct people_pair pair;
    people_pair_init(&pair);
    TRY(people_text(&pair.prompt, p, example, "prompt", prompts, err));
    for (size_t k = 0; k < 2; k++) {
        pair.side[k].model = model[k];
        TRY(people_text(&pair.side[k].response, p, example, ours[k], replies[k],
                        err));
    }
    const struct value *list = value_get(example, "individual_rater_scores");
    if (list == NULL || list->kind != VALUE_LIST || list->n == 0)
        return put_mean(p, &pair, example, err);
    for (const struct value *v = list->first; v != NULL; v = v->next)
        TRY(put_rating(p, &pair, list->first, v, err));
    return OK;
}

static enum status walk_document(struct people *p, struct err *err)
{
    struct value document;
    const char *model[2] = {"A", "B"};
    TRY(reader_document(&document, p->r, err));
    const struct value *models = value_get(&document, "models");
    const struct value *examples = value_get(&document, "examples");
    if (examples == NULL || examples->kind != VALUE_LIST)
        return err_set(err, ERR_FORMAT, "%s:1: no list of \"examples\"",
                       p->r->path);
    const struct value *m = models != NULL ? models->first : NULL;
    for (size_t k = 0; k < 2 && m != NULL; k++, m = m->next) {
        const char *name = value_text(value_get(m, "name"));
        model[k] = name != NULL ? name : model[k];
    }
    size_t n = 0;
    for (const struct value *v = examples->first; v != NULL; v = v->next) {
        enum status status = take_example(p, model, v, err);
        if (status != OK)
            return err_context(err, "%s:1: example %zu", p->r->path, n);
        n++;
    }
    return OK;
}

double comparator_sniff(const struct head *h)
{
    static const char *const names[] = {"metadata", "models", "examples"};
    if (h->n_rows == 1 && sniff_count(h, names, 3) == 3)
        return 0.95;
    /* Longer than what is looked at. */
    return h->n_rows == 0 && !h->is_whole && h->text[0] == '{' &&
                   sniff_says(h, "\"examples\"") &&
                   sniff_says(h, "\"output_text_a\"")
               ? 0.9
               : 0;
}

enum status comparator_read(struct reader *r, struct err *err)
{
    struct people p = {.walk = walk_document};
    return people_read(&p, r, err);
}
