#include "import/rowmap.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "import/tokens.h"

#define SHORT_TEXT 256
#define EXTRA_MAX ((size_t)1 << 20)

static const char *const names[TARGETS] = {
    [TO_STEP] = "step",
    [TO_PROMPT_ID] = "prompt_id",
    [TO_SAMPLE] = "sample",
    [TO_PROMPT] = "prompt",
    [TO_RESPONSE] = "response",
    [TO_SCORE] = "score",
    [TO_SCORE_RAW] = "score_raw",
    [TO_GOLD] = "gold",
    [TO_FINISH] = "finish",
    [TO_TRUNCATED] = "truncated",
    [TO_TOKENS] = "tokens",
    [TO_N_TOKENS] = "n_tokens",
    [TO_KL_SEQUENCE] = "kl_sequence",
    [TO_LOGP_SAMPLE] = "logp_sample",
    [TO_LOGP] = "logp",
    [TO_LOGP_REF] = "logp_ref",
    [TO_KL] = "kl",
    [TO_ENTROPY] = "entropy",
    [TO_VALUE] = "value",
    [TO_REWARD] = "reward",
    [TO_REWARD_KL] = "reward_kl",
    [TO_ADVANTAGE] = "advantage",
    [TO_TAG] = "tag",
    [TO_EXTRA] = "extra",
};

/* What formats that are no rows of responses can be told: which of several
 * policies, who judged. */
static const char *const others[] = {
    "policy",     "reference", "judge",     "winner",  "chosen",
    "rejected",   "model",     "model_a",   "model_b", "response_a",
    "response_b", "pair_id",   "rationale",
};

const char *rowmap_name(enum target to)
{
    return names[to];
}

bool rowmap_knows(const char *name)
{
    for (size_t t = 0; t < TARGETS; t++)
        if (names[t] != NULL && strcmp(names[t], name) == 0)
            return true;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(others[i], name) == 0)
            return true;
    return false;
}

static enum target target_of(const char *name)
{
    for (size_t t = 0; t < TARGETS; t++)
        if (names[t] != NULL && strcmp(names[t], name) == 0)
            return (enum target)t;
    return TO_NOTHING;
}

/* A row on its way. */
struct mapping {
    struct reader *r;
    struct import_row *out;
    struct buf extra;
    double gold;
    const char *tag;
    uint64_t given; // targets that the user mapped
};

/* ---- one field ---------------------------------------------------------- */

static enum status take_int(int64_t *out, const struct value *v,
                            const char *from, int64_t low, struct err *err)
{
    if (v->kind == VALUE_NULL)
        return OK;
    int64_t x = value_int(v);
    if (x == VALUE_NO_INT || x < low)
        return err_set(err, ERR_FORMAT,
                       "\"%.80s\" is no whole number of at least %lld", from,
                       (long long)low);
    *out = x;
    return OK;
}

static enum status take_number(double *out, const struct value *v,
                               const char *from, struct err *err)
{
    if (!value_is_number(v))
        return err_set(err, ERR_FORMAT, "\"%.80s\" is no number", from);
    *out = value_number(v);
    return OK;
}

