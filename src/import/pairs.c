/*
 * pairs.c - comparisons of two replies in files of any names (--map), of
 * LLMFAO's crowd, and of PandaLM's test set.
 */
#include <stdio.h>
#include <string.h>

#include "import/people.h"
#include "import/people_readers.h"

/* ---- any names ---------------------------------------------------------- */

/* What fields may be called, each list ended by NULL. */
struct naming {
    const char *prompt[6], *prompt_id[4], *pair_id[4];
    const char *model[2][5], *response[2][8];
    const char *winner[7], *judge[6], *rationale[4];
    bool is_shown; // the first is the left one
};

static const struct naming any = {
    .prompt = {"prompt", "question", "instruction", "input", "query", NULL},
    .prompt_id = {"prompt_id", "question_id", NULL},
    .pair_id = {"pair_id", NULL},
    .model = {{"model_a", "model_1", "generator_1", "model_left", NULL},
              {"model_b", "model_2", "generator_2", "model_right", NULL}},
    .response = {{"response_a", "response_1", "response1", "output_1",
                  "answer1", "answer_a", "left", NULL},
                 {"response_b", "response_2", "response2", "output_2",
                  "answer2", "answer_b", "right", NULL}},
    .winner = {"winner", "preferred", "choice", "label", "overall", "verdict",
               NULL},
    .judge = {"judge", "annotator", "rater", "worker", "user", NULL},
    .rationale = {"rationale", "reason", "comment", NULL},
};

static const struct naming crowd = {
    .prompt = {NULL},
    .prompt_id = {"prompt", NULL},
    .pair_id = {"id", NULL},
    .model = {{"left", NULL}, {"right", NULL}},
    .response = {{NULL}, {NULL}},
    .winner = {"winner", NULL},
    .judge = {"worker", NULL},
    .rationale = {NULL},
    .is_shown = true,
};

static const char *const model_of[2] = {"model_a", "model_b"};
static const char *const response_of[2] = {"response_a", "response_b"};

/* A reply whose model is not named is called as its field is. */
static enum status take_side(struct people_pair *pair, size_t k,
                             const char **field, struct people *p,
                             const struct value *row, const struct naming *n,
                             struct err *err)
{
    struct people_side *side = &pair->side[k];
    TRY(people_text(&side->model, p, row, model_of[k], n->model[k], err));
    TRY(people_text(&side->response, p, row, response_of[k], n->response[k],
                    err));
    (void)people_field(field, p, row, response_of[k], n->response[k]);
    if (side->model == NULL)
        side->model = *field;
    return OK;
}

static enum status take_verdict(struct people_verdict *v, struct people *p,
                                const struct people_pair *pair,
                                const char *const field[2],
                                const struct value *row, const struct naming *n,
                                struct err *err)
{
    const char *word;
    const char *const model[2] = {pair->side[0].model, pair->side[1].model};
    TRY(people_text(&v->judge, p, row, "judge", n->judge, err));
    TRY(people_text(&v->rationale, p, row, "rationale", n->rationale, err));
    TRY(people_text(&word, p, row, "winner", n->winner, err));
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
    const struct naming *n = p->ctx;
    const char *field[2] = {NULL, NULL};
    struct people_pair pair;
    struct people_verdict v;
    people_pair_init(&pair);
    people_verdict_init(&v);
    TRY(people_text(&pair.prompt, p, row, "prompt", n->prompt, err));
    TRY(people_text(&pair.prompt_id, p, row, "prompt_id", n->prompt_id, err));
    TRY(people_text(&pair.pair_id, p, row, "pair_id", n->pair_id, err));
    for (size_t k = 0; k < 2; k++)
        TRY(take_side(&pair, k, &field[k], p, row, n, err));
    TRY(take_verdict(&v, p, &pair, field, row, n, err));
    v.left = n->is_shown ? 0 : -1;
    /* Crowd workers have numbers; without them nothing says who judged. */
    v.kind = v.judge != NULL && n->is_shown ? JUDGE_HUMAN : PEOPLE_KIND_UNKNOWN;
    return people_put(p, &pair, &v, err);
}

static enum status read_naming(struct reader *r, struct naming n,
                               struct err *err)
{
    struct people p = {.take = take_pair, .ctx = &n};
    return people_read(&p, r, err);
}

double pairs_sniff_any(const struct head *h)
{
    static const char *const a[] = {"response_a", "response_1", "output_1",
                                    "model_a",    "model_1",    "answer1"};
    static const char *const b[] = {"response_b", "response_2", "output_2",
                                    "model_b",    "model_2",    "answer2"};
    static const char *const winner[] = {"winner", "preferred", "choice"};
    return sniff_count(h, a, 6) > 0 && sniff_count(h, b, 6) > 0 &&
                   sniff_count(h, winner, 3) > 0
               ? 0.35
               : 0;
}

enum status pairs_read_any(struct reader *r, struct err *err)
{
    return read_naming(r, any, err);
}

double pairs_sniff_crowd(const struct head *h)
{
    static const char *const names[] = {
        "id", "prompt", "model_x", "model_y", "winner", "left", "right"};
    return sniff_count(h, names, 7) == 7 ? 0.9 : 0;
}

enum status pairs_read_crowd(struct reader *r, struct err *err)
{
    return read_naming(r, crowd, err);
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
        TRY(people_text(&pair.side[k].response, p, row, response_of[k],
                        responses[k], err));
    for (int a = 1; a <= PANDALM_ANNOTATORS; a++)
        TRY(put_label(p, &pair, row, a, err));
    return OK;
}

double pandalm_sniff(const struct head *h)
{
    static const char *const names[] = {"cmp_key", "response1", "response2",
                                        "annotator1"};
    return sniff_count(h, names, 4) == 4 ? 0.95 : 0;
}

enum status pandalm_read(struct reader *r, struct err *err)
{
    struct people p = {.take = take_labels};
    return people_read(&p, r, err);
}
