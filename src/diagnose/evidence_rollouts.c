#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "diagnose/evidence_internal.h"
#include "io/trace_read.h"

/* What is gathered over the rows of one iteration. */
struct gathering {
    struct evidence *e;
    size_t first;  // of this iteration's responses
    size_t before; // iterations that were there before this file
    struct bin {
        double sum, n; // whitened advantages of tokens that are not EOS
    } * bin;           // by place in the response
    size_t bins;
    /* scratch of one response, [room_scratch] each */
    uint64_t *gram; // twice as many: hash and place of runs of four tokens
    bool *repeated; // the token ends a run that was there before
    double *ret;    // what was paid from this token on
    size_t room_scratch;
};

static void gathering_free(struct gathering *g)
{
    mem_free(g->bin);
    mem_free(g->gram);
    mem_free(g->repeated);
    mem_free(g->ret);
}

static enum status grow_rollouts(struct evidence *e, struct err *err)
{
    size_t room = e->room_rollout > 0 ? 2 * e->room_rollout : 1024;
    if (e->n_rollout < e->room_rollout)
        return OK;
    if (room > UINT32_MAX)
        return err_set(err, ERR_LIMIT, "more than %zu responses", room / 2);
    struct evidence_rollout *grown =
        mem_grow(e->rollout, e->n_rollout, room, sizeof *grown);
    if (grown == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: %zu responses", room);
    e->rollout = grown;
    e->room_rollout = room;
    return OK;
}

static enum status grow_scratch(struct gathering *g, size_t room,
                                struct err *err)
{
    mem_free(g->gram);
    mem_free(g->repeated);
    mem_free(g->ret);
    g->gram = NULL;
    g->repeated = NULL;
    g->ret = NULL;
    g->room_scratch = 0;
    TRY(MEM_NEW(g->gram, 2 * room, err));
    TRY(MEM_NEW(g->repeated, room, err));
    TRY(MEM_NEW(g->ret, room, err));
    g->room_scratch = room;
    return OK;
}

/* A response's tokens come in: room for what is gathered of them. */
static enum status make_room(struct gathering *g, size_t len, struct err *err)
{
    if (len / EVIDENCE_BIN + 1 > g->bins) {
        size_t bins = 2 * (len / EVIDENCE_BIN + 1);
        struct bin *grown = mem_grow(g->bin, g->bins, bins, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu bins", bins);
        g->bin = grown;
        g->bins = bins;
    }
    return len > g->room_scratch ? grow_scratch(g, 2 * len, err) : OK;
}

/* ---- one response ------------------------------------------------------- */

/* Of an array that may be absent. */
static double sum_of(const float *x, size_t n)
{
    double sum = 0;
    if (x == NULL)
        return (double)NAN;
    for (size_t t = 0; t < n; t++)
        sum += (double)x[t];
    return sum;
}

static double at(const float *x, size_t t)
{
    return x != NULL ? (double)x[t] : (double)NAN;
}

/* An entry of a ledger; what the trace lacks is NaN there and stays out. */
static void enter(struct evidence_ledger *l, const struct trace_row *r,
                  size_t t)
{
    double paid = at(r->reward_kl, t);
    l->tokens++;
    l->k1 += at(r->logp, t) - at(r->logp_ref, t);
    l->kl += at(r->kl, t);
    l->paid += paid > 0 ? paid : 0;
    l->charged += paid < 0 ? -paid : 0;
    l->advantage += at(r->advantage_white, t);
}

static void add_token(struct gathering *g, struct evidence_step *s,
                      const struct trace_row *r, size_t t)
{
    bool is_end = r->is_eos && t + 1 == r->len;
    double surprise = -at(r->logp, t) - at(r->entropy, t);
    double error = g->ret[t] - at(r->value, t);
    s->surprise += surprise;
    s->surprise_square += surprise * surprise;
    s->returns += g->ret[t];
    s->returns_square += g->ret[t] * g->ret[t];
    s->errors += error;
    s->errors_square += error * error;
    s->sampler_error = fmax(
        s->sampler_error, fabs(expm1(at(r->logp, t) - at(r->logp_sample, t))));
    s->reference_error =
        fmax(s->reference_error, fabs(at(r->logp, t) - at(r->logp_ref, t)));
    if (is_end && at(r->advantage_white, t) == 0)
        s->eos_zero++;
    int64_t before = t > 0 && r->token != NULL ? r->token[t - 1] : -1;
    enum evidence_class kind =
        evidence_class_of(g->e, t, r->len, r->is_eos, before, g->repeated[t]);
    enter(&s->by_class[kind], r, t);
    enter(&s->by_decile[t * EVIDENCE_DECILES / r->len], r, t);
    if (!is_end && r->advantage_white != NULL) {
        g->bin[t / EVIDENCE_BIN].sum += (double)r->advantage_white[t];
        g->bin[t / EVIDENCE_BIN].n++;
    }
}

/* What was paid from each token on, undiscounted. */
static void find_returns(struct gathering *g, const struct trace_row *r)
{
    double sum = 0;
    for (size_t t = r->len; t-- > 0;) {
        sum += at(r->reward, t);
        g->ret[t] = sum;
    }
}

static void reduce(struct evidence_rollout *out, const struct gathering *g,
                   const struct trace_row *r)
{
    size_t n = r->len;
    double k1 = 0, measure = 0, error = 0;
    for (size_t t = 0; t < n; t++) {
        double d = at(r->logp, t) - at(r->logp_ref, t);
        k1 += d;
        measure += exp(-d);
        error += g->ret[t] - at(r->value, t);
    }
    out->k1 = (float)k1;
    out->measure = (float)measure;
    out->kl = (float)sum_of(r->kl, n);
    out->reward_kl = (float)sum_of(r->reward_kl, n);
    out->entropy = (float)sum_of(r->entropy, n);
    out->value_error = (float)(error / (double)n);
    out->advantage_white = (float)(sum_of(r->advantage_white, n) / (double)n);
    out->p_eos = (float)sum_of(r->p_eos, n);
    out->p_eos_ref = (float)sum_of(r->p_eos_ref, n);
    out->advantage_white_eos = out->eos_gap = (float)NAN;
    if (r->is_eos)
        out->advantage_white_eos = (float)at(r->advantage_white, n - 1);
}

static enum status name_row(struct evidence_rollout *out, struct evidence *e,
                            const struct trace_view *v, struct err *err)
{
    const struct trace_row *r = &v->row;
    char text[128];
    size_t index;
    TRY(names_add(&e->rollout_prompt, &index, r->prompt_id, err));
    out->prompt = (uint32_t)index;
    out->tag = UINT32_MAX;
    if (trace_tag(text, sizeof text, r->tags, "intent")) {
        TRY(names_add(&e->tag, &index, text, err));
        out->tag = (uint32_t)index;
    }
    double feature[FEATURES];
    const char *prompt = r->prompt != NULL ? r->prompt : "";
    const char *reply = r->response != NULL ? r->response : "";
    TRY(features_of(feature, prompt, strlen(prompt), reply, strlen(reply),
                    err));
    for (size_t f = 0; f < FEATURES; f++)
        out->feature[f] = r->response != NULL ? (float)feature[f] : (float)NAN;
    return OK;
}

static enum status add_row(struct gathering *g, struct evidence_step *s,
                           const struct trace_view *v, struct err *err)
{
    struct evidence *e = g->e;
    const struct trace_row *r = &v->row;
    TRY(grow_rollouts(e, err));
    TRY(make_room(g, r->len, err));
    struct evidence_rollout *out = &e->rollout[e->n_rollout];
    *out = (struct evidence_rollout){.step = (uint32_t)(e->n_step - 1)};
    TRY(name_row(out, e, v, err));
    out->sample = (uint32_t)r->sample;
    out->is_eos = r->is_eos;
    out->tokens = (float)r->len;
    out->score = (float)r->score;
    out->score_raw = (float)r->score_raw;
    find_returns(g, r);
    evidence_find_repeats(g->repeated, g->gram, r->token, r->len);
    reduce(out, g, r);
    for (size_t t = 0; t < r->len; t++)
        add_token(g, s, r, t);
    s->responses++;
    s->tokens += r->len;
    s->beta_low = fmin(s->beta_low, r->beta);
    s->beta_high = fmax(s->beta_high, r->beta);
    s->temperature_low = fmin(s->temperature_low, r->temperature);
    s->temperature_high = fmax(s->temperature_high, r->temperature);
    e->n_rollout++;
    return OK;
}

/* ---- an iteration ------------------------------------------------------- */

static enum status begin_step(struct gathering *g, int64_t step,
                              struct err *err)
{
    struct evidence *e = g->e;
    if (e->n_step == e->room_step) {
        size_t room = e->room_step > 0 ? 2 * e->room_step : 64;
        struct evidence_step *grown =
            mem_grow(e->step, e->n_step, room, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu iterations",
                           room);
        e->step = grown;
        e->room_step = room;
    }
    e->step[e->n_step++] = (struct evidence_step){
        .step = step,
        .beta_low = INFINITY,
        .beta_high = -INFINITY,
        .temperature_low = INFINITY,
        .temperature_high = -INFINITY,
    };
    g->first = e->n_rollout;
    for (size_t b = 0; b < g->bins; b++)
        g->bin[b] = (struct bin){.n = 0};
    return OK;
}

/* How much less an EOS token was worth than others at its place. */
static void finish_step(struct gathering *g)
{
    struct evidence *e = g->e;
    if (e->n_step == 0)
        return;
    for (size_t i = g->first; i < e->n_rollout; i++) {
        struct evidence_rollout *r = &e->rollout[i];
        if (!r->is_eos)
            continue;
        const struct bin *b = &g->bin[((size_t)r->tokens - 1) / EVIDENCE_BIN];
        if (b->n > 0)
            r->eos_gap = r->advantage_white_eos - (float)(b->sum / b->n);
    }
}

static enum status read_rows(struct gathering *g, struct trace_reader *reader,
                             struct err *err)
{
    struct evidence *e = g->e;
    const struct trace_view *v;
    for (;;) {
        TRY(trace_reader_next(reader, &v, err));
        if (v == NULL)
            break;
        if (v->row.len == 0)
            continue;
        int64_t last = e->n_step > 0 ? e->step[e->n_step - 1].step : -1;
        if (e->n_step == g->before || last != v->row.step) {
            if (v->row.step > EVIDENCE_STEP_MAX)
                return err_set(err, ERR_FORMAT, "line %zu is of iteration %lld",
                               v->line, (long long)v->row.step);
            if (v->row.step <= last)
                return err_set(err, ERR_FORMAT,
                               "line %zu is of iteration %lld, and rows of "
                               "iteration %lld come before it",
                               v->line, (long long)v->row.step,
                               (long long)last);
            finish_step(g);
            TRY(begin_step(g, v->row.step, err));
        }
        TRY(add_row(g, &e->step[e->n_step - 1], v, err));
    }
    finish_step(g);
    return OK;
}

/* A file's rows, all or none. */
static enum status read_file(struct gathering *g, const char *dir,
                             const char *name, struct err *err)
{
    struct evidence *e = g->e;
    struct trace_reader *reader;
    char path[FILE_PATH_MAX];
    size_t rollouts = e->n_rollout, prompts = e->rollout_prompt.n;
    size_t tags = e->tag.n;
    g->before = e->n_step;
    TRY(file_join(path, dir, name, err));
    TRY(trace_reader_open(&reader, path, NULL, 0, err));
    enum status status = read_rows(g, reader, err);
    trace_reader_close(reader);
    if (status == OK && e->n_step == g->before)
        status = err_set(err, ERR_FORMAT, "it holds no rows that have tokens");
    if (status != OK) {
        e->n_step = g->before;
        e->n_rollout = rollouts;
        names_cut(&e->rollout_prompt, prompts);
        names_cut(&e->tag, tags);
    }
    return status;
}

/* ---- what is missing among them ----------------------------------------- */

/* The reasons so far; the first few are told. */
struct missing {
    struct buf text;
    size_t n;
};

enum {
    TOLD_MAX = 4
};

static void tell(struct missing *m, const char *fmt, ...) ERR_PRINTF(2, 3);
static void tell(struct missing *m, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (m->n++ < TOLD_MAX)
        buf_printf(&m->text, "%s%s", m->n > 1 ? "; " : "", text);
}

/* How many iterations there are from one traced to the next: as the run was
 * configured, else the least seen if most are so far apart; 0: not known. */
static int64_t find_stride(const struct evidence *e)
{
    double every = evidence_number(e, "ppo", "ppo.trace_every");
    int64_t least = INT64_MAX;
    size_t n = 0;
    if (every >= 1 && every < 1e9)
        return (int64_t)every;
    for (size_t i = 1; i < e->n_step; i++) {
        int64_t d = e->step[i].step - e->step[i - 1].step;
        n = d == least ? n + 1 : d < least ? 1 : n;
        least = d < least ? d : least;
    }
    return 2 * n >= e->n_step && n > 0 ? least : 0;
}

/* Iterations that ought to have been traced after `from` and before `to`. */
static void find_gap(struct missing *m, int64_t from, int64_t to,
                     int64_t stride, int64_t phase)
{
    int64_t low = (from - phase) / stride + 1, high = (to - phase - 1) / stride;
    if (high < low)
        return;
    low = low * stride + phase;
    high = high * stride + phase;
    if (low == high)
        tell(m, "no rollouts of iteration %lld", (long long)low);
    else
        tell(m, "no rollouts of iterations %lld to %lld", (long long)low,
             (long long)high);
}

static void find_gaps(struct missing *m, const struct evidence *e)
{
    int64_t stride = find_stride(e);
    bool is_known = evidence_number(e, "ppo", "ppo.trace_every") >= 1;
    if (stride == 0)
        return;
    int64_t from = is_known ? 0 : e->step[0].step;
    int64_t phase = is_known ? 0 : from % stride;
    for (size_t i = 0; i < e->n_step; i++) {
        find_gap(m, from, e->step[i].step, stride, phase);
        from = e->step[i].step;
    }
    /* The log tells how far the run went. */
    size_t n = e->metrics.n;
    if (is_known && n > 0 && e->metrics.step[n - 1] > from &&
        e->metrics.step[n - 1] < INT64_MAX)
        find_gap(m, from, e->metrics.step[n - 1] + 1, stride, phase);
}

static enum status lose_missing(struct evidence *e, struct missing *m,
                                struct err *err)
{
    struct err reason;
    if (m->n > TOLD_MAX)
        buf_printf(&m->text, "; and %zu more", m->n - TOLD_MAX);
    TRY(buf_status(&m->text, err));
    (void)err_set(&reason, ERR_FORMAT, "%s", buf_text(&m->text));
    return m->n > 0 ? evidence_lose_part(e, "ppo/rollouts", EVIDENCE_TRACE,
                                         &reason, err)
                    : OK;
}

static enum status read_files(struct gathering *g, struct missing *m,
                              const char *dir, const struct file_list *list,
                              struct err *err)
{
    struct err reason, first = {.code = OK};
    for (size_t i = 0; i < list->n; i++) {
        enum status status = read_file(g, dir, list->name[i], &reason);
        if (status == ERR_MEMORY) {
            *err = reason;
            return status;
        }
        if (status == OK)
            continue;
        if (first.code == OK)
            first = reason;
        size_t len = strlen(dir);
        bool is_named = strncmp(reason.text, dir, len) == 0;
        tell(m, "%s%s%.160s", is_named ? "" : list->name[i],
             is_named ? "" : ": ", reason.text + (is_named ? len + 1 : 0));
    }
    if (g->e->n_step == 0) {
        *err = first;
        return first.code;
    }
    return OK;
}

enum status evidence_read_rollouts(struct evidence *e, const char *run,
                                   struct err *err)
{
    struct gathering g = {.e = e};
    struct missing m = {.n = 0};
    struct file_list list = {.n = 0};
    char dir[FILE_PATH_MAX];
    enum status status = OK;
    buf_init(&m.text, (size_t)1 << 16);
    TRY_DONE(file_join(dir, run, "rollouts", err));
    TRY_DONE(trace_run_files(&list, run, err));
    TRY_DONE(read_files(&g, &m, dir, &list, err));
    find_gaps(&m, e);
    TRY_DONE(lose_missing(e, &m, err));
done:
    file_list_free(&list);
    buf_free(&m.text);
    gathering_free(&g);
    return status;
}
