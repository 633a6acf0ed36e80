#include "eval/setup.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "io/run.h"
#include "model/checkpoint.h"

#define TRAINER_MAX ((size_t)1 << 20)

static bool is_banned(const struct model *m, size_t v)
{
    return m->banned != NULL && m->banned[v];
}

enum status setup_check_model(const struct setup *s, const struct model *m,
                              const char *path, struct err *err)
{
    const struct model *ref = &s->reference;
    if (m->config.V != ref->config.V)
        return err_set(err, ERR_MISMATCH,
                       "%s has %zu tokens, the reference %s has %zu", path,
                       m->config.V, s->reference_path, ref->config.V);
    if (m->config.eos != ref->config.eos)
        return err_set(err, ERR_MISMATCH,
                       "%s ends with token %d, the reference %s with %d", path,
                       (int)m->config.eos, s->reference_path,
                       (int)ref->config.eos);
    for (size_t v = 0; v < m->config.V; v++)
        if (is_banned(m, v) != is_banned(ref, v))
            return err_set(err, ERR_MISMATCH,
                           "%s and the reference %s do not agree on whether "
                           "token %zu may be sampled",
                           path, s->reference_path, v);
    return OK;
}

void setup_end_turns(const struct setup *s, struct model *m)
{
    m->config.eos = chat_end(&s->chat, s->tokenizer, m->config.eos);
}

static enum status open_models(struct setup *s, struct err *err)
{
    const struct heldout_config *c = s->config;
    TRY(run_find_model(s->policy_path, c->policy, NULL, err));
    TRY(run_find_model(s->reference_path, c->reference, "sft", err));
    TRY(checkpoint_tokenizer(&s->tokenizer, s->policy_path, err));
    TRY(chat_open(&s->chat, s->tokenizer, c->data.template, c->data.date, err));
    TRY(checkpoint_read_as(&s->reference, s->reference_path, HEAD_LM,
                           (enum model_precision)c->precision, err));
    setup_end_turns(s, &s->reference);
    TRY(checkpoint_read_as(&s->policy, s->policy_path, HEAD_LM,
                           (enum model_precision)c->precision, err));
    setup_end_turns(s, &s->policy);
    TRY(setup_check_model(s, &s->policy, s->policy_path, err));
    return checkpoint_check_tokenizer(&s->policy, s->tokenizer, s->policy_path,
                                      err);
}

static enum status open_judges(struct setup *s, const struct context *context,
                               struct err *err)
{
    const struct heldout_config *c = s->config;
    const struct reward_policy policy = {s->tokenizer, s->chat,
                                         s->policy.config.eos};
    TRY(c->reward_model != NULL
            ? reward_reader_open(&s->reward, c->reward_model, &policy,
                                 c->precision, err)
            : reward_reader_open_command(&s->reward, &c->reward_command,
                                         &policy, context, err));
    if (c->policy_command.command != NULL)
        TRY(outside_open(&s->program, OUTSIDE_POLICY, &c->policy_command,
                         context, err));
    if (c->base_model != NULL) {
        TRY(reward_reader_open(&s->base, c->base_model, &policy, c->precision,
                               err));
        s->has_base = true;
    }
    if (c->gold_model == NULL)
        return OK;
    TRY(reward_reader_open(&s->gold, c->gold_model, &policy, c->precision,
                           err));
    s->has_gold = true;
    if (strcmp(s->gold.path, s->reward.path) == 0)
        return err_set(err, ERR_ARG,
                       "%s is the reward model itself and cannot be its gold",
                       s->gold.path);
    return OK;
}

/* Keep the first n_prompts records. */
static enum status open_prompts(struct setup *s, const struct context *context,
                                struct err *err)
{
    const struct heldout_config *c = s->config;
    size_t T_max = s->policy.config.T_max;
    size_t n = (size_t)c->n_prompts;
    if (c->max_new < 1 || (size_t)c->max_new >= T_max)
        return err_set(err, ERR_ARG,
                       "max_new = %lld: wanted 1 to %zu, which leaves a "
                       "position for the prompt",
                       (long long)c->max_new, T_max - 1);
    const struct corpus_files files = {.path = c->prompts,
                                       .kind = DATASET_PROMPTS};
    TRY(corpus_load(&s->corpus, &s->prompts, &files, &c->data, s->tokenizer,
                    s->policy.config.eos, T_max - (size_t)c->max_new, context,
                    err));
    if (s->prompts.n < n)
        return err_set(err, ERR_FORMAT, "%s: %zu prompts, %zu are asked for",
                       c->prompts, s->prompts.n, n);
    TRY(MEM_NEW(s->prompt, n, err));
    for (size_t i = 0; i < n; i++)
        s->prompt[i] = s->corpus.seq[s->corpus.first[i]];
    return OK;
}

