/*
 * arena.c - battles of Chatbot Arena and of MT-bench: two conversations with
 * models of names, and who won.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "import/people.h"
#include "import/people_readers.h"

/* ---- conversations ------------------------------------------------------ */

/* A message's text; newer files have a list of parts of one type each. */
static enum status message_text(const char **out, struct reader *r,
                                const struct value *message, struct err *err)
{
    const struct value *content = value_get(message, "content");
    if (value_text(value_get(content, "text")) != NULL)
        content = value_get(content, "text");
    return reader_text(out, r, content, err);
}

static bool is_by(const struct value *message, const char *role)
{
    const char *text = value_text(value_get(message, "role"));
    return text != NULL && strcmp(text, role) == 0;
}

static enum status keep(const char **out, struct reader *r,
                        const struct buf *text, struct err *err)
{
    TRY(buf_status(text, err));
    return arena_text(out, &r->arena, buf_text(text), text->len, err);
}

/* The conversation up to the answer to turn `turns`: the prompt is what is
 * before the first answer, the response all from it on. */
struct talk {
    struct buf *prompt, *response;
    size_t answers, first_answer; // messages of the response, where it begins
    double tokens;                // of the answers; NaN when one does not say
};

static enum status add_message(struct talk *t, struct reader *r,
                               const struct value *message, struct err *err)
{
    const char *text, *role = value_text(value_get(message, "role"));
    bool is_answer = is_by(message, "assistant");
    struct buf *to = is_answer || t->answers > 0 ? t->response : t->prompt;
    TRY(message_text(&text, r, message, err));
    if (to->len > 0)
        buf_printf(to, "\n%s: ", role != NULL ? role : "?");
    buf_puts(to, text != NULL ? text : "");
    t->answers += is_answer;
    if (is_answer)
        t->tokens += value_number(value_get(message, "num_tokens"));
    return OK;
}

static enum status read_talk(struct people_pair *pair, size_t k,
                             struct people *p, const struct value *list,
                             int64_t turns, struct err *err)
{
    struct buf prompt, response;
    struct talk t = {.prompt = &prompt, .response = &response};
    enum status status = OK;
    if (list == NULL || list->kind != VALUE_LIST || p->is_naming)
        return OK;
    buf_init(&prompt, 2 * IMPORT_LINE_MAX);
    buf_init(&response, 2 * IMPORT_LINE_MAX);
    for (const struct value *m = list->first; m != NULL; m = m->next) {
        if (turns > 0 && (int64_t)t.answers == turns)
            break;
        TRY_DONE(add_message(&t, p->r, m, err));
    }
    if (pair->prompt == NULL && prompt.len > 0)
        TRY_DONE(keep(&pair->prompt, p->r, &prompt, err));
    if (t.answers > 0)
        TRY_DONE(keep(&pair->side[k].response, p->r, &response, err));
    if (t.tokens >= 0 && t.tokens < 1e9 && t.answers > 0)
        pair->side[k].n_tokens = (int64_t)t.tokens;
done:
    buf_free(&prompt);
    buf_free(&response);
    return status;
}

/* Tokens of all answers, as style control counts them. */
static void take_length(struct people_side *side, const struct value *row,
                        const char *key)
{
    int64_t n = value_int(value_get(value_get(row, "conv_metadata"), key));
    if (side->n_tokens < 0 && n >= 0 && n < 1000000000)
        side->n_tokens = n;
}

/* ---- judges ------------------------------------------------------------- */

/* MT-bench's verdicts of a model have a list ["gpt-4", "pair-v2"]. */
static enum status take_judge(struct people_verdict *v, struct people *p,
                              const struct value *row, struct err *err)
{
    static const char *const names[] = {"judge", NULL};
    static const char *const models[] = {"gpt", "claude", "gemini", "llama"};
    const char *name;
    const struct value *judge = people_field(&name, p, row, "judge", names);
    v->kind = JUDGE_HUMAN;
    if (judge == NULL)
        return OK;
    bool is_list = judge->kind == VALUE_LIST;
    TRY(people_note(p, name, "judge", NULL,
                    "a person, unless it is a list or a language model's name",
                    err));
    TRY(reader_text(&v->judge, p->r, is_list ? judge->first : judge, err));
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        is_list =
            is_list || (v->judge != NULL &&
                        strncmp(v->judge, models[i], strlen(models[i])) == 0);
    v->kind = is_list ? JUDGE_MODEL : JUDGE_HUMAN;
    return OK;
}

/* One of a battle's three columns of 0 and 1. */
static bool take_flags(struct people_verdict *v, const struct value *row)
{
    if (value_number(value_get(row, "winner_model_a")) == 1)
        v->win = 1;
    else if (value_number(value_get(row, "winner_model_b")) == 1)
        v->win = 0;
    else if (value_number(value_get(row, "winner_tie")) == 1)
        v->win = 0.5;
    else
        return false;
    return true;
}

static enum status take_winner(struct people_verdict *v, struct people *p,
                               const struct value *row, struct err *err)
{
    static const char *const names[] = {"winner", NULL};
    static const char *const none[2] = {NULL, NULL};
    const char *word;
    TRY(people_text(&word, p, row, "winner", names, err));
    if (word == NULL)
        return take_flags(v, row) ? OK : people_skip(p, "no winner", err);
    if (!people_word(v, word, none))
        return err_set(err, ERR_FORMAT,
                       "winner '%.40s' is not model_a, model_b, tie or tie "
                       "(bothbad)",
                       word);
    return OK;
}

