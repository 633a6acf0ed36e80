/*
 * alpaca.c - AlpacaEval and AlpacaFarm: what models answered, and what an
 * annotator (a language model, as a rule) said of two answers.
 */
#include <math.h>
#include <string.h>

#include "import/people.h"
#include "import/people_readers.h"

static const char *const prompt_ids[] = {"index", NULL};

/* ---- annotations -------------------------------------------------------- */

/*
 * 1: the first is better, 2: the second, between them a probability; earlier
 * files have whole numbers with 0 for a tie.  NaN: the annotator gave none.
 */
static enum status take_preference(struct people_verdict *v, struct people *p,
                                   const struct value *row, struct err *err)
{
    const struct value *x = value_get(row, "preference");
    if (x == NULL || !value_is_number(x))
        return err_set(err, ERR_FORMAT, "\"preference\" is no number");
    double preference = value_number(x);
    if (isnan(preference))
        return people_skip(p, "no preference", err);
    if (preference != 0 && !(preference >= 1 && preference <= 2))
        return err_set(err, ERR_FORMAT,
                       "\"preference\" is %g, neither from 1 to 2 nor 0",
                       preference);
    v->probability = preference == 0 ? 0.5 : 2 - preference;
    v->win = v->probability > 0.5 ? 1 : v->probability < 0.5 ? 0 : 0.5;
    return people_note(p, "preference", "overall, probability", "1..2",
                       "the second reply's probability and 1; 1.5, earlier 0: "
                       "a tie",
                       err);
}

/* "human", "human_1", "Human annotators". */
static bool is_human(const char *annotator)
{
    return annotator != NULL && (strncmp(annotator, "human", 5) == 0 ||
                                 strncmp(annotator, "Human", 5) == 0);
}

static enum status take_annotation(struct people *p, const struct value *row,
                                   struct err *err)
{
    static const char *const fields[2][2][2] = {
        {{"generator_1", NULL}, {"output_1", NULL}},
        {{"generator_2", NULL}, {"output_2", NULL}}};
    static const char *const ours[2] = {"model_a", "model_b"};
    static const char *const replies[2] = {"response_a", "response_b"};
    static const char *const judges[] = {"annotator", NULL};
    struct people_pair pair;
    struct people_verdict v;
    people_pair_init(&pair);
    people_verdict_init(&v);
    TRY(people_prompt(&pair.prompt, p, row, err));
    for (size_t k = 0; k < 2; k++) {
        TRY(people_text(&pair.side[k].model, p, row, ours[k], fields[k][0],
                        err));
        TRY(people_text(&pair.side[k].response, p, row, replies[k],
                        fields[k][1], err));
    }
    TRY(people_text(&v.judge, p, row, "judge", judges, err));
    v.kind = is_human(v.judge) ? JUDGE_HUMAN : JUDGE_MODEL;
    TRY(take_preference(&v, p, row, err));
    return people_put(p, &pair, &v, err);
}

double alpaca_sniff_annotations(const struct head *h)
{
    static const char *const names[] = {"instruction", "output_1",
                                        "output_2",    "generator_1",
                                        "generator_2", "preference"};
    return sniff_count(h, names, 6) == 6 ? 0.95 : 0;
}

enum status alpaca_read_annotations(struct reader *r, struct err *err)
{
    struct people p = {.take = take_annotation, .first_is_reference = true};
    return people_read(&p, r, err);
}

/* ---- outputs ------------------------------------------------------------ */

/* What a file is called without what says how it is kept: "outputs_sft.json.gz"
 * is sft. */
static enum status file_model(struct buf *out, const struct reader *r,
                              struct err *err)
{
    static const char *const ends[] = {".gz",    ".zst", ".json",
                                       ".jsonl", ".csv", ".tsv"};
    const char *name = r->name;
    size_t len = strlen(name);
    const char *const said[] = {people_named(r, "policy"),
                                people_named(r, "reference")};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t n = strlen(ends[i]);
        if (len > n && memcmp(name + len - n, ends[i], n) == 0) {
            len -= n;
            i = SIZE_MAX; // from the first again
        }
    }
    for (size_t i = 0; i < 2; i++)
        if (said[i] != NULL &&
            (strcmp(said[i], name) == 0 ||
             (strlen(said[i]) == len && memcmp(said[i], name, len) == 0))) {
            buf_puts(out, said[i]);
            return buf_status(out, err);
        }
    size_t skip = strncmp(name, "outputs_", 8) == 0 && len > 8 ? 8 : 0;
    buf_append(out, name + skip, len - skip);
    return buf_status(out, err);
}