static bool is_among(const char *text, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

static void take_finish(enum import_finish *out, const struct value *v)
{
    static const char *const ended[] = {"eos",      "stop", "eos_token",
                                        "end_turn", "EOS",  "stop_sequence"};
    static const char *const cut[] = {"length", "max_tokens", "max_length",
                                      "truncated", "LENGTH"};
    const char *text = value_text(v);
    double x = v->number;
    if (v->kind == VALUE_BOOL || (text != NULL && value_text_bool(&x, text)))
        *out = x != 0 ? FINISH_EOS : FINISH_LENGTH;
    else if (text != NULL &&
             is_among(text, ended, sizeof ended / sizeof *ended))
        *out = FINISH_EOS;
    else if (text != NULL && is_among(text, cut, sizeof cut / sizeof *cut))
        *out = FINISH_LENGTH;
}

/* Arrays have one length, that of the first that is read. */
static enum status check_len(struct import_row *out, size_t n, bool *fits,
                             struct reader *r, const char *from,
                             struct err *err)
{
    if (out->len == 0)
        out->len = n;
    *fits = n == out->len && n > 0;
    if (n == out->len)
        return OK;
    return notes_warn(&r->sink->notes, "lengths_differ", 1, err,
                      "arrays of one row that differ in length, as \"%.80s\" "
                      "does; they are left out",
                      from);
}

/* A list of numbers that is as long as the others; *x NULL: it is not. */
static enum status take_numbers(const double **x, struct mapping *m,
                                const struct value *v, const char *from,
                                struct err *err)
{
    size_t n;
    bool fits;
    *x = value_numbers(v, &n);
    if (*x == NULL)
        return err_set(err, ERR_FORMAT, "\"%.80s\" is no list of numbers",
                       from);
    TRY(check_len(m->out, n, &fits, m->r, from, err));
    *x = fits ? *x : NULL;
    return OK;
}

static enum status take_tokens(struct mapping *m, const struct value *v,
                               const char *from, struct err *err)
{
    const double *x;
    size_t n;
    TRY(take_numbers(&x, m, v, from, err));
    return x != NULL ? tokens_take(&m->out->token, &n, m->r, x, NULL,
                                   m->out->len, from, err)
                     : OK;
}

static enum status take_floats(const float **out, struct mapping *m,
                               const struct value *v, const char *from,
                               struct err *err)
{
    const double *x;
    TRY(take_numbers(&x, m, v, from, err));
    return x != NULL ? tokens_floats(out, m->r, x, NULL, m->out->len, err) : OK;
}

/* A member of "extra"; what is long or has parts is not kept. */
static bool put_extra(struct buf *out, const char *key, const struct value *v)
{
    const struct value *x = value_only(v);
    struct value number = {.kind = VALUE_NUMBER};
    if (x != NULL && x->kind == VALUE_NUMBERS && x->n == 1) {
        number.number = x->numbers[0];
        x = &number;
    }
    if (x == NULL || x->kind >= VALUE_NUMBERS ||
        (x->kind == VALUE_TEXT && x->n > SHORT_TEXT) || out->len > EXTRA_MAX)
        return false;
    struct json_writer w;
    buf_puts(out, out->len > 0 ? "," : "");
    json_writer_init(&w, out, false);
    json_put_text(&w, key);
    buf_putc(out, ':');
    value_put_json(out, x);
    return true;
}

static const float **array_of(struct import_row *out, enum target to)
{
    const struct {
        enum target to;
        const float **at;
    } all[] = {
        {TO_LOGP_SAMPLE, &out->logp_sample}, {TO_LOGP, &out->logp},
        {TO_LOGP_REF, &out->logp_ref},       {TO_KL, &out->kl},
        {TO_ENTROPY, &out->entropy},         {TO_VALUE, &out->value},
        {TO_REWARD, &out->reward},           {TO_REWARD_KL, &out->reward_kl},
        {TO_ADVANTAGE, &out->advantage}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].to == to)
            return all[i].at;
    return NULL;
}

/* The members of a row that are one value. */
static enum status apply_single(struct mapping *m, enum target to,
                                const char *from, const struct value *v,
                                struct err *err)
{
    struct import_row *out = m->out;
    switch ((int)to) {
    case TO_STEP:
        return take_int(&out->step, v, from, 0, err);
    case TO_SAMPLE:
        return take_int(&out->sample, v, from, 0, err);
    case TO_N_TOKENS:
        return take_int(&out->n_tokens, v, from, 0, err);
    case TO_PROMPT_ID:
        return reader_text(&out->prompt_id, m->r, v, err);
    case TO_PROMPT:
        return reader_text(&out->prompt, m->r, v, err);
    case TO_RESPONSE:
        return reader_text(&out->response, m->r, v, err);
    case TO_TAG:
        return reader_text(&m->tag, m->r, v, err);
    case TO_SCORE:
        return take_number(&out->score, v, from, err);
    case TO_SCORE_RAW:
        return take_number(&out->score_raw, v, from, err);
    case TO_KL_SEQUENCE:
        return take_number(&out->kl_sequence, v, from, err);
    case TO_GOLD:
        return take_number(&m->gold, v, from, err);
    case TO_FINISH:
        take_finish(&out->finish, v);
        return OK;
    case TO_TRUNCATED:
        if (isfinite(value_number(v)))
            out->finish = value_number(v) != 0 ? FINISH_LENGTH : FINISH_EOS;
        return OK;
    default:
        return OK;
    }
}

static enum status apply(struct mapping *m, const struct rule *rule,
                         const char *from, const struct value *v,
                         struct err *err)
{
    struct notes *notes = &m->r->sink->notes;
    const float **array = array_of(m->out, rule->to);
    bool is_single = array != NULL && value_count(value_only(v)) == 1 &&
                     value_only(v)->kind != VALUE_NUMBERS;
    if (v->kind == VALUE_NULL && rule->to != TO_NOTHING)
        return notes_field(notes, from, rowmap_name(rule->to), rule->unit,
                           rule->note, 0, err);
    if (rule->to == TO_NOTHING)
        return notes_field(notes, from, NULL, rule->unit, rule->note, 1, err);
    if (rule->to == TO_EXTRA || is_single) {
        bool is_kept = put_extra(&m->extra, from, v);
        return notes_field(
            notes, from, is_kept ? "extra" : NULL, rule->unit,
            is_kept ? rule->note : "has parts or is long, and no rule", 1, err);
    }
    TRY(notes_field(notes, from, rowmap_name(rule->to), rule->unit, rule->note,
                    1, err));
    if (rule->to == TO_TOKENS)
        return take_tokens(m, v, from, err);
    return array != NULL ? take_floats(array, m, v, from, err)
                         : apply_single(m, rule->to, from, v, err);
}

