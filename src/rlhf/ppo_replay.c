#include "rlhf/ppo_replay.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "io/jsonl.h"
#include "rlhf/trainer.h"

/* A trace on its way into a rollout. */
struct reader {
    const struct ppo_config *c;
    const struct dataset *prompts;
    const struct corpus *corpus;
    size_t V;
    size_t room, n; // rows there may be, and are
    size_t at;      // tokens so far
    struct replay to;
    float *advantage; // as the trace has them, one token after the other
    float *white;
};

static enum status read_floats(float *out, const struct json *row,
                               const char *key, size_t len, struct err *err)
{
    const struct json *array = json_get(row, key);
    if (json_size(array) != len || !json_is_array(array))
        return err_set(err, ERR_FORMAT,
                       "'%s' is not an array of %zu numbers, one a token", key,
                       len);
    for (size_t t = 0; t < len; t++) {
        double x = json_number(json_at(array, t), (double)NAN);
        if (!isfinite((float)x))
            return err_set(err, ERR_FORMAT, "'%s'[%zu] is no finite number",
                           key, t);
        out[t] = (float)x;
    }
    return OK;
}

static enum status find_prompt(size_t *out, const struct reader *x,
                               const struct json *row, struct err *err)
{
    const char *id;
    TRY(json_need_text(&id, row, "prompt_id", "the row", err));
    for (size_t p = 0; p < x->prompts->n; p++)
        if (strcmp(x->prompts->record[p].id, id) == 0) {
            *out = p;
            return OK;
        }
    return err_set(err, ERR_MISMATCH, "prompt '%s' is not in %s", id,
                   x->prompts->path);
}

static enum status read_tokens(struct reader *x, const struct json *row,
                               struct err *err)
{
    struct rollout *r = &x->to.rollout;
    const struct json *array = json_get(row, "tokens");
    size_t len = json_size(array), i = x->n;
    int32_t *token = r->token + i * r->max_new;
    if (!json_is_array(array) || len == 0 || len > r->max_new)
        return err_set(err, ERR_MISMATCH,
                       "'tokens': %zu tokens, wanted 1 to ppo.max_new = %zu",
                       len, r->max_new);
    for (size_t t = 0; t < len; t++) {
        int64_t id = json_int(json_at(array, t), -1);
        if (id < 0 || (uint64_t)id >= x->V)
            return err_set(err, ERR_MISMATCH,
                           "'tokens'[%zu] is none of the policy's %zu tokens",
                           t, x->V);
        token[t] = (int32_t)id;
    }
    const struct sequence *prompt =
        &x->corpus->seq[x->corpus->first[r->prompt[i]]];
    r->seq[i] = (struct sequence){.prompt = prompt->prompt,
                                  .len_prompt = prompt->len_prompt,
                                  .response = token,
                                  .len_response = len};
    return OK;
}

/* What all rows of a file say alike. */
static enum status read_common(struct reader *x, const struct json *row,
                               struct err *err)
{
    struct replay read = {.step = 0};
    TRY(json_need_int(&read.step, row, "step", 1, INT64_MAX, "the row", err));
    TRY(json_need_number(&read.beta, row, "beta", "the row", err));
    TRY(json_need_number(&read.temperature, row, "temperature", "the row",
                         err));
    if (x->n == 0) {
        x->to.step = read.step;
        x->to.beta = read.beta;
        x->to.temperature = read.temperature;
    }
    if (x->to.step != read.step || x->to.beta != read.beta ||
        x->to.temperature != read.temperature)
        return err_set(err, ERR_FORMAT,
                       "another step, beta or temperature than the first row");
    return OK;
}

static enum status read_row(void *ctx, const struct json *row, size_t line,
                            struct err *err)
{
    struct reader *x = ctx;
    struct rollout *r = &x->to.rollout;
    size_t i = x->n;
    int64_t sample;
    (void)line;
    if (i == x->room)
        return err_set(err, ERR_MISMATCH,
                       "more than ppo.batch x ppo.samples = %zu rows", x->room);
    TRY(read_common(x, row, err));
    TRY(find_prompt(&r->prompt[i], x, row, err));
    TRY(read_tokens(x, row, err));
    TRY(json_need_int(&sample, row, "sample", 0, INT64_MAX, "the row", err));
    TRY(json_need_number(&r->score[i], row, "score", "the row", err));
    r->sample[i] = (size_t)sample;
    r->is_eos[i] = strcmp(json_text(json_get(row, "finish"), ""), "eos") == 0;
    const struct {
        const char *key;
        float *to;
    } columns[] = {
        {"logp", r->logp},
        {"logp_ref", r->logp_ref},
        {"value", r->state_value},
        {"advantage", x->advantage},
        {"advantage_white", x->white},
    };
    for (size_t k = 0; k < sizeof columns / sizeof *columns; k++)
        TRY(read_floats(columns[k].to + x->at, row, columns[k].key,
                        r->seq[i].len_response, err));
    x->at += r->seq[i].len_response;
    x->n++;
    return OK;
}

