/*
 * Why the policy moved: the gradient of iterations of the run, split into its
 * parts (rlhf/ppo_split.h).
 *
 *     "parts"       names, in the order used below
 *     "lr"          of the step that is predicted: the run's
 *     "candidates"  tokens among which those told of are chosen: so many of
 *                   the largest mean probability
 *     "iterations"  [{
 *         "step"          of metrics.jsonl and of the trace; the policy was
 *                         that of the checkpoint before, or the first model
 *         "reproducible"  false: "why", and nothing else
 *         "states"        tokens of the batch
 *         "beta"
 *         "logp_error"    largest |log-prob now - the trace's|
 *         "logp_bound"    which it is within: what rounding explains
 *                         (stat/ratio.h), whatever the run's own gate
 *         "norm"          {part: number}
 *         "cosine"        {"reward_kl": number, ...} every pair
 *         "residual"      |sum of parts - whole| / |whole|
 *         "predicted"     {"eos": {part: number},
 *                          "tokens": [{"token","text","probability",part...}]}
 *                         change of the mean log-prob, nats
 *     }]
 *     "average"     of the iterations that are reproducible, with percentile
 *                   intervals over iterations: one batch alone is noisy
 *                   {"norm": {part: estimate}, "cosine": {pair: estimate},
 *                    "eos": {part: estimate}}
 *
 * An iteration can be split when there are a checkpoint before it and a trace
 * of it; of more than ITERATIONS_MAX those are taken that lie evenly.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "eval/probe_table.h"
#include "io/run.h"
#include "rlhf/ppo_replay.h"
#include "rlhf/ppo_split.h"
#include "stat/measures.h"
#include "stat/ratio.h"

enum {
    ITERATIONS_MAX = 12,
    /* parts, pairs of them, parts again for EOS */
    PAIRS = SPLIT_PARTS * (SPLIT_PARTS - 1) / 2,
    AVERAGES = 2 * SPLIT_PARTS + PAIRS
};

/* How far log-probs may lie from the trace's: the bound of two passes of
 * training, in the logarithm. */
static double logp_bound(const struct probe *p)
{
    int precision = p->config->ppo_run.precision;
    return log1p(ratio_bounds_of((precision & MODEL_BY_BF16) != 0).update);
}

/* One that can be split. */
struct iteration {
    int64_t step; // of the trace
    bool is_first;
    char checkpoint[FILE_PATH_MAX], trace[FILE_PATH_MAX];
};

struct iterations {
    struct iteration item[ITERATIONS_MAX];
    size_t n;
};

static enum status place(struct iteration *out, const struct probe *p,
                         int64_t step, struct err *err)
{
    const char *run = p->config->heldout.run;
    char name[64];
    out->step = step + 1;
    out->is_first = step == 0;
    (void)snprintf(name, sizeof name, "checkpoints/%06lld", (long long)step);
    TRY(file_join(out->checkpoint, run, name, err));
    (void)snprintf(name, sizeof name, "rollouts/%06lld.jsonl.zst",
                   (long long)out->step);
    return file_join(out->trace, run, name, err);
}

/* The steps after which there is a policy: 0, and every checkpoint. */
static enum status list_steps(int64_t **out, size_t *n, const struct probe *p,
                              struct err *err)
{
    int64_t *steps, *all;
    TRY(run_checkpoints(&steps, n, p->config->heldout.run, err));
    enum status status = MEM_NEW(all, *n + 1, err);
    if (status == OK) {
        if (*n > 0)
            memcpy(all + 1, steps, *n * sizeof *steps);
        *out = all;
        ++*n;
    }
    mem_free(steps);
    return status;
}

/* Those with a trace, into steps[0..*n-1]. */
static enum status keep_traced(int64_t *steps, size_t *n, const struct probe *p,
                               struct err *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++) {
        struct iteration x;
        TRY(place(&x, p, steps[i], err));
        if (file_exists(x.trace))
            steps[kept++] = steps[i];
    }
    *n = kept;
    if (kept == 0)
        return err_set(err, ERR_MISSING,
                       "%s has no iteration with a checkpoint before it and a "
                       "trace of it (ppo.save_every, ppo.trace_every)",
                       p->config->heldout.run);
    return OK;
}

static enum status find_iterations(struct iterations *out,
                                   const struct probe *p, struct err *err)
{
    enum status status = OK;
    int64_t *steps = NULL;
    size_t n;
    if (p->config->heldout.run == NULL)
        return err_set(err, ERR_MISSING, "there is no run");
    TRY(list_steps(&steps, &n, p, err));
    TRY_DONE(keep_traced(steps, &n, p, err));
    out->n = n < ITERATIONS_MAX ? n : ITERATIONS_MAX;
    for (size_t i = 0; i < out->n; i++) {
        size_t at = out->n > 1 ? i * (n - 1) / (out->n - 1) : 0;
        TRY_DONE(place(&out->item[i], p, steps[at], err));
    }
done:
    mem_free(steps);
    return status;
}

