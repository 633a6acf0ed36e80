#include "io/outside_line.h"

#include <math.h>

#include "base/json.h"
#include "base/mem.h"
#include "io/scan.h"

const char *outside_kind_name(enum outside_kind kind)
{
    return kind == OUTSIDE_REWARD ? "reward" : "policy";
}

void outside_answer_free(struct outside_answer *a)
{
    mem_free(a->response);
    mem_free(a->token);
    mem_free(a->logp);
    *a = (struct outside_answer){.n = 0};
}

/* ---- requests ------------------------------------------------------------ */

void outside_line_put(struct buf *out, enum outside_kind kind,
                      const struct outside_request *r, int64_t id, size_t left)
{
    struct json_writer w;
    json_writer_init(&w, out, false);
    json_open(&w, '{');
    json_field_int(&w, "id", id);
    json_field_int(&w, "left", (int64_t)left);
    json_field_text(&w, "prompt", r->prompt);
    if (r->dialogue != NULL && r->dialogue->n > 0) {
        json_put_key(&w, "messages");
        dialogue_write(&w, r->dialogue);
    }
    if (kind == OUTSIDE_REWARD) {
        json_field_text(&w, "response", r->response);
        if (r->is_cut)
            json_field_text(&w, "finish", "length");
    } else {
        json_field_int(&w, "max_new", r->max_new);
        json_field_number(&w, "temperature", r->temperature);
        if (r->top_p < 1)
            json_field_number(&w, "top_p", r->top_p);
        if (r->top_k > 0)
            json_field_int(&w, "top_k", r->top_k);
        json_field_int(&w, "seed", (int64_t)r->seed);
    }
    json_close(&w, '}');
    buf_putc(out, '\n');
}

/* ---- answers ------------------------------------------------------------- */

/* The members that mean something, in the order of `members`. */
enum member {
    ID,
    FAULT,
    SCORE,
    RESPONSE,
    FINISH,
    TOKENS,
    LOGP,
    MEMBERS
};

struct line {
    bool has[MEMBERS];
    int64_t id;
    double score;
    struct scan_slice fault, response, finish, tokens, logp;
};

static enum member find_member(const struct scan_slice *key)
{
    static const char *const name[MEMBERS] = {
        "id", "error", "score", "response", "finish", "tokens", "logp"};
    int m = 0;
    while (m < MEMBERS && !scan_slice_is(key, name[m]))
        m++;
    return (enum member)m;
}

/* null stands for a member that is not there. */
static void read_member(struct line *l, struct scan *s, enum member m)
{
    if (m == MEMBERS || (m != SCORE && scan_peek(s) == SCAN_NULL)) {
        scan_skip(s);
        return;
    }
    if (l->has[m])
        scan_fail(s, "a member that is there twice");
    l->has[m] = true;
    switch (m) {
    case ID:
        l->id = scan_int(s);
        break;
    case FAULT:
        l->fault = scan_peek(s) == SCAN_TEXT ? scan_text(s) : scan_raw(s);
        break;
    case SCORE:
        l->score = scan_number(s);
        break;
    case RESPONSE:
        l->response = scan_text(s);
        break;
    case FINISH:
        l->finish = scan_text(s);
        break;
    case TOKENS:
        l->tokens = scan_raw(s);
        break;
    case LOGP:
        l->logp = scan_raw(s);
        break;
    case MEMBERS:
        break;
    }
}

static enum status copy_text(char **out, const struct scan_slice *x,
                             struct err *err)
{
    TRY(MEM_NEW(*out, x->len + 1, err));
    (void)scan_slice_copy(*out, x);
    return OK;
}

static enum status pass_fault(const struct line *l, struct err *err)
{
    char *text;
    TRY(copy_text(&text, &l->fault, err));
    enum status status = err_set(err, ERR_FORMAT, "it says: %.200s", text);
    mem_free(text);
    return status;
}

/* The lists are scanned again, now with room for them. */
static enum status read_lists(struct outside_answer *a, const struct line *l,
                              struct err *err)
{
    struct scan s;
    size_t n_logp = 0;
    if (l->has[TOKENS]) {
        TRY(MEM_NEW(a->token, l->tokens.len / 2 + 1, err));
        scan_init(&s, l->tokens.text, l->tokens.len);
        a->n = scan_ints(&s, a->token, l->tokens.len / 2 + 1);
        TRY(scan_end(&s, "\"tokens\"", err));
    }
    for (size_t i = 0; i < a->n; i++)
        if (a->token[i] < 0)
            return err_set(err, ERR_FORMAT, "token %zu is %d", i,
                           (int)a->token[i]);
    if (!l->has[LOGP])
        return OK;
    TRY(MEM_NEW(a->logp, l->logp.len / 2 + 1, err));
    scan_init(&s, l->logp.text, l->logp.len);
    n_logp = scan_floats(&s, a->logp, l->logp.len / 2 + 1);
    TRY(scan_end(&s, "\"logp\"", err));
    if (n_logp != a->n)
        return err_set(err, ERR_FORMAT, "%zu \"logp\" of %zu \"tokens\"",
                       n_logp, a->n);
    for (size_t i = 0; i < n_logp; i++)
        if (!(a->logp[i] <= 0))
            return err_set(err, ERR_FORMAT, "logp %zu is %g", i,
                           (double)a->logp[i]);
    return OK;
}

static enum status make_answer(struct outside_answer *a, const struct line *l,
                               enum outside_kind kind, struct err *err)
{
    if (l->has[FAULT])
        return pass_fault(l, err);
    if (!l->has[ID])
        return err_set(err, ERR_FORMAT, "no \"id\"");
    a->score = l->score;
    if (kind == OUTSIDE_REWARD) {
        if (!l->has[SCORE])
            return err_set(err, ERR_FORMAT, "no \"score\"");
        return isfinite(l->score)
                   ? OK
                   : err_set(err, ERR_FORMAT, "the score is %g", l->score);
    }
    if (!l->has[RESPONSE])
        return err_set(err, ERR_FORMAT, "no \"response\"");
    a->is_cut = l->has[FINISH] && scan_slice_is(&l->finish, "length");
    TRY(copy_text(&a->response, &l->response, err));
    return read_lists(a, l, err);
}

enum status outside_line_read(int64_t *id, struct outside_answer *out,
                              enum outside_kind kind, const char *line,
                              size_t len, struct err *err)
{
    struct line l = {.id = 0};
    struct outside_answer a = {.n = 0};
    struct scan_slice key;
    struct scan s;
    scan_init(&s, line, len);
    if (scan_object(&s))
        while (scan_member(&s, &key))
            read_member(&l, &s, find_member(&key));
    TRY(scan_end(&s, "answer", err));
    enum status status = make_answer(&a, &l, kind, err);
    if (status != OK) {
        outside_answer_free(&a);
        return status;
    }
    *id = l.id;
    *out = a;
    return OK;
}
