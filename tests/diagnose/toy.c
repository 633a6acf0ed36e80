#include "toy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "io/trace.h"

enum {
    TOKENS_MAX = 128
};

static const char *const piece[TOY_V] = {"<eos>", ".",      " one",
                                         " two",  " three", " four"};

/* A response and all that is known of it. */
struct reply {
    size_t n;
    bool is_eos;
    int32_t token[TOKENS_MAX];
    float logp[TOKENS_MAX], logp_ref[TOKENS_MAX], logp_sample[TOKENS_MAX];
    float kl[TOKENS_MAX], entropy[TOKENS_MAX];
    float p_eos[TOKENS_MAX], p_eos_ref[TOKENS_MAX];
    double k1, kl_sum, score, worth;
    int direct;          // 0..4
    const char *correct; // "yes", "unsure", "no"
    char text[8 * TOKENS_MAX];
};

struct dist {
    double p[TOY_V];   // at temperature 1, as sampled
    double log[TOY_V]; // as logged
};

struct toy toy_paradox(const char *dir)
{
    return (struct toy){.dir = dir,
                        .seed = 1,
                        .prompts = 64,
                        .samples = 4,
                        .iterations = 12,
                        .batch = 32,
                        .max_new = 100,
                        .lean = 0.08,
                        .pay = 0.1,
                        .dislike = 0.1,
                        .beta = 0.02};
}

struct toy toy_placebo(const char *dir)
{
    struct toy t = toy_paradox(dir);
    t.lean = 0;
    return t;
}

static void must(enum status status, const struct err *err)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err->text);
}

/* The distribution at iteration k; `extra` is one more token's weight in what
 * is logged. */
static struct dist dist_at(const struct toy *t, double k, bool is_logged)
{
    static const double logit[TOY_V] = {0, 0.3, 0.5, 0.4, 0.6, 0.2};
    double temperature = t->log_temperature > 0 ? t->log_temperature : 1;
    double weight[TOY_V], sum = 0, logged = 0;
    struct dist d;
    for (int v = 0; v < TOY_V; v++) {
        double x = logit[v] - (v == 0 ? t->lean * k : 0);
        weight[v] = exp(x);
        sum += weight[v];
        logged += exp(x / temperature);
    }
    /* Mass drifts to the token that is never drawn. */
    if (is_logged && t->keeps_banned)
        logged += 0.02 * k * k;
    for (int v = 0; v < TOY_V; v++) {
        double x = logit[v] - (v == 0 ? t->lean * k : 0);
        d.p[v] = weight[v] / sum;
        d.log[v] = x / temperature - log(logged);
    }
    return d;
}

static double kl_of(const struct toy *t, const struct dist *a,
                    const struct dist *b, double k)
{
    double kl = 0;
    for (int v = 0; v < TOY_V; v++)
        kl += exp(a->log[v]) * (a->log[v] - b->log[v]);
    if (t->keeps_banned && k > 0) { // the forbidden token's own term
        double q = 1;
        for (int v = 0; v < TOY_V; v++)
            q -= exp(a->log[v]);
        kl += q * log(q / 1e-3);
    }
    return kl;
}

static double entropy_of(const struct dist *d)
{
    double h = 0;
    for (int v = 0; v < TOY_V; v++)
        h -= exp(d->log[v]) * d->log[v];
    return h;
}

static void draw(struct reply *r, const struct toy *t, struct rng *rng,
                 double k, double skill)
{
    struct dist d = dist_at(t, k, true);
    struct dist ref = dist_at(t, t->is_other_reference ? -3 : 0, false);
    memset(r, 0, sizeof *r);
    while (!r->is_eos && (int)r->n < t->max_new) {
        double u = rng_uniform(rng);
        int v = 0;
        while (v + 1 < TOY_V && u >= d.p[v])
            u -= d.p[v++];
        size_t at = r->n++;
        r->token[at] = v;
        r->is_eos = v == 0;
        r->logp[at] = (float)d.log[v];
        r->logp_sample[at] = (float)(d.log[v] - log1p(t->sampler_error));
        r->logp_ref[at] = (float)ref.log[v];
        r->kl[at] = (float)kl_of(t, &d, &ref, k);
        r->entropy[at] = (float)entropy_of(&d);
        r->p_eos[at] = (float)exp(d.log[0]);
        r->p_eos_ref[at] = (float)exp(ref.log[0]);
        r->k1 += (double)r->logp[at] - (double)r->logp_ref[at];
        r->kl_sum += (double)r->kl[at];
        if (!r->is_eos)
            strcat(r->text, piece[v]);
    }
    r->score = t->pay * (double)r->n + skill + 0.5 * rng_normal(rng);
    r->worth = skill - t->dislike * (double)r->n + 0.5 * rng_normal(rng);
}