enum status probe_gradient_inputs(struct buf *out, const struct probe *p,
                                  struct err *err)
{
    struct iterations list;
    char hash[65], first[FILE_PATH_MAX];
    TRY(find_iterations(&list, p, err));
    TRY(run_find_model(first, p->config->ppo->model, NULL, err));
    for (size_t i = 0; i < list.n; i++) {
        const struct iteration *x = &list.item[i];
        TRY(run_hash_model(hash, x->is_first ? first : x->checkpoint, err));
        buf_printf(out, "%lld %s ", (long long)x->step, hash);
        TRY(file_hash(hash, x->trace, err));
        buf_printf(out, "%s\n", hash);
    }
    TRY(file_hash(hash, p->config->ppo->prompts, err));
    buf_printf(out, "prompts %s seed %llu precision %d bound %g\n", hash,
               (unsigned long long)p->config->ppo_run.seed,
               p->config->ppo_run.precision, logp_bound(p));
    return OK;
}

/* The run's prompts as it read them. */
struct source {
    struct dataset prompts;
    struct corpus corpus;
};

static enum status open_source(struct source *out, const struct probe *p,
                               struct err *err)
{
    const struct ppo_config *c = p->config->ppo;
    const struct corpus_files files = {.path = c->prompts,
                                       .kind = DATASET_PROMPTS};
    const struct model_config *m = &p->setup.policy.config;
    TRY(ppo_check_room(c, m->T_max, err));
    return corpus_load(&out->corpus, &out->prompts, &files,
                       &p->config->ppo_run.data, p->setup.tokenizer, m->eos,
                       m->T_max - (size_t)c->max_new, NULL, err);
}

/* Split one iteration; ERR_MISMATCH says why it cannot be repeated. */
static enum status split(struct ppo_split *out, double *beta,
                         const struct probe *p, const struct iteration *x,
                         const struct source *source, struct err *err)
{
    enum status status = OK;
    const struct ppo_config *c = p->config->ppo;
    const struct stage stage = {.seed = p->config->ppo_run.seed,
                                .precision = p->config->ppo_run.precision};
    struct model policy;
    struct replay replay = {.step = 0};
    TRY(ppo_replay_policy(&policy, x->is_first ? NULL : x->checkpoint, c,
                          &stage, err));
    setup_end_turns(&p->setup, &policy);
    TRY_DONE(setup_check_model(&p->setup, &policy, x->checkpoint, err));
    TRY_DONE(ppo_replay_read(&replay, x->trace, c, &source->prompts,
                             &source->corpus, policy.config.V, err));
    const struct split_input in = {&replay.rollout, &policy, c, replay.beta,
                                   c->optimizer.lr};
    TRY_DONE(ppo_split_run(out, &in, p->context, err));
    *beta = replay.beta;
    if (!(out->logp_error <= logp_bound(p)))
        status = err_set(err, ERR_MISMATCH,
                         "log-probabilities differ from those of %s by up to "
                         "%.2g nats (bound %.2g): it was drawn by another "
                         "policy%s",
                         x->trace, out->logp_error, logp_bound(p),
                         p->config->ppo_run.is_compute_open
                             ? ", or with compute in other numbers than here, "
                               "of which its record says only auto"
                             : "");
done:
    ppo_replay_free(&replay);
    model_free(&policy);
    return status;
}

static void pair_name(char out[32], size_t a, size_t b)
{
    (void)snprintf(out, 32, "%s_%s", ppo_split_name((enum split_part)a),
                   ppo_split_name((enum split_part)b));
}

static void put_parts(struct json_writer *w, const double part[SPLIT_PARTS])
{
    for (size_t k = 0; k < SPLIT_PARTS; k++)
        json_field_number(w, ppo_split_name((enum split_part)k), part[k]);
}

static void put_token(struct json_writer *w, const struct split_token *t,
                      const struct probe *p)
{
    json_open(w, '{');
    json_field_int(w, "token", t->token);
    json_field_text(w, "text", tokenizer_token(p->setup.tokenizer, t->token));
    json_field_number(w, "probability", t->probability);
    put_parts(w, t->change);
    json_close(w, '}');
}

