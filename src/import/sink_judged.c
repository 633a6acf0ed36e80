#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "import/seen.h"
#include "import/sink_internal.h"

#define HELD ((size_t)1 << 20)

void sink_reply_init(struct import_reply *reply)
{
    *reply = (struct import_reply){.step = -1,
                                   .sample = -1,
                                   .n_tokens = -1,
                                   .score = (double)NAN,
                                   .gold = (double)NAN,
                                   .weak_gold = (double)NAN,
                                   .kl_sequence = (double)NAN};
}

void sink_vote_init(struct import_vote *vote)
{
    const struct import_side nothing = {.sample = -1,
                                        .direct = (double)NAN,
                                        .helpful = (double)NAN,
                                        .correct = (double)NAN,
                                        .too_long = (double)NAN};
    *vote = (struct import_vote){.win = (double)NAN,
                                 .probability = (double)NAN,
                                 .visit = 1,
                                 .tested = nothing,
                                 .other = nothing};
}

/* ---- replies ------------------------------------------------------------ */

static void put_known(struct json_writer *w, const char *key, double x)
{
    if (isfinite(x))
        json_field_number(w, key, x);
}

static void put_extra(struct json_writer *w, const char *extra)
{
    if (extra == NULL || extra[0] == '\0')
        return;
    buf_putc(w->out, ',');
    buf_puts(w->out, extra);
}

/* The mark that a line of replies begins with: of two lines of one mark the
 * second is a copy; 0 is none.  Behind it the step and 1, or 0. */
static void put_mark(struct sink *s, const struct import_reply *r,
                     const char *id)
{
    char sample[24];
    (void)snprintf(sample, sizeof sample, "%lld",
                   (long long)(r->sample >= 0 ? r->sample : 0));
    const char *const text[] = {id, r->is_policy ? "policy" : "reference",
                                sample, r->response != NULL ? r->response : ""};
    uint64_t key = r->is_once ? seen_key(text, 4) | 1 : 0;
    int64_t step = r->is_policy ? r->step : -1;
    buf_printf(&s->replies, "%016llx%08x", (unsigned long long)key,
               (unsigned)(step + 1));
}

enum status sink_put_reply(struct sink *s, const struct import_reply *r,
                           struct err *err)
{
    struct json_writer w;
    bool is_tokens = r->n_tokens >= 0;
    if (r->response == NULL && !is_tokens)
        return sink_skip(s, "a held-out reply without a text or a length", err);
    if (r->step > SINK_STEP_MAX)
        return err_set(err, ERR_FORMAT, "step %lld is beyond %d",
                       (long long)r->step, SINK_STEP_MAX);
    s->notes.rows_in++;
    s->notes.has |= r->is_policy ? HAS_POLICY : HAS_REFERENCE;
    s->notes.has |= is_tokens ? 0 : HAS_WORDS;
    const char *id = sink_id(s, r->prompt_id, r->prompt);
    put_mark(s, r, id);
    json_writer_init(&w, &s->replies, false);
    json_open(&w, '{');
    json_field_text(&w, "prompt_id", id);
    json_field_text(&w, "which", r->is_policy ? "policy" : "reference");
    json_field_int(&w, "sample", r->sample >= 0 ? r->sample : 0);
    if (r->prompt != NULL)
        json_field_text(&w, "prompt", r->prompt);
    if (r->response != NULL)
        json_field_text(&w, "response", r->response);
    json_field_int(&w, "len",
                   is_tokens ? r->n_tokens : sink_words(r->response));
    json_field_text(&w, "len_unit", is_tokens ? "tokens" : "words");
    if (r->finish != FINISH_UNKNOWN)
        json_field_bool(&w, "is_eos", r->finish == FINISH_EOS);
    put_known(&w, "score", r->score);
    put_known(&w, "gold", r->gold);
    put_known(&w, "weak_gold", r->weak_gold);
    put_known(&w, "kl_sequence", r->kl_sequence);
    put_extra(&w, r->extra);
    json_close(&w, '}');
    buf_putc(&s->replies, '\n');
    s->notes.rows_out++;
    return sink_flush(s, "replies", &s->replies, SINK_HELD, err);
}

/* ---- votes -------------------------------------------------------------- */

static const char *const judge_kind[] = {[JUDGE_HUMAN] = "human",
                                         [JUDGE_MODEL] = "model",
                                         [JUDGE_SCRIPT] = "script"};

