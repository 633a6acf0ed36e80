#include "serve/watch_row.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

static const char *const lanes[LANES] = {
    [LANE_LOGP] = "logp",
    [LANE_LOGP_REF] = "logp_ref",
    [LANE_KL] = "kl",
    [LANE_ENTROPY] = "entropy",
    [LANE_P_EOS] = "p_eos",
    [LANE_P_EOS_REF] = "p_eos_ref",
    [LANE_VALUE] = "value",
    [LANE_REWARD] = "reward",
    [LANE_REWARD_KL] = "reward_kl",
    [LANE_ADVANTAGE] = "advantage",
    [LANE_ADVANTAGE_WHITE] = "advantage_white",
    [LANE_LOGP_SAMPLE] = "logp_sample",
};

const char *watch_lane_name(enum watch_lane lane)
{
    return lanes[lane];
}

void watch_row_reader_free(struct watch_row_reader *g)
{
    mem_free(g->number);
    mem_free(g->token);
    *g = (struct watch_row_reader){NULL, NULL, 0};
}

/* n numbers take 2n bytes of JSON at least. */
static enum status make_room(struct watch_row_reader *g, size_t len,
                             struct err *err)
{
    size_t room = len / 2 + 1;
    if (room <= g->room)
        return OK;
    watch_row_reader_free(g);
    TRY(MEM_NEW(g->number, room * LANES, err));
    TRY(MEM_NEW(g->token, room, err));
    g->room = room;
    return OK;
}

/* ---- reading ------------------------------------------------------------ */

struct reading {
    struct watch_row *row;
    struct watch_row_reader *g;
    struct scan *s;
    size_t n[LANES], n_token;
};

static bool take_text(struct reading *x, const struct scan_slice *key)
{
    struct watch_row *r = x->row;
    struct {
        const char *name;
        struct scan_slice *to;
        enum scan_kind kind;
    } text[] = {{"prompt_id", &r->prompt_id, SCAN_TEXT},
                {"prompt", &r->prompt, SCAN_TEXT},
                {"response", &r->response, SCAN_TEXT},
                {"which", &r->which, SCAN_TEXT},
                {"finish", &r->finish, SCAN_TEXT},
                {"tags", &r->tags, SCAN_OBJECT},
                {"pieces", &r->pieces, SCAN_ARRAY}};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        if (scan_slice_is(key, text[i].name)) {
            bool is_it = scan_peek(x->s) == text[i].kind;
            struct scan_slice raw = scan_raw(x->s);
            if (is_it)
                *text[i].to = raw;
            return true;
        }
    return false;
}

static bool take_number(struct reading *x, const struct scan_slice *key)
{
    struct watch_row *r = x->row;
    struct {
        const char *name;
        double *to;
    } number[] = {{"score", &r->score},
                  {"score_raw", &r->score_raw},
                  {"gold", &r->gold},
                  {"len", &r->tokens}};
    enum scan_kind kind = scan_peek(x->s);
    if (kind != SCAN_NUMBER && kind != SCAN_NULL)
        return false;
    if (kind == SCAN_NUMBER && scan_slice_is(key, "step")) {
        r->step = scan_int(x->s);
        return true;
    }
    if (kind == SCAN_NUMBER && scan_slice_is(key, "sample")) {
        r->sample = scan_int(x->s);
        return true;
    }
    for (size_t i = 0; i < sizeof number / sizeof *number; i++)
        if (scan_slice_is(key, number[i].name)) {
            *number[i].to = scan_number(x->s);
            return true;
        }
    return false;
}

static bool take_lane(struct reading *x, const struct scan_slice *key)
{
    if (scan_peek(x->s) != SCAN_ARRAY)
        return false;
    if (scan_slice_is(key, "tokens")) {
        x->n_token = scan_ints(x->s, x->g->token, x->g->room);
        x->row->token = x->g->token;
        return true;
    }
    for (int i = 0; i < LANES; i++)
        if (scan_slice_is(key, lanes[i])) {
            float *to = x->g->number + (size_t)i * x->g->room;
            x->n[i] = scan_floats(x->s, to, x->g->room);
            x->row->lane[i] = to;
            return true;
        }
    return false;
}