static void put_split(struct json_writer *w, const struct ppo_split *s,
                      double beta, const struct probe *p)
{
    json_field_int(w, "states", (int64_t)s->states);
    json_field_number(w, "beta", beta);
    json_field_number(w, "logp_error", s->logp_error);
    json_field_number(w, "logp_bound", logp_bound(p));
    json_put_key(w, "norm");
    json_open(w, '{');
    put_parts(w, s->norm);
    json_close(w, '}');
    json_put_key(w, "cosine");
    json_open(w, '{');
    for (size_t a = 0; a < SPLIT_PARTS; a++)
        for (size_t b = a + 1; b < SPLIT_PARTS; b++) {
            char name[32];
            pair_name(name, a, b);
            json_field_number(w, name, s->cosine[a][b]);
        }
    json_close(w, '}');
    json_field_number(w, "residual", s->residual);
    json_put_key(w, "predicted");
    json_open(w, '{');
    json_put_key(w, "eos");
    json_open(w, '{');
    put_parts(w, s->eos.change);
    json_close(w, '}');
    json_put_key(w, "tokens");
    json_open(w, '[');
    for (size_t i = 0; i < s->n_token; i++)
        put_token(w, &s->token[i], p);
    json_close(w, ']');
    json_close(w, '}');
}

/* What is averaged, a row a quantity. */
struct averages {
    double value[AVERAGES][ITERATIONS_MAX];
    size_t n;
};

static void add_average(struct averages *a, const struct ppo_split *s)
{
    size_t row = 0;
    for (size_t k = 0; k < SPLIT_PARTS; k++)
        a->value[row++][a->n] = s->norm[k];
    for (size_t i = 0; i < SPLIT_PARTS; i++)
        for (size_t j = i + 1; j < SPLIT_PARTS; j++)
            a->value[row++][a->n] = s->cosine[i][j];
    for (size_t k = 0; k < SPLIT_PARTS; k++)
        a->value[row++][a->n] = s->eos.change[k];
    a->n++;
}

static enum status put_average(struct json_writer *w, const char *name,
                               const double *value, const struct averages *a,
                               const struct probe *p, struct err *err)
{
    const struct bootstrap plan = {.seed = p->config->seed};
    struct estimate e;
    TRY(summary_estimate_mean(&e, value, a->n, &plan, err));
    json_put_key(w, name);
    measures_write_estimate(w, &e);
    return OK;
}

static enum status put_averages(struct json_writer *w, const struct averages *a,
                                const struct probe *p, struct err *err)
{
    static const char *const group[] = {"norm", "cosine", "eos"};
    size_t row = 0;
    json_put_key(w, "average");
    json_open(w, '{');
    for (size_t g = 0; g < 3; g++) {
        json_put_key(w, group[g]);
        json_open(w, '{');
        for (size_t i = 0; i < SPLIT_PARTS; i++) {
            const char *part = ppo_split_name((enum split_part)i);
            if (g != 1)
                TRY(put_average(w, part, a->value[row++], a, p, err));
            for (size_t j = i + 1; g == 1 && j < SPLIT_PARTS; j++) {
                char name[32];
                pair_name(name, i, j);
                TRY(put_average(w, name, a->value[row++], a, p, err));
            }
        }
        json_close(w, '}');
    }
    json_close(w, '}');
    return OK;
}

static enum status put_iteration(struct json_writer *w, struct averages *a,
                                 const struct probe *p,
                                 const struct iteration *x,
                                 const struct source *source, struct err *err)
{
    struct ppo_split s;
    double beta;
    struct err why = {.code = OK};
    if (context_stopped(p->context))
        return err_set(err, ERR_STOPPED, "stopped");
    enum status status = split(&s, &beta, p, x, source, &why);
    bool is_other = status == ERR_MISMATCH || status == ERR_MISSING;
    if (status != OK && !is_other) {
        *err = why;
        return status;
    }
    json_open(w, '{');
    json_field_int(w, "step", x->step);
    json_field_bool(w, "reproducible", status == OK);
    if (status == OK) {
        put_split(w, &s, beta, p);
        add_average(a, &s);
    } else {
        json_field_text(w, "why", why.text);
    }
    json_close(w, '}');
    return OK;
}

static enum status put_all(struct json_writer *w, const struct probe *p,
                           const struct iterations *list,
                           const struct source *source, struct err *err)
{
    struct averages a = {.n = 0};
    json_put_key(w, "parts");
    json_open(w, '[');
    for (size_t k = 0; k < SPLIT_PARTS; k++)
        json_put_text(w, ppo_split_name((enum split_part)k));
    json_close(w, ']');
    json_field_number(w, "lr", p->config->ppo->optimizer.lr);
    json_field_int(w, "candidates", SPLIT_CANDIDATES);
    json_put_key(w, "iterations");
    json_open(w, '[');
    for (size_t i = 0; i < list->n; i++)
        TRY(put_iteration(w, &a, p, &list->item[i], source, err));
    json_close(w, ']');
    return put_averages(w, &a, p, err);
}

enum status probe_gradient(struct json_writer *w, const struct probe *p,
                           struct err *err)
{
    struct iterations list;
    struct source source = {.prompts = {.n = 0}};
    TRY(find_iterations(&list, p, err));
    enum status status = open_source(&source, p, err);
    if (status == OK)
        status = put_all(w, p, &list, &source, err);
    corpus_free(&source.corpus);
    dataset_free(&source.prompts);
    return status;
}
