#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "diagnose/evidence_internal.h"
#include "io/trace_read.h"

/* One file's rows on their way into a part. */
struct reducing {
    struct evidence_part *part;
    struct evidence_gathering *g;
    const struct evidence *e;
    size_t first; // of this iteration's responses
};

void evidence_gathering_free(struct evidence_gathering *g)
{
    mem_free(g->bin);
    mem_free(g->gram);
    mem_free(g->repeated);
    mem_free(g->ret);
}

void evidence_part_free(struct evidence_part *part)
{
    names_free(&part->prompt);
    names_free(&part->tag);
    mem_free(part->rollout);
    mem_free(part->step);
}

static enum status grow_scratch(struct evidence_gathering *g, size_t room,
                                struct err *err)
{
    mem_free(g->gram);
    mem_free(g->repeated);
    mem_free(g->ret);
    g->gram = NULL;
    g->repeated = NULL;
    g->ret = NULL;
    g->room = 0;
    TRY(MEM_NEW(g->gram, 2 * room, err));
    TRY(MEM_NEW(g->repeated, room, err));
    TRY(MEM_NEW(g->ret, room, err));
    g->room = room;
    return OK;
}

/* A response's tokens come in: room for what is gathered of them. */
static enum status make_room(struct evidence_gathering *g, size_t len,
                             struct err *err)
{
    if (len / EVIDENCE_BIN + 1 > g->bins) {
        size_t bins = 2 * (len / EVIDENCE_BIN + 1);
        struct evidence_bin *grown =
            mem_grow(g->bin, g->bins, bins, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu bins", bins);
        g->bin = grown;
        g->bins = bins;
    }
    return len > g->room ? grow_scratch(g, 2 * len, err) : OK;
}

/* ---- one response ------------------------------------------------------- */

/* Of an array that may be absent. */
static double sum_of(const float *x, size_t n)
{
    double sum = 0;
    if (x == NULL || n == 0)
        return (double)NAN;
    for (size_t t = 0; t < n; t++)
        sum += (double)x[t];
    return sum;
}

static double at(const float *x, size_t t)
{
    return x != NULL ? (double)x[t] : (double)NAN;
}

/* The larger of two of which either may be none yet: NaN. */
static double larger(double most, double x)
{
    return isnan(most) || x > most ? x : most;
}

/* What a ledger takes of a token; what the trace lacks is NaN there and stays
 * out. */
struct entry {
    double k1, kl, paid, advantage;
};

static void enter(struct evidence_ledger *l, const struct entry *x)
{
    l->tokens++;
    l->k1 += x->k1;
    l->kl += x->kl;
    l->paid += x->paid > 0 ? x->paid : 0;
    l->charged += x->paid < 0 ? -x->paid : 0;
    l->advantage += x->advantage;
}

static void add_engine(struct evidence_step *s, double gap)
{
    if (!isfinite(gap))
        return;
    s->engine_tokens++;
    s->engine_gap += gap;
    s->engine_size += fabs(gap);
}

static void add_token(const struct reducing *x, struct evidence_step *s,
                      const struct trace_row *r, size_t t)
{
    const struct evidence_gathering *g = x->g;
    bool is_end = r->is_eos && t + 1 == r->len;
    double logp = at(r->logp, t);
    const struct entry entry = {.k1 = logp - at(r->logp_ref, t),
                                .kl = at(r->kl, t),
                                .paid = at(r->reward_kl, t),
                                .advantage = at(r->advantage_white, t)};
    double surprise = -logp - at(r->entropy, t);
    double error = g->ret[t] - at(r->value, t);
    s->surprise += surprise;
    s->surprise_square += surprise * surprise;
    s->returns += g->ret[t];
    s->returns_square += g->ret[t] * g->ret[t];
    s->errors += error;
    s->errors_square += error * error;
    s->sampler_error =
        larger(s->sampler_error, fabs(expm1(logp - at(r->logp_sample, t))));
    add_engine(s, logp - at(r->logp_sample, t));
    s->reference_error = larger(s->reference_error, fabs(entry.k1));
    if (is_end && entry.advantage == 0)
        s->eos_zero++;
    int64_t before = t > 0 && r->token != NULL ? r->token[t - 1] : -1;
    enum evidence_class kind =
        evidence_class_of(x->e, t, r->len, r->is_eos, before, g->repeated[t]);
    enter(&s->by_class[kind], &entry);
    enter(&s->by_decile[t * EVIDENCE_DECILES / r->len], &entry);
    if (!is_end && r->advantage_white != NULL) {
        g->bin[t / EVIDENCE_BIN].sum += entry.advantage;
        g->bin[t / EVIDENCE_BIN].n++;
    }
}

/* What was paid from each token on, undiscounted. */
static void find_returns(struct evidence_gathering *g,
                         const struct trace_row *r)
{
    double sum = 0;
    for (size_t t = r->len; t-- > 0;) {
        sum += at(r->reward, t);
        g->ret[t] = sum;
    }
}

static void reduce(struct evidence_rollout *out,
                   const struct evidence_gathering *g,
                   const struct trace_row *r)
{
    size_t n = r->len;
    /* Of a row without tokens nothing is summed. */
    double k1 = n > 0 ? 0 : (double)NAN, measure = k1, error = k1;
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
    if (r->is_eos && n > 0)
        out->advantage_white_eos = (float)at(r->advantage_white, n - 1);
}

/* How long a response is: by its tokens, or as its trainer counted it. */
static enum status read_length(struct evidence_rollout *out,
                               const struct trace_view *v, struct err *err)
{
    const struct trace_row *r = &v->row;
    bool is_words = r->len_unit != NULL && strcmp(r->len_unit, "words") == 0;
    bool is_tokens = r->len_unit != NULL && strcmp(r->len_unit, "tokens") == 0;
    out->tokens = r->len > 0 ? (float)r->len : (float)NAN;
    out->words = out->feature[FEATURE_WORDS];
    if (r->len_unit == NULL)
        return OK;
    if (!is_words && !is_tokens)
        return err_set(err, ERR_FORMAT,
                       "line %zu: len_unit is '%.20s', not tokens or words",
                       v->line, r->len_unit);
    if (r->n_tokens > EVIDENCE_LENGTH_MAX)
        return err_set(err, ERR_FORMAT, "line %zu: a response of %lld %s",
                       v->line, (long long)r->n_tokens, r->len_unit);
    if (is_words)
        out->words = (float)r->n_tokens;
    else if (r->len == 0)
        out->tokens = (float)r->n_tokens;
    return OK;
}

static enum status name_row(struct evidence_rollout *out,
                            struct evidence_part *part,
                            const struct trace_view *v, struct err *err)
{
    const struct trace_row *r = &v->row;
    char text[128];
    size_t index;
    TRY(names_add(&part->prompt, &index, r->prompt_id, err));
    out->prompt = (uint32_t)index;
    out->tag = UINT32_MAX;
    if (trace_tag(text, sizeof text, r->tags, "intent")) {
        TRY(names_add(&part->tag, &index, text, err));
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

static enum status grow_rollouts(struct evidence_part *part, struct err *err)
{
    size_t room = part->room_rollout > 0 ? 2 * part->room_rollout : 256;
    if (part->n_rollout < part->room_rollout)
        return OK;
    if (room > UINT32_MAX)
        return err_set(err, ERR_LIMIT, "more than %zu responses", room / 2);
    struct evidence_rollout *grown =
        mem_grow(part->rollout, part->n_rollout, room, sizeof *grown);
    if (grown == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: %zu responses", room);
    part->rollout = grown;
    part->room_rollout = room;
    return OK;
}

static enum status add_row(struct reducing *x, struct evidence_step *s,
                           const struct trace_view *v, struct err *err)
{
    struct evidence_part *part = x->part;
    struct evidence_gathering *g = x->g;
    const struct trace_row *r = &v->row;
    TRY(grow_rollouts(part, err));
    TRY(make_room(g, r->len, err));
    struct evidence_rollout *out = &part->rollout[part->n_rollout];
    *out = (struct evidence_rollout){.step = (uint32_t)(part->n_step - 1)};
    TRY(name_row(out, part, v, err));
    TRY(read_length(out, v, err));
    out->sample = (uint32_t)r->sample;
    out->is_eos = r->is_eos && !r->finish_unknown;
    out->is_end_unknown = r->finish_unknown;
    out->kl_sequence =
        r->kl_sequence != NULL ? (float)*r->kl_sequence : (float)NAN;
    out->score = (float)r->score;
    out->score_raw = (float)r->score_raw;
    out->gold = x->e->import != NULL ? (float)v->extra[0] : (float)NAN;
    find_returns(g, r);
    if (r->len > 0)
        evidence_find_repeats(g->repeated, g->gram, r->token, r->len);
    reduce(out, g, r);
    for (size_t t = 0; t < r->len; t++)
        add_token(x, s, r, t);
    s->responses++;
    s->tokens += r->len;
    s->beta_low = fmin(s->beta_low, r->beta);
    s->beta_high = fmax(s->beta_high, r->beta);
    s->temperature_low = fmin(s->temperature_low, r->temperature);
    s->temperature_high = fmax(s->temperature_high, r->temperature);
    part->n_rollout++;
    return OK;
}

/* ---- an iteration ------------------------------------------------------- */

static enum status begin_step(struct reducing *x, int64_t step, struct err *err)
{
    struct evidence_part *part = x->part;
    if (part->n_step == part->room_step) {
        size_t room = part->room_step > 0 ? 2 * part->room_step : 1;
        struct evidence_step *grown =
            mem_grow(part->step, part->n_step, room, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu iterations",
                           room);
        part->step = grown;
        part->room_step = room;
    }
    part->step[part->n_step++] = (struct evidence_step){
        .step = step,
        .beta_low = (double)INFINITY,
        .beta_high = -(double)INFINITY,
        .temperature_low = (double)INFINITY,
        .temperature_high = -(double)INFINITY,
        .sampler_error = (double)NAN,
        .reference_error = (double)NAN,
    };
    x->first = part->n_rollout;
    for (size_t b = 0; b < x->g->bins; b++)
        x->g->bin[b] = (struct evidence_bin){.n = 0};
    return OK;
}

/* How much less an EOS token was worth than others at its place. */
static void finish_step(struct reducing *x)
{
    struct evidence_part *part = x->part;
    for (size_t i = x->first; i < part->n_rollout; i++) {
        struct evidence_rollout *r = &part->rollout[i];
        if (isnan(r->advantage_white_eos)) // or it has no such token
            continue;
        const struct evidence_bin *b =
            &x->g->bin[((size_t)r->tokens - 1) / EVIDENCE_BIN];
        if (b->n > 0)
            r->eos_gap = r->advantage_white_eos - (float)(b->sum / b->n);
    }
}

/* Has it tokens, or what can be told without them? */
static bool is_usable(const struct trace_row *r)
{
    return r->len > 0 || r->response != NULL || r->len_unit != NULL;
}

/* Such a row opens the iteration that it is of. */
static enum status open_step(struct reducing *x, const struct trace_view *v,
                             struct err *err)
{
    struct evidence_part *part = x->part;
    int64_t step = v->row.step;
    int64_t last = part->n_step > 0 ? part->step[part->n_step - 1].step : -1;
    if (part->n_step > 0 && last == step)
        return OK;
    if (step > EVIDENCE_STEP_MAX)
        return err_set(err, ERR_FORMAT, "line %zu is of iteration %lld",
                       v->line, (long long)step);
    if (step <= last)
        return evidence_disorder(v->line, step, last, err);
    if (part->n_step == 0) {
        part->first_line = v->line;
        part->first_step = step;
    }
    finish_step(x);
    return begin_step(x, step, err);
}

static enum status read_rows(struct reducing *x, struct trace_reader *reader,
                             struct err *err)
{
    struct evidence_part *part = x->part;
    const struct trace_view *v;
    for (;;) {
        TRY(trace_reader_next(reader, &v, err));
        if (v == NULL)
            break;
        if (!is_usable(&v->row))
            continue;
        TRY(open_step(x, v, err));
        TRY(add_row(x, &part->step[part->n_step - 1], v, err));
    }
    if (part->n_step == 0)
        return err_set(err, ERR_FORMAT,
                       "it holds no rows that have tokens or texts");
    finish_step(x);
    return OK;
}

void evidence_reduce(struct evidence_part *part, struct evidence_gathering *g,
                     const struct evidence *e, const char *path)
{
    struct reducing x = {.part = part, .g = g, .e = e};
    struct trace_reader *reader;
    static const char *const names[] = {"gold"};
    size_t n_names = e->import != NULL ? 1 : 0;
    part->status =
        trace_reader_open(&reader, path, names, n_names, &part->reason);
    if (part->status != OK)
        return;
    part->status = read_rows(&x, reader, &part->reason);
    trace_reader_close(reader);
}

enum status evidence_disorder(size_t line, int64_t step, int64_t last,
                              struct err *err)
{
    return err_set(err, ERR_FORMAT,
                   "line %zu is of iteration %lld, and rows of iteration %lld "
                   "come before it",
                   line, (long long)step, (long long)last);
}