static enum status read_ticket(struct setup *s, size_t i, struct err *err)
{
    enum status status = OK;
    const struct record *r = &s->prompts.record[i];
    struct json *extra = NULL;
    if (r->extra == NULL)
        return OK;
    TRY(json_parse(&extra, r->extra, strlen(r->extra), r->id, err));
    const struct json *ticket = json_get(extra, "ticket");
    if (ticket != NULL) {
        TRY_DONE(ticket_read(&s->ticket[i], ticket, r->id, err));
        s->has_ticket[i] = true;
    }
done:
    json_free(extra);
    return status;
}

static enum status open_tickets(struct setup *s, struct err *err)
{
    size_t n = (size_t)s->config->n_prompts;
    TRY(MEM_NEW(s->ticket, n, err));
    TRY(MEM_NEW(s->has_ticket, n, err));
    for (size_t i = 0; i < n; i++)
        TRY(read_ticket(s, i, err));
    return OK;
}

/* Where PPO recorded the unit of reward: beside the checkpoint, or in the
 * result of the run whose merged model this is. */
static enum status find_scale(char out[FILE_PATH_MAX], const struct setup *s,
                              struct err *err)
{
    char run[FILE_PATH_MAX];
    int64_t step;
    if (run_of_model(run, &step, s->policy_path) && step < 0)
        return file_join(out, run, "result.json", err);
    return file_join(out, s->policy_path, "trainer.json", err);
}

/* The scale that the policy was trained with; a folder from elsewhere has
 * none, nor has one of a stage without scores. */
static enum status read_scale(struct setup *s, struct err *err)
{
    char path[FILE_PATH_MAX];
    struct json *json = NULL;
    s->scale = s->gold_scale = (struct score_scale){.mean = 0, .sd = 1};
    if (s->config->has_other_scale)
        return OK;
    TRY(find_scale(path, s, err));
    if (!file_exists(path))
        return OK;
    TRY(json_read(&json, path, TRAINER_MAX, err));
    double mean = json_number(json_get(json, "score_mean"), (double)NAN);
    double sd = json_number(json_get(json, "score_sd"), (double)NAN);
    if (isfinite(mean) && isfinite(sd) && sd > 0) {
        s->scale = (struct score_scale){mean, sd};
        s->is_run_scale = true;
    }
    json_free(json);
    return OK;
}

enum status setup_open(struct setup *out, const struct heldout_config *config,
                       const struct context *context, bool says,
                       struct err *err)
{
    enum status status = OK;
    memset(out, 0, sizeof *out);
    out->config = config;
    if (config->n_prompts < 1 || config->samples < 1)
        return err_set(err, ERR_ARG,
                       "%lld prompts x %lld samples: wanted 1 "
                       "or more of each",
                       (long long)config->n_prompts,
                       (long long)config->samples);
    TRY_DONE(open_models(out, err));
    TRY_DONE(open_judges(out, context, err));
    TRY_DONE(open_prompts(out, says ? context : NULL, err));
    TRY_DONE(open_tickets(out, err));
    TRY_DONE(read_scale(out, err));
done:
    if (status != OK)
        setup_close(out);
    return status;
}

void setup_close(struct setup *s)
{
    model_free(&s->policy);
    model_free(&s->reference);
    reward_reader_close(&s->reward);
    reward_reader_close(&s->gold);
    reward_reader_close(&s->base);
    outside_close(s->program);
    tokenizer_free(s->tokenizer);
    corpus_free(&s->corpus);
    dataset_free(&s->prompts);
    mem_free(s->prompt);
    mem_free(s->ticket);
    mem_free(s->has_ticket);
    memset(s, 0, sizeof *s);
}