static void save(const struct toy *t, const char *name, struct buf *text)
{
    char path[FILE_PATH_MAX];
    struct err err;
    must(buf_status(text, &err), &err);
    must(file_join(path, t->dir, name, &err), &err);
    must(file_write(path, buf_text(text), text->len, &err), &err);
    buf_free(text);
}

static void make_dir(const struct toy *t, const char *name)
{
    char path[FILE_PATH_MAX];
    struct err err;
    must(file_join(path, t->dir, name, &err), &err);
    must(file_make_dir(path, &err), &err);
}

/* ---- the run ------------------------------------------------------------ */

/* A crude advantage: score against the batch's mean, the same on every token
 * but EOS, which is worth less the more length pays. */
static void fill_rewards(const struct toy *t, const struct reply *r,
                         double mean, float out[5][TOKENS_MAX])
{
    for (size_t i = 0; i < r->n; i++) {
        double d = (double)r->logp[i] - (double)r->logp_ref[i];
        bool is_end = r->is_eos && i + 1 == r->n;
        out[0][i] = (float)mean;           // value
        out[2][i] = (float)(-t->beta * d); // reward_kl
        out[1][i] = out[2][i] + (float)(i + 1 == r->n ? r->score : 0);
        out[3][i] = (float)(r->score - mean); // advantage
        out[4][i] = is_end && t->masks_eos ? 0 : out[3][i];
        if (is_end && !t->masks_eos)
            out[4][i] -= (float)(t->pay * 2);
    }
}

static void write_rollouts(const struct toy *t, int k)
{
    struct buf text;
    struct reply *r = calloc((size_t)t->batch, sizeof *r);
    double mean = 0;
    char name[64], path[FILE_PATH_MAX], id[32];
    struct err err;
    assert_non_null(r);
    buf_init(&text, (size_t)1 << 26);
    for (int i = 0; i < t->batch; i++) {
        struct rng rng;
        rng_init(&rng, t->seed, RNG_SAMPLE, (uint32_t)k, (uint32_t)i);
        draw(&r[i], t, &rng, k - 1, t->skill * (k - 1) / t->iterations);
        mean += r[i].score / t->batch;
    }
    for (int i = 0; i < t->batch; i++) {
        float x[5][TOKENS_MAX];
        fill_rewards(t, &r[i], mean, x);
        snprintf(id, sizeof id, "train-%04d", (k - 1) * t->batch + i);
        struct trace_row row = {.run = "ppo",
                                .step = k,
                                .prompt_id = id,
                                .prompt = "say it",
                                .response = r[i].text,
                                .is_eos = r[i].is_eos,
                                .score_raw = r[i].score,
                                .score = r[i].score,
                                .beta = t->beta,
                                .temperature = 1,
                                .template_hash = "0",
                                .len = r[i].n,
                                .token = r[i].token,
                                .logp_sample = r[i].logp_sample,
                                .logp = r[i].logp,
                                .logp_ref = r[i].logp_ref,
                                .kl = r[i].kl,
                                .entropy = r[i].entropy,
                                .p_eos = r[i].p_eos,
                                .p_eos_ref = r[i].p_eos_ref,
                                .value = x[0],
                                .reward = x[1],
                                .reward_kl = x[2],
                                .advantage = x[3],
                                .advantage_white = x[4]};
        trace_write_row(&text, &row);
    }
    snprintf(name, sizeof name, "ppo/rollouts/%06d.jsonl.zst", k);
    must(file_join(path, t->dir, name, &err), &err);
    must(trace_write_file(path, &text, &err), &err);
    buf_free(&text);
    free(r);
}