/* ---- a row -------------------------------------------------------------- */

static enum status apply_user(struct mapping *m, const struct value *row,
                              struct err *err)
{
    for (size_t i = 0; i < m->r->n_maps; i++) {
        const struct import_map *map = &m->r->map[i];
        const struct rule rule = {map->from, target_of(map->to), NULL,
                                  "as --map says"};
        const struct value *v = value_path(row, map->from);
        const uint64_t bit = UINT64_C(1) << i; // IMPORT_MAPS_MAX is 64
        m->given |= UINT64_C(1) << rule.to;
        if (rule.to != TO_NOTHING)
            *(v != NULL ? &m->r->mapped : &m->r->unmapped) |= bit;
        if (v != NULL && rule.to != TO_NOTHING)
            TRY(apply(m, &rule, map->from, v, err));
    }
    return OK;
}

static bool is_user_field(const struct reader *r, const char *key)
{
    for (size_t i = 0; i < r->n_maps; i++)
        if (strcmp(r->map[i].from, key) == 0)
            return true;
    return false;
}

static enum status apply_all(struct mapping *m, const struct value *row,
                             const struct rule *rules, size_t n,
                             struct err *err)
{
    for (const struct value *v = row->first; v != NULL; v = v->next) {
        const struct rule other = {v->key, TO_EXTRA, NULL, NULL};
        const struct rule *rule = &other;
        if (is_user_field(m->r, v->key))
            continue;
        for (size_t i = 0; i < n && rule == &other; i++)
            if (strcmp(rules[i].from, v->key) == 0)
                rule = &rules[i];
        if ((m->given >> rule->to & 1) != 0 && rule->to != TO_NOTHING)
            rule = &other;
        TRY(apply(m, rule, v->key, v, err));
    }
    return OK;
}

/* What is beside the members: gold, and fields of no meaning to us. */
static enum status finish_extra(struct mapping *m, struct err *err)
{
    struct buf all;
    struct json_writer w;
    enum status status = OK;
    if (m->tag != NULL) {
        buf_init(&all, EXTRA_MAX);
        buf_puts(&all, "{\"intent\":");
        json_writer_init(&w, &all, false);
        json_put_text(&w, m->tag);
        buf_puts(&all, "}");
        status = buf_status(&all, err);
        if (status == OK)
            status = arena_text(&m->out->tags, &m->r->arena, buf_text(&all),
                                all.len, err);
        buf_free(&all);
        TRY(status);
    }
    TRY(buf_status(&m->extra, err));
    if (m->extra.len == 0 && !isfinite(m->gold))
        return OK;
    buf_init(&all, 2 * EXTRA_MAX);
    if (isfinite(m->gold)) {
        buf_puts(&all, "\"gold\":");
        json_writer_init(&w, &all, false);
        json_put_number(&w, m->gold);
    }
    if (m->extra.len > 0)
        buf_printf(&all, "%s\"extra\":{%s}", all.len > 0 ? "," : "",
                   buf_text(&m->extra));
    status = buf_status(&all, err);
    if (status == OK)
        status = arena_text(&m->out->extra, &m->r->arena, buf_text(&all),
                            all.len, err);
    buf_free(&all);
    return status;
}

enum status rowmap_read(struct import_row *out, struct reader *r,
                        const struct value *row, const struct rule *rules,
                        size_t n, struct err *err)
{
    struct mapping m = {.r = r, .out = out, .gold = (double)NAN};
    sink_row_init(out);
    row = value_only(row);
    if (row == NULL || row->kind != VALUE_OBJECT)
        return err_set(err, ERR_FORMAT, "a row that is no object");
    buf_init(&m.extra, 4 * EXTRA_MAX);
    enum status status = apply_user(&m, row, err);
    if (status == OK)
        status = apply_all(&m, row, rules, n, err);
    if (status == OK)
        status = finish_extra(&m, err);
    buf_free(&m.extra);
    if (!isfinite(out->score_raw))
        out->score_raw = out->score;
    else if (!isfinite(out->score))
        out->score = out->score_raw;
    return status;
}