/* ---- rows --------------------------------------------------------------- */

/* A question's second turn is another prompt than its first. */
static enum status take_id(struct people_pair *pair, struct people *p,
                           const struct value *row, int64_t turn,
                           struct err *err)
{
    static const char *const names[] = {"question_id", "id", NULL};
    char id[300];
    TRY(people_text(&pair->prompt_id, p, row, "prompt_id", names, err));
    if (pair->prompt_id == NULL || turn <= 1)
        return OK;
    int n = snprintf(id, sizeof id, "%.255s#%lld", pair->prompt_id,
                     (long long)turn);
    return arena_text(&pair->prompt_id, &p->r->arena, id, (size_t)n, err);
}

static enum status take_battle(struct people *p, const struct value *row,
                               struct err *err)
{
    static const char *const models[2][3] = {{"model_a", "model_1", NULL},
                                             {"model_b", "model_2", NULL}};
    static const char *const ours[2] = {"model_a", "model_b"};
    static const char *const talks[2] = {"conversation_a", "conversation_b"};
    static const char *const flat[2][2] = {{"response_a", NULL},
                                           {"response_b", NULL}};
    static const char *const prompts[] = {"prompt", NULL};
    static const char *const lengths[2] = {"sum_assistant_a_tokens",
                                           "sum_assistant_b_tokens"};
    struct people_pair pair;
    struct people_verdict v;
    int64_t turn = value_int(value_get(row, "turn"));
    people_pair_init(&pair);
    people_verdict_init(&v);
    v.left = 0;
    TRY(take_id(&pair, p, row, turn, err));
    TRY(people_text(&pair.prompt, p, row, "prompt", prompts, err));
    for (size_t k = 0; k < 2; k++) {
        const struct value *talk = value_get(row, talks[k]);
        TRY(people_text(&pair.side[k].model, p, row, ours[k], models[k], err));
        TRY(people_text(&pair.side[k].response, p, row,
                        k == 0 ? "response_a" : "response_b", flat[k], err));
        TRY(read_talk(&pair, k, p, talk, turn, err));
        take_length(&pair.side[k], row, lengths[k]);
        if (talk != NULL)
            TRY(people_note(p, talks[k], "prompt, response", NULL,
                            "the prompt is what is before the first answer, "
                            "the response all from it on",
                            err));
    }
    TRY(take_judge(&v, p, row, err));
    TRY(take_winner(&v, p, row, err));
    return people_put(p, &pair, &v, err);
}

double arena_sniff_battles(const struct head *h)
{
    static const char *const models[] = {"model_a", "model_b"};
    static const char *const winner[] = {"winner", "winner_model_a"};
    static const char *const more[] = {"question_id", "conversation_a",
                                       "winner_tie", "tstamp"};
    if (sniff_count(h, models, 2) < 2 || sniff_count(h, winner, 2) == 0)
        return 0;
    return sniff_count(h, more, 4) > 0 ? 0.95 : 0.3;
}

enum status arena_read_battles(struct reader *r, struct err *err)
{
    struct people p = {.take = take_battle};
    return people_read(&p, r, err);
}

/* ---- MT-bench, judged by a model ---------------------------------------- */

/* Both orders of a pair: model_1 was shown first in g1, model_2 in g2; winners
 * are named by model. */
static enum status take_judgment(struct people *p, const struct value *row,
                                 struct err *err)
{
    static const char *const models[2][2] = {{"model_1", NULL},
                                             {"model_2", NULL}};
    static const char *const ours[2] = {"model_a", "model_b"};
    static const char *const winners[2][2] = {{"g1_winner", NULL},
                                              {"g2_winner", NULL}};
    static const char *const none[2] = {NULL, NULL};
    struct people_pair pair;
    people_pair_init(&pair);
    TRY(take_id(&pair, p, row, value_int(value_get(row, "turn")), err));
    for (size_t k = 0; k < 2; k++)
        TRY(people_text(&pair.side[k].model, p, row, ours[k], models[k], err));
    for (int k = 0; k < 2; k++) {
        struct people_verdict v;
        const char *word;
        people_verdict_init(&v);
        TRY(take_judge(&v, p, row, err));
        v.kind = JUDGE_MODEL;
        v.left = k;
        v.visit = k + 1;
        TRY(people_text(&word, p, row, "winner", winners[k], err));
        if (word != NULL && people_word(&v, word, none))
            TRY(people_put(p, &pair, &v, err));
        else
            TRY(people_skip(p, "a judgment without a winner", err));
    }
    return OK;
}

double arena_sniff_judgments(const struct head *h)
{
    static const char *const names[] = {"model_1", "model_2", "g1_winner",
                                        "g2_winner"};
    return sniff_count(h, names, 4) == 4 ? 0.95 : 0;
}

enum status arena_read_judgments(struct reader *r, struct err *err)
{
    struct people p = {.take = take_judgment};
    return people_read(&p, r, err);
}