static enum status take_output(struct people *p, const struct value *row,
                               struct err *err)
{
    static const char *const names[] = {"output", NULL};
    static const char *const models[] = {"generator", NULL};
    struct people_pair pair;
    struct people_side *side = &pair.side[0];
    const char *name;
    people_pair_init(&pair);
    TRY(people_prompt(&pair.prompt, p, row, err));
    TRY(people_text(&pair.prompt_id, p, row, "prompt_id", prompt_ids, err));
    TRY(people_text(&side->model, p, row, "model", models, err));
    if (side->model == NULL)
        side->model = buf_text(p->ctx);
    const struct value *output = people_field(&name, p, row, "response", names);
    if (output == NULL)
        return people_skip(p, "no output", err);
    TRY(people_note(p, name, "response", NULL, NULL, err));
    if (output->kind != VALUE_LIST) {
        TRY(reader_text(&side->response, p->r, output, err));
        return people_put_reply(p, &pair, err);
    }
    for (const struct value *v = output->first; v != NULL; v = v->next) {
        TRY(reader_text(&side->response, p->r, v, err));
        TRY(people_put_reply(p, &pair, err));
    }
    return OK;
}

double alpaca_sniff_outputs(const struct head *h)
{
    static const char *const names[] = {"instruction", "output", "generator"};
    static const char *const raw[] = {"index", "output", "instruction"};
    const struct value *first = h->n_rows > 0 ? &h->row[0] : NULL;
    if (h->n_columns > 0 || first == NULL)
        return 0;
    if (sniff_count(h, names, 3) == 3)
        return 0.9;
    if (sniff_count(h, raw, 3) == 3)
        return 0.6;
    return sniff_count(h, raw, 2) == 2 && first->n == 2 ? 0.6 : 0;
}

double alpaca_sniff_farm(const struct head *h)
{
    static const char *const names[] = {"instruction", "input", "output"};
    const struct value *first = h->n_rows > 0 ? &h->row[0] : NULL;
    return h->n_columns == 0 && first != NULL && first->n == 3 &&
                   sniff_count(h, names, 3) == 3
               ? 0.8
               : 0;
}

enum status alpaca_read_outputs(struct reader *r, struct err *err)
{
    struct buf model;
    struct people p = {.take = take_output, .ctx = &model};
    buf_init(&model, 4096);
    enum status status = file_model(&model, r, err);
    if (status == OK)
        status = people_read(&p, r, err);
    buf_free(&model);
    return status;
}

/* ---- preferences as a table --------------------------------------------- */

/* model, index, preference: what AlpacaEval's annotations say, without texts;
 * the first reply is the baseline's. */
static enum status take_preferences(struct people *p, const struct value *row,
                                    struct err *err)
{
    static const char *const models[] = {"model", NULL};
    struct people_pair pair;
    struct people_verdict v;
    people_pair_init(&pair);
    people_verdict_init(&v);
    v.kind = JUDGE_MODEL;
    const char *said = people_named(p->r, "reference");
    bool is_named = said != NULL && strcmp(said, "*") != 0;
    pair.side[0].model = is_named ? said : "baseline"; // it is not named there
    TRY(people_text(&pair.prompt_id, p, row, "prompt_id", prompt_ids, err));
    TRY(people_text(&pair.side[1].model, p, row, "model", models, err));
    TRY(take_preference(&v, p, row, err));
    return people_put(p, &pair, &v, err);
}

double alpaca_sniff_preferences(const struct head *h)
{
    static const char *const names[] = {"model", "index", "preference",
                                        "len_baseline", "len_model"};
    return h->n_columns > 0 && sniff_count(h, names, 5) == 5 ? 0.9 : 0;
}

enum status alpaca_read_preferences(struct reader *r, struct err *err)
{
    struct people p = {.take = take_preferences, .first_is_reference = true};
    return people_read(&p, r, err);
}