/* Arrays are of one length, the tokens' or the first one's; others go. */
static void settle_lanes(struct reading *x)
{
    struct watch_row *r = x->row;
    r->len = r->token != NULL ? x->n_token : 0;
    for (int i = 0; i < LANES; i++) {
        if (r->lane[i] != NULL && r->len == 0)
            r->len = x->n[i];
        if (r->lane[i] != NULL && x->n[i] != r->len)
            r->lane[i] = NULL;
    }
    if (r->len > 0)
        r->tokens = (double)r->len;
}

static double sum_of(const float *x, const float *minus, size_t n)
{
    double sum = 0;
    for (size_t i = 0; x != NULL && i < n; i++)
        sum += (double)x[i] - (minus != NULL ? (double)minus[i] : 0);
    return x != NULL && n > 0 ? sum : (double)NAN;
}

enum status watch_row_read(struct watch_row *out, bool *is_row,
                           struct watch_row_reader *g, const char *line,
                           size_t len, struct err *err)
{
    struct scan s;
    struct scan_slice key;
    struct reading x = {.row = out, .g = g, .s = &s};
    const double none = (double)NAN;
    TRY(make_room(g, len, err));
    *out = (struct watch_row){.step = -1, .sample = -1};
    out->score = out->score_raw = out->gold = none;
    out->tokens = out->kl = out->k1 = none;
    scan_init(&s, line, len);
    if (scan_object(&s))
        while (scan_member(&s, &key))
            if (!take_text(&x, &key) && !take_number(&x, &key) &&
                !take_lane(&x, &key))
                scan_skip(&s);
    *is_row = scan_end(&s, "", NULL) == OK && out->prompt_id.text != NULL &&
              out->response.text != NULL;
    if (!*is_row)
        return OK;
    settle_lanes(&x);
    out->kl = sum_of(out->lane[LANE_KL], NULL, out->len);
    if (out->lane[LANE_LOGP_REF] != NULL)
        out->k1 =
            sum_of(out->lane[LANE_LOGP], out->lane[LANE_LOGP_REF], out->len);
    return OK;
}

bool watch_row_text_is(const struct scan_slice *raw, const char *text)
{
    if (raw->text == NULL || raw->len < 2)
        return false;
    /* Without the quotes it is a slice of a text. */
    struct scan_slice inner = {raw->text + 1, raw->len - 2, false};
    inner.is_escaped = memchr(inner.text, '\\', inner.len) != NULL;
    return scan_slice_is(&inner, text);
}

/* ---- writing ------------------------------------------------------------ */

static void put_raw(struct json_writer *j, const char *key,
                    const struct scan_slice *raw)
{
    if (raw->text == NULL)
        return;
    json_put_key(j, key);
    json_put_raw(j, raw->text, raw->len);
}

static void put_known(struct json_writer *j, const char *key, double x)
{
    if (!isnan(x))
        json_field_number(j, key, x);
}

void watch_row_write(struct json_writer *j, const struct watch_row *r)
{
    put_raw(j, "prompt_id", &r->prompt_id);
    if (r->step >= 0)
        json_field_int(j, "step", r->step);
    if (r->sample >= 0)
        json_field_int(j, "sample", r->sample);
    put_raw(j, "which", &r->which);
    put_raw(j, "prompt", &r->prompt);
    put_raw(j, "response", &r->response);
    put_raw(j, "finish", &r->finish);
    put_known(j, "score", r->score);
    put_known(j, "score_raw", r->score_raw);
    put_known(j, "gold", r->gold);
    put_known(j, "tokens", r->tokens);
    put_known(j, "kl", r->kl);
    put_known(j, "k1", r->k1);
}

void watch_row_write_lanes(struct json_writer *j, const struct watch_row *r)
{
    json_put_key(j, "lanes");
    json_open(j, '{');
    for (int i = 0; i < LANES; i++)
        if (r->lane[i] != NULL)
            json_field_floats(j, lanes[i], r->lane[i], r->len);
    json_close(j, '}');
}
