#include "cli/probing.h"

#include <string.h>

#include "cli/outside_given.h"
#include "eval/heldout_files.h"
#include "io/run.h"

/* A path of settings.json, told from the project. */
static enum status read_path(char out[FILE_PATH_MAX], const struct probing *p,
                             const char *key, struct err *err)
{
    const char *text;
    TRY(json_need_text(&text, p->settings, key, "eval/settings.json", err));
    return file_join(out, p->at.project, text, err);
}

/* Where the evaluation's prompts are: as the user says, as it says itself, or,
 * in a project that was evaluated before it did, in their usual places. */
static enum status find_prompts(struct probing *p, const struct options *o,
                                struct err *err)
{
    static const char *const usual[] = {"eval/prompts.jsonl",
                                        "world/heldout.jsonl"};
    if (o->v.probe.prompts)
        return file_join(p->prompts, "", o->v.probe.prompts, err);
    if (json_is_string(json_get(p->settings, "prompts")))
        return read_path(p->prompts, p, "prompts", err);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        TRY(file_join(p->prompts, p->at.project, usual[i], err));
        if (file_exists(p->prompts))
            return OK;
    }
    return err_set(err, ERR_ARG,
                   "probe.prompts is not set: the held-out prompts that the "
                   "evaluation was made with");
}

static enum status read_evaluation(struct probing *p, const struct options *o,
                                   struct err *err)
{
    static const char what[] = "eval/settings.json";
    struct heldout_config *h = &p->config.heldout;
    TRY(heldout_files_read_settings(&p->settings, p->at.project, err));
    TRY(read_path(p->policy, p, "policy", err));
    TRY(read_path(p->reference, p, "reference", err));
    const char *program =
        json_text(json_get(p->settings, "reward_command"), NULL);
    TRY(outside_given_check(o, program, what, err));
    if (program != NULL)
        h->reward_command = o->v.outside.reward;
    else
        TRY(read_path(p->reward_model, p, "reward_model", err));
    h->reward_model = program != NULL ? NULL : p->reward_model;
    p->config.policy_command =
        json_text(json_get(p->settings, "policy_command"), NULL);
    TRY(find_prompts(p, o, err));
    const struct json *sizes = json_get(p->settings, "settings");
    TRY(json_need_int(&h->n_prompts, sizes, "prompts", 1, 1000000, what, err));
    TRY(json_need_int(&h->samples, sizes, "samples", 1, 1024, what, err));
    TRY(json_need_int(&h->max_new, sizes, "max_new", 1, 65536, what, err));
    const struct json *scale = json_get(p->settings, "score_scale");
    TRY(json_need_number(&p->config.scale.mean, scale, "mean", what, err));
    TRY(json_need_number(&p->config.scale.sd, scale, "sd", what, err));
    if (!(p->config.scale.sd > 0))
        return err_set(err, ERR_FORMAT, "%s: score_scale.sd is %g", what,
                       p->config.scale.sd);
    return OK;
}

static enum status hash_config(char out[65], const char *run, struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(file_join(path, run, "config.yaml", err));
    return file_hash(out, path, err);
}

static enum status find_stage(struct options *run, struct probe_stage *stage,
                              const char *model, enum option_command command,
                              const char *key, struct err *err)
{
    char dir[FILE_PATH_MAX];
    int64_t step;
    if (!run_of_model(dir, &step, model))
        return err_set(err, ERR_MISSING,
                       "%s lies in no run: what it was trained on is not known",
                       model);
    TRY(place_read_run(run, dir, command, err));
    stage->hash = place_recorded_hash(run, key);
    stage->data = run->v.data;
    return hash_config(stage->config_hash, dir, err);
}

/* The stage that a model came out of, as it recorded itself; where nothing
 * tells, `why` and stage->missing say so. */
static enum status read_stage(struct options *run, struct probe_stage *stage,
                              struct err *why, const char *model,
                              enum option_command command, const char *key,
                              struct err *err)
{
    enum status status = find_stage(run, stage, model, command, key, why);
    stage->missing = status == OK ? NULL : why->text;
    if (status == ERR_MEMORY)
        *err = *why;
    return status == ERR_MEMORY ? status : OK;
}

static const char *first_of(const char *a, const char *b)
{
    return a ? a : b;
}

