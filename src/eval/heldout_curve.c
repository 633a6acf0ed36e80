#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "eval/draw.h"
#include "eval/heldout.h"
#include "eval/heldout_files.h"
#include "eval/point.h"
#include "stat/measures.h"
#include "stat/trend.h"

/* The points of a curve: iteration 0, then every checkpoint. */
struct curve {
    int64_t *step; // [m]
    size_t m;
    size_t n;              // prompts
    double *kl;            // [m*n] nats per reply
    bool has_gold;         // there is a weak gold
    struct draw reference; // with curve_samples: its replies, drawn alike
    struct bootstrap plan;
};

/* One number a prompt, and scratch for it. */
struct columns {
    double *value, *len;
};

static double sum_of(const float *x, size_t n)
{
    double sum = 0;
    for (size_t t = 0; t < n; t++)
        sum += (double)x[t];
    return sum;
}

static enum status put_mean(struct json_writer *w, const char *key,
                            const double *value, const struct curve *c,
                            struct err *err)
{
    struct estimate e;
    TRY(summary_estimate_mean(&e, value, c->n, &c->plan, err));
    json_put_key(w, key);
    measures_write_estimate(w, &e);
    return OK;
}

/* One checkpoint's members.  A point without a comparison is the reference
 * itself, whose KL to itself is exactly 0. */
static enum status put_point(struct json_writer *w, const struct draw *d,
                             const struct curve *c, size_t point,
                             struct columns *x, struct err *err)
{
    struct estimate e;
    double *kl = c->kl + point * c->n;
    json_open(w, '{');
    json_field_int(w, "iteration", c->step[point]);
    for (size_t p = 0; p < c->n; p++) {
        size_t len = d->r.seq[p].len_response;
        x->len[p] = (double)len;
        x->value[p] = d->r.is_eos[p] ? 1 : 0;
        kl[p] = d->is_compared ? sum_of(d->r.kl + d->r.offset[p], len) : 0;
    }
    TRY(put_mean(w, "score", d->r.score, c, err));
    TRY(put_mean(w, "gold", d->gold, c, err));
    if (c->has_gold)
        TRY(put_mean(w, "weak_gold", d->weak_gold, c, err));
    TRY(put_mean(w, "len", x->len, c, err));
    TRY(put_mean(w, "kl_sequence", kl, c, err));
    TRY(summary_estimate_ratio(&e, kl, x->len, c->n, &c->plan, err));
    json_put_key(w, "kl_per_token");
    measures_write_estimate(w, &e);
    TRY(put_mean(w, "eos_rate", x->value, c, err));
    TRY(put_mean(w, "fillers", d->fillers, c, err));
    json_close(w, '}');
    return OK;
}

static enum status draw_point(struct draw *out, const struct setup *s,
                              int64_t step, const struct context *context,
                              struct err *err)
{
    const struct sampling how = {
        .temperature = 1, .top_p = 1, .max_new = (size_t)s->config->max_new};
    struct point point;
    TRY(point_open(&point, s, step, err));
    enum status status = draw_replies(out, s, point.model,
                                      point.is_reference ? NULL : &s->reference,
                                      1, &how, DRAW_CURVE, context, err);
    point_close(&point);
    return status;
}

/* The replies of the point as a file, beside the reference's. */
static enum status keep_samples(const struct draw *d, const struct curve *c,
                                size_t point, const struct setup *s,
                                struct err *err)
{
    char name[64];
    (void)snprintf(name, sizeof name, HELDOUT_CHECKPOINTS "/%06lld.jsonl",
                   (long long)c->step[point]);
    return heldout_files_write_samples(name, s, d, &c->reference, err);
}

/* What every point's replies stand beside. */
static enum status draw_reference(struct curve *c, const struct setup *s,
                                  const struct context *context,
                                  struct err *err)
{
    char path[FILE_PATH_MAX];
    const struct sampling how = {
        .temperature = 1, .top_p = 1, .max_new = (size_t)s->config->max_new};
    TRY(heldout_files_path(path, s->config->project, HELDOUT_CHECKPOINTS, err));
    if (!s->config->is_followed)
        TRY(file_make_dir(path, err));
    TRY(draw_replies(&c->reference, s, &s->reference, NULL, 1, &how, DRAW_CURVE,
                     context, err));
    draw_scale(&c->reference, s);
    return OK;
}

