/*
 * argilla.c - Argilla's flat export: a record's fields, and for each question q
 * the lists "q.responses", "q.responses.users" and "q.responses.status", and a
 * model's "q.suggestion" with its "q.suggestion.agent".
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "import/people.h"
#include "import/people_readers.h"

#define RESPONSES ".responses"
#define KEY_MAX 300

/* A record at hand. */
struct record {
    struct people *p;
    const struct value *row;
    struct people_pair pair;
    const char *field[2]; // what the replies are called
};

/* ---- an answer ---------------------------------------------------------- */

/* Does a word stand for a side, or a tie?  "response-1" is response_1. */
static bool read_word(struct people_verdict *v, const struct record *c,
                      const char *word)
{
    const char *const model[2] = {c->pair.side[0].model, c->pair.side[1].model};
    char plain[KEY_MAX];
    size_t n = strlen(word);
    if (people_word(v, word, model) || people_word(v, word, c->field))
        return true;
    if (n >= sizeof plain)
        return false;
    for (size_t i = 0; i <= n; i++)
        plain[i] = word[i];
    for (char *at = strchr(plain, '-'); at != NULL; at = strchr(at, '-'))
        *at = '_';
    return people_word(v, plain, c->field);
}

/* A ranking: values from the best, or each with its rank. */
static bool read_ranking(struct people_verdict *v, const struct record *c,
                         const struct value *list)
{
    double place[2] = {(double)NAN, (double)NAN};
    double n = 0;
    for (const struct value *x = list->first; x != NULL; x = x->next, n++) {
        struct people_verdict side;
        const struct value *rank = value_get(x, "rank");
        const char *word = value_text(rank != NULL ? value_get(x, "value") : x);
        if (word == NULL || !read_word(&side, c, word) || side.win == 0.5)
            return false;
        place[side.win == 1 ? 0 : 1] = rank != NULL ? value_number(rank) : n;
    }
    if (isnan(place[0]) || isnan(place[1]))
        return false;
    v->win = place[0] < place[1] ? 1 : place[0] > place[1] ? 0 : 0.5;
    return true;
}

static bool read_answer(struct people_verdict *v, const struct record *c,
                        const struct value *answer)
{
    const char *word = value_text(answer);
    if (word != NULL)
        return read_word(v, c, word);
    return answer != NULL && answer->kind == VALUE_LIST &&
           read_ranking(v, c, answer);
}

/* ---- which question ----------------------------------------------------- */

static const struct value *item(const struct value *list, size_t k)
{
    if (list == NULL || list->kind != VALUE_LIST)
        return k == 0 ? list : NULL;
    const struct value *v = list->first;
    for (; v != NULL && k > 0; k--)
        v = v->next;
    return v;
}

static const struct value *part(const struct value *row, const char *question,
                                const char *end)
{
    char key[KEY_MAX + 32];
    (void)snprintf(key, sizeof key, "%.*s%s", KEY_MAX, question, end);
    return value_get(row, key);
}

/* The question that asks which is better: the one of --map winner, else the
 * first whose answer says a side.  "" when there is none. */
static void find_question(char out[KEY_MAX], const struct record *c)
{
    const char *mapped = reader_mapped(c->p->r, "winner");
    out[0] = '\0';
    for (const struct value *v = c->row->first; v != NULL; v = v->next) {
        struct people_verdict verdict;
        size_t len = strlen(v->key);
        const char *end = len > strlen(RESPONSES) && len < KEY_MAX
                              ? v->key + len - strlen(RESPONSES)
                              : "";
        if (strcmp(end, RESPONSES) != 0)
            continue;
        size_t n = (size_t)(end - v->key);
        bool is_it = mapped != NULL
                         ? strlen(mapped) == n && memcmp(mapped, v->key, n) == 0
                         : read_answer(&verdict, c, item(v, 0));
        if (!is_it)
            continue;
        memcpy(out, v->key, n);
        out[n] = '\0';
        return;
    }
}

/* ---- a record ----------------------------------------------------------- */

static enum status put_answer(struct record *c, const char *question,
                              const struct value *answer, size_t k,
                              struct err *err)
{
    struct people_verdict v;
    const struct value *status =
        item(part(c->row, question, ".responses.status"), k);
    const char *word = value_text(status);
    people_verdict_init(&v);
    v.kind = JUDGE_HUMAN;
    if (word != NULL && strcmp(word, "submitted") != 0)
        return people_skip(c->p, "an answer that was not submitted", err);
    TRY(reader_text(&v.judge, c->p->r,
                    item(part(c->row, question, ".responses.users"), k), err));
    if (!read_answer(&v, c, answer))
        return people_skip(c->p, "an answer that is no side and no tie", err);
    TRY(people_note(c->p, question, "overall", NULL, NULL, err));
    return people_put(c->p, &c->pair, &v, err);
}

static enum status put_suggestion(struct record *c, const char *question,
                                  struct err *err)
{
    struct people_verdict v;
    const struct value *answer = part(c->row, question, ".suggestion");
    people_verdict_init(&v);
    v.kind = JUDGE_MODEL;
    if (answer == NULL || answer->kind == VALUE_NULL)
        return OK;
    TRY(reader_text(&v.judge, c->p->r,
                    part(c->row, question, ".suggestion.agent"), err));
    if (!read_answer(&v, c, answer))
        return people_skip(c->p, "a suggestion that is no side and no tie",
                           err);
    return people_put(c->p, &c->pair, &v, err);
}

static enum status take_record(struct people *p, const struct value *row,
                               struct err *err)
{
    static const char *const ids[] = {"id", NULL};
    struct record c = {.p = p, .row = row};
    char question[KEY_MAX];
    people_pair_init(&c.pair);
    TRY(people_text(&c.pair.pair_id, p, row, "pair_id", ids, err));
    TRY(people_sides(&c.pair, c.field, p, row, err));
    find_question(question, &c);
    if (question[0] == '\0') {
        TRY(people_skip(p, "no answer that says which reply is better", err));
        return people_put(p, &c.pair, NULL, err);
    }
    const struct value *list = part(row, question, RESPONSES);
    size_t n = list->kind == VALUE_LIST ? list->n : 1;
    for (size_t k = 0; k < n; k++)
        TRY(put_answer(&c, question, item(list, k), k, err));
    return put_suggestion(&c, question, err);
}

double argilla_sniff(const struct head *h)
{
    const struct value *first = h->n_rows > 0 ? &h->row[0] : NULL;
    if (first == NULL || first->kind != VALUE_OBJECT)
        return 0;
    for (const struct value *v = first->first; v != NULL; v = v->next) {
        const char *end = strstr(v->key, ".responses.users");
        if (end != NULL && end[strlen(".responses.users")] == '\0')
            return 0.95;
    }
    return 0;
}

enum status argilla_read(struct reader *r, struct err *err)
{
    struct people p = {.take = take_record};
    return people_read(&p, r, err);
}
