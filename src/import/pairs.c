/*
 * pairs.c - comparisons of two replies in files of any names (--map), of
 * LLMFAO's crowd, and of PandaLM's test set.
 */
#include <stdio.h>
#include <string.h>

#include "import/people.h"
#include "import/people_readers.h"

/* ---- any names ---------------------------------------------------------- */

/* HelpSteer's preference: from -3, the first is much better, to 3. */
static enum status take_strength(bool *is_there, struct people_verdict *v,
                                 struct people *p, const struct value *row,
                                 struct err *err)
{
    static const char *const names[] = {"preference_strength",
                                        "overall_preference"};
    *is_there = false;
    for (size_t i = 0; i < 2 && !*is_there; i++) {
        const struct value *x = value_get(row, names[i]);
        double strength = value_number(x);
        if (x == NULL || !(strength >= -3 && strength <= 3))
            continue;
        *is_there = true;
        v->win = strength < 0 ? 1 : strength > 0 ? 0 : 0.5;
        TRY(people_note(p, names[i], "overall", NULL,
                        "below 0 the first is better, above it the second",
                        err));
    }
    return OK;
}

static enum status take_verdict(struct people_verdict *v, struct people *p,
                                const struct people_pair *pair,
                                const char *const field[2],
                                const struct value *row, struct err *err)
{
    static const char *const winners[] = {
        "winner",  "preferred",          "choice", "label", "overall",
        "verdict", "overall_preference", NULL};
    static const char *const judges[] = {"judge",  "annotator", "rater",
                                         "worker", "user",      NULL};
    static const char *const reasons[] = {"rationale", "reason", NULL};
    const char *const model[2] = {pair->side[0].model, pair->side[1].model};
    const char *word;
    bool is_there;
    TRY(people_text(&v->judge, p, row, "judge", judges, err));
    TRY(people_text(&v->rationale, p, row, "rationale", reasons, err));
    TRY(take_strength(&is_there, v, p, row, err));
    if (is_there)
        return OK;
    TRY(people_text(&word, p, row, "winner", winners, err));
    if (word == NULL)
        return people_skip(p, "no winner", err);
    if (!people_word(v, word, model) && !people_word(v, word, field))
        return err_set(err, ERR_FORMAT,
                       "winner '%.40s' is no side, no model and no tie", word);
    return OK;
}

static enum status take_pair(struct people *p, const struct value *row,
                             struct err *err)
{
    static const char *const prompt_ids[] = {"prompt_id", "question_id", NULL};
    static const char *const pair_ids[] = {"pair_id", NULL};
    const char *field[2];
    struct people_pair pair;
    struct people_verdict v;
    people_pair_init(&pair);
    people_verdict_init(&v);
    TRY(people_text(&pair.prompt_id, p, row, "prompt_id", prompt_ids, err));
    TRY(people_text(&pair.pair_id, p, row, "pair_id", pair_ids, err));
    TRY(people_sides(&pair, field, p, row, err));
    TRY(take_verdict(&v, p, &pair, field, row, err));
    return people_put(p, &pair, &v, err);
}

double pairs_sniff_any(const struct head *h)
{
    static const char *const a[] = {"response_a", "response_1", "output_1",
                                    "model_a",    "model_1",    "answer1",
                                    "response1"};
    static const char *const b[] = {"response_b", "response_2", "output_2",
                                    "model_b",    "model_2",    "answer2",
                                    "response2"};
    static const char *const winner[] = {"winner", "preferred", "choice",
                                         "preference_strength",
                                         "overall_preference"};
    return sniff_count(h, a, 7) > 0 && sniff_count(h, b, 7) > 0 &&
                   sniff_count(h, winner, 5) > 0
               ? 0.35
               : 0;
}

enum status pairs_read_any(struct reader *r, struct err *err)
{
    struct people p = {.take = take_pair};
    return people_read(&p, r, err);
}

/* ---- LLMFAO ------------------------------------------------------------- */

/* Left and right are names of models; prompts and workers have numbers.
 * Without a worker nothing says who judged. */
