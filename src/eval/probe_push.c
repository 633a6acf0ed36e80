/*
 * Several replies to each of some held-out prompts from the model the run began
 * with (step 0) and from every checkpoint, scored: what the reward model asks
 * for at each point of the run, within prompts.  Columns:
 *
 *     step  prompt_id  sample  score
 *     tokens  is_eos
 *     k1        sum of logp - logp_ref          kl  exact, summed over tokens
 *     entropy   mean over tokens, of the policy
 *     kl_first  exact, of the first "m" tokens  m: the median length of the
 *                                               reference's samples
 *     characters ...  the features of the text (stat/features.h)
 *
 * Sample k of prompt p comes from the stream (RNG_PROBE, PROBE_STREAM_PUSH,
 * p * samples + k) at every point, so that the points differ by their models
 * and not by the luck of the draw.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/drawn.h"
#include "eval/point.h"
#include "eval/probe_file.h"
#include "eval/probe_table.h"
#include "rlhf/rollout.h"

struct row {
    int64_t step;
    const char *prompt_id;
    int64_t sample;
    double score;
    int64_t tokens;
    bool is_eos;
    double k1, kl, entropy, kl_first;
    double feature[FEATURES];
};

struct push {
    int64_t *step; // [points] that are asked
    size_t points;
    size_t replies;  // a point
    struct row *row; // [points * replies]
    size_t m;
};

/* At most `most` points at equal distances, the first and the last with
 * them. */
static size_t thin(int64_t *step, size_t n, size_t most)
{
    if (n <= most)
        return n;
    for (size_t i = 0; i < most; i++)
        step[i] = step[most > 1 ? i * (n - 1) / (most - 1) : n - 1];
    return most;
}

static enum status list(int64_t **step, size_t *n, const struct probe *p,
                        struct err *err)
{
    TRY(point_list(step, n, p->config->heldout.run, err));
    if (*n < 2) {
        mem_free(*step);
        return err_set(err, ERR_MISSING, "%s has no checkpoints",
                       p->config->heldout.run);
    }
    *n = thin(*step, *n, (size_t)p->config->sizes.checkpoints);
    return OK;
}

enum status probe_push_inputs(struct buf *out, const struct probe *p,
                              struct err *err)
{
    const struct probe_sizes *z = &p->config->sizes;
    int64_t *step;
    size_t n;
    TRY(list(&step, &n, p, err));
    buf_printf(out, "prompts %lld samples %lld steps",
               (long long)z->push_prompts, (long long)z->push_samples);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, " %lld", (long long)step[i]);
    buf_putc(out, '\n');
    mem_free(step);
    return OK;
}

static int ascending(const void *a, const void *b)
{
    size_t x = *(const size_t *)a;
    size_t y = *(const size_t *)b;
    return (x > y) - (x < y);
}

/* The median length of the reference's samples. */
static enum status find_m(size_t *out, const struct probe *p, struct err *err)
{
    struct drawn d;
    size_t *len;
    TRY(drawn_read(&d, &p->setup, p->samples,
                   (size_t)p->config->heldout.n_prompts,
                   (size_t)p->config->heldout.samples, err));
    drawn_keep(&d, false);
    enum status status = MEM_NEW(len, d.n + 1, err);
    if (status == OK) {
        for (size_t i = 0; i < d.n; i++)
            len[i] = d.reply[i].seq.len_response;
        qsort(len, d.n, sizeof *len, ascending);
        *out = len[d.n / 2];
    }
    mem_free(len);
    drawn_free(&d);
    return status;
}

static void describe(struct row *out, const struct rollout *r, size_t i,
                     const struct probe *p, int64_t step, size_t m)
{
    const struct score_scale *scale = &p->setup.scale;
    size_t n = r->seq[i].len_response;
    struct row row = {
        .step = step,
        .prompt_id = p->setup.prompts.record[r->prompt[i]].id,
        .sample = (int64_t)r->sample[i],
        .score = (r->score_raw[i] - scale->mean) / scale->sd,
        .tokens = (int64_t)n,
        .is_eos = r->is_eos[i],
    };
    for (size_t t = 0; t < n; t++) {
        size_t at = r->offset[i] + t;
        row.k1 += (double)r->logp[at] - (double)r->logp_ref[at];
        row.kl += (double)r->kl[at];
        row.entropy += (double)r->entropy[at] / (double)n;
        if (t < m)
            row.kl_first += (double)r->kl[at];
    }
    *out = row;
}

