/*
 * label_read.c - bodies, member by member.  Whatever a page does not send is
 * refused by name, so that a misspelt member is not lost without a word.
 */
#include <string.h>

#include "serve/label_internal.h"

#define MS_MAX 9007199254740991 // what JavaScript has integers for

static bool is_given(const struct json *node)
{
    return node != NULL && !json_is_null(node);
}

/* Is `word` one of the words in `known`? */
static bool is_known(const char *known, const char *word)
{
    size_t len = strlen(word);
    for (const char *s = known; len > 0 && *s != '\0';) {
        size_t n = strcspn(s, " ");
        if (n == len && memcmp(s, word, n) == 0)
            return true;
        s += n;
        s += strspn(s, " ");
    }
    return false;
}

enum status label_check_members(const struct json *body, const char *known,
                                struct err *err)
{
    for (const void *it = json_first(body); it != NULL;
         it = json_next(body, it))
        if (!is_known(known, json_key(it)))
            return err_set(err, ERR_ARG,
                           "unknown member '%.60s'; known here: %s",
                           json_key(it), known);
    return OK;
}

enum status label_take_text(const char **out, const struct json *body,
                            const char *name, struct err *err)
{
    const struct json *node = json_get(body, name);
    if (!is_given(node))
        return OK;
    if (!json_is_string(node))
        return err_set(err, ERR_ARG, "'%s' must be a text", name);
    *out = json_text(node, "");
    return OK;
}

/* A whole number of a node; false for anything else. */
static bool read_int(int64_t *out, const struct json *node)
{
    if (!json_is_number(node))
        return false;
    *out = json_int(node, INT64_MIN);
    return *out != INT64_MIN;
}

enum status label_take_int(int64_t *out, const struct json *body,
                           const char *name, int64_t low, int64_t high,
                           struct err *err)
{
    const struct json *node = json_get(body, name);
    int64_t x;
    if (!is_given(node))
        return OK;
    if (!read_int(&x, node) || x < low || x > high)
        return err_set(err, ERR_ARG,
                       "'%s' must be a whole number from %lld to %lld", name,
                       (long long)low, (long long)high);
    *out = x;
    return OK;
}

enum status label_take_bool(bool *out, const struct json *body,
                            const char *name, struct err *err)
{
    const struct json *node = json_get(body, name);
    if (!is_given(node))
        return OK;
    if (!json_is_bool(node))
        return err_set(err, ERR_ARG, "'%s' must be true or false", name);
    *out = json_bool(node, false);
    return OK;
}

static enum status refuse_word(const char *name, const struct choice *c,
                               struct err *err)
{
    char words[120] = "";
    size_t len = 0;
    for (int i = 0; i < c->n; i++) {
        const char *word = c->word[i];
        size_t n = word != NULL ? strlen(word) : 0;
        if (n == 0 || len + n + 2 >= sizeof words)
            continue;
        if (len > 0)
            words[len++] = ' ';
        memcpy(words + len, word, n);
        len += n;
    }
    words[len] = '\0';
    return err_set(err, ERR_ARG, "'%s' must be one of: %s", name, words);
}

enum status label_take_word(int *out, const struct json *body, const char *name,
                            const struct choice *c, struct err *err)
{
    const struct json *node = json_get(body, name);
    if (!is_given(node))
        return OK;
    int value = json_is_string(node) ? choice_find(c, json_text(node, "")) : -1;
    if (value < 0)
        return refuse_word(name, c, err);
    *out = value;
    return OK;
}

/* ---- an act ------------------------------------------------------------- */

static enum status read_ranks(struct vote *v, const struct json *body,
                              struct err *err)
{
    const struct json *ranks = json_get(body, "ranks");
    size_t n = json_size(ranks);
    if (!is_given(ranks))
        return OK;
    if (!json_is_array(ranks) || n < 1 || n > ORDER_MAX)
        return err_set(err, ERR_ARG, "'ranks' must be a list of 1 to %d",
                       ORDER_MAX);
    for (size_t s = 0; s < n; s++) {
        int64_t x;
        if (!read_int(&x, json_at(ranks, s)) || x < 1 || x > (int64_t)n)
            return err_set(err, ERR_ARG,
                           "'ranks' must be whole numbers from 1 to %zu", n);
        v->rank[s] = (int32_t)x;
    }
    v->K = n;
    return OK;
}

static enum status read_marks_of(struct vote_marks *m, const struct json *node,
                                 struct err *err)
{
    int correct = VOTE_CORRECT_NONE, length = VOTE_LENGTH_NONE;
    if (!json_is_object(node))
        return err_set(err, ERR_ARG, "'marks' must be two objects");
    TRY(label_check_members(node, "helpful direct correct length", err));
    TRY(label_take_int(&m->helpful, node, "helpful", 0, 4, err));
    TRY(label_take_int(&m->direct, node, "direct", 0, 4, err));
    TRY(label_take_word(&correct, node, "correct", &choice_correct, err));
    TRY(label_take_word(&length, node, "length", &choice_length, err));
    m->correct = (enum vote_correct)correct;
    m->length = (enum vote_length)length;
    return OK;
}

static enum status read_marks(struct vote *v, const struct json *body,
                              struct err *err)
{
    const struct json *marks = json_get(body, "marks");
    if (!is_given(marks))
        return OK;
    if (!json_is_array(marks) || json_size(marks) != 2)
        return err_set(err, ERR_ARG, "'marks' must be two objects");
    for (size_t s = 0; s < 2; s++)
        TRY(read_marks_of(&v->marks[s], json_at(marks, s), err));
    return OK;
}

enum status label_read_act(struct vote *v, const struct json *body,
                           struct err *err)
{
    int act = -1, overall = VOTE_OVERALL_NONE, render = VOTE_PLAIN;
    v->marks[0] = v->marks[1] = votes_no_marks();
    v->shown = INT64_MAX;
    TRY(label_check_members(body,
                            "key act supersedes ranks strength overall marks "
                            "reason render shown_at",
                            err));
    TRY(label_take_text(&v->key, body, "key", err));
    TRY(label_take_word(&act, body, "act", &choice_act, err));
    if (v->key == NULL || act < 0)
        return err_set(err, ERR_ARG, "an act needs '%s'",
                       act < 0 ? "act" : "key");
    TRY(label_take_int(&v->supersedes, body, "supersedes", 0, MS_MAX, err));
    TRY(read_ranks(v, body, err));
    TRY(label_take_int(&v->strength, body, "strength", 1, 3, err));
    TRY(label_take_word(&overall, body, "overall", &choice_overall, err));
    TRY(read_marks(v, body, err));
    TRY(label_take_text(&v->reason, body, "reason", err));
    TRY(label_take_word(&render, body, "render", &choice_render, err));
    TRY(label_take_int(&v->shown, body, "shown_at", 0, MS_MAX, err));
    if (v->reason != NULL && v->reason[0] == '\0')
        v->reason = NULL;
    v->act = (enum vote_act)act;
    v->overall = (enum vote_overall)overall;
    v->render = (enum vote_render)render;
    return OK;
}