static enum status take_crowd(struct people *p, const struct value *row,
                              struct err *err)
{
    static const char *const prompt_ids[] = {"prompt", NULL};
    static const char *const pair_ids[] = {"id", NULL};
    static const char *const left[] = {"left", NULL};
    static const char *const right[] = {"right", NULL};
    static const char *const none[2] = {NULL, NULL};
    struct people_pair pair;
    struct people_verdict v;
    people_pair_init(&pair);
    people_verdict_init(&v);
    TRY(people_text(&pair.prompt_id, p, row, "prompt_id", prompt_ids, err));
    TRY(people_text(&pair.pair_id, p, row, "pair_id", pair_ids, err));
    TRY(people_text(&pair.side[0].model, p, row, "model_a", left, err));
    TRY(people_text(&pair.side[1].model, p, row, "model_b", right, err));
    TRY(take_verdict(&v, p, &pair, none, row, err));
    v.left = 0;
    v.kind = v.judge != NULL ? JUDGE_HUMAN : PEOPLE_KIND_UNKNOWN;
    return people_put(p, &pair, &v, err);
}

double pairs_sniff_crowd(const struct head *h)
{
    static const char *const names[] = {
        "id", "prompt", "model_x", "model_y", "winner", "left", "right"};
    return sniff_count(h, names, 7) == 7 ? 0.9 : 0;
}

enum status pairs_read_crowd(struct reader *r, struct err *err)
{
    struct people p = {.take = take_crowd};
    return people_read(&p, r, err);
}

/* ---- PandaLM ------------------------------------------------------------ */

#define PANDALM_ANNOTATORS 3

/* "bloom-7b_llama-7b": who answered first and second. */
static enum status take_names(struct people_pair *pair, struct people *p,
                              const struct value *row, struct err *err)
{
    const char *key = value_text(value_get(row, "cmp_key"));
    const char *stop = key != NULL ? strchr(key, '_') : NULL;
    if (stop == NULL || stop == key || stop[1] == '\0' ||
        strchr(stop + 1, '_') != NULL)
        return err_set(err, ERR_FORMAT,
                       "\"cmp_key\" is not two names with a _ between");
    TRY(arena_text(&pair->side[0].model, &p->r->arena, key,
                   (size_t)(stop - key), err));
    pair->side[1].model = stop + 1;
    return people_note(p, "cmp_key", "model_a, model_b", NULL, NULL, err);
}

static enum status put_label(struct people *p, const struct people_pair *pair,
                             const struct value *row, int annotator,
                             struct err *err)
{
    char name[32];
    struct people_verdict v;
    (void)snprintf(name, sizeof name, "annotator%d", annotator);
    const struct value *x = value_get(row, name);
    int64_t label = x != NULL ? value_int(x) : VALUE_NO_INT;
    if (x == NULL || x->kind == VALUE_NULL)
        return people_skip(p, "an annotator without a label", err);
    if (label < 0 || label > 2)
        return err_set(err, ERR_FORMAT, "\"%s\" is not 0, 1 or 2", name);
    people_verdict_init(&v);
    v.win = label == 0 ? 0.5 : label == 1 ? 1 : 0;
    v.judge = name;
    v.kind = JUDGE_HUMAN;
    TRY(people_note(p, name, "overall", NULL, "0 is a tie", err));
    return people_put(p, pair, &v, err);
}

static enum status take_labels(struct people *p, const struct value *row,
                               struct err *err)
{
    static const char *const ids[] = {"idx", NULL};
    static const char *const responses[2][2] = {{"response1", NULL},
                                                {"response2", NULL}};
    struct people_pair pair;
    people_pair_init(&pair);
    TRY(people_prompt(&pair.prompt, p, row, err));
    TRY(people_text(&pair.pair_id, p, row, "pair_id", ids, err));
    TRY(take_names(&pair, p, row, err));
    for (size_t k = 0; k < 2; k++)
        TRY(people_text(&pair.side[k].response, p, row,
                        k == 0 ? "response_a" : "response_b", responses[k],
                        err));
    for (int a = 1; a <= PANDALM_ANNOTATORS; a++)
        TRY(put_label(p, &pair, row, a, err));
    return OK;
}

double pairs_sniff_pandalm(const struct head *h)
{
    static const char *const names[] = {"cmp_key", "response1", "response2",
                                        "annotator1"};
    return sniff_count(h, names, 4) == 4 ? 0.95 : 0;
}

enum status pairs_read_pandalm(struct reader *r, struct err *err)
{
    struct people p = {.take = take_labels};
    return people_read(&p, r, err);
}