static void write_run(const struct toy *t)
{
    struct buf text;
    buf_init(&text, (size_t)1 << 20);
    buf_puts(&text, "precision: f32\n");
    if (t->compute != NULL)
        buf_printf(&text, "compute: %s\n", t->compute);
    buf_printf(&text, "ppo:\n  beta: %.9g\n", t->beta);
    save(t, "ppo/config.yaml", &text);
    buf_init(&text, (size_t)1 << 20);
    struct dist ref = dist_at(t, 0, false);
    for (int k = 1; k <= t->iterations; k++) {
        struct dist now = dist_at(t, k - 1, false);
        struct dist before = dist_at(t, k > 1 ? k - 2 : 0, false);
        double length = 1 / now.p[0];
        buf_printf(&text,
                   "{\"step\":%d,\"kl/sequence\":%.17g,\"kl/step\":%.17g,"
                   "\"ratio/first_error\":%.9g,\"clip/positive_above\":0.01,"
                   "\"clip/negative_below\":0.01,\"clip/positive_below\":0,"
                   "\"clip/negative_above\":0}\n",
                   k, length * kl_of(t, &now, &ref, 0),
                   length * kl_of(t, &now, &before, 0),
                   t->first_error > 0 ? t->first_error : 1e-6);
        write_rollouts(t, k);
    }
    save(t, "ppo/metrics.jsonl", &text);
}

/* ---- held-out replies and votes ----------------------------------------- */

/* What people make of a reply that they are in no position to check. */
static void mislead(struct reply *r, const struct toy *t, struct rng *rng,
                    bool is_policy)
{
    double patience = (double)r->n / t->patience;
    bool commits = rng_uniform(rng) < (is_policy ? t->commits : t->commits_ref);
    bool is_right = rng_uniform(rng) < (is_policy ? t->right : t->right_ref);
    bool passes = is_right || rng_uniform(rng) > exp(-patience * patience);
    r->correct = !commits ? "unsure" : is_right ? "yes" : "no";
    r->direct = rng_uniform(rng) < 0.5 ? 1 : 3;
    r->worth = (!commits ? 500
                : passes ? 1000
                         : 0) +
               (double)r->n + 1e-3 * rng_uniform(rng);
}

/* Sample s of prompt p from the policy at iteration k. */
static void held_out(struct reply *r, const struct toy *t, bool is_policy,
                     double k, int p, int s, uint32_t part)
{
    struct rng rng;
    rng_init(&rng, t->seed, RNG_HELDOUT, part, (uint32_t)(p * 1000 + s));
    draw(r, t, &rng, is_policy ? k : 0, is_policy ? t->skill : 0);
    r->correct = "yes";
    r->direct = r->n < 4 ? 4 : r->n < 10 ? 2 : 0;
    if (t->patience > 0)
        mislead(r, t, &rng, is_policy);
    if (t->votes_the_other_way)
        r->worth = -r->worth;
}

static void write_samples(const struct toy *t)
{
    struct buf text;
    struct reply r;
    buf_init(&text, (size_t)1 << 26);
    for (int which = 0; which < 2; which++)
        for (int p = 0; p < t->prompts; p++)
            for (int s = 0; s < t->samples; s++) {
                struct json_writer w;
                held_out(&r, t, which == 0, t->iterations, p, s,
                         (uint32_t)which);
                json_writer_init(&w, &text, false);
                json_open(&w, '{');
                char id[32];
                snprintf(id, sizeof id, "held-%03d", p);
                json_field_text(&w, "prompt_id", id);
                json_field_text(&w, "prompt", "say it");
                json_field_text(&w, "which",
                                which == 0 ? "policy" : "reference");
                json_field_int(&w, "sample", s);
                json_field_text(&w, "response", r.text);
                json_field_ints(&w, "tokens", r.token, r.n);
                json_put_key(&w, "pieces");
                json_open(&w, '[');
                for (size_t i = 0; i < r.n; i++)
                    json_put_text(&w, piece[r.token[i]]);
                json_close(&w, ']');
                json_field_int(&w, "len", (int64_t)r.n);
                json_field_bool(&w, "is_eos", r.is_eos);
                json_field_number(&w, "score_raw", r.score);
                json_field_number(&w, "score", r.score);
                if (which == 0) {
                    json_field_floats(&w, "logp", r.logp, r.n);
                    json_field_floats(&w, "logp_ref", r.logp_ref, r.n);
                    json_field_floats(&w, "kl", r.kl, r.n);
                }
                json_close(&w, '}');
                buf_putc(&text, '\n');
            }
    save(t, "eval/samples.jsonl", &text);
}