static const char *word_of(double x)
{
    return x > 0.75 ? "yes" : x < 0.25 ? "no" : "unsure";
}

static void put_side(struct json_writer *w, const struct import_vote *v,
                     bool is_left)
{
    bool is_tested = is_left == v->is_left;
    const struct import_side *side = is_tested ? &v->tested : &v->other;
    const char *source = !is_tested      ? "reference"
                         : v->is_placebo ? "placebo"
                                         : "policy";
    json_put_key(w, is_left ? "left" : "right");
    json_open(w, '{');
    json_field_text(w, "source", source);
    json_field_int(w, "sample", side->sample >= 0 ? side->sample : 0);
    json_field_text(w, "response", side->response);
    json_close(w, '}');
    put_known(w, is_left ? "left_direct" : "right_direct", side->direct);
    put_known(w, is_left ? "left_helpful" : "right_helpful", side->helpful);
    if (isfinite(side->correct))
        json_field_text(w, is_left ? "left_correct" : "right_correct",
                        word_of(side->correct));
    if (isfinite(side->too_long))
        json_field_text(w, is_left ? "left_length" : "right_length",
                        side->too_long > 0.5 ? "too_long" : "right");
}

static const char *overall_of(const struct import_vote *v)
{
    if (v->win == 0.5)
        return v->both_bad ? "both_bad" : "tie";
    return (v->win > 0.5) == v->is_left ? "A" : "B";
}

static enum status check_vote(const struct import_vote *v, struct err *err)
{
    if (v->win == 0 || v->win == 0.5 || v->win == 1)
        return OK;
    return err_set(err, ERR_FORMAT,
                   "a verdict that is neither won, lost nor a tie");
}

static void put_vote(struct json_writer *w, struct sink *s,
                     const struct import_vote *v)
{
    const char *id = sink_id(s, v->prompt_id, v->prompt);
    json_open(w, '{');
    json_field_text(w, "pair_id", v->pair_id != NULL ? v->pair_id : id);
    json_field_text(w, "prompt_id", id);
    json_field_text(w, "kind", v->is_placebo ? "placebo" : "policy");
    json_field_text(w, "judge", v->judge);
    json_field_text(w, "judge_kind", judge_kind[v->kind]);
    json_field_int(w, "visit", v->visit);
    json_field_text(w, "overall", overall_of(v));
    put_known(w, "probability", v->probability);
    if (v->side_unknown)
        json_field_bool(w, "side_unknown", true);
    put_side(w, v, true);
    put_side(w, v, false);
    if (v->rationale != NULL)
        json_field_text(w, "rationale", v->rationale);
    json_close(w, '}');
}

enum status sink_put_vote(struct sink *s, const struct import_vote *v,
                          struct err *err)
{
    struct json_writer w;
    TRY(check_vote(v, err));
    s->notes.rows_in++;
    s->notes.has |= v->kind == JUDGE_HUMAN ? HAS_HUMAN : HAS_JUDGE;
    buf_putc(&s->votes, v->kind == JUDGE_HUMAN ? 'h' : 'j');
    json_writer_init(&w, &s->votes, false);
    put_vote(&w, s, v);
    buf_putc(&s->votes, '\n');
    s->notes.rows_out++;
    return sink_flush(s, "votes", &s->votes, SINK_HELD, err);
}

enum status sink_put_verdict(struct sink *s, const struct import_verdict *v,
                             struct err *err)
{
    struct json_writer w;
    s->notes.rows_in++;
    s->notes.has |= HAS_VERDICTS;
    json_writer_init(&w, &s->verdicts, false);
    json_open(&w, '{');
    json_field_text(&w, "model", v->model);
    if (v->step >= 0)
        json_field_int(&w, "step", v->step);
    json_field_text(&w, "set", v->set);
    json_field_text(&w, "prompt_id", v->prompt_id);
    json_field_bool(&w, "correct", v->is_correct);
    json_field_bool(&w, "truncated", v->is_truncated);
    json_field_text(&w, "judge_kind", judge_kind[JUDGE_SCRIPT]);
    json_close(&w, '}');
    buf_putc(&s->verdicts, '\n');
    s->notes.rows_out++;
    return sink_flush(s, "verdicts", &s->verdicts, SINK_HELD, err);
}