/* The features of a reply's text. */
static enum status read_text(struct row *out, const struct rollout *r, size_t i,
                             const struct setup *s, struct buf *text,
                             struct err *err)
{
    const char *prompt = s->prompts.record[r->prompt[i]].prompt;
    buf_clear(text);
    TRY(drawn_text(text, s, &r->seq[i], err));
    return features_of(out->feature, prompt, strlen(prompt), buf_text(text),
                       text->len, err);
}

static enum status ask_model(struct row *out, const struct model *m,
                             const struct push *x, const struct probe *p,
                             int64_t step, struct err *err)
{
    enum status status = OK;
    const struct setup *s = &p->setup;
    size_t samples = (size_t)p->config->sizes.push_samples;
    const struct sampling how = {
        .temperature = 1, .top_p = 1, .max_new = (size_t)s->config->max_new};
    const struct scorer_rule rule = {.temperature = 1};
    struct rollout r;
    struct buf text;
    buf_init(&text, FEATURES_TEXT_MAX);
    TRY(rollout_create(&r, x->replies, how.max_new, err));
    for (size_t i = 0; i < r.n; i++) {
        r.prompt[i] = i / samples;
        r.sample[i] = i % samples;
    }
    TRY_DONE(rollout_sample(&r, m, s->prompt, samples, &how, p->config->seed,
                            RNG_PROBE, PROBE_STREAM_PUSH, p->context, err));
    TRY_DONE(rollout_score(&r, &s->reward, s->prompts.record, p->context, err));
    TRY_DONE(rollout_compare(&r, m, &s->reference, NULL, NULL, &rule,
                             p->context, err));
    for (size_t i = 0; i < r.n; i++) {
        describe(&out[i], &r, i, p, step, x->m);
        TRY_DONE(read_text(&out[i], &r, i, s, &text, err));
    }
done:
    buf_free(&text);
    rollout_free(&r);
    return status;
}

static enum status ask_points(struct push *x, const struct probe *p,
                              struct err *err)
{
    for (size_t i = 0; i < x->points; i++) {
        struct point point;
        if (context_stopped(p->context))
            return err_set(err, ERR_STOPPED, "stopped; run it again");
        TRY(point_open(&point, &p->setup, x->step[i], err));
        enum status status = ask_model(x->row + i * x->replies, point.model, x,
                                       p, x->step[i], err);
        point_close(&point);
        TRY(status);
    }
    return OK;
}

static void put(struct json_writer *w, const struct push *x)
{
    const struct row *row = x->row;
    struct probe_column column[10 + FEATURES] = {
        PROBE_COLUMN(row, step),    PROBE_COLUMN(row, prompt_id),
        PROBE_COLUMN(row, sample),  PROBE_COLUMN(row, score),
        PROBE_COLUMN(row, tokens),  PROBE_COLUMN(row, is_eos),
        PROBE_COLUMN(row, k1),      PROBE_COLUMN(row, kl),
        PROBE_COLUMN(row, entropy), PROBE_COLUMN(row, kl_first),
    };
    probe_feature_columns(column + 10, row->feature, sizeof *row);
    json_field_int(w, "m", (int64_t)x->m);
    probe_put_columns(w, column, 10 + FEATURES, x->points * x->replies);
}

enum status probe_push(struct json_writer *w, const struct probe *p,
                       struct err *err)
{
    enum status status = OK;
    struct push x = {.points = 0};
    size_t prompts = (size_t)p->config->sizes.push_prompts, rows;
    if (prompts > (size_t)p->config->heldout.n_prompts)
        prompts = (size_t)p->config->heldout.n_prompts;
    TRY_DONE(list(&x.step, &x.points, p, err));
    TRY_DONE(mem_multiply(&x.replies, prompts,
                          (size_t)p->config->sizes.push_samples, err));
    TRY_DONE(mem_multiply(&rows, x.points, x.replies, err));
    TRY_DONE(MEM_NEW(x.row, rows, err));
    TRY_DONE(find_m(&x.m, p, err));
    TRY_DONE(ask_points(&x, p, err));
    put(w, &x);
done:
    mem_free(x.step);
    mem_free(x.row);
    return status;
}