static enum status put_points(struct json_writer *w, struct curve *curve,
                              const struct setup *s,
                              const struct context *context, struct err *err)
{
    enum status status = OK;
    struct columns x = {NULL, NULL};
    struct draw d = {.samples = 0};
    TRY_DONE(MEM_NEW(x.value, curve->n, err));
    TRY_DONE(MEM_NEW(x.len, curve->n, err));
    json_put_key(w, "checkpoints");
    json_open(w, '[');
    for (size_t i = 0; i < curve->m; i++) {
        context_progress(context, (double)i, (double)curve->m, "checkpoint",
                         NULL);
        bool stop;
        TRY_DONE(context_agree_stop(&stop, context, err));
        if (stop) {
            status = err_set(err, ERR_STOPPED, "stopped; run it again");
            goto done;
        }
        TRY_DONE(draw_point(&d, s, curve->step[i], context, err));
        draw_scale(&d, s);
        TRY_DONE(put_point(w, &d, curve, i, &x, err));
        if (curve->reference.samples > 0 && curve->step[i] > 0 &&
            !s->config->is_followed)
            TRY_DONE(keep_samples(&d, curve, i, s, err));
        draw_free(&d);
    }
    context_progress(context, (double)curve->m, (double)curve->m, "checkpoint",
                     NULL);
    json_close(w, ']');
done:
    draw_free(&d);
    mem_free(x.value);
    mem_free(x.len);
    return status;
}

/* Slope of the exact KL over iterations: "trend". */
static enum status put_trend(struct json_writer *w, const struct curve *curve,
                             struct err *err)
{
    enum status status = OK;
    struct trend trend;
    double *t = NULL;
    TRY_DONE(MEM_NEW(t, curve->m, err));
    for (size_t i = 0; i < curve->m; i++)
        t[i] = (double)curve->step[i];
    TRY_DONE(
        trend_fit(&trend, t, curve->kl, curve->m, curve->n, &curve->plan, err));
    json_put_key(w, "trend");
    json_open(w, '{');
    json_put_key(w, "kl_sequence");
    measures_write_estimate(w, &trend.slope);
    json_field_number(w, "mann_kendall_s", trend.s);
    json_field_number(w, "mann_kendall_z", trend.z);
    json_field_number(w, "mann_kendall_p", trend.p);
    json_field_number(w, "kendall_tau", trend.tau);
    json_close(w, '}');
done:
    mem_free(t);
    return status;
}

static enum status read_scale(struct score_scale *out,
                              const struct json *settings, const char *key,
                              struct err *err)
{
    const struct json *scale = json_get(settings, key);
    TRY(json_need_number(&out->mean, scale, "mean", "settings.json", err));
    TRY(json_need_number(&out->sd, scale, "sd", "settings.json", err));
    if (!(out->sd > 0))
        return err_set(err, ERR_FORMAT, "settings.json: %s.sd is %g", key,
                       out->sd);
    return OK;
}

/* The units that heldout_sample() settled on. */
static enum status use_recorded_scales(struct setup *s, struct err *err)
{
    struct json *settings;
    const char *project = s->config->project;
    TRY(heldout_files_read_settings(&settings, project, err));
    enum status status = read_scale(&s->scale, settings, "score_scale", err);
    if (status == OK && s->has_gold)
        status = read_scale(&s->gold_scale, settings, "weak_gold_scale", err);
    json_free(settings);
    return status;
}

enum status heldout_curve(const struct heldout_config *c,
                          const struct context *context, struct err *err)
{
    enum status status = OK;
    struct setup s;
    struct buf text;
    struct json_writer w;
    struct curve curve = {.plan = {.seed = c->seed}, .n = (size_t)c->n_prompts};
    size_t points;
    buf_init(&text, (size_t)16 << 20);
    /* heldout_sample() has told of the prompts. */
    TRY(setup_open(&s, c, context, false, err));
    TRY_DONE(use_recorded_scales(&s, err));
    curve.has_gold = s.has_gold;
    TRY_DONE(point_list(&curve.step, &curve.m, c->run, err));
    TRY_DONE(mem_multiply(&points, curve.m, curve.n, err));
    TRY_DONE(MEM_NEW(curve.kl, points, err));
    if (c->curve_samples)
        TRY_DONE(draw_reference(&curve, &s, context, err));
    json_writer_init(&w, &text, true);
    json_open(&w, '{');
    json_field_text(&w, "schema", "plumb.curve/1");
    json_field_text(&w, "plumb_version", PLUMB_VERSION);
    json_field_int(&w, "prompts", c->n_prompts);
    json_field_int(&w, "samples", 1);
    TRY_DONE(put_points(&w, &curve, &s, context, err));
    TRY_DONE(put_trend(&w, &curve, err));
    json_close(&w, '}');
    if (!c->is_followed)
        TRY_DONE(heldout_files_write(c->project, "curve.json", &text, err));
done:
    mem_free(curve.step);
    mem_free(curve.kl);
    draw_free(&curve.reference);
    buf_free(&text);
    setup_close(&s);
    return status;
}
