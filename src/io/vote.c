#include "io/vote.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The value of a word; NaN for a member that is absent or says another. */
struct word {
    const char *text;
    double value;
};

static double value_of(const struct json *node, const struct word *words,
                       size_t n)
{
    const char *text = json_text(node, NULL);
    for (size_t i = 0; text != NULL && i < n; i++)
        if (strcmp(text, words[i].text) == 0)
            return words[i].value;
    return (double)NAN;
}

static enum status read_side(struct vote_side *out, const struct json *row,
                             bool is_left, const char *what, struct err *err)
{
    static const struct word correct[] = {
        {"yes", 1}, {"unsure", 0.5}, {"no", 0}};
    static const struct word length[] = {
        {"too_long", 1}, {"right", 0}, {"too_short", 0}};
    const struct json *of_correct =
        json_get(row, is_left ? "left_correct" : "right_correct");
    const struct json *of_length =
        json_get(row, is_left ? "left_length" : "right_length");
    out->reply = json_get(row, is_left ? "left" : "right");
    out->correct =
        value_of(of_correct, correct, sizeof correct / sizeof *correct);
    out->too_long = value_of(of_length, length, sizeof length / sizeof *length);
    TRY(json_may_number(&out->helpful, row,
                        is_left ? "left_helpful" : "right_helpful", 0, 4, what,
                        err));
    return json_may_number(&out->direct, row,
                           is_left ? "left_direct" : "right_direct", 0, 4, what,
                           err);
}

/* Which side the tested reply is on, and what kind of pair it is. */
static enum status read_kind(struct vote *v, const struct json *row,
                             const char *what, struct err *err)
{
    const char *kind;
    TRY(json_need_text(&kind, row, "kind", what, err));
    const char *left =
        json_text(json_get(json_get(row, "left"), "source"), "?");
    const char *right =
        json_text(json_get(json_get(row, "right"), "source"), "?");
    v->is_placebo = strcmp(kind, "placebo") == 0;
    v->is_left = strcmp(left, kind) == 0;
    if ((v->is_placebo || strcmp(kind, "policy") == 0) &&
        strcmp(v->is_left ? left : right, kind) == 0 &&
        strcmp(v->is_left ? right : left, "reference") == 0)
        return OK;
    return err_set(err, ERR_FORMAT,
                   "%s: kind '%.20s' with sources '%.20s' and '%.20s': wanted "
                   "a policy or placebo reply beside a reference reply",
                   what, kind, left, right);
}

enum status vote_read(struct vote *out, const struct json *row,
                      const char *what, struct err *err)
{
    static const struct word choices[] = {{"A", 1},
                                          {"B", 0},
                                          {"both_good", 0.5},
                                          {"both_bad", 0.5},
                                          {"tie", 0.5}};
    struct vote v = {.is_placebo = false};
    const char *overall;
    TRY(read_kind(&v, row, what, err));
    TRY(json_need_text(&overall, row, "overall", what, err));
    double left = value_of(json_get(row, "overall"), choices,
                           sizeof choices / sizeof *choices);
    if (isnan(left))
        return err_set(err, ERR_FORMAT,
                       "%s: overall '%.20s' is not A, B, both_good, both_bad "
                       "or tie",
                       what, overall);
    TRY(json_need_text(&v.prompt, row, "prompt_id", what, err));
    v.win = v.is_left ? left : 1 - left;
    v.visit = 1;
    if (json_get(row, "visit") != NULL)
        TRY(json_need_int(&v.visit, row, "visit", 1, INT64_MAX, what, err));
    TRY(read_side(&v.tested, row, v.is_left, what, err));
    TRY(read_side(&v.other, row, !v.is_left, what, err));
    *out = v;
    return OK;
}

const char *vote_pair(struct buf *out, const struct json *row)
{
    const char *pair = json_text(json_get(row, "pair_id"), NULL);
    const char *pool = json_text(json_get(row, "pool"), NULL);
    if (pair == NULL || pool == NULL)
        return pair;
    /* No name holds a control character. */
    buf_clear(out);
    buf_printf(out, "%s\n%s", pool, pair);
    return buf_text(out);
}