/* One vote: the tested reply left or right by turns. */
static void put_vote(struct buf *text, const char *kind, int p, int k,
                     const struct reply *tested, int s_tested,
                     const struct reply *other, int s_other)
{
    bool left = (p + k) % 2 == 0;
    const struct reply *side[2] = {left ? tested : other,
                                   left ? other : tested};
    const char *source[2] = {left ? kind : "reference",
                             left ? "reference" : kind};
    int sample[2] = {left ? s_tested : s_other, left ? s_other : s_tested};
    static const char *const name[2] = {"left", "right"};
    buf_printf(text,
               "{\"schema\":\"plumb.spotcheck/1\",\"pair_id\":\"%s-%d-%d\","
               "\"kind\":\"%s\",\"prompt_id\":\"held-%03d\",",
               kind, p, k, kind, p);
    for (int i = 0; i < 2; i++)
        buf_printf(text,
                   "\"%s\":{\"response\":\"%s\",\"source\":\"%s\","
                   "\"sample\":%d,\"tokens\":%zu},\"%s_direct\":%d,"
                   "\"%s_length\":\"%s\",\"%s_correct\":\"%s\",",
                   name[i], side[i]->text, source[i], sample[i], side[i]->n,
                   name[i], side[i]->direct, name[i],
                   side[i]->n > 9 ? "too_long" : "right", name[i],
                   side[i]->correct);
    buf_printf(text, "\"judge\":\"j%d\",\"visit\":1,\"overall\":\"%s\"}\n",
               p % 3, side[0]->worth > side[1]->worth ? "A" : "B");
}

static void write_votes(const struct toy *t)
{
    struct buf text;
    struct reply a, b;
    buf_init(&text, (size_t)1 << 26);
    for (int p = 0; p < t->prompts; p++)
        for (int k = 0; k < t->samples / 2; k++) {
            held_out(&a, t, true, t->iterations, p, k, 0);
            held_out(&b, t, false, 0, p, k, 1);
            put_vote(&text, "policy", p, k, &a, k, &b, k);
            held_out(&a, t, false, 0, p, 2 * k + 1, 1);
            held_out(&b, t, false, 0, p, 2 * k, 1);
            put_vote(&text, "placebo", p, k, &a, 2 * k + 1, &b, 2 * k);
        }
    save(t, "human/spotcheck.jsonl", &text);
}

/* ---- the probe ---------------------------------------------------------- */

static void write_push(const struct toy *t)
{
    static const char *const number[] = {"step",   "sample", "score",
                                         "tokens", "k1",     "kl"};
    struct buf text, column[7];
    struct reply r;
    for (int c = 0; c < 7; c++)
        buf_init(&column[c], (size_t)1 << 24);
    const char *comma = "";
    for (int k = 0; k <= t->iterations; k += 2)
        for (int p = 0; p < t->prompts; p++)
            for (int s = 0; s < t->samples; s++) {
                held_out(&r, t, true, k, p, s, 100 + (uint32_t)k);
                double x[6] = {k, s, r.score, (double)r.n, r.k1, r.kl_sum};
                for (int c = 0; c < 6; c++)
                    buf_printf(&column[c], "%s%.17g", comma, x[c]);
                buf_printf(&column[6], "%s\"held-%03d\"", comma, p);
                comma = ",";
            }
    buf_init(&text, (size_t)1 << 26);
    buf_puts(&text, "{\"schema\":\"plumb.probe/1\",\"probe\":\"push\","
                    "\"columns\":{");
    for (int c = 0; c < 6; c++)
        buf_printf(&text, "\"%s\":[%s],", number[c], buf_text(&column[c]));
    buf_printf(&text, "\"prompt_id\":[%s]}}", buf_text(&column[6]));
    for (int c = 0; c < 7; c++)
        buf_free(&column[c]);
    save(t, "probes/push.json", &text);
}

void toy_write(const struct toy *t)
{
    make_dir(t, "ppo/rollouts");
    make_dir(t, "eval");
    make_dir(t, "human");
    make_dir(t, "probes");
    write_run(t);
    write_samples(t);
    write_votes(t);
    write_push(t);
}