/* The run's own program is started where it is the one that was given. */
static void allow_program(struct outside_config *recorded,
                          const struct options *o)
{
    const struct outside_config *given = &o->v.outside.reward;
    bool is_given = recorded->command != NULL && given->command != NULL &&
                    strcmp(recorded->command, given->command) == 0;
    *recorded = is_given ? *given : (struct outside_config){.command = NULL};
}

static enum status fill(struct probing *p, const struct options *o,
                        struct err *err)
{
    struct probe_config *c = &p->config;
    TRY(place_read_run(&p->run, p->at.run, FOR_PPO, err));
    c->ppo = &p->run.v.ppo;
    c->ppo_run =
        (struct probe_run){.seed = (uint64_t)p->run.v.common.seed,
                           .shards = (size_t)p->run.v.common.shards,
                           .precision = options_precision(&p->run),
                           .is_compute_open = options_is_compute_open(&p->run),
                           .data = p->run.v.data};
    TRY(hash_config(c->config_hash, p->at.run, err));
    TRY(read_evaluation(p, o, err));
    if (c->heldout.reward_model != NULL)
        TRY(read_stage(&p->reward, &c->reward_stage, &p->no_reward,
                       p->reward_model, FOR_REWARD, "reward.data", err));
    TRY(read_stage(&p->sft, &c->sft_stage, &p->no_sft, p->reference, FOR_SFT,
                   "sft.data", err));
    c->reward = &p->reward.v.reward;
    c->sft = &p->sft.v.sft;
    c->sizes = o->v.probe.sizes;
    c->only = o->v.probe.probes;
    c->fillers = o->v.probe.fillers;
    c->rankings = o->v.probe.rankings;
    allow_program(&p->run.v.ppo.reward_command, o);
    c->seed = (uint64_t)o->v.common.seed;
    c->overwrite = o->v.common.overwrite;
    struct heldout_config *h = &c->heldout;
    h->project = p->at.project;
    h->policy = p->policy;
    h->reference = p->reference;
    h->prompts = p->prompts;
    h->run = p->at.run;
    h->start = c->ppo->model;
    h->temperature = h->top_p = 1;
    h->seed = c->seed;
    h->precision = options_precision(o);
    h->data = o->v.data;
    /* The day that the policy's prompts told in training. */
    h->data.date = first_of(h->data.date, p->run.v.data.date);
    return OK;
}

enum status probing_open(struct probing *out, const struct place *at,
                         const struct options *o, struct err *err)
{
    memset(out, 0, sizeof *out);
    out->at = *at;
    enum status status = fill(out, o, err);
    if (status != OK)
        probing_close(out);
    return status;
}

void probing_close(struct probing *p)
{
    json_free(p->settings);
    options_free(&p->run);
    options_free(&p->reward);
    options_free(&p->sft);
    memset(p, 0, sizeof *p);
}

enum status probing_run(struct probe_result *result, const struct place *at,
                        const struct options *o, const struct context *context,
                        struct err *err)
{
    struct probing p;
    struct probe probe;
    TRY(probing_open(&p, at, o, err));
    enum status status = probe_open(&probe, &p.config, context, err);
    if (status == OK) {
        status = probe_run(result, &probe, err);
        probe_close(&probe);
    }
    probing_close(&p);
    return status;
}

/* ---- an imported run ----------------------------------------------------- */

enum status probing_imported_run(struct probe_result *result,
                                 const char *project, const struct options *o,
                                 const struct context *context, struct err *err)
{
    struct probe probe;
    struct probe_config c = {.sizes = o->v.probe.sizes,
                             .only = o->v.probe.probes,
                             .fillers = o->v.probe.fillers,
                             .rankings = o->v.probe.rankings,
                             .seed = (uint64_t)o->v.common.seed,
                             .overwrite = o->v.common.overwrite};
    c.heldout.project = project;
    c.heldout.reward_command = o->v.outside.reward;
    c.heldout.data = o->v.data;
    if (c.heldout.reward_command.command == NULL)
        return err_set(err, ERR_ARG,
                       "%s is an imported run, whose models are elsewhere: "
                       "--reward-command, a program that scores texts, is what "
                       "can be asked",
                       project);
    TRY(probe_open_texts(&probe, &c, context, err));
    enum status status = probe_run(result, &probe, err);
    probe_close(&probe);
    return status;
}