/*
 * The value of the state after the last token, where the score stands behind
 * it, is in no column, but the last token's advantage has it in it:
 *     A[len-1] = reward + gamma V - V[len-1] + gamma lambda (score - V)
 * Where gamma (1 - lambda) is 0 it falls out, and any number will do.
 */
static void find_after_values(struct reader *x)
{
    struct rollout *r = &x->to.rollout;
    const struct advantage_config *c = &x->c->advantage;
    double factor = c->gamma * (1 - c->lambda);
    for (size_t i = 0; i < r->n; i++) {
        size_t last = r->seq[i].len_response - 1;
        double missing = (double)x->advantage[r->offset[i] + last] -
                         (double)r->advantage[r->slot[i] + last];
        bool is_in = r->slot[i + 1] - r->slot[i] > last + 1;
        r->after_value[i] = is_in && factor > 0 ? (float)(missing / factor) : 0;
    }
}

static enum status check_advantages(const struct reader *x, struct err *err)
{
    const struct rollout *r = &x->to.rollout;
    for (size_t i = 0; i < r->n; i++)
        for (size_t t = 0; t < r->seq[i].len_response; t++) {
            double was = (double)x->white[r->offset[i] + t];
            double is = (double)r->advantage_white[r->slot[i] + t];
            if (!(fabs(is - was) <= REPLAY_TOLERANCE * (1 + fabs(was))))
                return err_set(err, ERR_MISMATCH,
                               "row %zu, token %zu: the whitened advantage is "
                               "%g, with the run's settings %g; they are not "
                               "those that the trace was made with",
                               i + 1, t, was, is);
        }
    return OK;
}

static enum status restore(struct reader *x, const char *path, struct err *err)
{
    struct rollout *r = &x->to.rollout;
    const struct ppo_config *c = x->c;
    TRY(jsonl_read(path, read_row, x, err));
    if (x->n != x->room)
        return err_set(err, ERR_MISMATCH,
                       "%s: %zu rows, the run's iterations have %zu", path,
                       x->n, x->room);
    double temperature = ppo_rule(c).temperature;
    if (x->to.temperature != temperature)
        return err_set(err, ERR_MISMATCH,
                       "%s: temperature %g, the run's settings say %g", path,
                       x->to.temperature, temperature);
    batch_offsets(r->offset, r->seq, r->n);
    rollout_advantages(r, &c->advantage, &c->kl, x->to.beta);
    if (c->advantage.score_position == SCORE_AFTER_EOS) {
        find_after_values(x);
        rollout_advantages(r, &c->advantage, &c->kl, x->to.beta);
    }
    if (check_advantages(x, err) != OK)
        return err_context(err, "%s", path);
    return OK;
}

enum status ppo_replay_read(struct replay *out, const char *path,
                            const struct ppo_config *c,
                            const struct dataset *prompts,
                            const struct corpus *corpus, size_t V,
                            struct err *err)
{
    enum status status = OK;
    struct reader x = {.c = c, .prompts = prompts, .corpus = corpus, .V = V};
    size_t tokens, max_new = (size_t)c->max_new;
    TRY(mem_multiply(&x.room, (size_t)c->batch, (size_t)c->samples, err));
    TRY(mem_multiply(&tokens, x.room, max_new, err));
    TRY_DONE(rollout_create(&x.to.rollout, x.room, max_new, err));
    TRY_DONE(MEM_NEW(x.advantage, tokens, err));
    TRY_DONE(MEM_NEW(x.white, tokens, err));
    TRY_DONE(restore(&x, path, err));
    *out = x.to;
done:
    if (status != OK)
        ppo_replay_free(&x.to);
    mem_free(x.advantage);
    mem_free(x.white);
    return status;
}

void ppo_replay_free(struct replay *r)
{
    rollout_free(&r->rollout);
    memset(r, 0, sizeof *r);
}

enum status ppo_replay_policy(struct model *out, const char *checkpoint,
                              const struct ppo_config *c,
                              const struct stage *stage, struct err *err)
{
    enum status status = OK;
    char base[FILE_PATH_MAX];
    struct model m;
    TRY(run_find_model(base, c->model, NULL, err));
    TRY(trainer_read(&m, base, HEAD_LM, stage, &c->adapter, err));
    TRY_DONE(trainer_adapt(&m, &c->adapter, base, stage->seed, err));
    if (checkpoint != NULL)
        TRY_DONE(
            trainer_reload(&m, checkpoint, model_trainable_count(&m), err));
    *out = m;
done:
    if (status != OK)
        model_free(&m);
    return status;
}
